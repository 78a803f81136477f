//! What every function of the stack has: code, role, log group.

use cfn::{
    Attributes, Handle, Stack,
    iam::Role,
    lambda::{Architecture, Code, Function},
    logs::LogGroup,
    pseudo, sub,
};

use super::parameters::Parameters;
use crate::package::{self, Manifest};

/// For how many days logs are kept.
const LOG_DAYS: u16 = 30;

/// Where the code of the functions lies.
pub(super) struct Functions<'a> {
    parameters: &'a Parameters,
    assets: Option<&'a Manifest>,
}

/// How a function is to run.
pub(super) struct Settings {
    /// The logical id, from which those of the role and the log group follow.
    pub(super) id: &'static str,
    /// The binary's name.
    pub(super) binary: &'static str,
    /// What it does.
    pub(super) description: &'static str,
    /// In MiB.
    pub(super) memory: u16,
    /// In seconds.
    pub(super) timeout: u16,
}

impl<'a> Functions<'a> {
    pub(super) fn new(parameters: &'a Parameters, assets: Option<&'a Manifest>) -> Self {
        Self { parameters, assets }
    }

    /// Adds a function with a log group and a role of its own; `grants` gives the role what it needs beside writing
    /// logs, and `complete` the function what not every function has.
    pub(super) fn add(
        &self,
        stack: &mut Stack,
        settings: &Settings,
        grants: impl FnOnce(&mut Role),
        complete: impl FnOnce(Function) -> Function,
    ) -> Handle<Function> {
        let Settings { id, binary, description, memory, timeout } = *settings;
        let log_group = add_log_group(stack, &format!("{id}LogGroup"), binary);
        let mut role = Role::for_function().described(description);
        log_group.grant_write(&mut role);
        grants(&mut role);
        let role = stack.add(&format!("{id}Role"), role);
        let mut function = Function::new(self.code(binary), self.architecture(), &role, &log_group);
        description.clone_into(&mut function.description);
        function.memory_size = memory;
        function.timeout = timeout;
        stack.add(&format!("{id}Function"), complete(function))
    }

    fn code(&self, binary: &str) -> Code {
        let asset = self.assets.and_then(|assets| assets.find(binary));
        let file = asset.map_or_else(|| format!("{binary}.zip"), |asset| asset.file.clone());
        let key = sub([self.parameters.asset_prefix.value().into(), file.as_str().into()]);
        Code { bucket: self.parameters.asset_bucket.value(), key }
    }

    fn architecture(&self) -> Architecture {
        match self.assets.map(|assets| assets.architecture) {
            Some(package::Architecture::X86_64) => Architecture::X86_64,
            Some(package::Architecture::Arm64) | None => Architecture::Arm64,
        }
    }
}

/// Adds the log group of a part of the stack, in one folder for each stack.
pub(super) fn add_log_group(stack: &mut Stack, id: &str, part: &str) -> Handle<LogGroup> {
    let name = sub(["/git2s3/".into(), pseudo::stack_name().into(), "/".into(), part.into()]);
    stack.add_with(id, LogGroup::new(name, LOG_DAYS), Attributes::default().deleted_with_stack())
}
