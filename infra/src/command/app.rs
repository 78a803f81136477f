//! `infra app`: creates a GitHub App for a stack, or imports the key of one that exists.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use contract::{AllowedHost, HostKind, HostName};
use deployment::render::print;
use deployment::render::progress::{Progress, Terminal};
use deployment::typed::typed;
use host_api::GitHubAppApi;
use infra::connect::{Endpoint, Target, secret_for_all};
use infra::github_app::{Manifest, Page, PrivateKey, app_of, import};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::connect::target;
use super::{Located, Outcome, Place, caller};
use crate::report::Usage;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Create a GitHub App in the browser, import its private key into KMS, and make its webhook
    /// send to the stack
    Create(Create),
    /// Import the private key of a GitHub App that exists, and make its webhook send to the stack
    Import(Import),
}

#[derive(Debug, clap::Args)]
struct Create {
    #[command(flatten)]
    place: Place,
    /// The organisation that owns the App [default: you]
    #[arg(long, value_name = "NAME")]
    organisation: Option<String>,
    /// The host: github.com, or a GitHub Enterprise Server
    #[arg(long, value_name = "HOST", default_value = "github.com")]
    host: HostName,
    /// Let the App set the statuses of commits, as CommitStatus=on asks for
    #[arg(long)]
    commit_status: bool,
}

#[derive(Debug, clap::Args)]
struct Import {
    #[command(flatten)]
    place: Place,
    /// ID or client ID of the App
    #[arg(long, value_name = "ID", value_parser = id)]
    id: String,
    /// The host: github.com, or a GitHub Enterprise Server
    #[arg(long, value_name = "HOST", default_value = "github.com")]
    host: HostName,
    /// The private key, as the App's page gives it
    #[arg(value_name = "PEM-FILE", value_parser = caller::path())]
    file: PathBuf,
}

/// As the parameter `GitHubAppId`, for an alias of KMS.
fn id(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric();
    if (1..=40).contains(&text.len()) && text.bytes().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err("expected a number, or a client ID such as Iv23li0123456789abcd".to_owned())
    }
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let place = match &arguments.command {
        Command::Create(create) => &create.place,
        Command::Import(import) => &import.place,
    };
    let located = place.locate(&place.configuration()?).await?;
    let mut progress = Terminal::new();
    located.announce(&mut progress);
    let Some(target) = target(&located).await? else {
        progress.step(&located.absent());
        return Ok(Outcome::NoStack);
    };
    let stack = Stack { located: &located, target: &target };
    match &arguments.command {
        Command::Create(create) => stack.create(create, &mut progress).await?,
        Command::Import(import) => stack.import(import, &mut progress).await?,
    }
    Ok(Outcome::Fine)
}

/// The stack that gets an App.
struct Stack<'a> {
    located: &'a Located,
    target: &'a Target,
}

impl Stack<'_> {
    fn host(&self, name: &HostName) -> anyhow::Result<&AllowedHost> {
        let host = self.target.hosts.find_of(HostKind::GitHub, name.as_str());
        let host = host.ok_or_else(|| Usage {
            message: format!("the stack's parameter AllowedGitHosts has no {name} that runs GitHub"),
            hint: Some(format!(
                "deploy with {name} in AllowedGitHosts, with kind=github if it is a server of your own"
            )),
        })?;
        Ok(host)
    }

    fn client(&self) -> anyhow::Result<https::Client> {
        https::Client::new(&self.target.hosts, &self.target.ca_bundle).context("read the CaBundle parameter")
    }

    async fn secret(&self) -> anyhow::Result<SecretString> {
        let secrets = self.target.webhook_secrets(&self.located.account).await?;
        let secret = secret_for_all(&secrets).ok_or_else(|| Usage {
            message: "no secret in ApiSecret is valid for all repositories".to_owned(),
            hint: Some("add one without brackets: an App has one webhook for all its repositories".to_owned()),
        })?;
        Ok(secret)
    }

    async fn create(&self, create: &Create, progress: &mut dyn Progress) -> anyhow::Result<()> {
        let (host, client) = (self.host(&create.host)?, self.client()?);
        // Asked for before anything is created.
        let secret = self.secret().await?;
        let page = Page::open().await?;
        progress.step(&format!("open this page, and confirm the App at {}: {}", host.host, page.url()));
        let manifest = Manifest {
            host,
            organisation: create.organisation.as_deref(),
            stack: &self.target.name,
            url: self.target.url(Endpoint::GitPull),
            sets_statuses: create.commit_status,
        };
        let code = tokio::select! {
            code = page.code(&manifest) => code?,
            _ = tokio::signal::ctrl_c() => {
                return Err(crate::report::Interrupted("no App was created".to_owned(), None).into());
            }
        };
        let app = GitHubAppApi::create(host, client, &code).await?;
        progress.step(&format!("the App {} is there: {}", app.id, app.html_url));
        let key = PrivateKey::parse(&app.pem)?;
        drop(app.pem);
        let set_up = self.set_up(host, &app.id.to_string(), &key, &secret, progress).await;
        set_up.with_context(|| {
            let command = typed(&format!("app import --id {} PEM-FILE", app.id));
            format!("the App {} is not set up: create a private key on its page, then run {command}", app.id)
        })
    }

    async fn import(&self, import: &Import, progress: &mut dyn Progress) -> anyhow::Result<()> {
        let host = self.host(&import.host)?;
        let secret = self.secret().await?;
        let key = read(&import.file)?;
        self.set_up(host, &import.id, &key, &secret, progress).await?;
        progress.step(&format!("delete {}: the key is in KMS", import.file.display()));
        Ok(())
    }

    async fn set_up(
        &self,
        host: &AllowedHost,
        id: &str,
        key: &PrivateKey,
        secret: &SecretString,
        progress: &mut dyn Progress,
    ) -> anyhow::Result<()> {
        let account = &self.located.account;
        let arn = import(account, &self.target.name, id, key).await?;
        progress.step(&format!("KMS has the private key: {arn}"));
        let app = app_of(account, host, id, &arn, self.client()?);
        let api = app.api().await?;
        api.update_webhook(self.target.url(Endpoint::GitPull), secret).await?;
        progress.step("the App's webhook sends to the stack, with the stack's secret");
        let install = api.description().await?.install_url();
        progress.step("1. write this to git2s3.toml and deploy:");
        print::line("[parameters]");
        print::line(&format!("GitHubAppId = \"{id}\""));
        print::line(&format!("GitHubAppKey = \"{arn}\""));
        if host.host.as_str() != "github.com" {
            print::line(&format!("GitHubAppHost = \"{}\"", host.host));
        }
        progress.step(&format!("2. install the App on repositories: {install}"));
        let connect = typed(&format!("connect {}/OWNER/NAME", host.host));
        progress.step(&format!("3. {connect} checks a repository"));
        Ok(())
    }
}

/// Reads a private key, and wipes what was read.
fn read(file: &Path) -> anyhow::Result<PrivateKey> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let text = Zeroizing::new(text);
    PrivateKey::parse(&text.as_str().into()).with_context(|| format!("read the private key in {}", file.display()))
}
