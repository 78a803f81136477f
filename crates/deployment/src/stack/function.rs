//! What every function of the stack has: code, a role and a log group.

use cfn::{
    Attributes, Handle, Stack, Value,
    iam::{Evidence, Role},
    lambda::{Architecture, Code, Function},
    logs::LogGroup,
    pseudo, sub,
};

use super::parameters::Parameters;
use crate::package::{self, Manifest};

/// AWS's page about the rights to write to an existing log group.
const LOGGING: Evidence = Evidence::Documented(
    "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html#monitoring-cloudwatchlogs-prereqs",
);
/// How many days logs are kept.
const LOG_DAYS: u16 = 30;

/// The location of the functions' code.
pub(super) struct Functions<'a> {
    parameters: &'a Parameters,
    assets: Option<&'a Manifest>,
}

/// The settings of a function.
pub(super) struct Settings {
    /// The logical ID, from which those of the role and the log group are derived.
    pub(super) id: &'static str,
    /// The binary's name.
    pub(super) binary: &'static str,
    /// Its description.
    pub(super) description: &'static str,
    /// In MiB.
    pub(super) memory: u16,
    /// In seconds.
    pub(super) timeout: u16,
}

/// A function's role, and the log group that the role may write to.
pub(super) struct ExecutionRole {
    pub(super) role: Handle<Role>,
    log_group: Handle<LogGroup>,
}

impl<'a> Functions<'a> {
    pub(super) fn new(parameters: &'a Parameters, assets: Option<&'a Manifest>) -> Self {
        Self { parameters, assets }
    }

    /// Adds a function with its own execution role, see [`add_execution_role`]; `complete` sets
    /// what is specific to the function.
    pub(super) fn add(
        &self,
        stack: &mut Stack,
        settings: &Settings,
        attributes: Attributes,
        grants: impl FnOnce(&mut Role),
        complete: impl FnOnce(Function) -> Function,
    ) -> Handle<Function> {
        let execution_role = add_execution_role(stack, self.parameters, settings, attributes, grants);
        self.add_running_by(stack, settings, &execution_role, Attributes::default(), complete)
    }

    /// Adds a function with an existing execution role and these attributes.
    pub(super) fn add_running_by(
        &self,
        stack: &mut Stack,
        settings: &Settings,
        execution_role: &ExecutionRole,
        attributes: Attributes,
        complete: impl FnOnce(Function) -> Function,
    ) -> Handle<Function> {
        let ExecutionRole { role, log_group } = execution_role;
        let mut function = Function::new(self.code(settings.binary), self.architecture(), role, log_group);
        settings.description.clone_into(&mut function.description);
        function.memory_size = settings.memory;
        function.timeout = settings.timeout;
        stack.add_with(&format!("{}Function", settings.id), complete(function), attributes)
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

/// Adds a function's log group and its role with these attributes; `grants` adds the rights that it
/// needs besides writing logs.
pub(super) fn add_execution_role(
    stack: &mut Stack,
    parameters: &Parameters,
    settings: &Settings,
    attributes: Attributes,
    grants: impl FnOnce(&mut Role),
) -> ExecutionRole {
    let Settings { id, binary, description, .. } = *settings;
    let log_group = add_log_group(stack, &format!("{id}LogGroup"), binary);
    let mut role = parameters.confine(Role::for_function().described(description));
    log_group.grant_write(&mut role, "its own log", LOGGING);
    grants(&mut role);
    let role = stack.add_with(&format!("{id}Role"), role, attributes);
    ExecutionRole { role, log_group }
}

/// Adds the log group of a part of the stack, below one prefix for each stack.
pub(super) fn add_log_group(stack: &mut Stack, id: &str, part: &str) -> Handle<LogGroup> {
    let name = sub(["/git2s3/".into(), pseudo::stack_name().into(), "/".into(), part.into()]);
    add_named_log_group(stack, id, name)
}

/// Adds a log group with a given name.
pub(super) fn add_named_log_group(stack: &mut Stack, id: &str, name: Value<String>) -> Handle<LogGroup> {
    stack.add_with(id, LogGroup::new(name, LOG_DAYS), Attributes::default().deleted_with_stack())
}
