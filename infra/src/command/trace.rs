//! `infra trace`: arguments, and the story of a push as text or JSON.

use std::time::Duration;

use deployment::deploy;
use deployment::render::print;
use deployment::render::progress::{Progress, Terminal};
use infra::trace::{self, Stack, Wanted};

use super::{Located, Outcome, Place, since};

/// As long as [dead-letter messages](contract::dead_letter) are kept: what waits there can be
/// traced.
pub(super) const BACK: &str = "14d";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The ID of a delivery that the Git host shows, a commit (or the first digits of one), or
    /// owner/name, with @branch or @tag, and with the host before it or not
    #[arg(value_name = "DELIVERY|COMMIT|REPOSITORY[@REF]")]
    wanted: Wanted,
    /// How far back to look: 15m, 6h, 2d
    #[arg(long, value_name = "TIME", default_value = BACK, value_parser = since::read)]
    since: Duration,
    /// Of a commit or a repository: how many of the latest deliveries to tell
    #[arg(long, value_name = "COUNT", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=5))]
    last: u8,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "Exit codes: 0 if everything that was pushed is stored, 1 if not: refused, given up, superseded by \
                     a newer commit, ignored, under way, or unknown.";

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let located = arguments.place.locate(&arguments.place.configuration()?).await?;
    let mut progress = Terminal::new();
    progress.waiting(&format!("looking for {}", arguments.wanted));
    let Some((description, resources)) = read(&located).await? else {
        progress.step(&located.absent());
        return Ok(Outcome::NoStack);
    };
    let stack = Stack { account: &located.account, description: &description, resources: &resources };
    let traced = trace::trace(stack, &arguments.wanted, arguments.since, arguments.last.into()).await?;
    drop(progress);
    if arguments.json {
        print::json(&traced)?;
    } else {
        print::data(&traced.text());
    }
    Ok(if traced.is_stored() { Outcome::Fine } else { Outcome::Findings })
}

/// What a trace has to know of a stack; `None` if there is none.
pub(super) async fn read(located: &Located) -> anyhow::Result<Option<(deploy::Description, Vec<deploy::Resource>)>> {
    let (account, name) = (&located.account, &located.stack_name);
    let Some(description) = deploy::described(account, name).await? else { return Ok(None) };
    Ok(Some((description, deploy::resources(account, name).await?)))
}
