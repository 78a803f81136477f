//! A run: what the bucket has, what the hosts have, and a job for each difference.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use contract::{
    AllowedHost, AllowedHosts, CommitId, Job, KeyLayout, RefName, Refs, Repositories, Repository, Worker,
    repository_keys::stored_name,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sha2::{Digest as _, Sha256};

use crate::{
    difference::{self, Compared, Difference, Kind, Stored, Zips},
    hosts::Failure,
    journal::JournalReport,
    memory::{Due, Memory, Past, SeenKeys, SeenZip},
    world::{Listed, World},
};

/// How many repositories of a host are asked for at once.
const AT_A_HOST: usize = 8;
/// How many objects are looked at at once.
const LOOKS: usize = 16;
/// After so many repositories in a row that a host refuses, it isn't asked for more: it may take us
/// for an attacker.
const REFUSALS: u32 = 10;
/// The most references of a repository that were never stored and are queued in one run. A
/// repository that is new to the stack may have thousands.
pub const MOST_NEW: usize = 100;
/// The same of those that are gone: a stack may have zips of years.
pub const MOST_GONE: usize = 100;
/// In so many runs in a row a host may fail before the function does.
const FAILED_RUNS: u32 = 2;

/// What a run is told.
#[derive(Debug, Clone)]
pub struct Plan {
    /// When it was due, in seconds since 1970.
    pub now: u64,
    /// The minutes between two runs.
    pub every_minutes: u64,
    /// The `AllowedGitHosts` parameter.
    pub allowed_hosts: AllowedHosts,
    /// The `Repositories` parameter.
    pub repositories: Repositories,
    /// The `Refs` parameter.
    pub refs: Refs,
    /// The `KeyLayout` parameter.
    pub key_layout: KeyLayout,
}

/// What became of a run, by host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The hosts.
    pub hosts: BTreeMap<String, HostReport>,
    /// The journal of the GitHub App, if there is one.
    pub journal: Option<JournalReport>,
}

/// What became of a host's repositories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostReport {
    /// How many were asked for.
    pub asked: u32,
    /// How many requests that took.
    pub requests: u32,
    /// How many jobs were queued.
    pub queued: u32,
    /// How many repositories the host refused.
    pub refused: u32,
    /// How many weren't asked for, because the host failed or time ran out.
    pub skipped: u32,
    /// Why the host failed.
    pub failure: Option<String>,
}

/// A repository to ask for.
struct Candidate<'a> {
    repository: Repository,
    host: &'a AllowedHost,
    past: Past,
}

/// What became of it.
struct Answer {
    repository: Repository,
    requests: u32,
    result: Result<Done, Failure>,
}

/// What was compared.
#[derive(Default)]
struct Done {
    queued: Vec<(RefName, Due)>,
    /// All references that differ, queued or not.
    differing: BTreeSet<String>,
    /// The zips whose references' deletions were told, by key.
    told: BTreeMap<String, String>,
}

/// Compares everything once.
///
/// # Errors
/// Something of AWS failed, or a host failed in several runs in a row. What could be compared was,
/// nevertheless.
pub async fn run<W: World>(world: &W, plan: &Plan) -> Result<Report> {
    let mut memory = world.recall().await.context("recall what the last run has told")?;
    if memory.done >= plan.now {
        tracing::info!(run = plan.now, "this run has been done before");
        return Ok(Report::default());
    }
    let journal = journal(world, plan, &mut memory).await;
    memory.zips = zips(world, std::mem::take(&mut memory.zips)).await.context("look at the zips")?;
    memory.keys = keys(world, std::mem::take(&mut memory.keys)).await.context("look at the keys of repositories")?;
    let known = known(&memory, &plan.allowed_hosts);
    memory.repositories.retain(|name, _| known.contains_key(name));
    memory.hosts.retain(|name, _| plan.allowed_hosts.find(name).is_some());
    let (mut report, trouble) = ask_all(world, plan, known, &mut memory).await;
    report.journal = journal;
    let failed: Vec<_> = memory.hosts.iter().filter(|(_, pause)| pause.failed >= FAILED_RUNS).collect();
    let failed: Vec<_> = failed.into_iter().map(|(name, pause)| format!("{name} in {} runs", pause.failed)).collect();
    (memory.done, memory.failed) = (plan.now, !failed.is_empty() || trouble.is_some());
    world.remember(&memory).await.context("tell the next run")?;
    if let Some(trouble) = trouble {
        bail!("{trouble}");
    }
    if !failed.is_empty() {
        bail!("hosts that failed, in a row: {}", failed.join(", "));
    }
    Ok(report)
}

