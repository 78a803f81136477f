//! The steps at the Git hosts after a deployment, with the stack's values filled in.

use contract::{AllowedHosts, HostKind};

use deployment::deploy::Description;
use deployment::render::shown::Shown;
use deployment::typed::typed;

/// The names of the settings at hosts of a kind.
struct Places {
    webhook: &'static str,
    /// What to choose there, beside URL and secret.
    choose: &'static str,
    key: &'static str,
}

fn places(kind: Option<HostKind>) -> Places {
    let (webhook, choose, key) = match kind {
        Some(HostKind::GitHub) => (
            "Settings → Webhooks → Add webhook",
            "content type application/json, just the push event",
            "Settings → Deploy keys, without write access",
        ),
        Some(HostKind::GitLab) => (
            "Settings → Webhooks",
            "push events and tag push events",
            "Settings → Repository → Deploy keys, without write permissions",
        ),
        Some(HostKind::Bitbucket) => {
            ("Repository settings → Webhooks", "the trigger \"Repository push\"", "Repository settings → Access keys")
        }
        Some(HostKind::BitbucketDataCenter) => {
            ("Repository settings → Webhooks", "the event \"Repository: Push\"", "Repository settings → Access keys")
        }
        Some(HostKind::Gitea) => (
            "Settings → Webhooks → Gitea (or Forgejo)",
            "application/json, push and delete events",
            "Settings → Deploy keys",
        ),
        Some(HostKind::Azure) => (
            "Project settings → Service hooks → Web Hooks",
            "the trigger \"Code pushed\", basic authentication, of which the secret is the password",
            "User settings → SSH public keys, of a user who may only read",
        ),
        None => (
            "the webhooks of the repository",
            "JSON as GitHub or Gogs sends it, push, create and delete events",
            "its deploy keys",
        ),
    };
    Places { webhook, choose, key }
}

/// The steps that connect repositories, for each allowed host; empty for a stack that isn't ours.
pub fn steps(stack: &Description) -> Shown {
    let mut shown = Shown::default();
    let output = |name: &str| stack.outputs.get(name).map(String::as_str);
    let (Some(url), Some(key)) = (output("GitPullWebHookApi"), output("PublicSSHKey")) else { return shown };
    let hosts = stack.parameters.get("AllowedGitHosts").map(String::as_str).unwrap_or_default();
    let hosts: AllowedHosts = hosts.parse().unwrap_or_default();
    let over_https = stack.parameters.get("FetchOver").is_some_and(|way| way == "https");
    let mut line = |text: &str| {
        shown.add(text);
        shown.end_line();
    };
    let [connect, logs, status] = ["connect HOST/OWNER/NAME", "logs --follow", "status"].map(typed);
    line(&format!("Next, for each repository: {connect}, or by hand:"));
    for host in hosts.iter() {
        let Places { webhook, choose, key: keys } = places(host.kind);
        let product = host.kind.map(|kind| format!(" ({})", kind.product())).unwrap_or_default();
        line(&format!("  {}{product}", host.host));
        line(&format!("    1. {webhook}: the URL below, the secret that stands in ApiSecret, {choose}"));
        if over_https {
            line(&format!(
                "    2. a private one: a token for {0} that may read it, as {0}=TOKEN in GitToken",
                host.host
            ));
        } else {
            line(&format!("    2. {keys}: the key below"));
        }
    }
    line(&format!("  URL  {url}"));
    if !over_https {
        line(&format!("  key  {}", key.trim()));
    }
    if let Some(url) = output("ZipDownloadWebHookApi") {
        line(if over_https {
            "  To download archives, and fetch nothing, another URL:"
        } else {
            "  To download archives, and fetch nothing over SSH, another URL, and GitToken for private repositories instead of the key:"
        });
        line(&format!("  URL  {url}"));
    }
    line(&format!("Then push: {logs} tells what becomes of it, {status} shows the zip."));
    shown
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn stack(hosts: &str) -> Description {
        let texts = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        Description {
            status: "CREATE_COMPLETE".to_owned(),
            parameters: texts(&[("AllowedGitHosts", hosts)]),
            tags: BTreeMap::new(),
            outputs: texts(&[
                ("GitPullWebHookApi", "https://a1.execute-api.eu-central-1.amazonaws.com/Prod/gitpull"),
                ("PublicSSHKey", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBb3 git2s3\n"),
                ("ZipDownloadWebHookApi", "https://a1.execute-api.eu-central-1.amazonaws.com/Prod/zipdl"),
            ]),
        }
    }

    #[test]
    fn each_host_says_where_to_paste() {
        insta::assert_snapshot!(steps(&stack("github.com, git.example.com kind=gitlab, git.other.example")).plain());
    }

    #[test]
    fn https_asks_for_token_not_key() {
        let mut stack = stack("github.com, git.example.com kind=gitlab");
        stack.parameters.insert("FetchOver".to_owned(), "https".to_owned());
        let told = steps(&stack).plain();
        assert!(told.contains("git.example.com=TOKEN in GitToken") && !told.contains("ssh-ed25519"), "{told}");
    }

    #[test]
    fn every_host_kind_shows_webhook_location() {
        for kind in HostKind::ALL {
            let told = steps(&stack(&format!("git.example.com kind={}", kind.name()))).plain();
            assert!(told.contains(places(Some(kind)).webhook) && told.contains(kind.product()), "{told}");
        }
    }

    #[test]
    fn unrelated_stack_has_no_steps() {
        let other = Description { outputs: BTreeMap::new(), ..stack("github.com") };
        assert!(steps(&other).is_empty());
    }
}
