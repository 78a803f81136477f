//! Parses commits as leniently as Git: only the tree and the parents must be in their places. The
//! author may have no address or be missing, headers may be repeated or out of order, and lines may
//! end in CR LF. A strict parser would reject old and imported history.

use gix::{ObjectId, bstr::ByteSlice, filter::plumbing::encoding::Encoding};

/// A parsed commit.
#[derive(Debug, Clone)]
pub struct Commit<'a> {
    /// Its tree.
    pub tree: ObjectId,
    /// Its parents, in order.
    pub parents: Vec<ObjectId>,
    /// The headers after the parents, and the message.
    rest: &'a [u8],
    /// The whole content up to the first zero byte, where Git's text ends.
    text: &'a [u8],
}

/// Even Git doesn't accept it as a commit. It is what was pushed: fetching it again gives the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the commit doesn't begin with a tree, or has an invalid parent")]
pub struct NoCommit;

/// An author or a committer, as far as it can be parsed (`split_ident_line` of ident.c).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person<'a> {
    /// The name, unchanged.
    pub name: &'a [u8],
    /// The address between the angle brackets.
    pub email: &'a [u8],
    /// The seconds since 1970, in digits. `None` if missing.
    pub date: Option<&'a [u8]>,
    /// The sign and the digits of the time zone.
    pub zone: Option<&'a [u8]>,
}

impl<'a> Commit<'a> {
    /// Parses the `content` of a commit (`parse_commit_buffer` of commit.c).
    ///
    /// # Errors
    /// See [`NoCommit`].
    pub fn parse(content: &'a [u8]) -> Result<Self, NoCommit> {
        let (tree, mut rest) = id(content, b"tree ").ok_or(NoCommit)?;
        let mut parents = Vec::new();
        while rest.starts_with(b"parent ") {
            let (parent, after) = id(rest, b"parent ").ok_or(NoCommit)?;
            parents.push(parent);
            rest = after;
        }
        let text = content.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(Self { tree, parents, rest, text })
    }

    /// The time of the commit in seconds since 1970, or 0 if it is missing (`parse_commit_date`).
    pub fn time(&self) -> i64 {
        let mut lines = self.rest.splitn(3, |byte| *byte == b'\n');
        let (Some(author), Some(committer), Some(_)) = (lines.next(), lines.next(), lines.next()) else { return 0 };
        if !author.starts_with(b"author") || !committer.starts_with(b"committer") {
            return 0;
        }
        let Some(end) = committer.rfind_byte(b'>') else { return 0 };
        let date = trim_start(committer.get(end + 1..).unwrap_or_default());
        let digits = date.get(..digits(date)).and_then(|digits| digits.to_str().ok()).unwrap_or_default();
        if digits.is_empty() { 0 } else { digits.parse().unwrap_or(i64::MAX) }
    }

    /// The author. `None` if the header is missing or has no address. The last one counts.
    pub fn author(&self) -> Option<Person<'a>> {
        self.last_header(b"author ").and_then(Person::parse)
    }

    /// The committer, like [`Commit::author`].
    pub fn committer(&self) -> Option<Person<'a>> {
        self.last_header(b"committer ").and_then(Person::parse)
    }

    /// The encoding of the text, unless it is UTF-8. The first one counts.
    pub fn encoding(&self) -> Option<&'a [u8]> {
        self.headers().find_map(|line| line.strip_prefix(b"encoding ")).filter(|name| !name.is_empty())
    }

    /// The message in its own encoding, after the empty line.
    pub fn message(&self) -> &'a [u8] {
        let length: usize = self.headers().map(|line| line.len() + 1).sum();
        self.text.get(length + 1..).unwrap_or_default()
    }

    /// The subject: the message's first paragraph on one line. In UTF-8 if the encoding is known.
    pub fn summary(&self) -> String {
        let (subject, _) = subject(self.message());
        let encoding = self.encoding().and_then(Encoding::for_label);
        match (subject.to_str(), encoding) {
            // If the text is valid UTF-8, the program that wrote the header forgot to convert the
            // text.
            (Err(_), Some(encoding)) => encoding.decode_without_bom_handling(&subject).0.into_owned(),
            _ => subject.to_str_lossy().into_owned(),
        }
    }

    fn last_header(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.headers().filter_map(|line| line.strip_prefix(name)).last()
    }

    /// The lines before the first empty one.
    fn headers(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.text.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty())
    }
}

impl<'a> Person<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let (name, rest) = line.split_once_str("<")?;
        let (email, _) = rest.split_once_str(">")?;
        let name = name.trim_end_with(is_space);
        let date = trim_start(line.get(line.rfind_byte(b'>')? + 1..)?);
        let (date, rest) = date.split_at(digits(date));
        let zone = trim_start(rest);
        let length = digits(zone.get(1..).unwrap_or_default());
        // Without a time zone, there is no date.
        let has_zone = !date.is_empty() && (zone.starts_with(b"+") || zone.starts_with(b"-")) && length > 0;
        let (date, zone) = if has_zone { (Some(date), zone.get(..=length)) } else { (None, None) };
        Some(Self { name, email, date, zone })
    }
}

