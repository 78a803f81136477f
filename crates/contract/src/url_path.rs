//! Escapes names from a payload for URLs, so that they can't end the path or start a query.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything except slashes and the unreserved characters of [RFC
/// 3986](https://www.rfc-editor.org/rfc/rfc3986#section-2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Escapes a path for a URL. Slashes are kept.
pub fn encoded(path: &str) -> String {
    utf8_percent_encode(path, RESERVED).to_string()
}
