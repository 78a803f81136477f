//! Which files of a tree go into the zip: the `Paths` parameter.

use std::str::FromStr;

use contract::{Patterns, PatternsError};
use gix::bstr::{BStr, BString, ByteSlice};

/// Globs of files and folders, such as `src/**/*.rs, docs, !docs/internal`: a folder includes its
/// content. If empty, everything is included that isn't excluded.
#[derive(Debug, Clone, Default)]
pub struct Paths(Patterns);

impl FromStr for Paths {
    type Err = PatternsError;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        Patterns::parse("Paths", list).map(Self)
    }
}

/// How globs match a path.
#[derive(Debug, Clone, Copy)]
struct Said {
    included: bool,
    excluded: bool,
}

impl Paths {
    /// Whether a file below `path` may be included.
    pub(crate) fn may_hold(&self, path: &BStr) -> bool {
        let included = self.0.includes_nothing() || self.0.may_include_below(&path.to_str_lossy());
        let mut around = path.find_iter("/").chain([path.len()]).filter_map(|end| path.get(..end));
        included && !around.any(|folder| self.0.excludes(&folder.to_str_lossy()))
    }

    fn say(&self, path: &[u8]) -> Said {
        let path = path.to_str_lossy();
        Said { included: self.0.includes(&path), excluded: self.0.excludes(&path) }
    }
}

/// A cache for evaluating [`Paths`] for consecutive files: results for folders are reused, because
/// a push may contain thousands of files in thousands of nested folders.
#[derive(Debug)]
pub(crate) struct Inclusion<'a> {
    paths: &'a Paths,
    /// The folder of the last file.
    folder: BString,
    /// The folders of its path, by where they end in it, with the results for them and their
    /// parents.
    said: Vec<(usize, Said)>,
}

impl<'a> Inclusion<'a> {
    pub(crate) fn of(paths: &'a Paths) -> Self {
        Self { paths, folder: BString::default(), said: Vec::new() }
    }

    /// Whether a file is included: it or an enclosing folder is included, and none of them
    /// excluded.
    pub(crate) fn include(&mut self, path: &BStr) -> bool {
        let paths = self.paths;
        self.include_by(path, |path| paths.say(path))
    }

    fn include_by(&mut self, path: &BStr, mut say: impl FnMut(&[u8]) -> Said) -> bool {
        let shared = path.iter().zip(self.folder.iter()).take_while(|(one, other)| one == other).count();
        let is_shared = |end: usize| end <= shared && path.get(end) == Some(&b'/');
        while self.said.pop_if(|(end, _)| !is_shared(*end)).is_some() {}
        let nothing = Said { included: self.paths.0.includes_nothing(), excluded: false };
        let (known, mut all) = self.said.last().copied().map_or((0, nothing), |(end, said)| (end + 1, said));
        let mut add = |path: &[u8]| {
            let more = say(path);
            all = Said { included: all.included | more.included, excluded: all.excluded | more.excluded };
            all
        };
        let slashes = path.get(known..).unwrap_or_default().find_iter("/").map(|at| known + at);
        let mut folder_end = known.saturating_sub(1);
        for end in slashes {
            self.said.push((end, add(path.get(..end).unwrap_or_default())));
            folder_end = end;
        }
        self.folder = path.get(..folder_end).unwrap_or_default().into();
        let all = add(path);
        all.included && !all.excluded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_glob_includes_its_contents() {
        let check = |globs: &str, path: &str, expected: bool| {
            let paths = globs.parse().unwrap();
            assert_eq!(Inclusion::of(&paths).include(path.into()), expected, "{globs} {path}");
        };
        check("", "a/b", true);
        check("src", "src/a/b.rs", true);
        check("src/", "src/a", false);
        check("src", "source/a", false);
        check("src/**/*.rs", "src/a/b.rs", true);
        check("src/*.rs", "src/a/b.rs", false);
        check("*.md", "README.md", true);
        check("*.md", "docs/x.md", false);
        check("**/*.md", "README.md", true);
        check("src, docs, !docs/internal", "docs/internal/x", false);
        check("src, docs, !docs/internal", "docs/x", true);
        check("!target", "target/debug/x", false);
        check("!target", "src/x", true);
    }
    #[test]
    fn path_order_does_not_change_inclusion() {
        let paths = "src/**/*.rs, docs, **/b/**, !**/c, !docs/a".parse().unwrap();
        let mut inclusion = Inclusion::of(&paths);
        let parts = ["src", "docs", "a", "b", "c", "x.rs"];
        let mut number = 7_usize;
        for _ in 0..5_000 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let path: Vec<_> = (0..=(number >> 40) % 5).map(|n| parts[(number >> (45 + 3 * n)) % 6]).collect();
            let path = path.join("/");
            assert_eq!(
                inclusion.include(path.as_str().into()),
                Inclusion::of(&paths).include(path.as_str().into()),
                "{path}"
            );
        }
    }

    #[test]
    fn no_folder_is_asked_for_twice() {
        let (paths, folder) = (Paths::default(), "folder/".repeat(2_000));
        let mut inclusion = Inclusion::of(&paths);
        let mut asked = 0;
        for n in 0..1_000 {
            let path = format!("{folder}{}{n}", if n < 500 { "" } else { "sub/" });
            inclusion.include_by(path.as_str().into(), |_| {
                asked += 1;
                Said { included: true, excluded: false }
            });
        }
        assert_eq!(asked, 2_000 + 1_000 + 1);
    }
}
