//! Groups lines of several logs by delivery, each under a heading.

use std::collections::{BTreeSet, HashMap};

use anstyle::{AnsiColor, Style};
use aws_sdk_cloudwatchlogs::primitives::{DateTime, DateTimeFormat};
use contract::{Patterns, PatternsError};
use serde_json::Value;

use super::{Kind, Level, Line};
use deployment::render::shown::Shown;

/// Which lines to show.
#[derive(Debug)]
pub struct Filter {
    repositories: Option<Patterns>,
    delivery: Option<String>,
    level: Level,
}

impl Filter {
    /// Selects lines of this level and above, of a delivery, and of deliveries of repositories that
    /// match one of these globs, with or without the host.
    ///
    /// # Errors
    /// One of the globs is invalid.
    pub fn new(repositories: Option<&str>, delivery: Option<String>, level: Level) -> Result<Self, PatternsError> {
        let repositories =
            repositories.map(|globs| Patterns::parse("--repository", &globs.to_lowercase())).transpose()?;
        Ok(Self { repositories, delivery, level })
    }

    /// The matching lines. A line without a repository belongs to its delivery. The endpoint's
    /// lines about requests that its function answered are dropped, since the function's are more
    /// detailed.
    pub fn of(&self, mut lines: Vec<Line>) -> Vec<Line> {
        let known: BTreeSet<String> = lines
            .iter()
            .filter(|line| line.repository.as_deref().is_some_and(|repository| self.names(repository)))
            .filter_map(|line| line.delivery.clone())
            .collect();
        lines.retain(|line| {
            let of_repository = match (&line.repository, &line.delivery) {
                _ if self.repositories.is_none() => true,
                (Some(repository), _) => self.names(repository),
                (None, Some(delivery)) => known.contains(delivery),
                (None, None) => false,
            };
            let of_delivery = self.delivery.is_none() || self.delivery == line.delivery;
            let is_repeated = line.function == "endpoint" && line.kind == Kind::Refused;
            of_repository && of_delivery && !is_repeated && line.level >= self.level
        });
        lines
    }

    fn names(&self, repository: &str) -> bool {
        let full = repository.to_lowercase();
        let path = full.split_once('/').map_or("", |(_, path)| path);
        self.repositories.as_ref().is_none_or(|globs| {
            (globs.includes(&full) || globs.includes(path)) && !globs.excludes(&full) && !globs.excludes(path)
        })
    }
}

/// Formats lines, and continues across calls.
#[derive(Debug, Default)]
pub struct Story {
    /// The group of the last formatted line.
    last: Option<String>,
}

impl Story {
    /// Formats lines, oldest first: deliveries in the order in which they began, with the lines of
    /// each together.
    pub fn tell(&mut self, lines: &[Line]) -> Shown {
        let mut shown = Shown::default();
        for group in grouped(lines) {
            let Some(first) = group.first() else { continue };
            let references: BTreeSet<_> = group.iter().filter_map(|line| line.reference.as_deref()).collect();
            if self.last.is_none() || self.last != first.delivery {
                if !shown.is_empty() || self.last.is_some() {
                    shown.end_line();
                }
                shown.add_styled(Style::new().bold(), &heading(&group, &references));
                shown.end_line();
            }
            self.last.clone_from(&first.delivery);
            for line in group {
                shown.add(&format!("  {}  {:<8}  ", clock(line.millis), line.function));
                shown.add_styled(style(line.level), &line.text);
                if let Some(reference) = line.reference.as_deref().filter(|_| references.len() > 1) {
                    shown.add(&format!(" [{}]", short(reference)));
                }
                shown.end_line();
            }
        }
        shown
    }
}

/// The line as an object of one line.
///
/// # Errors
/// It can't be written as JSON.
pub fn json(line: &Line) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(line)?;
    let time = DateTime::from_millis(line.millis).fmt(DateTimeFormat::DateTime).unwrap_or_default();
    value["time"] = time.into();
    Ok(value)
}

fn grouped(lines: &[Line]) -> Vec<Vec<&Line>> {
    let mut groups: Vec<Vec<&Line>> = Vec::new();
    let mut places = HashMap::new();
    for line in lines {
        match &line.delivery {
            None => groups.push(vec![line]),
            Some(delivery) => {
                let place = *places.entry(delivery).or_insert(groups.len());
                if place == groups.len() {
                    groups.push(Vec::new());
                }
                if let Some(group) = groups.get_mut(place) {
                    group.push(line);
                }
            }
        }
    }
    groups
}

