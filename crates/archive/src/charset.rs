//! The encodings of the GNU C library's iconv, from tables that `tables/generate.py` has generated
//! from iconv's output. The script describes their format. Each is unpacked on first use and then
//! kept.

use std::{
    collections::{BTreeMap, HashMap},
    io::Read,
    ops::RangeInclusive,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use flate2::read::DeflateDecoder;
use gix::bstr::ByteSlice;

use crate::{error::ArchiveError, output::Output};

const TABLES: &[u8] = include_bytes!("../tables/charsets.bin");
const NAMES: &str = include_str!("../tables/charsets.txt");

/// Shift out and shift in: characters between them have two bytes.
const SHIFTS: [u8; 2] = [0x0e, 0x0f];
/// Unicode's tag characters, which iconv drops if an encoding lacks them.
pub(crate) const TAGS: RangeInclusive<char> = '\u{e0000}'..='\u{e007f}';
/// The only encoding here with all of Unicode. Its table omits the characters whose bytes can be
/// computed.
const GB18030: &str = "GB18030";

/// Encodings in which the last of several characters with the same bytes is decoded: a wide form
/// instead of the narrow one. In others it is the first.
const WIDE: [&str; 3] = ["CP932", "EUC-JP-MS", "EUC-KR"];

/// The encoding in which two ASCII characters share the bytes of others, and are decoded as those.
const ROMAN: &str = "SHIFT_JIS";

/// The position of each encoding's table, by name.
static PLACES: LazyLock<BTreeMap<&str, Place>> = LazyLock::new(|| {
    let lines = NAMES.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (start, length, kind) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
        let place = Place {
            start,
            length,
            shifts: kind.starts_with("shift"),
            strict: kind.ends_with("-strict"),
            all: line.ends_with(GB18030),
        };
        Some(words.map(move |name| (name, place)))
    });
    lines.flatten().collect()
});
static UNPACKED: Mutex<BTreeMap<usize, Arc<Charset>>> = Mutex::new(BTreeMap::new());

#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    length: usize,
    /// Whether [`SHIFTS`] separate characters of one and two bytes.
    shifts: bool,
    /// Whether it rejects tag characters.
    strict: bool,
    /// Whether the bytes of characters above U+FFFF are computed.
    all: bool,
}

/// An encoding.
#[derive(Debug)]
pub(crate) struct Charset {
    place: Place,
    /// Whether it contains ASCII unchanged, so that runs of ASCII are copied: most of most texts.
    ascii: bool,
    /// The bytes of each character, by its number.
    characters: Vec<(u32, Piece)>,
    /// The bytes of pairs that are encoded as one.
    pairs: BTreeMap<(u32, u32), Piece>,
}

/// A character of the Japanese Roman set, which replaces two ASCII characters.
pub(crate) fn roman(byte: u8) -> char {
    match byte {
        b'\\' => '\u{a5}',
        b'~' => '\u{203e}',
        byte => char::from(byte),
    }
}

/// The inverse table, for decoding.
#[derive(Debug)]
pub(crate) struct Meanings<'a> {
    characters: HashMap<&'a [u8], [Option<u32>; 2]>,
    is_roman: bool,
}

impl Meanings<'_> {
    /// Decodes the text. `None` if a part of it is invalid.
    pub(crate) fn decode(&self, bytes: &[u8]) -> Option<String> {
        let (mut rest, mut text) = (bytes, String::new());
        while let Some(first) = rest.first() {
            if first.is_ascii() {
                text.push(if self.is_roman { roman(*first) } else { char::from(*first) });
                rest = rest.get(1..)?;
                continue;
            }
            let (characters, length) =
                (1..=4).find_map(|length| Some((self.characters.get(rest.get(..length)?)?, length)))?;
            for character in characters.iter().flatten() {
                text.push(char::from_u32(*character)?);
            }
            rest = rest.get(length..)?;
        }
        Some(text)
    }
}

/// At most four bytes.
#[derive(Debug, Clone, Copy)]
struct Piece {
    bytes: [u8; 4],
    count: u8,
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        self.bytes.get(4 - usize::from(self.count)..).unwrap_or_default()
    }
}

impl Charset {
    /// The encoding of this name, in upper case.
    pub(crate) fn named(name: &str) -> Option<Arc<Self>> {
        let place = *PLACES.get(name)?;
        // Unpacked under the lock, so that several threads don't unpack one table at once.
        let mut unpacked = UNPACKED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = unpacked.get(&place.start) {
            return Some(Arc::clone(known));
        }
        let charset = Arc::new(Self::unpack(place)?);
        unpacked.insert(place.start, Arc::clone(&charset));
        Some(charset)
    }

    fn unpack(place: Place) -> Option<Self> {
        let packed = TABLES.get(place.start..)?.get(..place.length)?;
        let mut content = Vec::new();
        DeflateDecoder::new(packed).read_to_end(&mut content).ok()?;
        let mut numbers = Numbers { content: content.into_iter(), value: 0 };
        let (count, pairs) = (numbers.next()?, numbers.next()?);
        let mut character = 0;
        let characters = (0..count).map(|_| {
            character += u32::try_from(numbers.next()?).ok()?;
            Some((character, numbers.piece()?))
        });
        let characters = characters.collect::<Option<_>>()?;
        let pairs = (0..pairs).map(|_| {
            let [first, second] = [numbers.next()?, numbers.next()?].map(|character| u32::try_from(character).ok());
            Some(((first?, second?), numbers.piece()?))
        });
        let pairs = pairs.collect::<Option<BTreeMap<(u32, u32), Piece>>>()?;
        let begins_no_pair = pairs.first_key_value().is_none_or(|((first, _), _)| *first >= 128);
        let mut charset = Self { place, ascii: false, characters, pairs };
        let own = |byte: u8| charset.piece(byte.into()).is_some_and(|piece| piece.bytes() == [byte]);
        charset.ascii = !place.shifts && begins_no_pair && (0..128).all(own);
        Some(charset)
    }

