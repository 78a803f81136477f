//! `infra connect`, `keys` and `disconnect`, with a host that has an API, sshd, and repositories.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::{HostKind, Repository};
use deployment::deploy::{self, Parameters};
use deployment::render::progress::Silent;
use host_api::{Clock, HostApi, Pause};
use infra::connect::{Connected, Connection, Endpoint, HostAccess, Step, Target};
use local::archives::address;
use local::aws::REGION;
use local::host::Clone;
use local::host_api::{Fault, HostApis, TOKEN};
use local::local::{Local, STACK, Stack};
use local::sshd::{Access, Serve};
use local::webhook::{Push, deliver};
use serde_json::Value;
use wiremock::http::Method;

use crate::desk::Desk;

pub(crate) const GITHUB: HostKind = HostKind::GitHub;

/// The local cloud with a stack that serves a GitHub Enterprise Server.
pub(crate) struct Scene {
    pub(crate) local: Local,
    pub(crate) apis: HostApis,
    pub(crate) stack: Stack,
    clones: Vec<Clone>,
}

impl Scene {
    pub(crate) async fn set(dir: &std::path::Path, paths: &[&str]) -> Self {
        let local = Local::tied(dir).await.unwrap();
        local.packaged().unwrap();
        let apis = HostApis::start_with_git(local.host.root()).await.unwrap();
        let (user, port) = (&local.sshd.user, local.sshd.port);
        let entry = format!("{} ssh={user}@{}:{port}", apis.entry(GITHUB), address(GITHUB));
        let known_hosts = local.sshd.known_hosts_lines().unwrap();
        let adapt = |parameters: Parameters| {
            let parameters = parameters.with("AllowedGitHosts", entry).with("KnownHosts", known_hosts);
            let repositories = format!("{}/**", address(GITHUB));
            parameters.with("CaBundle", apis.ca.clone()).with("Repositories", repositories).with("Refs", "main")
        };
        let stack = local.deploy_with(&mut Silent, adapt).await.unwrap();
        // It was authorized for all repositories: here, each has a deploy key of its own.
        local.sshd.revoke(stack.output("PublicSSHKey").unwrap()).unwrap();
        let mut clones = Vec::new();
        for path in paths {
            apis.state(GITHUB).add(path);
            let clone = local.host.create(path).await.unwrap();
            std::fs::write(clone.dir().join("a"), path).unwrap();
            clone.commit("Begin").await.unwrap();
            clone.push(&["main"]).await.unwrap();
            clones.push(clone);
        }
        Self { local, apis, stack, clones }
    }

