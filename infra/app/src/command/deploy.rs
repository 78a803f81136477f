//! `infra deploy`: arguments, the question before anything changes, and what of the stack is printed.

use std::path::PathBuf;

use anyhow::Context;
use git2s3_infra::account::{self, Account};
use git2s3_infra::check::{self, Rules};
use git2s3_infra::deploy::{self, Deployed, Deployment, Parameters, Plan, Planned, Template};
use git2s3_infra::render::progress::{Progress, Terminal};
use git2s3_infra::render::table::{Align, Table};
use git2s3_infra::synth;

use super::{Outcome, Target, confirm};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Template in JSON, instead of the one that `synth` makes
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Directory with `assets.json` and `assets/`
    #[arg(long, value_name = "DIR", default_value = "dist")]
    dist: PathBuf,
    /// Value of a parameter; an existing stack keeps those that are not given. Secrets go another way: `ApiSecret` by
    /// the environment variable `GIT2S3_API_SECRET`, or any by --parameter-file
    #[arg(long, value_name = "NAME=VALUE")]
    parameter: Vec<String>,
    /// JSON object of parameters
    #[arg(long, value_name = "FILE")]
    parameter_file: Option<PathBuf>,
    /// Print the stack's outputs as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let question = arguments.target.question()?;
    let deployment = deployment(arguments)?;
    let report = check::check(&check::parse_template(deployment.template.text())?, &Rules::embedded()?)?;
    if !report.passes() {
        anstream::eprint!("{report}");
        return Ok(Outcome::Findings);
    }
    let config =
        account::configuration(arguments.target.place.region.clone(), arguments.target.place.profile.as_deref()).await;
    let account = Account::open(&config).await?;
    let mut progress = Terminal::new();
    progress.step(&format!("stack {} in account {}, {}", deployment.stack_name, account.id, account.region));

    let deployed = match deploy::plan(&account, &deployment, &mut progress).await? {
        Plan::Unchanged(deployed) => {
            progress.step(&format!("no change: stack {} is as the template wants it", deployment.stack_name));
            deployed
        }
        Plan::Changes(planned) => {
            progress.step(&deploy::table(planned.changes()).render());
            if !confirm(question, &text(&planned, &deployment.stack_name), "y", &mut progress)? {
                planned.abandon(&mut progress).await?;
                progress.step("nothing was changed");
                return Ok(Outcome::Fine);
            }
            planned.execute(&mut progress).await?
        }
    };
    drop(progress);
    print(&deployed, arguments.json)?;
    Ok(Outcome::Fine)
}

fn deployment(arguments: &Arguments) -> anyhow::Result<Deployment> {
    let template = template(arguments)?;
    let mut parameters = Parameters::default();
    for pair in &arguments.parameter {
        parameters.command_line(pair)?;
    }
    if let Some(file) = &arguments.parameter_file {
        parameters.file(file)?;
    }
    parameters.environment(&template, |name| std::env::var(name).ok());
    let stack_name = arguments.target.place.stack_name.clone();
    Ok(Deployment { stack_name, template, dist: arguments.dist.clone(), parameters })
}

fn template(arguments: &Arguments) -> anyhow::Result<Template> {
    let Some(path) = &arguments.template else {
        return Ok(Template::parse(synth::synthesize(&arguments.dist)?.to_json())?);
    };
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Template::parse(text).with_context(|| format!("cannot deploy {}", path.display()))
}

fn text(planned: &Planned, stack: &str) -> String {
    let count = planned.changes().len();
    let verb = if planned.creates_stack() { "create" } else { "update" };
    format!("{verb} stack {stack} with {count} change{}?", if count == 1 { "" } else { "s" })
}

fn print(deployed: &Deployed, json: bool) -> anyhow::Result<()> {
    if json {
        let data = serde_json::json!({ "stackId": deployed.stack_id, "outputs": deployed.outputs });
        anstream::println!("{}", serde_json::to_string_pretty(&data)?);
        return Ok(());
    }
    if deployed.outputs.is_empty() {
        return Ok(());
    }
    let mut table = Table::new([("Output", Align::Left), ("Value", Align::Left)]);
    for (name, value) in &deployed.outputs {
        table.row([name.clone(), value.clone()]);
    }
    anstream::print!("{}", table.render());
    Ok(())
}
