//! Unauthenticated requests to the endpoint of the deployed stack, and forbidden requests with a
//! valid secret. In the end, exactly one job has run: the legitimate one.
#![allow(clippy::expect_used, reason = "what fails here fails a test")]

use std::time::Duration;

use local::artifact::{Artifact, field};
use local::local::{Local, Stack};
use local::webhook::{Push, delivery_id, post, signature};
use serde_json::Value;

/// A request with its expected status.
struct Attack<'a> {
    name: &'a str,
    status: u16,
    headers: Vec<(&'a str, String)>,
    body: Vec<u8>,
}

async fn refused(stack: &Stack, attack: Attack<'_>) {
    let delivery = delivery_id();
    let mut headers = vec![("x-github-event", "push"), ("x-github-delivery", &*delivery)];
    headers.extend(attack.headers.iter().map(|(name, value)| (*name, value.as_str())));
    let answer = post(&stack.webhook_url, &headers, attack.body).await.expect("the endpoint is there");
    assert_eq!(answer.status, attack.status, "{}: {}", attack.name, answer.body);
    let body: Value = serde_json::from_str(&answer.body).expect("a JSON body");
    assert!(body.is_object(), "{}: {body}", attack.name);
    assert!(!answer.body.contains(&stack.api_secret), "{}: the secret is in the answer", attack.name);
}

fn signed(secret: &str, body: &[u8]) -> Vec<(&'static str, String)> {
    vec![("x-hub-signature-256", signature(secret, body))]
}

/// Requests from senders who don't know the secret.
fn of_outsiders(stack: &Stack, honest: &Push) -> Vec<Attack<'static>> {
    let body = honest.body();
    let mut changed = body.clone();
    let digit = changed.iter().position(u8::is_ascii_digit).expect("a commit id has digits");
    changed[digit] ^= 1;
    let bitbucket = ("x-forwarded-for", "18.205.93.7".to_owned());
    let attack = |name, headers, body: &[u8]| Attack { name, status: 401, headers, body: body.to_vec() };
    vec![
        attack("no signature", vec![], &body),
        attack("a wrong signature", signed("not the secret", &body), &body),
        attack("the signature of an empty secret", signed("", &body), &body),
        attack("an empty signature", vec![("x-hub-signature-256", String::new())], &body),
        attack("an empty token", vec![("x-git-token", String::new())], &body),
        attack("an empty GitLab token", vec![("x-gitlab-token", String::new())], &body),
        attack("a wrong token", vec![("x-git-token", "not the secret".to_owned())], &body),
        attack("a body changed by one byte", signed(&stack.api_secret, &body), &changed),
        attack("no signature, from an address of another host", vec![bitbucket.clone()], &body),
        attack("a wrong signature from an allowed address", [signed("no", &body), vec![bitbucket]].concat(), &body),
    ]
}

/// Signed requests for something forbidden.
fn of_insiders(stack: &Stack, honest: &Push) -> Vec<Attack<'static>> {
    let with = |change: &dyn Fn(&mut Push)| {
        let mut push = honest.clone();
        change(&mut push);
        push.body()
    };
    let cases = [
        ("a ref that leaves its folder", 400, with(&|push| "refs/heads/../../x".clone_into(&mut push.reference))),
        ("a ref that is an option", 400, with(&|push| "--upload-pack=x".clone_into(&mut push.reference))),
        (
            "a host that isn't allowed",
            403,
            with(&|push| "ssh://git@evil.example/acme/rocket.git".clone_into(&mut push.ssh_url)),
        ),
        ("another repository's URL", 400, with(&|push| push.ssh_url = push.ssh_url.replace("rocket", "mallory"))),
        ("a path that leaves the host's folder", 400, with(&|push| "acme/../rocket".clone_into(&mut push.repository))),
        ("a commit that is an option", 400, with(&|push| "--all".clone_into(&mut push.after))),
        ("something that isn't JSON", 400, b"ref=refs/heads/main".to_vec()),
    ];
    let signed_case = |(name, status, body): (&'static str, u16, Vec<u8>)| {
        let headers = signed(&stack.api_secret, &body);
        Attack { name, status, headers, body }
    };
    cases.into_iter().map(signed_case).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attacks_are_refused_without_trace() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (local, stack) = Local::with_stack(dir.path()).await.unwrap();
    let account = &local.cloud.account;
    let bucket = stack.output("OutputBucketName").unwrap();
    let clone = local.host.create("acme/rocket").await.unwrap();
    std::fs::write(clone.dir().join("a"), "x").unwrap();
    let commit = clone.commit("First").await.unwrap();
    let honest = Push {
        before: "0".repeat(40),
        after: commit.clone(),
        reference: "refs/heads/main".to_owned(),
        subject: "First".to_owned(),
        repository: "acme/rocket".to_owned(),
        ssh_url: clone.url.clone(),
        default_branch: "main".to_owned(),
    };

    for attack in of_outsiders(&stack, &honest).into_iter().chain(of_insiders(&stack, &honest)) {
        refused(&stack, attack).await;
    }
    let queues = account.resources(&stack.name).await.unwrap().of_type("AWS::SQS::Queue");
    assert_eq!(queues.len(), 4, "{queues:?}");
    for queue in &queues {
        assert_eq!(account.messages(queue).await.unwrap(), 0, "{queue}");
    }
    assert!(account.versions(bucket).await.unwrap().is_empty());

    // A job of an attack would have run before this one: the queue keeps the order of a reference.
    clone.push(&["main"]).await.unwrap();
    Artifact::wait(account, bucket, "acme/rocket/acme_rocket.zip", &commit, Duration::from_mins(1)).await.unwrap();
    assert_eq!(account.versions(bucket).await.unwrap().len(), 1);
    let lines = account.log_lines().await.unwrap();
    let stored: Vec<_> = lines.iter().filter(|line| field(line, "bytes_received").is_some()).collect();
    assert_eq!(stored.len(), 1, "{stored:?}");
    assert!(!format!("{lines:?}").contains(&stack.api_secret), "the secret is in the log");
}
