//! `infra disconnect`: arguments, the question before anything is removed, and output.

use contract::Repository;
use deployment::render::print;
use deployment::render::progress::{Progress, Terminal};
use deployment::render::table::{Align, Table};
use infra::connect::{Disconnected, Failure, HostAccess, disconnect};
use serde::Serialize;

use super::connect::target;
use super::repositories::{AtHost, Chosen, Way};
use super::{Outcome, Place, confirm, question};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    chosen: Chosen,
    /// Show what would be removed, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Go ahead without asking
    #[arg(long, short)]
    yes: bool,
    /// Print what was removed as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    repository: String,
    #[serde(flatten)]
    removed: Disconnected,
    failure: Option<Failure>,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let located = arguments.place.locate(&arguments.place.configuration()?).await?;
    let mut progress = Terminal::new();
    located.announce(&mut progress);
    let Some(target) = target(&located).await? else {
        progress.step(&located.absent());
        return Ok(Outcome::NoStack);
    };
    let hosts = arguments.chosen.find(&target, Way::Token, &mut progress).await?;
    let all: Vec<&Repository> = hosts.iter().flat_map(|host| &host.repositories).collect();
    if !arguments.dry_run {
        let text = match &all[..] {
            [one] => format!("Disconnect {one} from stack {}?", target.name),
            all => format!("Disconnect {} repositories from stack {}?", all.len(), target.name),
        };
        if !confirm(question(arguments.yes)?, &text, "y", &mut progress)? {
            return Ok(Outcome::Declined);
        }
    }
    let mut rows = Vec::new();
    for AtHost { access, repositories } in &hosts {
        // An App is removed by who has installed it.
        let HostAccess::Token(api) = access else { continue };
        for repository in repositories {
            progress.waiting(&format!("{} of {}: {repository}", rows.len() + 1, all.len()));
            let (removed, failure) = match disconnect(&target, api, repository, arguments.dry_run).await {
                Ok(removed) => (removed, None),
                Err(failure) => (Disconnected::default(), Some(failure)),
            };
            rows.push(Row { repository: repository.to_string(), removed, failure });
        }
    }
    drop(progress);
    if arguments.json {
        print::json(&rows)?;
    } else {
        let columns = [
            ("repository", Align::Left),
            ("webhooks", Align::Right),
            ("deploy keys", Align::Right),
            ("keys", Align::Right),
            ("failed", Align::Left),
        ];
        let mut table = Table::new(columns);
        for Row { repository, removed: Disconnected { webhooks, deploy_keys, keys }, failure } in &rows {
            let failure = failure.as_ref().map(|failure| failure.reason.clone()).unwrap_or_default();
            table.row([repository.clone(), webhooks.to_string(), deploy_keys.to_string(), keys.to_string(), failure]);
        }
        print::data(&table.render());
    }
    Ok(if rows.iter().all(|row| row.failure.is_none()) { Outcome::Fine } else { Outcome::Findings })
}
