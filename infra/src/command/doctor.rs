//! `infra doctor`: arguments, and the findings as text or JSON.

use std::time::Duration;

use anstyle::AnsiColor;
use contract::Repository;
use deployment::render::print;
use deployment::render::progress::{Progress, Terminal};
use deployment::render::shown::Shown;
use deployment::render::table::{Align, Table};
use host_api::HostApi;
use infra::connect::Target;
use infra::doctor::{Finding, Verdict, facts, findings};

use super::connect::target;
use super::{Outcome, Place, repositories, since};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The repository whose pushes become no zip: github.com/owner/name, or the URL that one clones
    #[arg(value_name = "REPOSITORY", value_parser = repositories::read)]
    repository: Option<Repository>,
    /// How far back to look for failures: 15m, 6h, 2d
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = since::read)]
    since: Duration,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let located = arguments.place.locate(&arguments.place.configuration()?).await?;
    let mut progress = Terminal::new();
    let Some(target) = target(&located).await? else {
        progress.step(&located.absent());
        return Ok(Outcome::NoStack);
    };
    let secrets = target.webhook_secrets(&located.account).await?;
    let api = arguments.repository.as_ref().and_then(|repository| api(&target, repository, &mut progress));
    progress.waiting("following the path of a push");
    let repository = arguments.repository.as_ref();
    let facts = facts(&located.account, &target, &secrets, repository, api.as_ref(), arguments.since).await?;
    drop(progress);
    let Some(facts) = facts else { return Ok(Outcome::NoStack) };
    let findings = findings(&facts);
    if arguments.json {
        print::json(&findings)?;
    } else {
        print::data(&shown(&findings));
    }
    let is_fault = |finding: &Finding| matches!(finding.verdict, Verdict::Fault { .. });
    Ok(if findings.iter().any(is_fault) { Outcome::Findings } else { Outcome::Fine })
}

/// The host's API, if a GitHub App isn't the way to it. Without a token, the rest can still be
/// examined.
fn api(target: &Target, repository: &Repository, progress: &mut dyn Progress) -> Option<HostApi> {
    if target.app_of(&repository.host).is_some() {
        return None;
    }
    match repositories::api(target, &repository.host, progress) {
        Ok(api) => Some(api),
        Err(error) => {
            progress.step(&format!("the host is not asked: {error:#}"));
            None
        }
    }
}

/// The first fault in the first line, then all steps.
fn shown(findings: &[Finding]) -> Shown {
    let mut shown = Shown::default();
    let first = findings.iter().find_map(|finding| match &finding.verdict {
        Verdict::Fault { what, remedy } => Some(format!("{}: {what} → {remedy}", finding.step)),
        _ => None,
    });
    match first {
        Some(fault) => shown.add_styled(AnsiColor::Red.on_default(), &fault),
        None => shown.add("No fault was found on the path of a push."),
    }
    shown.end_line();
    let mut table = Table::new([("step", Align::Left), ("", Align::Left), ("seen", Align::Left)]);
    for Finding { step, verdict } in findings {
        match verdict {
            Verdict::Fine { seen } => table.row([(*step).to_owned(), "fine".to_owned(), seen.clone()]),
            Verdict::Unknown { why } => table.row([(*step).to_owned(), "unknown".to_owned(), why.clone()]),
            Verdict::Fault { what, remedy } => {
                let row = [(*step).to_owned(), "fault".to_owned(), format!("{what} → {remedy}")];
                table.styled(AnsiColor::Red.on_default(), row);
            }
        }
    }
    shown.append(&table.render());
    shown
}
