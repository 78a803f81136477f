//! What was pushed, by the only name that a zip may tell of it.

use contract::RefName;
use gix::ObjectId;

/// The branch or the tag that a zip is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Its full name.
    pub reference: RefName,
    /// The object that it names: the commit, or an annotated tag.
    pub target: ObjectId,
}
