//! What `.gitattributes` of the archived tree say: which entries are left out, and which files are converted.

use gix::{
    ObjectId,
    attrs::{StateRef, search::Outcome},
    bstr::{BStr, ByteSlice},
    filter::plumbing::pipeline::convert::to_worktree,
    objs::tree::EntryKind,
};

use crate::ArchiveError;

/// The attributes that count. `text` alone doesn't: a file that is checked out on Unix keeps its line ends, unless
/// `eol=crlf` says otherwise.
const NAMES: [&str; 4] = ["export-ignore", "eol", "ident", "working-tree-encoding"];

/// What is to be done with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// It is stored as it is in Git.
    AsIs,
    /// It is converted, as a checkout would.
    Converted,
    /// It is left out.
    LeftOut,
}

/// The attributes of a tree.
pub(crate) struct Attributes<'repo> {
    stack: gix::AttributeStack<'repo>,
    pipeline: gix::filter::Pipeline<'repo>,
    outcome: Outcome,
}

impl<'repo> Attributes<'repo> {
    /// Reads the `.gitattributes` of `tree`, and nothing else's.
    pub(crate) fn of(repository: &'repo gix::Repository, tree: ObjectId) -> Result<Self, ArchiveError> {
        let unreadable =
            |source: gix::Error| ArchiveError::Attributes { path: "the tree".into(), source: source.into() };
        let (pipeline, index) = repository.filter_pipeline(Some(tree)).map_err(unreadable)?;
        let source = gix::worktree::stack::state::attributes::Source::IdMapping;
        let stack = repository.attributes_only(&index, source).map_err(unreadable)?;
        let outcome = stack.selected_attribute_matches(NAMES);
        Ok(Self { stack, pipeline, outcome })
    }

    /// What is to be done with the entry at `path`.
    pub(crate) fn treatment(&mut self, path: &BStr, kind: EntryKind) -> Result<Treatment, ArchiveError> {
        let mode = gix::index::entry::Mode::from(gix::objs::tree::EntryMode::from(kind));
        let platform = self.stack.at_entry(path, Some(mode));
        let platform = platform.map_err(|error| failed(path, error.into()))?;
        self.outcome.reset();
        if !platform.matching_attributes(&mut self.outcome) {
            return Ok(Treatment::AsIs);
        }
        let mut converted = false;
        for found in self.outcome.iter_selected() {
            match (found.assignment.name.as_str(), found.assignment.state) {
                ("export-ignore", StateRef::Set) => return Ok(Treatment::LeftOut),
                ("ident", StateRef::Set) | ("working-tree-encoding", StateRef::Value(_)) => {
                    converted = true;
                }
                ("eol", StateRef::Value(value)) if value.as_bstr() == "crlf" => converted = true,
                _ => {}
            }
        }
        Ok(if converted { Treatment::Converted } else { Treatment::AsIs })
    }

    /// The content of the blob `id` as a checkout has it.
    pub(crate) fn convert(&mut self, path: &BStr, id: ObjectId, content: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        let outcome = self.pipeline.convert_to_worktree(content, path, to_worktree::Options::default());
        let outcome = outcome.map_err(|error| failed(path, error.into()))?;
        let converted = outcome.as_bytes().ok_or_else(|| failed(path, "a filter wants to run a program".into()))?;
        // Git ends an expanded `ident` with a space, which gix leaves out.
        Ok(converted.replace(format!("$Id: {id}$"), format!("$Id: {id} $")))
    }
}

fn failed(path: &BStr, source: Box<dyn std::error::Error + Send + Sync>) -> ArchiveError {
    ArchiveError::Attributes { path: path.as_bstr().to_owned(), source }
}
