//! `infra doctor`: a fault is planted in each step of a push, and named in the first line.

use std::sync::Arc;
use std::time::Duration;

use contract::Repository;
use deployment::account::Account;
use deployment::deploy;
use host_api::HostApi;
use infra::connect::{Connection, Endpoint, HostAccess, Target};
use infra::doctor::{Finding, Verdict, facts, findings};
use local::archives::address;
use local::host_api::{Hook, Sent, State, TOKEN};
use local::local::STACK;
use local::webhook::deliver;

use crate::connect::{GITHUB, NoWait, Scene};

/// What a person at the scene can ask.
struct Doctor {
    account: Account,
    target: Target,
}

impl Doctor {
    async fn at(scene: &Scene) -> Self {
        let account = Account::open(&scene.local.cloud.account.config).await.unwrap();
        let described = deploy::described(&account, STACK).await.unwrap().unwrap();
        let target = Target::read(&account, STACK, &described).await.unwrap();
        Self { account, target }
    }

    fn api(&self, token: &str) -> HostApi {
        let host = self.target.hosts.first().unwrap();
        let client = https::Client::new(&self.target.hosts, &self.target.ca_bundle).unwrap();
        HostApi::with_clock(host, client, &token.into(), Arc::new(NoWait::default())).unwrap()
    }

    async fn findings(&self, repository: &str, token: &str) -> Vec<Finding> {
        let secrets = self.target.webhook_secrets(&self.account).await.unwrap();
        let repository: Repository = repository.parse().unwrap();
        let api = self.api(token);
        let back = Duration::from_hours(1);
        let facts = facts(&self.account, &self.target, &secrets, Some(&repository), Some(&api), back).await;
        findings(&facts.unwrap().unwrap())
    }

    /// The first fault of a repository, as one line.
    async fn fault(&self, repository: &str, token: &str) -> String {
        let findings = self.findings(repository, token).await;
        let fault = findings.iter().find_map(|finding| match &finding.verdict {
            Verdict::Fault { what, remedy } => Some(format!("{}: {what} → {remedy}", finding.step)),
            _ => None,
        });
        fault.unwrap_or_else(|| "no fault".to_owned())
    }
}

fn hook(state: &mut State) -> &mut Hook {
    &mut state.find("acme/rocket").unwrap().hooks[0]
}

fn answered(state: &mut State, status: u16) {
    hook(state).sent.push(Sent { id: 1000, event: "push".to_owned(), status, ..Sent::default() });
}

type Plant = fn(&mut State);

