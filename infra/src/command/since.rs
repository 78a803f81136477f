//! Parses how far back to look.

use std::time::Duration;

/// Parses a number with its unit.
pub(crate) fn read(typed: &str) -> Result<Duration, String> {
    let wrong = || "a number and s, m, h or d, such as 15m, 6h or 2d".to_owned();
    let unit = typed.chars().next_back().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number = typed.strip_suffix(unit).and_then(|number| number.parse::<u32>().ok()).ok_or_else(wrong)?;
    Ok(Duration::from_secs(seconds * u64::from(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_needs_number_and_unit() {
        let seconds = |typed: &str| read(typed).map(|time| time.as_secs()).ok();
        assert_eq!(["45s", "15m", "6h", "2d"].map(seconds), [45, 900, 21_600, 172_800].map(Some));
        for wrong in ["", "m", "15", "-1h", "1.5h", "15 m", "15µ", "99999999999d"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
