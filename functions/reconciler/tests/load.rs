//! Two thousand repositories of one host in a run: real requests over TLS, answered with what real
//! git says of one of them. The numbers are in `docs/limits.md`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails here fails a test")]

use std::{
    collections::BTreeSet,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use bytes::Bytes;
use contract::{AllowedHost, AllowedHosts, Job, KeyLayout, PathSpelling, Repository, Worker};
use fetch::{Access, HttpsAccess, Limits, References, Remote, references};
use git_http::Authority;
use github_app::{GitHubApp, KmsKey};
use http::{Request, Response};
use http_body_util::Full;
use https::{Client, Credential};
use reconciler::{
    hosts::Failure,
    memory::{Memory, SeenKeys, Zip},
    run::{Plan, run},
    world::{Listed, World},
};
use tokio::net::TcpListener;

const REPOSITORIES: usize = 2_000;
/// How long the host takes for an answer: as one across an ocean.
const AWAY: Duration = Duration::from_millis(100);

/// Real requests, and an account in memory in which every repository was pushed once.
struct Loopback {
    client: Client,
    hosts: AllowedHosts,
    queued: Mutex<Vec<Job>>,
    memory: Mutex<Memory>,
}

fn repository(number: usize) -> Repository {
    format!("127.0.0.1/acme/r{number}").parse().unwrap()
}

impl World for Loopback {
    type App = GitHubApp<KmsKey>;

    fn app(&self) -> Option<&Self::App> {
        None
    }

    async fn zips(&self) -> Result<Vec<Listed>> {
        let key = |number| format!("acme/r{number}/acme_r{number}.zip");
        let listed = |number| Listed { key: key(number), seen: "1".to_owned(), written: 0 };
        Ok((0..REPOSITORIES).map(listed).collect())
    }

    async fn zip(&self, key: &str) -> Result<Option<Zip>> {
        let number = key.split('/').nth(1).unwrap().strip_prefix('r').unwrap().parse().unwrap();
        let commit = "1".repeat(40).parse().unwrap();
        let (repository, reference) = (repository(number), "refs/heads/main".parse().unwrap());
        Ok(Some(Zip { repository, reference, commit, worker: None }))
    }

    async fn is_deletion_told(&self, key: &str, _: &Repository) -> Result<Option<bool>> {
        panic!("nothing was deleted, not even {key}")
    }

    async fn keys(&self) -> Result<Vec<Listed>> {
        Ok(Vec::new())
    }

    async fn key(&self, _: &Listed) -> Result<Option<SeenKeys>> {
        Ok(None)
    }

    async fn references(
        &self,
        host: &AllowedHost,
        repository: &Repository,
        _: Worker,
    ) -> Result<References, (Failure, u32)> {
        let access = HttpsAccess { client: self.client.clone(), credential: Credential::default() };
        let remote = Remote {
            host: host.clone(),
            repository: repository.clone(),
            spelling: PathSpelling::default(),
            access: Access::Https(access),
            limits: Limits::until(Instant::now() + Duration::from_mins(1)),
        };
        let prefixes = ["refs/heads/".to_owned(), "refs/tags/".to_owned()];
        references(&remote, &prefixes).await.map_err(|error| (Failure::Repository(error.to_string()), 1))
    }

    async fn scope(&self, _: &AllowedHost, _: &Repository) -> Result<Option<Vec<String>>> {
        Ok(None)
    }

    async fn send(&self, _: Worker, jobs: &[Job]) -> Result<()> {
        self.queued.lock().unwrap().extend_from_slice(jobs);
        Ok(())
    }

    async fn recall(&self) -> Result<Memory> {
        Ok(self.memory.lock().unwrap().clone())
    }

    async fn remember(&self, memory: &Memory) -> Result<()> {
        *self.memory.lock().unwrap() = memory.clone();
        Ok(())
    }

    fn is_over(&self) -> bool {
        false
    }
}

fn git(dir: &Path, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.args(arguments).current_dir(dir).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{who}_NAME"), "A").env(format!("GIT_{who}_EMAIL"), "a@example.org");
    }
    assert!(git.output().unwrap().status.success(), "git {arguments:?}");
}

/// A repository with a branch, and a host that says the same of every repository.
async fn host(root: &Path, requests: Arc<AtomicU32>) -> (u16, String) {
    let clone = root.join("clone");
    std::fs::create_dir(&clone).unwrap();
    git(&clone, &["init", "--quiet", "--initial-branch=main"]);
    git(&clone, &["commit", "--quiet", "--allow-empty", "--message", "One"]);
    git(root, &["clone", "--quiet", "--bare", "clone", "one.git"]);
    let authority = Authority::new().unwrap();
    let tls = authority.acceptor(vec!["127.0.0.1".to_owned()]).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (root, said) = (root.to_owned(), Arc::<Mutex<Option<Response<Bytes>>>>::default());
    let answer = move |request: Request<Bytes>| {
        let (root, said, requests) = (root.clone(), Arc::clone(&said), Arc::clone(&requests));
        async move {
            requests.fetch_add(1, Ordering::Relaxed);
            let known = said.lock().unwrap().clone();
            let known = known.unwrap_or_else(|| {
                let real = git_http::backend(&root, "/one.git/git-upload-pack", &request).unwrap();
                said.lock().unwrap().insert(real).clone()
            });
            tokio::time::sleep(AWAY).await;
            known.map(Full::new)
        }
    };
    tokio::spawn(git_http::serve::<Full<Bytes>, _>(listener, tls, answer));
    (port, authority.pem())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_repositories_take_minutes() {
    let temp = tempfile::tempdir().unwrap();
    let requests = Arc::<AtomicU32>::default();
    let (port, authority) = host(temp.path(), Arc::clone(&requests)).await;
    let hosts: AllowedHosts = format!("127.0.0.1 kind=gitea web=https://127.0.0.1:{port} private").parse().unwrap();
    let client = Client::new(&hosts, &authority).unwrap();
    let (queued, memory) = (Mutex::default(), Mutex::default());
    let world = Loopback { client, hosts, queued, memory };
    let mut plan = Plan {
        now: 1_796_040_000,
        every_minutes: 30,
        allowed_hosts: world.hosts.clone(),
        repositories: "".parse().unwrap(),
        refs: "".parse().unwrap(),
        key_layout: KeyLayout::Path,
    };
    let began = Instant::now();
    let report = run(&world, &plan).await.unwrap();
    let took = began.elapsed();
    let of_host = &report.hosts["127.0.0.1"];
    let all = u32::try_from(REPOSITORIES).unwrap();
    assert_eq!((of_host.asked, of_host.requests, of_host.queued), (all, all, all), "{of_host:?}");
    let names: BTreeSet<_> = world.queued.lock().unwrap().iter().map(|job| job.repository.to_string()).collect();
    assert_eq!(names.len(), REPOSITORIES);
    // The time that the requests take one after the other, eight at once, and as much again.
    assert!(took < AWAY * all / 8 * 3, "{took:?}");

    // What is queued isn't queued in the next run: two requests an hour for each repository.
    plan.now += 600;
    run(&world, &plan).await.unwrap();
    assert_eq!(world.queued.lock().unwrap().len(), REPOSITORIES);
    assert_eq!(requests.load(Ordering::Relaxed), 2 * all);
    tally::tried(REPOSITORIES);
}
