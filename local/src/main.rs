//! The command `local`: the local cloud and the demo for people, and hidden subcommands that sshd
//! and Git run for the local Git host, and the tests before they begin.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use deployment::render::progress::Terminal;
use local::demo;
use local::promises;
use local::serve::Service;
use local::sshd::Access;
use local::standing::{Description, Place};

/// git2s3 on this machine: an AWS account, a Git host, the stack.
#[derive(Parser)]
#[command(name = "local")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Start the account and the Git host, deploy the stack, and leave it all running.
    Up,
    /// Stop and remove what `up` has started
    Down,
    /// Show all steps of a push once, with everything that it needs
    Demo,
    /// Run the tests of all Git hosts, and print what works as a table
    Providers,
    /// Run the tests behind the promises, and print how much was tried and how much failed
    Prove {
        /// Run for hours: half an hour of load, ten million hostile inputs, thousands of trees
        /// compared with Git's
        #[arg(long)]
        long: bool,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Package the functions for all tests of a run.
    #[command(hide = true)]
    Package { dist: PathBuf },
    /// sshd's command for a connection.
    #[command(hide = true)]
    Serve {
        #[arg(long)]
        root: PathBuf,
        #[arg(long)]
        access: Access,
        #[arg(long)]
        only: Option<String>,
    },
    /// Git's hook after a push.
    #[command(hide = true)]
    Hook {
        #[arg(long)]
        host: PathBuf,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().verb).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(verb: Verb) -> Result<()> {
    match verb {
        Verb::Up => up().await,
        Verb::Down => {
            let stood = Place::of_checkout().down().await?;
            anstream::eprintln!("{}", if stood { "the local cloud was stopped" } else { "there was no local cloud" });
            Ok(())
        }
        Verb::Demo => show().await,
        Verb::Providers => {
            let passed = local::providers::run()?;
            anstream::print!("{}", local::providers::table(&|test| passed.contains(test)));
            let all = local::providers::claims().all(|claim| passed.contains(claim.test));
            if all { Ok(()) } else { bail!("a test failed") }
        }
        Verb::Prove { long, json } => prove(long, json),
        Verb::Package { dist } => local::packaged::package_for_run(&dist, &mut Terminal::new()),
        Verb::Serve { root, access, only } => {
            let command = std::env::var("SSH_ORIGINAL_COMMAND").context("there is no shell here")?;
            Service::parse(&command, access, &root, only.as_deref())?.run()
        }
        Verb::Hook { host } => {
            for answer in local::host::report(&host, std::io::stdin().lock()).await? {
                anstream::eprintln!("{answer}");
            }
            Ok(())
        }
    }
}

fn prove(long: bool, json: bool) -> Result<()> {
    let tallies = tempfile::tempdir().context("create a folder for tallies")?;
    let shown = promises::prove(long, tallies.path())?;
    if json {
        anstream::println!("{}", serde_json::to_string(&shown)?);
    } else {
        anstream::print!("{}", promises::table(&shown));
    }
    let failed: Vec<_> = shown.iter().flat_map(|shown| &shown.failed).copied().collect();
    if failed.is_empty() { Ok(()) } else { bail!("failed promises: {}", failed.join(", ")) }
}

async fn up() -> Result<()> {
    let place = Place::of_checkout();
    if let Some(standing) = place.standing() {
        anstream::eprintln!("the local cloud is already running; `just local-down` stops it");
        print(&place, &standing);
        return Ok(());
    }
    match or_interrupted(Box::pin(place.up("acme/rocket", &mut Terminal::new()))).await {
        Ok(description) => {
            print(&place, &description);
            Ok(())
        }
        Err(error) => {
            place.down().await?;
            Err(error)
        }
    }
}

/// Lets a person interrupt it. Dropping the future ends the processes that it has started.
async fn or_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        outcome = work => outcome,
        interrupted = tokio::signal::ctrl_c() => interrupted.context("listen for Ctrl-C").and_then(|()| bail!("interrupted")),
    }
}

fn print(place: &Place, description: &Description) {
    anstream::println!("endpoint    {}", description.endpoint);
    anstream::println!("webhook     {}", description.webhook_url);
    anstream::println!("repository  {}", description.ssh_url);
    anstream::println!("clone       {}", description.clone.display());
    anstream::println!("details     {}", place.description.display());
    for (what, line) in description.next_steps() {
        anstream::println!("\n{what}:\n  {line}");
    }
}

async fn show() -> Result<()> {
    let dir = Place::of_checkout().state.with_file_name("demo");
    let shown = or_interrupted(Box::pin(demo::run(&dir))).await;
    let shown = shown.with_context(|| format!("the demo failed; logs are in {}", dir.display()))?;
    anstream::println!();
    anstream::println!("artifact        {}", shown.address);
    anstream::println!("commit          {}", shown.commit);
    anstream::println!("size            {} bytes", shown.size);
    anstream::println!("push to object  {:.2} s", shown.push_to_object.as_secs_f64());
    Ok(())
}
