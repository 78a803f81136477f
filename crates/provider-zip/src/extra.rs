//! The extra fields of an entry, of which two count: zip64's and the extended timestamp.

const ZIP64: u16 = 0x0001;
const TIMESTAMP: u16 = 0x5455;

/// What the extra fields say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Extra {
    /// The numbers of eight bytes in zip64's field that weren't taken yet, the next one last.
    longs: Vec<u64>,
    /// When the file was modified, in seconds since 1970.
    pub(crate) modified: Option<i32>,
}

impl Extra {
    /// From the fields' bytes, or what is wrong with them.
    pub(crate) fn parse(mut bytes: &[u8]) -> Result<Self, &'static str> {
        let mut extra = Self::default();
        let mut zip64 = false;
        while !bytes.is_empty() {
            let (id, length, rest) = head(bytes).ok_or("an extra field is cut off")?;
            let (field, rest) =
                rest.split_at_checked(length.into()).ok_or("an extra field is longer than all of them")?;
            match id {
                ZIP64 if std::mem::replace(&mut zip64, true) => return Err("there are two zip64 fields"),
                ZIP64 => extra.longs = field.as_chunks().0.iter().rev().map(|long| u64::from_le_bytes(*long)).collect(),
                TIMESTAMP => extra.modified = modified(field),
                _ => {}
            }
            bytes = rest;
        }
        Ok(extra)
    }

    /// Takes the next number of zip64's field.
    pub(crate) fn next_long(&mut self) -> Option<u64> {
        self.longs.pop()
    }
}

fn head(bytes: &[u8]) -> Option<(u16, u16, &[u8])> {
    let (id, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    Some((u16::from_le_bytes(*id), u16::from_le_bytes(*length), rest))
}

/// The first bit says that the first time is there.
fn modified(field: &[u8]) -> Option<i32> {
    let (flags, times) = field.split_first()?;
    times.first_chunk().filter(|_| flags & 1 != 0).map(|time| i32::from_le_bytes(*time))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn unknown_extra_fields_are_skipped() {
        let bytes = b"\x01\0\x10\0\x07\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0ux\x01\0xUT\x05\0\x01\x05\0\0\0";
        let mut extra = Extra::parse(bytes).unwrap();
        assert_eq!([extra.next_long(), extra.next_long(), extra.next_long()], [Some(7), Some(9), None]);
        assert_eq!(extra.modified, Some(5));
        assert_eq!(Extra::parse(b"UT\x05\0\x02\x05\0\0\0").unwrap().modified, None);
        assert_eq!(Extra::parse(b"UT\x01\0\x01").unwrap().modified, None);
        for broken in [b"U".as_slice(), b"UT\x05", b"UT\x05\0\x01", b"\x01\0\0\0\x01\0\0\0"] {
            assert!(Extra::parse(broken).is_err(), "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_fields_or_refused(bytes: Vec<u8>) {
            let mut extra = Extra::parse(&bytes).unwrap_or_default();
            let longs = std::iter::from_fn(|| extra.next_long()).count();
            prop_assert!(longs * 8 <= bytes.len());
        }
    }
}
