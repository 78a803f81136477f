//! A pattern of a `.gitattributes`, parsed and matched like Git (`parse_path_pattern` of dir.c,
//! `path_matches` of attr.c): only the part from its first special character needs [`wildmatch`],
//! which most patterns never reach.

use gix::bstr::{BString, ByteSlice};

use crate::wildmatch::{self, Slash};

/// The special characters of patterns.
const SIGNS: &[u8] = b"*?[\\";

/// A pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    /// Without leading and trailing slashes.
    text: BString,
    /// The length of the literal prefix.
    literal: usize,
    of: Of,
    only_folders: bool,
}

/// What the pattern is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    /// The name of a file or folder at any depth.
    Name,
    /// The end of a name: `*.txt`.
    NamesEnd,
    /// The path relative to the folder of the `.gitattributes`.
    Path,
}

/// A file or folder to match.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// Its path relative to the folder of the `.gitattributes`.
    pub(super) path: &'a [u8],
    /// Its name.
    pub(super) name: &'a [u8],
    pub(super) is_folder: bool,
}

impl Pattern {
    /// Parses a pattern. `None` if it is negative, which Git forbids here.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        if text.starts_with(b"!") {
            return None;
        }
        let (text, only_folders) = text.strip_suffix(b"/").map_or((text, false), |text| (text, true));
        let of = match text {
            _ if text.contains(&b'/') => Of::Path,
            [b'*', rest @ ..] if rest.find_byteset(SIGNS).is_none() => Of::NamesEnd,
            _ => Of::Name,
        };
        let text = text.strip_prefix(b"/").unwrap_or(text);
        let literal = text.find_byteset(SIGNS).unwrap_or(text.len());
        Some(Self { text: text.into(), literal, of, only_folders })
    }

    /// Whether it matches. `None` if the steps are used up.
    pub(super) fn matches(&self, place: Place<'_>, steps: &mut u64) -> Option<bool> {
        if self.only_folders && !place.is_folder {
            return Some(false);
        }
        let (literal, rest) = self.text.split_at_checked(self.literal)?;
        match self.of {
            Of::NamesEnd => Some(place.name.ends_with(rest.get(1..)?)),
            Of::Name if rest.is_empty() => Some(place.name == literal),
            Of::Name => wildmatch::matches(&self.text, place.name, Slash::IsALetter, steps),
            Of::Path => match place.path.strip_prefix(literal) {
                None => Some(false),
                Some([]) if rest.is_empty() => Some(true),
                Some(path) => wildmatch::matches(rest, path, Slash::Separates, steps),
            },
        }
    }
}
