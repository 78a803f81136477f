//! A user's desk: a folder, an account, and a terminal.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use local::aws::{ACCESS_KEY, Account, SECRET_KEY};
use local::local::Local;
use local::process::built;
use tokio::process::Command;

/// Runs a command in a terminal, answers its question, and exits with its code. Input is sent only
/// after the question, except `^C`, which is Ctrl-C at the question.
const TERMINAL: &str = r"
import os, pty, sys
child, terminal = pty.fork()
if not child:
    os.execv(sys.argv[2], sys.argv[2:])
interrupts, all_told = sys.argv[1] == '^C', b''
if not interrupts:
    os.write(terminal, sys.argv[1].encode() + b'\n')
while True:
    try:
        told = os.read(terminal, 4096)
    except OSError:
        break
    if not told:
        break
    sys.stdout.buffer.write(told)
    all_told += told
    if interrupts and (b'[y/N]' in all_told or b'type the' in all_told):
        interrupts = False
        os.write(terminal, b'\x03')
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
";

/// A working directory with packaged functions, a configuration and an account.
pub(crate) struct Desk<'a> {
    pub(crate) account: &'a Account,
    pub(crate) dir: &'a Path,
}

impl<'a> Desk<'a> {
    /// An empty desk in the folder `dir`, which is created.
    pub(crate) fn new(account: &'a Account, dir: &'a Path) -> Self {
        fs::create_dir_all(dir).unwrap();
        Self { account, dir }
    }

    /// A desk with the packaged functions of the local cloud in `dist`.
    pub(crate) fn packaged(local: &'a Local, dir: &'a Path) -> Self {
        local.packaged().unwrap();
        let desk = Self::new(&local.cloud.account, dir);
        std::os::unix::fs::symlink(local.dist(), dir.join("dist")).unwrap();
        desk
    }

    /// The same with a configuration for the stack `zips`.
    pub(crate) fn of_zips(account: &'a Account, dir: &'a Path) -> Self {
        let desk = Self::new(account, dir);
        desk.write("git2s3.toml", "stack-name = 'zips'\nregion = 'us-east-1'\n");
        desk
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.run(Command::new(built("infra").unwrap()), arguments)
    }

    /// The same in a terminal, with a person's answer.
    pub(crate) async fn answered(&self, arguments: &[&str], answer: &str) -> (Option<i32>, String) {
        let output = self.at_a_terminal(arguments, answer).output().await.unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    pub(crate) fn at_a_terminal(&self, arguments: &[&str], answer: &str) -> Command {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut python = Command::new(root.join(".tools/ministack/bin/python3"));
        python.args(["-c", TERMINAL, answer]).arg(built("infra").unwrap());
        self.run(python, arguments)
    }

    pub(crate) fn run(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.args(arguments).current_dir(self.dir).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("AWS_ENDPOINT_URL", &self.account.endpoint).env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        command.env("GIT2S3_REFS", "main").kill_on_drop(true);
        command
    }

    pub(crate) async fn infra(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().await.unwrap()
    }

    /// The exit code, and the output on both channels.
    pub(crate) async fn told(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.infra(arguments).await;
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    }

    pub(crate) async fn check(&self, arguments: &[&str], code: i32, expected: &[&str]) -> String {
        let (got, text) = self.told(arguments).await;
        assert_eq!(got, Some(code), "{arguments:?}: {text}");
        for words in expected {
            assert!(text.contains(words), "{arguments:?} does not say {words:?}: {text}");
        }
        assert!(!text.contains("hunter2"), "{arguments:?} tells the secret: {text}");
        text
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.join(name), text).unwrap();
    }

    /// The stack's connection data for a repository.
    pub(crate) async fn outputs(&self) -> BTreeMap<String, String> {
        let stacks = self.account.cloudformation.describe_stacks().stack_name("zips").send().await.unwrap();
        let text = |text: Option<&str>| text.unwrap().to_owned();
        let outputs = stacks.stacks()[0].outputs().iter();
        outputs.map(|output| (text(output.output_key()), text(output.output_value()))).collect()
    }

    pub(crate) async fn parameter(&self, name: &str) -> Option<String> {
        let stacks = self.account.cloudformation.describe_stacks().stack_name("zips").send().await.unwrap();
        let found = stacks.stacks()[0].parameters().iter().find(|one| one.parameter_key() == Some(name));
        found.and_then(|one| one.parameter_value()).map(str::to_owned)
    }
}
