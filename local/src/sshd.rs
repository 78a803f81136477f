//! A real OpenSSH server on a loopback port, run by the current user. It limits each key to reading
//! or writing repositories, through `local serve`.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::process::{Lifetime, Recorded, Service, free_port};

/// The addresses that the server listens on, to act as several hosts.
const LOOPBACK: [&str; 7] =
    ["127.0.0.1", "127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14", "127.0.0.15", "127.0.0.16"];

/// What a key may do with repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Access {
    /// Fetch: a deploy key.
    Read,
    /// Fetch and push: a developer.
    Write,
}

/// A running server.
#[derive(Debug)]
pub struct Sshd {
    service: Service,
    dir: PathBuf,
    lifetime: Lifetime,
    /// The login user: the one that runs the server.
    pub user: String,
    /// The port on 127.0.0.1.
    pub port: u16,
}

impl Sshd {
    /// Starts a server with a new host key. Files and logs go to `dir`, which must exist.
    ///
    /// # Errors
    /// OpenSSH isn't installed, or the server isn't ready within ten seconds.
    pub async fn start(dir: &Path, lifetime: Lifetime) -> Result<Self> {
        let user = current_user()?;
        generate_key(&dir.join("host_key"), "host")?;
        write_private(&dir.join("authorized_keys"), "")?;
        for _ in 0..3 {
            let port = free_port()?;
            let service = spawn(dir, &user, port, lifetime)?;
            let mut sshd = Self { service, dir: dir.to_owned(), lifetime, user: user.clone(), port };
            // It exits if somebody took the port meanwhile: then try another.
            if sshd.wait_until_ready().await? {
                return Ok(sshd);
            }
        }
        bail!("sshd exited three times at its start: see {}", dir.join("sshd.log").display())
    }

    /// Authorizes a public key (one line, as in a `.pub` file) for one purpose.
    ///
    /// # Errors
    /// The list of keys can't be written.
    pub fn authorize(&self, public_key: &str, access: Access, serve: &Serve) -> Result<()> {
        let access = access.to_possible_value().context("name the access")?;
        let mut command = format!(
            "{} serve --root {} --access {}",
            shell_quoted(&serve.program),
            shell_quoted(&serve.root),
            access.get_name()
        );
        if let Some(only) = &serve.only {
            command = format!("{command} --only {}", shell_quoted(Path::new(only)));
        }
        let command = command.replace('\\', r"\\").replace('"', "\\\"");
        let path = self.authorized_keys();
        let mut keys =
            OpenOptions::new().append(true).open(&path).with_context(|| format!("open {}", path.display()))?;
        writeln!(keys, "restrict,command=\"{command}\" {}", public_key.trim()).context("authorize a key")
    }

    /// Takes a public key's authorization away.
    ///
    /// # Errors
    /// The list of keys can't be read or written.
    pub fn revoke(&self, public_key: &str) -> Result<()> {
        let path = self.authorized_keys();
        let keys = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let left: String = keys.split_inclusive('\n').filter(|line| !line.contains(public_key.trim())).collect();
        write_private(&path, &left)
    }

    /// The list of authorized keys.
    pub fn authorized_keys(&self) -> PathBuf {
        self.dir.join("authorized_keys")
    }

    /// The server's key as a line of `known_hosts`.
    ///
    /// # Errors
    /// The key can't be read.
    pub fn known_hosts_line(&self) -> Result<String> {
        let key = fs::read_to_string(self.dir.join("host_key.pub")).context("read the host key")?;
        let mut words = key.split_whitespace();
        let (kind, key) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Ok(format!("[127.0.0.1]:{} {kind} {key}", self.port))
    }

    /// The same for every address that the server listens on.
    ///
    /// # Errors
    /// The key can't be read.
    pub fn known_hosts_lines(&self) -> Result<String> {
        let line = self.known_hosts_line()?;
        Ok(LOOPBACK.map(|address| line.replace("127.0.0.1", address)).join("\n"))
    }

    /// The fingerprint of the server's key, as `ssh-keygen -l` writes it: `SHA256:...`.
    ///
    /// # Errors
    /// `ssh-keygen` fails.
    pub fn fingerprint(&self) -> Result<String> {
        let out = Command::new("ssh-keygen").arg("-lf").arg(self.dir.join("host_key.pub")).output()?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        text.split_whitespace().nth(1).map(str::to_owned).context("read the host key's fingerprint")
    }

