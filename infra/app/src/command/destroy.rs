//! `infra destroy`: arguments, and what will be lost before it is.

use git2s3_infra::deploy;
use git2s3_infra::render::print;
use git2s3_infra::render::progress::{Progress, Terminal};
use git2s3_infra::typed::typed;
use serde_json::json;

use super::deploy::Interrupted;
use super::{Outcome, Target, confirm_or};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Keep the output bucket and everything in it: it stays in the account when the stack is gone
    #[arg(long)]
    keep_output: bool,
    /// Print what was deleted and what stays as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let question = arguments.target.question()?;
    let place = &arguments.target.place;
    let configuration = place.configuration()?;
    let role = arguments.target.role(&configuration)?;
    let located = place.locate(&configuration).await?;
    let mut progress = Terminal::new();
    located.announce(&mut progress);
    located.announce_role(role.as_ref(), &mut progress).await?;
    let Some(losses) = deploy::losses(&located.account, &located.stack_name).await? else {
        progress.step(&located.absent());
        return Ok(Outcome::NoStack);
    };
    let mut losses = losses.acting_as(role);
    let stack = located.stack_name;
    progress.step(&format!("stack {stack} has {} resources", losses.resources));
    for bucket in &losses.buckets {
        let kept = arguments.keep_output && Some(bucket) == losses.output.as_ref();
        let fate = if kept { "stays, and all that is in it" } else { "with every version of every object" };
        progress.step(&format!("  bucket {bucket} {fate}"));
    }
    for (kind, count) in &losses.others {
        progress.step(&format!("  {count} {kind}"));
    }
    let text = format!("delete all of this? type the stack's name, {stack}:");
    let stays = || Interrupted("nothing was deleted".to_owned(), None);
    if !confirm_or(question, &text, &stack, &mut progress, stays).await? {
        progress.step("nothing was deleted");
        return Ok(Outcome::Declined);
    }
    let (deleted, kept): (Vec<_>, Vec<_>) = losses
        .buckets
        .iter()
        .cloned()
        .partition(|bucket| !arguments.keep_output || Some(bucket) != losses.output.as_ref());
    let told = json!({
        "stack": stack, "resources": losses.resources, "buckets": deleted, "others": losses.others, "kept": kept
    });
    let delete = async {
        if arguments.keep_output {
            let bucket = losses.keep_output(&mut progress).await?;
            progress.step(&format!("bucket {bucket} has left the stack's care"));
        }
        losses.execute(&mut progress).await
    };
    let deleted = tokio::select! {
        deleted = delete => Some(deleted?),
        _ = tokio::signal::ctrl_c() => None,
    };
    if deleted.is_none() {
        let undo = format!("{} goes on with what is left", typed(&format!("destroy --stack-name {stack}")));
        return Err(Interrupted::leaving(&stack, &undo).into());
    }
    progress.step(&format!("stack {stack} is gone"));
    drop(progress);
    if arguments.json {
        print::json(&told)?;
    }
    Ok(Outcome::Fine)
}