fn heading(group: &[&Line], references: &BTreeSet<&str>) -> String {
    let (day, time) = group.first().map(|line| (day(line.millis), clock(line.millis))).unwrap_or_default();
    let whose = match group.first() {
        Some(Line { delivery: Some(delivery), .. }) => format!("delivery {delivery}"),
        Some(Line { function, .. }) => function.clone(),
        None => String::new(),
    };
    let repository = group.iter().find_map(|line| line.repository.as_deref()).map(|name| format!(", {name}"));
    let mut names = references.iter();
    let reference = match (names.next(), names.next()) {
        (Some(one), None) => format!(" {}", short(one)),
        _ => String::new(),
    };
    format!("{day} {time} UTC, {whose}{}{reference}", repository.unwrap_or_default())
}

/// The short name of a reference.
fn short(reference: &str) -> &str {
    reference.strip_prefix("refs/heads/").unwrap_or(reference)
}

fn style(level: Level) -> Style {
    match level {
        Level::Info => Style::new(),
        Level::Warn => AnsiColor::Yellow.on_default(),
        Level::Error => AnsiColor::Red.on_default(),
    }
}

fn day(millis: i64) -> String {
    let time = DateTime::from_millis(millis).fmt(DateTimeFormat::DateTime).unwrap_or_default();
    time.split('T').next().unwrap_or_default().to_owned()
}

fn clock(millis: i64) -> String {
    let time = DateTime::from_millis(millis).fmt(DateTimeFormat::DateTime).unwrap_or_default();
    time.split('T').nth(1).and_then(|clock| clock.get(..8)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::line::{Of, tests::LINES};
    use super::*;

    fn lines() -> Vec<Line> {
        let read = LINES.iter().filter_map(|(line, _)| {
            let function = if line.contains("webhook::") { "webhook" } else { "gitpull" };
            Line::read(Of::Function(function), line, 1_796_009_860_000)
        });
        let mut lines: Vec<_> = read.collect();
        lines.sort_by_key(|line| line.millis);
        lines
    }

    #[test]
    fn delivery_lines_are_grouped_together() {
        let lines: Vec<_> = lines().into_iter().filter(|line| line.request.is_none()).collect();
        insta::assert_snapshot!(Story::default().tell(&lines).plain());
    }

    #[test]
    fn follow_up_lines_share_one_heading() {
        let mut story = Story::default();
        let of = Filter::new(None, Some("d1".to_owned()), Level::Info).unwrap().of(lines());
        let (first, rest) = of.split_at(1);
        let told = [story.tell(first).plain(), story.tell(rest).plain()];
        assert_eq!(told.concat().matches("delivery d1").count(), 1, "{told:?}");
        let other = Filter::new(None, Some("d2".to_owned()), Level::Info).unwrap().of(lines());
        assert!(story.tell(&other).plain().starts_with("\n2026-11-30 03:37:31 UTC, delivery d2"));
    }

    #[test]
    fn filters_keep_whole_deliveries() {
        let told = |globs: &str, level| Filter::new(Some(globs), None, level).unwrap().of(lines());
        let deliveries = |lines: Vec<Line>| lines.into_iter().filter_map(|line| line.delivery).collect::<BTreeSet<_>>();
        for globs in ["github.com/acme/*", "acme/rocket", "Acme/Rocket", "**"] {
            assert_eq!(deliveries(told(globs, Level::Info)), BTreeSet::from(["d1".to_owned()]), "{globs}");
        }
        for globs in ["gitlab.com/**", "acme/*,!acme/rocket"] {
            assert!(told(globs, Level::Info).is_empty(), "{globs}");
        }
        let errors = told("acme/*", Level::Error);
        assert!(errors.len() == 2 && errors.iter().all(|line| line.level == Level::Error), "{errors:?}");
        assert!(told("acme/*", Level::Warn).iter().any(|line| line.text.starts_with("asks the host again")));
    }

    #[test]
    fn log_line_becomes_json_with_time() {
        let line = lines().into_iter().find(|line| line.kind == Kind::Failed).unwrap();
        let json = json(&line).unwrap();
        assert_eq!((&json["time"], &json["level"]), (&"2026-11-30T03:37:33.12Z".into(), &"error".into()));
        assert_eq!((&json["kind"], &json["delivery"]), (&"failed".into(), &"d1".into()));
    }
}
