//! The place to sign. It repeats the subject, so that the sheet with the names is complete in
//! itself.

use maud::{Markup, html};

use super::head::hash;
use super::markup::{code, table};
use crate::review::{Checkout, Subject};

/// How many people can sign.
const REVIEWERS: [&str; 2] = ["First reviewer", "Second reviewer"];

/// The whole section.
pub(super) fn section(subject: &Subject) -> Markup {
    let Subject { stack, owner, checkout, sha256, .. } = subject;
    let rows = REVIEWERS.iter().map(|reviewer| {
        let field = |what: &str| html! { input type="text" aria-label={ (reviewer) ": " (what) } autocomplete="off"; };
        let decision = html! {
            @for (value, word) in [("yes", "agreed"), ("no", "not agreed")] {
                label { input type="radio" name=(reviewer) value=(value); " " (word) } " "
            }
        };
        vec![html! { (reviewer) }, field("name"), field("date"), decision, field("signature or remark")]
    });
    html! {
        p {
            "For stack " (code(stack))
            @if let Some(owner) = owner { " in account " (code(&owner.account)) ", " (code(&owner.region)) }
            @if let Some(Checkout { commit, changed }) = checkout {
                ", commit " (code(commit)) @if *changed > 0 { strong class="bad" { " with changes that no commit has" } }
            }
            ", template " (hash(sha256))
        }
        (table("Sign here", &["Reviewer", "Name", "Date", "Decision", "Signature or remark"], rows))
        p class="soft" { "What you enter isn't kept in this file: print the page, or save it as PDF. What is folded isn't printed; open what you want to keep." }
    }
}
