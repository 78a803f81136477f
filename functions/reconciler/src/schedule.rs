//! What the schedule says with each run: when it is, and the parameters that don't fit into the
//! function's environment, as Base64, since they may have any characters.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::{PatternsError, Refs, Repositories};
use serde::Deserialize;

/// The event of a run.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scheduled {
    /// When the run was due, in seconds since 1970. A run that is delivered twice has it twice.
    #[serde(deserialize_with = "seconds")]
    pub time: u64,
    /// The minutes between two runs.
    #[serde(deserialize_with = "minutes")]
    pub every_minutes: u64,
    /// The `Repositories` parameter.
    pub repositories: Text,
    /// The `Refs` parameter.
    pub refs: Text,
    /// The `CaBundle` parameter.
    pub ca_bundle: Text,
}

/// A parameter's text, as Base64.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Text(pub String);

impl TryFrom<String> for Text {
    type Error = &'static str;

    fn try_from(encoded: String) -> Result<Self, Self::Error> {
        let bytes = STANDARD.decode(encoded).map_err(|_| "not Base64")?;
        String::from_utf8(bytes).map(Self).map_err(|_| "not text")
    }
}

fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let time: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
    u64::try_from(time.as_second()).map_err(serde::de::Error::custom)
}

fn minutes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let minutes: u64 = String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)?;
    Some(minutes).filter(|minutes| (1..=1440).contains(minutes)).ok_or_else(|| serde::de::Error::custom("1 to 1440"))
}

impl Scheduled {
    /// The `Repositories` parameter.
    ///
    /// # Errors
    /// It isn't a list of globs.
    pub fn repositories(&self) -> Result<Repositories, PatternsError> {
        self.repositories.0.parse()
    }

    /// The `Refs` parameter.
    ///
    /// # Errors
    /// It isn't a list of globs.
    pub fn refs(&self) -> Result<Refs, PatternsError> {
        self.refs.0.parse()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn event_of_schedule_is_read() {
        let event = |time: &str, every: &str, refs: &str| {
            let text = STANDARD.encode("main\n\"x\"");
            let read =
                json!({ "time": time, "everyMinutes": every, "repositories": text, "refs": refs, "caBundle": "" });
            serde_json::from_value::<Scheduled>(read)
        };
        let read = event("2026-11-30T12:00:00Z", "30", "bWFpbg==").unwrap();
        assert_eq!((read.time, read.every_minutes), (1_796_040_000, 30));
        assert_eq!((read.repositories.0.as_str(), read.refs.0.as_str()), ("main\n\"x\"", "main"));
        for (time, every, refs) in
            [("noon", "30", ""), ("2026-11-30T12:00:00Z", "0", ""), ("2026-11-30T12:00:00Z", "30", "*")]
        {
            assert!(event(time, every, refs).is_err(), "{time} {every} {refs}");
        }
    }
}
