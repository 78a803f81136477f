//! The ground that the end-to-end tests stand on: were the Git host or the account not what they
//! pretend to be, those tests would prove nothing.

use std::path::Path;

use git2s3_tests::cloud::Cloud;
use git2s3_tests::host::Host;
use git2s3_tests::process::Lifetime;
use git2s3_tests::sshd::{Access, Sshd, generate_key};
use git2s3_tests::webhook;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const LOCAL: &str = env!("CARGO_BIN_EXE_local");

/// Takes one HTTP request and accepts it; its head and body.
async fn receive(endpoint: TcpListener) -> (String, Vec<u8>) {
    let (mut stream, _) = endpoint.accept().await.unwrap();
    let mut request = Vec::new();
    loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.unwrap();
        request.extend_from_slice(&part[..read]);
        let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(request[..end].to_vec()).unwrap().to_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse::<usize>().unwrap();
        if request.len() == end + 4 + length {
            stream
                .write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
                .await
                .unwrap();
            return (head, request[end + 4..].to_vec());
        }
    }
}

#[tokio::test]
async fn a_push_over_ssh_sends_a_signed_webhook_and_a_deploy_key_only_fetches() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(dir.path(), Lifetime::Tied).await.unwrap();
    let host = Host::start(dir.path(), Path::new(LOCAL), &sshd).unwrap();
    let clone = host.create("acme/rocket").await.unwrap();

    let endpoint = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    host.report_to(&format!("http://{}/gitpull", endpoint.local_addr().unwrap()), "secret").unwrap();
    let received = tokio::spawn(receive(endpoint));

    std::fs::write(clone.dir().join("a"), "x").unwrap();
    let commit = clone.commit("First").await.unwrap();
    clone.push(&["main"]).await.unwrap();

    let (head, body) = received.await.unwrap();
    assert!(head.contains(&format!("x-hub-signature-256: {}", webhook::signature("secret", &body))), "{head}");
    assert!(head.contains("x-github-event: push") && head.contains("x-github-delivery: "), "{head}");
    let event: serde_json::Value = serde_json::from_slice(&body).unwrap();
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
async fn the_account_is_ready_enforces_signatures_and_ends_with_its_value() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path(), Lifetime::Tied).await.unwrap();
    let account = cloud.account.clone();
    account.s3.create_bucket().bucket("here").send().await.unwrap();
    assert!(account.log_lines().await.unwrap().is_empty());

    let stranger = aws_credential_types::Credentials::new("stranger", "secret", None, None, "test");
    let config = aws_sdk_s3::config::Builder::from(&account.config).credentials_provider(stranger).build();
    assert!(aws_sdk_s3::Client::from_conf(config).list_buckets().send().await.is_err());

    drop(cloud);
    assert!(!account.is_ready().await);
}
