//! Applies deltas, by the section "Deltified representation" of Git's pack format.

use crate::PackError;

/// The largest result of a delta, in bytes. It is held in memory. By default
/// (`core.bigFileThreshold`), Git creates no deltas for files over 512 MiB.
const LARGEST: usize = 512 << 20;

/// Why a delta can't be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeltaError {
    /// What is wrong with it.
    Damaged(&'static str),
    /// Its result is larger than [`LARGEST`].
    TooLarge,
}

impl From<&'static str> for DeltaError {
    fn from(reason: &'static str) -> Self {
        Self::Damaged(reason)
    }
}

impl DeltaError {
    /// Converts it to the error of the entry at `offset`.
    pub(crate) fn at(self, offset: u64) -> PackError {
        match self {
            Self::Damaged(reason) => PackError::Entry { offset, reason },
            Self::TooLarge => PackError::TooLarge { offset, reason: "it makes an object of more than 512 MiB" },
        }
    }
}

/// The lengths at the start of a delta: of its base and of its result.
fn lengths(rest: &mut &[u8]) -> Result<(usize, usize), DeltaError> {
    match (size(rest)?, size(rest)?) {
        (_, result) if result > LARGEST => Err(DeltaError::TooLarge),
        lengths => Ok(lengths),
    }
}

/// The declared length of a delta's result.
pub(crate) fn result_length(mut delta: &[u8]) -> Result<usize, DeltaError> {
    lengths(&mut delta).map(|(_, result)| result)
}

/// Applies `delta` to `base`.
pub(crate) fn apply(base: &[u8], delta: &[u8]) -> Result<Vec<u8>, DeltaError> {
    let mut rest = delta;
    let (of, length) = lengths(&mut rest)?;
    if of != base.len() {
        return Err("it is for a base of another length".into());
    }
    let mut result = Vec::with_capacity(length);
    while let Some(&command) = rest.split_off_first() {
        let piece = match command {
            0 => return Err("it has an unknown command".into()),
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
        result.extend_from_slice(piece.ok_or("it copies from outside its base")?);
        if result.len() > length {
            return Err("its result is longer than declared".into());
        }
    }
    if result.len() == length { Ok(result) } else { Err("its result is shorter than declared".into()) }
}

/// Parses a length: seven bits per byte, lowest first.
fn size(rest: &mut &[u8]) -> Result<usize, &'static str> {
    let mut size = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let byte = rest.split_off_first().ok_or("it ends within a length")?;
        size |= usize::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
        if byte & 0x80 == 0 {
            return Ok(size);
        }
    }
    Err("it has a length of too many bytes")
}

/// Parses a number of at most `bytes` bytes. Only bytes whose bit is set are present.
fn number(rest: &mut &[u8], set: u8, bytes: u32) -> Result<usize, &'static str> {
    let mut number = 0;
    for byte in (0..bytes).filter(|byte| set >> byte & 1 == 1) {
        number |= usize::from(*rest.split_off_first().ok_or("it ends within a command")?) << (8 * byte);
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_copies_and_inserts() {
        // The lengths of base and result, copy 3 from 2, insert "xy", copy 1 from 0.
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
        check(&[10, 1, 0], "it has an unknown command");
        check(&[10, 3, 0x91, 8, 3], "it copies from outside its base");
        check(&[10, 3, 3, b'x'], "it copies from outside its base");
        check(&[10, 3, 0x91, 8], "it ends within a command");
        check(&[10, 1, 2, b'x', b'y'], "its result is longer than declared");
        check(&[10, 3, 2, b'x', b'y'], "its result is shorter than declared");
        check(&[0x8a; 12], "it has a length of too many bytes");
        check(&[10], "it ends within a length");
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
