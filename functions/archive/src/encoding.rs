//! `working-tree-encoding`: from UTF-8, which Git stores, to what a checkout has. The encodings are those of the web
//! (`encoding_rs`), but for the ones that the web lacks or takes for another: UTF-16 and UTF-32, which it never writes, and
//! ISO-8859-1 and ASCII, which it widens to Windows-1252. Where the web's table of an old encoding is smaller than iconv's
//! (`ü` in EUC-JP), a file with such a letter stays UTF-8.

use gix::{
    bstr::{BStr, ByteSlice},
    filter::plumbing::encoding::{EncoderResult, Encoding},
};

use crate::{ArchiveError, output::Output};

/// How many bytes are made at once.
const PIECE: usize = 8 << 10;

/// `content` in the encoding that `label` names. Nothing where that is UTF-8, is unknown, or lacks a letter of `content`;
/// and where there is no content: Git gives an empty file no byte-order mark.
pub(crate) fn encode(content: &[u8], label: &BStr, out: Output<'_>) -> Result<Option<Vec<u8>>, ArchiveError> {
    let Some(text) = content.to_str().ok().filter(|text| !text.is_empty()) else { return Ok(None) };
    let Ok(label) = label.to_str() else { return Ok(None) };
    let label = label.to_ascii_lowercase();
    if let Some(unicode) = label.strip_prefix("utf") {
        return unicode_encode(text, unicode.strip_prefix('-').unwrap_or(unicode), out);
    }
    match label.as_str() {
        "iso-8859-1" | "iso8859-1" | "latin1" => in_bytes(text, |letter| u8::try_from(letter).ok(), out),
        "us-ascii" | "ascii" => in_bytes(text, |letter| u8::try_from(letter).ok().filter(u8::is_ascii), out),
        _ => Encoding::for_label(label.as_bytes()).map_or(Ok(None), |encoding| encode_as(text, encoding, out)),
    }
}

/// A byte for each letter.
fn in_bytes(
    text: &str,
    byte: impl Fn(char) -> Option<u8>,
    mut out: Output<'_>,
) -> Result<Option<Vec<u8>>, ArchiveError> {
    for letter in text.chars() {
        let Some(byte) = byte(letter) else { return Ok(None) };
        out.push(&[byte])?;
    }
    Ok(Some(out.into_bytes()))
}

/// An encoding of the web, in pieces.
fn encode_as(
    mut text: &str,
    encoding: &'static Encoding,
    mut out: Output<'_>,
) -> Result<Option<Vec<u8>>, ArchiveError> {
    let (mut encoder, mut piece) = (encoding.new_encoder(), vec![0; PIECE]);
    loop {
        let (result, read, written) = encoder.encode_from_utf8_without_replacement(text, &mut piece, true);
        out.push(piece.get(..written).unwrap_or_default())?;
        text = text.get(read..).unwrap_or_default();
        match result {
            EncoderResult::InputEmpty => return Ok(Some(out.into_bytes())),
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(_) => return Ok(None),
        }
    }
}

/// The names are Git's and glibc's; those without an order begin with a mark and are little-endian, as on all our machines.
fn unicode_encode(text: &str, label: &str, mut out: Output<'_>) -> Result<Option<Vec<u8>>, ArchiveError> {
    let mark = match label {
        "16" | "16le-bom" | "16be-bom" | "32" => "\u{feff}",
        "16le" | "16be" | "32le" | "32be" => "",
        _ => return Ok(None),
    };
    let (big, wide) = (label.contains("be"), !label.starts_with("16"));
    out.fits(text.chars().count() * if wide { 4 } else { 2 })?;
    for letter in mark.chars().chain(text.chars()) {
        if wide {
            let unit = u32::from(letter);
            out.push(&if big { unit.to_be_bytes() } else { unit.to_le_bytes() })?;
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                out.push(&if big { unit.to_be_bytes() } else { unit.to_le_bytes() })?;
            }
        }
    }
    Ok(Some(out.into_bytes()))
}
