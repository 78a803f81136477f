//! Git's patterns (`wildmatch.c`), matched in at most the pattern's length times the text's. A push
//! contains the patterns, and Git's own algorithm, which backtracks to every star, takes twice as
//! long for each `**/`.
//!
//! Backtracking to two positions is enough, the last `*` and the last `**/`: whatever an earlier
//! one could consume, the later one can consume, too.

use gix::bstr::ByteSlice;

/// The meaning of a slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slash {
    /// The end of a folder name, which only a slash or `**` matches (`WM_PATHNAME`).
    Separates,
    /// A character like others.
    IsALetter,
}

/// Where to continue after a mismatch.
#[derive(Clone, Copy)]
struct Retry {
    pattern: usize,
    text: usize,
}

/// Whether `pattern` matches the whole `text`. `None` if `steps`, which is decremented, is used up.
pub(crate) fn matches(pattern: &[u8], text: &[u8], slash: Slash, steps: &mut u64) -> Option<bool> {
    let from = |at: usize| text.get(at..).unwrap_or_default();
    let (mut at, mut read) = (0, 0);
    let (mut star, mut folders): (Option<Retry>, Option<Retry>) = (None, None);
    loop {
        *steps = steps.checked_sub(1)?;
        match element(pattern, at, slash) {
            Element::End if read == text.len() => return Some(true),
            Element::End => {}
            Element::Everything => return Some(true),
            Element::Folders { next, none } => {
                *steps = steps.checked_sub((next - at) as u64)?;
                star = None;
                folders = Some(Retry { pattern: next, text: read });
                if none {
                    at = next;
                    continue;
                }
            }
            // A trailing star matches the rest, unless it contains a folder.
            Element::Star { next } if next == pattern.len() => {
                if slash == Slash::IsALetter || !from(read).contains(&b'/') {
                    return Some(true);
                }
                star = None;
            }
            Element::Star { next } => {
                *steps = steps.checked_sub((next - at) as u64)?;
                star = Some(Retry { pattern: next, text: read });
                at = next;
                continue;
            }
            Element::One => {
                if let Some(&byte) = text.get(read) {
                    let Some((matched, next)) = one(pattern, at, byte, slash) else { return Some(false) };
                    *steps = steps.checked_sub((next - at) as u64)?;
                    if matched {
                        (at, read) = (next, read + 1);
                        continue;
                    }
                }
            }
        }
        if let Some(Retry { pattern: next, text: taken }) = star
            && text.get(taken).is_some_and(|byte| slash == Slash::IsALetter || *byte != b'/')
        {
            star = Some(Retry { pattern: next, text: taken + 1 });
            (at, read) = (next, taken + 1);
        } else if let Some(Retry { pattern: next, text: taken }) = folders
            && let Some(end) = from(taken).find_byte(b'/')
        {
            *steps = steps.checked_sub(end as u64)?;
            star = None;
            folders = Some(Retry { pattern: next, text: taken + end + 1 });
            (at, read) = (next, taken + end + 1);
        } else {
            return Some(false);
        }
    }
}

/// The next element of a pattern.
enum Element {
    End,
    /// `*`, or several stars with the same meaning.
    Star {
        next: usize,
    },
    /// `**/`: any folders, or `none`, up to the slash. If the slash is escaped, Git requires at
    /// least one folder.
    Folders {
        next: usize,
        none: bool,
    },
    /// `**` at the end.
    Everything,
    /// An element for one byte.
    One,
}

fn element(pattern: &[u8], at: usize, slash: Slash) -> Element {
    let rest = pattern.get(at..).unwrap_or_default();
    let stars = rest.iter().take_while(|byte| **byte == b'*').count();
    let begins = at.checked_sub(1).is_none_or(|before| pattern.get(before) == Some(&b'/'));
    let next = at + stars;
    match (stars, rest.get(stars..).unwrap_or_default()) {
        (0, []) => Element::End,
        (0, _) => Element::One,
        (2.., []) if begins && slash == Slash::Separates => Element::Everything,
        (2.., [b'/', ..]) if begins && slash == Slash::Separates => Element::Folders { next: next + 1, none: true },
        (2.., [b'\\', b'/', ..]) if begins && slash == Slash::Separates => {
            Element::Folders { next: next + 2, none: false }
        }
        _ => Element::Star { next },
    }
}

