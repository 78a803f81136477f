//! The reconciler against hosts, webhooks and an account that fail at random: in the end, every
//! wanted reference's newest commit is stored, every deletion was told once, and nothing is stored
//! or told twice. A seed repeats a run.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "what fails here fails a test")]

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::pending,
};

use anyhow::{Result, anyhow, bail};
use contract::{AllowedHost, Job, KeyLayout, Repository, Worker, repository_keys};
use fetch::{References, Tip};
use github_app::{GitHubApp, KmsKey};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use reconciler::{
    hosts::Failure,
    memory::{Memory, SeenKeys, Zip},
    run::{Plan, Report, run},
    world::{Listed, World},
};

const MINUTES: u64 = 30;
const DAY: u64 = 86_400;

/// What may go wrong, in percent.
#[derive(Clone, Copy, Default)]
struct Odds {
    lost: u32,
    doubled: u32,
    late: u32,
    /// A run is killed somewhere.
    killed: u32,
    /// A run is delivered twice.
    twice: u32,
    /// A host goes down for hours, each hour.
    down: u32,
    /// The account refuses a call.
    refused: u32,
    /// A deleted reference is there again at the same commit.
    restored: u32,
}

struct State {
    rng: StdRng,
    odds: Odds,
    now: u64,
    /// What each repository's references name.
    hosts: BTreeMap<String, BTreeMap<String, String>>,
    /// Until when each host is down.
    down: BTreeMap<String, u64>,
    bucket: BTreeMap<String, (Zip, u64)>,
    /// The zips whose references' deletions were told: their keys and writes, how often, and when.
    told: BTreeMap<(String, u64), (u32, u64)>,
    memory: Option<Memory>,
    /// Webhooks on their way.
    webhooks: Vec<(u64, Job)>,
    queue: VecDeque<Job>,
    /// When each job ID was queued, for SQS's five minutes.
    ids: BTreeMap<String, u64>,
    stored: BTreeMap<(String, String), u32>,
    queued_by_runs: u32,
    deletions_queued: u32,
    /// How often a zip's mark was looked for.
    looks: u32,
    requests: BTreeMap<String, u32>,
    writes: u64,
    commits: u64,
    deliveries: u64,
    /// The calls until the run is killed.
    kill_in: Option<u32>,
    killed: bool,
}

struct Sim(RefCell<State>);

impl Sim {
    fn new(seed: u64, odds: Odds, repositories: usize) -> Self {
        let names = (0..repositories).map(|n| format!("{}.example/o/r{n}", ["one", "two"][n % 2]));
        Self(RefCell::new(State {
            rng: StdRng::seed_from_u64(seed),
            odds,
            now: 1_000_000 * 60,
            hosts: names.map(|name| (name, BTreeMap::new())).collect(),
            down: BTreeMap::new(),
            bucket: BTreeMap::new(),
            told: BTreeMap::new(),
            memory: None,
            webhooks: Vec::new(),
            queue: VecDeque::new(),
            ids: BTreeMap::new(),
            stored: BTreeMap::new(),
            queued_by_runs: 0,
            deletions_queued: 0,
            looks: 0,
            requests: BTreeMap::new(),
            writes: 0,
            commits: 0,
            deliveries: 0,
            kill_in: None,
            killed: false,
        }))
    }

    /// One call of a run: it may be refused, and the run may be killed before or after it.
    async fn call<T>(&self, effect: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        tokio::task::yield_now().await;
        let was_killed = self.0.borrow().killed;
        if was_killed {
            return pending().await;
        }
        let (result, is_killed) = self.0.borrow_mut().called(effect);
        if is_killed { pending().await } else { result }
    }
}

fn chance(state: &mut State, percent: u32) -> bool {
    state.rng.random_range(0..100) < percent
}

impl State {
    /// A call of a run, and whether the run is killed by now, before or after it.
    fn called<T>(&mut self, effect: impl FnOnce(&mut Self) -> Result<T>) -> (Result<T>, bool) {
        self.killed = self.kill_in == Some(0);
        self.kill_in = self.kill_in.map(|left| left.saturating_sub(1));
        let comes_before = self.killed && self.rng.random_range(0..2) == 0;
        let is_refused = self.odds.refused > 0 && self.rng.random_range(0..1000) < self.odds.refused;
        let result = if comes_before || is_refused { Err(anyhow!("refused")) } else { effect(self) };
        (result, self.killed)
    }

