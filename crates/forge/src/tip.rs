//! The current commit of a branch or a tag, as its host reports it. A payload's commit is outdated
//! if the delivery is, and may belong to a fork.
//!
//! - [GitHub](https://docs.github.com/en/rest/commits/commits#get-a-commit), with at most one
//!   changed file
//! - GitLab's [branches](https://docs.gitlab.com/api/branches/) and
//!   [tags](https://docs.gitlab.com/api/tags/)
//! - [Bitbucket Cloud](https://developer.atlassian.com/cloud/bitbucket/rest/api-group-refs/)
//! - [Bitbucket Data Center](https://developer.atlassian.com/server/bitbucket/rest/): the last
//!   commit until the reference, because since version 2.11 a single commit can't be requested by
//!   reference
//! - [Gitea](https://docs.gitea.com/api/)'s and Forgejo's branches and tags
//! - [Azure DevOps](https://learn.microsoft.com/en-us/rest/api/azure/devops/git/refs/list),
//!   annotated tags peeled

use contract::{
    CommitId, HostKind, RefName, RepositoryPath,
    url_path::{self, segment},
};
use serde_json::Value;

use crate::archive_url::ArchiveApi;

/// What a reference names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// The commit. For an annotated tag, the tagged commit.
    pub commit: CommitId,
    /// The ID of the commit's tree in hexadecimal, if the host returns it: GitHub does.
    pub tree: Option<String>,
    /// The commit's message, if the host returns it: all except Azure DevOps do.
    pub message: Option<String>,
    /// The IDs of the commit's parents in order, if the host returns them: GitHub, GitLab and both
    /// Bitbuckets do.
    pub parents: Option<Vec<CommitId>>,
    /// When the author wrote the commit, if the host returns it: GitHub, GitLab, Bitbucket Data
    /// Center, and of branches Gitea do. Bitbucket Cloud doesn't say whose date it returns.
    pub author_time: Option<AuthorTime>,
}

/// A time as a host writes it. It hasn't been validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorTime {
    /// ISO 8601.
    Text(String),
    /// Milliseconds since 1970.
    Milliseconds(i64),
}

/// The host's response isn't what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the response doesn't say what the reference names")]
pub struct TipError;

/// The JSON pointers to the fields of a response.
struct Pointers {
    commit: &'static str,
    tree: &'static str,
    message: &'static str,
    /// The list of parents, and the ID in each of them.
    parents: [&'static str; 2],
    author_time: &'static str,
}

/// For a field that the response lacks.
const NOWHERE: &str = "/-";

/// A response that names nothing but a commit.
const ONLY_COMMIT: Pointers =
    Pointers { commit: "/commit/sha", tree: NOWHERE, message: NOWHERE, parents: [NOWHERE; 2], author_time: NOWHERE };

impl ArchiveApi<'_> {
    /// The URL of a JSON document about the reference.
    pub fn tip(&self, repository: &RepositoryPath, reference: &RefName) -> String {
        let base = self.base();
        let repository = self.repository(repository);
        let short = reference.short();
        let (kind, kinds) = if reference.tag().is_some() { ("tags", "tags") } else { ("heads", "branches") };
        match self.kind {
            HostKind::GitHub => {
                format!("{base}/repos/{repository}/commits/{kind}/{}?per_page=1", url_path::encoded(short))
            }
            HostKind::GitLab => format!("{base}/projects/{repository}/repository/{kinds}/{}", segment(short)),
            HostKind::Bitbucket => format!("{}/refs/{kinds}/{}", self.bitbucket(&repository), url_path::encoded(short)),
            HostKind::BitbucketDataCenter => {
                format!("{base}/{repository}/commits?until={}&limit=1", segment(reference.as_str()))
            }
            HostKind::Gitea => format!("{base}/repos/{repository}/{kinds}/{}", url_path::encoded(short)),
            HostKind::Azure => {
                let filter = segment(&format!("{kind}/{short}"));
                format!("{base}/{repository}/refs?filter={filter}&peelTags=true&api-version=7.1")
            }
        }
    }

