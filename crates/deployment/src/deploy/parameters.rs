//! Values for a template's parameters, and their sources. Secrets never come from the command line,
//! where every process of the machine and the shell's history can read them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aws_sdk_cloudformation::types::Parameter;
use secrecy::{ExposeSecret, SecretString};

use super::parameter_error::ParameterError;
use super::values::{Complaint, check, variable};
use cfn::{Declared, Template};
use schemars::JsonSchema;

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum SecretSource {
    /// A file, relative to the working directory; a final line end is ignored.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// The person at the terminal; an empty answer keeps the secret of an existing stack.
    Prompt,
}

/// Values for parameters. None is ever shown, since only the template says which ones are secret.
#[derive(Debug, Default, Clone)]
pub struct Parameters {
    given: BTreeMap<String, Given>,
    /// Those that are reset to the template's default, whatever a stack has.
    reset: BTreeSet<String>,
    /// Secrets that a deployment would read, for callers that need to know only that there is one.
    promised: BTreeSet<String>,
}

#[derive(Debug, Clone)]
struct Given {
    value: SecretString,
    source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    CommandLine,
    Configuration,
    /// A source of secrets, whatever the template declares.
    Secret,
    Private,
}

impl Parameters {
    /// Takes `Name=Value` from the command line.
    ///
    /// # Errors
    /// There is no `=`, or nothing before it.
    pub fn command_line(&mut self, pair: &str) -> Result<(), ParameterError> {
        let (name, value) = pair.split_once('=').ok_or(ParameterError::Syntax)?;
        if name.is_empty() {
            return Err(ParameterError::Syntax);
        }
        self.insert(name, value.into(), Source::CommandLine);
        Ok(())
    }

    /// Gives a parameter the template's default, whatever an existing stack has, the environment or
    /// the configuration says.
    ///
    /// # Errors
    /// It was given already.
    pub fn reset(&mut self, name: &str) -> Result<(), ParameterError> {
        if self.given.contains_key(name) {
            let name = if is_name(name) { name.to_owned() } else { return Err(ParameterError::Name) };
            return Err(ParameterError::GivenAndReset { name });
        }
        self.reset.insert(name.to_owned());
        Ok(())
    }