/// A fault at the host, and words of the line that names it.
const AT_THE_HOST: &[(&str, Plant, [&str; 2])] = &[
    ("no webhook", |state| state.find("acme/rocket").unwrap().hooks.clear(), ["no webhook", "connect"]),
    ("another URL", |state| hook(state).url = "https://old.example.com/gitpull".into(), ["old.example.com", "connect"]),
    (
        "twice",
        |state| {
            let one = hook(state).clone();
            state.find("acme/rocket").unwrap().hooks.push(one);
        },
        ["several", "delete"],
    ),
    ("inactive", |state| hook(state).is_active = false, ["inactive", "connect"]),
    ("form", |state| hook(state).content_type = "form".into(), ["form", "connect"]),
    ("no push event", |state| hook(state).events = vec!["release".into()], ["pushes", "connect"]),
    ("no secret", |state| hook(state).secret = None, ["no secret", "connect"]),
    ("certificate unverified", |state| hook(state).verifies_tls = false, ["certificates", "connect"]),
    ("wrong secret", |state| answered(state, 401), ["the secret at the host is not the stack's", "connect"]),
    ("excluded", |state| answered(state, 403), ["does not allow", "Repositories"]),
    ("no such path", |state| answered(state, 404), ["does not exist", "connect"]),
    ("too large", |state| answered(state, 413), ["too large", "fewer references"]),
    ("no JSON", |state| answered(state, 415), ["not JSON", "connect"]),
    ("throttled", |state| answered(state, 429), ["throttle", "send it again"]),
    ("endpoint failed", |state| answered(state, 502), ["the endpoint failed", "alarms"]),
    ("key removed", |state| state.find("acme/rocket").unwrap().keys.clear(), ["does not have the key", "connect"]),
    (
        "key replaced",
        |state| state.find("acme/rocket").unwrap().keys[0].key = OTHER_KEY.into(),
        ["does not have the key", "connect"],
    ),
    ("archived", |state| state.find("acme/rocket").unwrap().is_archived = true, ["archived", "unarchive"]),
    (
        "other branch",
        |state| state.find("acme/rocket").unwrap().default_branch = Some("trunk".into()),
        ["Refs", "trunk"],
    ),
    ("deleted", |state| state.repositories.clear(), ["doesn't exist", "check the name"]),
];
const OTHER_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBb3Yp1Kf3Cq7e0w0bVJzDqgE3n6V1y5lq0l5vY3c9Xw";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_names_each_planted_fault() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut scene = Scene::set(dir.path(), &["acme/rocket"]).await;
    let rocket = format!("{}/acme/rocket", address(GITHUB));
    {
        let doctor = Doctor::at(&scene).await;
        let secrets = doctor.target.webhook_secrets(&doctor.account).await.unwrap();
        let (target, access) = (&doctor.target, &HostAccess::Token(doctor.api(TOKEN).into()));
        let endpoint = Endpoint::GitPull;
        let connection = Connection { target, secrets: &secrets, access, endpoint, rotates: false, is_dry: false };
        assert_eq!(connection.connect(&rocket.parse().unwrap()).await.failure, None);
        let zip = async { while doctor.fault(&rocket, TOKEN).await != "no fault" {} };
        tokio::select! { () = scene.serve() => unreachable!(), () = zip => {} }

        let healthy = scene.apis.state(GITHUB).repositories.clone();
        let mut tried = 0;
        for (name, plant, words) in AT_THE_HOST {
            plant(&mut scene.apis.state(GITHUB));
            let fault = doctor.fault(&rocket, TOKEN).await;
            assert!(words.iter().all(|word| fault.contains(word)), "{name}: {fault}");
            scene.apis.state(GITHUB).repositories.clone_from(&healthy);
            tried += 1;
        }
        let fault = doctor.fault(&rocket, "another-token").await;
        assert!(fault.contains("doesn't accept the token"), "{fault}");
        let fault = doctor.fault("git.example.com/acme/rocket", TOKEN).await;
        assert!(fault.contains("git.example.com is not in the stack's parameter AllowedGitHosts"), "{fault}");
        assert_eq!(doctor.fault(&rocket, TOKEN).await, "no fault");

        let queue = scene.local.cloud.account.resources(STACK).await.unwrap();
        let queue = queue.id("GitPullDeadLetterQueue").unwrap().to_owned();
        let sqs = &scene.local.cloud.account.sqs;
        let send = sqs.send_message().queue_url(&queue).message_body("{}").message_group_id("g");
        send.message_deduplication_id("d").send().await.unwrap();
        let fault = doctor.fault(&rocket, TOKEN).await;
        assert!(fault.contains("1 jobs were given up") && fault.contains("redrive"), "{fault}");
        sqs.purge_queue().queue_url(&queue).send().await.unwrap();
        assert_eq!(tried + 3, 23);
    }

    // The host key is another one: only the worker sees that.
    scene.local.sshd.replace_host_key().await.unwrap();
    // A session that is open doesn't notice.
    scene.make_cold().await;
    let push = scene.push("acme/rocket", "1".repeat(40)).await;
    deliver(&scene.stack.webhook_url, &scene.stack.api_secret, &push).await.unwrap();
    let doctor = Doctor::at(&scene).await;
    let mut fault = doctor.fault(&rocket, TOKEN).await;
    while fault == "no fault" {
        fault = doctor.fault(&rocket, TOKEN).await;
    }
    assert!(fault.contains("host key"), "{fault}");
}
