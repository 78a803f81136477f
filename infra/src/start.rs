//! Writes a first `git2s3.toml` from the few answers that a deployment needs. The functions' own
//! parsers check the answers, and the file is parsed again before it is returned.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use contract::{AllowedHost, HostKind};

use crate::configuration::Configuration;
use deployment::deploy::{ParameterError, Parameters};
use deployment::stack;
use deployment::typed::typed;

/// The file with the webhook's secret, as the configuration names it.
pub const SECRET_FILE: &str = "api-secret.txt";

/// The answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The stack's name, if not the default.
    pub stack_name: Option<String>,
    /// The region, if it belongs in the file.
    pub region: Option<String>,
    /// The profile, if it belongs in the file.
    pub profile: Option<String>,
    /// The Git host, as an entry of `AllowedGitHosts`.
    pub host: String,
    /// Organisations and repositories on it, separated by commas.
    pub repositories: String,
    /// Globs of branches and tags; all if empty.
    pub refs: String,
    /// Whether the repositories are private.
    pub is_private: bool,
    /// The mail address for alarms; no mail if empty.
    pub alarm_email: String,
}

/// Why an answer is refused.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It isn't a single host.
    #[error("the host has to be one entry of AllowedGitHosts, such as github.com or `git.example.com kind=gitlab`")]
    Host,
    /// The functions couldn't read it.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// Nothing is named.
    #[error("no repository is named: write an organisation (acme) or repositories (acme/rocket, acme/lander)")]
    Nothing,
    /// It isn't a mail address.
    #[error("the address for alarms has to be a mail address")]
    Email,
    /// It is longer than CloudFormation allows.
    #[error("{parameter} has {length} characters, and at most {most} are allowed")]
    Long {
        /// The parameter.
        parameter: String,
        /// How long it is.
        length: usize,
        /// How long it may be.
        most: u64,
    },
    /// The file would not be parsed as intended.
    #[error("an answer has a character that can't stand in the file")]
    Character,
    /// The template can't be made.
    #[error("cannot make the template")]
    Template(#[source] cfn::TemplateError),
}

impl Wishes {
    /// The entry of the host.
    ///
    /// # Errors
    /// The entry is invalid.
    pub fn allowed_host(&self) -> Result<AllowedHost, StartError> {
        if self.host.contains(',') {
            return Err(StartError::Host);
        }
        self.host.trim().parse().map_err(|_| StartError::Host)
    }

    /// The globs of `Repositories`: a word is an organisation, a path its repository; the host is
    /// added before either.
    fn globs(&self) -> Result<String, StartError> {
        let host = self.allowed_host()?.host;
        let entries = self.repositories.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let globs: Vec<_> = entries
            .map(|entry| {
                let (not, entry) = entry.strip_prefix('!').map_or(("", entry), |entry| ("!", entry));
                let path = entry.strip_prefix(&format!("{host}/")).unwrap_or(entry).trim_matches('/');
                let below = if path.contains('/') || path == "**" { "" } else { "/**" };
                format!("{not}{host}/{path}{below}")
            })
            .collect();
        if globs.iter().all(|glob| glob.starts_with('!')) { Err(StartError::Nothing) } else { Ok(globs.join(",")) }
    }

    /// The parameters for these answers.
    ///
    /// # Errors
    /// One of the answers is refused.
    pub fn parameters(&self) -> Result<BTreeMap<String, String>, StartError> {
        let host = self.allowed_host()?;
        let mut parameters = BTreeMap::from([
            ("AllowedGitHosts".to_owned(), self.host.split_whitespace().collect::<Vec<_>>().join(" ")),
            ("Repositories".to_owned(), self.globs()?),
        ]);
        let mut add = |name: &str, value: &str| drop(parameters.insert(name.to_owned(), value.trim().to_owned()));
        if !self.refs.trim().is_empty() {
            add("Refs", &self.refs);
        }
        if !self.alarm_email.trim().is_empty() {
            add("AlarmEmail", &self.alarm_email);
        }
        // Azure DevOps accepts no other key.
        if host.kind == Some(HostKind::Azure) {
            add("KeyType", "rsa");
        }
        check(&parameters)?;
        Ok(parameters)
    }

