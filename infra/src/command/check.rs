//! `infra check`: arguments and output.

use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use deployment::{deploy::Template, render::print, synth};
use infra::check::{self, CheckError, Extent, Rules};

use super::{Outcome, caller};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Template to check, in JSON or YAML, instead of the one that `synth` writes
    #[arg(long, value_name = "FILE", value_parser = caller::path())]
    template: Option<PathBuf>,
    /// Directory of further rules, <service>/<rule>.guard
    #[arg(long, value_name = "DIR", value_parser = caller::path())]
    rules: Vec<PathBuf>,
    /// How the report is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Print every finding, however many a rule has
    #[arg(long)]
    all: bool,
    /// Directory with the packaged functions [default: dist]
    #[arg(long, value_name = "DIR", value_parser = caller::path())]
    dist: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Columns, for people
    Text,
    /// JSON, for programs
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// `JUnit`'s XML, for test reports
    Junit,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let rules = rules(&arguments.rules).context("cannot load the rules")?;
    let (file, template) = if let Some(file) = &arguments.template {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        (file.clone(), Template::parse(text).map_err(CheckError::Template))
    } else {
        let dist = caller::dist(arguments.dist.as_deref());
        (dist.join("git2s3.template.json"), Ok(synth::synthesize(&dist)?))
    };
    let checked = || {
        let template = template?;
        Ok::<_, CheckError>((check::check(&template, &rules)?, template))
    };
    let (report, template) = checked().with_context(|| format!("cannot check {}", file.display()))?;
    match if arguments.json { Format::Json } else { arguments.format } {
        Format::Text => print::data(&report.shown(if arguments.all { Extent::All } else { Extent::Summary })),
        Format::Json => print::json(&report)?,
        Format::Sarif => {
            let sarif = check::sarif(&report, &rules, &file.display().to_string(), template.text());
            print::json(&sarif)?;
        }
        Format::Junit => print::xml(&check::junit(&report, &rules)?),
    }
    Ok(if report.passes() { Outcome::Fine } else { Outcome::Findings })
}

fn rules(directories: &[PathBuf]) -> Result<Rules, check::RulesError> {
    directories.iter().try_fold(Rules::embedded()?, |rules, directory| rules.and(Rules::from_directory(directory)?))
}
