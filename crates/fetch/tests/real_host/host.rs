//! A real Git host for the tests: an OpenSSH server on a loopback port and real repositories,
//! independent of the system's configuration.

use std::{
    fmt::Write as _,
    fs,
    io::Read,
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use fetch::{
    Access, Clones, FetchError, FetchRequest, Fetched, KnownHosts, Limits, PrivateKey, Remote, Sessions, SshAccess,
    Wanted,
};
use tempfile::TempDir;

/// What the host runs for a client.
const SERVE: &str = r#"exec git upload-pack "$repository""#;

/// A running host.
pub(crate) struct SshHost {
    sshd: Child,
    pub(crate) temp: TempDir,
    pub(crate) port: u16,
    user: String,
}

impl Drop for SshHost {
    fn drop(&mut self) {
        self.sshd.kill().expect("stop sshd");
        self.sshd.wait().expect("wait for sshd");
    }
}

/// The differences from the default host.
pub(crate) struct Setup {
    pub(crate) host_key: &'static str,
    pub(crate) client_key: &'static str,
    /// Lines of its configuration.
    pub(crate) settings: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self { host_key: "ed25519", client_key: "ed25519", settings: "AcceptEnv GIT_PROTOCOL" }
    }
}

impl SshHost {
    pub(crate) fn start() -> Self {
        Self::start_as(&Setup::default())
    }

    pub(crate) fn start_as(setup: &Setup) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let user = output(Command::new("id").arg("-un"));
        if user == "root" {
            // sshd's directory for privilege separation, which a service manager would create.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        generate_key(&temp.path().join("host_key"), setup.host_key);
        generate_key(&temp.path().join("client_key"), setup.client_key);
        let_in(temp.path(), &temp.path().join("client_key"));
        let (sshd, port) = (0..5).find_map(|_| spawn(temp.path(), setup)).expect("sshd starts on a free port");
        let host = Self { sshd, temp, port, user };
        host.serves_by(SERVE);
        host
    }

    /// From now on, the host accepts this key instead of the client's.
    pub(crate) fn lets_in(&self, key: &Path) {
        let_in(self.temp.path(), key);
    }

    /// Replaces what the host does once it knows the repository. `$repository` is its directory.
    pub(crate) fn serves_by(&self, script: &str) {
        let root = self.temp.path().display();
        let script = format!(
            r#"#!/bin/sh
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
printf '%s\n' "$SSH_ORIGINAL_COMMAND" >> "{root}/commands"
path=${{SSH_ORIGINAL_COMMAND#"git-upload-pack '"}}
path=${{path%"'"}}
case "$SSH_ORIGINAL_COMMAND" in
    *..*|*"'"*"'"*"'"*) exit 128 ;;
    "git-lfs-authenticate '/owner/name.git' download") . "{root}/authenticate"; exit ;;
    "git-upload-pack '"*"'") repository="{root}/${{path#/}}" ;;
    *) exit 128 ;;
esac
if [ ! -d "$repository" ]; then echo "ERROR: Repository not found." >&2; exit 1; fi
{script}
"#
        );
        self.runs(&script);
    }

    /// Replaces what the host runs for any command. `$SSH_ORIGINAL_COMMAND` is the command.
    pub(crate) fn runs(&self, script: &str) {
        let path = self.temp.path().join("serve");
        // Renamed into place, so that no incomplete file is run.
        let written = path.with_extension("new");
        fs::write(&written, script).unwrap();
        fs::set_permissions(&written, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(written, path).unwrap();
    }

    /// What the host does when a client requests access to large files.
    pub(crate) fn authenticates_by(&self, script: &str) {
        fs::write(self.temp.path().join("authenticate"), script).unwrap();
    }

    pub(crate) fn serves_again(&self) {
        self.serves_by(SERVE);
    }

    /// A new repository `owner/name` with `main` as its default branch and no commit.
    pub(crate) fn repository(&self) -> Repo {
        self.repository_at("owner/name.git")
    }

    /// The same in another folder.
    pub(crate) fn repository_at(&self, path: &str) -> Repo {
        Repo::init(self.temp.path().join(path))
    }

    /// An existing repository.
    pub(crate) fn repository_in(&self, path: &str) -> Repo {
        Repo::at(self.temp.path().join(path))
    }

    /// The last command of a client.
    pub(crate) fn last_command(&self) -> String {
        let commands = fs::read_to_string(self.temp.path().join("commands")).unwrap();
        commands.lines().last().unwrap().to_owned()
    }

    pub(crate) fn known_hosts_line(&self) -> String {
        known_hosts_line(self.temp.path(), self.port)
    }

    pub(crate) fn known_hosts_at(&self, port: u16) -> KnownHosts {
        KnownHosts::built_in_and(&known_hosts_line(self.temp.path(), port)).unwrap()
    }

    /// A port that forwards to the host until it has sent this many bytes.
    pub(crate) fn behind_a_line_that_breaks_after(&self, bytes: u64) -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (port, host) = (listener.local_addr().unwrap().port(), self.port);
        std::thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            let server = TcpStream::connect(("127.0.0.1", host)).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::io::copy(&mut (&server).take(bytes), &mut (&client)).unwrap();
            for end in [client, server] {
                end.shutdown(Shutdown::Both).unwrap();
            }
        });
        port
    }

    pub(crate) fn host_fingerprint(&self) -> String {
        fingerprint(&self.temp.path().join("host_key.pub"))
    }

    /// The host as an entry of `AllowedGitHosts`.
    pub(crate) fn address(&self) -> String {
        format!("{}@127.0.0.1:{}", self.user, self.port)
    }

    pub(crate) fn request(&self, reference: &str) -> FetchRequest {
        let wanted = Wanted::Reference { name: reference.parse().unwrap(), expected: None };
        FetchRequest { remote: self.remote(), wanted }
    }

    pub(crate) fn remote(&self) -> Remote {
        remote(self.temp.path(), &self.address(), "owner/name")
    }

    pub(crate) fn clones(&self) -> Clones {
        Clones::in_folder(self.temp.path().join("clones"))
    }

    /// The path of the requested repository's clone.
    pub(crate) fn clone_dir(&self) -> PathBuf {
        self.clones().path(&self.remote().repository)
    }

    pub(crate) async fn try_fetch(&self, reference: &str) -> Result<Fetched, FetchError> {
        fetch::fetch(&self.request(reference), &self.clones()).await
    }

    pub(crate) async fn fetch(&self, reference: &str) -> Fetched {
        self.try_fetch(reference).await.unwrap()
    }
}

