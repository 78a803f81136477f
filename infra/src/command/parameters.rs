//! Arguments for parameters, the same for every command that deploys a stack.

use std::path::PathBuf;

use deployment::deploy::SecretSource;
use deployment::deploy::{Parameters, Template};
use infra::configuration::Configuration;

use super::{caller, password};
use crate::report::Usage;

/// Values without secrets, for commands that check a stack but don't deploy it.
#[derive(Debug, clap::Args)]
pub(crate) struct Values {
    /// Value of a parameter, checked as by `deploy`
    #[arg(long, value_name = "NAME=VALUE")]
    parameter: Vec<String>,
    /// JSON object of parameters
    #[arg(long, value_name = "FILE", value_parser = caller::path())]
    parameter_file: Option<PathBuf>,
}

impl Values {
    /// Reads the file and checks the values.
    pub(crate) fn checked(&self, template: &Template) -> anyhow::Result<Parameters> {
        let parameters = self.read()?;
        parameters.check(template)?;
        Ok(parameters)
    }

    /// The same with the values that `deploy` takes from the environment and the configuration.
    /// Secrets aren't read, only noted.
    pub(crate) fn deployed(&self, template: &Template, configuration: &Configuration) -> anyhow::Result<Parameters> {
        let mut parameters = self.read()?;
        parameters.environment(template, |name| std::env::var(name).ok());
        for name in configuration.secrets.keys() {
            parameters.promise(name);
        }
        parameters.configuration(&configuration.parameters);
        parameters.check(template)?;
        Ok(parameters)
    }

    fn read(&self) -> anyhow::Result<Parameters> {
        let mut parameters = Parameters::default();
        for pair in &self.parameter {
            parameters.command_line(pair)?;
        }
        if let Some(file) = &self.parameter_file {
            parameters.file(file)?;
        }
        Ok(parameters)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Given {
    /// Value of a parameter, never a secret. `deploy` also reads the environment
    /// (`GIT2S3_ALLOWED_IPS` for `AllowedIps`) and git2s3.toml, and an existing stack keeps
    /// parameters that are not given
    #[arg(long, value_name = "NAME=VALUE")]
    parameter: Vec<String>,
    /// JSON object of parameters
    #[arg(long, value_name = "FILE", value_parser = caller::path())]
    parameter_file: Option<PathBuf>,
    /// Secret parameter to read from a file, such as `GitToken`
    #[arg(long, value_name = "NAME=FILE")]
    secret_file: Vec<String>,
    /// Secret parameter to ask for at the terminal
    #[arg(long, value_name = "NAME")]
    ask: Vec<String>,
}

impl Given {
    /// Reads the files, and asks for secrets.
    pub(crate) fn read(&self) -> anyhow::Result<Parameters> {
        let mut parameters = Parameters::default();
        for pair in &self.parameter {
            parameters.command_line(pair)?;
        }
        for pair in &self.secret_file {
            let (name, path) = pair
                .split_once('=')
                .ok_or_else(|| Usage { message: "a secret's file is given as Name=File".to_owned(), hint: None })?;
            parameters.secret(name, &SecretSource::File(caller::of(path)), password)?;
        }
        for name in &self.ask {
            if name.contains('=') {
                let message = "a secret to ask for is given as its name alone".to_owned();
                return Err(Usage { message, hint: Some("`--ask ApiSecret`".to_owned()) }.into());
            }
            parameters.secret(name, &SecretSource::Prompt, password)?;
        }
        if let Some(file) = &self.parameter_file {
            parameters.file(file)?;
        }
        Ok(parameters)
    }
}
