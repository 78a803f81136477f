//! The parameters: what they mean for security, those that somebody has to look at, and, folded,
//! all of them.

use maud::{Markup, html};
use serde_json::Value;

use super::markup::{code, folded, plain, soft, table};
use deployment::deploy::{Setting, Settings};

/// The whole section.
pub(super) fn section(template: &Value, settings: &Settings) -> Markup {
    let noteworthy: Vec<_> = settings.parameters.iter().filter(|setting| setting.is_noteworthy()).collect();
    let rows = noteworthy.iter().map(|setting| {
        let parameter = &template["Parameters"][&setting.name];
        let meaning = parameter["Description"].as_str().unwrap_or_default();
        vec![code(&setting.name), chosen(setting), default(parameter), plain(meaning)]
    });
    html! {
        @if !settings.meaning.is_empty() {
            p { "What the values mean for security:" }
            ul class="meaning" { @for line in &settings.meaning { li { (line) } } }
        }
        @if !settings.zips.is_empty() {
            p { "What becomes of the zips that are stored:" }
            ul class="meaning" { @for line in &settings.zips { li { (line) } } }
        }
        @if noteworthy.is_empty() { p { "Every parameter has its default." } }
        @else { (table("Values that change or aren't the default", &["Parameter", "Value", "Default", "Meaning"], rows)) }
        (folded("Every parameter, and what is allowed", &all(template, settings)))
    }
}

fn all(template: &Value, settings: &Settings) -> Markup {
    let rows = template["Parameters"].as_object().into_iter().flatten().map(|(name, parameter)| {
        let text = |key: &str| parameter[key].as_str().unwrap_or_default();
        let values: Vec<_> =
            parameter["AllowedValues"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let allowed = if values.is_empty() { text("ConstraintDescription").to_owned() } else { values.join(" or ") };
        let value = settings.get(name).map_or_else(|| soft("the deployment's"), chosen);
        vec![code(name), value, default(parameter), plain(text("Description")), plain(&allowed)]
    });
    let columns = ["Parameter", "Value", "Default", "Meaning", "Allowed"];
    table("What the person who deploys may choose", &columns, rows)
}

fn default(parameter: &Value) -> Markup {
    match (parameter.get("Default"), parameter["NoEcho"] == true) {
        (_, true) => html! { strong { "secret" } },
        (None, false) => html! { strong { "has to be given" } },
        (Some(value), false) => match value.as_str() {
            Some("") => soft("empty"),
            Some(text) => code(text),
            None => code(&value.to_string()),
        },
    }
}

/// The value that the stack gets, and what it is until then.
fn chosen(setting: &Setting) -> Markup {
    let said = |value: &str| match value {
        "" => soft("empty"),
        value if setting.secret => html! { strong { (value) } },
        value => code(value),
    };
    html! {
        @match &setting.old {
            Some(old) if *old != setting.new => { del { (said(old)) } " → " ins { (said(&setting.new)) } },
            _ => { (said(&setting.new)) },
        }
    }
}