/// Has repeated what the App's webhook couldn't deliver. A failure keeps nobody from comparing
/// references, which finds what is stored already.
async fn journal<W: World>(world: &W, plan: &Plan, memory: &mut Memory) -> Option<JournalReport> {
    let report = memory.journal.go_on(world.app()?, plan.now, plan.every_minutes).await;
    let JournalReport { requests, again, failure } = &report;
    let (run, waiting) = (plan.now, memory.journal.failed.len());
    if let Some(cause) = failure {
        tracing::warn!(run, cause, requests, again, "could not read the delivery journal to its end");
    } else if waiting > 0 {
        tracing::info!(run, requests, again, waiting, "read the delivery journal");
    }
    Some(report)
}

/// The zips in the output bucket. Those that were seen before aren't looked at again.
async fn zips<W: World>(world: &W, mut before: BTreeMap<String, SeenZip>) -> Result<BTreeMap<String, SeenZip>> {
    let listed = world.zips().await?;
    let mut zips = BTreeMap::new();
    let mut others = Vec::new();
    for one in listed {
        match before.remove(&one.key).filter(|known| known.seen == one.seen) {
            Some(known) => drop(zips.insert(one.key, known)),
            None => others.push(one),
        }
    }
    let looks = others.into_iter().map(async |Listed { key, seen, written }| {
        let zip = world.zip(&key).await?;
        anyhow::Ok((key, SeenZip { seen, written, zip }))
    });
    let looked: Vec<_> = stream::iter(looks).buffer_unordered(LOOKS).try_collect().await?;
    zips.extend(looked);
    Ok(zips)
}

/// Whose keys the key bucket has.
async fn keys<W: World>(world: &W, mut before: BTreeMap<String, SeenKeys>) -> Result<BTreeMap<String, SeenKeys>> {
    let listed = world.keys().await?;
    let (mut keys, mut others) = (BTreeMap::new(), Vec::new());
    for one in listed {
        match before.remove(&one.key).filter(|known| known.seen == one.seen) {
            Some(known) => drop(keys.insert(one.key, known)),
            None => others.push(one),
        }
    }
    let looks = others.into_iter().map(async |one| anyhow::Ok((world.key(&one).await?, one.key)));
    let looked: Vec<_> = stream::iter(looks).buffer_unordered(LOOKS).try_collect().await?;
    keys.extend(looked.into_iter().filter_map(|(keys, key)| Some((key, keys?))));
    Ok(keys)
}

/// The repositories that were ever pushed, and those that are connected, by name. One that
/// `disconnect` has left without a key isn't among them. Where a host ignores case, the spelling of
/// the newest zip counts.
fn known(memory: &Memory, hosts: &AllowedHosts) -> BTreeMap<String, Repository> {
    let prefix = contract::repository_keys::prefix();
    let keys = memory.keys.iter().map(|(key, keys)| (key.strip_prefix(&prefix).unwrap_or(key), keys));
    let (connected, left): (Vec<_>, Vec<_>) = keys.partition(|(_, keys)| keys.connected);
    let left: BTreeSet<_> = left.into_iter().map(|(name, _)| name).collect();
    let mut newest: BTreeMap<String, (i64, &Repository)> = BTreeMap::new();
    for (written, zip) in memory.zips.values().filter_map(|seen| Some((seen.written, seen.zip.as_ref()?))) {
        let Some(host) = hosts.find(zip.repository.host.as_str()) else { continue };
        let name = if host.ignores_case() { stored_name(&zip.repository) } else { zip.repository.to_string() };
        let before = newest.entry(name).or_insert((written, &zip.repository));
        if written > before.0 {
            *before = (written, &zip.repository);
        }
    }
    let pushed = newest.into_values().map(|(_, repository)| repository);
    let mut known: BTreeMap<_, _> = pushed
        .filter(|repository| !left.contains(stored_name(repository).as_str()))
        .map(|repository| (repository.to_string(), repository.clone()))
        .collect();
    let stored: BTreeSet<_> = known.values().map(stored_name).collect();
    let others = connected.into_iter().filter(|(name, _)| !stored.contains(*name));
    known
        .extend(others.filter_map(|(_, keys)| Some((keys.repository.as_ref()?.to_string(), keys.repository.clone()?))));
    known
}

