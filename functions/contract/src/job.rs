//! The message on a queue: what to fetch and where to put it, and never the payload that asked for it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    git::{CommitId, RefName},
    repository::Repository,
    text::checked_text,
};

/// The sender's id of one delivery of a webhook: 1 to 128 printable ASCII characters, so that it can stand
/// in a log line and in an object's metadata.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryId(String);

/// Why a text is not a [`DeliveryId`].
#[derive(Debug, thiserror::Error)]
#[error("the delivery id isn't 1 to 128 printable ASCII characters")]
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
}

impl Trigger {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_push(&self) -> bool {
        *self == Self::Push
    }
}

/// One reference of one repository that has to become a zip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The delivery that asked for it.
    pub delivery: DeliveryId,
    /// The repository.
    pub repository: Repository,
    /// The branch or the tag.
    pub reference: RefName,
    /// What the reference named when the delivery was sent, where the sender told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitId>,
    /// The repository's default branch by its short name, where the sender told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_branch: Option<String>,
    /// What happened to the reference.
    #[serde(default, skip_serializing_if = "Trigger::is_push")]
    pub trigger: Trigger,
    /// The first line of the commit's message, where the sender told: for a worker that sees the commit's tree and not
    /// the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

impl Job {
    /// The job's id: the same for a redelivery of the same reference, so that it also serves as the
    /// [deduplication id](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html)
    /// of its message. 32 hexadecimal digits.
    pub fn id(&self) -> String {
        digest(&[self.delivery.as_str(), &self.repository.to_string(), self.reference.as_str()])
    }

    /// The message group: jobs of one reference of one repository stay in order and don't overlap, all
    /// others run beside one another. 32 hexadecimal digits.
    pub fn group_id(&self) -> String {
        digest(&[&self.repository.to_string(), self.reference.as_str()])
    }

    /// Whether [`artifact_key`](Self::artifact_key) depends on what the repository says.
    pub fn leaves_default_branch_open(&self) -> bool {
        self.default_branch.is_none() && self.reference.branch().is_some()
    }

    /// The key of the artifact: `{owner}/{repo}/{owner}_{repo}.zip` for the default branch, with
    /// `branch/{branch}/`, `tag/{tag}/` or `release/{tag}/` before the file's name for anything else.
    ///
    /// `default_branch` is what the repository says, for jobs whose sender didn't.
    pub fn artifact_key(&self, default_branch: &str) -> String {
        let path = self.repository.path.as_str();
        let file = path.replace('/', "_");
        let default_branch = self.default_branch.as_deref().unwrap_or(default_branch);
        match (self.reference.branch(), self.reference.tag()) {
            (Some(branch), _) if branch == default_branch => format!("{path}/{file}.zip"),
            (Some(branch), _) => format!("{path}/branch/{branch}/{file}.zip"),
            (None, tag) => {
                let folder = if self.trigger == Trigger::Release { "release" } else { "tag" };
                format!("{path}/{folder}/{}/{file}.zip", tag.unwrap_or_default())
            }
        }
    }
}

/// The first half of a SHA-256 over the parts, each ended by a byte that none of them can hold.
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
    use super::*;

    fn job(path: &str, reference: &str) -> Job {
        Job {
            delivery: "d-1".parse().unwrap(),
            repository: Repository::new("github.com".parse().unwrap(), path.parse().unwrap()),
            reference: reference.parse().unwrap(),
            commit: Some("1".repeat(40).parse().unwrap()),
            default_branch: Some("main".to_owned()),
            trigger: Trigger::Push,
            summary: None,
        }
    }

    #[test]
    fn artifact_keys() {
        let check = |path, reference, key| assert_eq!(job(path, reference).artifact_key("other"), key);
        check("o/r", "refs/heads/main", "o/r/o_r.zip");
        check("o/r", "refs/heads/release/1", "o/r/branch/release/1/o_r.zip");
        check("o/r", "refs/tags/v1", "o/r/tag/v1/o_r.zip");
        check("g/s/r", "refs/heads/main", "g/s/r/g_s_r.zip");
        check("r", "refs/heads/main", "r/r.zip");
        let release = Job { trigger: Trigger::Release, ..job("o/r", "refs/tags/v1") };
        assert_eq!(release.artifact_key("main"), "o/r/release/v1/o_r.zip");
    }

    #[test]
    fn the_repository_tells_the_default_branch_when_the_sender_did_not() {
        let job = Job { default_branch: None, ..job("o/r", "refs/heads/trunk") };
        assert_eq!(job.artifact_key("trunk"), "o/r/o_r.zip");
        assert_eq!(job.artifact_key("main"), "o/r/branch/trunk/o_r.zip");
        assert!(job.leaves_default_branch_open());
        let tag = Job { default_branch: None, ..self::job("o/r", "refs/tags/v1") };
        assert!(!tag.leaves_default_branch_open());
        assert!(!self::job("o/r", "refs/heads/trunk").leaves_default_branch_open());
    }

    #[test]
    fn a_redelivery_has_the_same_id_and_another_reference_another_group() {
        let (main, tag) = (job("o/r", "refs/heads/main"), job("o/r", "refs/tags/v1"));
        assert_eq!(main.id(), job("o/r", "refs/heads/main").id());
        assert_ne!(main.id(), tag.id());
        assert_ne!(main.group_id(), tag.group_id());
        let later = Job { delivery: "d-2".parse().unwrap(), ..main.clone() };
        assert_ne!(main.id(), later.id());
        assert_eq!(main.group_id(), later.group_id());
    }

    #[test]
    fn a_job_is_small_and_survives_the_queue() {
        let job = job("o/r", "refs/heads/main");
        let json = serde_json::to_string(&job).unwrap();
        assert!(json.len() < 400, "{json}");
        assert_eq!(serde_json::from_str::<Job>(&json).unwrap(), job);
        let release = Job { trigger: Trigger::Release, summary: Some("Fix".to_owned()), ..job };
        let json = serde_json::to_string(&release).unwrap();
        assert_eq!(serde_json::from_str::<Job>(&json).unwrap(), release);
    }

    #[test]
    fn a_message_is_checked_like_a_payload() {
        let json = serde_json::to_string(&job("o/r", "refs/heads/main")).unwrap();
        for (from, to) in [("refs/heads/main", "refs/heads/../x"), ("o/r", "../r"), ("d-1", "d\\n1")] {
            assert!(serde_json::from_str::<Job>(&json.replace(from, to)).is_err(), "{to}");
        }
    }
}
