//! What a run tells the next one, in one object of the cache bucket: what was seen, so that it
//! isn't read again, and what failed, so that it isn't tried as often again. Without it, a run
//! costs more requests, and a reference that is back at the commit of its zip, after a deletion
//! that was told, isn't noticed.

use std::collections::BTreeMap;

use contract::{CommitId, RefName, Repository, Worker};
use serde::{Deserialize, Serialize};

use crate::journal::Journal;

/// The key of the object.
pub const KEY: &str = "runs/memory.json";

/// The key of the object with a copy of all SSH keys, encrypted.
pub const KEY_RING: &str = "runs/keys.json";

/// The longest pause of something that keeps failing, in seconds: a repository that its host
/// doesn't serve, and a commit that becomes no zip.
pub const LONGEST_REFUSED: u64 = 86_400;
/// The same of a commit, each try of which may end as a dead-letter message.
pub const LONGEST_QUEUED: u64 = 7 * 86_400;

/// The content of the object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// The last run that came to its end.
    pub done: u64,
    /// Whether it failed.
    pub failed: bool,
    /// The zips in the output bucket, by key.
    pub zips: BTreeMap<String, SeenZip>,
    /// The objects of the key bucket with the keys of repositories, by key.
    pub keys: BTreeMap<String, SeenKeys>,
    /// What is known of repositories, by `host/owner/name`.
    pub repositories: BTreeMap<String, Past>,
    /// How many runs in a row each host has failed, and when it may be asked again.
    pub hosts: BTreeMap<String, Pause>,
    /// What is known of the deliveries of the GitHub App.
    pub journal: Journal,
}

/// A zip, as it was when its entity tag was this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenZip {
    /// What S3 says of this very object: its entity tag, and when it was written.
    pub seen: String,
    /// When it was written, in seconds since 1970.
    pub written: i64,
    /// What its metadata says. `None` if it isn't one of ours.
    pub zip: Option<Zip>,
}

/// A stored zip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Zip {
    /// Its repository.
    pub repository: Repository,
    /// The branch or tag that it was made for.
    pub reference: RefName,
    /// Its commit.
    pub commit: CommitId,
    /// The worker that stored it, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<Worker>,
}

/// The keys of a repository, as they were when the object's entity tag was this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenKeys {
    /// See [`SeenZip::seen`].
    pub seen: String,
    /// The repository as the person who connected it spelled it, if the object says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
    /// Whether there is a key: `disconnect` leaves none.
    pub connected: bool,
}

/// What happened with a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Past {
    /// The run that asked last.
    pub asked: u64,
    /// How often it was refused since it was served.
    #[serde(skip_serializing_if = "is_zero")]
    pub refused: u32,
    /// What was queued and isn't stored yet, by the reference's full name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub queued: BTreeMap<String, Queued>,
    /// The zips of references whose deletion was told, by key: what [`SeenZip::seen`] says of each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub told: BTreeMap<String, String>,
}

/// A job that was queued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Queued {
    /// For this commit.
    pub commit: CommitId,
    /// Because the host has no such reference any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// In this run, the last time.
    pub at: u64,
    /// So many times.
    pub times: u32,
}

/// A host that didn't serve us.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pause {
    /// In so many runs in a row.
    pub failed: u32,
    /// It asked not to be asked before, in seconds since 1970.
    pub until: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// How long something waits that has failed so many times: a period, then twice as long each time.
/// A run that is a little early isn't too early.
fn pause(times: u32, every_minutes: u64, longest: u64) -> u64 {
    let period = every_minutes * 60;
    let doubled = period.saturating_mul(1 << times.saturating_sub(1).min(20));
    doubled.min(longest.max(period)).saturating_sub(period / 2)
}

impl Past {
    /// Whether a run at this time asks the repository's host.
    pub fn is_due(&self, now: u64, every_minutes: u64) -> bool {
        self.refused == 0 || now >= self.asked + pause(self.refused, every_minutes, LONGEST_REFUSED)
    }

    /// Whether a run at this time queues this.
    pub fn may_queue(&self, reference: &RefName, due: &Due, now: u64, every_minutes: u64) -> bool {
        let before = self.before(reference, due);
        before.is_none_or(|queued| now >= queued.at + pause(queued.times, every_minutes, LONGEST_QUEUED))
    }

    /// Notes that it did.
    pub fn note_queued(&mut self, reference: &RefName, due: Due, now: u64) {
        let times = self.before(reference, &due).map_or(0, |queued| queued.times).saturating_add(1);
        let Due { commit, deleted } = due;
        self.queued.insert(reference.to_string(), Queued { commit, deleted, at: now, times });
    }

    fn before(&self, reference: &RefName, due: &Due) -> Option<&Queued> {
        let before = self.queued.get(reference.as_str());
        before.filter(|queued| (&queued.commit, queued.deleted) == (&due.commit, due.deleted))
    }
}

/// What there is to do for a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The commit that the host has, or that the zip has whose reference is gone.
    pub commit: CommitId,
    /// Whether it is gone.
    pub deleted: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_AN_HOUR: u64 = 1800;

    #[test]
    fn failing_commit_is_queued_ever_less() {
        let reference = "refs/heads/main".parse().unwrap();
        let due = |digit: &str, deleted| Due { commit: digit.repeat(40).parse().unwrap(), deleted };
        let mut past = Past::default();
        let mut runs = Vec::new();
        for run in 0..2_000 {
            let now = run * HALF_AN_HOUR;
            if past.may_queue(&reference, &due("a", false), now, 30) {
                past.note_queued(&reference, due("a", false), now);
                runs.push(run);
            }
        }
        assert_eq!(runs[..8], [0, 1, 3, 7, 15, 31, 63, 127]);
        let week = 7 * 48;
        assert!(runs.windows(2).all(|two| two[1] - two[0] <= week) && runs.len() < 16, "{runs:?}");
        // Another commit begins anew, and so does a deletion.
        for other in [due("b", false), due("a", true)] {
            assert!(past.may_queue(&reference, &other, 2_000 * HALF_AN_HOUR, 30), "{other:?}");
        }
    }

    #[test]
    fn refused_repository_is_asked_daily() {
        let mut past = Past::default();
        let mut asked = Vec::new();
        for run in 0..480 {
            let now = run * HALF_AN_HOUR;
            if past.is_due(now, 30) {
                (past.asked, past.refused) = (now, past.refused + 1);
                asked.push(run);
            }
        }
        assert_eq!(asked[..6], [0, 1, 3, 7, 15, 31]);
        assert!(asked.windows(2).all(|two| two[1] - two[0] <= 48) && asked.len() < 18, "{asked:?}");
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let text = r#"{"done":7,"another":{},"repositories":{"a/b/c":{"asked":1,"x":2}}}"#;
        let memory: Memory = serde_json::from_str(text).unwrap();
        assert_eq!((memory.done, memory.repositories["a/b/c"].asked), (7, 1));
        assert_eq!(serde_json::from_str::<Memory>(&serde_json::to_string(&memory).unwrap()).unwrap(), memory);
    }
}
