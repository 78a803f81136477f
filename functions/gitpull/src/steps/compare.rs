//! The second step: what is there, beside what was fetched.

use std::sync::atomic::AtomicBool;

use archive::Options;
use fetch::Fetched;
use store::{Artifact, ArtifactMetadata};

use crate::{
    error::GitPullError,
    files::{Files, History},
};

/// What has to be done for a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// The bucket has its zip.
    Nothing,
    /// The bucket has its zip, marked as that of a deleted reference: it is copied without the
    /// mark.
    Renewal,
    /// The bucket has a zip of another commit with the same files: it is copied, and names this
    /// one.
    Copy,
    /// The bucket keeps the zip of this commit, but not for this reference: it is copied.
    Kept,
    /// A zip has to be made.
    Zip,
}

impl Due {
    /// What was done, for the log.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::Nothing => "unchanged: the bucket has the zip of this commit",
            Self::Renewal => "stored: the zip of this commit again, whose reference was deleted",
            Self::Copy => "stored: a copy of another commit's zip with the same files",
            Self::Kept => "stored: a copy of the zip that is kept of this commit",
            Self::Zip => "stored",
        }
    }
}

/// What has to be done for an artifact.
pub(crate) async fn compare(fetched: &Fetched, artifact: &Artifact, files: &Files) -> Result<Due, GitPullError> {
    let may_copy = files.history == History::Excluded && artifact.can_be_copied();
    let there = artifact.found.metadata.as_ref();
    let due = due(there, &artifact.metadata, may_copy, async || names_its_commit(fetched, files).await).await?;
    if due == Due::Nothing || !artifact.is_kept() {
        return Ok(due);
    }
    let fits = artifact.is_kept_for_its_reference() || !depends_on_reference(fetched, files).await?;
    Ok(if fits { Due::Kept } else { due })
}

/// Whether the zip of a commit may differ between references: by the branch of its `.git`, or by
/// what `export-subst` puts into its files.
pub(crate) async fn depends_on_reference(fetched: &Fetched, files: &Files) -> Result<bool, GitPullError> {
    Ok(files.history == History::Included || names_its_commit(fetched, files).await?)
}

/// Another commit is another version, even with the same tree: an object isn't to name a commit
/// that the branch has left. `names_it` is asked last, since it reads the tree.
async fn due<E>(
    there: Option<&ArtifactMetadata>,
    wanted: &ArtifactMetadata,
    may_copy: bool,
    names_it: impl AsyncFnOnce() -> Result<bool, E>,
) -> Result<Due, E> {
    let Some(there) = there.filter(|there| there.tree == wanted.tree) else { return Ok(Due::Zip) };
    if there.commit == wanted.commit {
        return Ok(Due::Nothing);
    }
    if !may_copy {
        return Ok(Due::Zip);
    }
    Ok(if names_it().await? { Due::Zip } else { Due::Copy })
}

/// Whether `export-subst` puts something of the commit into its files.
async fn names_its_commit(fetched: &Fetched, files: &Files) -> Result<bool, GitPullError> {
    let options = Options { paths: files.paths.clone(), ..Options::default() };
    let (clone, commit) = (fetched.clone.clone(), fetched.commit);
    let look = move |interrupt: &AtomicBool| archive::names_its_commit(&clone, commit, &options, interrupt);
    let names_it = blocking::spawn(look).await.map_err(GitPullError::Interrupted)?;
    names_it.map_err(|source| GitPullError::Archive { commit: commit.to_string(), source })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn metadata(commit: &str, tree: Option<&str>) -> ArtifactMetadata {
        ArtifactMetadata {
            repository: "github.com/octo/hello".parse().unwrap(),
            commit: commit.repeat(40).parse().unwrap(),
            tree: tree.map(|tree| tree.repeat(40)),
            reference: "refs/heads/main".parse().unwrap(),
            delivery_id: "d-1".parse().unwrap(),
            summary: String::new(),
            previous: None,
            worker: None,
            sha256: None,
        }
    }

    /// Whether the tree was read, and what is due.
    async fn due_of(there: Option<ArtifactMetadata>, may_copy: bool, names_it: bool) -> (bool, Due) {
        let mut asked = false;
        let ask = async || {
            asked = true;
            Ok::<_, Infallible>(names_it)
        };
        let due = due(there.as_ref(), &metadata("a", Some("c")), may_copy, ask).await.unwrap();
        (asked, due)
    }

    #[tokio::test]
    async fn same_commit_leaves_nothing_due() {
        for may_copy in [false, true] {
            assert_eq!(due_of(Some(metadata("a", Some("c"))), may_copy, true).await, (false, Due::Nothing));
        }
    }

    #[tokio::test]
    async fn another_tree_is_zipped() {
        for there in [None, Some(metadata("b", Some("d"))), Some(metadata("a", None))] {
            assert_eq!(due_of(there, true, false).await, (false, Due::Zip));
        }
    }

    #[tokio::test]
    async fn same_tree_is_copied_if_possible() {
        let there = || Some(metadata("b", Some("c")));
        assert_eq!(due_of(there(), true, false).await, (true, Due::Copy));
        assert_eq!(due_of(there(), true, true).await, (true, Due::Zip));
        assert_eq!(due_of(there(), false, false).await, (false, Due::Zip));
    }
}
