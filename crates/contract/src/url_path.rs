//! Names from a payload go into URLs: what would end the path there, or begin something else, is
//! escaped.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but slashes and what [RFC 3986](https://www.rfc-editor.org/rfc/rfc3986#section-2.3)
/// calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path as it stands in a URL: its slashes stay.
pub fn encoded(path: &str) -> String {
    utf8_percent_encode(path, RESERVED).to_string()
}