/// Splits a message into its first paragraph on one line and the rest (`format_subject` of
/// pretty.c).
pub fn subject(message: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut rest = skip_blank_lines(message);
    let mut subject = Vec::new();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.find_byte(b'\n').map_or(rest.len(), |end| end + 1));
        rest = after;
        let line = line.trim_end_with(is_space);
        if line.is_empty() {
            break;
        }
        if !subject.is_empty() {
            subject.push(b' ');
        }
        subject.extend_from_slice(line);
    }
    (subject, skip_blank_lines(rest))
}

/// The message without leading blank lines.
pub fn skip_blank_lines(mut text: &[u8]) -> &[u8] {
    while let Some((line, after)) = text.split_once_str("\n") {
        if !line.trim_with(is_space).is_empty() {
            break;
        }
        text = after;
    }
    text
}

/// Parses the ID after `name`. Returns it with the following lines.
fn id<'a>(text: &'a [u8], name: &[u8]) -> Option<(ObjectId, &'a [u8])> {
    let (hex, rest) = text.strip_prefix(name)?.split_at_checked(gix::hash::Kind::Sha1.len_in_hex())?;
    Some((ObjectId::from_hex(hex).ok()?, rest.strip_prefix(b"\n")?))
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn trim_start(text: &[u8]) -> &[u8] {
    text.trim_start_with(is_space)
}

/// Git's definition of white space.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(headers: &str) -> Vec<u8> {
        format!("tree {}\n{headers}", "1".repeat(40)).into_bytes()
    }

    #[test]
    fn the_time_is_the_second_headers() {
        for (headers, expected) in [
            ("author A <a> 1 +0000\ncommitter C <c> 17 +0000\n\nx", 17),
            ("author A 1 +0000\ncommitter C 17 +0000\n\nx", 0),
            ("author A\ncommitter <c>> 17\n\nx", 17),
            ("author A\ncommitter C <c> 99999999999999999999 +0000\n\nx", i64::MAX),
            ("author A\ncommitter C <c> 17 +0000", 0),
            ("committer C <c> 17 +0000\nauthor A <a> 1 +0000\n\nx", 0),
            ("author A\nauthor A\ncommitter C <c> 17 +0000\n\nx", 0),
            ("\nx", 0),
            ("", 0),
        ] {
            assert_eq!(Commit::parse(&content(headers)).unwrap().time(), expected, "{headers:?}");
        }
    }

    #[test]
    fn malformed_commit_is_refused() {
        let id = "1".repeat(40);
        for text in ["", "tree 1\n", &format!("tree {id}"), &format!("tree {id}\r\n"), &format!("parent {id}\n")] {
            assert_eq!(Commit::parse(text.as_bytes()).unwrap_err(), NoCommit, "{text:?}");
        }
        assert!(Commit::parse(&content("parent x\n")).is_err());
    }

    #[test]
    fn persons_are_taken_as_they_stand() {
        let person = |line: &'static str| {
            let Person { name, email, date, zone } = Person::parse(line.as_bytes())?;
            let text = |bytes: &'static [u8]| bytes.to_str().unwrap();
            Some((text(name), text(email), date.map(text), zone.map(text)))
        };
        assert_eq!(person("A B <a@b> 1 +0100"), Some(("A B", "a@b", Some("1"), Some("+0100"))));
        assert_eq!(person("<>"), Some(("", "", None, None)));
        assert_eq!(person("A <a> 1"), Some(("A", "a", None, None)));
        assert_eq!(person("A <a <b> c> 1 -1\r"), Some(("A", "a <b", Some("1"), Some("-1"))));
        assert_eq!(person("A 1 +0000"), None);
        assert_eq!(person("A <a 1 +0000"), None);
    }

    #[test]
    fn the_summary_is_in_utf8() {
        for (headers, expected) in [
            (&b"encoding ISO-8859-1\n\nGr\xfc\xdfe aus\nK\xf6ln\n\nmore"[..], "Gr\u{fc}\u{df}e aus K\u{f6}ln"),
            (b"encoding Shift_JIS\n\n\x93\xfa\x96\x7b\n", "\u{65e5}\u{672c}"),
            (b"encoding ISO-8859-1\n\n\xc3\xbc\n", "\u{fc}"),
            (b"encoding nonsense\n\n\xfc\n", "\u{fffd}"),
            (b"author A\n\n  \r\n\r\nsubject\r\n\r\nbody", "subject"),
            (b"author A\n", ""),
        ] {
            let content = [content("").as_slice(), headers].concat();
            assert_eq!(Commit::parse(&content).unwrap().summary(), expected, "{:?}", headers.as_bstr());
        }
    }

    #[test]
    fn message_starts_after_first_blank_line() {
        for (headers, message, encoding) in [
            ("author A\nencoding latin1\nencoding x\n\nm\n\nn", "m\n\nn", Some("latin1")),
            ("\nencoding x", "encoding x", None),
            ("author A\r\n\r\nm\n", "", None),
            ("author A", "", None),
            ("author A\n\nm\0n", "m", None),
        ] {
            let content = content(headers);
            let commit = Commit::parse(&content).unwrap();
            assert_eq!(commit.message(), message.as_bytes(), "{headers:?}");
            assert_eq!(commit.encoding(), encoding.map(str::as_bytes), "{headers:?}");
        }
    }
}
