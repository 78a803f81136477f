//! `infra init`: a few questions at a terminal, or answers as flags, and the resulting file.

use std::io::{self, BufRead, IsTerminal, Write as _, stderr, stdin};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::builder::NonEmptyStringValueParser;
use deployment::render::print;
use deployment::render::shown::Shown;
use infra::configuration;
use infra::start::{StartError, Wishes};

use super::{Outcome, caller};
use crate::report::Usage;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Configuration file to write, instead of git2s3.toml
    #[arg(long, value_name = "FILE", value_parser = caller::path())]
    config: Option<PathBuf>,
    /// Name of the stack, for the file
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    stack_name: Option<String>,
    /// AWS region, for the file
    #[arg(long, value_name = "REGION", value_parser = NonEmptyStringValueParser::new())]
    region: Option<String>,
    /// Profile of AWS's configuration files, for the file
    #[arg(long, value_name = "PROFILE", value_parser = NonEmptyStringValueParser::new())]
    profile: Option<String>,
    /// Git host: github.com, gitlab.com, bitbucket.org, dev.azure.com or an entry of
    /// `AllowedGitHosts` [default: github.com]
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Organisation (acme), or repositories (acme/rocket, acme/lander)
    #[arg(long, value_name = "NAMES")]
    repositories: Option<String>,
    /// Branches and tags, as globs; all if empty [default: main]
    #[arg(long, value_name = "GLOBS")]
    refs: Option<String>,
    /// The repositories are private: the default
    #[arg(long, conflicts_with = "public")]
    private: bool,
    /// The repositories are public
    #[arg(long)]
    public: bool,
    /// Mail address for alarms; no mail if empty
    #[arg(long, value_name = "ADDRESS")]
    alarm_email: Option<String>,
    /// Ask nothing: use defaults for what isn't given
    #[arg(long, short)]
    yes: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let path = arguments.config.clone().unwrap_or_else(|| PathBuf::from(configuration::FILE));
    if path.exists() {
        return Err(there(&path).into());
    }
    let asks = !arguments.yes && stdin().is_terminal() && stderr().is_terminal();
    if !asks && !arguments.yes {
        return Err(Usage {
            message: "there is no terminal to ask at".to_owned(),
            hint: Some("`--yes` asks nothing, and the answers are flags: `--repositories acme --yes`".to_owned()),
        }
        .into());
    }
    let mut wishes = Wishes {
        stack_name: arguments.stack_name.clone(),
        region: arguments.region.clone(),
        profile: arguments.profile.clone(),
        host: arguments.host.clone().unwrap_or_else(|| "github.com".to_owned()),
        repositories: arguments.repositories.clone().unwrap_or_default(),
        refs: arguments.refs.clone().unwrap_or_else(|| "main".to_owned()),
        is_private: !arguments.public,
        alarm_email: arguments.alarm_email.clone().unwrap_or_default(),
    };
    if asks {
        ask(arguments, &mut wishes)?;
    }
    let text = wishes.file().map_err(unfit)?;
    if asks {
        print::talk(&Shown::lines(&format!("\n{text}\n")));
        let answer = question(&format!("write this to {}? [Y/n]", path.display()))?;
        if !["", "y", "yes"].contains(&answer.to_lowercase().as_str()) {
            print::talk_line("nothing was written");
            return Ok(Outcome::Declined);
        }
    }
    write(&path, &text)?;
    print::talk_line(&format!("{} is written. Next:", path.display()));
    for (number, step) in wishes.next_steps()?.iter().enumerate() {
        print::talk_line(&format!("  {}. {step}", number + 1));
    }
    print::line(&path.display().to_string());
    Ok(Outcome::Fine)
}

