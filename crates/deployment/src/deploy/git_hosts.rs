//! Describes in words which Git hosts a deployment may fetch from, since entries of
//! `AllowedGitHosts` are terse.

use std::collections::BTreeMap;

use contract::{AllowedHosts, HostKind};
use serde_json::Value;

use super::Settings;

const PARAMETER: &str = "AllowedGitHosts";

/// A line for each host of the value that the stack will have.
pub(super) fn in_words(settings: &Settings) -> Vec<String> {
    let value = settings.get(PARAMETER).filter(|setting| !setting.secret).map(|setting| setting.new.as_str());
    // An unreadable value was refused before, or belongs to a template that isn't ours.
    let hosts: AllowedHosts = value.unwrap_or_default().parse().unwrap_or_default();
    hosts.iter().map(ToString::to_string).collect()
}

/// What is wrong with the host of the GitHub App: with such values, gitpull would fail at its
/// start. A template's rule can't look into a list.
pub(super) fn without_app_host(template: &Value, values: &BTreeMap<String, String>) -> Option<String> {
    let value = |name: &str| {
        let given = values.get(name).map(String::as_str);
        given.or_else(|| template["Parameters"][name]["Default"].as_str()).unwrap_or_default()
    };
    let (id, name) = (value("GitHubAppId"), value("GitHubAppHost"));
    // An unreadable value was refused before.
    let hosts: AllowedHosts = value(PARAMETER).parse().ok()?;
    let is_there = hosts.find_of(HostKind::GitHub, name).is_some();
    (!id.is_empty() && !is_there)
        .then(|| format!("GitHubAppHost is {name}, which AllowedGitHosts doesn't have, or not with kind=github."))
}

#[cfg(test)]
mod tests {
    use super::super::parameters::SecretSource;
    use super::*;
    use crate::deploy::{Parameters, Template};

    #[test]
    fn app_host_must_run_github() {
        let template = crate::stack::template(None).unwrap().into_value();
        let check = |values: &[(&str, &str)], expected: bool| {
            let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(without_app_host(&template, &values).is_none(), expected, "{values:?}");
        };
        let app = ("GitHubAppId", "1");
        check(&[], true);
        check(&[app], true);
        check(&[("GitHubAppHost", "git.example")], true);
        check(&[app, ("GitHubAppHost", "git.example")], false);
        check(&[app, ("GitHubAppHost", "gitlab.com")], false);
        check(&[app, ("AllowedGitHosts", "gitlab.com")], false);
        let own = ("GitHubAppHost", "git.example");
        check(&[app, own, ("AllowedGitHosts", "git.example")], false);
        check(&[app, own, ("AllowedGitHosts", "git.example kind=github")], true);
    }

    #[test]
    fn given_hosts_come_before_kept_ones() {
        let template =
            r#"{"Parameters": {"AllowedGitHosts": {"Type": "String", "Default": "github.com"}}, "Resources": {}}"#;
        let template = Template::parse(template.to_owned()).unwrap();
        let check = |parameters: Parameters, kept: &[(&str, &str)], expected: &[&str]| {
            let kept = kept.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let told = in_words(&Settings::new(&template, &parameters, Some(&kept)));
            let names: Vec<_> = told.iter().map(|line| line.split(':').next().unwrap()).collect();
            assert_eq!(names, expected);
        };
        check(Parameters::default(), &[], &["github.com"]);
        check(Parameters::default(), &[("AllowedGitHosts", "a.example,b.example")], &["a.example", "b.example"]);
        let given = Parameters::default().with("AllowedGitHosts", "c.example ssh=d.example");
        check(given, &[("AllowedGitHosts", "a.example")], &["c.example"]);
        check(Parameters::default().with("AllowedGitHosts", ""), &[], &[]);
        let mut reset = Parameters::default();
        reset.reset("AllowedGitHosts").unwrap();
        check(reset, &[("AllowedGitHosts", "a.example")], &["github.com"]);
        let mut secret = Parameters::default();
        secret.secret("AllowedGitHosts", &SecretSource::Prompt, |_| Ok("hunter2.example".into())).unwrap();
        check(secret, &[], &[]);
    }
}