    /// Does what a host does by itself: accepts deploy keys, and sends tests. Forever.
    pub(crate) async fn serve(&self) {
        let mut authorized = BTreeSet::new();
        loop {
            let (keys, tests) = {
                let mut state = self.apis.state(GITHUB);
                let keys = state
                    .repositories
                    .iter()
                    .flat_map(|one| one.keys.iter().map(|key| (one.path.clone(), key.key.clone())));
                (keys.collect::<Vec<_>>(), std::mem::take(&mut state.tests))
            };
            for (path, key) in keys {
                if authorized.insert(key.clone()) {
                    let serve = Serve { only: Some(path), ..self.local.host.serve() };
                    self.local.sshd.authorize(&key, Access::Read, &serve).unwrap();
                }
            }
            for test in tests {
                let push = self.push(&test.repository, "0".repeat(40)).await;
                assert_eq!(test.url, self.stack.output("GitPullWebHookApi").unwrap());
                let answer = deliver(&self.stack.webhook_url, &test.secret.unwrap(), &push).await.unwrap();
                assert_eq!(answer.status, 202, "{}", answer.body);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The next push is fetched by a worker without cached keys.
    pub(crate) async fn make_cold(&self) {
        let account = &self.local.cloud.account;
        let deployer = deployment::account::Account::open(&account.config).await.unwrap();
        let resources = deploy::resources(&deployer, STACK).await.unwrap();
        let worker = resources.iter().find(|resource| resource.logical_id == "GitPullFunction").unwrap();
        account.make_cold(&worker.physical_id).await.unwrap();
    }

    /// A repository's clone.
    pub(crate) fn clone_of(&self, path: &str) -> &Clone {
        self.clones.iter().find(|clone| clone.path == path).unwrap()
    }

    /// The push of a repository's `main`.
    pub(crate) async fn push(&self, path: &str, before: String) -> Push {
        let clone = self.clone_of(path);
        Push {
            before,
            after: clone.git(&["rev-parse", "main"]).await.unwrap(),
            reference: "refs/heads/main".to_owned(),
            subject: "Begin".to_owned(),
            repository: path.to_owned(),
            ssh_url: format!("git@{}:{path}.git", address(GITHUB)),
            default_branch: "main".to_owned(),
        }
    }

    /// Runs a command against the stack while the host serves.
    pub(crate) async fn infra(&self, desk: &Desk<'_>, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.infra_with(desk, arguments, Some(TOKEN)).await
    }

    /// The same with another person's token, or without one.
    pub(crate) async fn infra_with(
        &self,
        desk: &Desk<'_>,
        arguments: &[&str],
        token: Option<&str>,
    ) -> (Option<i32>, String, String) {
        let place = ["--stack-name", STACK, "--region", REGION];
        let mut command = desk.command(&[arguments, &place].concat());
        if let Some(token) = token {
            command.env("GIT2S3_HOST_TOKEN", token);
        }
        let output = tokio::select! {
            output = command.output() => output.unwrap(),
            () = self.serve() => unreachable!(),
        };
        let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        for secret in [TOKEN, &self.stack.api_secret] {
            assert!(!stdout.contains(secret) && !stderr.contains(secret), "{arguments:?} tells a secret");
        }
        (output.status.code(), stdout, stderr)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repositories_are_connected_and_disconnected() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let scene = Scene::set(&dir.path().join("cloud"), &["acme/rocket", "acme/probe"]).await;
    let work = dir.path().join("work");
    let desk = Desk::new(&scene.local.cloud.account, &work);
    let names = ["acme/rocket", "acme/probe"].map(|path| format!("{}/{path}", address(GITHUB)));
    let [rocket, probe] = [&*names[0], &*names[1]];

    let (code, stdout, stderr) = scene.infra(&desk, &["connect", rocket, probe, "--dry-run"]).await;
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert_eq!(stdout.matches("would be connected").count(), 2, "{stdout}");
    assert!(scene.apis.state(GITHUB).repositories.iter().all(|one| one.keys.is_empty() && one.hooks.is_empty()));

    let (code, stdout, stderr) = scene.infra(&desk, &["connect", rocket, probe]).await;
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let bucket = scene.stack.output("OutputBucketName").unwrap();
    assert!(stdout.contains(&format!("s3://{bucket}/acme/rocket/acme_rocket.zip")), "{stdout}");
    assert!(stdout.contains(&format!("s3://{bucket}/acme/probe/acme_probe.zip")), "{stdout}");
    let keys: BTreeSet<String> = {
        let state = scene.apis.state(GITHUB);
        for one in &state.repositories {
            let hook = &one.hooks[0];
            assert_eq!((one.hooks.len(), &*hook.content_type, hook.is_active), (1, "json", true));
            assert_eq!(hook.secret.as_deref(), Some(&*scene.stack.api_secret));
            assert!(!one.keys[0].may_push);
        }
        state.repositories.iter().map(|one| one.keys[0].key.clone()).collect()
    };
    assert_eq!(keys.len(), 2, "each has its own");

    // A repetition does nothing; a listing knows both.
    let changes = |scene: &Scene| scene.apis.exchanges().iter().filter(|one| one.method != Method::GET).count();
    let before = changes(&scene);
    let (code, stdout, stderr) = scene.infra(&desk, &["connect", rocket, probe, "--json"]).await;
    assert_eq!((code, changes(&scene)), (Some(0), before), "{stdout}{stderr}");
    let rows: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&rows[0]["done"], &rows[0]["isStored"]), (&serde_json::json!([]), &Value::Bool(true)), "{rows}");
    let (_, stdout, _) = scene.infra(&desk, &["keys", "--json"]).await;
    let listed: Vec<Value> = serde_json::from_str(&stdout).unwrap();
    assert!(listed.iter().filter(|key| keys.contains(key["publicKey"].as_str().unwrap())).count() == 2, "{listed:?}");

    // A new key doesn't replace the old one while the worker still fetches with that.
    let of_rocket = || scene.apis.state(GITHUB).find("acme/rocket").unwrap().keys.clone();
    let (code, stdout, stderr) = scene.infra(&desk, &["connect", rocket, "--rotate", "--wait", "3s"]).await;
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    assert!(stdout.contains("has not fetched yet") && stdout.contains("run `connect` again"), "{stdout}");
    assert_eq!(of_rocket().len(), 2);

    // It does when it has fetched, and what is broken is fixed.
    scene.apis.state(GITHUB).find("acme/rocket").unwrap().hooks[0].is_active = false;
    scene.make_cold().await;
    let (code, stdout, stderr) = scene.infra(&desk, &["connect", rocket]).await;
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("deploy key replaced; webhook changed (it is inactive)"), "{stdout}");
    let now = of_rocket();
    assert!(now.len() == 1 && !keys.contains(&now[0].key), "{now:?}");

    // A replacement that was interrupted is finished by the next command, whichever it is.
    let account = deployment::account::Account::open(&scene.local.cloud.account.config).await.unwrap();
    let described = deploy::described(&account, STACK).await.unwrap().unwrap();
    let target = Target::read(&account, STACK, &described).await.unwrap();
    let repository: Repository = rocket.parse().unwrap();
    let both = target.keys.rotate(&repository, &target.keys.known(&repository)[0]).await.unwrap();
    assert_eq!((both.len(), both[1].to_string()), (2, now[0].key.clone()));
    scene.make_cold().await;
    let chosen = ["connect", "--organisation", "acme", "--include", "acme/roc*", "--yes"];
    let (code, stdout, stderr) = scene.infra(&desk, &chosen).await;
    assert_eq!((code, stdout.matches("deploy key replaced").count()), (Some(0), 1), "{stdout}{stderr}");
    let keys = of_rocket();
    assert!(keys.len() == 1 && keys[0].key == both[0].to_string(), "{keys:?}");

    let (code, stdout, stderr) = scene.infra(&desk, &["disconnect", rocket, probe, "--yes"]).await;
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(scene.apis.state(GITHUB).repositories.iter().all(|one| one.keys.is_empty() && one.hooks.is_empty()));
    let (_, stdout, _) = scene.infra(&desk, &["keys", "--json"]).await;
    assert_eq!(serde_json::from_str::<Vec<Value>>(&stdout).unwrap().len(), 1, "only the stack's own: {stdout}");
}

/// A clock that doesn't wait, and remembers for what it would have.
#[derive(Clone, Debug, Default)]
pub(crate) struct NoWait(Arc<Mutex<(Duration, Vec<Pause>)>>);

impl Clock for NoWait {
    fn now(&self) -> Duration {
        self.0.lock().unwrap().0
    }

