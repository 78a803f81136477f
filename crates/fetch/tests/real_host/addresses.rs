//! What each kind of host is asked for, compared with what git and ssh ask for the same URL.

use std::process::Command;

use contract::{HostKind, Repository};
use fetch::Remote;

use crate::host::SshHost;

/// Clones the URL with real git and ssh. The host is reached on `port` if the URL has none.
fn clone_with_git(host: &SshHost, url: &str, port: Option<u16>) {
    let port = port.map(|port| format!("-p {port}")).unwrap_or_default();
    let key = host.temp.path().join("client_key");
    let ssh = format!(
        "ssh -F none {port} -i '{}' -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
        key.display()
    );
    let mut git = Command::new("git");
    git.args(["ls-remote", "--exit-code", url, "refs/heads/main"]).env("GIT_SSH_COMMAND", ssh);
    let out = git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null").output().unwrap();
    assert!(out.status.success(), "{url}: {}", String::from_utf8_lossy(&out.stderr));
}

#[tokio::test]
async fn fetch_command_matches_git_clone() {
    let host = SshHost::start();
    for (kind, repository, folder) in [
        ("", "hello", "hello.git"),
        ("", "octo/hello", "octo/hello.git"),
        ("=gitlab", "group/sub/hello", "group/sub/hello.git"),
        ("=bitbucket-dc", "~alice/hello", "~alice/hello.git"),
        ("", "gr\u{fc}n & blau/50% $HOME", "gr\u{fc}n & blau/50% $HOME.git"),
        ("=azure", "acme/Our Project/hello", "v3/acme/Our%20Project/hello"),
    ] {
        let commit = host.repository_at(folder).commit("main", &[("a", b"1".to_vec())]);
        let mut request = host.request("refs/heads/main");
        request.remote.host = format!("{}{kind}", host.address()).parse().unwrap();
        request.remote.repository = Repository::new("127.0.0.1".parse().unwrap(), repository.parse().unwrap());
        let fetched = fetch::fetch(&request, &host.clones()).await.unwrap();
        assert_eq!(fetched.commit.to_string(), commit);
        let ours = host.last_command();

        let Remote { host: address, repository: named, spelling, .. } = &request.remote;
        let mut without_port = address.clone();
        without_port.ssh.port = 22;
        clone_with_git(&host, &without_port.ssh_url(&named.path, *spelling), Some(host.port));
        assert_eq!(host.last_command(), ours, "{kind} {repository}");
        if address.kind != Some(HostKind::Azure) {
            clone_with_git(&host, &address.ssh_url(&named.path, *spelling), None);
            assert_eq!(host.last_command(), ours, "{kind} {repository}");
        }
    }
}
