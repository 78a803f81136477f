//! S3 metadata travels in HTTP headers, which are ASCII; commit messages and branches are not. S3 itself
//! gives anything else back in [RFC 2047](https://www.rfc-editor.org/rfc/rfc2047) encoded words
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>), so that is what it gets.

use base64::{Engine, engine::general_purpose::STANDARD};

const PREFIX: &str = "=?UTF-8?B?";
const SUFFIX: &str = "?=";

/// An encoded word has at most 75 characters: 45 bytes in base64 and its frame are 72.
const WORD_BYTES: usize = 45;

/// `text` in printable ASCII: as it is where it can be, otherwise as encoded words.
pub(crate) fn encode(text: &str) -> String {
    let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if printable && !text.contains("=?") {
        return text.to_owned();
    }
    words(text).map(|word| format!("{PREFIX}{}{SUFFIX}", STANDARD.encode(word))).collect::<Vec<_>>().join(" ")
}

/// Cuts between characters, since each encoded word has to stand for whole ones.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (word, more) = rest.split_at(rest.floor_char_boundary(WORD_BYTES));
        rest = more;
        (!word.is_empty()).then_some(word)
    })
}

/// What [`encode`] was given. A value that somebody else wrote in another way stays as it is.
pub(crate) fn decode(value: &str) -> String {
    let word = |word: &str| STANDARD.decode(word.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?).ok();
    let bytes: Option<Vec<_>> = value.split(' ').map(word).collect();
    bytes.and_then(|words| String::from_utf8(words.concat()).ok()).unwrap_or_else(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ascii_stays_readable_and_the_rest_is_encoded() {
        assert_eq!(encode("Fix the build"), "Fix the build");
        assert_eq!(encode("Grüße"), "=?UTF-8?B?R3LDvMOfZQ==?=");
        assert_eq!(decode("=?UTF-8?B?R3LDvMOfZQ==?="), "Grüße");
        assert_eq!(decode("=?ISO-8859-1?Q?a?="), "=?ISO-8859-1?Q?a?=");
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(text in "\\PC{0,300}|.{0,100}") {
            let encoded = encode(&text);
            prop_assert!(encoded.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(decode(&encoded), text);
        }

        #[test]
        fn words_are_no_longer_than_the_rfc_allows(text in "[é日🦀a]{0,200}é") {
            prop_assert!(encode(&text).split(' ').all(|word| word.len() <= 75));
        }
    }
}
