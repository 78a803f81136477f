//! `infra review`: arguments, where the page and the picture go, and how a person gets to see them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use clap::builder::NonEmptyStringValueParser;
use git2s3_infra::check::{self, Rules};
use git2s3_infra::deploy::{Settings, Template};
use git2s3_infra::diff::Diff;
use git2s3_infra::render::{print, visible};
use git2s3_infra::review::{self, Review, diagram};
use git2s3_infra::{stack, synth};
use serde_json::json;

use super::diff::Other;
use super::parameters::Values;
use super::{Outcome, Place, caller};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Also show what would change: against `deployed`, a template's file, or a commit of this repository
    #[arg(long, value_name = "deployed|FILE|REF", value_parser = NonEmptyStringValueParser::new())]
    against: Option<String>,
    /// Where the page is written [default: dist/review.html]
    #[arg(long, value_name = "FILE", value_parser = caller::path())]
    output: Option<PathBuf>,
    /// Write the picture alone, as it stands in the documentation, and no page
    #[arg(long, value_name = "FILE", value_parser = caller::path())]
    svg: Option<PathBuf>,
    /// Show the page in the browser
    #[arg(long)]
    open: bool,
    /// Directory that tells what was packaged [default: dist]
    #[arg(long, value_name = "DIR", value_parser = caller::path())]
    dist: Option<PathBuf>,
    #[command(flatten)]
    values: Values,
    /// Print the path of the page, the findings and the parameters as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    if let Some(path) = &arguments.svg {
        let picture = diagram::svg(&stack::template(None)?.as_value()).into_string();
        write(path, &format!("{}\n", visible::lines(&picture)))?;
        print::line(&path.display().to_string());
        return Ok(Outcome::Fine);
    }
    let dist = caller::dist(arguments.dist.as_deref());
    let template = synth::synthesize(&dist)?.as_value();
    let rules = Rules::embedded()?;
    let report = check::check(&template, &rules)?;
    let declared = Template::parse(template.to_string())?;
    let given = arguments.values.deployed(&declared, &arguments.place.configuration()?)?;
    let mut stack = None;
    let diff = match &arguments.against {
        Some(name) => {
            let other = Other::named(name);
            let (old, parameters) = other.read(&arguments.place).await?;
            stack = parameters;
            Some((name.clone(), Diff::between(&old, &other.counterpart(&dist)?)))
        }
        None => None,
    };
    let settings = match &stack {
        Some(stack) => stack.settings(&declared, &given),
        None => Settings::new(&declared, &given, None),
    };
    let page = review::html(&Review { template: &template, rules: &rules, report: &report, diff, settings: &settings });
    let output = arguments.output.as_deref().unwrap_or(Path::new("dist/review.html"));
    write(output, &page)?;
    if arguments.json {
        let findings: Vec<_> = report
            .findings
            .iter()
            .map(|finding| json!({ "rule": finding.rule, "resource": finding.resource, "message": finding.message }))
            .collect();
        print::json(
            &json!({ "page": output.display().to_string(), "findings": findings, "parameters": settings.parameters, "meaning": settings.meaning, "zips": settings.zips }),
        )?;
    } else {
        print::line(&output.display().to_string());
    }
    if arguments.open {
        open(output);
    }
    Ok(if report.passes() { Outcome::Fine } else { Outcome::Findings })
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

/// Where there is no browser, the path that was printed has to do.
fn open(path: &Path) {
    let browser = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let opened =
        Command::new(browser).arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if opened.is_err() {
        print::talk_line(&format!("there is no {browser} here: open {} in a browser", path.display()));
    }
}
