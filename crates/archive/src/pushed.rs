//! What was pushed, by the only name that a zip may tell of it.

use contract::RefName;
use gix::ObjectId;

/// The branch or the tag of the zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Its full name.
    pub reference: RefName,
    /// The object that it points to: the commit or an annotated tag.
    pub target: ObjectId,
}
