//! `infra status`: arguments, and the status as text or JSON.

use std::time::{Duration, SystemTime};

use deployment::render::print;
use infra::status;

use super::{Outcome, Place, since};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// How far back to look for errors and refusals: 15m, 6h, 2d
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = since::read)]
    since: Duration,
    /// Print the status as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let located = arguments.place.locate(&arguments.place.configuration()?).await?;
    let Some(status) = status::status(&located.account, &located.stack_name, arguments.since).await? else {
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
