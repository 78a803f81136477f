//! Many pushes at once, and pushes for a long time: each is answered, each accepted one arrives,
//! and no worker's memory grows.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails here fails a test")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use local::event_source::EventSource;
use local::local::{Local, Stack};
use local::webhook::{self, Push};
use local::{peer, tally};
use tempfile::TempDir;
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_mins(30);

/// A repository whose branch is moved commit by commit, without a clone to push from.
#[derive(Clone)]
struct Repository {
    path: String,
    dir: PathBuf,
    commits: Vec<String>,
}

impl Repository {
    async fn create(local: &Local, path: &str, commits: usize) -> Self {
        local.host.create(path).await.unwrap();
        let dir = local.host.root().join(format!("{path}.git"));
        let git = |arguments: &[&str]| {
            let mut git = Command::new("git");
            git.args(arguments)
                .current_dir(&dir)
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .env("GIT_CONFIG_SYSTEM", "/dev/null");
            git
        };
        let mut import = git(&["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut stream = import.stdin.take().unwrap();
        for number in 1..=commits {
            let text = format!("{path} {number}\n").repeat(50);
            write!(stream, "commit refs/heads/main\ncommitter Load <load@example.org> {number} +0000\ndata 4\nLoad\n")
                .unwrap();
            write!(stream, "M 100644 inline file.txt\ndata {}\n{text}\n", text.len()).unwrap();
        }
        drop(stream);
        assert!(import.wait().unwrap().success());
        let listed = git(&["rev-list", "--reverse", "refs/heads/main"]).output().unwrap().stdout;
        let commits = String::from_utf8(listed).unwrap().lines().map(str::to_owned).collect();
        Self { path: path.to_owned(), dir, commits }
    }

    /// Moves the branch to a commit and sends the webhook. Returns the status, and how long the
    /// response took.
    async fn push(&self, index: usize, stack: &Stack) -> (u16, Duration) {
        let commit = &self.commits[index];
        std::fs::write(self.dir.join("refs/heads/main"), format!("{commit}\n")).unwrap();
        let push = Push {
            before: index.checked_sub(1).map_or_else(|| "0".repeat(40), |before| self.commits[before].clone()),
            after: commit.clone(),
            reference: "refs/heads/main".to_owned(),
            subject: "Load".to_owned(),
            repository: self.path.clone(),
            ssh_url: format!("ssh://git@127.0.0.1/{}.git", self.path),
            default_branch: "main".to_owned(),
        };
        let begun = Instant::now();
        let answer = webhook::deliver(&stack.webhook_url, &stack.api_secret, &push).await.unwrap();
        (answer.status, begun.elapsed())
    }

    /// The commit of the stored zip.
    async fn stored(&self, source: &EventSource, bucket: &str) -> usize {
        let key = format!("{0}/{1}.zip", self.path, self.path.replace('/', "_"));
        let head = source.account.s3.head_object().bucket(bucket).key(key).send().await.unwrap();
        let commit = head.metadata().unwrap()["commit"].clone();
        self.commits.iter().position(|each| *each == commit).unwrap()
    }
}

async fn start() -> (TempDir, Local, Stack, EventSource) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (local, stack) = Local::with_stack(dir.path()).await.unwrap();
    let source = EventSource::of_gitpull(&local.cloud.account, &stack.name).await.unwrap();
    (dir, local, stack, source)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn burst_loses_no_accepted_webhook() {
    let (repositories, pushes) = if tally::is_long() { (200, 10) } else { (12, 5) };
    let (_dir, local, stack, source) = start().await;
    let bucket = stack.output("OutputBucketName").unwrap();
    let mut all = Vec::new();
    for number in 0..repositories {
        all.push(Repository::create(&local, &format!("load/repository-{number}"), pushes).await);
    }

    // The pushes of a repository are sequential, those of different repositories concurrent.
    let begun = Instant::now();
    let mut senders = JoinSet::new();
    for repository in all.clone() {
        let stack = stack.clone();
        senders.spawn(async move {
            let mut answers = Vec::new();
            for index in 0..repository.commits.len() {
                answers.push(repository.push(index, &stack).await);
            }
            (repository, answers)
        });
    }
    let sent = senders.join_all().await;
    let burst = begun.elapsed();
    let statuses = || sent.iter().flat_map(|(_, answers)| answers).map(|(status, _)| *status);
    let (accepted, throttled) =
        (statuses().filter(|status| *status == 202), statuses().filter(|status| *status == 429));
    let (accepted, throttled) = (accepted.count(), throttled.count());
    assert_eq!(accepted + throttled, repositories * pushes, "{:?}", statuses().collect::<BTreeSet<_>>());
    let mut times: Vec<_> = sent.iter().flat_map(|(_, answers)| answers).map(|(_, time)| *time).collect();
    times.sort_unstable();
    let p99 = times[times.len() * 99 / 100];

    let begun = Instant::now();
    source.drain(PATIENCE).await.unwrap();
    let drained = begun.elapsed();
    for (repository, answers) in &sent {
        let Some(last) = answers.iter().rposition(|(status, _)| *status == 202) else { continue };
        let stored = repository.stored(&source, bucket).await;
        assert!(stored >= last, "{}: {stored} of {last}", repository.path);
    }
    let dead = source.account.resources(&stack.name).await.unwrap().id("GitPullDeadLetterQueue").unwrap().to_owned();
    assert_eq!(source.account.dead_letters(&dead).await.unwrap(), []);
    tally::tried(repositories * pushes);
    tally::note(&format!(
        "{accepted} accepted and {throttled} throttled within {burst:.1?}, 99 of 100 answered within {p99:.0?}, drained in {drained:.0?}"
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_memory_stays_stable_under_load() {
    let time = if tally::is_long() { Duration::from_mins(30) } else { Duration::from_secs(15) };
    let (_dir, local, stack, source) = start().await;
    let mut all = Vec::new();
    for number in 0..10 {
        all.push(Repository::create(&local, &format!("load/repository-{number}"), 400).await);
    }
    let (begun, mut memory, mut pushes) = (Instant::now(), Vec::new(), 0);
    while begun.elapsed() < time {
        let (repository, index) = (&all[pushes % all.len()], pushes / all.len() % 400);
        assert_eq!(repository.push(index, &stack).await.0, 202);
        source.drain(PATIENCE).await.unwrap();
        let workers = peer::of_function(&source.function, &source.account.endpoint).unwrap();
        memory.push(workers.into_iter().map(resident).max().unwrap());
        pushes += 1;
    }
    // The first third fills the caches.
    let (middle, end) =
        (median(&memory[memory.len() / 3..memory.len() * 2 / 3]), median(&memory[memory.len() * 2 / 3..]));
    assert!(end < middle + middle / 10, "{middle} KB, then {end} KB: {memory:?}");
    tally::tried(pushes);
    tally::note(&format!(
        "{pushes} pushes in {:.0?}, at most {} MB a worker, {middle} KB then {end} KB",
        begun.elapsed(),
        memory.iter().max().unwrap() / 1000
    ));
}

/// The resident memory of a process, in KB.
fn resident(pid: rustix::process::Pid) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn median(values: &[usize]) -> usize {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}
