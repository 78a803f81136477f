//! What a host has and the bucket hasn't.

use std::collections::BTreeMap;

use contract::{CommitId, Job, KeyLayout, RefName, Refs, Repository, Trigger, Worker};
use fetch::{References, Tip};

use crate::memory::Zip;

/// A reference whose newest commit isn't stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The reference.
    pub reference: RefName,
    /// What the host has.
    pub commit: CommitId,
    /// What the bucket has. `None` if it never had any.
    pub stored: Option<CommitId>,
}

/// What was found for a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// What differs, in the order of names; what was stored before comes first.
    pub differences: Vec<Difference>,
    /// The keys at which another repository's zip lies.
    pub taken: Vec<String>,
}

/// Compares what a repository's host has with the zips in the bucket.
pub fn compare(
    repository: &Repository,
    host: &References,
    zips: &BTreeMap<&str, &Zip>,
    refs: &Refs,
    layout: KeyLayout,
) -> Compared {
    let mut compared = Compared::default();
    for Tip { name, commit, object } in host.tips.iter().filter(|tip| refs.include(&tip.name)) {
        let key = key(repository, name, layout, host.default_branch.as_deref());
        match zips.get(key.as_str()) {
            Some(zip) if zip.repository != *repository => compared.taken.push(key),
            Some(zip) if zip.reference == *name && [commit, object].contains(&&zip.commit) => {}
            found => compared.differences.push(Difference {
                reference: name.clone(),
                commit: commit.clone(),
                stored: found.filter(|zip| zip.reference == *name).map(|zip| zip.commit.clone()),
            }),
        }
    }
    compared.differences.sort_by_key(|one| (one.stored.is_none(), one.reference.to_string()));
    compared
}

/// The key of a reference's zip.
fn key(repository: &Repository, reference: &RefName, layout: KeyLayout, default_branch: Option<&str>) -> String {
    contract::job::artifact_key(repository, reference, Trigger::Push, layout, default_branch)
}

/// The worker that stores a repository's zips: the one that did so last, as far as is known.
pub fn worker(zips: &BTreeMap<&str, &Zip>, repository: &Repository) -> Worker {
    let own = || zips.values().filter(|zip| zip.repository == *repository).filter_map(|zip| zip.worker);
    if own().any(|worker| worker == Worker::GitPull) {
        Worker::GitPull
    } else {
        own().next().unwrap_or(Worker::GitPull)
    }
}