    /// Reads parameters from a file, a JSON object of texts. Those of the command line have
    /// precedence.
    ///
    /// # Errors
    /// The file can't be read or parsed.
    pub fn file(&mut self, path: &Path) -> Result<(), ParameterError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ParameterError::Read { path: path.to_owned(), source })?;
        let values: BTreeMap<String, SecretString> = serde_json::from_str(&text).map_err(|error| {
            ParameterError::File { path: path.to_owned(), line: error.line(), column: error.column() }
        })?;
        for (name, value) in values {
            self.fill(&name, value);
        }
        Ok(())
    }

    /// Reads the template's parameters from the environment by `lookup`: `GIT2S3_API_SECRET` for
    /// `ApiSecret`. Given values have precedence; an empty variable is ignored.
    pub fn environment(&mut self, template: &Template, lookup: impl Fn(&str) -> Option<String>) {
        for (name, _) in template.parameters().filter(|(name, _)| !super::FILLED.contains(name)) {
            if let Some(value) = lookup(&variable(name)).filter(|value| !value.is_empty()) {
                self.fill(name, value.into());
            }
        }
    }

    /// Takes the parameters of the configuration file. Given values have precedence.
    pub fn configuration(&mut self, parameters: &BTreeMap<String, String>) {
        for (name, value) in parameters {
            if !self.is_decided(name) {
                self.insert(name, value.clone().into(), Source::Configuration);
            }
        }
    }

    /// Reads a secret from its source, unless it is given already. `ask` asks the person at the
    /// terminal; with an empty answer an existing stack keeps its secret.
    ///
    /// # Errors
    /// It can't be read from there.
    pub fn secret(
        &mut self,
        name: &str,
        source: &SecretSource,
        ask: impl FnOnce(&str) -> std::io::Result<SecretString>,
    ) -> Result<(), ParameterError> {
        if self.is_decided(name) {
            return Ok(());
        }
        let (origin, value) = match source {
            SecretSource::File(path) => {
                let text = std::fs::read_to_string(path);
                ("the file that is named for it", text.map(|text| text.trim_end_matches(['\r', '\n']).into()))
            }
            SecretSource::Environment(variable) => {
                let unset = || std::io::Error::new(std::io::ErrorKind::NotFound, "the variable is not set");
                (
                    "the environment variable that is named for it",
                    std::env::var(variable).map(Into::into).map_err(|_| unset()),
                )
            }
            SecretSource::Prompt => ("the terminal", ask(name)),
        };
        let value = value.map_err(|source| ParameterError::Secret { name: name.to_owned(), origin, source })?;
        if !value.expose_secret().is_empty() {
            self.insert(name, value, Source::Secret);
        }
        Ok(())
    }

    /// Notes that a deployment will have a secret, without reading it: a reviewer must not need it.
    pub fn promise(&mut self, name: &str) {
        self.promised.insert(name.to_owned());
    }

    /// Sets a parameter, for callers in code.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<SecretString>) -> Self {
        self.insert(name, value.into(), Source::Private);
        self
    }

    /// The given value of a parameter, if there is one. It must not be shown if it may be a secret.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.given.get(name).map(|given| given.value.expose_secret().to_owned())
    }

    /// Those that a template has, for a template of another release.
    #[must_use]
    pub fn known_to(&self, template: &Template) -> Self {
        let known = self.given.iter().filter(|(name, _)| template.parameter(name).is_some());
        let given = known.map(|(name, given)| (name.clone(), given.clone())).collect();
        let reset = self.reset.iter().filter(|name| template.parameter(name).is_some()).cloned().collect();
        let promised = self.promised.iter().filter(|name| template.parameter(name).is_some()).cloned().collect();
        Self { given, reset, promised }
    }

    /// Names and values.
    pub(super) fn values(&self) -> impl Iterator<Item = (String, String)> {
        self.given.iter().map(|(name, given)| (name.clone(), given.value.expose_secret().to_owned()))
    }

    /// The values of the secret ones.
    pub fn secrets(&self, template: &Template) -> Vec<String> {
        let values = template.secret_parameters().filter_map(|name| self.given.get(name));
        values.map(|given| given.value.expose_secret().to_owned()).collect()
    }

    /// Whether a parameter is reset to the template's default, whatever a stack has.
    pub(super) fn resets(&self, name: &str) -> bool {
        self.reset.contains(name)
    }

    /// Whether it comes from a source of secrets, whatever the template declares.
    pub(super) fn is_from_a_secret(&self, name: &str) -> bool {
        let given = self.given.get(name).is_some_and(|given| given.source == Source::Secret);
        given || (self.promised.contains(name) && !self.is_decided(name))
    }

    /// Whether a parameter was given.
    pub fn gives(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    fn insert(&mut self, name: &str, value: SecretString, source: Source) {
        self.given.insert(name.to_owned(), Given { value, source });
    }

    fn is_decided(&self, name: &str) -> bool {
        self.given.contains_key(name) || self.reset.contains(name)
    }

    fn fill(&mut self, name: &str, value: SecretString) {
        if !self.is_decided(name) {
            self.insert(name, value, Source::Private);
        }
    }

    /// Refuses values that don't fit the template, before anything is done.
    ///
    /// # Errors
    /// A parameter that the template doesn't have, a secret from a wrong source, or a value that
    /// the functions can't read or the template doesn't allow.
    pub fn check(&self, template: &Template) -> Result<(), ParameterError> {
        for name in &self.reset {
            if !declared(template, name)?.has_default() {
                return Err(ParameterError::NoDefault { name: name.clone() });
            }
        }
        for name in &self.promised {
            declared(template, name)?;
        }
        for (name, given) in &self.given {
            let declared = declared(template, name)?;
            if declared.is_secret() && given.source == Source::CommandLine {
                return Err(ParameterError::SecretOnCommandLine { name: name.clone() });
            }
            if declared.is_secret() && given.source == Source::Configuration {
                return Err(ParameterError::SecretInConfiguration { name: name.clone() });
            }
            check(name, &given.value).map_err(|source| ParameterError::Value {
                name: name.clone(),
                // The error may quote an unknown parameter's name.
                source: if given.source == Source::Secret && !declared.is_secret() { unsaid() } else { source },
            })?;
            let allowed = declared.check(given.value.expose_secret());
            allowed.map_err(|source| ParameterError::Constraint { name: name.clone(), source: source.into() })?;
        }
        Ok(())
    }

    /// Refuses values that an existing stack would keep but the functions can't read or the
    /// template doesn't allow, before anything is done.
    pub(super) fn check_kept(
        &self,
        template: &Template,
        kept: &BTreeMap<String, String>,
    ) -> Result<(), ParameterError> {
        for (name, declared) in template.parameters().filter(|(name, _)| !self.is_decided(name)) {
            let filled = super::FILLED.contains(&name);
            let Some(value) = kept.get(name).filter(|_| !declared.is_secret() && !filled) else { continue };
            let of = || name.to_owned();
            check(name, &value.as_str().into()).map_err(|source| ParameterError::Kept { name: of(), source })?;
            let allowed = declared.check(value);
            allowed.map_err(|source| ParameterError::KeptConstraint { name: of(), source: source.into() })?;
        }
        Ok(())
    }

    /// The parameters for `CloudFormation`: the `filled` value, else the given one, else the one
    /// that an existing stack has `kept`, else none, for the template's default.
    pub(super) fn resolve(
        &self,
        template: &Template,
        kept: &BTreeMap<String, String>,
        filled: &BTreeMap<&'static str, String>,
    ) -> Result<Vec<Parameter>, ParameterError> {
        let mut resolved = Vec::new();
        for (name, declared) in template.parameters() {
            let parameter = Parameter::builder().parameter_key(name);
            if let Some(value) = filled.get(name) {
                resolved.push(parameter.parameter_value(value).build());
            } else if let Some(given) = self.given.get(name) {
                resolved.push(parameter.parameter_value(given.value.expose_secret()).build());
            } else if kept.contains_key(name) && !self.resets(name) {
                resolved.push(parameter.use_previous_value(true).build());
            } else if !declared.has_default() {
                return Err(ParameterError::Missing { name: name.to_owned() });
            }
        }
        Ok(resolved)
    }
}