/// Whether the element at `at` matches the byte, and where the pattern continues. `None` if it
/// can't match any byte.
fn one(pattern: &[u8], at: usize, byte: u8, slash: Slash) -> Option<(bool, usize)> {
    match *pattern.get(at)? {
        b'?' => Some((slash == Slash::IsALetter || byte != b'/', at + 1)),
        b'[' => {
            let (matched, next) = class(pattern, at + 1, byte)?;
            Some((matched && (slash == Slash::IsALetter || byte != b'/'), next))
        }
        b'\\' => Some((*pattern.get(at + 1)? == byte, at + 2)),
        literal => Some((literal == byte, at + 1)),
    }
}

/// Whether the class after the bracket before `at` contains the byte, and what follows it. `None`
/// if it isn't closed or has an unknown name.
fn class(pattern: &[u8], at: usize, byte: u8) -> Option<(bool, usize)> {
    let get = |at: usize| pattern.get(at).copied();
    let negated = matches!(get(at)?, b'!' | b'^');
    let mut at = at + usize::from(negated);
    // The possible start of a range: the previous character, if any.
    let (mut has, mut before) = (false, None);
    loop {
        match (get(at)?, get(at + 1), before) {
            (b'\\', escaped, _) => {
                (before, at) = (Some(escaped?), at + 1);
                has |= before == Some(byte);
            }
            (b'-', Some(end), Some(start)) if end != b']' => {
                at += if end == b'\\' { 2 } else { 1 };
                has |= (start..=get(at)?).contains(&byte);
                before = None;
            }
            (b'[', Some(b':'), _) => {
                let name = pattern.get(at + 2..)?;
                let name = name.get(..name.find_byte(b']')?)?;
                if let Some(named) = name.strip_suffix(b":") {
                    has |= is_in(named, byte)?;
                    (before, at) = (None, at + 2 + name.len());
                } else {
                    has |= byte == b'[';
                    before = Some(b'[');
                }
            }
            (character, ..) => {
                has |= character == byte;
                before = Some(character);
            }
        }
        at += 1;
        if get(at)? == b']' {
            return Some((has != negated, at + 1));
        }
    }
}

