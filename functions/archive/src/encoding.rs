//! `working-tree-encoding`: from UTF-8, which Git stores, to what a checkout has. The encodings are those of the web
//! (`encoding_rs`), but for the ones that the web lacks or takes for another: UTF-16 and UTF-32, which it never writes, and
//! ISO-8859-1 and ASCII, which it widens to Windows-1252. Where the web's table of an old encoding is smaller than iconv's
//! (`ü` in EUC-JP), a file with such a letter stays UTF-8.

use gix::{
    bstr::{BStr, ByteSlice},
    filter::plumbing::{encoding::Encoding, worktree},
};

/// `content` in the encoding that `label` names. Nothing where that is UTF-8, is unknown, or lacks a letter of `content`;
/// and where there is no content: Git gives an empty file no byte-order mark.
pub(crate) fn encode(content: &[u8], label: &BStr) -> Option<Vec<u8>> {
    let text = content.to_str().ok().filter(|text| !text.is_empty())?;
    let label = label.to_str().ok()?.to_ascii_lowercase();
    if let Some(unicode) = label.strip_prefix("utf") {
        return unicode_encode(text, unicode.strip_prefix('-').unwrap_or(unicode));
    }
    match label.as_str() {
        "iso-8859-1" | "iso8859-1" | "latin1" => text.chars().map(|letter| u8::try_from(letter).ok()).collect(),
        "us-ascii" | "ascii" => text.is_ascii().then(|| content.to_owned()),
        _ => {
            let mut encoded = Vec::new();
            let encoding = Encoding::for_label(label.as_bytes())?;
            worktree::encode_to_worktree(content, encoding, &mut encoded).ok().map(|()| encoded)
        }
    }
}

/// The names are Git's and glibc's; those without an order begin with a mark and are little-endian, as on all our machines.
fn unicode_encode(text: &str, label: &str) -> Option<Vec<u8>> {
    let (mark, text) = match label {
        "16" | "16le-bom" | "16be-bom" | "32" => ("\u{feff}", text),
        "16le" | "16be" | "32le" | "32be" => ("", text),
        _ => return None,
    };
    let letters = mark.chars().chain(text.chars());
    let big = label.contains("be");
    Some(if label.starts_with("16") {
        let mut units = [0; 2];
        let units = letters.flat_map(|letter| letter.encode_utf16(&mut units).to_vec());
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    } else {
        letters.map(u32::from).flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    })
}