    /// A new commit of a reference, with its webhook, whatever becomes of that.
    fn push(&mut self, repository: &str, reference: &str) {
        self.commits += 1;
        let commit = format!("{:040x}", self.commits);
        self.set(repository, reference, &commit);
    }

    /// Sets a reference to a commit, and tells.
    fn set(&mut self, repository: &str, reference: &str, commit: &str) {
        self.hosts.get_mut(repository).unwrap().insert(reference.to_owned(), commit.to_owned());
        self.tell(repository, reference, Some(commit));
    }

    /// Deletes a reference, and tells.
    fn delete(&mut self, repository: &str, reference: &str) {
        if self.hosts.get_mut(repository).unwrap().remove(reference).is_some() {
            self.tell(repository, reference, None);
        }
    }

    /// A webhook, whatever becomes of it.
    fn tell(&mut self, repository: &str, reference: &str, commit: Option<&str>) {
        self.deliveries += 1;
        let job = Job {
            delivery: format!("d-{}", self.deliveries).parse().unwrap(),
            repository: repository.parse().unwrap(),
            reference: reference.parse().unwrap(),
            commit: commit.map(|commit| commit.parse().unwrap()),
            trigger: contract::Trigger::Push,
            summary: None,
            scope: None,
            spelling: contract::PathSpelling::default(),
            deleted: commit.is_none(),
        };
        let odds = self.odds;
        if chance(self, odds.lost) {
            return;
        }
        let copies = if chance(self, odds.doubled) { 2 } else { 1 };
        for _ in 0..copies {
            let delay = if chance(self, odds.late) { self.rng.random_range(0..7200) } else { 1 };
            self.webhooks.push((self.now + delay, job.clone()));
        }
    }

    fn enqueue(&mut self, job: &Job) {
        let last = self.ids.insert(job.id(), self.now);
        if last.is_none_or(|at| self.now >= at + 300) {
            self.queue.push_back(job.clone());
        }
    }

    fn is_down(&self, repository: &Repository) -> bool {
        self.down.get(repository.host.as_str()).is_some_and(|until| self.now < *until)
    }

    /// The workers: a job whose host is down is given up.
    fn work(&mut self) {
        while let Some(job) = self.queue.pop_front() {
            if self.is_down(&job.repository) {
                continue;
            }
            let Some(commit) = self.hosts[&job.repository.to_string()].get(job.reference.as_str()).cloned() else {
                self.treat_deleted(&job);
                continue;
            };
            let key = job.artifact_key(KeyLayout::HostPath, Some("main"));
            let there = self.bucket.get(&key).is_some_and(|(zip, _)| zip.commit.as_str() == commit);
            let is_told = self.is_told(&key);
            if there && is_told != Some(true) {
                continue;
            }
            self.writes += 1;
            if !there {
                *self.stored.entry((key.clone(), commit.clone())).or_default() += 1;
            }
            let (repository, reference) = (job.repository, job.reference);
            let zip = Zip { repository, reference, commit: commit.parse().unwrap(), worker: Some(Worker::GitPull) };
            self.bucket.insert(key, (zip, self.writes));
        }
    }

    /// What a worker does with a job whose reference the host doesn't have.
    fn treat_deleted(&mut self, job: &Job) {
        let key = job.artifact_key(KeyLayout::HostPath, Some("main"));
        let is_known = !self.hosts[&job.repository.to_string()].is_empty();
        if job.deleted && is_known && self.is_told(&key) == Some(false) {
            let (write, now) = (self.bucket[&key].1, self.now);
            self.told.entry((key, write)).or_insert((0, now)).0 += 1;
        }
    }

    /// S3's rule: it hides what was marked a day ago.
    fn hide(&mut self) {
        let (told, now) = (&self.told, self.now);
        let is_due = |key: &str, write: u64| told.get(&(key.to_owned(), write)).is_some_and(|told| told.1 + DAY <= now);
        let due: Vec<_> = self.bucket.iter().filter(|(key, (_, write))| is_due(key, *write)).collect();
        let due: Vec<_> = due.into_iter().map(|(key, (zip, _))| (key.clone(), zip.commit.to_string())).collect();
        for (key, commit) in due {
            self.bucket.remove(&key);
            self.stored.remove(&(key, commit));
        }
    }

