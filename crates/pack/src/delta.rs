//! What a delta makes of its base: by the part "Deltified representation" of Git's pack format.

use crate::PackError;

/// The largest object that a delta may make, in bytes. Git makes none of files over 512 MiB, unless
/// `core.bigFileThreshold` says so, and such an object is held in memory.
const LARGEST: usize = 512 << 20;

/// Why a delta isn't applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeltaError {
    /// What is wrong with it.
    Damaged(&'static str),
    /// It makes more than [`LARGEST`].
    TooLarge,
}

impl From<&'static str> for DeltaError {
    fn from(reason: &'static str) -> Self {
        Self::Damaged(reason)
    }
}

impl DeltaError {
    /// As the error of the entry that began at `offset`.
    pub(crate) fn at(self, offset: u64) -> PackError {
        match self {
            Self::Damaged(reason) => PackError::Entry { offset, reason },
            Self::TooLarge => PackError::TooLarge { offset, reason: "it makes an object of more than 512 MiB" },
        }
    }
}

/// The lengths that a delta begins with: its base's, and that of the object it makes.
fn lengths(rest: &mut &[u8]) -> Result<(usize, usize), DeltaError> {
    match (size(rest)?, size(rest)?) {
        (_, result) if result > LARGEST => Err(DeltaError::TooLarge),
        lengths => Ok(lengths),
    }
}

/// How long the object is that a delta says it makes.
pub(crate) fn result_length(mut delta: &[u8]) -> Result<usize, DeltaError> {
    lengths(&mut delta).map(|(_, result)| result)
}

/// What `delta` makes of `base`.
pub(crate) fn apply(base: &[u8], delta: &[u8]) -> Result<Vec<u8>, DeltaError> {
    let mut rest = delta;
    let (of, length) = lengths(&mut rest)?;
    if of != base.len() {
        return Err("it is for a base of another length".into());
    }
    let mut result = Vec::with_capacity(length);
    while let Some(&command) = rest.split_off_first() {
        let piece = match command {
            0 => return Err("it has a command that Git doesn't know".into()),
            insert if insert & 0x80 == 0 => rest.split_off(..usize::from(insert)),
            copy => {
                let start = number(&mut rest, copy, 4)?;
                let length = match number(&mut rest, copy >> 4, 3)? {
                    0 => 0x1_0000,
                    length => length,
                };
                start.checked_add(length).and_then(|end| base.get(start..end))
            }
        };
        result.extend_from_slice(piece.ok_or("it copies what isn't there")?);
        if result.len() > length {
            return Err("it makes more than it says".into());
        }
    }
    if result.len() == length { Ok(result) } else { Err("it makes less than it says".into()) }
}

/// A length: seven bits a byte, the lowest first.
fn size(rest: &mut &[u8]) -> Result<usize, &'static str> {
    let mut size = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let byte = rest.split_off_first().ok_or("it ends in a length")?;
        size |= usize::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
        if byte & 0x80 == 0 {
            return Ok(size);
        }
    }
    Err("it has a length of too many bytes")
}

/// A number of at most `bytes` bytes, of which only those are there whose bit is set.
fn number(rest: &mut &[u8], set: u8, bytes: u32) -> Result<usize, &'static str> {
    let mut number = 0;
    for byte in (0..bytes).filter(|byte| set >> byte & 1 == 1) {
        number |= usize::from(*rest.split_off_first().ok_or("it ends in a command")?) << (8 * byte);
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_copies_and_inserts() {
        // The base's length, the result's, copy 3 from 2, insert "xy", copy 1 from 0.
        let delta = [10, 6, 0x91, 2, 3, 2, b'x', b'y', 0x90, 1];
        assert_eq!(apply(b"0123456789", &delta).unwrap(), b"234xy0");
    }

    #[test]
    fn copy_without_length_is_64_kib() {
        let base = vec![7; 70_000];
        let delta = [0xf0, 0xa2, 4, 0x80, 0x80, 4, 0x80];
        assert_eq!(apply(&base, &delta).unwrap(), vec![7; 65_536]);
    }

    #[test]
    fn malformed_delta_is_refused() {
        let check = |delta: &[u8], reason| assert_eq!(apply(b"0123456789", delta), Err(DeltaError::Damaged(reason)));
        check(&[9, 1, 1, b'x'], "it is for a base of another length");
        check(&[10, 1, 0], "it has a command that Git doesn't know");
        check(&[10, 3, 0x91, 8, 3], "it copies what isn't there");
        check(&[10, 3, 3, b'x'], "it copies what isn't there");
        check(&[10, 3, 0x91, 8], "it ends in a command");
        check(&[10, 1, 2, b'x', b'y'], "it makes more than it says");
        check(&[10, 3, 2, b'x', b'y'], "it makes less than it says");
        check(&[0x8a; 12], "it has a length of too many bytes");
        check(&[10], "it ends in a length");
        assert_eq!(apply(b"0123456789", &[10, 0xff, 0xff, 0xff, 0xff, 0x7f]), Err(DeltaError::TooLarge));
    }

    proptest! {
        #[test]
        fn random_delta_never_panics(base in prop::collection::vec(any::<u8>(), 0..200), delta in prop::collection::vec(any::<u8>(), 0..200)) {
            apply(&base, &delta).ok();
            let sized = [vec![u8::try_from(base.len()).unwrap() & 0x7f, 100], delta].concat();
            let base = base.get(..usize::from(sized[0])).unwrap_or(&base);
            if let Ok(result) = apply(base, &sized) {
                prop_assert_eq!(result.len(), 100);
            }
        }
    }
}
