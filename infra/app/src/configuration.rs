//! `git2s3.toml`: what a team always says when it deploys, so that nobody has to remember it. The file is for the repository: a secret
//! doesn't stand in it, only where it comes from.
//!
//! ```
//! let configuration = git2s3_infra::configuration::Configuration::parse(r#"
//!     stack-name = "git2s3"
//!     region = "eu-central-1"
//!
//!     [parameters]
//!     Repositories = "github.com/acme/**"
//!
//!     [secrets]
//!     ApiSecret = { file = "api-secret.txt" }
//!     GitToken = "prompt"
//!
//!     [tags]
//!     team = "platform"
//! "#).unwrap();
//! assert_eq!(configuration.region.as_deref(), Some("eu-central-1"));
//! ```

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, schema_for};
use serde::Deserialize;
use serde_json::{Value, json};

/// Where it is looked for if nobody says otherwise.
pub const FILE: &str = "git2s3.toml";

/// How git2s3 is deployed. Flags and environment variables come before what stands here.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Configuration {
    /// Name of the stack; `git2s3` if not given.
    pub stack_name: Option<String>,
    /// AWS region, instead of the configured one.
    pub region: Option<String>,
    /// Profile of AWS's configuration files.
    pub profile: Option<String>,
    /// Parameters of the template. No secrets: the file is for everybody who sees the repository.
    pub parameters: BTreeMap<String, String>,
    /// Where the secret parameters come from.
    pub secrets: BTreeMap<String, SecretSource>,
    /// Tags of the stack and all of its resources.
    pub tags: BTreeMap<String, String>,
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SecretSource {
    /// A file, relative to the working directory; a line end at its end doesn't count.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// The person at the terminal; an empty answer keeps the secret of an existing stack.
    Prompt,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The file can't be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The file says something that isn't known. What is in it isn't repeated: somebody may have written a secret there.
    #[error("{} is wrong at line {line}: {message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

impl ConfigurationError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        matches!(self, Self::Parse { .. })
            .then(|| "`infra schema configuration` prints what can stand there".to_owned())
    }
}

impl Configuration {
    /// Reads `path`; without one, [`FILE`] if it is there.
    ///
    /// # Errors
    /// See [`ConfigurationError`].
    pub fn read(path: Option<&Path>) -> Result<Self, ConfigurationError> {
        let named = path.unwrap_or(Path::new(FILE));
        let text = match std::fs::read_to_string(named) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_none() => return Ok(Self::default()),
            Err(source) => return Err(ConfigurationError::Read { path: named.to_owned(), source }),
        };
        Self::parse(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            ConfigurationError::Parse { path: named.to_owned(), line, message: error.message().to_owned() }
        })
    }

    /// The configuration that a text in TOML is.
    ///
    /// # Errors
    /// It is no TOML, or says something that isn't known.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The JSON Schema of the file, with the parameters that `template` has: what editors complete and check by.
    pub fn schema(template: &Value) -> Schema {
        let mut schema = schema_for!(Self);
        let declared = || template["Parameters"].as_object().into_iter().flatten();
        let filled = |name: &str| crate::deploy::FILLED.contains(&name);
        let of =
            |secret: bool| declared().filter(move |(name, one)| (one["NoEcho"] == true) == secret && !filled(name));
        let parameters: serde_json::Map<_, _> = of(false).map(|(name, one)| (name.clone(), parameter(one))).collect();
        let source = json!({ "$ref": "#/$defs/SecretSource" });
        let secrets: serde_json::Map<_, _> = of(true).map(|(name, _)| (name.clone(), source.clone())).collect();
        for (table, known) in [("parameters", parameters), ("secrets", secrets)] {
            if let Some(table) = schema.pointer_mut(&format!("/properties/{table}")).and_then(Value::as_object_mut) {
                table.insert("properties".to_owned(), known.into());
                table.insert("additionalProperties".to_owned(), false.into());
            }
        }
        schema
    }
}

fn parameter(declared: &Value) -> Value {
    let mut schema = json!({ "type": "string" });
    for (ours, theirs) in [
        ("description", "Description"),
        ("default", "Default"),
        ("pattern", "AllowedPattern"),
        ("enum", "AllowedValues"),
        ("maxLength", "MaxLength"),
    ] {
        if !declared[theirs].is_null() {
            schema[ours] = declared[theirs].clone();
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Value {
        Configuration::schema(&crate::stack::template(None).unwrap().as_value()).to_value()
    }

    #[test]
    fn secrets_come_from_somewhere() {
        let text =
            "[secrets]\nApiSecret = 'prompt'\nGitToken = { file = 'token' }\nOAuthSecret = { environment = 'X' }";
        let secrets = Configuration::parse(text).unwrap().secrets;
        assert_eq!(secrets["ApiSecret"], SecretSource::Prompt);
        assert_eq!(secrets["GitToken"], SecretSource::File("token".into()));
        assert_eq!(secrets["OAuthSecret"], SecretSource::Environment("X".to_owned()));
    }

    #[test]
    fn what_is_unknown_is_told_with_its_line_and_nothing_of_its_text() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, line) in [("stack-name = 'a'\nregoin = 'hunter2'\n", 2), ("[secrets]\nApiSecret = 'hunter2'\n", 2)] {
            std::fs::write(file.path(), text).unwrap();
            let error = Configuration::read(Some(file.path())).unwrap_err();
            assert!(matches!(error, ConfigurationError::Parse { line: at, .. } if at == line), "{error:?}");
            assert!(error.hint().is_some());
        }
        assert!(Configuration::read(Some(Path::new("no-such-file"))).is_err());
    }

    #[test]
    fn the_schema_accepts_what_is_read_and_knows_the_parameters() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let fine = json!({ "stack-name": "x", "parameters": { "KeyType": "rsa" }, "secrets": { "ApiSecret": { "file": "f" } } });
        assert!(
            validator.is_valid(&fine),
            "{:?}",
            validator.iter_errors(&fine).map(|e| e.to_string()).collect::<Vec<_>>()
        );
        for wrong in [
            json!({ "stackname": "x" }),
            json!({ "parameters": { "KeyType": "dsa" } }),
            json!({ "parameters": { "ApiSecret": "s3cret" } }),
            json!({ "parameters": { "QSS3BucketName": "x" } }),
            json!({ "secrets": { "ApiSecret": "s3cret" } }),
            json!({ "secrets": { "KeyType": "prompt" } }),
        ] {
            assert!(!validator.is_valid(&wrong), "{wrong}");
        }
    }
}