    /// Whether the zip at a key is marked. `None` if there is none.
    fn is_told(&self, key: &str) -> Option<bool> {
        let (_, write) = self.bucket.get(key)?;
        Some(self.told.contains_key(&(key.to_owned(), *write)))
    }

    /// The time goes on for so many minutes.
    fn pass(&mut self, minutes: u64) {
        for _ in 0..minutes {
            self.now += 60;
            let (now, due) = (self.now, std::mem::take(&mut self.webhooks));
            let (due, later): (Vec<_>, Vec<_>) = due.into_iter().partition(|(at, _)| *at <= now);
            self.webhooks = later;
            for (_, job) in due {
                self.enqueue(&job);
            }
            self.hide();
            self.work();
        }
    }

    /// The wanted references whose newest commit isn't stored, and the deleted ones of which nobody
    /// was told. A repository without any reference says nothing of those that it had.
    fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (key, (zip, _)) in &self.bucket {
            let host = &self.hosts[&zip.repository.to_string()];
            let is_wanted = !zip.reference.as_str().contains("/wip/");
            let is_there = host.contains_key(zip.reference.as_str());
            if is_wanted && !host.is_empty() && self.is_told(key) != Some(!is_there) {
                missing.push(format!("{key} (deleted: {})", !is_there));
            }
        }
        for (name, references) in &self.hosts {
            for (reference, commit) in references.iter().filter(|(name, _)| !name.contains("/wip/")) {
                let key = contract::job::artifact_key(
                    &name.parse().unwrap(),
                    &reference.parse().unwrap(),
                    contract::Trigger::Push,
                    KeyLayout::HostPath,
                    Some("main"),
                );
                if self.bucket.get(&key).is_none_or(|(zip, _)| zip.commit.as_str() != commit) {
                    missing.push(format!("{name} {reference}"));
                }
            }
        }
        missing
    }
}

impl World for Sim {
    type App = GitHubApp<KmsKey>;

    fn app(&self) -> Option<&Self::App> {
        None
    }

    async fn zips(&self) -> Result<Vec<Listed>> {
        self.call(|state| {
            let listed = |(key, (_, write)): (&String, &(Zip, u64))| Listed {
                key: key.clone(),
                seen: write.to_string(),
                written: i64::try_from(*write).unwrap(),
            };
            Ok(state.bucket.iter().map(listed).collect())
        })
        .await
    }

    async fn zip(&self, key: &str) -> Result<Option<Zip>> {
        self.call(|state| Ok(state.bucket.get(key).map(|(zip, _)| zip.clone()))).await
    }

    async fn is_deletion_told(&self, key: &str, _: &Repository) -> Result<Option<bool>> {
        self.call(|state| {
            state.looks += 1;
            Ok(state.is_told(key))
        })
        .await
    }

    /// Every repository is connected.
    async fn keys(&self) -> Result<Vec<Listed>> {
        self.call(|state| {
            let key = |name: &String| repository_keys::object_key(&name.parse().unwrap());
            let listed = |name| Listed { key: key(name), seen: "1".to_owned(), written: 0 };
            Ok(state.hosts.keys().map(listed).collect())
        })
        .await
    }

    async fn key(&self, listed: &Listed) -> Result<Option<SeenKeys>> {
        self.call(|_| {
            let repository = listed.key.strip_prefix(&repository_keys::prefix()).unwrap().parse().unwrap();
            Ok(Some(SeenKeys { seen: listed.seen.clone(), repository: Some(repository), connected: true }))
        })
        .await
    }

    async fn references(
        &self,
        _: &AllowedHost,
        repository: &Repository,
        _: Worker,
    ) -> Result<References, (Failure, u32)> {
        let answer = self.call(|state| {
            *state.requests.entry(repository.to_string()).or_default() += 1;
            if state.is_down(repository) {
                bail!("down");
            }
            let tip = |(name, commit): (&String, &String)| Tip {
                name: name.parse().unwrap(),
                commit: commit.parse().unwrap(),
                object: commit.parse().unwrap(),
            };
            let tips: Vec<_> = state.hosts[&repository.to_string()].iter().map(tip).collect();
            let is_empty = tips.is_empty();
            Ok(References { default_branch: Some("main".to_owned()), tips, is_empty, requests: 1 })
        });
        answer.await.map_err(|error| (Failure::Host(error.to_string(), std::time::Duration::ZERO), 1))
    }

