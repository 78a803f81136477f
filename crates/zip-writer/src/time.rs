//! The two times that a zip's entry has: the one of DOS, which every reader knows, and Info-ZIP's
//! extended timestamp, which is UTC where the other has no zone.

use jiff::tz::Offset;

/// The earliest that DOS can tell: the first day of 1980.
const FIRST: u32 = (1 << 5 | 1) << 16;

/// An entry's time.
#[derive(Debug, Clone, Copy)]
pub struct Time {
    /// The time and, in the upper half, the date of DOS, in UTC: two seconds' precision, from 1980
    /// to 2107.
    pub(crate) dos: u32,
    seconds: i32,
}

impl Time {
    /// The length of [`Time::field`].
    pub(crate) const FIELD: usize = 9;

    /// From seconds since 1970. The extended timestamp has 32 bits, signed: times outside of 1901
    /// to 2038 are cut to its ends.
    pub fn from_seconds(seconds: i64) -> Self {
        let cut = i32::try_from(seconds).unwrap_or(if seconds < 0 { i32::MIN } else { i32::MAX });
        Self { dos: to_dos(seconds), seconds: cut }
    }

    /// From DOS's time and date, taken for UTC. What is no date becomes the first one.
    pub fn from_dos(dos: u32) -> Self {
        Self::from_seconds(seconds(dos).or_else(|| seconds(FIRST)).unwrap_or_default())
    }

    /// The extended timestamp as an extra field, with the time of modification only.
    pub(crate) fn field(self) -> [u8; Self::FIELD] {
        let mut field = *b"UT\x05\x00\x01\0\0\0\0";
        if let Some(last) = field.last_chunk_mut() {
            *last = self.seconds.to_le_bytes();
        }
        field
    }
}

fn to_dos(seconds: i64) -> u32 {
    let Ok(time) = jiff::Timestamp::from_second(seconds) else { return FIRST };
    let time = Offset::UTC.to_datetime(time);
    let Some(year) = u32::try_from(i32::from(time.year()) - 1980).ok().filter(|year| *year < 128) else { return FIRST };
    let part = |value: i8| u32::try_from(value).unwrap_or_default();
    let date = year << 9 | part(time.month()) << 5 | part(time.day());
    date << 16 | part(time.hour()) << 11 | part(time.minute()) << 5 | part(time.second()) >> 1
}

fn seconds(dos: u32) -> Option<i64> {
    let part = |shift: u32, bits: u32| i8::try_from(dos >> shift & ((1 << bits) - 1)).ok();
    let year = i16::try_from(1980 + (dos >> 25)).ok()?;
    let date = jiff::civil::Date::new(year, part(21, 4)?, part(16, 5)?).ok()?;
    let time = jiff::civil::Time::new(part(11, 5)?, part(5, 6)?, part(0, 5)? * 2, 0).ok()?;
    Some(Offset::UTC.to_timestamp(date.to_datetime(time)).ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_outside_dos_range_become_earliest() {
        for seconds in [i64::MIN, -1, 0, 315_532_799, 315_532_800, 4_354_819_200, i64::MAX] {
            assert_eq!(Time::from_seconds(seconds).dos, FIRST, "{seconds}");
        }
        assert_eq!(Time::from_seconds(1_700_000_000).dos, 0x576e_b1aa);
    }

    proptest! {
        /// From the beginning of 1980 to the end of 2037.
        #[test]
        fn both_times_tell_the_same(seconds in 315_532_800..2_145_916_800i64) {
            let there = Time::from_seconds(seconds);
            let back = Time::from_dos(there.dos);
            prop_assert_eq!(i64::from(back.seconds), seconds & !1);
            prop_assert_eq!(back.dos, there.dos);
        }

        #[test]
        fn any_number_is_a_time(dos: u32, seconds: i64) {
            prop_assert!(Time::from_dos(dos).dos >= FIRST);
            prop_assert!(Time::from_seconds(seconds).dos >= FIRST);
        }
    }
}
