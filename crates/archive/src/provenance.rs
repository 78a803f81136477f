//! What a commit says of its origin, for those who only get its files.

use gix::ObjectId;
use pack::Commit;

use crate::{ArchiveError, date::Date};

/// The origin of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// Its parents in order, in hexadecimal.
    pub parents: Vec<String>,
    /// The author's date, as `git log --format=%aI` shows it. `None` if there is none.
    pub author_time: Option<String>,
}

/// The origin of `commit`.
///
/// # Errors
/// [`ArchiveError::Object`] if it is missing or no commit.
pub fn provenance(repository: &gix::Repository, commit: ObjectId) -> Result<Provenance, ArchiveError> {
    let object =
        repository.find_object(commit).map_err(|source| ArchiveError::Object { id: commit, source: source.into() })?;
    let read =
        Commit::parse(&object.data).map_err(|source| ArchiveError::Object { id: commit, source: source.into() })?;
    let date = read.author().and_then(|author| Date::of(&author));
    Ok(Provenance {
        parents: read.parents.iter().map(ToString::to_string).collect(),
        author_time: date.and_then(|date| date.show(b'I')).and_then(|shown| String::from_utf8(shown).ok()),
    })
}

#[cfg(test)]
mod tests {
    use git_repository::Repository;

    use super::*;

    #[test]
    fn provenance_is_what_git_shows() {
        let repository = Repository::init();
        for content in ["one", "two"] {
            repository.write("a", content);
            repository.commit();
        }
        repository.git(&["checkout", "-q", "-b", "other", "HEAD~1"]);
        repository.write("b", "three");
        repository.commit();
        repository.git(&["merge", "-q", "--no-edit", "main"]);
        let opened = gix::open(repository.path()).unwrap();
        let commits = repository.git(&["log", "--all", "--format=%H,%P,%aI"]);
        let commits = String::from_utf8(commits).unwrap();
        assert_eq!(commits.lines().count(), 4);
        for line in commits.lines() {
            let [commit, parents, date] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let read = provenance(&opened, commit.parse().unwrap()).unwrap();
            let parents: Vec<_> = parents.split_whitespace().map(str::to_owned).collect();
            assert_eq!(read, Provenance { parents, author_time: Some(date.to_owned()) });
        }
        let tree = opened.head_tree().unwrap().id;
        assert!(matches!(provenance(&opened, tree), Err(ArchiveError::Object { .. })));
    }
}
