//! Converts a blob to the file of a checkout, in Git's order: ident, line ends, encoding. Then
//! `export-subst`, which only archives apply.

use gix::{
    ObjectId,
    bstr::{BString, ByteSlice},
    filter::plumbing::eol::{AttributesDigest, Configuration, Stats},
};

use crate::{encoding, error::ArchiveError, output::Output, subst::Commit};

/// The conversions of an archived file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Conversion {
    /// `$Id$` becomes the blob's ID.
    pub(crate) ident: bool,
    /// Line ends become CRLF, in all files or only in those that look like text.
    pub(crate) crlf: Option<AttributesDigest>,
    /// From UTF-8 to this encoding.
    pub(crate) encoding: Option<BString>,
    /// `$Format:...$` is expanded for the commit.
    pub(crate) substitute: bool,
    /// It may be a Git LFS pointer. The file isn't converted.
    pub(crate) lfs: bool,
}

impl Conversion {
    /// Whether files stay unchanged.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self { lfs: self.lfs, ..Self::default() }
    }

    /// The file for the blob `id`.
    pub(crate) fn apply(
        &self,
        path: &BString,
        id: ObjectId,
        mut content: Vec<u8>,
        commit: &Commit<'_>,
    ) -> Result<Vec<u8>, ArchiveError> {
        let output = || Output::new(path, commit.objects());
        if self.ident {
            content = expand_ident(&content, id, output())?;
        }
        if let Some(digest) = self.crlf {
            let stats = Stats::from_bytes(&content);
            if stats.will_convert_lf_to_crlf(digest, Configuration::default()) {
                let out = output();
                // Refused before the work, since the result's length is known.
                out.fits(content.len() + stats.lone_lf)?;
                content = with_crlf(&content, out)?;
            }
        }
        if let Some(label) = &self.encoding {
            // Text that can't be encoded stays unchanged: `git archive` does the same, with a
            // warning.
            content = encoding::encode(&content, label.as_bstr(), output())?.unwrap_or(content);
        }
        if self.substitute {
            content = commit.substitute(&content, path, output())?;
        }
        Ok(content)
    }
}

/// Converts all line ends to CRLF.
fn with_crlf(content: &[u8], mut out: Output<'_>) -> Result<Vec<u8>, ArchiveError> {
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n").filter(|line| !line.ends_with(b"\r")) {
            Some(bare) => {
                out.push(bare)?;
                out.push(b"\r\n")?;
            }
            None => out.push(line)?,
        }
    }
    Ok(out.into_bytes())
}

/// Expands `$Id$`, and `$Id: ... $` of an earlier expansion, like `ident_to_worktree` of Git's
/// convert.c.
fn expand_ident(content: &[u8], id: ObjectId, mut out: Output<'_>) -> Result<Vec<u8>, ArchiveError> {
    let expanded = format!("Id: {id} $");
    let mut rest = content;
    while let Some((before, after)) = rest.split_once_str("$") {
        out.push(before)?;
        out.push(b"$")?;
        rest = after;
        if let Some(behind) = behind_ident(after) {
            out.push(expanded.as_bytes())?;
            rest = behind;
        }
    }
    out.push(rest)?;
    Ok(out.into_bytes())
}

/// The rest after `Id$` or `Id:...$`, if `text` begins with that.
fn behind_ident(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_prefix(b"Id")?;
    if let Some(behind) = text.strip_prefix(b"$") {
        return Some(behind);
    }
    let (value, behind) = text.strip_prefix(b":")?.split_once_str("$")?;
    // A space inside means that another version control system wrote it: Git keeps it.
    let is_others = value.get(1..value.len().saturating_sub(1)).is_some_and(|inside| inside.contains(&b' '));
    (!is_others && !value.contains(&b'\n')).then_some(behind)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::{objects::Objects, output};

    /// The result of `make`, or its error.
    fn made(make: impl FnOnce(Output<'_>) -> Result<Vec<u8>, ArchiveError>) -> Result<Vec<u8>, ArchiveError> {
        let folder = tempfile::tempdir().unwrap();
        let (repository, never) = (gix::init_bare(folder.path()).unwrap(), AtomicBool::new(false));
        make(Output::new(&"file".into(), &Objects::of(&repository, &never)))
    }

    #[test]
    fn ident_expands_but_other_ids_stay() {
        let id = ObjectId::null(gix::hash::Kind::Sha1);
        let own = format!("$Id: {id} $");
        for (content, expected) in [
            ("$Id$", own.as_str()),
            ("$Id: 1234 $", &own),
            ("$Id:$", &own),
            ("a $Id$ b $Id$", &format!("a {own} b {own}")),
            ("$$Id$", &format!("${own}")),
            ("$Id: foo.c,v 1.2 $", "$Id: foo.c,v 1.2 $"),
            ("$Id: no end", "$Id: no end"),
            ("$Id: a\nb $", "$Id: a\nb $"),
            ("$ID$ $Ident$ $", "$ID$ $Ident$ $"),
            ("", ""),
        ] {
            let found = made(|out| expand_ident(content.as_bytes(), id, out)).unwrap();
            assert_eq!(found.as_bstr(), expected, "{content:?}");
        }
    }

    #[test]
    fn output_past_limit_is_refused() {
        let most = usize::try_from(output::LARGEST).unwrap();
        let piece = vec![b'x'; 1 << 20];
        let push = |count: usize, end: &'static [u8]| {
            made(|mut out| {
                (0..count).try_for_each(|_| out.push(&piece))?;
                out.push(end)?;
                Ok(out.into_bytes())
            })
        };
        let whole = push(most >> 20, b"").unwrap();
        assert_eq!((whole.len(), whole.capacity()), (most, most));
        assert!(matches!(push(most >> 20, b"x"), Err(ArchiveError::Grows { path, .. }) if path == "file"));
    }
}
