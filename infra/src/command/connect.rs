//! `infra connect`: arguments, progress, and the table of what became of each repository.

use std::time::Duration;

use anstyle::AnsiColor;
use deployment::deploy;
use deployment::render::print;
use deployment::render::progress::{Progress, Terminal};
use deployment::render::shown::Shown;
use deployment::render::table::{Align, Table};
use infra::connect::{Connected, Connection, Endpoint, Step, Target, wait_for_zips};

use super::repositories::{AtHost, Chosen, Way};
use super::{Located, Outcome, Place, confirm, question, since};

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that a person types or doesn't")]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    chosen: Chosen,
    /// The endpoint that pushes are sent to
    #[arg(long, value_enum, default_value = "gitpull")]
    endpoint: Endpoint,
    /// Replace the deploy keys that the stack made for these repositories
    #[arg(long)]
    rotate: bool,
    /// How long to wait for zips and for fetches with new keys: 30s, 5m [default: 2m; --rotate: 7m]
    #[arg(long, value_name = "TIME", value_parser = since::read)]
    wait: Option<Duration>,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Connect the repositories of an organisation without asking
    #[arg(long, short)]
    yes: bool,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// An App's webhook sends to one endpoint, and its repositories have no keys.
    fn way(&self) -> Way {
        if self.endpoint == Endpoint::GitPull && !self.rotate { Way::AppOrToken } else { Way::Token }
    }

    /// Workers use the keys that they have read for five minutes.
    fn patience(&self) -> Duration {
        self.wait.unwrap_or(Duration::from_mins(if self.rotate { 7 } else { 2 }))
    }
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let located = arguments.place.locate(&arguments.place.configuration()?).await?;
    let mut progress = Terminal::new();
    located.announce(&mut progress);
    let Some(target) = target(&located).await? else {
        progress.step(&located.absent());
        return Ok(Outcome::NoStack);
    };
    let secrets = target.webhook_secrets(&located.account).await?;
    let hosts = arguments.chosen.find(&target, arguments.way(), &mut progress).await?;
    let count: usize = hosts.iter().map(|host| host.repositories.len()).sum();
    if arguments.chosen.is_organisation() && !arguments.dry_run && !arguments.yes {
        let text = format!("Connect {count} repositories to stack {}?", target.name);
        if !confirm(question(false)?, &text, "y", &mut progress)? {
            return Ok(Outcome::Declined);
        }
    }
    let mut all = Vec::new();
    for AtHost { access, repositories } in &hosts {
        let connection = Connection {
            target: &target,
            secrets: &secrets,
            access,
            endpoint: arguments.endpoint,
            rotates: arguments.rotate,
            is_dry: arguments.dry_run,
        };
        let mut here = Vec::new();
        for repository in repositories {
            progress.waiting(&format!("{} of {count}: {repository}", all.len() + here.len() + 1));
            let connected = connection.connect(repository).await;
            let ends = connected.failure.as_ref().is_some_and(|failure| failure.concerns_all);
            here.push(connected);
            if ends {
                // The others would fail in the same way.
                break;
            }
        }
        connection.finish_replacements(&located.account, &mut here, arguments.patience(), &mut progress).await?;
        all.extend(here);
    }
    if !arguments.dry_run {
        wait_for_zips(&located.account, &target, &mut all, arguments.patience(), &mut progress).await?;
    }
    drop(progress);
    let left_out = count - all.len();
    if arguments.json {
        print::json(&all)?;
    } else {
        print::data(&shown(&target, &all, arguments.dry_run, left_out));
    }
    Ok(if left_out == 0 && all.iter().all(is_complete) { Outcome::Fine } else { Outcome::Findings })
}

/// The stack to connect to, if it exists.
pub(crate) async fn target(located: &Located) -> anyhow::Result<Option<Target>> {
    let Located { account, stack_name, .. } = located;
    let Some(stack) = deploy::described(account, stack_name).await? else { return Ok(None) };
    Ok(Some(Target::read(account, stack_name, &stack).await?))
}

/// Whether nothing is missing.
fn is_complete(one: &Connected) -> bool {
    one.failure.is_none() && (one.is_stored || !one.sent_push)
}

fn shown(target: &Target, all: &[Connected], is_dry: bool, left_out: usize) -> Shown {
    let mut table =
        Table::new([("repository", Align::Left), ("state", Align::Left), ("done, or missing", Align::Left)]);
    for one in all {
        let details = details(target, one);
        let row = [one.repository.to_string(), state(one, is_dry).to_owned(), details];
        match &one.failure {
            Some(_) => table.styled(AnsiColor::Red.on_default(), row),
            None => table.row(row),
        }
    }
    let mut shown = table.render();
    if left_out > 0 {
        shown.add(&format!("{left_out} repositories were left out, since the host would refuse them as well"));
        shown.end_line();
    }
    shown
}

fn state(one: &Connected, is_dry: bool) -> &'static str {
    match one {
        Connected { failure: Some(_), .. } => "failed",
        Connected { done, .. } if done.is_empty() => "was connected",
        _ if is_dry => "would be connected",
        _ => "connected",
    }
}

fn details(target: &Target, one: &Connected) -> String {
    let mut parts: Vec<String> = one.done.iter().map(step).collect();
    if let Some(failure) = &one.failure {
        parts.push(failure.reason.clone());
        parts.extend(failure.hint.iter().map(|hint| format!("→ {hint}")));
        return parts.join("; ");
    }
    parts.extend(one.by_hand.iter().map(|what| format!("→ {what}")));
    match &one.artifact {
        Some(key) if one.is_stored => parts.push(format!("s3://{}/{key}", target.bucket)),
        Some(_) if one.sent_push => parts.push("no zip yet".to_owned()),
        Some(_) => parts.push("a zip comes with the next push".to_owned()),
        None => parts.push("pushes to its default branch become no zip: see the parameter Refs".to_owned()),
    }
    parts.join("; ")
}

fn step(step: &Step) -> String {
    match step {
        Step::KeyAdded => "deploy key added".to_owned(),
        Step::KeyReplaced => "deploy key replaced".to_owned(),
        Step::WebhookCreated => "webhook created".to_owned(),
        Step::WebhookUpdated(reasons) => format!("webhook changed ({})", reasons.join(", ")),
    }
}
