//! `infra destroy`: arguments, and what will be lost before it is.

use git2s3_infra::account::{self, Account};
use git2s3_infra::deploy;
use git2s3_infra::render::progress::{Progress, Terminal};

use super::{Outcome, Target, confirm};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let question = arguments.target.question()?;
    let config =
        account::configuration(arguments.target.place.region.clone(), arguments.target.place.profile.as_deref()).await;
    let account = Account::open(&config).await?;
    let mut progress = Terminal::new();
    let stack = &arguments.target.place.stack_name;
    let Some(losses) = deploy::losses(&account, stack).await? else {
        progress.step(&format!("there is no stack {stack} in account {}, {}", account.id, account.region));
        return Ok(Outcome::Fine);
    };
    progress
        .step(&format!("stack {stack} in account {}, {}: {} resources", account.id, account.region, losses.resources));
    for bucket in &losses.buckets {
        progress.step(&format!("  bucket {bucket} with every version of every object"));
    }
    let text = format!("delete all of this? type the stack's name, {stack}:");
    if !confirm(question, &text, stack, &mut progress)? {
        progress.step("nothing was deleted");
        return Ok(Outcome::Fine);
    }
    losses.execute(&mut progress).await?;
    progress.step(&format!("stack {stack} is gone"));
    Ok(Outcome::Fine)
}
