//! `infra deploy`: arguments, the questions before anything changes, and output.

use std::path::PathBuf;

use anyhow::Context;
use clap::builder::NonEmptyStringValueParser;
use deployment::account::Account;
use deployment::deploy::{self, Deployed, Deployment, Plan, Planned, Preview, Standing, Template, tags};
use deployment::diff::{self, Diff};
use deployment::render::print;
use deployment::render::progress::{Progress, Terminal};
use deployment::render::table::{Align, Table};
use deployment::synth;
use deployment::typed::typed;
use infra::check::{self, Extent, Rules};
use infra::configuration::Configuration;
use infra::connect;
use serde_json::json;

use super::execute::execute;
use super::parameters::Given;
use super::{Located, Outcome, Question, Target, caller, confirm, confirm_or, importing, password};
use crate::report::{Interrupted, Usage};

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that a person types or doesn't")]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Template in JSON, instead of the one that `synth` makes
    #[arg(long, value_name = "FILE", value_parser = caller::path())]
    template: Option<PathBuf>,
    /// Directory with `assets.json` and `assets/` [default: dist]
    #[arg(long, value_name = "DIR", value_parser = caller::path())]
    dist: Option<PathBuf>,
    #[command(flatten)]
    parameters: Given,
    /// Tag of the stack and its resources, besides those of git2s3.toml. Without any, an existing
    /// stack keeps its own
    #[arg(long, value_name = "KEY=VALUE", value_parser = tags::pair)]
    tag: Vec<(String, String)>,
    /// Parameter that takes the template's default, whatever the stack has
    #[arg(long, value_name = "NAME")]
    reset: Vec<String>,
    /// Existing bucket that a new stack imports as its output bucket, with all its content: one
    /// that `destroy --keep-output` left
    #[arg(long, value_name = "NAME", conflicts_with = "no_execute", value_parser = NonEmptyStringValueParser::new())]
    import_bucket: Option<String>,
    /// Show what would change, and change nothing
    #[arg(long, conflicts_with = "no_execute")]
    dry_run: bool,
    /// Make the change set and leave it for somebody else to approve and execute
    #[arg(long)]
    no_execute: bool,
    /// With --yes: go ahead even if somebody may do more afterwards
    #[arg(long)]
    allow_broader: bool,
    /// Finish the rollback of an update that got stuck (`UPDATE_ROLLBACK_FAILED`), before anything
    /// else
    #[arg(long, conflicts_with_all = ["dry_run", "no_execute"])]
    continue_rollback: bool,
    /// Don't look for manual changes
    #[arg(long)]
    no_drift: bool,
    /// Print the stack's outputs as JSON; with --dry-run what would change, with --no-execute the
    /// change set
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let changes_nothing = arguments.dry_run || arguments.no_execute;
    let question = if changes_nothing { Question::Answered } else { arguments.target.question()? };
    let configuration = arguments.target.place.configuration()?;
    let mut deployment = deployment(arguments, &configuration)?;
    if let Some(bucket) = &arguments.import_bucket {
        importing::name(&mut deployment, bucket)?;
    }
    deployment.parameters.check(&deployment.template)?;
    tags::check(&deployment.tags)?;
    let report = check::check(&deployment.template, &Rules::embedded()?)?;
    if !report.passes() {
        print::talk(&report.shown(Extent::Summary));
        return Ok(Outcome::Findings);
    }
    let located = arguments.target.place.locate(&configuration).await?;
    let mut progress = Terminal::new();
    located.announce(&mut progress);
    located.announce_role(deployment.role.as_ref(), &mut progress).await?;
    let Located { account, stack_name: stack, .. } = &located;
    if arguments.continue_rollback && !continue_rollback(question, &located, &deployment, &mut progress).await? {
        return Ok(Outcome::Declined);
    }
    // Usage errors are reported before anything that takes time.
    let standing = deploy::examine(account, &deployment).await?;
    let import = match &arguments.import_bucket {
        Some(bucket) => importing::found(&located, bucket, &standing, &mut progress).await?,
        None => None,
    };
    let rights = rights(account, stack, &deployment.template).await?;
    if rights.is_some() && !arguments.no_drift {
        warn_of_drift(account, stack, &mut progress).await;
    }
    let broader = rights.filter(Diff::broadens);
    if let Some(broader) = &broader {
        progress.step("somebody may do more than before:");
        progress.show(&diff::text(broader));
        // Checked before there is a change set that would have to be dropped.
        if arguments.target.yes && !changes_nothing && !arguments.allow_broader {
            return Err(not_agreed().into());
        }
    }
    infra::concurrency::fit(account, &mut deployment, &standing, &mut progress).await;
    if standing.settings(&deployment).misses_secret() && !changes_nothing {
        offer_secret(question, &mut deployment, &mut progress)?;
    }
    let settings = standing.settings(&deployment);
    let shown = settings.shown();
    if !shown.is_empty() {
        progress.show(&shown);
    }
    let imported: Vec<_> = import.iter().flat_map(|found| found.in_words(&settings)).collect();
    for line in &imported {
        progress.step(line);
    }
    if arguments.dry_run {
        let preview = deploy::preview(account, &deployment, &standing).await?.importing(imported);
        return dry_run(&preview, arguments.json, progress);
    }
    tell_tags(&standing, &deployment, &mut progress);
    let plan = match &import {
        Some(found) => importing::plan(&located, &deployment, found, &mut progress).await?,
        None => deploy::plan(account, &deployment, &mut progress).await?,
    };
    let planned = match plan {
        Plan::Unchanged(deployed) => {
            progress.step(&format!("no change: stack {stack} is as the template wants it"));
            drop(progress);
            tell(&deployed, arguments.json)?;
            return Ok(Outcome::Fine);
        }
        Plan::Changes(planned) => planned,
    };
    progress.show(&deploy::table(planned.changes()).render());
    if arguments.no_execute {
        return leave(*planned, &located, arguments.json, progress);
    }
    let stays = || stays(&located, &planned);
    let agrees = confirm_or(question, &text(&planned, stack), "y", &mut progress, stays).await?
        && (broader.is_none() || {
            let text = "and give the rights above? type broader:";
            confirm_or(question, text, "broader", &mut progress, stays).await?
        });
    if !agrees {
        planned.abandon(&mut progress).await?;
        progress.step("nothing was changed");
        return Ok(Outcome::Declined);
    }
    let creates = planned.creates_stack();
    let mut deployed = execute(*planned, &located, &mut progress).await?;
    if import.is_some() {
        deployed = importing::finish(&located, &deployment, deployed, &mut progress).await?;
    }
    drop(progress);
    tell(&deployed, arguments.json)?;
    if creates && !arguments.json {
        connect(account, stack).await?;
    }
    Ok(Outcome::Fine)
}