    /// Restarts on the same port with another host key.
    ///
    /// # Errors
    /// As [`Sshd::start`].
    pub async fn replace_host_key(&mut self) -> Result<()> {
        self.service.stop();
        generate_key(&self.dir.join("host_key"), "host")?;
        self.service = spawn(&self.dir, &self.user, self.port, self.lifetime)?;
        ensure!(self.wait_until_ready().await?, "sshd didn't restart on port {}", self.port);
        Ok(())
    }

    /// The data for `local down` to find it.
    pub fn record(&self) -> Recorded {
        self.service.record(&self.dir.join("sshd_config").to_string_lossy())
    }

    async fn wait_until_ready(&mut self) -> Result<bool> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.service.is_running()? {
            if greets(self.port).await {
                return self.service.is_running();
            }
            ensure!(
                Instant::now() < deadline,
                "sshd isn't ready after 10 s: see {}",
                self.dir.join("sshd.log").display()
            );
            sleep(Duration::from_millis(10)).await;
        }
        Ok(false)
    }
}

/// How the server accesses the repositories.
#[derive(Clone, Debug)]
pub struct Serve {
    /// The `local` program.
    pub program: PathBuf,
    /// The folder of the repositories.
    pub root: PathBuf,
    /// The only repository that the key may use: a deploy key, which hosts give to one repository.
    pub only: Option<String>,
}

/// Creates an Ed25519 key pair at `path` and `path.pub`, without a passphrase.
///
/// # Errors
/// `ssh-keygen` is missing or fails.
pub fn generate_key(path: &Path, comment: &str) -> Result<()> {
    for stale in [path.to_owned(), path.with_extension("pub")] {
        fs::remove_file(stale)
            .or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    }
    let out = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"])
        .arg(path)
        .output()
        .context("run ssh-keygen")?;
    ensure!(out.status.success(), "ssh-keygen failed: {}", String::from_utf8_lossy(&out.stderr).trim());
    Ok(())
}

/// Writes a file that only its owner can read.
///
/// # Errors
/// It can't be written.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).with_context(|| format!("write {}", path.display()))
}

fn spawn(dir: &Path, user: &str, port: u16, lifetime: Lifetime) -> Result<Service> {
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        // sshd's directory for privilege separation, which a service manager would create.
        fs::create_dir_all("/run/sshd").context("create /run/sshd")?;
    }
    let addresses = LOOPBACK.iter().map(|address| format!("ListenAddress {address}\n"));
    let listen = addresses.collect::<String>();
    // SHLVL: Bash reads the user's .bashrc even for a command of sshd, unless it isn't the first
    // shell. StrictModes would check the modes of all parent folders, which aren't ours. Without
    // PAM, the server ignores the machine's accounts.
    let configuration = format!(
        "Port {port}\n{listen}HostKey {0}/host_key\nPidFile none\n\
         AuthorizedKeysFile {0}/authorized_keys\nStrictModes no\nUsePAM no\nAllowUsers {user}\n\
         PermitRootLogin prohibit-password\nPubkeyAuthentication yes\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nAcceptEnv GIT_PROTOCOL\nPermitUserEnvironment no\n\
         MaxStartups 100\nLogLevel VERBOSE\nSetEnv SHLVL=1\n",
        dir.display()
    );
    let path = dir.join("sshd_config");
    fs::write(&path, configuration).with_context(|| format!("write {}", path.display()))?;
    let path = path.to_string_lossy();
    let search = std::env::var("PATH").unwrap_or_default();
    Service::start(&installed()?, &["-D", "-e", "-f", &path], &[("PATH", &search)], &dir.join("sshd.log"), lifetime)
}

async fn greets(port: u16) -> bool {
    let greeting = async {
        let mut start = [0; 4];
        TcpStream::connect(("127.0.0.1", port)).await?.read_exact(&mut start).await?;
        std::io::Result::Ok(start == *b"SSH-")
    };
    timeout(Duration::from_secs(2), greeting).await.is_ok_and(|greeted| greeted.unwrap_or(false))
}

fn installed() -> Result<PathBuf> {
    let places = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd", "/sbin/sshd"].map(PathBuf::from);
    places.into_iter().find(|place| place.exists()).context("sshd isn't installed: the package is openssh-server")
}

fn current_user() -> Result<String> {
    let out = Command::new("id").arg("-un").output().context("run id")?;
    let user = String::from_utf8(out.stdout).context("read the user's name")?.trim().to_owned();
    ensure!(!user.is_empty(), "the user who runs this has no name");
    Ok(user)
}

fn shell_quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}
