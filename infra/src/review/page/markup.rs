//! Tables, names and signs for all sections. A table is shown as such on a wide screen, and as a
//! card per row on a narrow one. So each cell has the heading of its column, and its role, since
//! some browsers drop a table's roles with another layout.

use maud::{Markup, html};

/// Plain text for a cell.
pub(super) fn plain(text: &str) -> Markup {
    html! { (text) }
}

/// Shorter names stay on one line, in characters.
const SHORT: usize = 34;

/// A name, a path or a value; a long one may break where its words end.
pub(super) fn code(text: &str) -> Markup {
    if text.chars().count() <= SHORT {
        return html! { code class="whole" { (text) } };
    }
    html! { code { (broken(text)) } }
}

/// The text with places where it may break.
fn broken(text: &str) -> Markup {
    let pieces = text.split_inclusive([':', '/', '_', '.', ',', '}', '=']);
    html! { @for (index, piece) in pieces.enumerate() { @if index > 0 { wbr; } (piece) } }
}

/// The conditions on the request and of the template, in short, after what they apply to.
pub(super) fn only<'t>(conditions: impl IntoIterator<Item = &'t String>) -> Markup {
    let (outside, request): (Vec<&String>, Vec<&String>) =
        conditions.into_iter().partition(|text| text.starts_with("if ") || text.starts_with("unless "));
    let mut told: Vec<String> = outside.into_iter().cloned().collect();
    if !request.is_empty() {
        let request: Vec<&str> = request.into_iter().map(String::as_str).collect();
        told.push(format!("only where {}", request.join(", ")));
    }
    html! { @if !told.is_empty() { " " span class="soft" { (broken(&told.join(", "))) } } }
}

/// Several of them, each on its own line.
pub(super) fn codes<'t>(texts: impl IntoIterator<Item = &'t String>) -> Markup {
    html! { ul class="plain" { @for text in texts { li { (code(text)) } } } }
}

/// Several of them in one line.
pub(super) fn listed<'t>(texts: impl IntoIterator<Item = &'t String>) -> Markup {
    html! { @for (index, text) in texts.into_iter().enumerate() { @if index > 0 { ", " } (code(text)) } }
}

/// Something less important.
pub(super) fn soft(text: &str) -> Markup {
    html! { span class="soft" { (text) } }
}

/// A sign and a word for what happens, which colour only repeats.
pub(super) fn sign(class: &str, sign: &str, word: &str) -> Markup {
    html! { span class={ "sign " (class) } { span aria-hidden="true" { (sign) " " } (word) } }
}

/// A table whose rows begin with a heading each.
pub(super) fn table(caption: &str, columns: &[&str], rows: impl IntoIterator<Item = Vec<Markup>>) -> Markup {
    html! {
        table role="table" {
            caption { (caption) }
            thead role="rowgroup" { tr role="row" { @for column in columns { th scope="col" role="columnheader" { (column) } } } }
            tbody role="rowgroup" { @for row in rows { (cells(columns, row)) } }
        }
    }
}

fn cells(columns: &[&str], row: Vec<Markup>) -> Markup {
    html! {
        tr role="row" {
            @for (column, (index, cell)) in columns.iter().zip(row.into_iter().enumerate()) {
                @if index == 0 { th scope="row" role="rowheader" { (cell) } }
                @else if cell.0.is_empty() { td role="cell" class="empty" {} }
                @else { td role="cell" data-label=(column) { (cell) } }
            }
        }
    }
}

/// A folded section for details; it is printed only if open.
pub(super) fn folded(title: &str, content: &Markup) -> Markup {
    html! { details { summary { (title) } div { (content) } } }
}

/// The table with its first `open` rows, and the rest folded.
pub(super) fn first(open: usize, caption: &str, columns: &[&str], mut rows: Vec<Vec<Markup>>) -> Markup {
    let rest = rows.split_off(open.min(rows.len()));
    html! {
        (table(caption, columns, rows))
        @if !rest.is_empty() {
            (folded(&format!("{} more", rest.len()), &table(&format!("{caption}, the rest"), columns, rest)))
        }
    }
}

/// A number and what is counted.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}
