//! The queue message: what to fetch and where to store it. It never contains the payload.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    git::{CommitId, RefName},
    key_layout::KeyLayout,
    repository::Repository,
    ssh_address::{Location, PathSpelling},
    text::checked_text,
};

/// The sender's ID of a webhook delivery: 1 to 128 printable ASCII characters, safe in log lines
/// and object metadata.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryId(String);

/// Why a text is not a [`DeliveryId`].
#[derive(Debug, thiserror::Error)]
#[error("the delivery ID isn't 1 to 128 printable ASCII characters")]
pub struct DeliveryIdError;

checked_text!(DeliveryId, DeliveryIdError, check_delivery_id);

fn check_delivery_id(id: &str) -> Result<(), DeliveryIdError> {
    let printable = id.bytes().all(|byte| byte.is_ascii_graphic());
    if printable && (1..=128).contains(&id.len()) { Ok(()) } else { Err(DeliveryIdError) }
}

/// What happened to a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// It was pushed.
    #[default]
    Push,
    /// A release of the tag was published.
    Release,
    /// The reconciler found that the host has another commit than the bucket.
    Reconciled,
}

impl Trigger {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_push(&self) -> bool {
        *self == Self::Push
    }
}

/// A reference of a repository to turn into a zip: what a message on a queue says, in
/// names that have been checked. That somebody may ask for it, it doesn't show; the webhook sends
/// only jobs that `forge` made for an authenticated sender, and the reconciler only jobs of
/// repositories that were connected or pushed.
///
/// Unknown fields are ignored: a dead-letter message may be older than the function that processes
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The delivery that created it.
    pub delivery: DeliveryId,
    /// The repository.
    pub repository: Repository,
    /// The branch or the tag.
    pub reference: RefName,
    /// What the reference named when the delivery was sent, if known. Only a hint: the worker asks
    /// the host for the current value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitId>,
    /// What happened to the reference.
    #[serde(default, skip_serializing_if = "Trigger::is_push")]
    pub trigger: Trigger,
    /// The first line of that commit's message, if known: for a worker that doesn't see the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What the sender may fetch: the `Repositories` parameter and the globs of the sender's
    /// secret. Anything else to fetch, such as a submodule, must match [each list](Self::permit).
    /// Without lists, as in jobs of older versions, nothing else is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Vec<String>>,
    /// How the host spells the repository's path, if that matters.
    #[serde(default, skip_serializing_if = "PathSpelling::is_usual")]
    pub spelling: PathSpelling,
    /// Whether the sender says that the reference was deleted. Only a hint, too: if the host still
    /// has the reference, or has it again, it is treated like a pushed one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

impl Job {
    /// The job ID. It is the same for redeliveries of the same reference, so it also serves as the
    /// message's [deduplication
    /// ID](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html).
    /// 32 hexadecimal digits.
    pub fn id(&self) -> String {
        digest(&[self.delivery.as_str(), &self.repository.to_string(), self.reference.as_str()])
    }

    /// The repository with its spelling.
    pub fn location(&self) -> Location {
        Location { repository: self.repository.clone(), spelling: self.spelling }
    }

    /// The message group: jobs of the same reference stay in order and don't overlap, all others
    /// run concurrently. 32 hexadecimal digits.
    pub fn group_id(&self) -> String {
        digest(&[&self.repository.to_string(), self.reference.as_str()])
    }

    /// The artifact's key: `{prefix}/{owner}_{repo}.zip` for the default branch, with
    /// `branch/{branch}/`, `tag/{tag}/` or `release/{tag}/` before the file name for anything else.
    /// The [layout](KeyLayout) determines the prefix.
    ///
    /// `default_branch` is what the host reports, or `None` if it has none.
    pub fn artifact_key(&self, layout: KeyLayout, default_branch: Option<&str>) -> String {
        artifact_key(&self.repository, &self.reference, self.trigger, layout, default_branch)
    }