impl Difference {
    /// The job for it. Its delivery is the same in a run that is delivered twice, so that it is
    /// queued once.
    pub fn job(&self, repository: &Repository, run: u64, scope: Option<Vec<String>>) -> Option<Job> {
        Some(Job {
            delivery: format!("reconciled-{}-{run}", self.commit).parse().ok()?,
            repository: repository.clone(),
            reference: self.reference.clone(),
            commit: Some(self.commit.clone()),
            trigger: Trigger::Reconciled,
            summary: None,
            scope,
            spelling: contract::PathSpelling::default(),
            deleted: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(path: &str) -> Repository {
        format!("git.example/{path}").parse().unwrap()
    }

    fn commit(digit: char) -> CommitId {
        digit.to_string().repeat(40).parse().unwrap()
    }

    fn zip(path: &str, reference: &str, digit: char, worker: Option<Worker>) -> Zip {
        Zip { repository: repository(path), reference: reference.parse().unwrap(), commit: commit(digit), worker }
    }

    fn host(tips: &[(&str, char)]) -> References {
        let tip = |&(name, digit): &(&str, char)| Tip {
            name: name.parse().unwrap(),
            commit: commit(digit),
            object: commit(digit),
        };
        References { default_branch: Some("main".to_owned()), tips: tips.iter().map(tip).collect(), requests: 1 }
    }

    /// What differs: each reference with the commit that the bucket has.
    fn check(zips: &[(&str, Zip)], tips: &[(&str, char)], refs: &str, expected: &[(&str, Option<char>)]) -> Compared {
        let zips: BTreeMap<_, _> = zips.iter().map(|(key, zip)| (*key, zip)).collect();
        let compared = compare(&repository("o/r"), &host(tips), &zips, &refs.parse().unwrap(), KeyLayout::Path);
        let found: Vec<_> =
            compared.differences.iter().map(|one| (one.reference.to_string(), one.stored.clone())).collect();
        let expected: Vec<_> = expected.iter().map(|(name, digit)| ((*name).to_owned(), digit.map(commit))).collect();
        assert_eq!(found, expected);
        compared
    }

    const MAIN: &str = "refs/heads/main";

    #[test]
    fn moved_and_new_references_differ() {
        let zips = [
            ("o/r/o_r.zip", zip("o/r", MAIN, '1', None)),
            ("o/r/branch/x/o_r.zip", zip("o/r", "refs/heads/x", '2', None)),
            ("o/r/branch/gone/o_r.zip", zip("o/r", "refs/heads/gone", '3', None)),
        ];
        let tips = [("refs/tags/v1", '5'), (MAIN, '1'), ("refs/heads/x", '4'), ("refs/heads/y", '2')];
        let expected = [("refs/heads/x", Some('2')), ("refs/heads/y", None), ("refs/tags/v1", None)];
        check(&zips, &tips, "", &expected);
        check(&zips, &tips, "main,x", &expected[..1]);
        check(&zips, &tips, "main", &[]);
    }

    #[test]
    fn another_default_branch_is_stored_anew() {
        // `main` was the default branch's name at another time, and `trunk` was it.
        let zips = [
            ("o/r/o_r.zip", zip("o/r", "refs/heads/trunk", '1', None)),
            ("o/r/branch/main/o_r.zip", zip("o/r", MAIN, '2', None)),
        ];
        check(&zips, &[(MAIN, '2'), ("refs/heads/trunk", '1')], "", &[(MAIN, None), ("refs/heads/trunk", None)]);
    }

    #[test]
    fn zip_of_tag_object_counts() {
        let zips = [("o/r/tag/v1/o_r.zip", zip("o/r", "refs/tags/v1", '7', None))];
        let mut tips = host(&[("refs/tags/v1", '1')]);
        tips.tips[0].object = commit('7');
        let zips = zips.iter().map(|(key, zip)| (*key, zip)).collect();
        let compared = compare(&repository("o/r"), &tips, &zips, &Refs::default(), KeyLayout::Path);
        assert_eq!(compared, Compared::default());
    }

    #[test]
    fn foreign_key_is_left_alone() {
        let mut other = zip("o/r", MAIN, '1', None);
        other.repository = "other.example/o/r".parse().unwrap();
        let compared = check(&[("o/r/o_r.zip", other)], &[(MAIN, '2')], "", &[]);
        assert_eq!(compared.taken, ["o/r/o_r.zip"]);
    }

    #[test]
    fn job_goes_where_its_repository_went() {
        let of = |workers: &[Option<Worker>]| {
            let zips: Vec<_> = workers.iter().map(|worker| zip("o/r", MAIN, '1', *worker)).collect();
            let keys = ["a", "b", "c"];
            worker(&keys.into_iter().zip(&zips).collect(), &repository("o/r"))
        };
        assert_eq!(of(&[]), Worker::GitPull);
        assert_eq!(of(&[None]), Worker::GitPull);
        assert_eq!(of(&[None, Some(Worker::ZipDl)]), Worker::ZipDl);
        assert_eq!(of(&[Some(Worker::ZipDl), Some(Worker::GitPull)]), Worker::GitPull);
    }

    #[test]
    fn double_runs_queue_one_job() {
        let difference = Difference { reference: MAIN.parse().unwrap(), commit: commit('1'), stored: None };
        let id = |difference: &Difference, run| difference.job(&repository("o/r"), run, None).unwrap().id();
        assert_eq!(id(&difference, 7), id(&difference, 7));
        assert_ne!(id(&difference, 7), id(&difference, 8));
        assert_ne!(id(&difference, 7), id(&Difference { commit: commit('2'), ..difference.clone() }, 7));
        let long = Difference { commit: "f".repeat(64).parse().unwrap(), ..difference };
        assert!(long.job(&repository("o/r"), u64::MAX, None).is_some());
    }
}
