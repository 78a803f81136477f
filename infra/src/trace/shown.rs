//! A trace for people: per push the outcome, then what happened with its times, then what the
//! bucket has.

use anstyle::{AnsiColor, Style};
use deployment::render::shown::Shown;
use deployment::render::table::{Align, Table};
use deployment::typed::typed;

use super::{Now, Origin, Outcome, Push, Step, Stored, Trace};
use crate::logs::Level;

/// How many pushes are told in full. Of others, only the outcome.
const IN_FULL: usize = 5;

impl Trace {
    /// The trace as text.
    pub fn text(&self) -> Shown {
        let mut text = Shown::default();
        if self.pushes.is_empty() {
            text.add(&format!("Nothing is known of {} {}.", self.wanted, self.looked()));
            text.end_line();
        }
        for (place, push) in self.pushes.iter().enumerate() {
            if place > 0 && place < IN_FULL {
                text.end_line();
            }
            text.append(&headline(push));
            if place < IN_FULL {
                text.append(&story(push));
            }
        }
        for note in &self.notes {
            text.add(&format!("Note: {note}"));
            text.end_line();
        }
        if self.more_lines {
            text.add("The logs have more of this time than was read: --since looks at less of it.");
            text.end_line();
        }
        text
    }

    fn looked(&self) -> String {
        let (days, hours) = (self.looked_back / 86_400, self.looked_back / 3_600);
        match (days, hours) {
            (1.., _) => format!("in the logs of the last {days} d"),
            (0, 1..) => format!("in the logs of the last {hours} h"),
            _ => format!("in the logs of the last {} s", self.looked_back),
        }
    }
}

/// What was pushed, and how it ended.
fn headline(push: &Push) -> Shown {
    let mut text = Shown::default();
    text.add_styled(Style::new().bold(), &subject(push));
    text.add(": ");
    text.add_styled(style(push.outcome), &ended(push));
    text.end_line();
    text
}

fn subject(push: &Push) -> String {
    let delivery = || format!("delivery {}", push.delivery.as_deref().unwrap_or("unknown"));
    let Some(repository) = &push.repository else { return delivery() };
    let reference = push.reference.as_deref().map(|name| format!(" {}", short(name))).unwrap_or_default();
    let commit = push.commit.as_deref().map(|commit| format!(" at {}", digits(commit))).unwrap_or_default();
    format!("{repository}{reference}{commit}")
}

fn ended(push: &Push) -> String {
    let reason = push.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let stored = push.stored.as_ref().map(|stored| digits(&stored.commit)).unwrap_or_default();
    match push.outcome {
        Outcome::Stored => "stored".to_owned(),
        Outcome::Superseded => format!("superseded, {stored} is stored instead"),
        Outcome::Refused => format!("refused{reason}"),
        Outcome::Ignored => format!("ignored{reason}"),
        Outcome::Gone => format!("gone{reason}"),
        Outcome::GivenUp => format!("given up{reason}"),
        Outcome::Unqueued => format!("not queued{reason}"),
        Outcome::UnderWay => format!("under way{reason}"),
    }
}

/// Everything about a push but its headline.
fn story(push: &Push) -> Shown {
    let mut text = Shown::default();
    if let (Some(_), Some(delivery)) = (&push.repository, &push.delivery) {
        let by = match push.origin {
            Origin::Webhook => ", by a webhook",
            Origin::Reconciler => ", missed by webhooks and found by the reconciler",
            Origin::Unknown => "",
        };
        text.add(&format!("  delivery {delivery}{by}"));
        text.end_line();
    }
    text.append(&steps(&push.steps));
    if let Some(stored) = &push.stored {
        text.append(&in_bucket(stored));
    }
    if let Some(next) = next(push) {
        text.add(&format!("  {next}"));
        text.end_line();
    }
    text
}

fn steps(steps: &[Step]) -> Shown {
    let mut table =
        Table::new([("", Align::Left), ("", Align::Left), ("", Align::Right), ("", Align::Left), ("", Align::Left)]);
    let (mut before, mut day_before) = (None, String::new());
    for step in steps {
        let (day, clock) = day_and_clock(&step.time);
        let after = before.map(|before| after(step.millis - before)).unwrap_or_default();
        let shown_day = if day == day_before { String::new() } else { day.clone() };
        table.styled(
            of_level(step.level),
            [format!("  {shown_day}"), clock, after, step.source.clone(), step.text.clone()],
        );
        (before, day_before) = (Some(step.millis), day);
    }
    table.rows()
}

fn in_bucket(stored: &Stored) -> Shown {
    let mut text = Shown::default();
    if let Some(artifact) = &stored.artifact {
        let version = stored.version.as_deref().map(|version| format!(", version {version}")).unwrap_or_default();
        let bytes = stored.bytes.map(|bytes| format!(", {bytes} bytes")).unwrap_or_default();
        let now = match &stored.now {
            Some(Now::Current) => ": it is the current one",
            Some(Now::Replaced { .. }) => ": another one has replaced it",
            Some(Now::Removed) => ": it is no longer there",
            None => "",
        };
        text.add(&format!("  {artifact}{version}{bytes}{now}"));
        text.end_line();
    }
    for (name, value) in [("kept as", &stored.kept), ("SHA-256", &stored.sha256)] {
        if let Some(value) = value {
            text.add(&format!("  {name} {value}"));
            text.end_line();
        }
    }
    text
}

