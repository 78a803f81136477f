//! `git2s3.toml`: a team's settings for deployment. The file belongs in the repository, so it
//! contains no secrets, only their sources.
//!
//! ```
//! let configuration = infra::configuration::Configuration::parse(r#"
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

use deployment::deploy::SecretSource;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, schema_for};
use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use deployment::typed::typed;

/// The default path.
pub const FILE: &str = "git2s3.toml";

/// How git2s3 is deployed. Flags and environment variables have precedence.
#[derive(Debug, Clone, Default, JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Configuration {
    /// Name of the stack; `git2s3` if not given.
    pub stack_name: Option<String>,
    /// AWS region, instead of the configured one.
    pub region: Option<String>,
    /// Profile of AWS's configuration files.
    pub profile: Option<String>,
    /// ARN of the role that CloudFormation assumes for the stack.
    pub role_arn: Option<String>,
    /// Parameters of the template. No secrets: the file is for everybody who sees the repository.
    pub parameters: BTreeMap<String, String>,
    /// Where the secret parameters come from.
    pub secrets: BTreeMap<String, SecretSource>,
    /// Tags of the stack, of all its resources that can have some, and of the bucket for code when
    /// it is made.
    pub tags: BTreeMap<String, String>,
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
    /// The file is invalid. Its content isn't repeated: it may contain a secret.
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
    /// What to do about it, if known.
    pub fn hint(&self) -> Option<String> {
        matches!(self, Self::Parse { .. })
            .then(|| format!("{} prints what can stand there", typed("schema configuration")))
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
        Self::parse(&text).map_err(|Fault { line, message }| ConfigurationError::Parse {
            path: named.to_owned(),
            line,
            message,
        })
    }

    /// Parses a configuration in TOML.
    ///
    /// # Errors
    /// It is not TOML, or has something unknown.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let document = DeTable::parse(text).map_err(|error| Fault::new(text, error.span(), error.message()))?;
        Self::of(document.get_ref()).map_err(|Wrong(span, message)| Fault::new(text, Some(span), &message))
    }

    /// By hand, because serde's errors quote the text.
    fn of(document: &DeTable<'_>) -> Result<Self, Wrong> {
        let mut read = Self::default();
        for (key, value) in document {
            match &**key.get_ref() {
                "stack-name" => read.stack_name = Some(text(key, value)?),
                "region" => read.region = Some(text(key, value)?),
                "profile" => read.profile = Some(text(key, value)?),
                "role-arn" => read.role_arn = Some(text(key, value)?),
                "parameters" => read.parameters = table(key, value, text)?,
                "secrets" => read.secrets = table(key, value, secret)?,
                "tags" => read.tags = table(key, value, text)?,
                _ => {
                    let known = "stack-name, region, profile, role-arn, parameters, secrets and tags";
                    return Err(Wrong(key.span(), format!("nothing is called {} here, but {known}", key.get_ref())));
                }
            }
        }
        Ok(read)
    }

    /// The JSON Schema of the file, with the parameters that `template` has: for completion and
    /// checks in editors.
    pub fn schema(template: &Value) -> Schema {
        let mut schema = schema_for!(Self);
        let declared = || template["Parameters"].as_object().into_iter().flatten();
        let filled = |name: &str| deployment::deploy::FILLED.contains(&name);
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

/// What is wrong in a text, and where. It never contains a value, which may be a secret.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl Fault {
    fn new(text: &str, span: Option<Range<usize>>, message: &str) -> Self {
        let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
        Self { line: before.matches('\n').count() + 1, message: message.to_owned() }
    }
}

/// Where something is wrong, and what.
struct Wrong(Range<usize>, String);

type Key<'t> = Spanned<DeString<'t>>;
type Found<'t> = Spanned<DeValue<'t>>;

fn text(key: &Key<'_>, value: &Found<'_>) -> Result<String, Wrong> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        _ => Err(Wrong(value.span(), format!("{} has to be a text, in quotes", key.get_ref()))),
    }
}

fn table<T>(
    key: &Key<'_>,
    value: &Found<'_>,
    read: impl Fn(&Key<'_>, &Found<'_>) -> Result<T, Wrong>,
) -> Result<BTreeMap<String, T>, Wrong> {
    let DeValue::Table(entries) = value.get_ref() else {
        let key = key.get_ref();
        return Err(Wrong(value.span(), format!("{key} has to be a table, under [{key}]")));
    };
    entries.iter().map(|(key, value)| Ok((key.get_ref().clone().into_owned(), read(key, value)?))).collect()
}

