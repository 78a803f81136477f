//! The parameters that a person types, the same for every command that makes a stack.

use std::path::PathBuf;

use deployment::deploy::SecretSource;
use deployment::deploy::{Parameters, Template};
use infra::configuration::Configuration;

use super::{caller, password};
use crate::report::Usage;

/// Values that no secret is among: for who judges a stack and doesn't make it.
#[derive(Debug, clap::Args)]
pub(crate) struct Values {
    /// Value of a parameter, to be judged as `deploy` does
    #[arg(long, value_name = "NAME=VALUE")]
    parameter: Vec<String>,
    /// JSON object of parameters
    #[arg(long, value_name = "FILE", value_parser = caller::path())]
    parameter_file: Option<PathBuf>,
}

impl Values {
    /// Reads the file, and judges.
    pub(crate) fn judged(&self, template: &Template) -> anyhow::Result<Parameters> {
        let parameters = self.read()?;
        parameters.check(template)?;
        Ok(parameters)
    }

    /// The same with what `deploy` takes from the environment and the configuration. Of secrets
    /// only where they come from: nothing is read.
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
    /// Value of a parameter. Secrets never stand here. `deploy` takes them also from the
    /// environment (`GIT2S3_ALLOWED_IPS` for `AllowedIps`) and from git2s3.toml, and an existing
    /// stack keeps those that are not given
    #[arg(long, value_name = "NAME=VALUE")]
    parameter: Vec<String>,
    /// JSON object of parameters
    #[arg(long, value_name = "FILE", value_parser = caller::path())]
    parameter_file: Option<PathBuf>,
    /// Secret parameter that a file holds, such as `GitToken`
    #[arg(long, value_name = "NAME=FILE")]
    secret_file: Vec<String>,
    /// Secret parameter to ask for at the terminal
    #[arg(long, value_name = "NAME")]
    ask: Vec<String>,
}

impl Given {
    /// Reads files, and asks.
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