/// Asks for what no flag sets, until each answer is valid.
fn ask(arguments: &Arguments, wishes: &mut Wishes) -> anyhow::Result<()> {
    if arguments.host.is_none() {
        print::talk_line("Where do the repositories lie? github.com, gitlab.com, bitbucket.org, dev.azure.com,");
        print::talk_line("or a server of your own: its name and what it runs, such as `git.example.com kind=gitlab`");
        print::talk_line("(kinds: github, gitlab, bitbucket-dc, gitea, azure).");
        until_fit("host", wishes, |wishes, answer| {
            answer.clone_into(&mut wishes.host);
            wishes.allowed_host().map(drop)
        })?;
    }
    if arguments.repositories.is_none() {
        print::talk_line("Which organisation (acme), or which repositories (acme/rocket, acme/lander)?");
        until_fit("repositories", wishes, |wishes, answer| {
            answer.clone_into(&mut wishes.repositories);
            let only = Wishes { refs: String::new(), alarm_email: String::new(), ..wishes.clone() };
            only.parameters().map(drop)
        })?;
    }
    if arguments.refs.is_none() {
        print::talk_line("Which branches and tags? Globs such as `main, release/*`, or `*` for all.");
        until_fit("branches and tags", wishes, |wishes, answer| {
            if answer == "*" { "" } else { answer }.clone_into(&mut wishes.refs);
            Wishes { alarm_email: String::new(), ..wishes.clone() }.parameters().map(drop)
        })?;
    }
    if !arguments.private && !arguments.public {
        let answer = question("Are they private? [Y/n]")?;
        wishes.is_private = !["n", "no"].contains(&answer.to_lowercase().as_str());
    }
    if arguments.alarm_email.is_none() {
        print::talk_line("Who is told when pushes stop becoming zips? A mail address, or nothing.");
        until_fit("mail address", wishes, |wishes, answer| {
            answer.clone_into(&mut wishes.alarm_email);
            wishes.parameters().map(drop)
        })?;
    }
    Ok(())
}

/// Asks until `take` accepts the answer; an empty answer keeps the current value.
fn until_fit(
    name: &str,
    wishes: &mut Wishes,
    take: impl Fn(&mut Wishes, &str) -> Result<(), StartError>,
) -> anyhow::Result<()> {
    let usual = match name {
        "host" => wishes.host.clone(),
        "branches and tags" => wishes.refs.clone(),
        _ => String::new(),
    };
    let shown = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
    loop {
        let answer = question(&format!("{name}{shown}:"))?;
        let answer = if answer.is_empty() { usual.as_str() } else { answer.as_str() };
        match take(wishes, answer) {
            Ok(()) => return Ok(()),
            Err(error) => {
                let error = anyhow::Error::from(error);
                let chain: Vec<_> = error.chain().map(ToString::to_string).collect();
                print::talk_line(&format!("That won't do: {}", chain.join(": ")));
            }
        }
    }
}

fn question(text: &str) -> anyhow::Result<String> {
    print::question(text)?;
    let mut answer = String::new();
    if stdin().lock().read_line(&mut answer)? == 0 {
        return Err(Usage { message: "the answers ended before the questions".to_owned(), hint: None }.into());
    }
    Ok(answer.trim().to_owned())
}

fn unfit(error: StartError) -> anyhow::Error {
    let hint = match error {
        StartError::Nothing => Some("`--repositories acme`".to_owned()),
        StartError::Host => Some("`--host github.com`".to_owned()),
        StartError::Parameter(error) => return error.into(),
        StartError::Template(_) => return error.into(),
        _ => None,
    };
    Usage { message: error.to_string(), hint }.into()
}

/// Never overwrites a file, even one that was created during the questions.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = std::fs::File::create_new(path);
    let mut file = match file {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(there(path).into()),
        file => file.with_context(|| format!("cannot write {}", path.display()))?,
    };
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

fn there(path: &Path) -> Usage {
    Usage {
        message: format!("{} is there already, and is never overwritten", path.display()),
        hint: Some("change it by hand, or write another one: `--config FILE`".to_owned()),
    }
}
