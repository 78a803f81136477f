//! Names from a payload, a `.gitmodules` or a configuration: each is refused, or escapes nowhere
//! and is unchanged after it is formatted and parsed again.

use contract::{
    AllowedHosts, CommitId, DeliveryId, HostName, Location, PathSpelling, RefName, Repository, RepositoryPath,
};

use crate::events::leads_astray;

/// The input is the text, parsed as each kind of name.
pub fn names(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(reference) = text.parse::<RefName>() {
        assert!(!leads_astray(&text) && text.len() <= RefName::MAX_BYTES, "{text}");
        assert!(reference.branch().is_some() != reference.tag().is_some());
        assert!(!text.split('/').any(|part| part.starts_with('.')), "{text}");
    }
    if let Ok(id) = text.parse::<CommitId>() {
        assert!(matches!(id.as_str().len(), 40 | 64) && text.bytes().any(|byte| byte != b'0'));
    }
    if let Ok(id) = text.parse::<DeliveryId>() {
        assert!(id.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
    }
    if let Ok(host) = text.parse::<HostName>() {
        assert!(!host.as_str().starts_with('-') && !host.as_str().contains(['/', '@', ':']), "{host}");
    }
    if let Ok(path) = text.parse::<RepositoryPath>() {
        stays(&path);
    }
    let host = "git.example ssh=git@ssh.example:2222/srv web=https://www.example/git".parse().unwrap();
    if let Ok(Location { repository, .. }) = forge::location(&text, &host) {
        stays(&repository.path);
        assert!(repository.host.as_str().parse::<HostName>().is_ok());
    }
    if let Ok(hosts) = text.parse::<AllowedHosts>() {
        for host in hosts.iter() {
            assert!(!host.ssh.user.starts_with('-') && host.ssh.port != 0 && host.web.port != 0, "{text}");
            for path in [&host.ssh.folder, &host.web.path] {
                assert!(path.is_empty() || !leads_astray(path.trim_start_matches('/')), "{text}");
            }
        }
    }
}

/// An accepted path is the same after a round trip through the URL that Git would use.
fn stays(path: &RepositoryPath) {
    assert!(!leads_astray(path.as_str()) && !path.as_str().contains(['"', '\\', '`']), "{path}");
    let hosts = "git.example:7999".parse::<AllowedHosts>().unwrap();
    let (host, spelling) = (hosts.first().unwrap(), PathSpelling::default());
    // In quotation marks, with those inside escaped.
    let argument = host.ssh_argument(path, spelling).replace(r"'\''", "");
    assert_eq!(argument.matches('\'').count(), 2, "{argument}");
    let repository = Repository::new(host.host.clone(), path.clone());
    // Characters that a URL can't contain are encoded, and aren't decoded by the rules of this
    // host.
    if path.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte)) {
        let found = forge::location(&host.ssh_url(path, spelling), &hosts).unwrap();
        assert_eq!(found.repository, repository);
    }
}
