//! A local cloud that outlives the command that starts it: its description in `dist/local.json` for
//! people and programs, and its state for the command that ends it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use deployment::render::progress::Progress;
use serde::{Deserialize, Serialize};

use crate::aws;
use crate::local::{Local, Stack};
use crate::process::{Lifetime, Recorded};
use crate::sshd::write_private;

/// The local cloud's files in a checkout.
#[derive(Clone, Debug)]
pub struct Place {
    /// State and logs, ignored by Git.
    pub state: PathBuf,
    /// `dist/local.json`.
    pub description: PathBuf,
}

/// Everything needed to use a running local cloud: the contents of `dist/local.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// Base URL of every AWS service.
    pub endpoint: String,
    /// The account's region.
    pub region: String,
    /// The account owner's credentials.
    pub credentials: Credentials,
    /// Name of the stack.
    pub stack_name: String,
    /// The stack's outputs, as on AWS.
    pub outputs: BTreeMap<String, String>,
    /// The local URL of the webhook endpoint.
    pub webhook_url: String,
    /// The webhook secret.
    pub api_secret: String,
    /// The URL of the repository, for fetch and push.
    pub ssh_url: String,
    /// The Git host's key, as a line of `known_hosts`.
    pub host_key: String,
    /// A file with that line.
    pub known_hosts_file: PathBuf,
    /// The private key that may push.
    pub identity_file: PathBuf,
    /// A clone of the repository, configured with both.
    pub clone: PathBuf,
}

/// Credentials of the local account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
}

impl Description {
    /// Shell lines with explanations, which make the next command work.
    pub fn next_steps(&self) -> [(&'static str, String); 3] {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let push = format!(
            "cd {} && date > pushed && git add pushed && git commit --message 'A push' && git push origin main",
            quoted(&self.clone.display().to_string())
        );
        let variables = [
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_REGION", &self.region),
            ("AWS_ACCESS_KEY_ID", &self.credentials.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &self.credentials.secret_access_key),
        ];
        let exports = variables.map(|(name, value)| format!(" {name}={}", quoted(value))).concat();
        let bucket = self.outputs.get("OutputBucketName").map(String::as_str).unwrap_or_default();
        let look = format!("./justw status; ./justw logs; aws s3 ls --recursive s3://{bucket}");
        [("to push", push), ("to call AWS", format!("export{exports}")), ("then", look)]
    }
}

impl Place {
    /// The files of this checkout.
    pub fn of_checkout() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
        Self { state: root.join(".local/cloud"), description: root.join("dist/local.json") }
    }

    /// The running cloud, if all of it runs.
    pub fn standing(&self) -> Option<Description> {
        let processes = self.processes();
        let runs = !processes.is_empty() && processes.iter().all(Recorded::is_running);
        let description = fs::read_to_string(&self.description).ok().filter(|_| runs)?;
        serde_json::from_str(&description).ok()
    }

    /// Starts a local cloud with the stack and one repository, `repository`. On failure, nothing
    /// remains.
    ///
    /// # Errors
    /// Any part of it doesn't become ready.
    pub async fn up(&self, repository: &str, progress: &mut dyn Progress) -> Result<Description> {
        self.down().await?;
        let made = self.make(repository, progress).await;
        if made.is_err() {
            self.stop().await;
        }
        made
    }

    async fn make(&self, repository: &str, progress: &mut dyn Progress) -> Result<Description> {
        progress.waiting("starting the account and the Git host");
        let local = Local::start(&self.state, Lifetime::Detached, &|processes| self.note(processes)).await?;
        progress.step(&format!("account at {}, Git host at {}", local.cloud.account.endpoint, local.host.base_url));
        local.package(progress)?;
        let stack = local.deploy(progress).await?;
        let clone = local.host.create(repository).await?;
        let description = describe(&local, stack, &clone)?;
        if let Some(folder) = self.description.parent() {
            fs::create_dir_all(folder)?;
        }
        write_private(&self.description, &format!("{}\n", serde_json::to_string_pretty(&description)?))?;
        Ok(description)
    }

    /// Stops everything and removes the state. Returns whether there was a cloud.
    ///
    /// # Errors
    /// The state can't be removed.
    pub async fn down(&self) -> Result<bool> {
        let stood = self.stop().await;
        for gone in [fs::remove_file(&self.description), fs::remove_dir_all(&self.state)] {
            gone.or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
                .context("remove the state of the local cloud")?;
        }
        Ok(stood)
    }

    async fn stop(&self) -> bool {
        let processes = self.processes();
        let running = processes.iter().any(Recorded::is_running);
        for process in &processes {
            process.stop().await;
        }
        running
    }

    fn processes(&self) -> Vec<Recorded> {
        let noted = fs::read_to_string(self.state.join("processes.json")).ok();
        noted.and_then(|noted| serde_json::from_str(&noted).ok()).unwrap_or_default()
    }

    /// Records processes as soon as they run, so that an interrupted start can be undone.
    fn note(&self, processes: &[Recorded]) -> Result<()> {
        write_private(&self.state.join("processes.json"), &serde_json::to_string(processes)?)
    }
}

fn describe(local: &Local, stack: Stack, clone: &crate::host::Clone) -> Result<Description> {
    Ok(Description {
        endpoint: local.cloud.account.endpoint.clone(),
        region: aws::REGION.to_owned(),
        credentials: Credentials {
            access_key_id: aws::ACCESS_KEY.to_owned(),
            secret_access_key: aws::SECRET_KEY.to_owned(),
        },
        stack_name: stack.name,
        outputs: stack.outputs,
        webhook_url: stack.webhook_url,
        api_secret: stack.api_secret,
        ssh_url: clone.url.clone(),
        host_key: local.sshd.known_hosts_line()?,
        known_hosts_file: local.host.known_hosts(),
        identity_file: local.host.identity(),
        clone: clone.dir().to_owned(),
    })
}
