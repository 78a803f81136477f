//! Lists of globs that include and exclude: repositories, references, paths.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Why a text isn't a list of globs.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PatternsError {
    /// An entry is not a valid glob.
    #[error("{parameter} has the entry {entry:?}, expected a glob")]
    Glob {
        /// The parameter.
        parameter: &'static str,
        /// The entry.
        entry: String,
        /// What is wrong with it.
        source: globset::Error,
    },
    /// All globs together exceed the size limit of the automaton.
    #[error("{parameter} is too large")]
    Set {
        /// The parameter.
        parameter: &'static str,
        /// The cause.
        source: globset::Error,
    },
}

/// Globs separated by commas. `*` matches within one part of a path, `**` across parts, and `{a,b}`
/// either alternative. A leading `!` excludes. Empty by default.
///
/// [Automata](https://docs.rs/globset) match them: the time grows linearly with the text, whatever
/// the globs are.
#[derive(Debug, Clone, Default)]
pub struct Patterns {
    included: GlobSet,
    /// The folders that contain everything included: the leading parts of each glob that are plain
    /// names.
    folders: Vec<String>,
    excluded: GlobSet,
}

impl Patterns {
    /// Parses a parameter.
    ///
    /// # Errors
    /// An entry is not a valid glob, or there are too many.
    pub fn parse(parameter: &'static str, list: &str) -> Result<Self, PatternsError> {
        let (mut included, mut excluded) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        let mut folders = Vec::new();
        for entry in entries(list) {
            if !entry.starts_with('!') {
                folders.push(folder(entry));
            }
            let (set, pattern) =
                entry.strip_prefix('!').map_or((&mut included, entry), |pattern| (&mut excluded, pattern.trim_start()));
            let glob = GlobBuilder::new(pattern).literal_separator(true).build();
            set.add(glob.map_err(|source| PatternsError::Glob { parameter, entry: entry.to_owned(), source })?);
        }
        let build = |set: GlobSetBuilder| set.build().map_err(|source| PatternsError::Set { parameter, source });
        Ok(Self { included: build(included)?, folders, excluded: build(excluded)? })
    }

    /// Whether no glob includes anything.
    pub fn includes_nothing(&self) -> bool {
        self.included.is_empty()
    }

    /// Whether a glob includes the text.
    pub fn includes(&self, text: &str) -> bool {
        self.included.is_match(text)
    }

    /// Whether a glob may include something below this path. Considers only the plain names that a
    /// glob starts with.
    pub fn may_include_below(&self, path: &str) -> bool {
        self.folders
            .iter()
            .any(|folder| folder.split('/').zip(path.split('/')).all(|(one, other)| one.is_empty() || one == other))
    }

    /// Whether a glob excludes the text.
    pub fn excludes(&self, text: &str) -> bool {
        self.excluded.is_match(text)
    }
}

/// The leading parts of a glob that are plain names.
fn folder(glob: &str) -> String {
    // Braces may contain slashes, and a backslash escapes.
    let names = glob.split('/').take_while(|part| !part.contains(['*', '?', '[', '{', '\\']));
    names.collect::<Vec<_>>().join("/")
}

/// Splits a list into entries. Commas within braces don't split.
pub(crate) fn entries(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let parts = list.split(move |character| {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    });
    parts.map(str::trim).filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_one_part() {
        let check = |globs: &str, text: &str, expected: bool| {
            assert_eq!(Patterns::parse("X", globs).unwrap().includes(text), expected, "{globs} {text}");
        };
        check("a/*", "a/b", true);
        check("a/*", "a/b/c", false);
        check("a/**", "a/b/c", true);
        check("a/*", "ab/c", false);
        check("x/y, a/?", "a/b", true);
        check("a/{x,b}, c", "a/b", true);
        check("a/{x,b}, c", "c", true);
        check("a/{x,b}, c", "b}", false);
        check("", "a", false);
        check("!a/*", "a/b", false);
    }

    #[test]
    fn names_tell_what_may_be_below() {
        let check = |globs: &str, path: &str, expected: bool| {
            assert_eq!(Patterns::parse("X", globs).unwrap().may_include_below(path), expected, "{globs} {path}");
        };
        check("a/b/c", "a", true);
        check("a/b/c", "a/b/c/d", true);
        check("a/b/c", "a/x", false);
        check("a/b*", "a/x", true);
        check("a/b*", "x", false);
        check("**/c, x", "a", true);
        check("{a/b,c}/d", "x", true);
        check("x, a", "a/b", true);
        check("!a", "a", false);
    }

    #[test]
    fn an_exclusion_includes_nothing() {
        let patterns = Patterns::parse("X", "!a").unwrap();
        assert!(patterns.includes_nothing() && patterns.excludes("a") && !patterns.excludes("b"));
        assert!(Patterns::parse("X", "b, ! a").unwrap().excludes("a"));
    }

    #[test]
    fn a_bad_glob_is_named() {
        for (list, entry) in [("a,[", "["), ("![", "!["), ("a, b{c,d", "b{c,d")] {
            let error = Patterns::parse("Refs", list).unwrap_err().to_string();
            assert_eq!(error, format!("Refs has the entry {entry:?}, expected a glob"));
        }
    }

    #[test]
    fn hostile_globs_finish_on_long_text() {
        // The longest parameter and the longest path in a zip. A matcher that backtracks from each
        // star would never end.
        let text = "a/".repeat(32 << 10);
        for piece in ["**/a/", "*a*", "[!b]*", "?*/*"] {
            let glob = piece.repeat(384 / piece.len() - 1) + "b";
            let patterns = Patterns::parse("Paths", &format!("{glob}, !{glob}")).unwrap();
            assert!(!patterns.includes(&text) && !patterns.excludes(&text), "{glob}");
        }
    }
}
