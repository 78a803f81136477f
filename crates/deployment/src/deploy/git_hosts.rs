//! Describes in words which Git hosts a deployment may fetch from, since entries of
//! `AllowedGitHosts` are terse.

use contract::AllowedHosts;

use super::Settings;

const PARAMETER: &str = "AllowedGitHosts";

/// A line for each host of the value that the stack will have.
pub(super) fn in_words(settings: &Settings) -> Vec<String> {
    let value = settings.get(PARAMETER).filter(|setting| !setting.secret).map(|setting| setting.new.as_str());
    // An unreadable value was refused before, or belongs to a template that isn't ours.
    let hosts: AllowedHosts = value.unwrap_or_default().parse().unwrap_or_default();
    hosts.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::super::parameters::SecretSource;
    use super::*;
    use crate::deploy::{Parameters, Template};

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