/// Its errors never quote the value: people write the secret in place of its source.
fn secret(key: &Key<'_>, value: &Found<'_>) -> Result<SecretSource, Wrong> {
    let origin = match value.get_ref() {
        DeValue::String(word) => (&**word == "prompt").then_some(SecretSource::Prompt),
        DeValue::Table(origin) => match origin.iter().next().filter(|_| origin.len() == 1) {
            Some((kind, origin)) => match (&**kind.get_ref(), origin.get_ref()) {
                ("file", DeValue::String(path)) => Some(SecretSource::File((&**path).into())),
                ("environment", DeValue::String(name)) => Some(SecretSource::Environment(name.clone().into_owned())),
                _ => None,
            },
            None => None,
        },
        _ => None,
    };
    origin.ok_or_else(|| {
        let origins = r#"{ file = "..." }, { environment = "..." } or "prompt""#;
        let key = key.get_ref();
        Wrong(value.span(), format!("{key} has to say where the secret comes from, never the secret itself: {origins}"))
    })
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
        Configuration::schema(&deployment::stack::template(None).unwrap().into_value()).to_value()
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
    fn configuration_error_names_its_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, line) in [("stack-name = 'a'\nregoin = 'x'\n", 2), ("[tags]\n\nteam = 5\n", 3), ("a\n", 1)] {
            std::fs::write(file.path(), text).unwrap();
            let error = Configuration::read(Some(file.path())).unwrap_err();
            assert!(matches!(error, ConfigurationError::Parse { line: at, .. } if at == line), "{error:?}");
            assert!(error.hint().is_some());
        }
        assert!(Configuration::read(Some(Path::new("no-such-file"))).is_err());
    }

    /// Every way to write a secret in place of its source, or where none belongs.
    const WRITTEN: &[&str] = &[
        "[secrets]\nApiSecret = 'hunter2'",
        "[secrets]\nApiSecret = \"hunter2\"",
        "[secrets]\nApiSecret = \"\"\"\nhunter2\"\"\"",
        "[secrets]\nApiSecret = hunter2",
        "[secrets]\nApiSecret = 'hunter2",
        "[secrets]\nApiSecret = 'hunter2' hunter2",
        "[secrets]\nApiSecret = \"hunter2\\q\"",
        "[secrets]\nApiSecret = 4815162342",
        "[secrets]\nApiSecret = 4815162342.5",
        "[secrets]\nApiSecret = 0x4815162342zz",
        "[secrets]\nApiSecret = 4815-16-23",
        "[secrets]\nApiSecret = true",
        "[secrets]\nApiSecret = ['hunter2']",
        "[secrets]\nApiSecret = { file = ['hunter2'] }",
        "[secrets]\nApiSecret = { file = 4815162342 }",
        "[secrets]\nApiSecret = { value = 'hunter2' }",
        "[secrets]\nApiSecret = { hunter2 = 'file' }",
        "[secrets]\nApiSecret = { hunter2 }",
        "[secrets]\nApiSecret = { file = 'x', value = 'hunter2' }",
        "[secrets]\nApiSecret = { prompt = 'hunter2' }",
        "[secrets]\nApiSecret = 'prompt'\nApiSecret = 'hunter2'",
        "[secrets]\nApiSecret hunter2",
        "[secrets.ApiSecret]\nvalue = 'hunter2'",
        "[[secrets]]\nApiSecret = 'hunter2'",
        "secrets = 'hunter2'",
        "secrets = ['hunter2']",
        "secrets.ApiSecret = 'hunter2'",
        "ApiSecret = 'hunter2'",
        "[parameters]\nApiSecret = 4815162342",
        "[parameters]\nApiSecret = ['hunter2']",
        "[parameters]\nApiSecret = hunter2",
        "parameters = 'hunter2'",
        "stack-name = ['hunter2']",
        "[tags]\nteam = { x = 'hunter2' }",
    ];

    #[test]
    fn no_error_repeats_a_value() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for text in WRITTEN {
            std::fs::write(file.path(), text).unwrap();
            let error = Configuration::read(Some(file.path())).unwrap_err();
            let told = format!("{error} {error:?} {:?}", error.hint());
            for canary in ["hunter2", "4815", "162342"] {
                assert!(!told.contains(canary), "{text}: {told}");
            }
        }
    }

    #[test]
    fn inline_secret_is_refused() {
        let error = Configuration::parse("[secrets]\nApiSecret = 'hunter2'").unwrap_err();
        insta::assert_snapshot!(error, @r#"line 2: ApiSecret has to say where the secret comes from, never the secret itself: { file = "..." }, { environment = "..." } or "prompt""#);
        let error = Configuration::parse("regoin = 'x'").unwrap_err();
        insta::assert_snapshot!(error, @"line 1: nothing is called regoin here, but stack-name, region, profile, role-arn, parameters, secrets and tags");
    }

    #[test]
    fn schema_validates_keys_and_parameters() {
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