    /// The file.
    ///
    /// # Errors
    /// One of the answers is refused.
    pub fn file(&self) -> Result<String, StartError> {
        let parameters = self.parameters()?;
        let schema = typed("schema configuration");
        let mut text = format!(
            "# How this stack is deployed, read by every command. No secrets: this file is for the repository.\n\
             # {schema} prints all that can stand here.\n"
        );
        for (key, value) in [("stack-name", &self.stack_name), ("region", &self.region), ("profile", &self.profile)] {
            if let Some(value) = value {
                let _ = writeln!(text, "{key} = {}", quoted(value)?);
            }
        }
        text.push_str("\n[parameters]\n");
        for (name, value) in &parameters {
            let _ = writeln!(text, "# {}\n{name} = {}", comment(name), quoted(value)?);
        }
        text.push_str("\n# Only where secrets come from.\n[secrets]\n");
        let _ = writeln!(text, "ApiSecret = {{ file = {SECRET_FILE:?} }}");
        if self.is_private {
            text.push_str(
                "# Of private repositories /zipdl downloads archives with a token that may read them; /gitpull needs none.\n\
                 # GitToken = { environment = \"GIT_TOKEN\" }\n",
            );
        }
        let read = Configuration::parse(&text).map_err(|_| StartError::Character)?;
        let is_same = read.parameters == parameters
            && (&read.stack_name, &read.region, &read.profile) == (&self.stack_name, &self.region, &self.profile);
        if is_same { Ok(text) } else { Err(StartError::Character) }
    }

    /// The next steps, line by line.
    ///
    /// # Errors
    /// The host isn't one.
    pub fn next_steps(&self) -> Result<Vec<String>, StartError> {
        let host = self.allowed_host()?;
        let mut steps =
            vec![format!("a secret for the webhooks, which Git ignores: `openssl rand -hex 32 > {SECRET_FILE}`")];
        if !PUBLIC.contains(&host.host.as_str()) {
            steps.push(format!(
                "the server's host key, as KnownHosts: `ssh-keyscan -p {} {}`, compared with what its administrator says",
                host.ssh.port, host.ssh.host
            ));
        }
        let [package, review, deploy] = ["package", "review", "deploy"].map(typed);
        steps.push(format!("the functions: {package}"));
        steps.push(format!("the page for approvers: {review}"));
        steps.push(format!("the stack: {deploy}, which says what to enter at the Git host"));
        Ok(steps)
    }
}

/// Hosts whose keys are built in.
const PUBLIC: [&str; 5] = ["github.com", "gitlab.com", "bitbucket.org", "dev.azure.com", "codeberg.org"];

fn comment(name: &str) -> &'static str {
    match name {
        "AlarmEmail" => "Who is told when pushes stop becoming zips. SNS sends a mail with a link first.",
        "AllowedGitHosts" => "Where repositories are fetched from.",
        "KeyType" => "Azure DevOps takes no other key.",
        "Refs" => "The branches and tags that are fetched; all of them without this line.",
        _ => "Which repositories are fetched: host/owner/name; !glob excludes.",
    }
}

/// Checks them as the deployment does, so that it refuses nothing that was accepted here.
fn check(parameters: &BTreeMap<String, String>) -> Result<(), StartError> {
    let template = stack::template(None).map_err(StartError::Template)?;
    for (parameter, value) in parameters {
        let length = value.chars().count();
        let most = template.value()["Parameters"][parameter]["MaxLength"].as_u64().unwrap_or(u64::MAX);
        if length as u64 > most {
            return Err(StartError::Long { parameter: parameter.clone(), length, most });
        }
    }
    let is_address = |address: &String| {
        let parts: Vec<_> = address.split('@').collect();
        parts.len() == 2 && parts.iter().all(|part| !part.is_empty() && !part.contains(char::is_whitespace))
    };
    if parameters.get("AlarmEmail").is_some_and(|address| !is_address(address)) {
        return Err(StartError::Email);
    }
    let mut given = Parameters::default();
    given.configuration(parameters);
    Ok(given.check(&template)?)
}

