//! Checks the order of CloudFormation's operations: nothing before its dependencies, and deletion
//! in reverse. The template's dependencies are recorded with the events, so that a record can be
//! checked after the template has changed.

use std::collections::BTreeSet;

use super::record::{Kind, Operation};
use deployment::deploy::Event;

/// Where a successful operation did not follow the template's order, one sentence each.
pub fn disorder(operation: &Operation) -> Vec<String> {
    if !operation.status.ends_with("_COMPLETE") || operation.status.contains("ROLLBACK") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (at, event) in operation.events.iter().enumerate() {
        if !begins(operation, at) {
            continue;
        }
        let before = &operation.events[..at];
        let needs: Vec<&str> = match operation.kind {
            Kind::Delete => dependents(operation, event),
            Kind::Create | Kind::Update if event.status.starts_with("DELETE_") => Vec::new(),
            Kind::Create | Kind::Update => {
                operation.dependencies.get(&event.logical_id).into_iter().flatten().map(String::as_str).collect()
            }
        };
        for need in needs {
            let takes_part = operation.events.iter().any(|other| other.logical_id == need && same_side(other, event));
            if takes_part && !before.iter().any(|other| other.logical_id == need && is_done(other, event)) {
                found.push(format!("{}: {} before {need} was done", event.status, event.logical_id));
            }
        }
    }
    found
}

/// Whether the event is the first about work on its resource.
fn begins(operation: &Operation, at: usize) -> bool {
    let event = &operation.events[at];
    let is_same = |other: &Event| other.logical_id == event.logical_id && other.status == event.status;
    event.resource_type != "AWS::CloudFormation::Stack"
        && event.status.ends_with("_IN_PROGRESS")
        && !operation.events[..at].iter().any(is_same)
}

/// What has to be deleted before the resource: its dependents, and for the cleaner also the
/// writers' event sources.
fn dependents<'o>(operation: &'o Operation, event: &Event) -> Vec<&'o str> {
    let depend = operation.dependencies.iter().filter(|(_, on)| on.contains(&event.logical_id));
    let mut found: Vec<&str> = depend.map(|(id, _)| id.as_str()).collect();
    if event.logical_id == "BucketCleaner" {
        let feeds = operation.events.iter().filter(|other| other.resource_type == "AWS::Lambda::EventSourceMapping");
        found.extend(feeds.map(|other| other.logical_id.as_str()).collect::<BTreeSet<_>>());
    }
    found
}

/// Whether both are deletions, or neither is.
fn same_side(one: &Event, other: &Event) -> bool {
    one.status.starts_with("DELETE_") == other.status.starts_with("DELETE_")
}

fn is_done(event: &Event, next: &Event) -> bool {
    // CloudFormation goes on when a resource is configured, without waiting until it is consistent
    // everywhere.
    let is_configured = event.detail.as_deref() == Some("CONFIGURATION_COMPLETE");
    let is_over = event.status.ends_with("_COMPLETE") || event.status == "DELETE_SKIPPED";
    same_side(event, next) && (is_over || (is_configured && !next.status.starts_with("DELETE_")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn operation(kind: Kind, events: &[(&str, &str)]) -> Operation {
        let event = |(at, (id, status)): (usize, &(&str, &str))| {
            let (status, detail) =
                status.split_once('/').map_or((*status, None), |(status, detail)| (status, Some(detail)));
            Event {
                id: at.to_string(),
                time: String::new(),
                logical_id: (*id).to_owned(),
                resource_type: if *id == "Feed" { "AWS::Lambda::EventSourceMapping" } else { "AWS::SQS::Queue" }
                    .to_owned(),
                status: status.to_owned(),
                detail: detail.map(str::to_owned),
                reason: None,
            }
        };
        Operation {
            kind,
            what: String::new(),
            status: "X_COMPLETE".to_owned(),
            seconds: 0.0,
            dependencies: BTreeMap::from([("B".to_owned(), BTreeSet::from(["A".to_owned()]))]),
            events: events.iter().enumerate().map(event).collect(),
        }
    }

    #[test]
    fn nothing_begins_before_what_it_needs() {
        let fine = [("A", "CREATE_IN_PROGRESS"), ("A", "CREATE_COMPLETE"), ("B", "CREATE_IN_PROGRESS")];
        assert_eq!(disorder(&operation(Kind::Create, &fine)), [""; 0]);
        let configured = [("A", "CREATE_IN_PROGRESS/CONFIGURATION_COMPLETE"), ("B", "CREATE_IN_PROGRESS")];
        assert_eq!(disorder(&operation(Kind::Create, &configured)), [""; 0]);
        let early = [("A", "CREATE_IN_PROGRESS"), ("B", "CREATE_IN_PROGRESS"), ("A", "CREATE_COMPLETE")];
        assert_eq!(disorder(&operation(Kind::Create, &early)), ["CREATE_IN_PROGRESS: B before A was done"]);
        // Unchanged resources exist already.
        assert_eq!(disorder(&operation(Kind::Update, &[("B", "UPDATE_IN_PROGRESS")])), [""; 0]);
    }

    #[test]
    fn deletion_goes_the_other_way() {
        let fine = [("B", "DELETE_IN_PROGRESS"), ("B", "DELETE_COMPLETE"), ("A", "DELETE_IN_PROGRESS")];
        assert_eq!(disorder(&operation(Kind::Delete, &fine)), [""; 0]);
        let early = [("A", "DELETE_IN_PROGRESS"), ("B", "DELETE_IN_PROGRESS"), ("B", "DELETE_COMPLETE")];
        assert_eq!(disorder(&operation(Kind::Delete, &early)), ["DELETE_IN_PROGRESS: A before B was done"]);
    }

    #[test]
    fn early_cleaner_deletion_is_reported() {
        let early =
            [("Feed", "DELETE_IN_PROGRESS"), ("BucketCleaner", "DELETE_IN_PROGRESS"), ("Feed", "DELETE_COMPLETE")];
        let found = disorder(&operation(Kind::Delete, &early));
        assert_eq!(found, ["DELETE_IN_PROGRESS: BucketCleaner before Feed was done"]);
    }
}
