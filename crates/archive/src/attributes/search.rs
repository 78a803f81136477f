//! Looks up an entry's attributes (`collect_some_attrs` of attr.c) in the `.gitattributes` of its
//! folders, innermost first, and in each from the last line up. The first assignment of an
//! attribute counts.
//!
//! The push decides how many lines there are, how long each takes to match, and how often they are
//! read. So all of that is counted and limited by [`Steps`], and the size of the files in memory is
//! limited, too.

use std::cell::Cell;

use gix::{
    ObjectId,
    attrs::State,
    bstr::{BStr, BString, ByteSlice},
    objs::Kind,
};

use super::{
    lines::{Of, lines},
    macros::{Assignment, Macros},
    pattern::{Pattern, Place},
};
use crate::{error::ArchiveError, objects::Objects};

/// The largest `.gitattributes`, in bytes: a hundred times that of large projects. A line of eight
/// bytes needs about 150 bytes of memory.
pub(crate) const LARGEST: u64 = 1 << 20;
/// The limit for all of an entry's `.gitattributes` together, in bytes.
const LARGEST_ON_THE_WAY: u64 = 4 << 20;

/// The remaining work for all matching of one zip: a step for each line, for each compared
/// character of a pattern, and for each byte read. A step takes one to five nanoseconds.
#[derive(Debug)]
pub(crate) struct Steps(Cell<u64>);

impl Default for Steps {
    /// Half a million files with 200 lines, as in the largest game projects, need a tenth.
    fn default() -> Self {
        Self(Cell::new(1 << 32))
    }
}

/// A `.gitattributes` of an enclosing folder.
struct File {
    /// Its folder.
    folder: BString,
    size: u64,
    rules: Vec<Rule>,
}

/// A line of it.
struct Rule {
    pattern: Pattern,
    assignments: Box<[Assignment]>,
}

/// The search in a tree.
pub(super) struct Search<'a> {
    objects: &'a Objects<'a>,
    steps: &'a Steps,
    macros: Macros,
    /// Those of the current folder and its parents, innermost last.
    files: Vec<File>,
}

impl<'a> Search<'a> {
    pub(super) fn new(objects: &'a Objects<'a>, steps: &'a Steps) -> Self {
        Self { objects, steps, macros: Macros::builtin(), files: Vec::new() }
    }

    /// Enters a folder with this `.gitattributes`. Only the root's may define macros.
    pub(super) fn enter(&mut self, folder: &BStr, id: ObjectId) -> Result<(), ArchiveError> {
        self.leave(folder);
        let (path, size) = (path_in(folder), self.objects.size(id)?);
        if size > LARGEST {
            return Err(ArchiveError::ControlFile { path, size, most: LARGEST });
        }
        let on_the_way = size + self.files.iter().map(|file| file.size).sum::<u64>();
        if on_the_way > LARGEST_ON_THE_WAY {
            return Err(ArchiveError::ControlFiles { path, size: on_the_way, most: LARGEST_ON_THE_WAY });
        }
        let content = self.objects.read(id, Kind::Blob)?;
        self.take(&path_in(folder), size)?;
        if folder.is_empty() {
            self.macros.define(&content);
        }
        let rules = lines(&content).filter_map(|line| {
            let Of::Pattern(pattern) = line.of else { return None };
            let assignments = self.macros.known(&line.assignments);
            (!assignments.is_empty()).then_some(Rule { pattern: Pattern::parse(&pattern)?, assignments })
        });
        let rules = rules.collect();
        self.files.push(File { folder: folder.to_owned(), size, rules });
        Ok(())
    }

    /// The states of the attributes, by number. `None` for unspecified ones.
    pub(super) fn states(&mut self, path: &BStr, is_folder: bool) -> Result<Vec<Option<&State>>, ArchiveError> {
        self.leave(path);
        let mut found = vec![None; self.macros.count()];
        let name = path.rfind_byte(b'/').and_then(|slash| path.get(slash + 1..)).unwrap_or(path);
        for file in self.files.iter().rev() {
            let path = path.get(file.folder.len()..).unwrap_or_default();
            let place = Place { path: path.strip_prefix(b"/").unwrap_or(path), name, is_folder };
            let mut left = self.steps.0.get();
            // Scanning the states counts as steps as well.
            let searched = left.checked_sub(found.len() as u64).and_then(|rest| {
                left = rest;
                file.rules.iter().rev().try_for_each(|rule| self.apply(rule, place, &mut found, &mut left))
            });
            self.steps.0.set(left);
            self.objects.go_on()?;
            searched.ok_or_else(|| ArchiveError::Costly { path: path_in(file.folder.as_bstr()) })?;
        }
        Ok(found)
    }

