//! The command `local`: the local cloud and the demo for a person, and, hidden, what sshd and Git
//! run on behalf of the local Git host.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use git2s3_tests::serve::Service;
use git2s3_tests::sshd::Access;

/// git2s3 on this machine: an AWS account, a Git host, the stack.
#[derive(Parser)]
#[command(name = "local")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// What sshd runs for a connection.
    #[command(hide = true)]
    Serve {
        #[arg(long)]
        root: PathBuf,
        #[arg(long)]
        access: Access,
    },
    /// What Git runs after a push.
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
            anstream::eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(verb: Verb) -> Result<()> {
    match verb {
        Verb::Serve { root, access } => {
            let command = std::env::var("SSH_ORIGINAL_COMMAND").context("there is no shell here")?;
            Service::parse(&command, access, &root)?.run()
        }
        Verb::Hook { host } => {
            for answer in git2s3_tests::host::report(&host, std::io::stdin().lock()).await? {
                anstream::eprintln!("{answer}");
            }
            Ok(())
        }
    }
}
