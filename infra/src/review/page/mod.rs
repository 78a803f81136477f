//! The page itself: the subject, then the changes, then everything else, with details folded. The
//! macro escapes everything from the template, and hidden characters are made visible.

mod access;
mod changes;
mod costs;
mod data;
mod head;
mod markup;
mod parameters;
mod sign_off;
mod verdict;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use self::markup::folded;
use super::{Review, diagram};
use deployment::render::visible;

/// The whole page.
pub fn html(review: &Review<'_>) -> String {
    let template = review.template.value();
    let description = template["Description"].as_str().unwrap_or("A stack");
    let title = format!("Review of stack {}", review.subject.stack);
    let sections: [(&str, &str, Markup); 8] = [
        ("parameters", "Parameters", parameters::section(template, review.settings)),
        ("changes", "What would change", changes::section(review)),
        ("picture", "The way of a push", picture(template)),
        ("rights", "Who may do what", access::section(review.template)),
        ("data", "What holds data", data::section(template)),
        ("rules", "Verdict of the rules", verdict::section(review)),
        ("costs", "What it costs a month", costs::section(review.settings)),
        ("sign", "Agreement", sign_off::section(review.subject)),
    ];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // The page needs no requests, and its content can't cause any.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (title) }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                header {
                    h1 { (title) }
                    p class="soft" { (description) }
                    (head::facts(review.subject))
                    (head::summary(review))
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

fn picture(template: &Value) -> Markup {
    let words = html! { ul { @for line in diagram::lines(template) { li { (diagram::sentence(&line)) } } } };
    html! {
        p { "From top to bottom, as a push goes. Every function also writes its own log." }
        div class="scroll" tabindex="0" role="region" aria-label="The picture" { (diagram::svg(template)) }
        (folded("The picture in words, with every action", &words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Rules, check};
    use crate::review::{Checkout, Owner, Subject};
    use deployment::deploy::{Parameters, Settings, Template};
    use deployment::diff::Diff;
    use deployment::stack;

    fn subject(stack: &str) -> Subject {
        Subject {
            stack: stack.to_owned(),
            owner: None,
            checkout: None,
            sha256: "0123456789abcdef".repeat(4),
            is_packaged: true,
            time: "2026-11-30T08:00:00Z".to_owned(),
            version: "1.2.3",
        }
    }

    /// The page of the stack's own template, against another one or nothing.
    fn page(subject: &Subject, against: Option<Value>) -> String {
        let template = stack::template(None).unwrap();
        let rules = Rules::embedded().unwrap();
        let report = check(&template, &rules).unwrap();
        let settings = Settings::new(&template, &Parameters::default(), None);
        let diff = against.map(|old| ("deployed".to_owned(), Diff::between(&old.into(), &template)));
        html(&Review { subject, template: &template, rules: &rules, report: &report, diff, settings: &settings })
    }

    #[test]
    fn page_states_missing_information() {
        let page = page(&Subject { is_packaged: false, ..subject("git2s3") }, None);
        for said in [
            "not looked up",
            "no Git repository",
            "aren't packaged yet",
            "Compared with nothing",
            "compares with nothing",
        ] {
            assert!(page.contains(said), "{said}");
        }
        assert!(!page.contains("stands for the code, too"));
    }

    #[test]
    fn first_deployment_folds_new_resources() {
        let page = page(&subject("git2s3"), Some(serde_json::json!({})));
        let section = page.split("id=\"changes\"").nth(1).and_then(|rest| rest.split("</section>").next()).unwrap();
        let (open, folded) = section.split_once("<details>").unwrap();
        assert!(open.contains("all that this page says is new") && !open.contains("<table"), "{open}");
        assert!(folded.contains("WebhookFunction"));
    }

    #[test]
    fn long_change_is_never_truncated() {
        let mut old = stack::template(None).unwrap().into_value();
        let long = "x/".repeat(2_000);
        old["Resources"]["WebhookFunction"]["Properties"]["Description"] = long.as_str().into();
        for number in 0..60 {
            old["Resources"][format!("Lost{number}")] = serde_json::json!({ "Type": "AWS::SNS::Topic" });
        }
        for role in ["GitPullRole", "ZipDlRole", "WebhookRole", "BucketCleanerRole"] {
            old["Resources"][role]["Properties"]["Policies"] = Value::Null;
        }
        let page = page(&subject("git2s3"), Some(old));
        assert_eq!(page.replace("<wbr>", "").matches(&long).count(), 1);
        let open = page.split("id=\"changes\"").nth(1).unwrap().split("<details").next().unwrap();
        assert!((0..60).all(|number| open.contains(&format!(">Lost{number}<"))), "what is lost isn't folded");
        let rights = page.split("Rights that come and go").nth(1).unwrap().split("</table>").next().unwrap();
        assert!(rights.matches("more than before").count() > 15 + 5, "{rights}");
    }

    #[test]
    fn template_text_never_becomes_markup() {
        let mut template = stack::template(None).unwrap().into_value();
        template["Description"] = "<script>alert(1)</script>".into();
        template["Parameters"]["Refs"]["Description"] = "\"><img src=x>Refs\u{202e}".into();
        let template = Template::from(template);
        let rules = Rules::embedded().unwrap();
        let report = check(&template, &rules).unwrap();
        let old = serde_json::json!({ "Resources": { "<b>": { "Type": "<i>" } } });
        let diff = Diff::between(&old.into(), &template);
        let given = Parameters::default().with("Refs", "<img src=y>").with("ApiSecret", "hunter2");
        let given = given.with("NoncurrentDays", "30").with("OutputBucketName", "another");
        let stack = [("Refs", "main"), ("OutputBucketName", ""), ("NoncurrentDays", "")];
        let stack = stack.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let settings = Settings::new(&template, &given, Some(&stack));
        let subject = Subject {
            owner: Some(Owner {
                account: "<u>".to_owned(),
                region: "<i>".to_owned(),
                principal: "arn:aws:sts::1:assumed-role/<b>/\u{202e}".to_owned(),
            }),
            checkout: Some(Checkout { commit: "<img>".to_owned(), changed: 2 }),
            ..subject("<script>")
        };
        let page = html(&Review {
            subject: &subject,
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
        assert!(page.contains("&lt;img src=") && !page.contains("hunter2"));
        assert!(page.contains("Repositories is empty: who has a secret"));
        assert!(page.contains("a new, empty bucket another is made") && page.contains(">NoncurrentDays=30<"));
        assert!(!page.contains(" src=\"") && !page.contains("@import") && !page.contains("url(http"));
    }
}