    async fn scope(&self, _: &AllowedHost, _: &Repository) -> Result<Option<Vec<String>>> {
        Ok(None)
    }

    async fn send(&self, _: Worker, jobs: &[Job]) -> Result<()> {
        self.call(|state| {
            assert!((1..=10).contains(&jobs.len()));
            state.queued_by_runs += u32::try_from(jobs.len()).unwrap();
            for job in jobs {
                assert!(!job.reference.as_str().contains("/wip/"), "unwanted: {job:?}");
                let key = job.artifact_key(KeyLayout::HostPath, Some("main"));
                assert!(!job.deleted || state.is_told(&key) == Some(false), "told before: {job:?}");
                state.deletions_queued += u32::from(job.deleted);
                state.enqueue(job);
            }
            Ok(())
        })
        .await
    }

    async fn recall(&self) -> Result<Memory> {
        self.call(|state| Ok(state.memory.clone().unwrap_or_default())).await
    }

    async fn remember(&self, memory: &Memory) -> Result<()> {
        self.call(|state| {
            state.memory = Some(memory.clone());
            Ok(())
        })
        .await
    }

    fn is_over(&self) -> bool {
        false
    }
}

/// One run, which may be killed somewhere. `None` if it was.
async fn reconcile(sim: &Sim) -> Option<Result<Report>> {
    let plan = Plan {
        now: sim.0.borrow().now,
        every_minutes: MINUTES,
        allowed_hosts: "one.example,two.example".parse().unwrap(),
        repositories: "*.example/**".parse().unwrap(),
        refs: "**,!wip/**".parse().unwrap(),
        key_layout: KeyLayout::HostPath,
    };
    {
        let mut state = sim.0.borrow_mut();
        let percent = state.odds.killed;
        let dies = chance(&mut state, percent);
        state.kill_in = dies.then(|| state.rng.random_range(0..40));
        state.killed = false;
    }
    let ran = tokio::select! {
        biased;
        ran = run(sim, &plan) => Some(ran),
        () = async { while !sim.0.borrow().killed { tokio::task::yield_now().await } } => None,
    };
    let mut state = sim.0.borrow_mut();
    (state.kill_in, state.killed) = (None, false);
    ran
}

/// Days of pushes with these odds, and then a time without trouble. Returns after how many runs of
/// that everything was stored and told, and how many deletions the runs have queued.
async fn live(seed: u64, odds: Odds) -> (u32, u32) {
    let sim = Sim::new(seed, odds, 6);
    for _ in 0..96 {
        {
            let mut state = sim.0.borrow_mut();
            let names: Vec<_> = state.hosts.keys().cloned().collect();
            for _ in 0..state.rng.random_range(0..4) {
                let at = state.rng.random_range(0..names.len());
                let references = ["refs/heads/main", "refs/heads/x", "refs/tags/v1", "refs/heads/wip/y"];
                let reference = references[state.rng.random_range(0..references.len())];
                let before = state.hosts[&names[at]].get(reference).cloned();
                let deletes = chance(&mut state, 30);
                match before.filter(|_| deletes) {
                    Some(commit) => {
                        state.delete(&names[at], reference);
                        let minutes = state.rng.random_range(0..90);
                        state.pass(minutes);
                        if chance(&mut state, odds.restored) {
                            state.set(&names[at], reference, &commit);
                        }
                    }
                    None => state.push(&names[at], reference),
                }
                let minutes = state.rng.random_range(0..10);
                state.pass(minutes);
            }
            if chance(&mut state, odds.down) {
                let (host, hours) =
                    (["one.example", "two.example"][state.rng.random_range(0..2)], state.rng.random_range(1..8));
                let until = state.now + hours * 3600;
                state.down.insert(host.to_owned(), until);
            }
            state.pass(MINUTES / 2);
        }
        drop(reconcile(&sim).await);
        let twice = chance(&mut sim.0.borrow_mut(), odds.twice);
        if twice {
            drop(reconcile(&sim).await);
        }
        sim.0.borrow_mut().pass(MINUTES / 2);
    }
    {
        let mut state = sim.0.borrow_mut();
        (state.odds, state.down) = (Odds::default(), BTreeMap::new());
        state.pass(120);
    }
    for runs in 0..400 {
        let missing = sim.0.borrow().missing();
        if missing.is_empty() {
            let state = sim.0.borrow();
            let twice: Vec<_> = state.stored.iter().filter(|(_, times)| **times > 1).collect();
            assert!(twice.is_empty(), "seed {seed}: stored twice: {twice:?}");
            let twice: Vec<_> = state.told.iter().filter(|(_, (times, _))| *times > 1).collect();
            assert!(twice.is_empty(), "seed {seed}: told twice: {twice:?}");
            return (runs, state.deletions_queued);
        }
        reconcile(&sim).await.unwrap().unwrap();
        sim.0.borrow_mut().pass(MINUTES);
    }
    panic!("seed {seed}: never stored: {:?}", sim.0.borrow().missing());
}

