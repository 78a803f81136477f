//! Names that a payload, a `.gitmodules` or a configuration brings: each is refused, or is one that leads nowhere else and
//! stays what it is when it is written and read again.

use contract::{AllowedHosts, CommitId, DeliveryId, Host, RefName, Repository, RepositoryPath};

use crate::events::leads_astray;

/// The input is the text, read as each of them.
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
    if let Ok(host) = text.parse::<Host>() {
        assert!(!host.as_str().starts_with('-') && !host.as_str().contains(['/', '@', ':']), "{host}");
    }
    if let Ok(path) = text.parse::<RepositoryPath>() {
        stays(&path);
    }
    if let Ok(repository) = forge::repository_of_url(&text) {
        stays(&repository.path);
        assert!(repository.host.as_str().parse::<Host>().is_ok());
    }
    if let Ok(hosts) = text.parse::<AllowedHosts>() {
        for host in hosts.iter() {
            assert!(!host.user.starts_with('-') && host.port != 0 && host.https_port != 0, "{text}");
        }
    }
}

/// A path that was accepted is the same by way of the URL that Git would use.
fn stays(path: &RepositoryPath) {
    assert!(!leads_astray(path.as_str()) && !path.as_str().contains(['"', '\\', '`']), "{path}");
    let host = "git.example:7999".parse::<contract::AllowedHost>().unwrap();
    // Between quotation marks, and each within it escaped.
    let argument = host.ssh_argument(path).replace(r"'\''", "");
    assert_eq!(argument.matches('\'').count(), 2, "{argument}");
    let repository = Repository::new(host.host.clone(), path.clone());
    // What a URL can't say as it is comes encoded, and isn't read back by the rules of this host.
    if path.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte)) {
        assert_eq!(forge::repository_of_url(&host.ssh_url(path)).unwrap(), repository);
    }
}
