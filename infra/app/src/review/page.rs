//! The page itself. Whatever comes out of the template is escaped by the macro that writes it, and in the whole nothing hides.

use std::collections::{BTreeMap, BTreeSet};

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::{Review, cost, diagram, evidence::Evidence, rights, storage};
use crate::deploy::{Setting, Settings};
use crate::diff::{self, Diff, Effect};
use crate::render::visible;

/// How many pushes a month the costs are told for.
const PUSHES: [(&str, f64); 2] = [("1,000", 1_000.0), ("100,000", 100_000.0)];

/// The whole page.
pub fn html(review: &Review<'_>) -> String {
    let description = review.template["Description"].as_str().unwrap_or("A stack");
    let sections: [(&str, &str, Markup); 8] = [
        ("picture", "The way of a push", picture(review.template)),
        ("rights", "Who may do what", matrix(review.template)),
        ("data", "What holds data", data(review.template)),
        ("rules", "Verdict of the rules", verdict(review)),
        ("accepted", "Findings that are accepted", accepted(review.template)),
        ("parameters", "Parameters", parameters(review.template, review.settings)),
        ("changes", "What would change", changes(review.diff.as_ref())),
        ("costs", "What it costs a month", costs(review.settings)),
    ];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // The page needs nothing from anywhere, and what it shows can't make it ask.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { "Review: " (description) }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                header {
                    h1 { (description) }
                    p { (summary(review)) }
                    nav aria-label="Sections" { @for (id, title, _) in &sections { a href=(format!("#{id}")) { (title) } " " } }
                }
                main {
                    @for (id, title, content) in sections {
                        section aria-labelledby=(id) { h2 id=(id) { (title) } (content) }
                    }
                }
            }
        }
    };
    visible::lines(&page.into_string()).into_owned()
}

fn summary(review: &Review<'_>) -> Markup {
    let report = review.report;
    html! {
        (report.resources) " resources, judged by " (report.rules) " rules: "
        @if report.passes() { strong class="good" { "nothing to object to" } "." }
        @else { strong class="bad" { (report.findings.len()) " findings" } "." }
    }
}

/// A table whose rows begin with a heading each.
fn table(caption: &str, columns: &[&str], rows: impl IntoIterator<Item = Vec<Markup>>) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for column in columns { th scope="col" { (column) } } } }
                tbody {
                    @for row in rows {
                        tr { @for (index, cell) in row.into_iter().enumerate() {
                            @if index == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                        } }
                    }
                }
            }
        }
    }
}

fn plain(text: &str) -> Markup {
    html! { (text) }
}

fn code(text: &str) -> Markup {
    html! { code { (text) } }
}

/// A long name that may break where its words end.
fn in_pieces(name: &str) -> Markup {
    html! { code class="long" { @for word in name.split_inclusive('_') { (word) wbr; } } }
}