/// What a person can do.
fn next(push: &Push) -> Option<String> {
    let delivery = push.delivery.as_deref()?;
    // Whoever sent the delivery chose its ID, and a person copies the command.
    let is_plain = |id: &str| {
        !id.starts_with('-') && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    let id = Some(delivery).filter(|id| is_plain(id)).unwrap_or("DELIVERY");
    match push.outcome {
        Outcome::GivenUp => Some(format!("after the cause is fixed: {}", typed(&format!("replay {id}")))),
        Outcome::Refused | Outcome::Unqueued => {
            Some("after the cause is fixed: let the host deliver it again, or push again".to_owned())
        }
        _ => None,
    }
}

fn style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Stored => AnsiColor::Green.on_default(),
        Outcome::Refused | Outcome::GivenUp | Outcome::Unqueued => AnsiColor::Red.on_default(),
        Outcome::Superseded | Outcome::Ignored | Outcome::Gone | Outcome::UnderWay => AnsiColor::Yellow.on_default(),
    }
}

fn of_level(level: Level) -> Style {
    match level {
        Level::Info => Style::new(),
        Level::Warn => AnsiColor::Yellow.on_default(),
        Level::Error => AnsiColor::Red.on_default(),
    }
}

/// The short name of a reference.
fn short(reference: &str) -> &str {
    reference.strip_prefix("refs/heads/").unwrap_or(reference)
}

/// The first digits of a commit.
fn digits(commit: &str) -> String {
    commit.chars().take(12).collect()
}

/// How long after the step before.
fn after(millis: i64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a time for people")]
    let seconds = millis as f64 / 1_000.0;
    match millis {
        ..60_000 => format!("+{seconds:.2} s"),
        60_000..3_600_000 => format!("+{} min", millis / 60_000),
        _ => format!("+{} h", millis / 3_600_000),
    }
}

/// The day and the time of day, of a time in the form of RFC 3339.
fn day_and_clock(time: &str) -> (String, String) {
    let (day, clock) = time.split_once('T').unwrap_or((time, ""));
    let clock = clock.trim_end_matches('Z');
    let (seconds, part) = clock.split_once('.').unwrap_or((clock, ""));
    (day.to_owned(), format!("{seconds}.{part:0<3}"))
}

/// A time to the minute.
pub(super) fn minute(millis: i64) -> String {
    let (day, clock) = day_and_clock(&Step::new(millis, "", crate::logs::Kind::Other, Level::Info, String::new()).time);
    format!("{day} {}", clock.get(..5).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::push::pushes;
    use super::super::tests::{records, told};
    use super::*;

    fn trace(deliveries: &[&str]) -> Trace {
        let records = records(&told());
        let pushes = deliveries.iter().flat_map(|delivery| pushes(delivery, &records)).collect();
        Trace { wanted: "delivery x".to_owned(), looked_back: 86_400, pushes, notes: Vec::new(), more_lines: false }
    }

    #[test]
    fn each_outcome_is_told() {
        let mut all = String::new();
        for delivery in [
            "d-stored",
            "d-superseded",
            "d-behind",
            "d-reconciled",
            "d-refused",
            "d-ignored",
            "d-failed",
            "d-redriven",
            "d-gone",
            "d-deleted",
            "d-undeleted",
            "d-again",
            "d-unqueued",
            "d-waits",
            "d-several",
        ] {
            all.push_str(&trace(&[delivery]).text().plain());
            all.push_str("----\n");
        }
        insta::assert_snapshot!(all);
    }

    #[test]
    fn bucket_state_is_told() {
        let mut trace = trace(&["d-stored"]);
        let stored = trace.pushes[0].stored.as_mut().unwrap();
        stored.kept = Some("s3://zips/acme/rocket/commit/8f/acme_rocket.zip".to_owned());
        stored.sha256 = Some("ff".repeat(32));
        for (now, words) in [
            (Now::Current, "it is the current one"),
            (Now::Replaced { by: None }, "another one has replaced it"),
            (Now::Removed, "it is no longer there"),
        ] {
            trace.pushes[0].stored.as_mut().unwrap().now = Some(now);
            let text = trace.text().plain();
            assert!(text.contains(words) && text.contains("kept as s3://") && text.contains("SHA-256 ff"), "{text}");
        }
    }

    #[test]
    fn unknown_delivery_shows_notes() {
        let mut trace = trace(&[]);
        trace.notes.push("the endpoint itself answered 3 requests with 429".to_owned());
        trace.more_lines = true;
        insta::assert_snapshot!(trace.text().plain(), @"
        Nothing is known of delivery x in the logs of the last 1 d.
        Note: the endpoint itself answered 3 requests with 429
        The logs have more of this time than was read: --since looks at less of it.
        ");
    }

    #[test]
    fn many_references_are_told_briefly() {
        let mut trace = trace(&["d-stored"]);
        trace.pushes = vec![trace.pushes[0].clone(); 100];
        let text = trace.text().plain();
        assert_eq!(text.matches(": stored\n").count(), 100);
        assert!(text.lines().count() < 150, "{text}");
    }

    #[test]
    fn hostile_names_cannot_alter_trace() {
        let mut hostile = trace(&["d-failed"]);
        let name = "acme/\u{202e}gpj\u{9b}2J\u{200b}\nstored: fine\u{1b}[8m";
        let push = &mut hostile.pushes[0];
        for field in [&mut push.delivery, &mut push.repository, &mut push.reference, &mut push.commit, &mut push.reason]
        {
            *field = Some(name.to_owned());
        }
        for step in &mut push.steps {
            (step.text, step.source) = (name.to_owned(), name.to_owned());
        }
        hostile.wanted = name.to_owned();
        hostile.notes = vec![name.to_owned()];
        let text = hostile.text().plain();
        assert_eq!(deployment::render::visible::lines(&text), text);
        assert_eq!(text.lines().count(), trace(&["d-failed"]).text().plain().lines().count() + 1, "{text}");
    }
}
