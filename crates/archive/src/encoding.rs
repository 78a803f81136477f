//! `working-tree-encoding`: converts UTF-8, which Git stores, to the encoding of a checkout. The
//! encodings and names are iconv's, which Git uses on Linux. Unicode encodings are implemented
//! here, the others by tables of iconv.

use gix::bstr::{BStr, ByteSlice};

use crate::{
    charset::{self, Charset},
    error::ArchiveError,
    output::Output,
};

/// Encodes `content`. `None` if `label` is UTF-8 or unknown, if the encoding lacks a character of
/// `content`, or if `content` is empty: Git gives an empty file no byte-order mark.
pub(crate) fn encode(content: &[u8], label: &BStr, out: Output<'_>) -> Result<Option<Vec<u8>>, ArchiveError> {
    let Some(text) = content.to_str().ok().filter(|text| !text.is_empty()) else { return Ok(None) };
    let Some(label) = named(label) else { return Ok(None) };
    let name = label.as_str();
    if let Some(unicode) = Unicode::named(name) {
        return unicode.encode(text, out);
    }
    match name {
        "UTF-7" | "UTF7" => return utf7(text, out),
        _ if is_iso_2022_jp(name) => return iso_2022_jp(text, out),
        _ => {}
    }
    Charset::named(name).map_or(Ok(None), |charset| charset.encode(text, out))
}

/// Decodes `content` from the encoding `label`. `None` if that is unknown or doesn't contain ASCII,
/// or if `content` is invalid in it.
pub(crate) fn decode(content: &[u8], label: &BStr) -> Option<String> {
    let label = named(label)?;
    if is_iso_2022_jp(&label) {
        return from_iso_2022_jp(content);
    }
    Charset::named(&label)?.meanings()?.decode(content)
}

/// Whether ASCII text is unchanged in the encoding `label`, whatever follows it.
pub(crate) fn keeps_ascii(label: &BStr) -> bool {
    named(label).is_some_and(|label| {
        is_iso_2022_jp(&label) || Charset::named(&label).is_some_and(|charset| charset.keeps_ascii())
    })
}

/// iconv's name of the encoding. One name is Git's own.
fn named(label: &BStr) -> Option<String> {
    let label = label.to_str().ok()?.to_ascii_uppercase();
    let label = label.trim_end_matches('/');
    Some(if label == "LATIN-1" { "ISO-8859-1".to_owned() } else { label.to_owned() })
}

fn is_iso_2022_jp(name: &str) -> bool {
    matches!(name, "ISO-2022-JP" | "ISO2022JP" | "CSISO2022JP")
}