/// Asks all hosts at once. Returns what became of it, and what of AWS failed.
async fn ask_all<W: World>(
    world: &W,
    plan: &Plan,
    known: BTreeMap<String, Repository>,
    memory: &mut Memory,
) -> (Report, Option<String>) {
    let zips: Zips<'_> = memory
        .zips
        .iter()
        .filter_map(|(key, SeenZip { seen, zip, .. })| Some((key.as_str(), Stored { zip: zip.as_ref()?, seen })))
        .collect();
    let mut by_host: BTreeMap<String, Vec<Candidate<'_>>> = BTreeMap::new();
    for (name, repository) in known {
        let Some(host) = plan.allowed_hosts.find(repository.host.as_str()) else { continue };
        let past = memory.repositories.get(&name).cloned().unwrap_or_default();
        if plan.repositories.permit(&repository, host).is_ok() && past.is_due(plan.now, plan.every_minutes) {
            by_host.entry(host.host.to_string()).or_default().push(Candidate { repository, host, past });
        }
    }
    let asking = by_host.into_iter().map(async |(name, candidates)| {
        let until = memory.hosts.get(&name).map_or(0, |pause| pause.until);
        (name, Host::ask(world, plan, &zips, candidates, until).await)
    });
    let answered: Vec<_> = stream::iter(asking).buffer_unordered(usize::MAX).collect().await;
    let (mut report, mut trouble) = (Report::default(), None);
    for (name, Host { report: of_host, answers, pause, own }) in answered {
        tracing::info!(
            host = name,
            run = plan.now,
            asked = of_host.asked,
            requests = of_host.requests,
            queued = of_host.queued,
            refused = of_host.refused,
            skipped = of_host.skipped,
            failure = of_host.failure,
            "compared with what is stored"
        );
        trouble = trouble.or(own);
        for answer in answers {
            note(answer, plan.now, memory);
        }
        match pause {
            Some(after) => {
                let pause = memory.hosts.entry(name.clone()).or_default();
                pause.failed = pause.failed.saturating_add(1);
                pause.until = if after.is_zero() { 0 } else { plan.now.saturating_add(after.as_secs()) };
            }
            None if of_host.asked > 0 => drop(memory.hosts.remove(&name)),
            None => {}
        }
        report.hosts.insert(name, of_host);
    }
    (report, trouble)
}

/// Notes what became of a repository.
fn note(Answer { repository, result, .. }: Answer, now: u64, memory: &mut Memory) {
    let past = memory.repositories.entry(repository.to_string()).or_default();
    match result {
        Ok(Done { queued, differing, told }) => {
            (past.asked, past.refused) = (now, 0);
            past.queued.retain(|reference, _| differing.contains(reference));
            for (reference, due) in queued {
                past.note_queued(&reference, due, now);
            }
            past.told.extend(told);
            let zips = &memory.zips;
            past.told.retain(|key, seen| zips.get(key).is_some_and(|zip| zip.seen == *seen));
        }
        Err(Failure::Repository(_)) => (past.asked, past.refused) = (now, past.refused.saturating_add(1)),
        Err(_) => {}
    }
}

