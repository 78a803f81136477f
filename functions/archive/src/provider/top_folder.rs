//! The folder that a provider puts everything into, such as `octo-org-hello-1a2b3c4/`: dropped from every name.

use gix::bstr::{BStr, BString, ByteSlice};

use super::ProviderError;
use crate::path;

/// Which folder everything in a provider's zip lies in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopFolder {
    /// One whose name is the provider's affair.
    Always,
    /// None: what looks like one belongs to the repository.
    Never,
    /// The one of this name, if the first entry lies in it: the server may be set up to leave it out.
    Named(String),
}

/// Drops the folder.
pub(super) enum Dropper<'a> {
    /// Not known before the first entry.
    Undecided(&'a TopFolder),
    /// Every name begins with this, a slash at its end.
    Prefix(BString),
    Nothing,
}

impl<'a> Dropper<'a> {
    pub(super) fn new(folder: &'a TopFolder) -> Self {
        Self::Undecided(folder)
    }

    /// The name without the folder, checked; empty for the folder itself.
    pub(super) fn rename(&mut self, name: &BString) -> Result<BString, ProviderError> {
        if let Self::Undecided(folder) = self {
            *self = decide(folder, name.as_ref())?;
        }
        let rest = match self {
            Self::Prefix(prefix) => name.strip_prefix(prefix.as_slice()).map(ByteSlice::as_bstr),
            _ => Some(name.as_bstr()),
        };
        let rest = rest.ok_or_else(|| ProviderError::TopFolder { name: name.clone() })?;
        let is_top = matches!(self, Self::Prefix(_)) && rest.is_empty();
        if is_top { Ok(BString::default()) } else { checked(rest) }
    }
}

fn decide<'a>(folder: &TopFolder, first: &BStr) -> Result<Dropper<'a>, ProviderError> {
    let slash = first.find_byte(b'/').filter(|slash| *slash > 0);
    let top = slash.and_then(|slash| first.get(..=slash));
    match (folder, top) {
        (TopFolder::Always, Some(top)) => Ok(Dropper::Prefix(top.into())),
        (TopFolder::Always, None) => Err(ProviderError::TopFolder { name: first.into() }),
        (TopFolder::Named(name), Some(top)) if top.strip_suffix(b"/") == Some(name.as_bytes()) => {
            Ok(Dropper::Prefix(top.into()))
        }
        (TopFolder::Named(_) | TopFolder::Never, _) => Ok(Dropper::Nothing),
    }
}

/// The name, if a tree could have it; a folder's ends in one slash.
fn checked(name: &BStr) -> Result<BString, ProviderError> {
    let refused = || ProviderError::Name { name: name.into() };
    let plain = name.strip_suffix(b"/").unwrap_or(name);
    if plain.contains(&0) {
        return Err(refused());
    }
    let joined =
        plain.split_str("/").try_fold(BString::default(), |parent, part| path::join(parent.as_bstr(), part.as_bstr()));
    joined.map(|_| name.into()).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(folder: &TopFolder, names: &[(&str, Option<&str>)]) {
        let mut dropper = Dropper::new(folder);
        for (name, expected) in names {
            let renamed = dropper.rename(&(*name).into()).ok();
            assert_eq!(renamed, expected.map(BString::from), "{folder:?} {name}");
        }
    }

    #[test]
    fn the_folder_of_all_is_dropped() {
        let names =
            [("x-1/", Some("")), ("x-1/a/", Some("a/")), ("x-1/a/b", Some("a/b")), ("x-2/c", None), ("d", None)];
        check(&TopFolder::Always, &names);
        check(&TopFolder::Always, &[("alone", None)]);
        check(&TopFolder::Always, &[("/etc/passwd", None)]);
        check(&TopFolder::Never, &[("x-1/", Some("x-1/")), ("x-1/a", Some("x-1/a")), ("b", Some("b"))]);
        let hello = TopFolder::Named("hello".to_owned());
        check(&hello, &[("hello/", Some("")), ("hello/a", Some("a")), ("b", None)]);
        check(&hello, &[("src/a", Some("src/a")), ("hello/b", Some("hello/b"))]);
    }

    #[test]
    fn names_that_lead_astray_are_refused() {
        for name in [
            "x/../a",
            "x/..",
            "x/./a",
            "x//a",
            "x/a//",
            "x/.git/config",
            "x/sub/.GIT/x",
            "x/a\0b",
            "x/\\a",
            "x/a\\..\\b",
            "..",
            "../a",
            "/",
        ] {
            let mut dropper = Dropper::Prefix("x/".into());
            assert!(dropper.rename(&name.into()).is_err(), "{name:?}");
            let mut dropper = Dropper::Nothing;
            assert!(dropper.rename(&name.strip_prefix("x/").unwrap_or(name).into()).is_err(), "{name:?}");
        }
    }
}
