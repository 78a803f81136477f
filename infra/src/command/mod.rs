//! One file per command: its arguments and its output.

pub(crate) mod acceptance;
pub(crate) mod app;
pub(crate) mod caller;
pub(crate) mod check;
pub(crate) mod checkout;
pub(crate) mod completions;
pub(crate) mod connect;
pub(crate) mod deploy;
pub(crate) mod deployer_policy;
pub(crate) mod destroy;
pub(crate) mod diff;
pub(crate) mod disconnect;
pub(crate) mod doctor;
mod execute;
mod host_token;
mod importing;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod logs;
pub(crate) mod package;
mod parameters;
pub(crate) mod redrive;
pub(crate) mod replay;
mod repositories;
pub(crate) mod review;
pub(crate) mod schema;
mod since;
pub(crate) mod status;
pub(crate) mod synth;
pub(crate) mod trace;

use std::io::{BufRead, IsTerminal, stderr, stdin};
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use deployment::account::{self, Account, AccountError, Chosen, Wanted};
use deployment::deploy::{self as stacks, NotARole, ServiceRole};
use deployment::render::print;
use deployment::render::progress::Progress;
use deployment::render::visible::visible;
use infra::configuration::{Configuration, ConfigurationError};

use secrecy::SecretString;

use crate::report::{Interrupted, Usage};

/// How a command ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Success.
    Fine,
    /// It has findings.
    Findings,
    /// There is no such stack: perhaps it has another name, region or account.
    NoStack,
    /// The person at the terminal didn't agree, and nothing was changed.
    Declined,
}

/// The stack that a command is about.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// Configuration file, instead of git2s3.toml
    #[arg(long, value_name = "FILE", value_parser = caller::path())]
    config: Option<PathBuf>,
    /// Name of the stack [default: git2s3]
    #[arg(long, value_name = "NAME", env = "GIT2S3_STACK_NAME", value_parser = NonEmptyStringValueParser::new())]
    stack_name: Option<String>,
    /// AWS region, instead of `AWS_REGION` and the configured one
    #[arg(long, value_name = "REGION", value_parser = NonEmptyStringValueParser::new())]
    region: Option<String>,
    /// Profile of AWS's configuration files, instead of `AWS_PROFILE` and credentials of the
    /// environment
    #[arg(long, value_name = "PROFILE", value_parser = NonEmptyStringValueParser::new())]
    profile: Option<String>,
}

/// A stack, found.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) stack_name: String,
    pub(crate) account: Account,
    profile: Option<String>,
    remark: Option<String>,
}

impl Place {
    /// Reads the configuration file.
    pub(crate) fn configuration(&self) -> Result<Configuration, ConfigurationError> {
        Configuration::read(self.config.as_deref())
    }

    /// The stack's name.
    pub(crate) fn stack_name(&self, configuration: &Configuration) -> String {
        let name = self.stack_name.clone().or_else(|| configuration.stack_name.clone());
        name.unwrap_or_else(|| "git2s3".to_owned())
    }

    async fn chosen(&self, configuration: &Configuration) -> Result<Chosen, AccountError> {
        let flags = Wanted { region: self.region.clone(), profile: self.profile.clone() };
        let file = Wanted { region: configuration.region.clone(), profile: configuration.profile.clone() };
        account::configuration(flags, file).await
    }

    /// The region, for commands that need nothing else of AWS.
    pub(crate) async fn region(&self, configuration: &Configuration) -> Result<String, AccountError> {
        let region = self.chosen(configuration).await?.config.region().map(ToString::to_string);
        region.ok_or(AccountError::NoRegion)
    }

    /// Locates the stack. Flags have precedence over the environment, and that over the
    /// configuration file.
    pub(crate) async fn locate(&self, configuration: &Configuration) -> anyhow::Result<Located> {
        let Chosen { config, profile, remark } = self.chosen(configuration).await?;
        let account = Account::open(&config).await?;
        Ok(Located { stack_name: self.stack_name(configuration), account, profile, remark })
    }
}

impl Place {
    /// Whether the credentials for AWS were chosen explicitly.
    pub(crate) fn says_as_whom(&self, configuration: &Configuration) -> bool {
        self.profile.is_some() || configuration.profile.is_some() || account::is_chosen_by_the_environment()
    }
}

impl Located {
    /// Prints the stack's account and the credentials' owner before anything is changed, so that a
    /// mistake is noticed.
    pub(crate) fn announce(&self, progress: &mut dyn Progress) {
        let Account { id, region, principal, .. } = &self.account;
        progress.step(&format!("stack {} in account {id}, {region}, as {principal}", self.stack_name));
        if let Some(remark) = &self.remark {
            progress.step(remark);
        }
    }