#[tokio::test]
async fn every_wanted_commit_is_stored_once() {
    let odds = Odds { lost: 40, doubled: 20, late: 30, killed: 30, twice: 20, down: 5, refused: 10, restored: 30 };
    let (mut seeds, mut deletions) = (0, 0);
    for seed in 0..200 {
        deletions += live(seed, odds).await.1;
        seeds += 1;
    }
    assert!(deletions > 200, "only {deletions} deletions were found");
    tally::tried(seeds);
}

#[tokio::test]
async fn lost_webhooks_alone_cost_one_period() {
    for seed in 0..50 {
        let (runs, _) = live(seed, Odds { lost: 50, doubled: 20, late: 20, twice: 20, ..Odds::default() }).await;
        assert!(runs <= 1, "seed {seed}: {runs} runs");
    }
}

/// A run that is killed has done nothing that the next one doesn't find.
#[tokio::test]
async fn runs_killed_anywhere_lose_nothing() {
    for seed in 0..100 {
        let (runs, _) = live(seed, Odds { lost: 100, killed: 90, ..Odds::default() }).await;
        assert!(runs <= 1, "seed {seed}: {runs} runs");
    }
}

#[tokio::test]
async fn deletion_that_was_told_costs_nothing() {
    let sim = Sim::new(7, Odds::default(), 2);
    let names: Vec<_> = sim.0.borrow().hosts.keys().cloned().collect();
    for (name, reference) in names.iter().flat_map(|name| ["refs/heads/main", "refs/heads/x"].map(|one| (name, one))) {
        sim.0.borrow_mut().push(name, reference);
    }
    sim.0.borrow_mut().pass(1);
    // One webhook arrives, and one doesn't.
    sim.0.borrow_mut().delete(&names[0], "refs/heads/x");
    sim.0.borrow_mut().odds.lost = 100;
    sim.0.borrow_mut().delete(&names[1], "refs/heads/x");
    let mut queued = Vec::new();
    for _ in 0..8 {
        sim.0.borrow_mut().pass(MINUTES);
        reconcile(&sim).await.unwrap().unwrap();
        queued.push(sim.0.borrow().deletions_queued);
    }
    assert_eq!(queued, [1; 8]);
    let state = sim.0.borrow();
    assert_eq!((state.told.len(), state.missing()), (2, Vec::new()));
    assert!(state.requests.values().all(|requests| *requests == 8), "{:?}", state.requests);
    assert_eq!(state.looks, 3, "each mark is looked for until it is there, and not again");
}

/// A repository that names nothing may be empty, or its host ill.
#[tokio::test]
async fn emptied_repository_deletes_nothing() {
    let sim = Sim::new(7, Odds::default(), 1);
    let name = sim.0.borrow().hosts.keys().next().unwrap().clone();
    sim.0.borrow_mut().push(&name, "refs/heads/x");
    sim.0.borrow_mut().pass(1);
    sim.0.borrow_mut().odds.lost = 100;
    sim.0.borrow_mut().delete(&name, "refs/heads/x");
    reconcile(&sim).await.unwrap().unwrap();
    assert_eq!(sim.0.borrow().queued_by_runs, 0);
    sim.0.borrow_mut().pass(MINUTES);
    sim.0.borrow_mut().push(&name, "refs/heads/main");
    reconcile(&sim).await.unwrap().unwrap();
    assert_eq!((sim.0.borrow().queued_by_runs, sim.0.borrow().deletions_queued), (2, 1));
}