    /// The key of the zip of a commit that stays, whatever becomes of its references:
    /// `{prefix}/commit/{commit}/{owner}_{repo}.zip`, see [`KeepCommits`](crate::KeepCommits).
    pub fn commit_key(&self, layout: KeyLayout, commit: &CommitId) -> String {
        format!("{}/commit/{commit}/{}.zip", layout.prefix(&self.repository), file(&self.repository))
    }
}

/// The [key of the artifact](Job::artifact_key) of a job like this.
pub fn artifact_key(
    repository: &Repository,
    reference: &RefName,
    trigger: Trigger,
    layout: KeyLayout,
    default_branch: Option<&str>,
) -> String {
    let prefix = layout.prefix(repository);
    let file = file(repository);
    match (reference.branch(), reference.tag()) {
        (Some(branch), _) if Some(branch) == default_branch => format!("{prefix}/{file}.zip"),
        (Some(branch), _) => format!("{prefix}/branch/{branch}/{file}.zip"),
        (None, tag) => {
            let folder = if trigger == Trigger::Release { "release" } else { "tag" };
            format!("{prefix}/{folder}/{}/{file}.zip", tag.unwrap_or_default())
        }
    }
}

/// The last part of the keys of a repository's artifacts, without `.zip`.
fn file(repository: &Repository) -> String {
    repository.path.as_str().replace('/', "_")
}

