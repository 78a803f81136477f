//! A person's token for a Git host's management API: from the environment, from the host's own
//! command line, or typed. It is used for this command and never stored.

use std::io::{IsTerminal, stdin};
use std::process::{Command, Stdio};

use contract::{AllowedHost, HostKind};
use deployment::render::visible::visible;
use secrecy::SecretString;

use crate::report::Usage;

/// Our own variable, which has precedence over those of other programs.
const OURS: &str = "GIT2S3_HOST_TOKEN";

/// The variables in which other programs expect a token.
fn variables(host: &AllowedHost) -> &'static [&'static str] {
    match host.kind {
        Some(HostKind::GitHub) if host.host.as_str() == "github.com" => &["GH_TOKEN", "GITHUB_TOKEN"],
        Some(HostKind::GitHub) => &["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"],
        Some(HostKind::GitLab) => &["GITLAB_TOKEN"],
        Some(HostKind::Bitbucket | HostKind::BitbucketDataCenter) => &["BITBUCKET_TOKEN"],
        Some(HostKind::Gitea) => &["GITEA_TOKEN", "FORGEJO_TOKEN"],
        Some(HostKind::Azure) => &["AZURE_DEVOPS_EXT_PAT"],
        None => &[],
    }
}

/// The host's own command line, if it can tell its token.
fn command_line(host: &AllowedHost) -> Option<Command> {
    let (program, arguments) = match host.kind {
        Some(HostKind::GitHub) => ("gh", ["auth", "token", "--hostname"].as_slice()),
        Some(HostKind::GitLab) => ("glab", ["config", "get", "token", "--host"].as_slice()),
        _ => return None,
    };
    let mut command = Command::new(program);
    command.args(arguments).arg(host.host.as_str()).stdin(Stdio::null()).stderr(Stdio::null());
    Some(command)
}

/// A token, and where it is from.
pub(crate) fn find(host: &AllowedHost) -> anyhow::Result<(SecretString, String)> {
    let from_environment = [OURS].iter().chain(variables(host)).find_map(|name| {
        let value = std::env::var(name).ok().filter(|value| !value.trim().is_empty())?;
        Some((value.trim().into(), (*name).to_owned()))
    });
    if let Some(found) = from_environment.or_else(|| from_command_line(host)) {
        return Ok(found);
    }
    if !stdin().is_terminal() {
        let message = format!("there is no token for {}, and no terminal to ask at", host.host);
        let hint = format!("set {}", [&[OURS], variables(host)].concat().join(" or "));
        return Err(Usage { message, hint: Some(hint) }.into());
    }
    let typed = rpassword::prompt_password(format!("Token for {} (it is not stored): ", visible(host.host.as_str())))?;
    Ok((typed.trim().into(), "the terminal".to_owned()))
}

fn from_command_line(host: &AllowedHost) -> Option<(SecretString, String)> {
    let mut command = command_line(host)?;
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let token = Some(text.trim()).filter(|token| !token.is_empty())?;
    Some((token.into(), command.get_program().to_string_lossy().into_owned()))
}
