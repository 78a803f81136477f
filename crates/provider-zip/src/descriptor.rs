//! The descriptor behind the data of an entry whose sums weren't known before. It comes in four
//! shapes, and nothing says in which: with a signature or without, and with lengths of four bytes
//! or of eight. So the sums that were found are looked for, and what comes next has to follow them.

use std::io::Read;

use crate::{error::ProviderError, input::Input};
use zip_writer::Sums;

const SIGNATURE: &[u8] = b"PK\x07\x08";
/// What every header begins with.
const NEXT: &[u8] = b"PK";
/// The longest shape, and what comes next.
const LONGEST: usize = 4 + 4 + 16 + 2;

/// Goes over a descriptor that says the same as `sums`; true if there is one.
pub(crate) fn skip<R: Read>(input: &mut Input<R>, sums: &Sums) -> Result<bool, ProviderError> {
    let seen = input.peek(LONGEST)?;
    let here = shapes(sums)
        .into_iter()
        .flatten()
        .find(|shape| seen.strip_prefix(shape.as_slice()).is_some_and(|behind| behind.starts_with(NEXT)));
    match here {
        Some(shape) => input.consume(shape.len()),
        // Behind the shortest one there is at least the directory's end, so fewer bytes never are
        // all.
        None if seen.len() < LONGEST => return Err(input.cut_off()),
        None => return Ok(false),
    }
    Ok(true)
}

fn shapes(sums: &Sums) -> [Option<Vec<u8>>; 4] {
    let crc = sums.crc.to_le_bytes();
    let wide = [sums.packed.to_le_bytes(), sums.size.to_le_bytes()].concat();
    let narrow = [sums.packed, sums.size].map(|length| u32::try_from(length).map(u32::to_le_bytes));
    let narrow = if let [Ok(packed), Ok(size)] = narrow { Some([packed, size].concat()) } else { None };
    let signed = |lengths: &Vec<u8>| [SIGNATURE, &crc, lengths].concat();
    let bare = |lengths: &Vec<u8>| [crc.as_slice(), lengths].concat();
    [Some(signed(&wide)), narrow.as_ref().map(signed), Some(bare(&wide)), narrow.as_ref().map(bare)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_descriptor_shape_is_recognized() {
        for (packed, size) in [(5, 7), (2, 0), (0, 0), (5_000_000_000, 6_000_000_000)] {
            let sums = Sums { crc: 0x0807_4b50, packed, size };
            let shapes: Vec<_> = shapes(&sums).into_iter().flatten().collect();
            assert_eq!(shapes.len(), if size < 6_000_000_000 { 4 } else { 2 });
            for shape in shapes {
                let bytes = [&shape, b"PK\x05\x06".as_slice(), &[0; 18]].concat();
                let mut input = Input::new(bytes.as_slice(), 1000);
                assert!(skip(&mut input, &sums).unwrap());
                assert_eq!(input.position(), shape.len() as u64);
                let mut input = Input::new(bytes.as_slice(), 1000);
                assert!(!skip(&mut input, &Sums { crc: 1, ..sums }).unwrap());
                let mut input = Input::new(&bytes[..shape.len()], 1000);
                assert!(matches!(skip(&mut input, &sums), Err(ProviderError::CutOff { .. })));
            }
        }
    }
}
