//! `infra review`: arguments, and writing and opening the page and the picture.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use aws_sdk_cloudformation::primitives::{DateTime, DateTimeFormat};
use clap::builder::NonEmptyStringValueParser;
use deployment::deploy::Settings;
use deployment::diff::Diff;
use deployment::package::Manifest;
use deployment::render::{print, visible};
use deployment::{stack, synth};
use infra::check::{self, Rules};
use infra::review::{self, Owner, Review, Subject, diagram};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::diff::Other;
use super::parameters::Values;
use super::{Located, Outcome, Place, caller, checkout};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Also show what would change: against `deployed`, a template's file, or a commit of this
    /// repository
    #[arg(long, value_name = "deployed|FILE|REF", value_parser = NonEmptyStringValueParser::new())]
    against: Option<String>,
    /// Where the page is written [default: dist/review.html]
    #[arg(long, value_name = "FILE", value_parser = caller::path())]
    output: Option<PathBuf>,
    /// Write only the picture, as in the documentation, and no page
    #[arg(long, value_name = "FILE", value_parser = caller::path())]
    svg: Option<PathBuf>,
    /// Show the page in the browser
    #[arg(long)]
    open: bool,
    /// Directory with the packaged functions [default: dist]
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
        let picture = diagram::svg(&stack::template(None)?.into_value()).into_string();
        write(path, &format!("{}\n", visible::lines(&picture)))?;
        print::line(&path.display().to_string());
        return Ok(Outcome::Fine);
    }
    let dist = caller::dist(arguments.dist.as_deref());
    let template = synth::synthesize(&dist)?;
    let rules = Rules::embedded()?;
    let report = check::check(&template, &rules)?;
    let given = arguments.values.deployed(&template, &arguments.place.configuration()?)?;
    let other = arguments.against.as_deref().map(Other::named);
    let subject = Subject {
        stack: arguments.place.stack_name(&arguments.place.configuration()?),
        owner: owner(&arguments.place, other.as_ref()).await?,
        checkout: checkout::of_sources(),
        sha256: hex::encode(Sha256::digest(template.text())),
        is_packaged: Manifest::read(&dist).is_ok(),
        time: now(),
        version: env!("CARGO_PKG_VERSION"),
    };
    let mut stack = None;
    let diff = match arguments.against.as_ref().zip(other) {
        Some((name, other)) => {
            let (old, parameters) = other.read(&arguments.place).await?;
            stack = parameters;
            Some((name.clone(), Diff::between(&old, &other.counterpart(&dist)?)))
        }
        None => None,
    };
    let settings = match &stack {
        Some(stack) => stack.settings(&template, &given),
        None => Settings::new(&template, &given, None),
    };
    let page = review::html(&Review {
        subject: &subject,
        template: &template,
        rules: &rules,
        report: &report,
        diff,
        settings: &settings,
    });
    let output = arguments.output.as_deref().unwrap_or(Path::new("dist/review.html"));
    write(output, &page)?;
    if arguments.json {
        let findings: Vec<_> = report
            .findings
            .iter()
            .map(|finding| json!({ "rule": finding.rule, "resource": finding.resource, "message": finding.message }))
            .collect();
        print::json(
            &json!({ "page": output.display().to_string(), "sha256": subject.sha256, "findings": findings, "parameters": settings.parameters, "meaning": settings.meaning, "zips": settings.zips }),
        )?;
    } else {
        print::line(&output.display().to_string());
    }
    if arguments.open {
        open(output);
    }
    Ok(if report.passes() { Outcome::Fine } else { Outcome::Findings })
}

/// How long to wait for the account's owner, which the page can do without.
const PATIENCE: Duration = Duration::from_secs(10);

/// The account, if the page compares with a deployed stack or credentials were chosen explicitly.
/// Nothing else on the page needs AWS.
async fn owner(place: &Place, other: Option<&Other>) -> anyhow::Result<Option<Owner>> {
    let configuration = place.configuration()?;
    if !matches!(other, Some(Other::Deployed)) && !place.says_as_whom(&configuration) {
        return Ok(None);
    }
    let asked = tokio::time::timeout(PATIENCE, place.locate(&configuration)).await;
    let failed = match asked {
        Ok(Ok(Located { account, .. })) => {
            let (account, region, principal) = (account.id, account.region, account.principal);
            return Ok(Some(Owner { account, region, principal }));
        }
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => format!("AWS said nothing for {} s", PATIENCE.as_secs()),
    };
    print::talk_line(&format!("account and region are not on the page: {failed}"));
    Ok(None)
}

/// The time in UTC, to the second.
fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let time = DateTime::from_secs(i64::try_from(seconds).unwrap_or_default());
    time.fmt(DateTimeFormat::DateTime).unwrap_or_default().replace('T', " ").replace('Z', " UTC")
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

/// Without a browser, the printed path has to do.
fn open(path: &Path) {
    let browser = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let opened =
        Command::new(browser).arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if opened.is_err() {
        print::talk_line(&format!("there is no {browser} here: open {} in a browser", path.display()));
    }
}