fn picture(template: &Value) -> Markup {
    html! {
        p { "From left to right, as a push goes. At a line stands what the role of the function may do there; a dashed box exists only
             where a parameter asks for it. Every function also writes its own log." }
        div class="scroll" tabindex="0" role="region" aria-label="The picture" { (diagram::svg(template)) }
        details {
            summary { "The picture in words" }
            ul { @for line in diagram::lines(template) { li { (diagram::sentence(&line)) } } }
        }
    }
}

fn matrix(template: &Value) -> Markup {
    let rows = rights::matrix(template).into_iter().map(|right| {
        let reason = if right.reason.is_empty() {
            html! { span class="bad" { "nobody wrote down why" } }
        } else {
            plain(right.reason)
        };
        let evidence = match right.evidence {
            Some(Evidence::Scenario(name)) => in_pieces(name),
            Some(Evidence::Documented(page)) => html! { span class="soft" { a href=(page) { "AWS's documentation" } } },
            None => html! { span class="bad" { "nobody showed that it is needed" } },
        };
        let conditions: Vec<_> = right.conditions.iter().map(String::as_str).collect();
        vec![
            plain(&right.role),
            html! { @for action in &right.actions { code { (action) } br; } },
            code(&right.resource),
            plain(&conditions.join(", ")),
            reason,
            evidence,
        ]
    });
    let others = rights::others(template).into_iter().map(|grant| {
        let effect = if grant.effect == Effect::Allow { "Allow" } else { "Deny" };
        let conditions: Vec<_> = grant.conditions.iter().map(ToString::to_string).collect();
        vec![code(&grant.who), plain(effect), code(&grant.action), code(&grant.resource), plain(&conditions.join(", "))]
    });
    html! {
        (table("Rights of the stack's roles", &["Role", "Actions", "Resource", "Only where", "Why", "Fails without it"], rows))
        (table("What policies of resources and the trust of roles say", &["Principal", "Effect", "Action", "Resource", "Only where"], others))
    }
}

fn data(template: &Value) -> Markup {
    let rows = storage::holders(template).into_iter().map(|holder| {
        let storage::Holder { id, kind, encryption, retention, at_deletion, at_replacement } = holder;
        let cells = [&kind, &encryption, &retention, &at_deletion, &at_replacement];
        std::iter::once(plain(&id)).chain(cells.into_iter().map(|cell| plain(cell))).collect()
    });
    let columns =
        ["Resource", "Type", "Encrypted with", "Kept for", "When the stack is deleted", "When an update replaces it"];
    table("Encryption, retention, deletion", &columns, rows)
}

fn verdict(review: &Review<'_>) -> Markup {
    let rows = review.rules.iter().map(|rule| {
        let found: Vec<_> = review.report.findings.iter().filter(|finding| finding.rule == rule.id()).collect();
        let verdict = html! {
            @if found.is_empty() { span class="good" { "passes" } }
            @for finding in &found { span class="bad" { (finding.resource) " " (finding.path) ": " (finding.message) } br; }
        };
        vec![code(&rule.id()), verdict, plain(&rule.description())]
    });
    table("Each rule, under every outcome of the conditions", &["Rule", "Verdict", "Why there is the rule"], rows)
}

fn accepted(template: &Value) -> Markup {
    let mut reasons: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for (id, resource) in template["Resources"].as_object().into_iter().flatten() {
        for (tool, list, why) in [("checkov", "skip", "comment"), ("cdk_nag", "rules_to_suppress", "reason")] {
            for entry in resource["Metadata"][tool][list].as_array().into_iter().flatten() {
                let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
                reasons.entry((text("id"), text(why))).or_default().insert(id.clone());
            }
        }
    }
    let rows = reasons.into_iter().map(|((finding, reason), ids)| {
        let ids: Vec<String> = ids.into_iter().collect();
        vec![code(&finding), plain(&reason), plain(&ids.join(", "))]
    });
    table("What checkov and cdk-nag find, and why it stays", &["Finding", "Why", "Where"], rows)
}

fn parameters(template: &Value, settings: &Settings) -> Markup {
    let rows = template["Parameters"].as_object().into_iter().flatten().map(|(name, parameter)| {
        let text = |key: &str| parameter[key].as_str().unwrap_or_default();
        let values: Vec<_> =
            parameter["AllowedValues"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let allowed = if values.is_empty() { text("ConstraintDescription").to_owned() } else { values.join(" or ") };
        let default = match (parameter.get("Default"), parameter["NoEcho"] == true) {
            (_, true) => html! { strong { "secret" } },
            (None, false) => html! { strong { "has to be given" } },
            (Some(_), false) if text("Default").is_empty() => html! { span class="soft" { "empty" } },
            (Some(_), false) => code(text("Default")),
        };
        vec![plain(name), chosen(settings.get(name)), default, plain(text("Description")), plain(&allowed)]
    });
    let columns = ["Parameter", "Value", "Default", "Meaning", "Allowed"];
    html! {
        @if !settings.meaning.is_empty() {
            p { "What these values mean for security:" }
            ul { @for line in &settings.meaning { li { span class="bad" { (line) } } } }
        }
        @if !settings.zips.is_empty() {
            p { "What becomes of the zips that are stored:" }
            ul { @for line in &settings.zips { li { span class="bad" { (line) } } } }
        }
        (table("What the person who deploys may choose", &columns, rows))
    }
}

/// The value that the stack gets, and what it is until then.
fn chosen(setting: Option<&Setting>) -> Markup {
    let Some(setting) = setting else { return html! { span class="soft" { "the deployment's" } } };
    let said = |value: &str| match value {
        "" => html! { span class="soft" { "empty" } },
        value if setting.secret => html! { strong { (value) } },
        value => code(value),
    };
    html! {
        @match &setting.old {
            Some(old) if *old != setting.new => { (said(old)) " → " (said(&setting.new)) },
            _ => { (said(&setting.new)) },
        }
    }
}

fn changes(diff: Option<&(String, Diff)>) -> Markup {
    html! {
        @match diff {
            None => p { "This review compares with nothing. " code { "--against deployed" } " compares with the stack in the account." },
            Some((with, diff)) => {
                p { "Compared with " code { (with) } "." }
                pre { (diff::text(diff).plain()) }
            }
        }
    }
}

/// What the output bucket costs as zips add up, as the retention is and, where nothing expires, as it could be.
fn zips(settings: &Settings) -> Markup {
    let value = |name: &str| settings.get(name).map_or("", |setting| setting.new.as_str());
    let given = cost::Retention::of(value("NoncurrentDays"), value("NewerNoncurrentVersions"));
    let other = given.days.is_none().then(|| cost::Retention::of("30", ""));
    let kept = std::iter::once(given).chain(other);
    let rows =
        PUSHES.into_iter().flat_map(|(told, pushes)| kept.clone().map(move |retention| (told, pushes, retention)));
    let rows = rows.map(|(told, pushes, retention)| {
        let after = [1, 6, 12].map(|months| {
            let (gigabytes, dollars) = cost::zips(pushes, cost::USUAL.zip, retention, months);
            html! { (format!("${dollars:.2}")) " " span class="soft" { (format!("{gigabytes:.1} GB")) } }
        });
        [plain(told), plain(&retention.told())].into_iter().chain(after).collect()
    });
    let columns = ["Pushes a month", "Kept", "Month 1", "Month 6", "Month 12"];
    html! {
        p { "S3 storage adds up: each push leaves the version that it replaced. With " (cost::TO_A_ZIP) " pushes a month to each zip:" }
        (table("Zips in the output bucket, dollars a month", &columns, rows))
    }
}

fn costs(settings: &Settings) -> Markup {
    let bills = PUSHES.map(|(told, pushes)| (told, cost::bill(pushes, cost::USUAL)));
    let cost::Push { webhook, gitpull, zip, logs } = cost::USUAL;
    html! {
        p {
            "For pushes to gitpull that take " (webhook) " s of the webhook function and " (gitpull) " s of the worker, with a zip of " (zip)
            " MB and " (logs) " kB of logs. List prices of us-east-1 without free tiers, noted in " (cost::NOTED) "."
        }
        @for (pushes, items) in bills {
            @let total: f64 = items.iter().map(|item| item.dollars).sum();
            @let rows = items.into_iter().map(|item| vec![
                plain(item.what),
                plain(&item.formula),
                html! { a href=(item.source) { (item.price) } },
                html! { (format!("${:.2}", item.dollars)) },
            ]);
            @let last = vec![plain("Together"), plain(""), plain(""), html! { strong { (format!("${total:.2}")) } }];
            (table(&format!("{pushes} pushes a month"), &["Item", "How much", "Price", "Dollars a month"], rows.chain([last])))
        }
        (zips(settings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Rules, check};
    use crate::deploy::{Parameters, Template};
    use crate::stack;

    #[test]
    fn what_a_template_says_is_text_and_never_markup() {
        let mut template = stack::template(None).unwrap().as_value();
        template["Description"] = "<script>alert(1)</script>".into();
        template["Parameters"]["Refs"]["Description"] = "\"><img src=x>Refs\u{202e}".into();
        let rules = Rules::embedded().unwrap();
        let report = check(&template, &rules).unwrap();
        let diff = Diff::between(&serde_json::json!({ "Resources": { "<b>": { "Type": "<i>" } } }), &template);
        let declared = Template::parse(template.to_string()).unwrap();
        let given = Parameters::default().with("Refs", "<img src=y>").with("ApiSecret", "hunter2");
        let given = given.with("NoncurrentDays", "30").with("OutputBucketName", "another");
        let stack = [("Refs", "main"), ("OutputBucketName", ""), ("NoncurrentDays", "")];
        let stack = stack.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let settings = Settings::new(&declared, &given, Some(&stack));
        let page = html(&Review {
            template: &template,
            rules: &rules,
            report: &report,
            diff: Some(("<u>\u{9b}".into(), diff)),
            settings: &settings,
        });
        assert!(page.contains(r"Refs\u{202e}") && page.contains(r"&gt;\u{9b}"), "what hides is to be seen");
        assert_eq!(visible::lines(&page), page);
        for markup in ["<script", "<img", "<b>", "<i>", "<u>"] {
            assert!(!page.contains(markup), "{markup}");
        }
        assert!(page.contains("<code>main</code> → <code>&lt;img src=y&gt;</code>") && !page.contains("hunter2"));
        assert!(page.contains("Repositories is empty: who has a secret"));
        assert!(page.contains("a new, empty bucket another is made") && page.contains("<td>NoncurrentDays=30</td>"));
        assert!(!page.contains(" src=\"") && !page.contains("@import") && !page.contains("url(http"));
    }
}
