//! Makes untrusted texts safe to show: branch names, log lines, reasons of services. A character
//! that moves the cursor, changes the writing direction or is invisible makes a text look like
//! another one, so it is shown by its code point.

use std::borrow::Cow;
use std::fmt::Write;

use icu_properties::props::{
    BinaryProperty, DefaultIgnorableCodePoint, EnumeratedProperty, GeneralCategory, GeneralCategoryGroup,
};

/// Whether a reader can't recognise the character: controls, directions and other formats,
/// separators and blanks other than the space, and what is unassigned, private or invisible.
fn hides(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    let odd = GeneralCategoryGroup::Other.union(GeneralCategoryGroup::Separator);
    odd.contains(GeneralCategory::for_char(character))
        || DefaultIgnorableCodePoint::for_char(character)
        // The blank Braille pattern.
        || character == '\u{2800}'
}

/// Replaces hidden characters except `kept` by what `write` writes.
fn replaced<'t>(text: &'t str, kept: &[char], write: impl Fn(char, &mut String)) -> Cow<'t, str> {
    let hidden = |character: char| hides(character) && !kept.contains(&character);
    if !text.chars().any(hidden) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if hidden(character) { write(character, &mut shown) } else { shown.push(character) }
    }
    shown.into()
}

fn by_number(character: char, shown: &mut String) {
    shown.extend(character.escape_default());
}

/// The text on one line, with hidden characters by code point, such as `\u{202e}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    replaced(text, &[], by_number)
}

/// The same for a text of several lines, which stay separate.
pub fn lines(text: &str) -> Cow<'_, str> {
    replaced(text, &['\n'], by_number)
}

/// JSON of the same value, with hidden characters escaped, such as `\u202e`.
pub fn json(text: &str) -> Cow<'_, str> {
    // A hidden character in JSON that isn't white space is in a string.
    replaced(text, &['\n'], |character, shown| {
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(shown, "\\u{unit:04x}");
        }
    })
}

/// XML of the same value, with hidden characters escaped, such as `&#x202e;`.
pub fn xml(text: &str) -> Cow<'_, str> {
    replaced(text, &['\n'], |character, shown| {
        let _ = write!(shown, "&#x{:x};", u32::from(character));
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_appear_by_code_point() {
        for (text, expected) in [
            ("main", "main"),
            ("größe/テスト/e\u{301}", "größe/テスト/e\u{301}"),
            ("\\u{202e}", "\\u{202e}"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\u{9b}2Jb\u{85}", "a\\u{9b}2Jb\\u{85}"),
            ("a\nb\r\tc\0\u{7f}", "a\\nb\\r\\tc\\u{0}\\u{7f}"),
            ("safe\u{202e}gpj.exe", "safe\\u{202e}gpj.exe"),
            (
                "\u{61c}\u{200e}\u{200f}\u{202a}\u{2066}\u{2069}",
                "\\u{61c}\\u{200e}\\u{200f}\\u{202a}\\u{2066}\\u{2069}",
            ),
            ("a\u{2028}b\u{2029}c\u{a0}d\u{3000}", "a\\u{2028}b\\u{2029}c\\u{a0}d\\u{3000}"),
            ("ma\u{200b}in\u{ad}\u{feff}", "ma\\u{200b}in\\u{ad}\\u{feff}"),
            // Tags, a variation, fillers, private and unassigned ones.
            (
                "\u{e0061}\u{fe0f}\u{3164}\u{2800}\u{e000}\u{378}",
                "\\u{e0061}\\u{fe0f}\\u{3164}\\u{2800}\\u{e000}\\u{378}",
            ),
        ] {
            assert_eq!(visible(text), expected);
        }
        assert_eq!(lines("a\u{1b}\nb"), "a\\u{1b}\nb");
    }

    #[test]
    fn visible_text_has_no_hidden_characters() {
        let every: String = ('\0'..=char::MAX).collect();
        let shown = visible(&every);
        assert!(!shown.chars().any(hides) && visible(&shown) == shown);
        let (mut hidden, mut differing) = (0, 0);
        for character in every.chars() {
            hidden += usize::from(hides(character));
            // Compared with Rust's own escapes, except quotes and marks, which it prints after
            // another character.
            let is_printed = ['\'', '"', '\\'].contains(&character) || character.escape_debug().count() == 1;
            let is_mark = GeneralCategoryGroup::Mark.contains(GeneralCategory::for_char(character));
            differing += usize::from(!is_mark && is_printed == hides(character));
        }
        // If they differ, one of them knows a later Unicode version.
        assert!(hidden > 900_000 && differing < 20_000, "{hidden} {differing}");
    }

    #[test]
    fn json_and_xml_keep_their_values() {
        let value = serde_json::json!({ "key\u{202e}": "a\u{9b}\u{e0061}\n\u{7f}\"" });
        let plain = serde_json::to_string_pretty(&value).unwrap();
        let shown = json(&plain);
        assert!(
            !shown.chars().any(|character| hides(character) && character != '\n') && shown.contains("\\udb40\\udc61"),
            "{shown}"
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        assert_eq!(xml("<a b=\"\u{202e}\">\u{9b}</a>\n"), "<a b=\"&#x202e;\">&#x9b;</a>\n");
    }
}
