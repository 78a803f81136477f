//! `infra schema`: prints a JSON Schema.

use clap::ValueEnum;
use contract::custom::{BucketCleanerProperties, SshKeyProperties};
use contract::events::{Deletion, Failure};
use contract::{Manifest, Runtime};
use deployment::render::print;
use deployment::stack;
use infra::acceptance::Record;
use infra::configuration::Configuration;
use infra::trace::Trace;
use schemars::schema_for;

use super::Outcome;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Of what
    #[arg(value_enum, default_value = "configuration")]
    of: Of,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Of {
    /// `git2s3.toml`
    Configuration,
    /// The properties of the custom resource that makes the SSH key
    SshKey,
    /// The properties of the custom resource that empties the buckets
    BucketCleaner,
    /// The file that `acceptance` writes
    Acceptance,
    /// The detail of the event "Artifact Ready", and the manifest beside a zip
    ArtifactReady,
    /// The detail of the event "Artifact Failed"
    ArtifactFailed,
    /// The detail of the event "Reference Deleted"
    ReferenceDeleted,
    /// What `trace --json` prints
    Trace,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let schema = match arguments.of {
        Of::Configuration => Configuration::schema(&stack::template(None)?.into_value()),
        Of::SshKey => schema_for!(SshKeyProperties<Runtime>),
        Of::BucketCleaner => schema_for!(BucketCleanerProperties<Runtime>),
        Of::Acceptance => schema_for!(Record),
        Of::ArtifactReady => schema_for!(Manifest),
        Of::ArtifactFailed => schema_for!(Failure),
        Of::ReferenceDeleted => schema_for!(Deletion),
        Of::Trace => schema_for!(Trace),
    };
    print::json(&schema)?;
    Ok(Outcome::Fine)
}
