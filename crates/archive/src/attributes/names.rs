//! The attributes that count for a zip, each with the number that is its place here.

/// Their names.
pub(super) const NAMES: [&str; 8] =
    ["export-ignore", "export-subst", "filter", "text", "crlf", "eol", "ident", "working-tree-encoding"];
