//! The parameters of a stack as shown to a person: each value, whether it changes, and what that
//! means for who may call and what may be fetched. Of a secret only whether there is one.

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::parameters::Parameters;
use crate::render::shown::Shown;
use crate::render::table::{Align, Table};
use cfn::{Declared, Template};

/// The maximum length of shown values, in characters: a bundle of certificates has thousands.
const WIDEST: usize = 60;

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// It is given by a flag, the environment or git2s3.toml.
    Given,
    /// It is not given; the stack has it.
    Stack,
    /// The template's default.
    Default,
}

/// How a value changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// It stays.
    None,
    /// It changes.
    Changed,
    /// It is new: there was no stack, or no such parameter.
    New,
    /// It is a secret, and AWS doesn't say whether it changes.
    Unknown,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Whether its value is secret: then `old` and `new` say only whether there is one.
    pub secret: bool,
    /// Where its value comes from.
    pub origin: Origin,
    /// How it changes.
    pub change: Change,
    /// The stack's current value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// Its future value.
    pub new: String,
    /// The template's default, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// All parameters that a person may set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Sorted by name.
    pub parameters: Vec<Setting>,
    /// What they mean for security, in sentences.
    pub meaning: Vec<String>,
    /// What happens to the stored zips, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub zips: Vec<String>,
}

/// Shown for a secret.
const SET: &str = "set";
pub(super) const NOT_SET: &str = "not set";
const AS_IT_WAS: &str = "as it was";

impl Settings {
    /// A template's parameters with those that are given and those that a stack has; `None` if
    /// there is no stack.
    pub fn new(template: &Template, given: &Parameters, stack: Option<&BTreeMap<String, String>>) -> Self {
        let declared = template.parameters().filter(|(name, _)| !super::FILLED.contains(name));
        let parameters = declared.map(|(name, declared)| setting(name, declared, given, stack)).collect();
        let mut settings = Self { parameters, ..Self::default() };
        settings.meaning = settings.meanings();
        settings.of_bucket(None)
    }

    /// The parameters of a stack with this template.
    pub(super) fn kept(template: &Template, stack: &BTreeMap<String, String>) -> Self {
        Self::new(template, &Parameters::default(), Some(stack))
    }

