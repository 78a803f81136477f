//! What shows a host a token when Git fetches over HTTPS. The forms are those of `git clone`, and
//! not those of the host's API (see [`crate::ArchiveApi`]).
//!
//! - [GitHub](https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation):
//!   any user, `x-access-token` for an App's token
//! - [GitLab](https://docs.gitlab.com/user/profile/personal_access_tokens/): any user, `oauth2` for
//!   a token of OAuth; a [deploy token](https://docs.gitlab.com/user/project/deploy_tokens/) has its
//!   own
//! - [Bitbucket Cloud](https://support.atlassian.com/bitbucket-cloud/docs/using-access-tokens/):
//!   `x-token-auth`
//! - [Bitbucket Data
//!   Center](https://confluence.atlassian.com/bitbucketserver/http-access-tokens-939515499.html): a
//!   bearer token, without a user
//! - [Gitea](https://docs.gitea.com/development/api-usage) and Forgejo: any user
//! - [Azure
//!   DevOps](https://learn.microsoft.com/en-us/azure/devops/organizations/accounts/use-personal-access-tokens-to-authenticate):
//!   an empty user

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::HostKind;

/// The value of the header `Authorization` for a token. One of the form `user:token` is used as it
/// is: no host's tokens contain a colon.
pub fn git_authorization(kind: Option<HostKind>, token: &str) -> String {
    let user = match kind {
        _ if token.contains(':') => return basic(token),
        Some(HostKind::BitbucketDataCenter) => return format!("Bearer {token}"),
        Some(HostKind::GitHub) => "x-access-token",
        Some(HostKind::GitLab) => "oauth2",
        Some(HostKind::Bitbucket) => "x-token-auth",
        Some(HostKind::Azure) => "",
        Some(HostKind::Gitea) | None => "git",
    };
    basic(&format!("{user}:{token}"))
}

/// Basic authentication with a user, a colon and a token.
pub(crate) fn basic(user_and_token: &str) -> String {
    format!("Basic {}", STANDARD.encode(user_and_token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_use_each_hosts_form() {
        let check = |kind, token: &str, expected: &str| {
            let value = git_authorization(kind, token);
            let decoded = value.strip_prefix("Basic ").map(|text| STANDARD.decode(text).unwrap());
            let shown = decoded.map_or(value, |text| format!("Basic {}", String::from_utf8(text).unwrap()));
            assert_eq!(shown, expected);
        };
        check(Some(HostKind::GitHub), "ghs_1", "Basic x-access-token:ghs_1");
        check(Some(HostKind::GitLab), "glpat-1", "Basic oauth2:glpat-1");
        check(Some(HostKind::GitLab), "gitlab+deploy-token-1:gldt-1", "Basic gitlab+deploy-token-1:gldt-1");
        check(Some(HostKind::Bitbucket), "ATCTT1", "Basic x-token-auth:ATCTT1");
        check(Some(HostKind::BitbucketDataCenter), "BBDC-1", "Bearer BBDC-1");
        check(Some(HostKind::BitbucketDataCenter), "alice:BBDC-1", "Basic alice:BBDC-1");
        check(Some(HostKind::Gitea), "1", "Basic git:1");
        check(Some(HostKind::Azure), "pat", "Basic :pat");
        check(None, "1", "Basic git:1");
        check(None, "key:secret", "Basic key:secret");
    }
}
