//! Parses the lines of a `.gitattributes` like Git (`parse_attr_line` of attr.c): a line with a
//! mistake is ignored completely.

use std::borrow::Cow;

use gix::{
    attrs::{AssignmentRef, NameRef, parse},
    bstr::{BStr, ByteSlice},
    quote::ansi_c,
};

/// Git ignores longer lines.
const LONGEST: usize = 2047;

/// A valid line.
pub(super) struct Line<'a> {
    pub(super) of: Of<'a>,
    pub(super) assignments: Vec<AssignmentRef<'a>>,
}

/// The subject of a line.
pub(super) enum Of<'a> {
    /// Files that match this pattern.
    Pattern(Cow<'a, [u8]>),
    /// Another attribute, which is a macro for those of the line.
    Macro(String),
}

/// The valid lines. Like Git, it stops at a zero byte.
pub(super) fn lines(content: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let content = content.split(|byte| *byte == 0).next().unwrap_or_default();
    content.split(|byte| *byte == b'\n').filter_map(line)
}

fn line(line: &[u8]) -> Option<Line<'_>> {
    let text = without_blanks(line);
    if text.is_empty() || text.starts_with(b"#") || line.len() > LONGEST {
        return None;
    }
    let quoted = text.starts_with(b"\"").then(|| ansi_c::undo(text.as_bstr()).ok()).flatten();
    let (pattern, end) = quoted.unwrap_or_else(|| {
        let end = text.find_byteset(BLANKS).unwrap_or(text.len());
        (Cow::Borrowed(text.get(..end).unwrap_or_default().as_bstr()), end)
    });
    let assignments = parse::Iter::new(text.get(end..)?.as_bstr()).collect::<Result<_, _>>().ok()?;
    let is_macro = pattern.starts_with(MACRO) && pattern.len() > MACRO.len();
    let of = if is_macro { Of::Macro(macro_name(&pattern)?.to_owned()) } else { Of::Pattern(until_zero(pattern)) };
    Some(Line { of, assignments })
}

const BLANKS: &[u8] = b" \t\r";
const MACRO: &[u8] = b"[attr]";

fn without_blanks(text: &[u8]) -> &[u8] {
    text.trim_start_with(|character| matches!(character, ' ' | '\t' | '\r'))
}

/// The name of the macro that a line defines. `None` if the name is invalid.
fn macro_name(defined: &BStr) -> Option<&str> {
    let name = without_blanks(defined.get(MACRO.len()..)?);
    let name = name.get(..name.find_byteset(BLANKS).unwrap_or(name.len()))?;
    NameRef::try_from(name.as_bstr()).ok()?;
    name.to_str().ok().filter(|name| !name.starts_with("builtin_"))
}

fn until_zero(pattern: Cow<'_, BStr>) -> Cow<'_, [u8]> {
    let end = pattern.find_byte(0).unwrap_or(pattern.len());
    match pattern {
        Cow::Borrowed(pattern) => Cow::Borrowed(pattern.get(..end).unwrap_or_default()),
        Cow::Owned(mut pattern) => {
            pattern.truncate(end);
            Cow::Owned(pattern.into())
        }
    }
}
