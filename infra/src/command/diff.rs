//! `infra diff`: arguments, the source of the other template, and when a difference is a finding.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;
use deployment::deploy::{Description, Settings, Template, tags};
use deployment::diff::{self, Action, Diff};
use deployment::render::print;
use deployment::render::progress::Terminal;
use deployment::{deploy, stack, synth};
use infra::commit;
use serde::Serialize;

use super::parameters::Values;
use super::{Outcome, Place, caller};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to compare with: `deployed` for the stack in the account, a template's file, or a
    /// commit of this repository
    #[arg(long, value_name = "deployed|FILE|REF", default_value = "deployed", value_parser = NonEmptyStringValueParser::new())]
    against: String,
    /// Template in JSON or YAML, instead of the one that `synth` writes
    #[arg(long, value_name = "FILE", value_parser = caller::path())]
    template: Option<PathBuf>,
    /// Which differences end with exit code 1
    #[arg(long, value_enum, default_value = "any")]
    fail_on: FailOn,
    /// Print the differences as JSON
    #[arg(long)]
    json: bool,
    /// Directory with the packaged functions [default: dist]
    #[arg(long, value_name = "DIR", value_parser = caller::path())]
    dist: Option<PathBuf>,
    #[command(flatten)]
    values: Values,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Every difference
    Any,
    /// A resource that is removed or replaced
    Replaced,
    /// A right that was not there before
    Broadened,
    /// None
    Never,
}

/// What a template is compared with.
#[derive(Debug)]
pub(crate) enum Other {
    Deployed,
    File(PathBuf),
    Commit(String),
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let other = Other::named(&arguments.against);
    let (old, stack) = other.read(&arguments.place).await?;
    let new = match &arguments.template {
        Some(path) => read(path)?,
        None => other.counterpart(&caller::dist(arguments.dist.as_deref()))?,
    };
    let diff = Diff::between(&old, &new);
    // Only an existing stack has values.
    let (settings, tags) = match &stack {
        Some(stack) => {
            let configuration = arguments.place.configuration()?;
            let given = arguments.values.deployed(&new, &configuration)?;
            let tags = tags::changes(&stack.tags, &configuration.tags);
            (Some(stack.settings(&new, &given)), tags)
        }
        None => (None, BTreeMap::new()),
    };
    if arguments.json {
        print::json(&Told { diff: &diff, settings: settings.as_ref(), tags: &tags })?;
    } else {
        print::data(&diff::text(&diff));
        if let Some(settings) = &settings {
            print::data(&settings.shown());
        }
        for tag in tags::in_words(&tags) {
            print::line(&tag);
        }
    }
    let others = !tags.is_empty() || settings.iter().any(|settings| settings.changed().next().is_some());
    Ok(if is_finding(arguments.fail_on, &diff) || (arguments.fail_on == FailOn::Any && others) {
        Outcome::Findings
    } else {
        Outcome::Fine
    })
}

/// The JSON output.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    diff: &'a Diff,
    #[serde(flatten)]
    settings: Option<&'a Settings>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: &'a BTreeMap<String, Option<String>>,
}

/// A stack's description; `None` without a stack.
pub(crate) type Stack = Option<Description>;

impl Other {
    /// Parses `name`.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "deployed" => Self::Deployed,
            name if caller::of(name).is_file() => Self::File(caller::of(name)),
            name => Self::Commit(name.to_owned()),
        }
    }

    /// Reads its template, and of a stack also the description.
    pub(crate) async fn read(&self, place: &Place) -> anyhow::Result<(Template, Stack)> {
        match self {
            Self::Deployed => deployed(place).await,
            Self::File(path) => Ok((read(path)?, None)),
            Self::Commit(name) => Ok((commit::template(name, &mut Terminal::new())?, None)),
        }
    }

    /// The current template that it is compared with.
    pub(crate) fn counterpart(&self, dist: &Path) -> anyhow::Result<Template> {
        Ok(match self {
            // A commit doesn't contain what was packaged.
            Self::Commit(_) => stack::template(None)?,
            Self::Deployed | Self::File(_) => synth::synthesize(dist)?,
        })
    }
}

fn is_finding(fail_on: FailOn, diff: &Diff) -> bool {
    match fail_on {
        FailOn::Any => !diff.is_empty(),
        FailOn::Broadened => diff.broadens(),
        FailOn::Replaced => diff.entries.iter().any(|entry| {
            entry.section == "Resources"
                && matches!(entry.action, Action::Removed | Action::Replaced | Action::PerhapsReplaced)
        }),
        FailOn::Never => false,
    }
}

/// The template of the stack, or an empty one without a stack.
async fn deployed(place: &Place) -> anyhow::Result<(Template, Stack)> {
    let located = place.locate(&place.configuration()?).await?;
    let Some(text) = deploy::deployed_template(&located.account, &located.stack_name).await? else {
        print::talk_line(&located.absent());
        return Ok((serde_json::json!({}).into(), None));
    };
    let template = Template::parse(text).context("cannot read the deployed template")?;
    Ok((template, deploy::described(&located.account, &located.stack_name).await?))
}

fn read(path: &Path) -> anyhow::Result<Template> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Template::parse(text).with_context(|| format!("cannot read {}", path.display()))
}
