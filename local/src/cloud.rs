//! An AWS account on this machine: MiniStack with IAM enforcement, on its own port.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::aws::Account;
use crate::decisions::Decisions;
use crate::fault_proxy::FaultProxy;
use crate::mismatches::Mismatches;
use crate::packaged;
use crate::process::{Lifetime, Recorded, Service, free_port};

/// The layer inside the emulator's process that makes it as strict and as slow as AWS.
const LAYER: &[(&str, &str)] = &[
    ("__main__.py", include_str!("local_cloud/__main__.py")),
    ("control.py", include_str!("local_cloud/control.py")),
    ("decisions.py", include_str!("local_cloud/decisions.py")),
    ("differences.py", include_str!("local_cloud/differences.py")),
    ("records.py", include_str!("local_cloud/records.py")),
    ("switches.py", include_str!("local_cloud/switches.py")),
    ("unpacked.py", include_str!("local_cloud/unpacked.py")),
    ("shapes/__init__.py", include_str!("local_cloud/shapes/__init__.py")),
    ("shapes/accepted.py", include_str!("local_cloud/shapes/accepted.py")),
    ("shapes/answers.py", include_str!("local_cloud/shapes/answers.py")),
    ("shapes/models.py", include_str!("local_cloud/shapes/models.py")),
    ("shapes/requests.py", include_str!("local_cloud/shapes/requests.py")),
    ("shapes/values.py", include_str!("local_cloud/shapes/values.py")),
    ("strict/__init__.py", include_str!("local_cloud/strict/__init__.py")),
    ("strict/access_log.py", include_str!("local_cloud/strict/access_log.py")),
    ("strict/api_account.py", include_str!("local_cloud/strict/api_account.py")),
    ("strict/bucket_policies.py", include_str!("local_cloud/strict/bucket_policies.py")),
    ("strict/buckets.py", include_str!("local_cloud/strict/buckets.py")),
    ("strict/certificates.py", include_str!("local_cloud/strict/certificates.py")),
    ("strict/ciphertexts.py", include_str!("local_cloud/strict/ciphertexts.py")),
    ("strict/concurrency.py", include_str!("local_cloud/strict/concurrency.py")),
    ("strict/custom_resources.py", include_str!("local_cloud/strict/custom_resources.py")),
    ("strict/deletions.py", include_str!("local_cloud/strict/deletions.py")),
    ("strict/environments.py", include_str!("local_cloud/strict/environments.py")),
    ("strict/events.py", include_str!("local_cloud/strict/events.py")),
    ("strict/log_filters.py", include_str!("local_cloud/strict/log_filters.py")),
    ("strict/names.py", include_str!("local_cloud/strict/names.py")),
    ("strict/networks.py", include_str!("local_cloud/strict/networks.py")),
    ("strict/queues.py", include_str!("local_cloud/strict/queues.py")),
    ("strict/resources.py", include_str!("local_cloud/strict/resources.py")),
    ("strict/rights.py", include_str!("local_cloud/strict/rights.py")),
    ("strict/running.py", include_str!("local_cloud/strict/running.py")),
    ("strict/service_rights.py", include_str!("local_cloud/strict/service_rights.py")),
    ("strict/service_role.py", include_str!("local_cloud/strict/service_role.py")),
    ("strict/updates.py", include_str!("local_cloud/strict/updates.py")),
    ("strict/uploads.py", include_str!("local_cloud/strict/uploads.py")),
    ("strict/validators.py", include_str!("local_cloud/strict/validators.py")),
];

/// A running emulator.
#[derive(Debug)]
pub struct Cloud {
    // The order matters: the emulator must have ended when the mismatches are read.
    service: Service,
    _mismatches: Mismatches,
    launcher: PathBuf,
    /// The account as its owner sees it.
    pub account: Account,
}

impl Cloud {
    /// Starts an empty account. Files and logs go to `dir`, which must exist.
    ///
    /// # Errors
    /// The emulator isn't installed, or isn't ready within half a minute.
    pub async fn start(dir: &Path, lifetime: Lifetime) -> Result<Self> {
        Self::start_behind(dir, lifetime, None).await
    }