    /// A parameter.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.parameters.iter().find(|setting| setting.name == name)
    }

    /// A parameter's future value; empty if there is none.
    pub fn value(&self, name: &str) -> &str {
        self.get(name).map_or("", |setting| setting.new.as_str())
    }

    /// Those that change, as far as known.
    pub fn changed(&self) -> impl Iterator<Item = &Setting> {
        self.parameters.iter().filter(|setting| setting.change == Change::Changed)
    }

    /// Whether the template has a webhook secret and the stack will have none. A secret that an
    /// existing stack keeps is unknown.
    pub fn lacks_secret(&self) -> bool {
        self.get("ApiSecret").is_some_and(|secret| secret.new == NOT_SET)
    }

    /// Whether there will be no webhook secret, unintentionally.
    pub fn misses_secret(&self) -> bool {
        self.lacks_secret() && self.get("ApiSecret").is_some_and(|secret| secret.origin == Origin::Default)
    }

    /// The names of those that only the stack sets, to another value than the default: unexpected
    /// after removing a line from git2s3.toml.
    pub fn left_over(&self) -> Vec<&str> {
        let left = |setting: &&Setting| {
            setting.origin == Origin::Stack && !setting.secret && setting.default.as_ref() != Some(&setting.new)
        };
        self.parameters.iter().filter(left).map(|setting| setting.name.as_str()).collect()
    }

    fn meanings(&self) -> Vec<String> {
        let text = |name: &str| self.get(name).map(|setting| setting.new.as_str());
        let mut found = Vec::new();
        let addresses = text("AllowedIps").unwrap_or_default();
        if self.lacks_secret() {
            let open = "ApiSecret is not set: a webhook can prove with nothing where it comes from";
            found.push(if addresses.is_empty() {
                format!("{open}, and AllowedIps is empty, so every push is refused")
            } else {
                format!("{open}, and only the addresses of AllowedIps are let in")
            });
        }
        for entry in addresses.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (host, block) = entry.split_once('=').unwrap_or(("", entry));
            found.push(if block.ends_with("/0") {
                format!("AllowedIps lets everybody in without a secret ({block}), for repositories of {host}")
            } else {
                format!("AllowedIps lets {block} in without a secret, for repositories of {host}")
            });
        }
        if let Some(globs) = text("Repositories").filter(|globs| is_open(globs)) {
            let what = if globs.is_empty() { "is empty" } else { "takes everything" };
            found.push(format!(
                "Repositories {what}: who has a secret may have any repository of an allowed host fetched"
            ));
        }
        if text("CaBundle").is_some_and(|bundle| !bundle.trim().is_empty()) {
            found.push("CaBundle: its certificates are trusted beside the public ones".to_owned());
        }
        if let Some((old, new)) = self.get("PermissionsBoundary").and_then(loosened) {
            found.push(format!("PermissionsBoundary: {old} bounds the roles of the stack no more, {new} does"));
        }
        found
    }

    /// The noteworthy parameters: those that change or aren't the default, with what they mean, and
    /// those that are no longer given.
    pub fn shown(&self) -> Shown {
        let mut shown = Shown::default();
        let columns = [" ", "Parameter", "Value", "Until now", "From"].map(|name| (name, Align::Left));
        let mut table = Table::new(columns);
        for setting in self.parameters.iter().filter(|setting| setting.is_noteworthy()) {
            let (sign, color) = match setting.change {
                Change::None => (" ", None),
                Change::Changed => ("~", Some(AnsiColor::Yellow.into())),
                Change::New => ("+", Some(AnsiColor::Green.into())),
                Change::Unknown => ("?", Some(AnsiColor::Yellow.into())),
            };
            let old = setting.old.as_deref().filter(|_| setting.change == Change::Changed);
            let from = match setting.origin {
                Origin::Given => "given",
                Origin::Stack => "the stack",
                Origin::Default => "the default",
            };
            let cells = [sign, &setting.name, &value(&setting.new), &old.map(value).unwrap_or_default(), from];
            table.styled(Style::new().fg_color(color), cells.map(str::to_owned));
        }
        if !table.is_empty() {
            shown.append(&table.render());
        }
        for line in &self.meaning {
            shown.add_styled(Style::new().fg_color(Some(AnsiColor::Yellow.into())), "security: ");
            shown.add(line);
            shown.end_line();
        }
        for line in &self.zips {
            shown.add_styled(Style::new().fg_color(Some(AnsiColor::Yellow.into())), "zips: ");
            shown.add(line);
            shown.end_line();
        }
        let left = self.left_over();
        if !left.is_empty() {
            shown.add(&format!(
                "the stack keeps what nothing gives now: {}; `--reset NAME` takes the template's default",
                left.join(", ")
            ));
            shown.end_line();
        }
        shown
    }
}

impl Setting {
    /// Whether it changes or isn't the default.
    pub fn is_noteworthy(&self) -> bool {
        match self.change {
            Change::Changed | Change::Unknown => true,
            Change::None | Change::New if self.secret => self.new == SET,
            Change::None | Change::New => self.default.as_ref() != Some(&self.new),
        }
    }
}

fn setting(name: &str, declared: &Declared, given: &Parameters, stack: Option<&BTreeMap<String, String>>) -> Setting {
    let default = declared.default();
    let old = stack.and_then(|stack| stack.get(name)).cloned();
    let said = given.text(name);
    let (origin, new) = match (&said, &old) {
        (Some(said), _) => (Origin::Given, said.clone()),
        (None, Some(old)) if !given.resets(name) => (Origin::Stack, old.clone()),
        (None, _) => (Origin::Default, default.clone().unwrap_or_default()),
    };
    if declared.is_secret() || given.is_from_a_secret(name) {
        let there = |value: &str| if value.is_empty() { NOT_SET } else { SET };
        let promised = said.is_none() && given.is_from_a_secret(name);
        let origin = if promised { Origin::Given } else { origin };
        let (new, change) = match (origin, &old) {
            (_, Some(_)) if promised => (SET, Change::Unknown),
            (_, None) if promised => (SET, Change::New),
            (Origin::Stack, _) => (AS_IT_WAS, Change::None),
            (_, Some(_)) => (there(&new), Change::Unknown),
            (_, None) => (there(&new), Change::New),
        };
        let old = old.map(|_| AS_IT_WAS.to_owned());
        return Setting {
            name: name.to_owned(),
            secret: true,
            origin,
            change,
            old,
            new: new.to_owned(),
            default: None,
        };
    }
    let change = match &old {
        None => Change::New,
        Some(old) if *old == new => Change::None,
        Some(_) => Change::Changed,
    };
    Setting { name: name.to_owned(), secret: false, origin, change, old, new, default }
}