    /// Applies a line's assignments to unspecified attributes, if its pattern matches. `None` if
    /// the steps are used up, or if interrupted.
    fn apply<'s>(
        &'s self,
        rule: &'s Rule,
        place: Place<'_>,
        found: &mut [Option<&'s State>],
        steps: &mut u64,
    ) -> Option<()> {
        self.objects.go_on().ok()?;
        *steps = steps.checked_sub(1 + rule.assignments.len() as u64)?;
        let is_open =
            |found: &[Option<&State>], assignment: &Assignment| found.get(assignment.attribute) == Some(&None);
        let any_open = rule.assignments.iter().any(|assignment| is_open(found, assignment));
        if !any_open || !rule.pattern.matches(place, steps)? {
            return Some(());
        }
        // The last assignment comes first, and its expansion before the others.
        let mut waiting: Vec<&Assignment> = rule.assignments.iter().collect();
        while let Some(next) = waiting.pop() {
            *steps = steps.checked_sub(1)?;
            let Some(state) = found.get_mut(next.attribute).filter(|state| state.is_none()) else { continue };
            *state = Some(&next.state);
            if next.state == State::Set {
                waiting.extend(self.macros.meaning(next.attribute));
            }
        }
        Some(())
    }

    /// Leaves the folders that don't contain the path.
    fn leave(&mut self, path: &BStr) {
        let is_in = |folder: &BString| {
            folder.is_empty() || path.strip_prefix(folder.as_slice()).is_some_and(|rest| rest.starts_with(b"/"))
        };
        while self.files.pop_if(|file| !is_in(&file.folder)).is_some() {}
    }

    fn take(&self, path: &BString, steps: u64) -> Result<(), ArchiveError> {
        let left = self.steps.0.get().checked_sub(steps);
        self.steps.0.set(left.unwrap_or_default());
        left.map(drop).ok_or_else(|| ArchiveError::Costly { path: path.clone() })
    }
}

/// The path of a folder's `.gitattributes`.
fn path_in(folder: &BStr) -> BString {
    let slash: &[u8] = if folder.is_empty() { b"" } else { b"/" };
    [folder.as_bytes(), slash, b".gitattributes"].concat().into()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    /// Looks up the attributes of all these paths with this many steps, in a root with this
    /// `.gitattributes`.
    fn search(attributes: &str, paths: &[String], steps: u64, enough: bool) -> Result<u64, ArchiveError> {
        let folder = tempfile::tempdir().unwrap();
        let repository = gix::init_bare(folder.path()).unwrap();
        let id = repository.write_blob(attributes).unwrap().detach();
        let (interrupt, steps) = (AtomicBool::new(false), Steps(Cell::new(steps)));
        let objects = Objects::of(&repository, &interrupt);
        let mut search = Search::new(&objects, &steps);
        search.enter("".into(), id)?;
        interrupt.store(enough, std::sync::atomic::Ordering::Relaxed);
        for path in paths {
            search.states(path.as_str().into(), false)?;
        }
        Ok(steps.0.get())
    }

    #[test]
    fn costly_attribute_search_is_refused() {
        let attributes: Vec<_> = (0..1_000).map(|n| format!("*a*b{n} ident\n")).collect();
        let attributes = attributes.concat();
        let paths: Vec<_> = (0..1_000).map(|n| format!("aaaa{n}")).collect();
        let error = search(&attributes, &paths, 10_000_000, false).unwrap_err();
        assert!(matches!(&error, ArchiveError::Costly { path } if path == ".gitattributes"), "{error:?}");
        assert!(search(&attributes, &paths[..10], 10_000_000, false).is_ok());
    }

    #[test]
    fn interrupted_attribute_search_stops() {
        let attributes = "**/a/".repeat(32) + "b ident\n";
        let paths = ["a/".repeat(1_000) + "c"];
        assert!(matches!(search(&attributes, &paths, u64::MAX, true), Err(ArchiveError::Interrupted)));
    }

    #[test]
    fn ordinary_project_search_needs_few_steps() {
        let attributes: Vec<_> = (0..200).map(|n| format!("*.e{n} filter=lfs diff=lfs merge=lfs -text\n")).collect();
        let attributes = attributes.concat();
        let paths: Vec<_> = (0..1_000).map(|n| format!("some/folder/of/{}/file{n}.e{}", n / 10, n % 300)).collect();
        let most = Steps::default().0.get();
        let taken = most - search(&attributes, &paths, most, false).unwrap();
        // A tenth of the limit for half a million files.
        assert!(taken * 500 < most / 8, "{taken} of a thousand files");
    }

    #[test]
    fn reading_takes_steps_too() {
        let error = search(&"#".repeat(1000), &[], 999, false).unwrap_err();
        assert!(matches!(error, ArchiveError::Costly { .. }));
    }
}