    /// Parses the response to [`tip`](Self::tip). `None` if the host has no such reference.
    ///
    /// # Errors
    /// The response has another format.
    pub fn read_tip(&self, reference: &RefName, answer: &Value) -> Result<Option<Tip>, TipError> {
        let is_tag = reference.tag().is_some();
        let (at, pointers) = match self.kind {
            HostKind::GitHub => {
                let commit = Pointers {
                    commit: "/sha",
                    tree: "/commit/tree/sha",
                    message: "/commit/message",
                    parents: ["/parents", "/sha"],
                    author_time: "/commit/author/date",
                };
                (answer, commit)
            }
            HostKind::Gitea if is_tag => (answer, ONLY_COMMIT),
            HostKind::Gitea => {
                let branch = Pointers {
                    commit: "/commit/id",
                    message: "/commit/message",
                    // The author's, by `ToPayloadCommit` in Gitea's services/convert.
                    author_time: "/commit/timestamp",
                    ..ONLY_COMMIT
                };
                (answer, branch)
            }
            HostKind::GitLab => {
                let reference = Pointers {
                    commit: "/commit/id",
                    message: "/commit/message",
                    parents: ["/commit/parent_ids", ""],
                    author_time: "/commit/authored_date",
                    ..ONLY_COMMIT
                };
                (answer, reference)
            }
            HostKind::Bitbucket => {
                let reference = Pointers {
                    commit: "/target/hash",
                    message: "/target/message",
                    parents: ["/target/parents", "/hash"],
                    ..ONLY_COMMIT
                };
                (answer, reference)
            }
            HostKind::BitbucketDataCenter => {
                let Some(last) = list(answer, "values")?.first() else { return Ok(None) };
                let commit = Pointers {
                    commit: "/id",
                    message: "/message",
                    parents: ["/parents", "/id"],
                    author_time: "/authorTimestamp",
                    ..ONLY_COMMIT
                };
                (last, commit)
            }
            HostKind::Azure => {
                // The filter matches prefixes: the response may contain references with longer
                // names.
                let is_own = |one: &&Value| one.get("name").and_then(Value::as_str) == Some(reference.as_str());
                let Some(own) = list(answer, "value")?.iter().find(is_own) else { return Ok(None) };
                let commit = if own.get("peeledObjectId").is_some() { "/peeledObjectId" } else { "/objectId" };
                (own, Pointers { commit, ..ONLY_COMMIT })
            }
        };
        let text = |pointer| at.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let id = |pointer| text(pointer).and_then(|id| CommitId::try_from(id).ok());
        let commit = id(pointers.commit).ok_or(TipError)?;
        Ok(Some(Tip {
            commit,
            tree: id(pointers.tree).map(String::from),
            message: text(pointers.message),
            parents: parents(at, pointers.parents),
            author_time: at.pointer(pointers.author_time).and_then(AuthorTime::read),
        }))
    }
}

/// The parents, unless one of them isn't an ID.
fn parents(at: &Value, [list, id]: [&str; 2]) -> Option<Vec<CommitId>> {
    let parents = at.pointer(list)?.as_array()?.iter();
    parents.map(|parent| CommitId::try_from(parent.pointer(id)?.as_str()?.to_owned()).ok()).collect()
}

impl AuthorTime {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            number => number.as_i64().map(Self::Milliseconds),
        }
    }
}

fn list<'a>(answer: &'a Value, name: &str) -> Result<&'a [Value], TipError> {
    answer.get(name).and_then(Value::as_array).map(Vec::as_slice).ok_or(TipError)
}

#[cfg(test)]
mod tests {
    use contract::AllowedHost;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const HOSTS: [&str; 6] =
        ["github.com", "gitlab.com", "bitbucket.org", "git.example=bitbucket-dc", "codeberg.org", "dev.azure.com"];

