//! `infra completions`: shell completions for our commands and options.

use clap::ValueEnum;
use clap_complete::{Shell, generate};
use deployment::render::print;

use super::Outcome;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// For which shell
    #[arg(value_enum)]
    shell: For,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum For {
    Bash,
    Zsh,
    Fish,
}

pub(crate) fn run(arguments: &Arguments, mut command: clap::Command) -> anyhow::Result<Outcome> {
    let shell = match arguments.shell {
        For::Bash => Shell::Bash,
        For::Zsh => Shell::Zsh,
        For::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut command, "infra", &mut script);
    print::script(&String::from_utf8(script)?);
    Ok(Outcome::Fine)
}