/// A bare repository on the host, modified in place.
pub(crate) struct Repo {
    dir: PathBuf,
}

impl Repo {
    /// An existing one.
    pub(crate) fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// A new one, with `main` as its default branch and no commit.
    pub(crate) fn init(dir: PathBuf) -> Self {
        fs::create_dir_all(&dir).unwrap();
        let repo = Self::at(dir);
        repo.git(&["init", "--quiet", "--bare", "--initial-branch=main", "."]);
        repo
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.git_reading(arguments, "")
    }

    /// Commits a tree of exactly these files on top of `branch` (or without a parent). Returns the
    /// commit's ID.
    pub(crate) fn commit(&self, branch: &str, files: &[(&str, Vec<u8>)]) -> String {
        let parent = format!("refs/heads/{branch}^0");
        let mut stream = format!(
            "commit refs/heads/{branch}\ncommitter T <t@example.com> 1700000000 +0000\ndata 12\nA summary.\n\n"
        )
        .into_bytes();
        if self.try_git(&["rev-parse", "--verify", "--quiet", &parent]) {
            stream.extend(format!("from {parent}\ndeleteall\n").bytes());
        }
        for (path, content) in files {
            stream.extend(format!("M 644 inline {path}\ndata {}\n", content.len()).bytes());
            stream.extend(content);
            stream.push(b'\n');
        }
        self.import(&stream);
        self.git(&["rev-parse", &format!("refs/heads/{branch}")])
    }

    /// Gives a branch a new history, like a force push.
    pub(crate) fn recommit(&self, branch: &str, files: &[(&str, Vec<u8>)]) -> String {
        self.git(&["update-ref", "-d", &format!("refs/heads/{branch}")]);
        self.commit(branch, files)
    }

    /// Creates this many branches at the tip of `main`.
    pub(crate) fn branches(&self, count: usize) {
        let tip = self.git(&["rev-parse", "refs/heads/main"]);
        let updates = (0..count).fold(String::new(), |mut all, number| {
            writeln!(all, "create refs/heads/topic/{number} {tip}").unwrap();
            all
        });
        self.git_reading(&["update-ref", "--stdin"], &updates);
    }

