//! The subject of a review: the template, its commit, the stack, and the time of the review.

/// The subject of a review. The page itself looks nothing up, so the same subject gives the same
/// page.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The stack's name.
    pub stack: String,
    /// The account; `None` if AWS wasn't asked.
    pub owner: Option<Owner>,
    /// The Git commit of the sources, if known.
    pub checkout: Option<Checkout>,
    /// The SHA-256 of the template's JSON, byte by byte as `synth` writes it and `deploy` uploads
    /// it.
    pub sha256: String,
    /// Whether the functions were packaged: if not, the deployed template will name other zips.
    pub is_packaged: bool,
    /// When the page was made, in UTC.
    pub time: String,
    /// The version of this program.
    pub version: &'static str,
}

/// The account and the credentials' owner.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The account's number.
    pub account: String,
    /// The region.
    pub region: String,
    /// Whose credentials were used for the review.
    pub principal: String,
}

/// The state of the sources in Git.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// The full hash of the commit.
    pub commit: String,
    /// How many files differ from it.
    pub changed: usize,
}