/// Whether the named class contains the byte. `None` if there is no such class.
fn is_in(name: &[u8], byte: u8) -> Option<bool> {
    Some(match name {
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"alpha" => byte.is_ascii_alphabetic(),
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"cntrl" => byte.is_ascii_control(),
        b"digit" => byte.is_ascii_digit(),
        b"graph" => byte.is_ascii_graphic(),
        b"lower" => byte.is_ascii_lowercase(),
        b"print" => matches!(byte, b' '..=b'~'),
        b"punct" => byte.is_ascii_punctuation(),
        // Git's own definition, without vertical tabs and form feeds.
        b"space" => matches!(byte, b' ' | b'\t' | b'\n' | b'\r'),
        b"upper" => byte.is_ascii_uppercase(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use gix::glob::wildmatch;
    use proptest::prelude::*;

    use super::*;

    fn matched(pattern: &str, text: &str, slash: Slash) -> bool {
        matches(pattern.as_bytes(), text.as_bytes(), slash, &mut u64::MAX.clone()).unwrap()
    }

    #[test]
    fn wildcards_follow_slash_mode() {
        let check = |pattern: &str, text: &str, path: bool, name: bool| {
            let both = [Slash::Separates, Slash::IsALetter].map(|slash| matched(pattern, text, slash));
            assert_eq!(both, [path, name], "{pattern} {text}");
        };
        check("*", "a/b", false, true);
        check("**", "a/b", true, true);
        check("a/**", "a/", true, true);
        check("**/b", "b", true, false);
        check("**/b", "a/x/b", true, true);
        check("**\\/b", "b", false, false);
        check("**\\/b", "a/x/b", true, true);
        check("a**/b", "ax/y/b", false, true);
        check("a/**/b/**/c", "a/b/x/b/y/c", true, true);
        check("***/b", "a/b", true, true);
        check("*/*/b", "a/b", false, false);
        check("a?b", "a/b", false, true);
        check("a[!x]b", "a/b", false, true);
        check("\\*\\", "*", false, false);
        check("\\*", "*", true, true);
        check("", "", true, true);
        check("**/", "", true, false);
    }

    #[test]
    fn classes_are_those_of_git() {
        let check = |pattern: &str, expected: &str| {
            let all = (1..=0x7f).map(char::from).filter(|&c| c != '/');
            let found: String = all.filter(|c| matched(pattern, &c.to_string(), Slash::Separates)).collect();
            assert_eq!(found, expected, "{pattern}");
        };
        check("[a-c]", "abc");
        check("[]a]", "]a");
        check("[c-a]", "c");
        check("[a-]", "-a");
        check("[-a]", "-a");
        check("[a-c-e]", "-abce");
        check("[\\]]", "]");
        check("[a-\\c]", "abc");
        check("[[:digit:]x]", "0123456789x");
        check("[[:digit:]-x]", "-0123456789x");
        check("[[:nothing:]x]", "");
        check("[[:]", ":[");
        check("[[x:]", ":[x");
        check("[a", "");
        check("[[:space:]]", "\t\n\r ");
    }

    /// The bytes of patterns and texts.
    fn bytes(of: &'static [u8], most: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(of), 0..most)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) })]
        /// gix's difference from Git: an escaped slash after `**`.
        #[test]
        fn small_patterns_match_like_gix(pattern in bytes(b"**//ab?", 10), text in bytes(b"//aab", 12)) {
            for (slash, mode) in [
                (Slash::Separates, wildmatch::Mode::NO_MATCH_SLASH_LITERAL),
                (Slash::IsALetter, wildmatch::Mode::empty()),
            ] {
                let expected = wildmatch(pattern.as_bstr(), text.as_bstr(), mode);
                prop_assert_eq!(matches(&pattern, &text, slash, &mut 10_000), Some(expected), "{:?}", slash);
            }
        }

        /// Except for a `[:` without a class name, where gix is wrong. The tests with git cover it.
        #[test]
        fn classes_match_as_they_do_elsewhere(pattern in bytes(b"[[]]!^-\\ac*/", 12), text in bytes(b"]-\\ab[/", 5)) {
            let escaped_slash = pattern.find(b"**\\/").is_some();
            let expected = wildmatch(pattern.as_bstr(), text.as_bstr(), wildmatch::Mode::NO_MATCH_SLASH_LITERAL);
            let found = matches(&pattern, &text, Slash::Separates, &mut 10_000);
            prop_assert!(escaped_slash || found == Some(expected), "{:?} {}", found, expected);
        }

        #[test]
        fn steps_are_pattern_times_text(
            pattern in prop::collection::vec(prop::sample::select(vec!["**/", "*", "a", "a/", "[ab]", "b"]), 0..40),
            text in bytes(b"//aab", 200),
        ) {
            let pattern = pattern.concat();
            let most = 4 * (pattern.len() as u64 + 2) * (text.len() as u64 + 2);
            prop_assert!(matches(pattern.as_bytes(), &text, Slash::Separates, &mut most.clone()).is_some());
        }
    }

    #[test]
    fn matching_stops_when_steps_run_out() {
        let pattern = "**/a/".repeat(32) + "b";
        let text = "a/".repeat(1000);
        assert_eq!(matches(pattern.as_bytes(), text.as_bytes(), Slash::Separates, &mut 100), None);
        assert_eq!(matches(pattern.as_bytes(), text.as_bytes(), Slash::Separates, &mut 200_000), Some(false));
    }
}
