//! `infra destroy`: arguments, what will be lost, and what stays.

use deployment::account::Account;
use deployment::deploy::{self, Losses, Stay, Users};
use deployment::render::print;
use deployment::render::progress::{Progress, Terminal};
use deployment::typed::typed;
use serde_json::json;

use super::{Located, Outcome, Question, Target, confirm_or};
use crate::report::Interrupted;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Keep the output bucket and everything in it: it stays in the account after the deletion
    #[arg(long)]
    keep_output: bool,
    /// Delete the account's bucket for code, too, if no other stack takes its code from it
    #[arg(long)]
    assets: bool,
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
    let account = &located.account;
    let assets = Assets::of(&located, arguments.assets, &mut progress).await?;
    let Some(losses) = deploy::losses(account, &located.stack_name).await? else {
        progress.step(&located.absent());
        return without_a_stack(question, assets, account, arguments.json, progress).await;
    };
    let mut losses = losses.acting_as(role);
    let stack = located.stack_name.clone();
    let output = losses.output.clone().filter(|_| arguments.keep_output);
    let stays = stays(&losses, output.as_deref(), &assets);
    let deleted: Vec<_> = losses.buckets.iter().filter(|bucket| Some(*bucket) != output.as_ref()).cloned().collect();
    tell(&losses, &deleted, &stays, &assets, &mut progress);
    let text = format!("delete all of this? type the stack's name, {stack}:");
    if !agrees(question, &text, &stack, &mut progress).await? {
        return Ok(Outcome::Declined);
    }
    let told = json!({
        "stack": stack, "resources": losses.resources, "buckets": deleted, "others": losses.others,
        "kept": Vec::from_iter(&output), "stays": stays, "assets": assets.goes(),
    });
    let delete = async {
        if arguments.keep_output {
            let bucket = losses.keep_output(&mut progress).await?;
            progress.step(&format!("bucket {bucket} has left the stack's care"));
        }
        losses.execute(&mut progress).await?;
        progress.step(&format!("stack {stack} is gone"));
        assets.remove(account, &mut progress).await
    };
    let deleted = tokio::select! {
        deleted = delete => Some(deleted?),
        _ = tokio::signal::ctrl_c() => None,
    };
    if deleted.is_none() {
        let undo = format!("{} goes on with what is left", typed(&format!("destroy --stack-name {stack}")));
        return Err(Interrupted::leaving(&stack, &undo).into());
    }
    drop(progress);
    if arguments.json {
        print::json(&told)?;
    }
    Ok(Outcome::Fine)
}

/// What happens to the account's bucket for code.
#[derive(Debug)]
enum Assets {
    /// It doesn't exist, or can't be read.
    None,
    /// It stays, for this reason.
    Stays(Stay),
    /// It is deleted after the stack.
    Goes(String),
}

impl Assets {
    /// Looks at the bucket, and if it is to be deleted, also at the stacks that need it.
    async fn of(located: &Located, wanted: bool, progress: &mut Terminal) -> anyhow::Result<Self> {
        let found = match deploy::users_of_assets(&located.account, &located.stack_name).await {
            // Without the flag, the right to read it isn't required.
            Err(error) if !wanted => {
                progress.step(&format!("not looked at the account's bucket for code: {error}"));
                None
            }
            found => found?,
        };
        let Some(Users { bucket, stacks }) = found else { return Ok(Self::None) };
        Ok(match (stacks.is_empty(), wanted) {
            (false, _) => Self::Stays(Stay::bucket(&bucket, &needed_by(&stacks))),
            (true, false) => {
                Self::Stays(Stay::bucket(&bucket, "it has code that no other stack uses; `--assets` takes it along"))
            }
            (true, true) => Self::Goes(bucket),
        })
    }

    fn goes(&self) -> Option<&str> {
        match self {
            Self::Goes(bucket) => Some(bucket),
            _ => None,
        }
    }

    async fn remove(&self, account: &Account, progress: &mut Terminal) -> anyhow::Result<()> {
        let Self::Goes(bucket) = self else { return Ok(()) };
        // Deleting a stack takes minutes, in which another one may have been created.
        let users = deploy::users_of_assets(account, "").await?.map(|users| users.stacks).unwrap_or_default();
        if users.is_empty() {
            deploy::remove_assets_bucket(account).await?;
            progress.step(&format!("bucket {bucket} is gone"));
        } else {
            progress.step(&format!("bucket {bucket} stays: {}", needed_by(&users)));
        }
        Ok(())
    }
}

fn needed_by(stacks: &[String]) -> String {
    format!("it has the code of other stacks: {}", stacks.join(", "))
}

/// Everything that the deleted stack leaves.
fn stays(losses: &Losses, output: Option<&str>, assets: &Assets) -> Vec<Stay> {
    let others = losses.stays.iter().filter(|stay| Some(stay.id.as_str()) != output).cloned();
    let output =
        output.map(|bucket| Stay::bucket(bucket, "with every version of every object, as `--keep-output` says"));
    let assets = match assets {
        Assets::Stays(stay) => Some(stay.clone()),
        _ => None,
    };
    output.into_iter().chain(others).chain(assets).collect()
}

fn tell(losses: &Losses, deleted: &[String], stays: &[Stay], assets: &Assets, progress: &mut Terminal) {
    progress.step(&format!("stack {} has {} resources", losses.stack_name(), losses.resources));
    for bucket in deleted {
        progress.step(&format!("  bucket {bucket} with every version of every object"));
    }
    for (kind, count) in &losses.others {
        progress.step(&format!("  {count} {kind}"));
    }
    if let Some(bucket) = assets.goes() {
        progress.step(&format!("  bucket {bucket} with the code of all releases"));
    }
    if !stays.is_empty() {
        progress.step("what stays in the account:");
    }
    for Stay { kind, id, why } in stays {
        progress.step(&format!("  {kind} {id}: {why}"));
    }
}

async fn agrees(question: Question, text: &str, expected: &str, progress: &mut Terminal) -> anyhow::Result<bool> {
    let interrupted = || Interrupted("nothing was deleted".to_owned(), None);
    let agrees = confirm_or(question, text, expected, progress, interrupted).await?;
    if !agrees {
        progress.step("nothing was deleted");
    }
    Ok(agrees)
}

/// The stack is gone, perhaps after an interrupted deletion: what else was requested can still be
/// done.
async fn without_a_stack(
    question: Question,
    assets: Assets,
    account: &Account,
    json: bool,
    mut progress: Terminal,
) -> anyhow::Result<Outcome> {
    match &assets {
        Assets::Goes(bucket) => {
            let text = format!("delete bucket {bucket} with the code of all releases? type its name:");
            if !agrees(question, &text, bucket, &mut progress).await? {
                return Ok(Outcome::Declined);
            }
            assets.remove(account, &mut progress).await?;
            drop(progress);
            if json {
                print::json(&json!({ "assets": bucket }))?;
            }
            Ok(Outcome::Fine)
        }
        Assets::Stays(Stay { id, why, .. }) => {
            progress.step(&format!("bucket {id} stays: {why}"));
            Ok(Outcome::NoStack)
        }
        Assets::None => Ok(Outcome::NoStack),
    }
}