/// A host while it is asked.
#[derive(Default)]
struct Host {
    report: HostReport,
    answers: Vec<Answer>,
    /// For how long it isn't to be asked again, if it failed.
    pause: Option<Duration>,
    /// What of AWS failed.
    own: Option<String>,
}

impl Host {
    /// Asks a host for repositories: for one alone at first, so that one that is down gets no more
    /// requests, and those first that were asked for least lately.
    async fn ask<W: World>(
        world: &W,
        plan: &Plan,
        zips: &Zips<'_>,
        mut candidates: Vec<Candidate<'_>>,
        until: u64,
    ) -> Self {
        let mut host = Self::default();
        let all = u32::try_from(candidates.len()).unwrap_or(u32::MAX);
        if plan.now < until {
            host.report.skipped = all;
            host.report.failure = Some("it has asked for a pause".to_owned());
            return host;
        }
        candidates.sort_by_cached_key(|one| (one.past.asked, turn(plan.now, &one.repository)));
        let mut refused = 0;
        let mut candidates = candidates.into_iter();
        let first = candidates.next().into_iter();
        for at_once in [first.collect::<Vec<_>>(), candidates.collect()] {
            let asking = at_once.into_iter().map(|candidate| ask(world, plan, zips, candidate));
            let mut answers = stream::iter(asking).buffer_unordered(AT_A_HOST);
            while host.goes_on(refused) && !world.is_over() {
                let Some(answer) = answers.next().await else { break };
                refused = if matches!(answer.result, Err(Failure::Repository(_))) { refused + 1 } else { 0 };
                host.take(answer);
            }
        }
        if refused >= REFUSALS && host.pause.is_none() {
            host.pause = Some(Duration::ZERO);
            host.report.failure = Some(format!("it has refused {refused} repositories in a row"));
        }
        host.report.skipped = all.saturating_sub(host.report.asked);
        host
    }

    fn goes_on(&self, refused: u32) -> bool {
        self.pause.is_none() && refused < REFUSALS
    }

    fn take(&mut self, answer: Answer) {
        let report = &mut self.report;
        report.requests += answer.requests;
        match &answer.result {
            Ok(done) => {
                report.asked += 1;
                report.queued += u32::try_from(done.queued.len()).unwrap_or(u32::MAX);
            }
            Err(Failure::Repository(cause)) => {
                report.asked += 1;
                report.refused += 1;
                tracing::warn!(repository = %answer.repository, cause, "could not be compared: the host refused it");
            }
            Err(Failure::Host(cause, after)) => {
                report.asked += 1;
                tracing::warn!(repository = %answer.repository, cause, "the host failed: its others are left out");
                self.pause = self.pause.max(Some(*after));
                report.failure.get_or_insert_with(|| cause.clone());
            }
            Err(Failure::Own(cause)) => drop(self.own.get_or_insert_with(|| cause.clone())),
            Err(Failure::Time) => {}
        }
        self.answers.push(answer);
    }
}

/// What orders repositories that are equal otherwise: another order in each run, so that one that a
/// run doesn't survive doesn't keep it from the others.
fn turn(run: u64, repository: &Repository) -> [u8; 32] {
    Sha256::digest(format!("{run} {repository}")).into()
}

/// Asks a host for one repository, and queues what differs.
async fn ask<W: World>(world: &W, plan: &Plan, zips: &Zips<'_>, candidate: Candidate<'_>) -> Answer {
    let Candidate { repository, host, past } = candidate;
    let own = own(zips, &repository);
    let worker = difference::worker(&own, &repository);
    let (requests, result) = match world.references(host, &repository, worker).await {
        Ok(references) => {
            let compared = difference::compare(&repository, &references, &own, &past.told, &plan.refs, plan.key_layout);
            let done = queue(world, plan, host, &repository, &past, worker, compared).await;
            (references.requests, done.map_err(|error| Failure::Own(format!("{error:#}"))))
        }
        Err((failure, requests)) => (requests, Err(failure)),
    };
    Answer { repository, requests, result }
}

