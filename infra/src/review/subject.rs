//! The subject of a review: the template, its commit, the stack, and the time of the review.

/// What a review is of. Nothing here is asked for by the page itself, so that the same subject
/// gives the same page.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The stack's name.
    pub stack: String,
    /// Whose account it is; none where AWS wasn't asked.
    pub owner: Option<Owner>,
    /// What Git says of the sources; none where it knows nothing of them.
    pub checkout: Option<Checkout>,
    /// The SHA-256 of the template's JSON, byte by byte as `synth` writes it and `deploy` uploads
    /// it.
    pub sha256: String,
    /// Whether the functions were packaged: if not, the template that is deployed will name other
    /// zips.
    pub is_packaged: bool,
    /// When the page was made, in UTC.
    pub time: String,
    /// The version of this program.
    pub version: &'static str,
}

/// Whose account it is.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The account's number.
    pub account: String,
    /// The region.
    pub region: String,
    /// Whose credentials were used for the review.
    pub principal: String,
}

/// The sources, as Git sees them.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// The whole id of the commit.
    pub commit: String,
    /// How many files differ from it.
    pub changed: usize,
}