/// The old and the new permissions boundary, if it changes: the new one may allow more, which isn't
/// known here.
fn loosened(boundary: &Setting) -> Option<(&str, &str)> {
    let old = boundary.old.as_deref().filter(|old| !old.is_empty() && *old != boundary.new)?;
    Some((old, if boundary.new.is_empty() { "nothing" } else { &boundary.new }))
}

/// Whether one of the globs matches every repository, or no glob matches a particular one.
fn is_open(globs: &str) -> bool {
    let mut included =
        globs.split(',').map(str::trim).filter(|glob| !glob.is_empty() && !glob.starts_with('!')).peekable();
    included.peek().is_none() || included.any(|glob| glob.split('/').all(|part| ["*", "**"].contains(&part)))
}

fn value(text: &str) -> String {
    match text.chars().count() {
        0 => "(empty)".to_owned(),
        count if count <= WIDEST => text.to_owned(),
        count => format!("{}… ({count} characters)", text.chars().take(WIDEST / 2).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parameters::SecretSource;
    use super::*;

    fn settings(given: &Parameters, stack: Option<&[(&str, &str)]>) -> Settings {
        let template = crate::stack::template(None).unwrap();
        let stack =
            stack.map(|stack| stack.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
        Settings::new(&template, given, stack.as_ref())
    }

    #[test]
    fn settings_show_changes_without_secrets() {
        let mut given = Parameters::default().with("ApiSecret", "hunter2").with("Refs", "main").with("OAuthSecret", "");
        given.reset("Paths").unwrap();
        let stack = [
            ("ApiSecret", "****"),
            ("GitToken", "****"),
            ("OAuthSecret", "****"),
            ("Refs", "dev"),
            ("Paths", "src"),
            ("Repositories", "github.com/acme/**"),
            ("Lfs", "off"),
        ];
        given.promise("GitToken");
        let settings = settings(&given, Some(&stack));
        let told = settings.shown().plain();
        assert!(!serde_json::to_string(&settings).unwrap().contains("hunter2"));
        insta::assert_snapshot!(told);
    }

    #[test]
    fn value_given_as_secret_stays_secret() {
        let mut given = Parameters::default();
        given.secret("Refs", &SecretSource::Prompt, |_| Ok("hunter2".into())).unwrap();
        given.promise("Paths");
        let settings = settings(&given, Some(&[("Refs", "main"), ("Paths", "src")]));
        for name in ["Refs", "Paths"] {
            let setting = settings.get(name).unwrap();
            assert_eq!((setting.secret, setting.new.as_str(), setting.change), (true, SET, Change::Unknown), "{name}");
        }
        assert!(!serde_json::to_string(&settings).unwrap().contains("hunter2"));
    }

    #[test]
    fn new_stack_shows_non_default_settings() {
        let given = Parameters::default().with("AllowedIps", "git.example=0.0.0.0/0, bitbucket.org=192.0.2.0/24");
        insta::assert_snapshot!(settings(&given, None).shown().plain());
    }

    #[test]
    fn open_security_settings_are_reported() {
        for (globs, open) in [
            ("", true),
            ("**", true),
            (" github.com/acme/x, */** ", true),
            ("!github.com/acme/x", true),
            ("*/*/*", true),
            ("github.com/**", false),
            ("github.com/acme/**,!**", false),
        ] {
            assert_eq!(is_open(globs), open, "{globs}");
        }
        let said = |given: &Parameters, stack| settings(given, stack).meaning.join("\n");
        let closed = Parameters::default().with("ApiSecret", "hunter2").with("Repositories", "github.com/acme/**");
        assert_eq!(said(&closed, None), "");
        assert!(said(&Parameters::default(), None).contains("every push is refused"));
        let bounded: &[(&str, &str)] =
            &[("ApiSecret", "****"), ("Repositories", "a"), ("PermissionsBoundary", "arn:a")];
        assert_eq!(said(&Parameters::default(), Some(bounded)), "");
        let mut unbounded = Parameters::default();
        unbounded.reset("PermissionsBoundary").unwrap();
        assert!(said(&unbounded, Some(bounded)).contains("arn:a bounds the roles of the stack no more, nothing does"));
        // AWS doesn't say whether the stack has one.
        let kept: &[(&str, &str)] = &[("ApiSecret", "****"), ("Repositories", "a")];
        assert_eq!(said(&Parameters::default(), Some(kept)), "");
    }
}
