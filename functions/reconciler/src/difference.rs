//! What a host has and the bucket hasn't, and the other way round.

use std::collections::{BTreeMap, BTreeSet};

use contract::{CommitId, Job, KeyLayout, RefName, Refs, Repository, Trigger, Worker};
use fetch::{References, Tip};

use crate::memory::{Due, Zip};

/// A zip in the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored<'a> {
    /// What it says of itself.
    pub zip: &'a Zip,
    /// What changes whenever it is written.
    pub seen: &'a str,
}

/// Zips by key.
pub type Zips<'a> = BTreeMap<&'a str, Stored<'a>>;

/// A reference for which there is something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The reference.
    pub reference: RefName,
    /// What the host has, or, if that is nothing, what the bucket has.
    pub commit: CommitId,
    /// What the bucket has. `None` if it never had any.
    pub stored: Option<CommitId>,
    /// How they differ.
    pub kind: Kind,
}

/// How the host and the bucket differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The host has a commit that the bucket hasn't.
    Other,
    /// The host has a reference again whose deletion was told.
    Back,
    /// The host has no reference any more whose zips have these keys, and what
    /// [`Stored::seen`] says of each.
    Gone(Vec<(String, String)>),
}

/// What was found for a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// What differs, in the order of names. Deletions come first, since the next default branch
    /// replaces the zip of the one before; then what was stored before.
    pub differences: Vec<Difference>,
    /// The keys at which another repository's zip lies.
    pub taken: Vec<String>,
}

/// Compares what a repository's host has with its zips in the bucket. `told` has the zips of
/// references whose deletion was told, with what [`Stored::seen`] said of them then.
pub fn compare(
    repository: &Repository,
    host: &References,
    zips: &Zips<'_>,
    told: &BTreeMap<String, String>,
    refs: &Refs,
    layout: KeyLayout,
) -> Compared {
    let mut compared = Compared { differences: gone(repository, host, zips, refs, layout), taken: Vec::new() };
    compared.differences.retain(|one| !one.is_told(told));
    for Tip { name, commit, object } in host.tips.iter().filter(|tip| refs.include(&tip.name)) {
        let key = key(repository, name, layout, host.default_branch.as_deref());
        let found = zips.get(key.as_str());
        let kind = match found {
            Some(Stored { zip, .. }) if zip.repository != *repository => {
                compared.taken.push(key);
                continue;
            }
            Some(Stored { zip, seen }) if zip.reference == *name && [commit, object].contains(&&zip.commit) => {
                if told.get(&key).is_none_or(|told| told != seen) {
                    continue;
                }
                Kind::Back
            }
            _ => Kind::Other,
        };
        let stored = found.filter(|stored| stored.zip.reference == *name).map(|stored| stored.zip.commit.clone());
        compared.differences.push(Difference { reference: name.clone(), commit: commit.clone(), stored, kind });
    }
    let order = |one: &Difference| (!one.is_gone(), one.stored.is_none(), one.reference.to_string());
    compared.differences.sort_by_key(order);
    compared
}

/// What was stored of the wanted references, and the host has no more. Nothing, if the host says
/// nothing at all. Only zips count that a worker would find: those at the key of their reference,
/// or at that of the default branch.
fn gone(
    repository: &Repository,
    host: &References,
    zips: &Zips<'_>,
    refs: &Refs,
    layout: KeyLayout,
) -> Vec<Difference> {
    if host.is_empty {
        return Vec::new();
    }
    let there: BTreeSet<&str> = host.tips.iter().map(|tip| tip.name.as_str()).collect();
    let mut gone: BTreeMap<&str, Difference> = BTreeMap::new();
    for (at, Stored { zip, seen }) in zips {
        let Zip { reference, commit, .. } = zip;
        let is_here =
            [None, reference.branch()].iter().any(|branch| key(repository, reference, layout, *branch) == *at);
        let is_gone = !there.contains(reference.as_str()) && refs.include(reference);
        if zip.repository != *repository || !is_here || !is_gone {
            continue;
        }
        let one = gone.entry(reference.as_str()).or_insert_with(|| Difference {
            reference: reference.clone(),
            commit: commit.clone(),
            stored: Some(commit.clone()),
            kind: Kind::Gone(Vec::new()),
        });
        if let Kind::Gone(zips) = &mut one.kind {
            zips.push(((*at).to_owned(), (*seen).to_owned()));
        }
    }
    gone.into_values().collect()
}

/// The key of a reference's zip.
fn key(repository: &Repository, reference: &RefName, layout: KeyLayout, default_branch: Option<&str>) -> String {
    contract::job::artifact_key(repository, reference, Trigger::Push, layout, default_branch)
}

