//! Tests the basis of the end-to-end tests: if the Git host or the account weren't realistic, those
//! tests would prove nothing.

use deployment::render::progress::Silent;
use local::cloud::Cloud;
use local::host::Host;
use local::process::{Lifetime, built};
use local::sshd::{Access, Sshd, generate_key};
use local::standing::Place;
use local::webhook;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

#[tokio::test]
async fn signed_webhook_and_deploy_key_work() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(dir.path(), Lifetime::Tied).await.unwrap();
    let host = Host::start(dir.path(), &sshd).unwrap();
    let clone = host.create("acme/rocket").await.unwrap();

    let endpoint = MockServer::start().await;
    Mock::given(method("POST")).and(path("/gitpull")).respond_with(ResponseTemplate::new(202)).mount(&endpoint).await;
    host.report_to(&format!("{}/gitpull", endpoint.uri()), "secret").unwrap();

    std::fs::write(clone.dir().join("a"), "x").unwrap();
    let commit = clone.commit("First").await.unwrap();
    clone.push(&["main"]).await.unwrap();

    let requests = endpoint.received_requests().await.unwrap();
    let [request] = requests.as_slice() else { panic!("{} webhooks instead of one", requests.len()) };
    let header = |name: &str| request.headers.get(name).unwrap().to_str().unwrap();
    assert_eq!(header("x-hub-signature-256"), webhook::signature("secret", &request.body));
    assert_eq!(header("x-github-event"), "push");
    assert_eq!(header("x-github-delivery").len(), 36);
    let event: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(event["ref"], "refs/heads/main");
    assert_eq!(event["after"], commit);
    assert_eq!(event["repository"]["full_name"], "acme/rocket");
    assert_eq!(event["repository"]["default_branch"], "main");
    assert_eq!(event["repository"]["ssh_url"], clone.url);

    let deploy_key = dir.path().join("deploy");
    generate_key(&deploy_key, "deploy").unwrap();
    let key = std::fs::read_to_string(deploy_key.with_extension("pub")).unwrap();
    sshd.authorize(&key, Access::Read, &host.serve()).unwrap();
    let ssh = format!(
        "core.sshCommand=ssh -F /dev/null -i '{}' -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes -o UserKnownHostsFile='{}'",
        deploy_key.display(),
        host.known_hosts().display()
    );
    let as_deploy_key = |arguments: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.args(["-c", &ssh]).args(arguments).current_dir(clone.dir()).env("GIT_CONFIG_GLOBAL", "/dev/null");
        git.output().unwrap()
    };
    let fetched = as_deploy_key(&["ls-remote", "origin"]);
    assert!(String::from_utf8_lossy(&fetched.stdout).contains(&commit), "{fetched:?}");
    let refused = as_deploy_key(&["push", "origin", "main:other"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("this key may only fetch"), "{refused:?}");
}

#[tokio::test]
async fn local_account_enforces_signatures_until_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path(), Lifetime::Tied).await.unwrap();
    let account = cloud.account.clone();
    account.s3.create_bucket().bucket("here").send().await.unwrap();
    assert!(account.log_lines().await.unwrap().is_empty());

    let other = aws_credential_types::Credentials::new("other", "secret", None, None, "test");
    let config = aws_sdk_s3::config::Builder::from(&account.config).credentials_provider(other).build();
    assert!(aws_sdk_s3::Client::from_conf(config).list_buckets().send().await.is_err());

    drop(cloud);
    assert!(!account.is_ready().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn printed_commands_work_as_shown() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let place = Place { state: dir.path().join("cloud"), description: dir.path().join("local.json") };
    let description = place.up("acme/rocket", &mut Silent).await.unwrap();
    let [(_, push), (_, exports), _] = description.next_steps();
    let infra = built("infra").unwrap();
    // Without the user's own configuration, in one of the user's folders.
    let shell = |line: &str| {
        let mut sh = std::process::Command::new("sh");
        sh.args(["-ec", line]).current_dir(dir.path()).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        sh.env("HOME", dir.path()).env("GIT_CONFIG_SYSTEM", "/dev/null").output().unwrap()
    };
    let pushed = shell(&push);
    let status = shell(&format!("{exports}; {} status", infra.display()));
    place.down().await.unwrap();
    assert!(pushed.status.success(), "{pushed:?}");
    assert!(String::from_utf8_lossy(&pushed.stderr).contains(": 202 "), "{pushed:?}");
    let told = String::from_utf8_lossy(&status.stdout);
    assert!(status.status.success() && told.contains("Stack git2s3 in account"), "{status:?}");
}