    /// The same, but functions reach the account through `proxy`.
    ///
    /// # Errors
    /// As [`Cloud::start`].
    pub async fn start_behind(dir: &Path, lifetime: Lifetime, proxy: Option<&FaultProxy>) -> Result<Self> {
        let python = installed()?;
        let launcher = dir.join("local_cloud");
        for (name, text) in LAYER {
            let file = launcher.join(name);
            fs::create_dir_all(file.parent().unwrap_or(&launcher))?;
            fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
        }
        for _ in 0..3 {
            let port = free_port()?;
            let endpoint = format!("http://127.0.0.1:{port}");
            let of_functions = proxy.map_or_else(|| endpoint.clone(), FaultProxy::endpoint);
            let service = spawn(&python, &launcher, dir, port, &of_functions, lifetime)?;
            let account = Account::new(&endpoint).await?;
            let mismatches = Mismatches::of(dir.join("mismatches.jsonl"), lifetime);
            let mut cloud = Self { service, _mismatches: mismatches, launcher: launcher.clone(), account };
            // It exits if somebody took the port meanwhile: then try another.
            if cloud.wait_until_ready(&dir.join("ministack.log")).await? {
                if let Some(proxy) = proxy {
                    proxy.forward_to(&endpoint);
                }
                return Ok(cloud);
            }
        }
        bail!("MiniStack exited three times at its start: see {}", dir.join("ministack.log").display())
    }

    /// The data for `local down` to find it.
    pub fn record(&self) -> Recorded {
        self.service.record(&self.launcher.to_string_lossy())
    }

    /// Sets a switch of `local_cloud/switches.py`: how slow the account is at something.
    ///
    /// # Errors
    /// There is no such switch.
    pub async fn turn(&self, switch: &str, value: f64) -> Result<()> {
        let url = format!("{}/_local_cloud/switches?{switch}={value}", self.account.endpoint);
        let answer = crate::webhook::http_client()?.put(url).send().await.context("set a switch")?;
        answer.error_for_status().with_context(|| format!("set the switch {switch}")).map(drop)
    }

    /// The number of running functions, how often each operation was validated with AWS's models,
    /// and the accepted mismatches.
    ///
    /// # Errors
    /// The emulator doesn't respond.
    pub async fn state(&self) -> Result<Value> {
        let url = format!("{}/_local_cloud/state", self.account.endpoint);
        let answer = crate::webhook::http_client()?.get(url).send().await.context("request the state of the cloud")?;
        serde_json::from_str(&answer.text().await?).context("parse the state of the cloud")
    }

    /// The account's decisions about requests of roles.
    pub fn decisions(&self) -> Decisions {
        Decisions { file: self.launcher.with_file_name("decisions.jsonl") }
    }

    async fn wait_until_ready(&mut self, log: &Path) -> Result<bool> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.service.is_running()? {
            if self.account.is_ready().await {
                return self.service.is_running();
            }
            if Instant::now() > deadline {
                self.service.stop();
                bail!("MiniStack isn't ready after 30 s: see {}", log.display());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(false)
    }
}

fn spawn(python: &Path, launcher: &Path, dir: &Path, port: u16, endpoint: &str, lifetime: Lifetime) -> Result<Service> {
    let temporary = dir.join("tmp");
    fs::create_dir_all(&temporary)?;
    let temporary = temporary.to_string_lossy();
    let port = port.to_string();
    let path = std::env::var("PATH").context("read PATH")?;
    // Functions inherit this environment, so it contains nothing else: not the user's HOME, no
    // proxy.
    let mut environment = vec![
        ("PATH", path.as_str()),
        ("HOME", &*temporary),
        ("TMPDIR", &*temporary),
        ("BIND_HOST", "127.0.0.1"),
        ("GATEWAY_PORT", &port),
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", crate::aws::ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", crate::aws::SECRET_KEY),
        ("MINISTACK_REGION", crate::aws::REGION),
        ("IOT_MTLS_ENABLED", "0"),
        ("SFTP_ENABLED", "0"),
        ("AUTH", "true"),
        ("PYTHONUNBUFFERED", "1"),
    ];
    let unpacked = packaged::unpacked().map(|folder| folder.to_string_lossy().into_owned());
    environment.extend(unpacked.as_deref().map(|folder| ("UNPACKED_FUNCTIONS", folder)));
    let launcher = launcher.to_string_lossy();
    Service::start(python, &[&launcher], &environment, &dir.join("ministack.log"), lifetime)
}

fn installed() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("find the project's folder")?;
    let installed = root.join(".tools/ministack/bin");
    ensure!(
        installed.join("ministack").exists(),
        "MiniStack isn't installed: run `just _cloud`, which `just test` and `just demo` do by themselves"
    );
    Ok(installed.join("python3"))
}