/// Whether the person agreed to it.
async fn continue_rollback(
    question: Question,
    located: &Located,
    deployment: &Deployment,
    progress: &mut Terminal,
) -> anyhow::Result<bool> {
    if !confirm(question, "continue the rollback of the last update?", "y", progress)? {
        progress.step("nothing was changed");
        return Ok(false);
    }
    deploy::continue_rollback(&located.account, &located.stack_name, deployment.role.as_ref(), progress).await?;
    Ok(true)
}

/// Which tags change or go.
fn tell_tags(standing: &Standing, deployment: &Deployment, progress: &mut Terminal) {
    for tag in tags::in_words(&standing.tags(deployment)) {
        progress.step(&tag);
    }
}

fn not_agreed() -> Usage {
    Usage {
        message: "somebody may do more after this update, which `--yes` does not agree to".to_owned(),
        hint: Some("`--allow-broader` agrees to it, too".to_owned()),
    }
}

/// Leaves the change set for somebody else to execute, and says how.
fn leave(planned: Planned, located: &Located, json: bool, mut progress: Terminal) -> anyhow::Result<Outcome> {
    let (creates, changes) = (planned.creates_stack(), planned.changes().to_vec());
    let (stack, id) = (&located.stack_name, planned.leave());
    let look = located.aws(&format!("describe-change-set --change-set-name {id}"));
    let execute = located.aws(&format!("execute-change-set --change-set-name {id}"));
    progress.step("the change set waits for who may execute it. To look at it, and to execute it:");
    progress.step(&format!("  {look}"));
    progress.step(&format!("  {execute}"));
    drop(progress);
    if json {
        print::json(&json!({
            "stack": stack, "creates": creates, "changeSet": id, "changes": changes, "look": look, "execute": execute
        }))?;
    }
    Ok(Outcome::Fine)
}

/// Without a webhook secret a stack authenticates no sender. At a terminal it offers to create one,
/// since only there somebody sees it.
fn offer_secret(question: Question, deployment: &mut Deployment, progress: &mut Terminal) -> anyhow::Result<()> {
    const PARAMETER: &str = "ApiSecret";
    if question == Question::Answered {
        progress.step(
            "ApiSecret is not set, and with `--yes` none is generated: GIT2S3_API_SECRET, `--secret-file` or git2s3.toml gives one",
        );
        return Ok(());
    }
    if !confirm(question, "ApiSecret is not set: generate one, and show it once?", "y", progress)? {
        return Ok(());
    }
    let secret = hex::encode(rand::random::<[u8; 32]>());
    progress.step("the webhook secret, for the Git host; it is shown only now, and AWS keeps it in Secrets Manager:");
    progress.step(&format!("  {secret}"));
    deployment.parameters = std::mem::take(&mut deployment.parameters).with(PARAMETER, secret);
    Ok(())
}

