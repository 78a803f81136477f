//! `infra replay`: arguments, the question, and what became of the jobs.

use std::time::Duration;

use deployment::render::print;
use deployment::render::progress::{Progress, Terminal};
use infra::replay::{self, Replay, Source};
use infra::trace::{self, Outcome as End, Push, Stack, Trace, Wanted};

use super::trace::{BACK, read};
use super::{Outcome, Place, confirm, question, since};

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that a person types or doesn't")]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The ID of a delivery, a commit (or the first digits of one), or owner/name@branch, as for
    /// `trace`
    #[arg(value_name = "DELIVERY|COMMIT|REPOSITORY[@REF]")]
    wanted: Wanted,
    /// How far back to look for the push: 15m, 6h, 2d
    #[arg(long, value_name = "TIME", default_value = BACK, value_parser = since::read)]
    since: Duration,
    /// Show what would be queued, and queue nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// How long to wait for the outcome: 15m, 6h, 2d
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = since::read)]
    wait: Duration,
    /// Don't wait for the outcome
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
    /// Go ahead without asking
    #[arg(long, short)]
    yes: bool,
    /// Print what was queued, and what became of it, as JSON
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "Exit codes: 0 if the commit is stored, or the deletion done, or the job was queued with --no-wait or --dry-run; 1 if it is not \
                     stored, or not yet; 2 if there is no such push, or the stack doesn't serve it.";

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let answer = if arguments.dry_run { None } else { Some(question(arguments.yes)?) };
    let located = arguments.place.locate(&arguments.place.configuration()?).await?;
    let mut progress = Terminal::new();
    located.announce(&mut progress);
    progress.waiting(&format!("looking for {}", arguments.wanted));
    let Some((description, resources)) = read(&located).await? else {
        progress.step(&located.absent());
        return Ok(Outcome::NoStack);
    };
    let stack = Stack { account: &located.account, description: &description, resources: &resources };
    let traced = trace::trace(stack, &arguments.wanted, arguments.since, 1).await?;
    if traced.pushes.is_empty() {
        drop(progress);
        print::talk(&traced.text());
        return Ok(Outcome::Findings);
    }
    let planned = traced.pushes.iter().map(|push| replay::plan(&description, push));
    let mut all = planned.collect::<Result<Vec<_>, _>>()?;
    for (one, push) in all.iter().zip(&traced.pushes) {
        progress.step(&told(one, push));
    }
    let Some(answer) = answer else {
        progress.step("dry run: nothing was queued");
        drop(progress);
        return shown(arguments, &traced, &all);
    };
    let count = if all.len() == 1 { "this job".to_owned() } else { format!("these {} jobs", all.len()) };
    if !confirm(answer, &format!("run {count} again?"), "y", &mut progress)? {
        progress.step("nothing was queued");
        return Ok(Outcome::Declined);
    }
    for one in &mut all {
        one.send(stack).await?;
        progress.step(&queued(one));
    }
    if !arguments.no_wait {
        replay::wait(stack, &mut all, arguments.wait, &mut progress).await?;
    }
    drop(progress);
    shown(arguments, &traced, &all)
}

/// A job before it is queued.
fn told(one: &Replay, push: &Push) -> String {
    let job = &one.job;
    let source = match one.source {
        Source::DeadLetterMessage => "its dead-letter message",
        Source::Log => "the log",
        Source::Manifest => "the manifest",
    };
    let end = match push.outcome {
        End::Stored => "is stored",
        End::Superseded => "was superseded",
        End::Gone => "was gone",
        End::GivenUp => "was given up",
        End::UnderWay => "is under way",
        End::Refused | End::Ignored | End::Unqueued => "became no job",
    };
    format!("{} {} of delivery {} {end}: to {}, from {source}", job.repository, job.reference, job.delivery, one.queue)
}

/// A job after it was queued.
fn queued(one: &Replay) -> String {
    let how =
        if one.source == Source::DeadLetterMessage { "its dead-letter message went back to" } else { "queued in" };
    let id = one.deduplication_id.as_deref().unwrap_or_default();
    format!("{} {}: {how} {} as {id}", one.job.repository, one.job.reference, one.queue)
}

/// Prints what became of the jobs, as far as it is known.
fn shown(arguments: &Arguments, traced: &Trace, all: &[Replay]) -> anyhow::Result<Outcome> {
    let results: Vec<_> = all.iter().filter_map(|one| one.result.clone()).collect();
    let is_well = |one: &Replay| match one.result.as_ref().map(|push| push.outcome) {
        Some(End::Stored) => true,
        Some(End::Gone) => one.job.deleted,
        _ => false,
    };
    let is_stored = all.iter().all(is_well);
    if arguments.json {
        print::json(&all)?;
    } else if !results.is_empty() {
        print::data(&Trace { pushes: results, notes: Vec::new(), ..traced.clone() }.text());
    }
    let is_waited = !arguments.dry_run && !arguments.no_wait;
    if is_waited && all.iter().any(|one| one.result.is_none()) {
        print::talk_line("no worker has begun yet: trace the delivery later");
    }
    Ok(if is_stored || !is_waited { Outcome::Fine } else { Outcome::Findings })
}
