//! The content of generated files. Text has few frequent and many rare words, by Zipf's law, so
//! that deflate shrinks it about three and a half times, like source code.

use std::sync::LazyLock;

use super::random::Random;

/// Files consist of blocks of this many bytes, which change independently.
pub(crate) const BLOCK: u64 = 1024;
/// The same as a length.
pub(crate) const BLOCK_LENGTH: usize = 1024;

/// The vocabulary has two to the power of this many words.
const WORD_BITS: u64 = 12;

/// The compressibility of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Source code.
    Text,
    /// It compresses to half.
    Half,
    /// It doesn't compress.
    Random,
}

impl Kind {
    /// The extension of its file name.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Text => "rs",
            Self::Half => "bin",
            Self::Random => "png",
        }
    }
}

static WORDS: LazyLock<Vec<String>> = LazyLock::new(|| (0..1 << WORD_BITS).map(word).collect());

/// A word of two to four syllables. Frequent words are short, as in any language.
fn word(number: u64) -> String {
    const SYLLABLES: [&str; 24] = [
        "re", "con", "ta", "in", "de", "ver", "se", "pro", "lo", "mi", "ar", "te", "un", "pa", "ge", "for", "ex",
        "ble", "ob", "ject", "str", "val", "err", "li",
    ];
    let mut random = Random::of(&[number, 4]);
    let length = 1 + number.checked_ilog2().unwrap_or_default() / 4;
    (0..=length).map(|_| SYLLABLES[usize::try_from(random.below(24)).unwrap_or_default()]).collect()
}

/// A name of a file or a folder.
pub(crate) fn name(number: u64) -> String {
    word(number % (1 << WORD_BITS))
}

/// A block of a file.
pub(crate) fn block(kind: Kind, random: &mut Random) -> Vec<u8> {
    match kind {
        Kind::Text => text(random),
        Kind::Half => noise(random, 2),
        Kind::Random => noise(random, 1),
    }
}

/// Random bytes: eight of each `of` times eight.
fn noise(random: &mut Random, of: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BLOCK_LENGTH);
    while bytes.len() < BLOCK_LENGTH {
        bytes.extend(random.next().to_le_bytes());
        bytes.resize(bytes.len() + (of - 1) * 8, 0);
    }
    bytes
}

fn text(random: &mut Random) -> Vec<u8> {
    const BETWEEN: [&str; 8] = [" ", " ", " ", ".", "(", ", ", " = ", "::"];
    const ENDS: [&str; 4] = [";\n", ");\n", " {\n", ",\n"];
    let mut bytes = Vec::with_capacity(BLOCK_LENGTH + 64);
    let mut indent = 1;
    let mut lines = vec![0];
    while bytes.len() < BLOCK_LENGTH {
        // Every fourth line repeats an earlier one, as in code.
        if lines.len() > 1 && random.below(4) == 0 {
            let line = usize::try_from(random.below(lines.len() as u64 - 1)).unwrap_or_default();
            bytes.extend_from_within(lines[line]..lines[line + 1]);
            lines.push(bytes.len());
            continue;
        }
        // Neighbouring lines have similar indentation.
        indent = (indent + random.below(3)).saturating_sub(1).min(5);
        bytes.resize(bytes.len() + usize::try_from(indent * 4).unwrap_or_default(), b' ');
        for position in 0..2 + random.below(6) {
            if position > 0 {
                bytes.extend(pick(&BETWEEN, random).bytes());
            }
            bytes.extend(frequent(random).bytes());
        }
        bytes.extend(pick(&ENDS, random).bytes());
        lines.push(bytes.len());
    }
    bytes.truncate(BLOCK_LENGTH - 1);
    bytes.push(b'\n');
    bytes
}

fn pick<'a>(of: &[&'a str], random: &mut Random) -> &'a str {
    of[usize::try_from(random.below(of.len() as u64)).unwrap_or_default()]
}

/// A word: the first one, the next two, the next four, and so on are equally likely.
fn frequent(random: &mut Random) -> &'static str {
    let bits = random.below(WORD_BITS + 1);
    let words: &'static [String] = &WORDS;
    &words[usize::try_from(random.below(1 << bits)).unwrap_or_default()]
}
