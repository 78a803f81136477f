//! The stack's monthly cost: one short table, and, folded, every item with its formula.

use deployment::deploy::Retention;
use maud::{Markup, html};

use super::markup::{folded, plain, soft, table};
use crate::review::cost::{self, Item};
use deployment::deploy::Settings;

/// The numbers of pushes a month for which costs are shown.
const PUSHES: [(&str, f64); 2] = [("1,000", 1_000.0), ("100,000", 100_000.0)];

/// The number of largest items in the short table.
const LARGEST: usize = 3;

fn total(items: &[Item]) -> f64 {
    items.iter().map(|item| item.dollars).sum()
}

fn dollars(amount: f64) -> String {
    format!("${amount:.2}")
}

/// The whole section.
pub(super) fn section(settings: &Settings) -> Markup {
    let bills = PUSHES.map(|(told, pushes)| (told, cost::bill(pushes, cost::USUAL)));
    html! {
        (in_short(&bills))
        (folded("What stored zips come to over a year", &zips(settings)))
        (folded("Every item, and how it is calculated", &html! { (assumed()) @for (pushes, items) in bills { (bill(pushes, items)) } }))
    }
}

fn in_short(bills: &[(&str, Vec<Item>)]) -> Markup {
    let idle = cost::bill(0.0, cost::USUAL);
    let rows = std::iter::once(("none", &idle)).chain(bills.iter().map(|(pushes, items)| (*pushes, items)));
    let rows = rows.map(|(pushes, items)| {
        let mut largest: Vec<_> = items.iter().collect();
        largest.sort_by(|a, b| b.dollars.total_cmp(&a.dollars));
        let named: Vec<_> =
            largest.iter().take(LARGEST).map(|item| format!("{} {}", item.what, dollars(item.dollars))).collect();
        vec![plain(pushes), html! { strong { (dollars(total(items))) } }, plain(&named.join(", "))]
    });
    let caption = format!("List prices of us-east-1, noted in {}, without free tiers", cost::NOTED);
    table(&caption, &["Pushes a month", "Dollars a month", "Mostly"], rows)
}

/// The output bucket's cost over time, with the current retention and, if nothing expires, with a
/// possible one.
fn zips(settings: &Settings) -> Markup {
    let given = settings.retention();
    let other = given.days.is_none().then(|| Retention::of("30", ""));
    let kept = std::iter::once(given).chain(other);
    let rows =
        PUSHES.into_iter().flat_map(|(told, pushes)| kept.clone().map(move |retention| (told, pushes, retention)));
    let rows = rows.map(|(told, pushes, retention)| {
        let after = [1, 6, 12].map(|months| {
            let (gigabytes, amount) = cost::zips(pushes, cost::USUAL.zip, retention, months);
            html! { (dollars(amount)) " " (soft(&format!("{gigabytes:.1} GB"))) }
        });
        [plain(told), plain(&retention.told())].into_iter().chain(after).collect()
    });
    let columns = ["Pushes a month", "Kept", "Month 1", "Month 6", "Month 12"];
    html! {
        p { "S3 storage adds up: each push leaves the version that it replaced. With " (cost::TO_A_ZIP) " pushes a month to each zip:" }
        (table("Zips in the output bucket, dollars a month", &columns, rows))
    }
}

fn assumed() -> Markup {
    let cost::Consumption { webhook, gitpull, zip, logs } = cost::USUAL;
    html! {
        p {
            "For pushes to gitpull that take " (webhook) " s of the webhook function and " (gitpull) " s of the worker, with a zip of " (zip)
            " MB and " (logs) " kB of logs. List prices of us-east-1 without free tiers, noted in " (cost::NOTED) "."
        }
    }
}

fn bill(pushes: &str, items: Vec<Item>) -> Markup {
    let total = total(&items);
    let rows = items.into_iter().map(|item| {
        let price = html! { a href=(item.source) { (item.price) } };
        vec![plain(item.what), plain(&item.formula), price, plain(&dollars(item.dollars))]
    });
    let last = vec![plain("Together"), html! {}, html! {}, html! { strong { (dollars(total)) } }];
    let columns = ["Item", "How much", "Price", "Dollars a month"];
    table(&format!("{pushes} pushes a month"), &columns, rows.chain([last]))
}