    /// Prints the role that `CloudFormation` will assume, if any.
    pub(crate) async fn announce_role(
        &self,
        role: Option<&ServiceRole>,
        progress: &mut dyn Progress,
    ) -> anyhow::Result<()> {
        let Account { id, .. } = &self.account;
        if let Some(role) = role.filter(|role| role.account() != id) {
            let message = format!("{} is a role of another account: the stack's is {id}", role.arn());
            return Err(Usage { message, hint: None }.into());
        }
        let stack = stacks::identity(&self.account, &self.stack_name).await?;
        if let Some(acting) = stacks::acting(role, stack.and_then(|stack| stack.role).as_deref()) {
            progress.step(&acting);
        }
        Ok(())
    }

    /// A complete AWS CLI command for the same account and region.
    pub(crate) fn aws(&self, command: &str) -> String {
        let profile = self.profile.as_ref().map(|profile| format!(" --profile {}", quoted(profile)));
        let (region, profile) = (quoted(&self.account.region), profile.unwrap_or_default());
        format!("aws cloudformation {command} --region {region}{profile}")
    }

    /// The message that there is no such stack, with the place where it was looked for.
    pub(crate) fn absent(&self) -> String {
        format!("there is no stack {} in account {}, {}", self.stack_name, self.account.id, self.account.region)
    }
}

/// The stack that a command changes.
#[derive(Debug, clap::Args)]
pub(crate) struct Target {
    #[command(flatten)]
    pub(crate) place: Place,
    /// ARN of the role that `CloudFormation` assumes, instead of using the caller's rights; a stack
    /// remembers it
    #[arg(long, value_name = "ARN")]
    role_arn: Option<ServiceRole>,
    /// Go ahead without asking
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Whether to ask for confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// The answer was given with `--yes`.
    Answered,
    /// A person sits at the terminal.
    Ask,
}

impl Target {
    /// The role that `CloudFormation` is to assume.
    pub(crate) fn role(&self, configuration: &Configuration) -> Result<Option<ServiceRole>, Usage> {
        role(self.role_arn.as_ref(), configuration)
    }

    /// Whether to ask before anything changes.
    pub(crate) fn question(&self) -> Result<Question, Usage> {
        question(self.yes)
    }
}

/// Whether to ask before anything changes.
pub(crate) fn question(is_answered: bool) -> Result<Question, Usage> {
    if is_answered {
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

/// The role that `CloudFormation` is to assume. The flag has precedence over the configuration
/// file.
fn role(flag: Option<&ServiceRole>, configuration: &Configuration) -> Result<Option<ServiceRole>, Usage> {
    let configured = || configuration.role_arn.as_deref().map(str::parse).transpose();
    let role = flag.cloned().map_or_else(configured, |role| Ok(Some(role)));
    role.map_err(|error: NotARole| Usage { message: format!("role-arn of git2s3.toml: {error}"), hint: None })
}

/// Asks the person to confirm by typing `expected`.
pub(crate) fn confirm(
    question: Question,
    text: &str,
    expected: &str,
    progress: &mut dyn Progress,
) -> std::io::Result<bool> {
    if question == Question::Answered {
        return Ok(true);
    }
    ask(text, expected, progress)?;
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer)?;
    Ok(agrees(&answer, expected))
}

/// The same if something was created already that stays after Ctrl-C: `stays` says what.
pub(crate) async fn confirm_or(
    question: Question,
    text: &str,
    expected: &str,
    progress: &mut dyn Progress,
    stays: impl FnOnce() -> Interrupted,
) -> anyhow::Result<bool> {
    if question == Question::Answered {
        return Ok(true);
    }
    let asked = async {
        ask(text, expected, progress)?;
        let (told, answer) = tokio::sync::oneshot::channel();
        // A thread of its own: nothing waits for it when the process ends.
        std::thread::spawn(move || {
            let mut answer = String::new();
            drop(told.send(stdin().lock().read_line(&mut answer).map(|_| answer)));
        });
        anyhow::Ok(agrees(&answer.await??, expected))
    };
    tokio::select! {
        // In this order, since Ctrl-C may be pressed while the question is being printed.
        biased;
        _ = tokio::signal::ctrl_c() => Err(stays().into()),
        agrees = asked => agrees,
    }
}

fn ask(text: &str, expected: &str, progress: &mut dyn Progress) -> std::io::Result<()> {
    progress.pause();
    let choice = if expected == "y" { " [y/N]" } else { "" };
    print::question(&format!("{text}{choice}"))
}

/// Quotes the word for a shell, if needed.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/@+=,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Reads a secret from the terminal, without echo.
pub(crate) fn password(name: &str) -> std::io::Result<SecretString> {
    if !stdin().is_terminal() {
        return Err(std::io::Error::other("there is no terminal to ask at"));
    }
    rpassword::prompt_password(format!("{} (empty keeps the one of an existing stack): ", visible(name)))
        .map(Into::into)
}

fn agrees(answer: &str, expected: &str) -> bool {
    let answer = answer.trim();
    answer == expected || (expected == "y" && ["Y", "yes"].contains(&answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_words_are_quoted() {
        for (word, expected) in [("eu-west-1", "eu-west-1"), ("", "''"), ("it's $HOME", r"'it'\''s $HOME'")] {
            assert_eq!(quoted(word), expected);
        }
    }

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