#[tokio::test]
async fn half_lost_webhooks_take_one_period() {
    let sim = Sim::new(7, Odds { lost: 50, ..Odds::default() }, 100);
    {
        let mut state = sim.0.borrow_mut();
        let names: Vec<_> = state.hosts.keys().cloned().collect();
        for number in 0..1_000 {
            let reference = ["refs/heads/main", "refs/heads/x", "refs/tags/v1"][number % 3];
            state.push(&names[number % names.len()], reference);
            if number % 100 == 99 {
                state.pass(1);
            }
        }
        assert!(state.missing().len() > 100);
    }
    let report = reconcile(&sim).await.unwrap().unwrap();
    let mut state = sim.0.borrow_mut();
    state.pass(MINUTES);
    assert_eq!(state.missing(), Vec::<String>::new());
    let requests: u32 = report.hosts.values().map(|host| host.requests).sum();
    assert_eq!(requests, 100, "one request for each repository");
    assert!(state.stored.values().all(|times| *times == 1));
}

#[tokio::test]
async fn idle_repositories_take_two_requests_hourly() {
    let sim = Sim::new(7, Odds::default(), 20);
    let names: Vec<_> = sim.0.borrow().hosts.keys().cloned().collect();
    for name in &names {
        sim.0.borrow_mut().push(name, "refs/heads/main");
    }
    sim.0.borrow_mut().pass(1);
    let hours = 24;
    for _ in 0..hours * 60 / MINUTES {
        reconcile(&sim).await.unwrap().unwrap();
        sim.0.borrow_mut().pass(MINUTES);
    }
    let state = sim.0.borrow();
    let most = state.requests.values().max().unwrap();
    assert_eq!(u64::from(*most), 2 * hours);
    assert_eq!((state.queued_by_runs, state.missing().len()), (0, 0));
}

/// A host that is down gets one request a run, and the others get theirs.
#[tokio::test]
async fn failing_host_is_asked_only_once() {
    let sim = Sim::new(7, Odds { lost: 100, ..Odds::default() }, 40);
    let names: Vec<_> = sim.0.borrow().hosts.keys().cloned().collect();
    for name in &names {
        sim.0.borrow_mut().push(name, "refs/heads/main");
    }
    sim.0.borrow_mut().down.insert("one.example".to_owned(), u64::MAX);
    let report = reconcile(&sim).await.unwrap().unwrap();
    let (one, two) = (&report.hosts["one.example"], &report.hosts["two.example"]);
    assert_eq!((one.requests, one.queued, one.skipped), (1, 0, 19));
    assert_eq!((two.requests, two.queued, two.skipped), (20, 20, 0));
    sim.0.borrow_mut().pass(MINUTES);
    let error = reconcile(&sim).await.unwrap().unwrap_err().to_string();
    assert_eq!(error, "hosts that failed, in a row: one.example in 2 runs");
    sim.0.borrow_mut().down.clear();
    sim.0.borrow_mut().pass(MINUTES);
    reconcile(&sim).await.unwrap().unwrap();
    sim.0.borrow_mut().pass(1);
    assert_eq!(sim.0.borrow().missing(), Vec::<String>::new());
}

#[tokio::test]
async fn many_new_references_are_paced() {
    let sim = Sim::new(7, Odds { lost: 100, ..Odds::default() }, 1);
    let name = sim.0.borrow().hosts.keys().next().unwrap().clone();
    for number in 0..250 {
        sim.0.borrow_mut().push(&name, &format!("refs/tags/v{number}"));
    }
    let mut queued = Vec::new();
    for _ in 0..4 {
        let report = reconcile(&sim).await.unwrap().unwrap();
        queued.push(report.hosts.values().map(|host| host.queued).sum::<u32>());
        sim.0.borrow_mut().pass(MINUTES);
    }
    assert_eq!(queued, [100, 100, 50, 0]);
    let keys: BTreeSet<_> = sim.0.borrow().bucket.keys().cloned().collect();
    assert_eq!(keys.len(), 250);
}