/// The form of a Unicode encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unicode {
    unit: Unit,
    order: Order,
    /// Whether it starts with a byte-order mark.
    marked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Two bytes, or four for larger numbers.
    Utf16,
    /// Always two bytes.
    Ucs2,
    /// Always four bytes.
    Four,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Unicode {
    /// The names are Git's and iconv's. Those without an order are little-endian, like all our
    /// machines.
    fn named(name: &str) -> Option<Self> {
        let (unit, order, marked) = match name {
            "UTF-16" | "UTF16" | "UTF-16LE-BOM" | "UTF16LE-BOM" | "UTF16-LE-BOM" => (Unit::Utf16, Order::Little, true),
            "UTF-16BE-BOM" | "UTF16BE-BOM" | "UTF16-BE-BOM" => (Unit::Utf16, Order::Big, true),
            "UTF-16LE" | "UTF16LE" => (Unit::Utf16, Order::Little, false),
            "UTF-16BE" | "UTF16BE" => (Unit::Utf16, Order::Big, false),
            "UTF-32" | "UTF32" => (Unit::Four, Order::Little, true),
            "UTF-32LE" | "UTF32LE" | "UCS-4LE" | "UCS4LE" | "WCHAR_T" => (Unit::Four, Order::Little, false),
            "UTF-32BE" | "UTF32BE" | "UCS-4BE" | "UCS-4" | "UCS4" | "CSUCS4" | "ISO-10646" | "10646-1:1993"
            | "10646-1:1993/UCS4" | "ISO-10646/UCS4" | "OSF00010104" | "OSF00010105" | "OSF00010106" => {
                (Unit::Four, Order::Big, false)
            }
            "UCS-2" | "UCS2" | "UCS-2LE" | "UNICODELITTLE" | "ISO-10646/UCS2" | "OSF00010100" | "OSF00010101"
            | "OSF00010102" => (Unit::Ucs2, Order::Little, false),
            "UCS-2BE" | "UNICODEBIG" => (Unit::Ucs2, Order::Big, false),
            "UNICODE" | "CSUNICODE" => (Unit::Ucs2, Order::Little, true),
            _ => return None,
        };
        Some(Self { unit, order, marked })
    }

    fn encode(self, text: &str, mut out: Output<'_>) -> Result<Option<Vec<u8>>, ArchiveError> {
        out.fits(text.chars().count() * if self.unit == Unit::Four { 4 } else { 2 })?;
        let mark = if self.marked { "\u{feff}" } else { "" };
        for character in mark.chars().chain(text.chars()) {
            if self.unit == Unit::Ucs2 && character > '\u{ffff}' {
                if charset::TAGS.contains(&character) {
                    continue;
                }
                return Ok(None);
            }
            if self.unit == Unit::Four {
                let unit = u32::from(character);
                out.push(&if self.order == Order::Big { unit.to_be_bytes() } else { unit.to_le_bytes() })?;
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.push(&if self.order == Order::Big { unit.to_be_bytes() } else { unit.to_le_bytes() })?;
                }
            }
        }
        Ok(Some(out.into_bytes()))
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// [UTF-7](https://www.rfc-editor.org/rfc/rfc2152). Like Git, it doesn't write leftover bits at the
/// very end.
fn utf7(text: &str, mut out: Output<'_>) -> Result<Option<Vec<u8>>, ArchiveError> {
    // The pending bits and their number. `None` outside of Base64.
    let mut waiting: Option<(u32, u32)> = None;
    let sextet = |bits: u32| usize::try_from(bits & 63).ok().and_then(|bits| BASE64.get(bits).copied());
    for character in text.chars() {
        let direct = u8::try_from(character)
            .ok()
            .filter(|byte| byte.is_ascii_alphanumeric() || b"'(),-./:? \t\r\n".contains(byte));
        if let Some(byte) = direct {
            if let Some((bits, count)) = waiting.take() {
                out.push(sextet(bits << (6 - count)).filter(|_| count > 0).as_slice())?;
                if byte == b'-' || BASE64.contains(&byte) {
                    out.push(b"-")?;
                }
            }
            out.push(&[byte])?;
            continue;
        }
        if character == '+' && waiting.is_none() {
            out.push(b"+-")?;
            continue;
        }
        if waiting.is_none() {
            out.push(b"+")?;
        }
        let (mut bits, mut count) = waiting.unwrap_or_default();
        for unit in character.encode_utf16(&mut [0; 2]) {
            (bits, count) = (bits << 16 | u32::from(*unit), count + 16);
            while count >= 6 {
                count -= 6;
                out.push(sextet(bits >> count).as_slice())?;
                bits &= (1 << count) - 1;
            }
        }
        waiting = Some((bits, count));
    }
    Ok(Some(out.into_bytes()))
}

/// The character sets of [ISO-2022-JP](https://www.rfc-editor.org/rfc/rfc1468), by their escape
/// sequences.
const ASCII: &[u8] = b"\x1b(B";
const ROMAN: &[u8] = b"\x1b(J";
const KANJI: &[u8] = b"\x1b$B";

/// ISO-2022-JP. Its two-byte characters are those of EUC-JP.
fn iso_2022_jp(text: &str, mut out: Output<'_>) -> Result<Option<Vec<u8>>, ArchiveError> {
    let Some(kanji) = Charset::named("EUC-JP") else { return Ok(None) };
    let mut set = ASCII;
    for character in text.chars() {
        let ascii = u8::try_from(character).ok().filter(u8::is_ascii);
        let (wanted, bytes) = match (character, ascii) {
            // The Roman set is ASCII with two characters replaced.
            (_, Some(byte)) if set == ROMAN && !b"\\~\r\n".contains(&byte) => (ROMAN, [0, byte]),
            (_, Some(byte)) => (ASCII, [0, byte]),
            ('\u{a5}', _) => (ROMAN, [0, b'\\']),
            ('\u{203e}', _) => (ROMAN, [0, b'~']),
            _ if charset::TAGS.contains(&character) => return Ok(None),
            _ => match kanji.pair_of(character) {
                Some(pair) => (KANJI, pair),
                None => return Ok(None),
            },
        };
        if set != wanted {
            out.push(wanted)?;
            set = wanted;
        }
        out.push(if set == KANJI { &bytes } else { &bytes[1..] })?;
    }
    Ok(Some(out.into_bytes()))
}

/// Decodes ISO-2022-JP. An unknown sequence is kept, like iconv does.
fn from_iso_2022_jp(content: &[u8]) -> Option<String> {
    let charset = Charset::named("EUC-JP")?;
    let meanings = charset.meanings()?;
    let (mut rest, mut set, mut text) = (content, ASCII, String::new());
    // The older set of two-byte characters differs only in indistinguishable ones.
    let known = [(ASCII, ASCII), (ROMAN, ROMAN), (KANJI, KANJI), (b"\x1b$@".as_slice(), KANJI)];
    while let Some(first) = rest.first() {
        if let Some((sequence, meant)) = known.iter().find(|(sequence, _)| rest.starts_with(sequence)) {
            (rest, set) = (rest.get(sequence.len()..)?, meant);
        } else if !first.is_ascii() {
            return None;
        } else if set == KANJI && *first > b' ' {
            let (pair, behind) = rest.split_at_checked(2)?;
            let pair: Vec<_> = pair.iter().map(|byte| byte | 0x80).collect();
            text.push_str(&meanings.decode(&pair)?);
            rest = behind;
        } else {
            text.push(if set == ROMAN { charset::roman(*first) } else { char::from(*first) });
            rest = rest.get(1..)?;
        }
    }
    Some(text)
}