/// Quotes a text for TOML, in which a JSON string is valid.
fn quoted(text: &str) -> Result<String, StartError> {
    serde_json::to_string(text).map_err(|_| StartError::Character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(host: &str, repositories: &str) -> Wishes {
        let (host, repositories) = (host.to_owned(), repositories.to_owned());
        Wishes { host, repositories, refs: "main, release/*".to_owned(), ..Wishes::default() }
    }

    #[test]
    fn the_file_says_what_was_answered() {
        let all = Wishes {
            region: Some("eu-central-1".to_owned()),
            is_private: true,
            alarm_email: "platform@example.com".to_owned(),
            ..wishes("github.com", "acme, beta/rocket,!acme/secret")
        };
        insta::assert_snapshot!(all.file().unwrap());
        insta::assert_snapshot!(all.next_steps().unwrap().join("\n"));
        let own =
            Wishes { refs: String::new(), ..wishes("git.example.com kind=gitlab ssh=ssh.example.com:2222", "acme") };
        insta::assert_snapshot!(own.file().unwrap());
        assert!(own.next_steps().unwrap()[1].contains("ssh-keyscan -p 2222 ssh.example.com"), "{own:?}");
    }

    #[test]
    fn built_in_host_key_skips_scan() {
        let built_in = include_str!("../../crates/fetch/src/known_hosts");
        for host in [
            "github.com",
            "gitlab.com",
            "bitbucket.org",
            "dev.azure.com",
            "codeberg.org",
            "acme.ghe.com",
            "git.example.com",
        ] {
            let wishes = wishes(host, "acme");
            let server = wishes.allowed_host().unwrap().ssh.host;
            let is_known = built_in.lines().any(|line| line.split([' ', ',']).next() == Some(server.as_str()));
            let is_scanned = wishes.next_steps().unwrap().iter().any(|step| step.contains("ssh-keyscan"));
            assert_ne!(is_known, is_scanned, "{host}");
        }
    }

    #[test]
    fn organisation_includes_all_its_repositories() {
        for (typed, expected) in [
            ("acme", "github.com/acme/**"),
            ("acme/", "github.com/acme/**"),
            ("acme/rocket , acme/lander", "github.com/acme/rocket,github.com/acme/lander"),
            ("github.com/acme", "github.com/acme/**"),
            ("github.com/acme/*", "github.com/acme/*"),
            ("acme,!acme/secret*", "github.com/acme/**,!github.com/acme/secret*"),
            ("**", "github.com/**"),
        ] {
            assert_eq!(wishes("github.com", typed).parameters().unwrap()["Repositories"], expected, "{typed}");
        }
        assert_eq!(wishes("dev.azure.com", "acme").parameters().unwrap()["KeyType"], "rsa");
    }

    #[test]
    fn invalid_answers_are_refused() {
        let error = |wishes: Wishes| wishes.file().unwrap_err().to_string();
        for repositories in ["", " , ", "!acme"] {
            assert!(error(wishes("github.com", repositories)).contains("no repository is named"), "{repositories}");
        }
        for host in ["", "github.com,gitlab.com", "github.com=gitlub", "git hub"] {
            assert!(error(wishes(host, "acme")).contains("one entry of AllowedGitHosts"), "{host}");
        }
        assert!(error(wishes("github.com", "acme/[")).contains("Repositories"));
        let refs = Wishes { refs: "{main".to_owned(), ..wishes("github.com", "acme") };
        assert!(error(refs).contains("Refs"));
        let long = Wishes { refs: "a".repeat(513), ..wishes("github.com", "acme") };
        assert_eq!(error(long), "Refs has 513 characters, and at most 512 are allowed");
        for address in ["platform", "@example.com", "a b@example.com", "a@b@c"] {
            let wishes = Wishes { alarm_email: address.to_owned(), ..wishes("github.com", "acme") };
            assert!(error(wishes).contains("mail address"), "{address}");
        }
    }

    #[test]
    fn typed_text_cannot_break_configuration() {
        for text in ["x\"\n[secrets]\nApiSecret = \"y", "\\", "\u{7f}", "'''"] {
            let wishes = Wishes { stack_name: Some(text.to_owned()), ..wishes("github.com", "acme") };
            if let Ok(file) = wishes.file() {
                assert_eq!(Configuration::parse(&file).unwrap().stack_name.as_deref(), Some(text));
            }
        }
    }
}
