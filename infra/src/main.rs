//! The `infra` command: its arguments, its exit codes and the form of errors. The library
//! implements the commands.
//!
//! stdout is for data, stderr for messages. The exit codes are those of [`EXITS`], for every
//! command.

mod command;
mod report;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};

use deployment::render::print;

use command::{
    Outcome, acceptance, app, check, completions, connect, deploy, deployer_policy, destroy, diff, disconnect, doctor,
    init, keys, logs, package, redrive, replay, review, schema, status, synth, trace,
};

/// Guard copies a rule's input repeatedly, so `check` spends half its time on memory; this
/// allocator halves that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the exit codes mean. docs/deploy.md has the same table, and a test compares both.
const EXITS: &str = "Exit codes: 0 fine, 1 findings, 2 usage, 3 failure, 4 no such stack, 5 declined, 130 interrupted.";

/// Builds, checks and deploys git2s3: a push to a Git repository becomes a zip in an S3 bucket
#[derive(Debug, Parser)]
#[command(
    name = "infra",
    version,
    arg_required_else_help = true,
    after_help = EXITS
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask what a first deployment needs to know, and write `git2s3.toml`
    Init(init::Arguments),
    /// Build the functions and zip them for Lambda
    Package(package::Arguments),
    /// Write the template
    Synth(synth::Arguments),
    /// Check a template with the rules of `policy/`
    Check(check::Arguments),
    /// Compare the template with a deployed, an older or another one
    Diff(diff::Arguments),
    /// Write a page for approvers: diagram, rights, data, rules, changes, costs
    Review(review::Arguments),
    /// Print a JSON Schema: of `git2s3.toml`, of a custom resource's properties, or of what
    /// `acceptance` writes
    Schema(schema::Arguments),
    /// Print shell completions for commands and options
    Completions(completions::Arguments),
    /// Deploy the stack: show what would change, ask, do it and tell how it goes
    Deploy(deploy::Arguments),
    /// Print a least-privilege IAM policy for running these commands, or for the role that
    /// `CloudFormation` assumes
    DeployerPolicy(deployer_policy::Arguments),
    /// Show how the stack is doing: parameters, endpoints, last objects, queues, refusals, errors
    Status(status::Arguments),
    /// Show what happened to pushes, by delivery, from the logs of all functions
    Logs(logs::Arguments),
    /// Tell the story of a push: received, queued, tried, stored where, or refused and why
    Trace(trace::Arguments),
    /// Connect repositories: add a deploy key and a webhook at the Git host, and wait for the zip
    Connect(connect::Arguments),
    /// Give the stack a GitHub App: access to any number of repositories, and one webhook for all
    App(app::Arguments),
    /// Follow the path of a push, and say at which step it fails and what to do
    Doctor(doctor::Arguments),
    /// Remove what `connect` added: webhooks, deploy keys, and the stack's keys for them
    Disconnect(disconnect::Arguments),
    /// List the SSH keys of the stack and of its repositories
    Keys(keys::Arguments),
    /// Move dead-letter messages back to their queues
    Redrive(redrive::Arguments),
    /// Run the job of a push again, and wait for what becomes of it
    Replay(replay::Arguments),
    /// Delete the stack and all its content
    Destroy(destroy::Arguments),
    /// Test in an AWS account what only AWS can show: create a separate stack, use it, change it,
    /// delete it
    Acceptance(Box<acceptance::Arguments>),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::try_parse().unwrap_or_else(|error| without_values(error).exit());
    let result = match arguments.command {
        Command::Init(arguments) => init::run(&arguments),
        Command::Package(arguments) => package::run(&arguments),
        Command::Synth(arguments) => synth::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments).await,
        Command::Review(arguments) => review::run(&arguments).await,
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments, Arguments::command()),
        Command::Deploy(arguments) => deploy::run(&arguments).await,
        Command::DeployerPolicy(arguments) => deployer_policy::run(&arguments).await,
        Command::Status(arguments) => status::run(&arguments).await,
        Command::Logs(arguments) => logs::run(&arguments).await,
        Command::Trace(arguments) => Box::pin(trace::run(&arguments)).await,
        Command::Connect(arguments) => Box::pin(connect::run(&arguments)).await,
        Command::App(arguments) => Box::pin(app::run(&arguments)).await,
        Command::Doctor(arguments) => Box::pin(doctor::run(&arguments)).await,
        Command::Disconnect(arguments) => Box::pin(disconnect::run(&arguments)).await,
        Command::Keys(arguments) => keys::run(&arguments).await,
        Command::Redrive(arguments) => redrive::run(&arguments).await,
        Command::Replay(arguments) => Box::pin(replay::run(&arguments)).await,
        Command::Destroy(arguments) => destroy::run(&arguments).await,
        Command::Acceptance(arguments) => Box::pin(acceptance::run(*arguments)).await,
    };
    if let Err(error) = &result {
        print::talk(&report::render(error));
    }
    exit_code(&result)
}

/// Removes from an error what was typed after `=`: in `ApiSecret=...` without the flag before it,
/// that is a secret.
fn without_values(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg)
        && let Some((name, _)) = typed.split_once('=')
    {
        let name = format!("{name}=...");
        error.remove(ContextKind::Suggested);
        error.insert(ContextKind::InvalidArg, ContextValue::String(name));
    }
    if error.kind() == ErrorKind::TooManyValues {
        error.insert(ContextKind::InvalidValue, ContextValue::String("...".to_owned()));
    }
    error
}

/// The one place that decides how the process ends; clap ends it with 2 by itself.
fn exit_code(result: &anyhow::Result<Outcome>) -> ExitCode {
    ExitCode::from(match result {
        Ok(Outcome::Fine) => 0,
        Ok(Outcome::Findings) => 1,
        Ok(Outcome::NoStack) => 4,
        Ok(Outcome::Declined) => 5,
        Err(error) if report::is_usage(error) => 2,
        Err(error) if error.is::<report::Interrupted>() => 130,
        Err(_) => 3,
    })
}