fn dry_run(preview: &Preview, json: bool, mut progress: Terminal) -> anyhow::Result<Outcome> {
    let shown = preview.shown();
    if !shown.is_empty() {
        progress.show(&shown);
    }
    progress.step(match (preview.is_empty(), preview.may_change_secrets()) {
        (true, false) => "dry run: nothing was changed, and nothing would be",
        (true, true) => {
            "dry run: nothing was changed, and nothing would be but secrets that are others now, which AWS doesn't tell"
        }
        (false, _) => "dry run: nothing was changed",
    });
    drop(progress);
    if json {
        print::json(preview)?;
    }
    Ok(Outcome::Fine)
}

/// How the rights of an existing stack would change; `None` if it doesn't exist.
async fn rights(account: &Account, stack: &str, new: &Template) -> anyhow::Result<Option<Diff>> {
    let Some(old) = deploy::deployed_template(account, stack).await?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let old = Template::parse(old).context("cannot read the deployed template")?;
    // The change set shows the rest.
    Ok(Some(Diff::of_rights(&old, new)))
}

async fn warn_of_drift(account: &Account, stack: &str, progress: &mut Terminal) {
    match deploy::drift(account, stack, progress).await {
        Ok(found) => {
            for drift in found {
                let what = if drift.properties.is_empty() { "is gone".to_owned() } else { drift.properties.join(", ") };
                let deploy::Drift { logical_id, resource_type, .. } = drift;
                progress.step(&format!("changed by hand: {logical_id} ({resource_type}): {what}"));
            }
        }
        // Not everybody who may deploy may read everything.
        Err(error) => progress.step(&format!("not looked for what was changed by hand: {error}")),
    }
}

/// What remains after an unanswered question.
fn stays(located: &Located, planned: &Planned) -> Interrupted {
    let (stack, id) = (&located.stack_name, planned.id());
    let (what, hint) = if planned.creates_stack() {
        let destroy = typed(&format!("destroy --stack-name {stack}"));
        let what = format!("the change set {id} stays, and stack {stack} without a resource (REVIEW_IN_PROGRESS)");
        (what, format!("the next deployment deletes both, and so does {destroy}"))
    } else {
        let delete = located.aws(&format!("delete-change-set --change-set-name {id}"));
        (format!("the change set {id} stays"), format!("`{delete}` deletes it; the next deployment makes another one"))
    };
    Interrupted(format!("nothing was changed; {what}"), Some(hint))
}

fn deployment(arguments: &Arguments, configuration: &Configuration) -> anyhow::Result<Deployment> {
    let template = template(arguments)?;
    let mut parameters = arguments.parameters.read()?;
    for name in &arguments.reset {
        parameters.reset(name)?;
    }
    parameters.environment(&template, |name| std::env::var(name).ok());
    for (name, source) in &configuration.secrets {
        parameters.secret(name, source, password)?;
    }
    parameters.configuration(&configuration.parameters);
    let stack_name = arguments.target.place.stack_name(configuration);
    let mut tags = configuration.tags.clone();
    tags.extend(arguments.tag.iter().cloned());
    let role = arguments.target.role(configuration)?;
    Ok(Deployment { stack_name, template, dist: caller::dist(arguments.dist.as_deref()), parameters, tags, role })
}

fn template(arguments: &Arguments) -> anyhow::Result<Template> {
    let Some(path) = &arguments.template else {
        return Ok(synth::synthesize(&caller::dist(arguments.dist.as_deref()))?);
    };
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Template::parse_json(text).with_context(|| format!("cannot deploy {}", path.display()))
}

fn text(planned: &Planned, stack: &str) -> String {
    let count = planned.changes().len();
    let verb = if planned.creates_stack() { "create" } else { "update" };
    format!("{verb} stack {stack} with {count} change{}?", if count == 1 { "" } else { "s" })
}

/// Prints what is left to do at the Git hosts.
async fn connect(account: &Account, stack: &str) -> anyhow::Result<()> {
    if let Some(described) = deploy::described(account, stack).await? {
        print::talk(&connect::steps(&described));
    }
    Ok(())
}

fn tell(deployed: &Deployed, json: bool) -> anyhow::Result<()> {
    if json {
        let data = json!({ "stackId": deployed.stack_id, "outputs": deployed.outputs });
        print::json(&data)?;
        return Ok(());
    }
    if deployed.outputs.is_empty() {
        return Ok(());
    }
    let mut table = Table::new([("Output", Align::Left), ("Value", Align::Left)]);
    for (name, value) in &deployed.outputs {
        table.row([name.clone(), value.clone()]);
    }
    print::data(&table.render());
    Ok(())
}