/// The worker that stores a repository's zips: the one that did so last, as far as is known.
pub fn worker(zips: &Zips<'_>, repository: &Repository) -> Worker {
    let own = || {
        let own = zips.values().filter(|stored| stored.zip.repository == *repository);
        own.filter_map(|stored| stored.zip.worker)
    };
    if own().any(|worker| worker == Worker::GitPull) {
        Worker::GitPull
    } else {
        own().next().unwrap_or(Worker::GitPull)
    }
}

impl Difference {
    /// Whether the host has no such reference any more.
    pub fn is_gone(&self) -> bool {
        matches!(self.kind, Kind::Gone(_))
    }

    /// Whether the deletion was told: one of its zips says so.
    fn is_told(&self, told: &BTreeMap<String, String>) -> bool {
        let Kind::Gone(zips) = &self.kind else { return false };
        zips.iter().any(|(key, seen)| told.get(key).is_some_and(|told| told == seen))
    }

    /// What there is to do.
    pub fn due(&self) -> Due {
        Due { commit: self.commit.clone(), deleted: self.is_gone() }
    }

    /// What is said of it in the log.
    pub fn told(&self) -> &'static str {
        match self.kind {
            Kind::Other => "queued: the host has another commit than the bucket",
            Kind::Back => "queued: the host has this reference again, whose deletion was told",
            Kind::Gone(_) => "queued: the host has no such reference any more",
        }
    }

    /// The job for it. Its delivery is the same in a run that is delivered twice, so that it is
    /// queued once.
    pub fn job(&self, repository: &Repository, run: u64, scope: Option<Vec<String>>) -> Option<Job> {
        let (deleted, what) = (self.is_gone(), if self.is_gone() { "deleted-" } else { "" });
        Some(Job {
            delivery: format!("reconciled-{what}{}-{run}", self.commit).parse().ok()?,
            repository: repository.clone(),
            reference: self.reference.clone(),
            commit: Some(self.commit.clone()).filter(|_| !deleted),
            trigger: Trigger::Reconciled,
            summary: None,
            scope,
            spelling: contract::PathSpelling::default(),
            deleted,
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
        References {
            default_branch: Some("main".to_owned()),
            tips: tips.iter().map(tip).collect(),
            is_empty: tips.is_empty(),
            requests: 1,
        }
    }

    fn stored<'a>(zips: &'a [(&'a str, Zip)]) -> Zips<'a> {
        zips.iter().map(|(key, zip)| (*key, Stored { zip, seen: "1" })).collect()
    }

    /// What differs: each reference with the commit that the bucket has.
    fn check(zips: &[(&str, Zip)], tips: &[(&str, char)], refs: &str, expected: &[(&str, Option<char>)]) -> Compared {
        let (refs, none) = (refs.parse().unwrap(), BTreeMap::new());
        let mut compared = compare(&repository("o/r"), &host(tips), &stored(zips), &none, &refs, KeyLayout::Path);
        compared.differences.retain(|one| !one.is_gone());
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
        let (zips, none) = (stored(&zips), BTreeMap::new());
        let compared = compare(&repository("o/r"), &tips, &zips, &none, &Refs::default(), KeyLayout::Path);
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
            let zips: Vec<_> = ["a", "b", "c"].into_iter().zip(zips).collect();
            worker(&stored(&zips), &repository("o/r"))
        };
        assert_eq!(of(&[]), Worker::GitPull);
        assert_eq!(of(&[None]), Worker::GitPull);
        assert_eq!(of(&[None, Some(Worker::ZipDl)]), Worker::ZipDl);
        assert_eq!(of(&[Some(Worker::ZipDl), Some(Worker::GitPull)]), Worker::GitPull);
    }

    #[test]
    fn double_runs_queue_one_job() {
        let (reference, kind) = (MAIN.parse().unwrap(), Kind::Other);
        let difference = Difference { reference, commit: commit('1'), stored: None, kind };
        let id = |difference: &Difference, run| difference.job(&repository("o/r"), run, None).unwrap().id();
        assert_eq!(id(&difference, 7), id(&difference, 7));
        assert_ne!(id(&difference, 7), id(&difference, 8));
        assert_ne!(id(&difference, 7), id(&Difference { commit: commit('2'), ..difference.clone() }, 7));
        let long = Difference { commit: "f".repeat(64).parse().unwrap(), ..difference };
        assert!(long.job(&repository("o/r"), u64::MAX, None).is_some());
        // A branch that is there again is another job than its deletion.
        let gone = Difference { kind: Kind::Gone(Vec::new()), ..long };
        let job = gone.job(&repository("o/r"), u64::MAX, None).unwrap();
        assert_eq!((job.deleted, &job.commit, job.trigger), (true, &None, Trigger::Reconciled));
        assert_ne!(
            job.id(),
            Difference { kind: Kind::Back, ..gone }.job(&repository("o/r"), u64::MAX, None).unwrap().id()
        );
    }

    /// The references that are gone, each with the keys of its zips.
    fn check_gone(zips: &[(&str, Zip)], host: &References, refs: &str, expected: &[(&str, &[&str])]) {
        let (refs, none) = (refs.parse().unwrap(), BTreeMap::new());
        let compared = compare(&repository("o/r"), host, &stored(zips), &none, &refs, KeyLayout::Path);
        let mut found = Vec::new();
        for one in compared.differences {
            if let Kind::Gone(zips) = one.kind {
                found.push((one.reference.to_string(), zips.into_iter().map(|(key, _)| key).collect::<Vec<_>>()));
            }
        }
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let expected: Vec<_> = expected.iter().map(|(name, zips)| ((*name).to_owned(), keys(zips))).collect();
        assert_eq!(found, expected);
    }

    const X: &str = "o/r/branch/x/o_r.zip";
    const TAG: &str = "o/r/tag/v1/o_r.zip";

    #[test]
    fn unlisted_wanted_references_are_gone() {
        let zips = [
            ("o/r/o_r.zip", zip("o/r", MAIN, '1', None)),
            (X, zip("o/r", "refs/heads/x", '2', None)),
            (TAG, zip("o/r", "refs/tags/v1", '3', None)),
        ];
        let only_main = host(&[(MAIN, '1')]);
        check_gone(&zips, &only_main, "", &[("refs/heads/x", &[X]), ("refs/tags/v1", &[TAG])]);
        // The host wasn't asked for those that aren't wanted, or aren't wanted any more.
        check_gone(&zips, &only_main, "refs/heads/**", &[("refs/heads/x", &[X])]);
        check_gone(&zips, &only_main, "main", &[]);
        check_gone(&zips, &only_main, "!x,!v1", &[]);
    }

    #[test]
    fn empty_list_deletes_nothing() {
        let zips = [("o/r/o_r.zip", zip("o/r", MAIN, '1', None)), (X, zip("o/r", "refs/heads/x", '2', None))];
        check_gone(&zips, &host(&[]), "", &[]);
        // Only unwanted references: the host has said something.
        let others = References { is_empty: false, ..host(&[]) };
        check_gone(&zips, &others, "x", &[("refs/heads/x", &[X])]);
    }

    #[test]
    fn only_own_zips_count() {
        let x = |path| zip(path, "refs/heads/x", '2', None);
        let zips = [
            // Of a release, another layout, another repository, and of somebody who copied it.
            ("o/r/release/v1/o_r.zip", zip("o/r", "refs/tags/v1", '3', None)),
            ("git.example/o/r/branch/x/o_r.zip", x("o/r")),
            (X, x("o/other")),
            ("o/r/branch/copy/o_r.zip", x("o/r")),
        ];
        check_gone(&zips, &host(&[(MAIN, '1')]), "", &[]);
    }

    #[test]
    fn renamed_default_branch_is_gone_first() {
        let old = "o/r/branch/main/o_r.zip";
        let zips = [(old, zip("o/r", MAIN, '1', None)), ("o/r/o_r.zip", zip("o/r", MAIN, '2', None))];
        let renamed = References { default_branch: Some("trunk".to_owned()), ..host(&[("refs/heads/trunk", '2')]) };
        check_gone(&zips, &renamed, "", &[(MAIN, &[old, "o/r/o_r.zip"])]);
        let compared =
            compare(&repository("o/r"), &renamed, &stored(&zips), &BTreeMap::new(), &Refs::default(), KeyLayout::Path);
        let order: Vec<_> = compared.differences.iter().map(|one| (one.reference.as_str(), one.is_gone())).collect();
        assert_eq!(order, [(MAIN, true), ("refs/heads/trunk", false)]);
    }

    #[test]
    fn told_deletion_ends_until_zip_changes() {
        let zips = [(X, zip("o/r", "refs/heads/x", '2', None))];
        let kinds = |tips: &[(&str, char)], told: &str| {
            let told = BTreeMap::from([(X.to_owned(), told.to_owned())]);
            let refs = "x".parse().unwrap();
            let compared = compare(&repository("o/r"), &host(tips), &stored(&zips), &told, &refs, KeyLayout::Path);
            compared.differences.into_iter().map(|one| one.kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&[(MAIN, '1')], "1"), []);
        assert_eq!(kinds(&[(MAIN, '1')], "0"), [Kind::Gone(vec![(X.to_owned(), "1".to_owned())])]);
        // It is there again, at the commit of its zip.
        assert_eq!(kinds(&[("refs/heads/x", '2')], "1"), [Kind::Back]);
        assert_eq!(kinds(&[("refs/heads/x", '2')], "0"), []);
        assert_eq!(kinds(&[("refs/heads/x", '4')], "1"), [Kind::Other]);
    }
}
