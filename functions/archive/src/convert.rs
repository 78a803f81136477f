//! From a blob to the file that a checkout makes of it, in Git's order: ident, line ends, encoding; and after that
//! `export-subst`, which only archives know.

use gix::{
    ObjectId,
    bstr::{BString, ByteSlice},
    filter::plumbing::eol::{self, AttributesDigest},
};

use crate::{ArchiveError, encoding, subst::Commit};

/// What an archived file is converted by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Conversion {
    /// `$Id$` becomes the blob's id.
    pub(crate) ident: bool,
    /// Line ends become CRLF, in all files or in those that look like text.
    pub(crate) crlf: Option<AttributesDigest>,
    /// From UTF-8 to this encoding.
    pub(crate) encoding: Option<BString>,
    /// `$Format:...$` becomes what it says of the commit.
    pub(crate) substitute: bool,
    /// It may stand for a file that Git LFS keeps. That isn't converted.
    pub(crate) lfs: bool,
}

impl Conversion {
    /// Whether files stay as they are.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self { lfs: self.lfs, ..Self::default() }
    }

    /// The file that the blob `id` becomes.
    pub(crate) fn apply(
        &self,
        path: &BString,
        id: ObjectId,
        mut content: Vec<u8>,
        commit: &Commit<'_>,
    ) -> Result<Vec<u8>, ArchiveError> {
        if self.ident {
            content = expand_ident(&content, id);
        }
        if let Some(digest) = self.crlf {
            let mut converted = Vec::new();
            let changed = eol::convert_to_worktree(&content, digest, &mut converted, eol::Configuration::default());
            if changed.map_err(|error| ArchiveError::Attributes { path: path.clone(), source: error.into() })? {
                content = converted;
            }
        }
        if let Some(label) = &self.encoding {
            // What can't be encoded stays as it is: `git archive` warns and does the same.
            content = encoding::encode(&content, label.as_bstr()).unwrap_or(content);
        }
        if self.substitute {
            content = commit.substitute(&content);
        }
        Ok(content)
    }
}

/// Expands `$Id$`, and `$Id: ... $` of an earlier expansion, as `ident_to_worktree` of Git's convert.c does.
fn expand_ident(content: &[u8], id: ObjectId) -> Vec<u8> {
    let mut expanded = Vec::with_capacity(content.len() + 64);
    let mut rest = content;
    while let Some((before, after)) = rest.split_once_str("$") {
        expanded.extend_from_slice(before);
        expanded.push(b'$');
        rest = after;
        if let Some(behind) = behind_ident(after) {
            expanded.extend(format!("Id: {id} $").bytes());
            rest = behind;
        }
    }
    expanded.extend_from_slice(rest);
    expanded
}

/// What follows an `Id$` or `Id:...$`, if that is what `text` begins with.
fn behind_ident(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_prefix(b"Id")?;
    if let Some(behind) = text.strip_prefix(b"$") {
        return Some(behind);
    }
    let (value, behind) = text.strip_prefix(b":")?.split_once_str("$")?;
    // A space inside says that it is another version control's: Git leaves it alone.
    let foreign = value.get(1..value.len().saturating_sub(1)).is_some_and(|inside| inside.contains(&b' '));
    (!foreign && !value.contains(&b'\n')).then_some(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ident_is_expanded_once_and_foreign_ones_stay() {
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
            assert_eq!(expand_ident(content.as_bytes(), id).as_bstr(), expected, "{content:?}");
        }
    }
}