    /// Encodes `text`. `None` if it lacks a character.
    pub(crate) fn encode(&self, text: &str, mut out: Output<'_>) -> Result<Option<Vec<u8>>, ArchiveError> {
        let (mut rest, mut shifted) = (text, false);
        loop {
            if self.ascii {
                let run = rest.as_bytes().find_non_ascii_byte().unwrap_or(rest.len());
                let (run, behind) = rest.split_at(run);
                out.push(run.as_bytes())?;
                rest = behind;
            }
            let mut characters = rest.chars();
            let Some(character) = characters.next() else { break };
            rest = characters.as_str();
            let pair = characters.next().and_then(|next| self.pairs.get(&(character.into(), next.into())));
            if pair.is_some() {
                rest = characters.as_str();
            }
            let Some(piece) = pair.copied().or_else(|| self.piece(character)) else { return Ok(None) };
            if self.place.shifts && shifted != (piece.count == 2) {
                out.push(SHIFTS.get(usize::from(shifted)..=usize::from(shifted)).unwrap_or_default())?;
                shifted = !shifted;
            }
            out.push(piece.bytes())?;
        }
        Ok(Some(out.into_bytes()))
    }

    /// Whether it contains ASCII unchanged, independent of the next character.
    pub(crate) fn keeps_ascii(&self) -> bool {
        self.ascii
    }

    /// The decoding table. `None` if it doesn't contain ASCII unchanged.
    pub(crate) fn meanings(&self) -> Option<Meanings<'_>> {
        if !self.ascii {
            return None;
        }
        let singles = self.characters.iter().filter(|(_, piece)| piece.count > 0);
        let singles = singles.map(|(character, piece)| (piece.bytes(), [Some(*character), None]));
        let pairs = self.pairs.iter().map(|((first, second), piece)| (piece.bytes(), [Some(*first), Some(*second)]));
        let is = |name: &str| PLACES.get(name).is_some_and(|place| place.start == self.place.start);
        let is_wide = WIDE.iter().any(|name| is(name));
        let mut characters = HashMap::new();
        for (written, meaning) in pairs.chain(singles) {
            let known = characters.entry(written).or_insert(meaning);
            if is_wide {
                *known = meaning;
            }
        }
        Some(Meanings { characters, is_roman: is(ROMAN) })
    }

    /// The two bytes of a character, as another encoding contains them: without their highest bits.
    pub(crate) fn pair_of(&self, character: char) -> Option<[u8; 2]> {
        let Piece { bytes: [.., first, second], count } = self.piece(character)?;
        (count == 2 && first >= 0xa1 && second >= 0xa1).then_some([first & 0x7f, second & 0x7f])
    }

    fn piece(&self, character: char) -> Option<Piece> {
        if self.place.all && character > '\u{ffff}' {
            return Some(counted(u32::from(character) - 0x1_0000));
        }
        let found = self.characters.binary_search_by_key(&u32::from(character), |(character, _)| *character);
        let tag = (!self.place.strict && TAGS.contains(&character)).then_some(Piece { bytes: [0; 4], count: 0 });
        found.ok().and_then(|at| self.characters.get(at)).map(|(_, piece)| *piece).or(tag)
    }
}

/// The four bytes of GB18030 for the character at this offset from U+10000.
fn counted(number: u32) -> Piece {
    let byte = |number: u32, first: u8| first.saturating_add(u8::try_from(number).unwrap_or_default());
    let bytes = [
        byte(number / 12_600, 0x90),
        byte(number / 1_260 % 10, 0x30),
        byte(number / 10 % 126, 0x81),
        byte(number % 10, 0x30),
    ];
    Piece { bytes, count: 4 }
}

/// A reader of a table.
struct Numbers {
    content: std::vec::IntoIter<u8>,
    /// The value of the last piece.
    value: i64,
}

impl Numbers {
    fn next(&mut self) -> Option<i64> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.content.next()?;
            number |= i64::from(byte & 127) << shift;
            if byte < 128 {
                return Some(number);
            }
            shift += 7;
        }
    }

    fn piece(&mut self) -> Option<Piece> {
        let number = self.next()?;
        let (count, distance) = (u8::try_from(number & 7).ok()?, number >> 3);
        self.value += if distance & 1 == 0 { distance >> 1 } else { -((distance + 1) >> 1) };
        Some(Piece { bytes: u32::try_from(self.value).ok()?.to_be_bytes(), count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_can_be_unpacked() {
        assert!(PLACES.len() > 1000, "{}", PLACES.len());
        for name in PLACES.keys() {
            let charset = Charset::named(name).unwrap();
            assert!(
                !charset.characters.is_empty() && charset.characters.is_sorted_by_key(|(character, _)| *character),
                "{name}"
            );
        }
    }
}
