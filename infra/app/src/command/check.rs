//! `infra check`: arguments, and how the findings are printed.

use std::path::PathBuf;

use anyhow::Context;
use git2s3_infra::{
    check::{self, Rules},
    synth,
};

use super::Outcome;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Template to judge, in JSON or YAML, instead of the one that `synth` writes
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Directory of rules, <service>/<rule>.guard, instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Directory that tells what was packaged
    #[arg(long, value_name = "DIR", default_value = "dist")]
    dist: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let rules = match &arguments.rules {
        Some(directory) => Rules::from_directory(directory),
        None => Rules::embedded(),
    }
    .context("cannot load the rules")?;
    let template = match &arguments.template {
        Some(file) => check::read_template(file).with_context(|| format!("cannot judge {}", file.display()))?,
        None => synth::synthesize(&arguments.dist)?.as_value(),
    };
    let report = check::check(&template, &rules)?;
    if arguments.json {
        anstream::println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        anstream::print!("{report}");
    }
    Ok(if report.passes() { Outcome::Fine } else { Outcome::Findings })
}
