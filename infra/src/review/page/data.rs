//! Resources with data, with one row for equal retention.

use maud::{Markup, html};
use serde_json::Value;

use super::markup::{listed, plain, table};
use crate::review::storage::{self, Holder};

/// The whole section.
pub(super) fn section(template: &Value) -> Markup {
    let mut kinds: Vec<(Holder, Vec<String>)> = Vec::new();
    for holder in storage::holders(template) {
        let id = holder.id.clone();
        match kinds.iter_mut().find(|(other, _)| is_alike(other, &holder)) {
            Some((_, ids)) => ids.push(id),
            None => kinds.push((holder, vec![id])),
        }
    }
    let rows = kinds.iter().map(|(holder, ids)| {
        let cells = [&holder.encryption, &holder.retention, &holder.at_deletion, &holder.at_replacement];
        std::iter::once(html! { (listed(ids)) }).chain(cells.map(|cell| plain(cell))).collect()
    });
    let columns = ["Resource", "Encrypted with", "Kept for", "When the stack is deleted", "When an update replaces it"];
    table("Encryption, retention, deletion", &columns, rows)
}

fn is_alike(a: &Holder, b: &Holder) -> bool {
    let said = |holder: &Holder| {
        let Holder { kind, encryption, retention, at_deletion, at_replacement, .. } = holder;
        [kind, encryption, retention, at_deletion, at_replacement].map(Clone::clone)
    };
    said(a) == said(b)
}
