//! Encodes text for S3 metadata, which travels in ASCII headers, while commit messages and branches
//! may not be ASCII. S3 returns other text as [RFC 2047](https://www.rfc-editor.org/rfc/rfc2047)
//! encoded words (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>), so
//! this sends them. S3 may re-encode them, so both encodings are decoded.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};

const PREFIX: &str = "=?UTF-8?B?";
const SUFFIX: &str = "?=";

/// Decodes base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An encoded word has at most 75 characters: 45 bytes in base64 and its frame are 72.
const WORD_BYTES: usize = 45;

/// `text` in printable ASCII: unchanged if possible, otherwise as encoded words.
pub(crate) fn encode(text: &str) -> String {
    let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if printable && !text.contains("=?") {
        return text.to_owned();
    }
    words(text).map(|word| format!("{PREFIX}{}{SUFFIX}", STANDARD.encode(word))).collect::<Vec<_>>().join(" ")
}

/// Splits between characters, because each encoded word must contain whole ones.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (word, more) = rest.split_at(rest.floor_char_boundary(WORD_BYTES));
        rest = more;
        (!word.is_empty()).then_some(word)
    })
}

/// Decodes `value`: encoded words in both encodings and in the charsets that S3 and its clients
/// use. White space between two encoded words is dropped. Anything else is kept.
pub(crate) fn decode(value: &str) -> String {
    let (mut text, mut words, mut space) = (String::new(), None::<Words>, "");
    for token in tokens(value) {
        if token.starts_with(is_white) {
            space = token;
            continue;
        }
        let word = Word::read(token);
        match (&mut words, word) {
            (Some(words), Some(word)) if words.charset == word.charset => {
                words.bytes.extend(word.bytes);
                words.raw.extend([space, token]);
            }
            (before, Some(word)) => {
                let follows_a_word = before.take().map(|words| words.decode_into(&mut text));
                if follows_a_word != Some(true) {
                    text.push_str(space);
                }
                words = Some(Words { charset: word.charset, bytes: word.bytes, raw: token.to_owned() });
            }
            (before, None) => {
                if let Some(words) = before.take() {
                    words.decode_into(&mut text);
                }
                text.extend([space, token]);
            }
        }
        space = "";
    }
    if let Some(words) = words {
        words.decode_into(&mut text);
    }
    text + space
}

fn is_white(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// Alternating runs of white space and of everything else.
fn tokens(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = value;
    std::iter::from_fn(move || {
        let white = is_white(rest.chars().next()?);
        let (token, more) = rest.split_at(rest.find(|character| is_white(character) != white).unwrap_or(rest.len()));
        rest = more;
        Some(token)
    })
}

/// The supported charsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charset {
    Utf8,
    Ascii,
    Latin1,
}

impl Charset {
    fn named(name: &str) -> Option<Self> {
        // RFC 2231 allows a language suffix.
        let name = name.split('*').next().unwrap_or_default().to_ascii_lowercase();
        match name.as_str() {
            "utf-8" | "utf8" => Some(Self::Utf8),
            "us-ascii" | "ascii" => Some(Self::Ascii),
            "iso-8859-1" | "latin1" => Some(Self::Latin1),
            _ => None,
        }
    }

    fn decode(self, bytes: Vec<u8>) -> Option<String> {
        match self {
            Self::Utf8 => String::from_utf8(bytes).ok(),
            Self::Ascii => bytes.is_ascii().then(|| bytes.into_iter().map(char::from).collect()),
            Self::Latin1 => Some(bytes.into_iter().map(char::from).collect()),
        }
    }
}

/// `=?charset?encoding?text?=`.
struct Word {
    charset: Charset,
    bytes: Vec<u8>,
}

impl Word {
    fn read(token: &str) -> Option<Self> {
        let mut parts = token.strip_prefix("=?")?.strip_suffix("?=")?.split('?');
        let (charset, encoding, text) = (Charset::named(parts.next()?)?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let bytes = match encoding {
            "B" | "b" => BASE64.decode(text).ok()?,
            "Q" | "q" => quoted(text)?,
            _ => return None,
        };
        Some(Self { charset, bytes })
    }
}

/// Decodes the `Q` encoding.
fn quoted(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'_' => b' ',
            b'=' => {
                let digit =
                    |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit(rest.next())? * 16 + digit(rest.next())?
            }
            b'!'..=b'~' => byte,
            _ => return None,
        });
    }
    Some(bytes)
}

/// Consecutive encoded words of one charset. The RFC requires whole characters in each, but not
/// everybody complies.
struct Words {
    charset: Charset,
    bytes: Vec<u8>,
    /// The original text, in case it isn't valid.
    raw: String,
}

impl Words {
    /// Whether it is valid.
    fn decode_into(self, text: &mut String) -> bool {
        let decoded = self.charset.decode(self.bytes);
        text.push_str(decoded.as_deref().unwrap_or(&self.raw));
        decoded.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};

    use super::*;

    #[test]
    fn only_non_ascii_text_is_encoded() {
        assert_eq!(encode("Fix the build"), "Fix the build");
        assert_eq!(encode("Grüße"), "=?UTF-8?B?R3LDvMOfZQ==?=");
        assert_eq!(decode("=?UTF-8?B?R3LDvMOfZQ==?="), "Grüße");
    }

