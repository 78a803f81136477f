//! `infra status`: arguments, and the status as text or JSON.

use std::time::SystemTime;

use git2s3_infra::render::print;
use git2s3_infra::status;

use super::{Outcome, Place};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Print the status as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let located = arguments.place.locate(&arguments.place.configuration()?).await?;
    let Some(status) = status::status(&located.account, &located.stack_name).await? else {
        print::talk_line(&located.absent());
        return Ok(Outcome::NoStack);
    };
    if arguments.json {
        print::json(&status)?;
    } else {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        print::data(&status.text(i64::try_from(now).unwrap_or_default()));
    }
    Ok(if status.needs_attention() { Outcome::Findings } else { Outcome::Fine })
}