/// How the template declares a parameter that a person may give.
fn declared<'t>(template: &'t Template, name: &str) -> Result<&'t Declared, ParameterError> {
    if !is_name(name) {
        return Err(ParameterError::Name);
    }
    if super::FILLED.contains(&name) {
        return Err(ParameterError::Filled { name: name.to_owned() });
    }
    template.parameter(name).ok_or_else(|| {
        let known = template.parameters().map(|(known, _)| known.to_owned());
        let known = known.filter(|known| !super::FILLED.contains(&known.as_str())).collect();
        ParameterError::Unknown { name: name.to_owned(), known }
    })
}

fn unsaid() -> Complaint {
    "what is wrong with it isn't said, since that would tell what was given as a secret".into()
}

/// Whether CloudFormation accepts it as a parameter's name.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> Template {
        let text = r#"{"Parameters": {
            "AllowedIps": {"Type": "String", "Default": ""}, "ApiSecret": {"Type": "String", "NoEcho": true, "Default": ""},
            "Needed": {"Type": "String"}, "QSS3BucketName": {"Type": "String", "Default": ""}}, "Resources": {}}"#;
        Template::parse(text.to_owned()).unwrap()
    }

    fn told(parameters: &Parameters, kept: &[&str]) -> Vec<String> {
        let kept = kept.iter().map(|&name| (name.to_owned(), String::new())).collect();
        let filled = BTreeMap::from([("QSS3BucketName", "assets".to_owned())]);
        let resolved = parameters.resolve(&template(), &kept, &filled).unwrap();
        let told = |parameter: &Parameter| {
            let value = parameter.parameter_value().unwrap_or("(previous)");
            format!("{}={value}", parameter.parameter_key().unwrap())
        };
        resolved.iter().map(told).collect()
    }

    #[test]
    fn given_before_kept_before_default() {
        let mut parameters = Parameters::default().with("Needed", "x");
        parameters.command_line("AllowedIps=a.example=10.0.0.0/8").unwrap();
        let expected = ["AllowedIps=a.example=10.0.0.0/8", "Needed=x", "QSS3BucketName=assets"];
        assert_eq!(told(&parameters, &[]), expected);
        let kept = ["AllowedIps", "ApiSecret", "Needed", "QSS3BucketName", "Gone"];
        let parameters = Parameters::default().with("AllowedIps", "");
        let expected = ["AllowedIps=", "ApiSecret=(previous)", "Needed=(previous)", "QSS3BucketName=assets"];
        assert_eq!(told(&parameters, &kept), expected);
    }

    #[test]
    fn unknown_or_missing_parameter_is_refused() {
        let refusal = |name: &str| Parameters::default().with(name, "x").check(&template()).unwrap_err();
        assert!(matches!(refusal("AllowedIp"), ParameterError::Unknown { known, .. } if known.len() == 3));
        assert!(matches!(refusal("QSS3BucketName"), ParameterError::Filled { .. }));
        let missing = Parameters::default().resolve(&template(), &BTreeMap::new(), &BTreeMap::new()).unwrap_err();
        assert!(matches!(missing, ParameterError::Missing { name } if name == "Needed"));
        for pair in ["", "Name", "=value"] {
            assert!(matches!(Parameters::default().command_line(pair), Err(ParameterError::Syntax)), "{pair}");
        }
    }

    #[test]
    fn a_reset_parameter_takes_the_default() {
        let mut parameters = Parameters::default().with("Needed", "x");
        parameters.reset("AllowedIps").unwrap();
        parameters.configuration(&BTreeMap::from([("AllowedIps".to_owned(), "a.example=10.0.0.0/8".to_owned())]));
        parameters.environment(&template(), |name| (name == "GIT2S3_ALLOWED_IPS").then(|| "b.example=::1".to_owned()));
        parameters.check(&template()).unwrap();
        assert_eq!(told(&parameters, &["AllowedIps", "Needed"]), ["Needed=x", "QSS3BucketName=assets"]);

        let mut both = Parameters::default();
        both.command_line("AllowedIps=").unwrap();
        assert!(matches!(both.reset("AllowedIps").unwrap_err(), ParameterError::GivenAndReset { .. }));
        for (name, expected) in [
            ("Needed", "Needed has no default to be reset to"),
            ("QSS3BucketName", "QSS3BucketName is filled in by the deployment"),
            ("Neded", "there is no parameter Neded"),
            ("a b", "the name of a parameter has letters and digits only"),
        ] {
            let mut parameters = Parameters::default();
            parameters.reset(name).unwrap();
            assert_eq!(parameters.check(&template()).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn every_parameter_value_is_validated() {
        let template = crate::stack::template(None).unwrap();
        for (name, value) in [
            ("AlarmEmail", "nobody"),
            ("AllowedGitHosts", "github.com=gitlub"),
            ("AllowedIps", "10.0.0.0/8"),
            ("ApiSecret", "a\"b"),
            ("CaBundle", "x"),
            ("CommitStatus", "yes"),
            ("CustomDomainName", "Git.example"),
            ("DeletedReferences", "forget"),
            ("ExcludeGit", "true"),
            ("FetchOver", "git"),
            ("GitHubAppHost", "https://github.com"),
            ("GitHubAppId", "our-app"),
            ("GitHubAppKey", "alias/git2s3"),
            ("GitToken", "a\nb"),
            ("KeepCommits", "on"),
            ("KeyLayout", "host"),
            ("KeyType", "dsa"),
            ("KnownHosts", "garbage"),
            ("Lfs", "yes"),
            ("MaxArchiveBytes", "x"),
            ("MinimumSignature", "md5"),
            ("NewerNoncurrentVersions", "101"),
            ("NoncurrentDays", "0"),
            ("OAuthKey", "\\"),
            ("OAuthSecret", "\\"),
            ("OutputBucketName", "A"),
            ("Paths", "["),
            ("ReconcileEvery", "5"),
            ("Refs", "{"),
            ("Repositories", "["),
            ("SubnetIds", "subnet-1,,"),
            ("Submodules", "1"),
            ("VPCId", "1"),
            ("WebAclArn", "arn"),
            ("PermissionsBoundary", "developers"),
            ("RolePath", "delivery"),
            ("WorkerConcurrency", "1"),
        ] {
            let error = Parameters::default().with(name, value).check(&template).unwrap_err();
            let told = contract::error_chain(&error);
            let checked = matches!(error, ParameterError::Value { .. } | ParameterError::Constraint { .. });
            assert!(checked && told.starts_with(name), "{name}={value}: {told}");
            let kept = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            let error = Parameters::default().check_kept(&template, &kept);
            let is_secret = template.secret_parameters().any(|secret| secret == name);
            assert_eq!(error.is_err(), !is_secret, "{name}={value}");
        }
        let checked: Vec<_> = template.parameters().map(|(name, _)| name).collect();
        assert_eq!(checked.len(), 39, "a new parameter needs a broken value here: {checked:?}");
    }

    #[test]
    fn allowed_ip_without_host_is_refused() {
        let mut parameters = Parameters::default();
        parameters.command_line("AllowedIps=203.0.113.0/24").unwrap();
        let error = contract::error_chain(&parameters.check(&template()).unwrap_err());
        assert!(error.contains("write HOST=203.0.113.0/24, for example bitbucket.org=203.0.113.0/24"), "{error}");

        let kept = BTreeMap::from([("AllowedIps".to_owned(), "18.205.93.0/25".to_owned())]);
        let error = Parameters::default().check_kept(&template(), &kept).unwrap_err();
        assert!(matches!(&error, ParameterError::Kept { name, .. } if name == "AllowedIps"), "{error}");
        assert!(error.hint().unwrap().contains("`--parameter AllowedIps=...`"));
        Parameters::default().with("AllowedIps", "").check_kept(&template(), &kept).unwrap();
    }

    #[test]
    fn secret_on_command_line_is_refused() {
        let mut parameters = Parameters::default();
        parameters.command_line("ApiSecret=hunter2").unwrap();
        let error = parameters.check(&template()).unwrap_err();
        assert!(matches!(error, ParameterError::SecretOnCommandLine { .. }));
        assert!(error.hint().unwrap().contains("GIT2S3_API_SECRET"));
        assert!(!format!("{error:?} {error} {parameters:?}").contains("hunter2"));

        let environment = |name: &str| (name == "GIT2S3_API_SECRET").then(|| "from the environment".to_owned());
        let mut parameters = Parameters::default().with("Needed", "x");
        parameters.environment(&template(), environment);
        parameters.check(&template()).unwrap();
        assert_eq!(told(&parameters, &[])[0], "ApiSecret=from the environment");

        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), r#"{"ApiSecret": "from the file", "Needed": "y"}"#).unwrap();
        let mut parameters = Parameters::default();
        parameters.file(file.path()).unwrap();
        parameters.environment(&template(), environment);
        parameters.check(&template()).unwrap();
        assert_eq!(told(&parameters, &[])[..2], ["ApiSecret=from the file", "Needed=y"]);

        let mut parameters = Parameters::default();
        parameters.environment(&template(), |_| Some(String::new()));
        assert_eq!(told(&parameters.with("Needed", "x"), &["ApiSecret"])[0], "ApiSecret=(previous)");
    }

    #[test]
    fn secret_comes_from_configured_source() {
        let mut parameters = Parameters::default();
        parameters.configuration(&BTreeMap::from([("ApiSecret".to_owned(), "hunter2".to_owned())]));
        let error = parameters.check(&template()).unwrap_err();
        assert!(matches!(error, ParameterError::SecretInConfiguration { .. }), "{error:?}");
        assert!(!format!("{error:?} {error} {:?}", error.hint()).contains("hunter2"));

        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "from the file\r\n").unwrap();
        let of = |source: &SecretSource, answer: &str| {
            let mut parameters = Parameters::default().with("Needed", "x");
            parameters.secret("ApiSecret", source, |_| Ok(answer.into())).unwrap();
            told(&parameters, &["ApiSecret"])[0].clone()
        };
        assert_eq!(of(&SecretSource::File(file.path().to_owned()), ""), "ApiSecret=from the file");
        assert_eq!(of(&SecretSource::Prompt, "typed"), "ApiSecret=typed");
        assert_eq!(of(&SecretSource::Prompt, ""), "ApiSecret=(previous)");
        let unset = SecretSource::Environment("GIT2S3_TEST_THAT_NOBODY_SETS".to_owned());
        let error = Parameters::default().secret("ApiSecret", &unset, |_| Ok("".into())).unwrap_err();
        assert_eq!(error.to_string(), "cannot get ApiSecret from the environment variable that is named for it");
        assert!(error.hint().unwrap().contains("git2s3.toml"));
    }

    #[test]
    fn misplaced_secret_never_appears_in_error() {
        let told = |error: ParameterError| {
            let told = format!("{} {error:?} {:?}", contract::error_chain(&error), error.hint());
            assert!(!told.contains("hunter2"), "{told}");
            told
        };
        for source in [SecretSource::File("hunter2".into()), SecretSource::Environment("hunter2".to_owned())] {
            told(Parameters::default().secret("ApiSecret", &source, |_| Ok("".into())).unwrap_err());
        }
        told(Parameters::default().command_line("hunter2").unwrap_err());
        for name in ["ApiSecret:hunter2", "ApiSecret hunter2", "ApiSecret=hunter2"] {
            let named = Parameters::default().with(name, "x");
            assert!(matches!(named.check(&template()).unwrap_err(), ParameterError::Name), "{name}");
        }
        let mut parameters = Parameters::default();
        parameters.secret("AllowedIps", &SecretSource::Prompt, |_| Ok("hunter2".into())).unwrap();
        let said = told(parameters.check(&template()).unwrap_err());
        assert!(said.contains("AllowedIps") && said.contains("given as a secret"), "{said}");
    }

    #[test]
    fn broken_parameter_file_error_hides_content() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), r#"{"ApiSecret": 12345}"#).unwrap();
        let error = Parameters::default().file(file.path()).unwrap_err();
        assert!(matches!(error, ParameterError::File { line: 1, .. }), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("12345"));
    }
}