/// The zips of a repository.
fn own<'a>(zips: &Zips<'a>, repository: &Repository) -> Zips<'a> {
    let mut own = Zips::new();
    for layout in KeyLayout::ALL {
        let prefix = format!("{}/", layout.prefix(repository));
        let below = zips.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
        own.extend(below.take_while(|(key, _)| key.starts_with(&prefix)).map(|(key, zip)| (*key, *zip)));
    }
    own
}

/// Queues what differs, unless it was queued lately.
async fn queue<W: World>(
    world: &W,
    plan: &Plan,
    host: &AllowedHost,
    repository: &Repository,
    past: &Past,
    worker: Worker,
    Compared { differences, taken }: Compared,
) -> Result<Done> {
    for key in taken {
        tracing::warn!(%repository, key, "could not be compared: the key has another repository's zip");
    }
    let mut done = Done::default();
    let due = due(world, plan, repository, past, differences, &mut done).await?;
    if due.is_empty() {
        return Ok(done);
    }
    let scope = world.scope(host, repository).await?;
    let jobs = due.iter().filter_map(|one| Some((one, one.job(repository, plan.now, scope.clone())?)));
    let jobs: Vec<_> = jobs.collect();
    for some in jobs.chunks(job_queue::AT_ONCE) {
        let jobs: Vec<Job> = some.iter().map(|(_, job)| job.clone()).collect();
        world.send(worker, &jobs).await?;
        for (difference, job) in some {
            log_queued(difference, job, worker);
        }
    }
    done.queued = due.into_iter().map(|one| (one.reference.clone(), one.due())).collect();
    Ok(done)
}

/// What of these is to be queued now: what wasn't queued lately, of some kinds only so many at
/// once, and no deletion that was told.
async fn due<W: World>(
    world: &W,
    plan: &Plan,
    repository: &Repository,
    past: &Past,
    differences: Vec<Difference>,
    done: &mut Done,
) -> Result<Vec<Difference>> {
    let (mut new, mut gone, mut due) = (MOST_NEW, MOST_GONE, Vec::new());
    for one in differences {
        let may = past.may_queue(&one.reference, &one.due(), plan.now, plan.every_minutes);
        let room = match &one.kind {
            Kind::Gone(_) => Some(&mut gone),
            Kind::Other if one.stored.is_none() => Some(&mut new),
            Kind::Other | Kind::Back => None,
        };
        let fits = room.is_none_or(|room| {
            let fits = *room > 0;
            *room = room.saturating_sub(usize::from(may));
            fits
        });
        let told = match &one.kind {
            Kind::Gone(zips) if may && fits => is_told(world, repository, zips).await?,
            _ => Some(false),
        };
        if let (Some(true), Kind::Gone(zips)) = (told, &one.kind) {
            done.told.extend(zips.iter().cloned());
            continue;
        }
        done.differing.insert(one.reference.to_string());
        if may && fits && told.is_some() {
            due.push(one);
        }
    }
    Ok(due)
}

/// Whether one of these zips says that the deletion of their reference was told. `None` if that
/// isn't known, since one is gone.
async fn is_told<W: World>(world: &W, repository: &Repository, zips: &[(String, String)]) -> Result<Option<bool>> {
    let mut told = Some(false);
    for (key, _) in zips {
        match world.is_deletion_told(key, repository).await? {
            Some(true) => return Ok(Some(true)),
            Some(false) => {}
            None => told = None,
        }
    }
    Ok(told)
}

fn log_queued(difference: &Difference, job: &Job, worker: Worker) {
    tracing::info!(
        job = job.id(),
        delivery = %job.delivery,
        repository = %job.repository,
        reference = %job.reference,
        commit = job.commit.as_ref().map(CommitId::as_str),
        worker = worker.path_part(),
        trigger = "reconciled",
        deleted = job.deleted.then_some(true),
        stored = difference.stored.as_ref().map(CommitId::as_str),
        "{}",
        difference.told()
    );
}