    fn with<T>(entry: &str, act: impl FnOnce(ArchiveApi<'_>) -> T) -> T {
        let host: AllowedHost = entry.parse().unwrap();
        act(ArchiveApi { host: &host, kind: host.kind.unwrap() })
    }

    fn url(entry: &str, repository: &str, reference: &str) -> String {
        with(entry, |api| api.tip(&repository.parse().unwrap(), &reference.parse().unwrap()))
    }

    #[test]
    fn every_hosts_url_of_a_reference() {
        let check = |entry, repository, branch: &str, tag: &str| {
            assert_eq!(url(entry, repository, "refs/heads/a/b"), branch);
            assert_eq!(url(entry, repository, "refs/tags/v1"), tag);
        };
        check(
            "github.com",
            "o/r",
            "https://api.github.com/repos/o/r/commits/heads/a/b?per_page=1",
            "https://api.github.com/repos/o/r/commits/tags/v1?per_page=1",
        );
        check(
            "gitlab.com",
            "g/s/r",
            "https://gitlab.com/api/v4/projects/g%2Fs%2Fr/repository/branches/a%2Fb",
            "https://gitlab.com/api/v4/projects/g%2Fs%2Fr/repository/tags/v1",
        );
        check(
            "bitbucket.org",
            "w/r",
            "https://api.bitbucket.org/2.0/repositories/w/r/refs/branches/a/b",
            "https://api.bitbucket.org/2.0/repositories/w/r/refs/tags/v1",
        );
        check(
            "git.example=bitbucket-dc",
            "PROJ/r",
            "https://git.example/rest/api/latest/projects/PROJ/repos/r/commits?until=refs%2Fheads%2Fa%2Fb&limit=1",
            "https://git.example/rest/api/latest/projects/PROJ/repos/r/commits?until=refs%2Ftags%2Fv1&limit=1",
        );
        check(
            "codeberg.org",
            "o/r",
            "https://codeberg.org/api/v1/repos/o/r/branches/a/b",
            "https://codeberg.org/api/v1/repos/o/r/tags/v1",
        );
        check(
            "dev.azure.com",
            "acme/Web/r",
            "https://dev.azure.com/acme/Web/_apis/git/repositories/r/refs?filter=heads%2Fa%2Fb&peelTags=true&api-version=7.1",
            "https://dev.azure.com/acme/Web/_apis/git/repositories/r/refs?filter=tags%2Fv1&peelTags=true&api-version=7.1",
        );
    }

    #[test]
    fn a_reference_stays_within_its_place() {
        for (entry, parameters) in HOSTS.into_iter().zip([1, 0, 0, 2, 0, 3]) {
            let url = url(entry, "o/p/r", "refs/heads/a/b&e#f%2F%00");
            assert!(url.contains("b%26e%23f%252F%2500"), "{url}");
            assert_eq!(url.split_once('?').map_or(0, |(_, query)| query.split('&').count()), parameters, "{url}");
        }
    }

    #[test]
    fn each_hosts_answer_is_read() {
        let (id, tree) = ("a".repeat(40), "b".repeat(40));
        let check = |entry: &str, reference: &str, answer: Value, has_tree: bool, message: Option<&str>| {
            let tip = with(entry, |api| api.read_tip(&reference.parse().unwrap(), &answer));
            let expected = Tip {
                commit: id.parse().unwrap(),
                tree: has_tree.then(|| tree.clone()),
                message: message.map(str::to_owned),
                parents: None,
                author_time: None,
            };
            assert_eq!(tip, Ok(Some(expected)), "{entry} {reference}");
        };
        let (branch, tag) = ("refs/heads/main", "refs/tags/v1");
        for reference in [branch, tag] {
            let commit = json!({ "sha": id, "commit": { "message": "Fix", "tree": { "sha": tree } }, "files": [] });
            check("github.com", reference, commit, true, Some("Fix"));
            let commit = json!({ "name": "x", "commit": { "id": id, "message": "Fix" }, "target": "c".repeat(40) });
            check("gitlab.com", reference, commit, false, Some("Fix"));
            let commit = json!({ "name": "x", "target": { "hash": id, "message": "Fix" } });
            check("bitbucket.org", reference, commit, false, Some("Fix"));
            let commits = json!({ "values": [{ "id": id, "message": "Fix" }], "isLastPage": false });
            check("git.example=bitbucket-dc", reference, commits, false, Some("Fix"));
        }
        check("codeberg.org", branch, json!({ "commit": { "id": id, "message": "Fix" } }), false, Some("Fix"));
        check(
            "codeberg.org",
            tag,
            json!({ "id": "c".repeat(40), "message": "v1", "commit": { "sha": id } }),
            false,
            None,
        );
        let refs =
            json!({ "value": [{ "name": "refs/heads/main2", "objectId": tree }, { "name": branch, "objectId": id }] });
        check("dev.azure.com", branch, refs, false, None);
        let refs = json!({ "value": [{ "name": tag, "objectId": tree, "peeledObjectId": id }] });
        check("dev.azure.com", tag, refs, false, None);
    }

    #[test]
    fn commits_origin_is_read_if_told() {
        let id = |digit: char| digit.to_string().repeat(40);
        let text = |time: &str| Some(AuthorTime::Text(time.to_owned()));
        let check = |entry: &str, answer: &Value, has_parents: bool, time: Option<AuthorTime>| {
            let tip = with(entry, |api| api.read_tip(&"refs/heads/main".parse().unwrap(), answer)).unwrap().unwrap();
            let expected = has_parents.then(|| vec![id('b').parse().unwrap(), id('c').parse().unwrap()]);
            assert_eq!((tip.parents, tip.author_time), (expected, time), "{entry}");
        };
        let parents = |name: &str| json!([{ name: id('b'), "url": "x" }, { name: id('c') }]);
        let github = json!({
            "sha": id('a'), "parents": parents("sha"), "commit": { "author": { "date": "2011-04-14T16:00:49Z" } },
        });
        check("github.com", &github, true, text("2011-04-14T16:00:49Z"));
        let commit = json!({
            "id": id('a'), "parent_ids": [id('b'), id('c')], "authored_date": "2012-06-27T05:51:39-07:00",
            "committed_date": "2012-06-28T03:44:20-07:00", "timestamp": "2012-06-27T05:51:39+02:00",
        });
        check("gitlab.com", &json!({ "commit": commit }), true, text("2012-06-27T05:51:39-07:00"));
        check("codeberg.org", &json!({ "commit": commit }), false, text("2012-06-27T05:51:39+02:00"));
        let target = json!({ "hash": id('a'), "parents": parents("hash"), "date": "2012-06-27T05:51:39+00:00" });
        check("bitbucket.org", &json!({ "target": target }), true, None);
        let last = json!({ "id": id('a'), "parents": parents("id"), "authorTimestamp": 1_449_075_830_000_i64 });
        let time = Some(AuthorTime::Milliseconds(1_449_075_830_000));
        check("git.example=bitbucket-dc", &json!({ "values": [last] }), true, time);
        // What isn't an ID is none.
        let broken = json!({ "sha": id('a'), "parents": [{ "sha": "x" }], "commit": { "author": { "date": null } } });
        check("github.com", &broken, false, None);
        let first = json!({ "sha": id('a'), "parents": [] });
        let tip = with("github.com", |api| api.read_tip(&"refs/heads/main".parse().unwrap(), &first));
        assert_eq!(tip.unwrap().unwrap().parents, Some(Vec::new()));
    }

    #[test]
    fn the_hosts_own_examples_are_read() {
        let check = |entry: &str, answer: Value, commit: &str, tree: Option<&str>, message: &str| {
            let tip = with(entry, |api| api.read_tip(&"refs/heads/master".parse().unwrap(), &answer)).unwrap().unwrap();
            assert_eq!(
                (tip.commit.as_str(), tip.tree.as_deref(), tip.message.as_deref()),
                (commit, tree, Some(message))
            );
        };
        // `components.examples.commit` of GitHub's OpenAPI description (npm @octokit/openapi
        // 23.0.2).
        let octocat = "6dcb09b5b57875f334f61aebed695e2e4193db5e";
        let github = json!({
            "url": "https://api.github.com/repos/octocat/Hello-World/commits/6dcb09b5b57875f334f61aebed695e2e4193db5e",
            "sha": octocat,
            "commit": {
                "author": { "name": "Monalisa Octocat", "email": "mona@github.com", "date": "2011-04-14T16:00:49Z" },
                "message": "Fix all the bugs",
                "tree": {
                    "url": "https://api.github.com/repos/octocat/Hello-World/tree/6dcb09b5b57875f334f61aebed695e2e4193db5e",
                    "sha": octocat,
                },
                "comment_count": 0,
            },
            "files": [{ "filename": "file1.txt", "additions": 10, "patch": "@@ -29,7 +29,7 @@\n....." }],
        });
        check("github.com", github, octocat, Some(octocat), "Fix all the bugs");
        // GitLab's documentation of "Get single repository branch" (testdata/get_branch.json of
        // go-gitlab).
        let gitlab = json!({
            "name": "master", "merged": false, "protected": true, "default": true,
            "commit": {
                "id": "7b5c3cc8be40ee161ae89a06bba6229da1032a0c", "short_id": "7b5c3cc", "title": "add projects API",
                "message": "add projects API", "parent_ids": ["4ad91d3c1144c406e50c7b33bae684bd6837faf8"],
            },
        });
        check("gitlab.com", gitlab, "7b5c3cc8be40ee161ae89a06bba6229da1032a0c", None, "add projects API");
    }

    #[test]
    fn malformed_answer_differs_from_missing_reference() {
        let read =
            |entry: &str, answer: &Value| with(entry, |api| api.read_tip(&"refs/heads/main".parse().unwrap(), answer));
        let longer = json!({ "value": [{ "name": "refs/heads/main2", "objectId": "a".repeat(40) }] });
        assert_eq!(read("dev.azure.com", &longer), Ok(None));
        assert_eq!(read("git.example=bitbucket-dc", &json!({ "values": [] })), Ok(None));
        for entry in HOSTS {
            for answer in
                [json!({}), json!([]), json!(null), json!({ "sha": "HEAD", "commit": { "id": 1 }, "values": 1 })]
            {
                assert_eq!(read(entry, &answer), Err(TipError), "{entry} {answer}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_reference_leads_to_another_place(name in "[a-z./?&#%~^: @\\\\-]{1,24}") {
            if let Ok(reference) = format!("refs/heads/{name}").parse() {
                for entry in HOSTS {
                    let of = |reference: &RefName| with(entry, |api| api.tip(&"o/p/r".parse().unwrap(), reference));
                    let (plain, url) = (of(&"refs/heads/x".parse().unwrap()), of(&reference));
                    let count = |url: &str, sign: char| url.matches(sign).count();
                    prop_assert!(!url.contains("/../") && !url.contains("/./"), "{url}");
                    prop_assert_eq!(["?", "&", "#", "@", ":"].map(|sign| url.matches(sign).count()), ["?", "&", "#", "@", ":"].map(|sign| plain.matches(sign).count()));
                    prop_assert!(count(&url, '/') >= count(&plain, '/'));
                }
            }
        }
    }
}
