//! What an update would change: in numbers for the summary, and as tables. Removed and replaced
//! resources come first and are never folded, nor are rights that allow more.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;

use super::markup::{code, count, first, folded, listed, only, plain, sign, soft, table};
use crate::review::{Review, rights};
use deployment::diff::{Action, Diff, Effect, EntryChange, PropertyChange, as_text};

/// The number of open rows of a table, after those that are never folded.
const OPEN: usize = 15;

/// The maximum length of unfolded values, in characters.
const LONG: usize = 160;

/// Whether there was no stack before.
fn is_new(review: &Review<'_>, diff: &Diff) -> bool {
    let resources = review.template.value()["Resources"].as_object().map_or(0, serde_json::Map::len);
    let added = resource_changes(diff).filter(|entry| entry.action == Action::Added).count();
    added == resources && resource_changes(diff).count() == added
}

fn resource_changes(diff: &Diff) -> impl Iterator<Item = &EntryChange> {
    diff.entries.iter().filter(|entry| entry.section == "Resources")
}

/// The sentence of the summary.
pub(super) fn in_numbers(review: &Review<'_>) -> Markup {
    let Some((with, diff)) = &review.diff else { return html! { "Compared with nothing. " } };
    let of = |action| resource_changes(diff).filter(|entry| entry.action == action).count();
    let anew = of(Action::Replaced) + of(Action::PerhapsReplaced);
    let rights = |added| diff.permissions.iter().filter(|change| change.added == added).count();
    let broader = diff.permissions.iter().filter(|change| change.broadens).count();
    html! {
        "Compared with " code { (with) } ": "
        @if is_new(review, diff) { strong { "everything is new" } ". " }
        @else if diff.is_empty() { strong { "nothing changes" } ". " }
        @else {
            (count(of(Action::Added), "resource", "resources")) " added, " (of(Action::Changed)) " changed, " (anew) " made anew, "
            (of(Action::Removed)) " removed; " (count(rights(true), "right", "rights")) " gained, " (rights(false)) " lost, "
            @if broader == 0 { "nobody may do more than before" }
            @else { strong class="bad" { (broader) " of them let somebody do more than before" } }
            "; " (count(diff.network.len(), "way", "ways")) " over the network opened or closed. "
        }
    }
}

/// The whole section.
pub(super) fn section(review: &Review<'_>) -> Markup {
    let Some((with, diff)) = &review.diff else {
        return html! { p { "This review compares with nothing. " code { "--against deployed" } " compares with the stack in the account." } };
    };
    html! {
        p {
            "Compared with " code { (with) } "."
            @if diff.is_empty() { " Nothing changes." }
            @else if is_new(review, diff) { " Nothing of it was there before: all that this page says is new." }
        }
        @if !diff.is_empty() {
            @if is_new(review, diff) { (folded("Every resource and right, as a change", &tables(diff))) } @else { (tables(diff)) }
        }
    }
}

fn tables(diff: &Diff) -> Markup {
    let (resources, others): (Vec<_>, Vec<_>) = diff.entries.iter().partition(|entry| entry.section == "Resources");
    let lost = resources.iter().filter(|entry| !matches!(entry.action, Action::Changed | Action::Added)).count();
    let columns = ["Resource", "What happens", "What of it"];
    let (rights, broader) = rights(diff);
    let network = diff.network.iter().map(|change| {
        let told = if change.added { sign("more", "+", "opened") } else { sign("less", "−", "closed") };
        vec![code(&change.resource), told, plain(&change.what)]
    });
    html! {
        @if !resources.is_empty() {
            (first(lost + OPEN, "Resources", &columns, resources.into_iter().map(row).collect()))
        }
        @if !rights.is_empty() {
            (first(broader + OPEN, "Rights that come and go", &["Who", "What happens", "Actions", "On"], rights))
        }
        @if !diff.network.is_empty() { (table("Network", &["Resource", "What happens", "Way"], network)) }
        @if !others.is_empty() {
            (first(OPEN, "Parameters, outputs and the rest of the template", &["Entry", "What happens", "What of it"],
                others.into_iter().map(row).collect()))
        }
    }
}

fn row(entry: &EntryChange) -> Vec<Markup> {
    let kind = if entry.kind.is_empty() { &entry.section } else { &entry.kind };
    let of_it = html! {
        @if !entry.properties.is_empty() {
            ul class="plain" { @for property in &entry.properties { li { (changed(property)) } } }
        }
    };
    vec![html! { (code(&entry.name)) " " span class="kind" { (code(kind)) } }, happens(entry.action), of_it]
}

fn happens(action: Action) -> Markup {
    match action {
        Action::Removed => sign("gone", "−", "removed"),
        Action::Replaced => html! { (sign("gone", "±", "made anew")) " " (soft("another takes its place")) },
        Action::PerhapsReplaced => {
            html! { (sign("gone", "±", "perhaps made anew")) " " (soft("if a computed value comes out differently")) }
        }
        Action::Changed => sign("other", "~", "changed"),
        Action::Added => sign("new", "+", "added"),
    }
}

fn changed(property: &PropertyChange) -> Markup {
    let path = property.path.strip_prefix("Properties.").unwrap_or(&property.path);
    html! {
        (code(path)) ": "
        @match &property.old { Some(old) => del { (value(old)) }, None => (soft("nothing")) }
        " → "
        @match &property.new { Some(new) => ins { (value(new)) }, None => (soft("nothing")) }
        @if property.create_only { " " strong class="bad" { "makes it anew" } }
    }
}

/// The whole value: a change that somebody signs is never cut, only folded.
fn value(value: &Value) -> Markup {
    let text = as_text(value);
    if text.is_empty() {
        return html! { "empty" };
    }
    if text.chars().count() <= LONG {
        return code(&text);
    }
    let beginning: String = text.chars().take(LONG / 2).collect();
    html! { details class="inline" { summary { (code(&beginning)) "… " (text.chars().count()) " characters" } (code(&text)) } }
}

/// Sort key: whether it broadens nothing, principal, whether it was added, effect, resource, and
/// conditions.
type Fate<'d> = (bool, &'d str, bool, Effect, &'d str, Vec<String>);

/// How rights change, those that allow more first, and how many those are. Actions with the same
/// change are one row.
fn rights(diff: &Diff) -> (Vec<Vec<Markup>>, usize) {
    let mut rows: BTreeMap<Fate<'_>, Vec<String>> = BTreeMap::new();
    for change in &diff.permissions {
        let grant = &change.grant;
        let conditions = grant.conditions.iter().map(ToString::to_string).collect();
        let key =
            (!change.broadens, grant.who.as_str(), change.added, grant.effect, grant.resource.as_str(), conditions);
        rows.entry(key).or_default().push(grant.action.clone());
    }
    let row = |(fate, actions): (Fate<'_>, Vec<String>)| {
        let (narrows, who, added, effect, resource, conditions) = fate;
        let told = match (effect, added) {
            (Effect::Allow, true) => sign(if narrows { "other" } else { "more" }, "+", "gained"),
            (Effect::Allow, false) => sign("less", "−", "lost"),
            (Effect::Deny, true) => sign("less", "+", "forbidden"),
            (Effect::Deny, false) => sign(if narrows { "other" } else { "more" }, "−", "forbidden no longer"),
        };
        let told = html! { (told) @if !narrows { " " strong class="bad" { "more than before" } } };
        let on = html! { (code(&rights::named(resource))) (only(&conditions)) };
        vec![code(who), told, listed(&actions), on]
    };
    let broader = rows.keys().filter(|(narrows, ..)| !narrows).count();
    (rows.into_iter().map(row).collect(), broader)
}
