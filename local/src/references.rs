//! The responses of the Git hosts' APIs about a bare repository's default branch and references:
//! the documented fields, filled in with git.

use std::{path::Path, process::Command};

use contract::HostKind;
use serde_json::{Value, json};

/// The response to a request about a repository under `root`. `None` if the API has no such
/// request, or git no such object.
pub(crate) fn answer(kind: HostKind, root: &Path, parts: &[&str], query: &str) -> Option<Value> {
    let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let bare = |path: &str| Bare(root.join(format!("{}.git", path.replace("%2F", "/"))));
    Some(match (kind, parts) {
        (HostKind::GitHub, ["api", "v3", "repos", owner, name])
        | (HostKind::Gitea, ["api", "v1", "repos", owner, name]) => {
            json!({ "default_branch": bare(&format!("{owner}/{name}")).default_branch()? })
        }
        (HostKind::GitHub, ["api", "v3", "repos", owner, name, "commits", reference @ ..]) => {
            let tip = bare(&format!("{owner}/{name}")).tip(&format!("refs/{}", reference.join("/")))?;
            json!({ "sha": tip.commit, "commit": { "message": tip.message, "tree": { "sha": tip.tree } }, "files": [] })
        }
        (HostKind::GitLab, ["api", "v4", "projects", project]) => {
            json!({ "default_branch": bare(project).default_branch()? })
        }
        (HostKind::GitLab, ["api", "v4", "projects", project, "repository", kinds, name]) => {
            let tip = bare(project).tip(&full(kinds, name)?)?;
            json!({ "name": name, "commit": { "id": tip.commit, "message": tip.message } })
        }
        (HostKind::Bitbucket, ["2.0", "repositories", workspace, name]) => {
            json!({ "mainbranch": { "name": bare(&format!("{workspace}/{name}")).default_branch()? } })
        }
        (HostKind::Bitbucket, ["2.0", "repositories", workspace, name, "refs", kinds, reference @ ..]) => {
            let tip = bare(&format!("{workspace}/{name}")).tip(&full(kinds, &reference.join("/"))?)?;
            json!({ "name": reference.join("/"), "target": { "hash": tip.commit, "message": tip.message } })
        }
        (HostKind::BitbucketDataCenter, ["rest", "api", "latest", "projects", project, "repos", name, what]) => {
            let bare = bare(&format!("{project}/{name}"));
            match *what {
                "default-branch" => json!({ "displayId": bare.default_branch()? }),
                "commits" => {
                    let tip = bare.tip(&parameter("until")?.replace("%2F", "/"))?;
                    json!({ "values": [{ "id": tip.commit, "message": tip.message }], "size": 1, "isLastPage": false })
                }
                _ => return None,
            }
        }
        (HostKind::Gitea, ["api", "v1", "repos", owner, name, "branches", branch @ ..]) => {
            let tip = bare(&format!("{owner}/{name}")).tip(&format!("refs/heads/{}", branch.join("/")))?;
            json!({ "name": branch.join("/"), "commit": { "id": tip.commit, "message": tip.message } })
        }
        (HostKind::Gitea, ["api", "v1", "repos", owner, name, "tags", tag @ ..]) => {
            let tip = bare(&format!("{owner}/{name}")).tip(&format!("refs/tags/{}", tag.join("/")))?;
            json!({ "name": tag.join("/"), "id": tip.object, "commit": { "sha": tip.commit } })
        }
        (HostKind::Azure, [organisation, project, "_apis", "git", "repositories", name]) => {
            let default_branch = bare(&format!("{organisation}/{project}/{name}")).default_branch()?;
            json!({ "defaultBranch": format!("refs/heads/{default_branch}") })
        }
        (HostKind::Azure, [organisation, project, "_apis", "git", "repositories", name, "refs"]) => {
            let full = format!("refs/{}", parameter("filter")?.replace("%2F", "/"));
            let Some(tip) = bare(&format!("{organisation}/{project}/{name}")).tip(&full) else {
                return Some(json!({ "value": [], "count": 0 }));
            };
            let mut one = json!({ "name": full, "objectId": tip.object });
            if tip.object != tip.commit {
                one["peeledObjectId"] = json!(tip.commit);
            }
            json!({ "value": [one], "count": 1 })
        }
        _ => return None,
    })
}

fn full(kinds: &str, name: &str) -> Option<String> {
    let folder = match kinds {
        "branches" => "heads",
        "tags" => "tags",
        _ => return None,
    };
    Some(format!("refs/{folder}/{}", name.replace("%2F", "/")))
}

/// A bare repository.
struct Bare(std::path::PathBuf);

/// The target of a reference.
struct Tip {
    object: String,
    commit: String,
    tree: String,
    message: String,
}

impl Bare {
    fn git(&self, arguments: &[&str]) -> Option<String> {
        let mut git = Command::new("git");
        git.arg("--git-dir").arg(&self.0).args(arguments);
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        let output = git.output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim_end().to_owned())
    }

    fn default_branch(&self) -> Option<String> {
        self.git(&["symbolic-ref", "--short", "HEAD"])
    }

    fn tip(&self, reference: &str) -> Option<Tip> {
        let named = |kind: &str| self.git(&["rev-parse", "--verify", "--quiet", &format!("{reference}{kind}")]);
        Some(Tip {
            object: named("")?,
            commit: named("^{commit}")?,
            tree: named("^{tree}")?,
            message: self.git(&["log", "-1", "--format=%B", &format!("{reference}^{{commit}}")])?,
        })
    }
}
