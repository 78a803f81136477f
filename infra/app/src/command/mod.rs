//! One file per command: its arguments, and what of the result is printed.

pub(crate) mod check;
pub(crate) mod deploy;
pub(crate) mod destroy;
pub(crate) mod diff;
pub(crate) mod package;
pub(crate) mod review;
pub(crate) mod synth;

use std::io::{BufRead, IsTerminal, Write, stderr, stdin};

use git2s3_infra::render::progress::Progress;

use crate::report::Usage;

/// How a command ended that did what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing to object to.
    Fine,
    /// It found what it was looking for, and that is bad news.
    Findings,
}

/// The stack that a command is about.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// Name of the stack
    #[arg(long, value_name = "NAME", default_value = "git2s3")]
    pub(crate) stack_name: String,
    /// AWS region, instead of the configured one
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// Profile of AWS's configuration files, instead of `AWS_PROFILE`
    #[arg(long, value_name = "PROFILE")]
    pub(crate) profile: Option<String>,
}

/// The stack that a command changes.
#[derive(Debug, clap::Args)]
pub(crate) struct Target {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Go ahead without asking
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Whether there is somebody to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// The answer was given with `--yes`.
    Answered,
    /// A person sits at the terminal.
    Ask,
}

impl Target {
    /// Whether to ask before anything changes.
    pub(crate) fn question(&self) -> Result<Question, Usage> {
        if self.yes {
            Ok(Question::Answered)
        } else if stdin().is_terminal() && stderr().is_terminal() {
            Ok(Question::Ask)
        } else {
            Err(Usage {
                message: "there is no terminal to ask for confirmation".to_owned(),
                hint: Some("`--yes` goes ahead without asking".to_owned()),
            })
        }
    }
}

/// Whether the person agrees, by typing what is `expected`.
pub(crate) fn confirm(
    question: Question,
    text: &str,
    expected: &str,
    progress: &mut dyn Progress,
) -> std::io::Result<bool> {
    if question == Question::Answered {
        return Ok(true);
    }
    progress.pause();
    let mut stderr = anstream::stderr();
    let choice = if expected == "y" { " [y/N]" } else { "" };
    write!(stderr, "{text}{choice} ")?;
    stderr.flush()?;
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer)?;
    Ok(agrees(&answer, expected))
}

fn agrees(answer: &str, expected: &str) -> bool {
    let answer = answer.trim();
    answer == expected || (expected == "y" && ["Y", "yes"].contains(&answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_expected_answer_agrees() {
        for (answer, expected, agreed) in [
            ("y\n", "y", true),
            ("yes\n", "y", true),
            ("Y", "y", true),
            ("", "y", false),
            ("n\n", "y", false),
            ("git2s3\n", "git2s3", true),
            ("y\n", "git2s3", false),
            ("", "git2s3", false),
        ] {
            assert_eq!(agrees(answer, expected), agreed, "{answer:?} for {expected}");
        }
    }
}