    #[test]
    fn encodings_and_charsets_are_decoded() {
        for (value, text) in [
            ("=?UTF-8?Q?Gr=C3=BC=C3=9Fe_an_alle?=", "Grüße an alle"),
            ("=?utf-8?q?Gr=c3=bc=C3=9fe?=", "Grüße"),
            ("=?UTF-8?b?R3LDvMOfZQ?=", "Grüße"),
            ("=?ISO-8859-1?Q?Gr=FC=DFe?=", "Grüße"),
            ("=?iso-8859-1*de?Q?Gr=FC=DFe?=", "Grüße"),
            ("=?US-ASCII?Q?Fix=20it?=", "Fix it"),
            // White space between encoded words is dropped, elsewhere it is kept.
            ("=?UTF-8?Q?a?= =?UTF-8?Q?b?=", "ab"),
            ("=?UTF-8?Q?a?=\r\n\t =?ISO-8859-1?Q?=FC?=", "aü"),
            ("Fix =?UTF-8?Q?=C3=BC?=  now ", "Fix ü  now "),
            // A character split in two.
            ("=?UTF-8?Q?=C3?= =?UTF-8?Q?=BC?=", "ü"),
            ("=?UTF-8?Q??=", ""),
        ] {
            assert_eq!(decode(value), text, "{value}");
        }
    }

    #[test]
    fn non_encoded_words_stay_unchanged() {
        for value in [
            "",
            " Fix  the build ",
            "=?UTF-8?Q?a",
            "=?UTF-8?X?a?=",
            "=?KOI8-R?Q?a?=",
            "=?UTF-8?Q?a?b?=",
            "=?UTF-8?Q?=C3?=",
            "=?UTF-8?Q?=C3?= =?UTF-8?Q?a?=",
            "=?UTF-8?Q?=G0?=",
            "=?UTF-8?Q?=C?=",
            "=?UTF-8?B?R3L*?=",
            "=?US-ASCII?Q?=FC?=",
            "x=?UTF-8?Q?a?=",
            "=?UTF-8?Q?ü?=",
            "=?=",
            "=??=",
        ] {
            assert_eq!(decode(value), value);
        }
    }

    /// Words in both encodings and all charsets, with text between them.
    fn headers() -> impl Strategy<Value = String> {
        let charset = prop::sample::select(vec!["utf-8", "UTF-8", "iso-8859-1", "us-ascii"]);
        let word = (charset, any::<bool>(), "[a-z üé=?_]{1,8}").prop_map(|(charset, is_base64, text)| {
            let bytes: Vec<u8> = match charset {
                "iso-8859-1" => text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect(),
                "us-ascii" => text.replace(|character: char| !character.is_ascii(), "x").into_bytes(),
                _ => text.into_bytes(),
            };
            if is_base64 {
                return format!("=?{charset}?B?{}?=", STANDARD.encode(bytes));
            }
            let quoted: Vec<String> = bytes.iter().map(|byte| format!("={byte:02X}")).collect();
            format!("=?{charset}?Q?{}?=", quoted.concat())
        });
        prop::collection::vec(prop_oneof![3 => word, 1 => "[a-z,.]{1,5}"], 1..6).prop_map(|parts| parts.join(" "))
    }

    #[test]
    fn pythons_library_reads_the_same() {
        let mut runner = TestRunner::deterministic();
        let values: Vec<String> = (0..500).map(|_| headers().new_tree(&mut runner).unwrap().current()).collect();
        // Python's joining of the decoded parts inserts spaces between words of different charsets,
        // so they are joined here.
        let script = "import sys\nfrom email.header import decode_header\n\
                      def text(part, charset): return part if isinstance(part, str) else part.decode(charset or 'ascii')\n\
                      for line in sys.argv[1:]: print(ascii(''.join(text(*part) for part in decode_header(line))))";
        let python = Command::new("python3").args(["-c", script]).args(&values).output().unwrap();
        assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
        let read = String::from_utf8(python.stdout).unwrap();
        assert_eq!(read.lines().count(), values.len());
        for (value, theirs) in values.iter().zip(read.lines()) {
            let ours: String = decode(value).chars().map(as_python_shows).collect();
            assert_eq!(ours, theirs[1..theirs.len() - 1], "{value}");
        }
    }

    /// A character as Python's `ascii` shows it, except for quotation marks.
    fn as_python_shows(character: char) -> String {
        if character.is_ascii() { character.to_string() } else { format!("\\x{:02x}", u32::from(character)) }
    }

    proptest! {
        #[test]
        fn encoded_text_decodes_unchanged(text in "\\PC{0,300}|.{0,100}") {
            let encoded = encode(&text);
            prop_assert!(encoded.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(decode(&encoded), text);
        }

        #[test]
        fn random_text_decodes_without_panic(value in "(=\\?|\\?=|\\?|UTF-8|iso-8859-1|Q|b|=C3|=BC|[ \t\n]|\\PC){0,20}") {
            let text = decode(&value);
            prop_assert!(value.contains("=?") || text == value);
        }

        #[test]
        fn encoded_words_respect_rfc_length(text in "[é日🦀a]{0,200}é") {
            prop_assert!(encode(&text).split(' ').all(|word| word.len() <= 75));
        }
    }
}