/// The first half of a SHA-256 over the parts, each terminated by a byte that no part contains.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::RepositoryPath;

    fn job(path: &str, reference: &str) -> Job {
        Job {
            delivery: "d-1".parse().unwrap(),
            repository: Repository::new("github.com".parse().unwrap(), path.parse().unwrap()),
            reference: reference.parse().unwrap(),
            commit: Some("1".repeat(40).parse().unwrap()),
            trigger: Trigger::Push,
            summary: None,
            scope: None,
            spelling: PathSpelling::default(),
            deleted: false,
        }
    }

    #[test]
    fn artifact_keys_follow_reference_kind() {
        let check = |path, reference, key| {
            assert_eq!(job(path, reference).artifact_key(KeyLayout::Path, Some("main")), key);
            let with_host = job(path, reference).artifact_key(KeyLayout::HostPath, Some("main"));
            assert_eq!(with_host, format!("github.com/{key}"));
        };
        check("o/r", "refs/heads/main", "o/r/o_r.zip");
        check("o/r", "refs/heads/release/1", "o/r/branch/release/1/o_r.zip");
        check("o/r", "refs/tags/v1", "o/r/tag/v1/o_r.zip");
        check("g/s/r", "refs/heads/main", "g/s/r/g_s_r.zip");
        check("r", "refs/heads/main", "r/r.zip");
        let commit: CommitId = "a".repeat(40).parse().unwrap();
        let kept = job("g/s/r", "refs/tags/v1").commit_key(KeyLayout::HostPath, &commit);
        assert_eq!(kept, format!("github.com/g/s/r/commit/{commit}/g_s_r.zip"));
        let release = Job { trigger: Trigger::Release, ..job("o/r", "refs/tags/v1") };
        assert_eq!(release.artifact_key(KeyLayout::Path, Some("main")), "o/r/release/v1/o_r.zip");
    }

    #[test]
    fn branches_get_folders_without_default_branch() {
        let trunk = job("o/r", "refs/heads/trunk");
        assert_eq!(trunk.artifact_key(KeyLayout::Path, Some("trunk")), "o/r/o_r.zip");
        assert_eq!(trunk.artifact_key(KeyLayout::Path, None), "o/r/branch/trunk/o_r.zip");
    }

    #[test]
    fn old_default_branch_field_is_ignored() {
        let job = job("o/r", "refs/heads/main");
        let mut json = serde_json::to_value(&job).unwrap();
        json["default_branch"] = "evil".into();
        assert_eq!(serde_json::from_value::<Job>(json).unwrap(), job);
    }

    fn any_job() -> impl Strategy<Value = Job> {
        let host = prop::sample::select(vec!["github.com", "gitlab.com"]);
        let part = prop::sample::select(vec![
            "a",
            "b",
            "a_b",
            "branch",
            "tag",
            "release",
            "commit",
            "1111111111111111111111111111111111111111",
            "main",
            "github.com",
            "a_b.zip",
            "b.zip",
        ]);
        let parts = |count| prop::collection::vec(part.clone(), 1..count);
        (host, parts(5), parts(4), any::<bool>(), any::<bool>()).prop_map(|(host, path, name, is_tag, is_release)| {
            let folder = if is_tag { "tags" } else { "heads" };
            let trigger = if is_tag && is_release { Trigger::Release } else { Trigger::Push };
            let job = job(&path.join("/"), &format!("refs/{folder}/{}", name.join("/")));
            Job { repository: Repository { host: host.parse().unwrap(), ..job.repository.clone() }, trigger, ..job }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]
        #[test]
        fn different_artifacts_never_share_a_key(one in any_job(), other in any_job()) {
            let identity = |job: &Job| (job.repository.clone(), job.reference.clone(), job.trigger);
            let key = |job: &Job, layout| job.artifact_key(layout, Some("main"));
            if identity(&one) != identity(&other) {
                prop_assert_ne!(key(&one, KeyLayout::HostPath), key(&other, KeyLayout::HostPath));
            }
            // Paths are unique within one host. Between hosts, the artifact's metadata tells them
            // apart.
            if identity(&one) != identity(&other) && one.repository.host == other.repository.host {
                prop_assert_ne!(key(&one, KeyLayout::Path), key(&other, KeyLayout::Path));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]
        #[test]
        fn a_commits_key_is_its_own(one in any_job(), other in any_job()) {
            let commit: CommitId = "1".repeat(40).parse().unwrap();
            let kept = one.commit_key(KeyLayout::HostPath, &commit);
            prop_assert_ne!(&kept, &other.artifact_key(KeyLayout::HostPath, Some("main")));
            let others = other.commit_key(KeyLayout::HostPath, &commit);
            prop_assert_eq!(kept == others, one.repository == other.repository);
        }
    }

    #[test]
    fn longest_names_fit_into_keys() {
        let repository: RepositoryPath = format!("o/{}", "r".repeat(RepositoryPath::MAX_BYTES - 2)).parse().unwrap();
        let reference = format!("refs/heads/{}", "a".repeat(RefName::MAX_BYTES - "refs/heads/".len()));
        let job = job(repository.as_str(), &reference);
        let commit: CommitId = "a".repeat(64).parse().unwrap();
        for zip in [job.artifact_key(KeyLayout::Path, None), job.commit_key(KeyLayout::Path, &commit)] {
            let key = crate::manifest::manifest_key(&zip);
            assert!(key.len() <= 1024, "{} bytes", key.len());
        }
    }

    #[test]
    fn redelivery_keeps_id_reference_separates_groups() {
        let (main, tag) = (job("o/r", "refs/heads/main"), job("o/r", "refs/tags/v1"));
        assert_eq!(main.id(), job("o/r", "refs/heads/main").id());
        assert_ne!(main.id(), tag.id());
        assert_ne!(main.group_id(), tag.group_id());
        let later = Job { delivery: "d-2".parse().unwrap(), ..main.clone() };
        assert_ne!(main.id(), later.id());
        assert_eq!(main.group_id(), later.group_id());
    }

    #[test]
    fn small_job_survives_queue_round_trip() {
        let job = job("o/r", "refs/heads/main");
        let json = serde_json::to_string(&job).unwrap();
        assert!(json.len() < 400, "{json}");
        assert_eq!(serde_json::from_str::<Job>(&json).unwrap(), job);
        let release = Job { trigger: Trigger::Release, summary: Some("Fix".to_owned()), ..job };
        let json = serde_json::to_string(&release).unwrap();
        assert_eq!(serde_json::from_str::<Job>(&json).unwrap(), release);
    }

    #[test]
    fn queued_job_is_validated_like_payload() {
        let json = serde_json::to_string(&job("o/r", "refs/heads/main")).unwrap();
        for (from, to) in [("refs/heads/main", "refs/heads/../x"), ("o/r", "../r"), ("d-1", "d\\n1")] {
            assert!(serde_json::from_str::<Job>(&json.replace(from, to)).is_err(), "{to}");
        }
    }
}
