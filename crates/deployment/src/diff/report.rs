//! The differences as text: three tables, without the empty ones.

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::{Action, Diff, Effect, EntryChange, permissions};
use crate::render::shown::Shown;
use crate::render::table::{Align, Table};

/// The maximum length of shown values, in characters.
const WIDEST: usize = 60;

/// The tables, and a last line with the counts.
pub fn text(diff: &Diff) -> Shown {
    let mut text = Shown::default();
    for entry in &diff.entries {
        let (sign, style) = sign(entry.action);
        let kind = if entry.kind.is_empty() { &entry.section } else { &entry.kind };
        text.add_styled(style, &format!("{sign} {}", entry.name));
        text.add(&format!("  {kind}{}", note(entry)));
        text.end_line();
        for property in &entry.properties {
            let show = |value: &Option<Value>| value.as_ref().map_or_else(|| "(none)".to_owned(), shown);
            let replaces = if property.create_only { "  (replaces)" } else { "" };
            text.add(&format!("    {}: {} → {}{replaces}", property.path, show(&property.old), show(&property.new)));
            text.end_line();
        }
    }
    for (title, table) in [("Rights", rights(diff)), ("Network", network(diff))] {
        if let Some(table) = table {
            text.end_line();
            text.add(title);
            text.end_line();
            text.append(&table.render());
        }
    }
    if !text.is_empty() {
        text.end_line();
    }
    let broader = diff.permissions.iter().filter(|change| change.broadens).count();
    text.add(&format!(
        "{} changed entries, {} changed rights, {broader} of them broader, {} network changes",
        diff.entries.len(),
        diff.permissions.len(),
        diff.network.len()
    ));
    text.end_line();
    text
}

fn sign(action: Action) -> (char, Style) {
    let (sign, color) = match action {
        Action::Removed => ('-', AnsiColor::Red),
        Action::Replaced | Action::PerhapsReplaced => ('±', AnsiColor::Red),
        Action::Changed => ('~', AnsiColor::Yellow),
        Action::Added => ('+', AnsiColor::Green),
    };
    (sign, Style::new().fg_color(Some(color.into())))
}

fn note(entry: &EntryChange) -> &'static str {
    match entry.action {
        Action::Replaced => "  made anew",
        Action::PerhapsReplaced => "  perhaps made anew",
        _ => "",
    }
}

fn shown(value: &Value) -> String {
    let text = permissions::text(value).replace('\n', " ");
    if text.chars().count() <= WIDEST { text } else { format!("{}…", text.chars().take(WIDEST).collect::<String>()) }
}

fn rights(diff: &Diff) -> Option<Table> {
    let columns = [" ", "Who", "Effect", "Action", "Resource", "Where", "Broader"].map(|name| (name, Align::Left));
    let mut table = Table::new(columns);
    for change in &diff.permissions {
        let grant = &change.grant;
        let effect = if grant.effect == Effect::Allow { "Allow" } else { "Deny" };
        let conditions: Vec<_> = grant.conditions.iter().map(ToString::to_string).collect();
        let style = Style::new().fg_color(change.broadens.then_some(AnsiColor::Red.into()));
        table.styled(
            style,
            [
                added(change.added).to_owned(),
                grant.who.clone(),
                effect.to_owned(),
                grant.action.clone(),
                grant.resource.clone(),
                conditions.join(", "),
                if change.broadens { "yes".to_owned() } else { String::new() },
            ],
        );
    }
    (!diff.permissions.is_empty()).then_some(table)
}

fn network(diff: &Diff) -> Option<Table> {
    let mut table = Table::new([" ", "Resource", "Way"].map(|name| (name, Align::Left)));
    for change in &diff.network {
        table.row([added(change.added).to_owned(), change.resource.clone(), change.what.clone()]);
    }
    (!diff.network.is_empty()).then_some(table)
}

fn added(added: bool) -> &'static str {
    if added { "+" } else { "-" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack;

    #[test]
    fn the_same_template_differs_in_nothing() {
        let template = stack::template(None).unwrap();
        let diff = Diff::between(&template, &template);
        assert!(diff.is_empty() && !diff.broadens());
        insta::assert_snapshot!(text(&diff).plain(), @"0 changed entries, 0 changed rights, 0 of them broader, 0 network changes");
    }

    #[test]
    fn hostile_template_adds_no_report_lines() {
        let old = serde_json::json!({ "Resources": {} });
        let name = "A\n+ B\u{202e}\u{1b}[8m";
        let new = serde_json::json!({ "Resources": { name: { "Type": name, "Properties": { name: name } } } });
        let told = text(&Diff::between(&old.into(), &new.into())).plain();
        assert!(told.starts_with(r"+ A\n+ B\u{202e}\u{1b}[8m"), "{told}");
        assert_eq!(crate::render::visible::lines(&told), told);
        assert!(told.lines().all(|line| !line.starts_with("+ B")), "{told}");
    }

    #[test]
    fn update_reports_changes_rights_and_network() {
        let old = stack::template(None).unwrap().into_value();
        let mut new = old.clone();
        let resources = &mut new["Resources"];
        resources["WebhookFunction"]["Properties"]["MemorySize"] = 512.into();
        resources["GitPullQueue"]["Properties"]["FifoQueue"] = false.into();
        resources["ZipDlRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0]["Action"][0] =
            "logs:*".into();
        resources["WorkerSecurityGroup"]["Properties"]["SecurityGroupEgress"][0]["ToPort"] = 443.into();
        resources.as_object_mut().unwrap().shift_remove("KeyEncryptionKeyAlias");
        let diff = Diff::between(&old.into(), &new.into());
        assert!(diff.broadens());
        insta::assert_snapshot!(text(&diff).plain());
        insta::assert_json_snapshot!(diff);
    }
}
