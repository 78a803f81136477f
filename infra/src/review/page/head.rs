//! The top of the page: its subject, which a signature is for, and a summary.

use maud::{Markup, html};

use super::changes;
use super::markup::{code, count, soft};
use crate::review::{Checkout, Owner, Review, Subject};

/// The facts that identify what is signed.
pub(super) fn facts(subject: &Subject) -> Markup {
    let Subject { stack, owner, sha256, time, version, .. } = subject;
    let made = fact("Made", &html! { (time) span class="soft" { ", git2s3 " (version) } });
    html! {
        dl class="facts" {
            (fact("Stack", &code(stack)))
            @match owner {
                Some(Owner { account, region, principal }) => {
                    (fact("Account", &code(account)))
                    (fact("Region", &code(region)))
                    (made)
                    (wide_fact("Looked up as", &code(principal)))
                },
                None => { (fact("Account, region", &not_looked_up())) (made) },
            }
            (wide_fact("Commit", &commit(subject.checkout.as_ref())))
            (wide_fact("Template, SHA-256", &hash(sha256)))
        }
        (how_to_check(subject))
    }
}

fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn wide_fact(name: &str, value: &Markup) -> Markup {
    html! { div class="wide" { dt { (name) } dd { (value) } } }
}

/// In groups, so that two of them can be compared by eye; copied, it is one word.
pub(super) fn hash(sha256: &str) -> Markup {
    let digits: Vec<char> = sha256.chars().collect();
    html! { code class="hash" { @for group in digits.chunks(8) { span { (group.iter().collect::<String>()) } wbr; } } }
}

fn not_looked_up() -> Markup {
    html! { "not looked up" span class="soft" { ": " code { "--against deployed" } " or a profile asks AWS" } }
}

fn commit(checkout: Option<&Checkout>) -> Markup {
    match checkout {
        None => soft("not known: the sources are in no Git repository"),
        Some(Checkout { commit, changed: 0 }) => {
            html! { (code(commit)) " " span class="good" { "nothing changed since" } }
        }
        Some(Checkout { commit, changed }) => html! {
            (code(commit)) " "
            strong class="bad" { "and " (count(*changed, "file", "files")) " changed since, which no commit has" }
        },
    }
}

/// What the hash covers, and how to reproduce it.
fn how_to_check(subject: &Subject) -> Markup {
    html! {
        p class="soft" {
            "The hash is of the very bytes that are deployed: " code { "./justw synth" } " writes them to " code { "git2s3.template.json" }
            ", and " code { "sha256sum" } " has to say the same. "
            @if subject.is_packaged { "The template names each function's zip by its content, so the hash stands for the code, too." }
        }
        @if !subject.is_packaged {
            p { strong class="bad" { "The functions aren't packaged yet." } " What is deployed names their zips, and has another hash: "
                code { "./justw package" } " first, for a page to sign." }
        }
    }
}

/// The outcome: resources, rules, changes, parameters.
pub(super) fn summary(review: &Review<'_>) -> Markup {
    let report = review.report;
    let noteworthy = review.settings.parameters.iter().filter(|setting| setting.is_noteworthy()).count();
    html! {
        p class="summary" {
            (count(report.resources, "resource", "resources")) ", checked with " (report.rules) " rules: "
            @if report.passes() { strong class="good" { "nothing to object to" } ". " }
            @else { strong class="bad" { (count(report.findings.len(), "finding", "findings")) } ". " }
            (changes::in_numbers(review))
            @if noteworthy == 0 { "Every parameter has its default. " }
            @else { (count(noteworthy, "parameter isn't its default or changes", "parameters aren't their defaults or change")) ". " }
            @if !review.settings.meaning.is_empty() {
                strong class="bad" { (count(review.settings.meaning.len(), "thing", "things")) " to know for security" } ": see the parameters."
            }
        }
    }
}
