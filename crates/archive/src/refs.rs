//! The names of a commit, like `git log --decorate`: `HEAD -> main, tag: v1, origin/main`.

use gix::{ObjectId, Repository, bstr::ByteSlice};

use crate::pushed::Pushed;

/// A name of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    /// Its short form.
    name: Vec<u8>,
    is_tag: bool,
    /// The branch that it points to, if it is `HEAD`.
    points_to: Option<Vec<u8>>,
}

/// The format of the names (`parse_decoration_options` of pretty.c).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Style {
    prefix: Vec<u8>,
    suffix: Vec<u8>,
    separator: Vec<u8>,
    pointer: Vec<u8>,
    tag: Vec<u8>,
}

impl Style {
    /// The format of `%D`.
    pub(crate) fn bare() -> Self {
        let [prefix, suffix, separator, pointer, tag] = ["", "", ", ", " -> ", "tag: "].map(Into::into);
        Self { prefix, suffix, separator, pointer, tag }
    }

    /// The format of `%d`.
    pub(crate) fn bracketed() -> Self {
        Self { prefix: b" (".into(), suffix: b")".into(), ..Self::bare() }
    }

    /// The format of `%(decorate)` with the options before its closing bracket. `None` if Git
    /// wouldn't understand them either.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut style = Self::bracketed();
        let Some(mut rest) = text.strip_prefix(b":") else { return text.is_empty().then_some(style) };
        while !rest.is_empty() {
            let (option, after) = rest.split_once_str(",").unwrap_or((rest, b""));
            let (name, value) = option.split_once_str("=").unwrap_or((option, b""));
            let place = match name {
                b"prefix" => &mut style.prefix,
                b"suffix" => &mut style.suffix,
                b"separator" => &mut style.separator,
                b"pointer" => &mut style.pointer,
                b"tag" => &mut style.tag,
                _ => return None,
            };
            *place = unescaped(value);
            rest = after;
        }
        Some(style)
    }

    /// Formats the names. Empty if there are none.
    pub(crate) fn show(&self, names: &[Name]) -> Vec<u8> {
        if names.is_empty() {
            return Vec::new();
        }
        let shown = names.iter().map(|Name { name, is_tag, points_to }| {
            let tag: &[u8] = if *is_tag { &self.tag } else { b"" };
            let target = points_to.as_ref().map(|branch| [self.pointer.as_slice(), branch].concat());
            [tag, name, &target.unwrap_or_default()].concat()
        });
        [self.prefix.as_slice(), &joined(shown, &self.separator), &self.suffix].concat()
    }
}

/// `%n`, `%%` and `%x2c` in a value, for characters that can't be in it directly.
fn unescaped(value: &[u8]) -> Vec<u8> {
    let (mut rest, mut out) = (value, Vec::new());
    while let Some((before, after)) = rest.split_once_str("%") {
        out.extend_from_slice(before);
        let digits = after.get(1..3).filter(|_| after.starts_with(b"x")).and_then(|digits| digits.to_str().ok());
        let byte = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let (byte, length) = match (after.first(), byte.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (_, Some(byte)) => (byte, 3),
            (Some(b'n'), _) => (b'\n', 1),
            (Some(b'%'), _) => (b'%', 1),
            _ => (b'%', 0),
        };
        out.push(byte);
        rest = after.get(length..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// The names of the commit `id`, in Git's order: HEAD, then the references from last to first. A
/// pushed branch counts as the one that is checked out, and a pushed tag as the one of a detached
/// `HEAD`.
pub(crate) fn decorations(repository: &Repository, id: ObjectId, pushed: Option<&Pushed>) -> Vec<Name> {
    let plain =
        |name: &[u8]| Name { name: short(name).to_vec(), is_tag: name.starts_with(b"refs/tags/"), points_to: None };
    let head = |branch: Option<&[u8]>| Name {
        name: b"HEAD".to_vec(),
        is_tag: false,
        points_to: branch.map(|branch| short(branch).to_vec()),
    };
    if let Some(Pushed { reference, .. }) = pushed {
        let name = reference.as_str().as_bytes();
        return vec![if reference.branch().is_some() { head(Some(name)) } else { plain(name) }];
    }
    let at_head = repository.head().ok().filter(|_| repository.head_id().is_ok_and(|head| head == id));
    let branch = at_head.as_ref().and_then(|head| head.referent_name().map(|name| name.as_bstr().to_owned()));
    let mut names: Vec<_> = names_of(repository, id);
    names.sort();
    names.reverse();
    names.retain(|name| branch.as_ref().is_none_or(|branch| name != branch.as_slice()));
    let first = at_head.map(|_| head(branch.as_ref().map(|branch| branch.as_slice())));
    first.into_iter().chain(names.iter().map(|name| plain(name))).collect()
}

/// The parts with `separator` between them.
pub(crate) fn joined(parts: impl IntoIterator<Item = Vec<u8>>, separator: &[u8]) -> Vec<u8> {
    parts.into_iter().collect::<Vec<_>>().join(separator)
}

fn names_of(repository: &Repository, id: ObjectId) -> Vec<Vec<u8>> {
    let Ok(references) = repository.references() else { return Vec::new() };
    let Ok(all) = references.all() else { return Vec::new() };
    let of_commit = all.filter_map(Result::ok).filter_map(|mut reference| {
        // Peeling a symbolic reference replaces it by its target.
        let name = reference.name().as_bstr().to_vec();
        (reference.peel_to_id().ok()? == id).then_some(name)
    });
    of_commit.collect()
}

fn short(name: &[u8]) -> &[u8] {
    let prefixes = ["refs/heads/", "refs/tags/", "refs/remotes/"];
    prefixes.iter().find_map(|prefix| name.strip_prefix(prefix.as_bytes())).unwrap_or(name.as_bytes())
}