    /// Creates this many at once, like `git pack-refs`.
    pub(crate) fn packed_branches(&self, count: usize) {
        let tip = self.git(&["rev-parse", "refs/heads/main"]);
        let mut all = format!("# pack-refs with: peeled fully-peeled sorted\n{tip} refs/heads/main\n");
        for number in 0..count {
            writeln!(all, "{tip} refs/heads/topic/{number:09}").unwrap();
        }
        fs::write(self.dir.join("packed-refs"), all).unwrap();
    }

    fn import(&self, stream: &[u8]) {
        let mut command = self.command(&["fast-import", "--quiet", "--force"]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), stream).unwrap();
        assert!(child.wait().unwrap().success());
    }

    pub(crate) fn git_reading(&self, arguments: &[&str], input: &str) -> String {
        String::from_utf8(self.git_bytes(arguments, input)).unwrap().trim().to_owned()
    }

    pub(crate) fn git_bytes(&self, arguments: &[&str], input: &str) -> Vec<u8> {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn try_git(&self, arguments: &[&str]) -> bool {
        self.command(arguments).output().unwrap().status.success()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut git = Command::new("git");
        git.current_dir(&self.dir).args(arguments);
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        for role in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{role}_NAME"), "T").env(format!("GIT_{role}_EMAIL"), "t@example.com");
        }
        git
    }
}

/// A repository on the host at an address, which has its files in a folder.
pub(crate) fn remote(folder: &Path, address: &str, path: &str) -> Remote {
    let host: contract::AllowedHost = address.parse().unwrap();
    Remote {
        repository: contract::Repository::new("127.0.0.1".parse().unwrap(), path.parse().unwrap()),
        spelling: contract::PathSpelling::default(),
        access: Access::Ssh(SshAccess {
            key: private_key(&folder.join("client_key")),
            sessions: Sessions::new(KnownHosts::built_in_and(&known_hosts_line(folder, host.ssh.port)).unwrap()),
            connecting: None,
        }),
        limits: Limits::until(Instant::now() + Duration::from_mins(2)),
        host,
    }
}

/// How a remote is reached over SSH.
pub(crate) fn ssh(remote: &mut Remote) -> &mut SshAccess {
    let Access::Ssh(access) = &mut remote.access else { panic!("not over SSH") };
    access
}

fn known_hosts_line(folder: &Path, port: u16) -> String {
    let key = fs::read_to_string(folder.join("host_key.pub")).unwrap();
    format!("[127.0.0.1]:{port} {key}")
}

pub(crate) fn private_key(path: &Path) -> PrivateKey {
    PrivateKey::from_openssh(&fs::read_to_string(path).unwrap().into()).unwrap()
}

pub(crate) fn generate_key(path: &Path, kind: &str) {
    output(Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-C", "test", "-f"]).arg(path));
}

pub(crate) fn generate_rsa_key(path: &Path, bits: &str) {
    output(Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-b", bits, "-N", "", "-f"]).arg(path));
}

pub(crate) fn fingerprint(public_key: &Path) -> String {
    let line = output(Command::new("ssh-keygen").arg("-lf").arg(public_key));
    line.split(' ').nth(1).unwrap().to_owned()
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn let_in(dir: &Path, key: &Path) {
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    let line = format!("restrict,command=\"{}\" {public}", dir.join("serve").display());
    fs::write(dir.join("authorized_keys"), line).unwrap();
}

fn spawn(dir: &Path, setup: &Setup) -> Option<(Child, u16)> {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let configuration = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host_key\nPidFile none\n\
         AuthorizedKeysFile {0}/authorized_keys\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nSetEnv SHLVL=1\n{1}\n",
        dir.display(),
        setup.settings
    );
    fs::write(dir.join("sshd_config"), configuration).unwrap();
    let log = fs::File::create(dir.join("sshd.log")).unwrap();
    let sshd =
        ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"].into_iter().find(|path| Path::new(path).exists());
    let sshd = sshd.expect("sshd is not installed: the package is openssh-server");
    let mut child =
        Command::new(sshd).args(["-D", "-e", "-f"]).arg(dir.join("sshd_config")).stderr(log).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    // It exits if somebody else took the port meanwhile.
    while child.try_wait().unwrap().is_none() {
        if greets(port) {
            return Some((child, port));
        }
        assert!(Instant::now() < until, "sshd is not ready after 10 s");
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

fn greets(port: u16) -> bool {
    let mut start = [0; 4];
    TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| stream.read_exact(&mut start)).is_ok()
        && start == *b"SSH-"
}