    fn wait(&self, time: Duration, why: Pause) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut inner = self.0.lock().unwrap();
        inner.0 += time;
        inner.1.push(why);
        Box::pin(async {})
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_repositories_are_connected_together() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let scene = Scene::set(dir.path(), &[]).await;
    let account = &scene.local.cloud.account;
    {
        let mut state = scene.apis.state(GITHUB);
        for number in 0..60 {
            let one = state.add(&format!("acme/app-{number}"));
            one.default_branch = None;
            one.is_archived = number == 7;
            one.may_administer = number != 8;
        }
    }
    let key_in_use = Fault { message: "key is already in use", ..Fault::once(Method::POST, "app-9/keys", 422) };
    scene.apis.plant(GITHUB, key_in_use);
    for part in ["app-20/hooks", "app-40/keys"] {
        let limit = Fault { headers: vec![("retry-after", "30".to_owned())], ..Fault::once(Method::POST, part, 429) };
        scene.apis.plant(GITHUB, limit);
    }
    let deployer = deployment::account::Account::open(&account.config).await.unwrap();
    let described = deploy::described(&deployer, STACK).await.unwrap().unwrap();
    let clock = NoWait::default();
    let connect = async || {
        let target = Target::read(&deployer, STACK, &described).await.unwrap();
        let host = target.hosts.first().unwrap().clone();
        let client = https::Client::new(&target.hosts, &target.ca_bundle).unwrap();
        let api = HostApi::with_clock(&host, client, &TOKEN.into(), Arc::new(clock.clone())).unwrap();
        let all_there = api.repositories("acme").await.unwrap();
        let access = HostAccess::Token(api.into());
        let secrets = target.webhook_secrets(&deployer).await.unwrap();
        let connection = Connection {
            secrets: &secrets,
            target: &target,
            access: &access,
            endpoint: Endpoint::GitPull,
            rotates: false,
            is_dry: false,
        };
        let mut all = Vec::new();
        for found in all_there {
            all.push(connection.connect(&Repository::new(host.host.clone(), found.path)).await);
        }
        all
    };
    let failed = |all: &[Connected]| {
        let failed = all.iter().filter_map(|one| Some((one.repository.path.to_string(), one.failure.clone()?.reason)));
        let mut failed: Vec<_> = failed.collect();
        failed.sort();
        failed
    };
    let first = connect().await;
    assert_eq!(first.len(), 60);
    let [archived, forbidden, in_use] = &failed(&first)[..] else { panic!("{:?}", failed(&first)) };
    assert!(archived.0 == "acme/app-7" && archived.1.contains("archived"), "{archived:?}");
    assert!(forbidden.0 == "acme/app-8" && forbidden.1.contains("administer"), "{forbidden:?}");
    assert!(in_use.0 == "acme/app-9" && in_use.1.contains("already in use"), "{in_use:?}");
    let limits = clock.0.lock().unwrap().1.iter().filter(|why| **why == Pause::Limit).count();
    assert_eq!(limits, 2, "the host's limit was respected");
    // Less than GitHub's 80 changes in a minute.
    let writes = scene.apis.exchanges().iter().filter(|one| one.method == Method::POST).count();
    let seconds = clock.0.lock().unwrap().0.as_secs();
    let most = usize::try_from(seconds).unwrap() * 80 / 60;
    assert!(writes < most, "{writes} changes in {seconds} seconds");

    // The second time, only what had failed is done.
    let second = connect().await;
    let done: Vec<_> = second.iter().filter(|one| !one.done.is_empty()).collect();
    assert_eq!(done.len(), 1, "{done:?}");
    assert_eq!(done[0].done, [Step::KeyAdded, Step::WebhookCreated]);
    assert_eq!(done[0].repository.path.as_str(), "acme/app-9");
}
