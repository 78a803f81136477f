//! Formats a commit's date like Git (`show_ident_date` of pretty.c): with any time zone that a
//! commit may have, which no library supports.

use pack::Person;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The seconds of a day.
const DAY: i64 = 86_400;

/// A local time with its zone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Date {
    /// The local time as seconds since 1970.
    seconds: i64,
    /// The zone as the number of its digits: `+0130` is 130.
    zone: i64,
}

impl Date {
    /// Parses a commit's date. `None` if it has none. A date that no calendar has becomes the
    /// beginning of 1970.
    pub(crate) fn of(person: &Person<'_>) -> Option<Self> {
        let number = |digits: &[u8]| str::from_utf8(digits).ok()?.parse::<i64>().ok();
        let beginning = Self { seconds: 0, zone: 0 };
        let Some(seconds) = number(person.date?) else { return Some(beginning) };
        let limit = i64::from(i32::MAX);
        let zone = person.zone.and_then(number).filter(|zone| -limit <= *zone && *zone < limit).unwrap_or_default();
        let minutes = (zone.abs() / 100 * 60 + zone.abs() % 100) * zone.signum();
        let seconds = seconds.checked_add(minutes * 60).filter(|seconds| (0..1 << 55).contains(seconds));
        Some(seconds.map_or(beginning, |seconds| Self { seconds, zone }))
    }

    /// Formats it as `%ad`, `%aD`, `%ai`, `%aI` or `%as`. `None` for any other character.
    pub(crate) fn show(&self, format: u8) -> Option<Vec<u8>> {
        let Self { seconds, zone } = *self;
        let (days, second) = (seconds / DAY, seconds % DAY);
        let (year, month, day) = civil(days);
        let name = |names: &[&'static str], number: i64| {
            usize::try_from(number).ok().and_then(|number| names.get(number).copied()).unwrap_or_default()
        };
        let (weekday, month_name) = (name(&DAYS, days % 7), name(&MONTHS, month - 1));
        let clock = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
        let shown = match format {
            b'd' => format!("{weekday} {month_name} {day} {clock} {year} {zone:+05}"),
            b'D' => format!("{weekday}, {day} {month_name} {year} {clock} {zone:+05}"),
            b'i' => format!("{year:04}-{month:02}-{day:02} {clock} {zone:+05}"),
            b'I' if zone == 0 => format!("{year:04}-{month:02}-{day:02}T{clock}Z"),
            b'I' => {
                let (sign, zone) = (if zone < 0 { '-' } else { '+' }, zone.abs());
                format!("{year:04}-{month:02}-{day:02}T{clock}{sign}{:02}:{:02}", zone / 100, zone % 100)
            }
            b's' => format!("{year:04}-{month:02}-{day:02}"),
            _ => return None,
        };
        Some(shown.into_bytes())
    }
}

/// Year, month and day of this number of days since 1970-01-01. If years begin in March, the leap
/// day is the last.
fn civil(days: i64) -> (i64, i64, i64) {
    // Days since the first of March of the year 0. An era has 400 years.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, next_year) = (day - (153 * month + 2) / 5 + 1, i64::from(month > 9));
    (era * 400 + year + next_year, month + 3 - 12 * next_year, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn days_are_those_of_the_calendar(days in 0..2_000_000i64) {
            let date = jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(days);
            prop_assert_eq!(civil(days), (i64::from(date.year()), i64::from(date.month()), i64::from(date.day())));
        }
    }
}
