//! `infra logs`: arguments, and the log lines of pushes as text or JSON, once or continuously.

use std::time::{Duration, SystemTime};

use deployment::deploy;
use deployment::render::print;
use infra::logs::{self, Extent, Filter, Groups, Level, Reader, Story};
use tokio::time::sleep;

use super::{Outcome, Place, since};
use crate::report::Usage;

/// The polling interval: a line takes longer to reach its log, and CloudWatch limits searches per
/// second and account.
const PAUSE: Duration = Duration::from_secs(3);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Only repositories that one of these globs names, with their host or without, separated by
    /// commas; !glob excludes
    #[arg(long, value_name = "GLOBS")]
    repository: Option<String>,
    /// Only this delivery, by the ID that the Git host shows
    #[arg(long, value_name = "ID")]
    delivery: Option<String>,
    /// Only lines of this level or above
    #[arg(long, value_enum, default_value = "info")]
    level: Level,
    /// How far back to look: 15m, 6h, 2d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = since::read)]
    since: Duration,
    /// Go on and print new lines, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Print each line as a JSON object on a line of its own
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let filter = Filter::new(arguments.repository.as_deref(), arguments.delivery.clone(), arguments.level);
    let filter = filter.map_err(|error| Usage {
        message: error.to_string(),
        hint: Some("`--repository 'acme/*'`, or with the host: `github.com/acme/**`".to_owned()),
    })?;
    let located = arguments.place.locate(&arguments.place.configuration()?).await?;
    if deploy::described(&located.account, &located.stack_name).await?.is_none() {
        print::talk_line(&located.absent());
        return Ok(Outcome::NoStack);
    }
    let groups = Groups::of(&deploy::resources(&located.account, &located.stack_name).await?);
    let since = SystemTime::now().checked_sub(arguments.since).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut reader = Reader::new(&located.account, groups, Extent::Deliveries, since);
    let (mut story, mut is_first) = (Story::default(), true);
    loop {
        let lines = filter.of(reader.read().await?);
        if arguments.json {
            for line in &lines {
                print::json_line(&logs::json(line)?)?;
            }
        } else {
            print::data(&story.tell(&lines));
            if is_first && lines.is_empty() {
                print::talk_line("there is nothing in the logs of this time that fits");
            }
        }
        if reader.is_cut && is_first {
            print::talk_line("the logs have more of this time than is told: --since looks at less of it");
        }
        if !arguments.follow {
            return Ok(Outcome::Fine);
        }
        is_first = false;
        sleep(PAUSE).await;
    }
}
