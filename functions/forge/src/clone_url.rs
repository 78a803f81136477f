//! Which repository a clone URL names. Only the host and the path of it count: scheme, user and port come
//! from the configuration, never from a payload.

use contract::{
    Host, Repository, RepositoryPath,
    repository::{HostError, RepositoryPathError},
};
use gix_url::Scheme;
use percent_encoding::percent_decode_str;

/// Why a text isn't a clone URL. It doesn't hold the URL, which may have a password in it.
#[derive(Debug, thiserror::Error)]
pub enum CloneUrlError {
    /// Git wouldn't take it for a URL.
    #[error("the clone URL is malformed")]
    Malformed,
    /// It isn't one of SSH or HTTP.
    #[error("the clone URL is neither SSH nor HTTP")]
    Scheme,
    /// It has no host, or an unusable one.
    #[error("the host of the clone URL is unusable")]
    Host(#[source] HostError),
    /// Its path isn't a repository's.
    #[error("the path of the clone URL is unusable")]
    Path(#[source] RepositoryPathError),
}

/// Reads `ssh://git@host:22/owner/name.git`, `git@host:owner/name.git` or `https://host/owner/name.git`.
///
/// # Errors
/// It isn't one of these, or names something that can't be a repository.
pub fn repository(url: &str) -> Result<Repository, CloneUrlError> {
    let url = gix_url::parse(url).map_err(|_| CloneUrlError::Malformed)?;
    if !matches!(url.scheme, Scheme::Ssh | Scheme::Http | Scheme::Https) {
        return Err(CloneUrlError::Scheme);
    }
    let host = url.host.unwrap_or_default().to_ascii_lowercase();
    let host = Host::try_from(host).map_err(CloneUrlError::Host)?;
    let path = String::from_utf8(url.path.into()).map_err(|_| CloneUrlError::Malformed)?;
    let path = path.strip_prefix('/').unwrap_or(&path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = path.strip_suffix(".git").unwrap_or(path);
    let (host, path) = of_azure(&host, path).unwrap_or_else(|| (host, path.to_owned()));
    let path: RepositoryPath = path.parse().map_err(CloneUrlError::Path)?;
    Ok(Repository::new(host, path))
}

/// Azure DevOps names a repository `organisation/project/name` by each of its URLs, but never just so.
fn of_azure(host: &Host, path: &str) -> Option<(Host, String)> {
    let path = match host.as_str() {
        "ssh.dev.azure.com" => percent_decode_str(path.strip_prefix("v3/")?).decode_utf8().ok()?.into_owned(),
        "dev.azure.com" => match path.split_once("/_git/")? {
            // The first repository of a project bears its name.
            (organisation, name) if !organisation.contains('/') => format!("{organisation}/{name}/{name}"),
            (project, name) => format!("{project}/{name}"),
        },
        _ => return None,
    };
    Some(("dev.azure.com".parse().ok()?, path))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn host_and_path_are_read_and_nothing_else() {
        let check = |url: &str, name: &str| assert_eq!(repository(url).unwrap().to_string(), name, "{url}");
        check("git@github.com:octo/hello.git", "github.com/octo/hello");
        check("ssh://git@GitHub.com:2222/octo/hello.git", "github.com/octo/hello");
        check("https://user:token@github.com/octo/hello.git", "github.com/octo/hello");
        check("http://127.0.0.1:3000/octo/hello", "127.0.0.1/octo/hello");
        check("https://bitbucket.org/team/hello/", "bitbucket.org/team/hello");
        check("git@gitlab.com:group/sub/name.git", "gitlab.com/group/sub/name");
        check("ssh://git@git.example:7999/~alice/hello.git", "git.example/~alice/hello");
        check("ssh://git@git.example/hello.git", "git.example/hello");
        check("github.com:octo/hello.git", "github.com/octo/hello");
        check("git@github.com:octo/-hello", "github.com/octo/-hello");
        check("git@git.example:octo/it's.git", "git.example/octo/it's");
        check("git@ssh.dev.azure.com:v3/acme/Bob%27s/hello", "dev.azure.com/acme/Bob's/hello");
    }

    #[test]
    fn all_urls_of_azure_devops_name_the_same_repository() {
        let check = |url: &str, name: &str| assert_eq!(repository(url).unwrap().to_string(), name, "{url}");
        let hello = "dev.azure.com/acme/Our Project/hello";
        check("git@ssh.dev.azure.com:v3/acme/Our%20Project/hello", hello);
        check("ssh://git@ssh.dev.azure.com/v3/acme/Our%20Project/hello", hello);
        check("https://acme@dev.azure.com/acme/Our%20Project/_git/hello", hello);
        check("https://dev.azure.com/acme/_git/hello", "dev.azure.com/acme/hello/hello");
    }

    #[test]
    fn anything_else_is_refused() {
        for url in [
            "",
            "hello",
            "/srv/git/hello.git",
            "file:///srv/git/hello.git",
            "git://github.com/octo/hello.git",
            "ext::sh -c id",
            "ext://sh",
            "foo::https://github.com/octo/hello",
            "https:///octo/hello",
            "https://github.com",
            "https://github.com/",
            "https://github.com/octo/../victim/hello",
            "https://github.com/octo/..%2f..%2fvictim/hello",
            "ssh://git@-oProxyCommand=id/octo/hello",
            "git@github.com:-octo/hello",
            "git@github.com:octo/he`llo",
            "https://[::1]/octo/hello",
            "https://github.com/octo/hello?x=1",
            "git@ssh.dev.azure.com:v3/acme/%2e%2e/hello",
            "git@ssh.dev.azure.com:v3/acme/x%22/hello",
        ] {
            assert!(repository(url).is_err(), "{url}: {:?}", repository(url));
        }
    }

    #[test]
    fn an_error_does_not_repeat_the_url() {
        let error = repository("https://user:hunter2@github.com:port/octo/hello").unwrap_err();
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn no_text_panics(url in "\\PC{0,60}") {
            drop(repository(&url));
        }

        #[test]
        fn no_url_escapes(url in "(ssh|https|git)(://|@)[a-z.@:/%~-]{0,40}") {
            if let Ok(repository) = repository(&url) {
                prop_assert!(repository.path.as_str().split('/').all(|part| !matches!(part, "" | "." | "..")));
            }
        }
    }
}
