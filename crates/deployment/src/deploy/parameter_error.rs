//! Errors of parameters, and what to do about them. They never contain a value: it may be a secret,
//! or meant to be one.

use std::path::PathBuf;

use super::values::{Complaint, variable};

/// What is wrong with a parameter.
#[derive(Debug, thiserror::Error)]
pub enum ParameterError {
    /// Not `Name=Value`. The text may hold a secret, and is not repeated.
    #[error("a parameter is given as Name=Value")]
    Syntax,
    /// The file of parameters can't be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
    /// The file of parameters is not a JSON object of texts. Its content may be secret, and is not
    /// repeated.
    #[error("{} is not a JSON object of texts (line {line}, column {column})", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The line of the fault, from 1.
        line: usize,
        /// The column of the fault, from 1.
        column: usize,
    },
    /// Not the name of a parameter. The text may hold a secret, and is not repeated.
    #[error("the name of a parameter has letters and digits only")]
    Name,
    /// The template has no such parameter.
    #[error("there is no parameter {name}")]
    Unknown {
        /// The parameter.
        name: String,
        /// The existing parameters.
        known: Vec<String>,
    },
    /// A secret was given on the command line.
    #[error("{name} is a secret and must not stand on the command line")]
    SecretOnCommandLine {
        /// The parameter.
        name: String,
    },
    /// A secret was given in the configuration file.
    #[error("{name} is a secret and must not stand in the configuration")]
    SecretInConfiguration {
        /// The parameter.
        name: String,
    },
    /// A secret can't be read from its source. The source isn't repeated: people write the secret
    /// itself in its place.
    #[error("cannot get {name} from {origin}")]
    Secret {
        /// The parameter.
        name: String,
        /// The kind of source.
        origin: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// Each value is allowed by itself, but a rule of the template refuses the combination.
    #[error("the values don't fit together: {rule}")]
    Together {
        /// The rule's description in the template.
        rule: String,
    },
    /// A parameter that the deployment sets was given.
    #[error("{name} is filled in by the deployment")]
    Filled {
        /// The parameter.
        name: String,
    },
    /// The functions couldn't read the value.
    #[error("{name} has a value that the functions can't read")]
    Value {
        /// The parameter.
        name: String,
        /// What they say of it.
        source: Complaint,
    },
    /// The functions couldn't read the value that the stack would keep.
    #[error("{name} has a value in the stack that the functions can't read any more")]
    Kept {
        /// The parameter.
        name: String,
        /// What they say of it.
        source: Complaint,
    },
    /// The template doesn't allow the value. CloudFormation would report that only after the
    /// uploads.
    #[error("{name} has a value that the template doesn't allow")]
    Constraint {
        /// The parameter.
        name: String,
        /// What it asks for.
        source: Complaint,
    },
    /// The template doesn't allow the value that the stack would keep.
    #[error("{name} has a value in the stack that the template doesn't allow any more")]
    KeptConstraint {
        /// The parameter.
        name: String,
        /// What it asks for.
        source: Complaint,
    },
    /// A parameter was both given and reset.
    #[error("{name} is given and reset")]
    GivenAndReset {
        /// The parameter.
        name: String,
    },
    /// A parameter without default can't be reset.
    #[error("{name} has no default to be reset to")]
    NoDefault {
        /// The parameter.
        name: String,
    },
    /// A parameter without default has no value.
    #[error("{name} has no value")]
    Missing {
        /// The parameter.
        name: String,
    },
}

impl ParameterError {
    /// What to do about it, if known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { known, .. } => Some(format!("there are {}", known.join(", "))),
            Self::SecretOnCommandLine { name } => Some(format!(
                "set {}, or use `--parameter-file`; what was typed may be in the shell's history",
                variable(name)
            )),
            Self::SecretInConfiguration { name } => {
                Some(format!("say under [secrets] where it comes from: {name} = {{ file = \"...\" }}, or \"prompt\""))
            }
            Self::Syntax | Self::Name => {
                Some("it isn't repeated here, since a secret may stand in it: `--parameter Refs=main`".to_owned())
            }
            Self::Secret { .. } => Some(
                "look at what is named for it in git2s3.toml or by `--secret-file`: it isn't repeated here, since it may be the secret itself".to_owned(),
            ),
            Self::Kept { name, .. } | Self::KeptConstraint { name, .. } => Some(format!("give another one with `--parameter {name}=...`; it may be empty")),
            Self::Missing { name } => Some(format!("give it with `--parameter {name}=...`")),
            Self::File { .. } => {
                Some(r#"it looks like {"AllowedIps": "bitbucket.org=192.0.2.0/24", "ApiSecret": "..."}"#.to_owned())
            }
            _ => None,
        }
    }
}
