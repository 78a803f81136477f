//! The local account's decisions about the requests of roles, recorded by the emulator: which
//! permissions were used, and which were missing.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

/// A decision of IAM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Decision {
    /// The role's name.
    pub role: String,
    /// The action.
    pub action: String,
    /// The resource's ARN, or `*`.
    pub resource: String,
    /// The request's own condition keys.
    pub context: BTreeMap<String, String>,
    /// Whether it was allowed.
    pub allowed: bool,
    /// Whether this was the action of the request. Otherwise the service checked the permission
    /// itself.
    pub asked: bool,
}

/// All decisions of an account.
#[derive(Clone, Debug)]
pub struct Decisions {
    pub(crate) file: PathBuf,
}

impl Decisions {
    /// The number of decisions so far, for [`Decisions::since`].
    ///
    /// # Errors
    /// They can't be read.
    pub fn count(&self) -> Result<usize> {
        Ok(self.read()?.lines().count())
    }

    /// All except the first `count`, oldest first.
    ///
    /// # Errors
    /// They can't be read.
    pub fn since(&self, count: usize) -> Result<Vec<Decision>> {
        let text = self.read()?;
        let lines = text.lines().skip(count);
        lines.map(|line| serde_json::from_str(line).with_context(|| format!("read the decision {line}"))).collect()
    }

    fn read(&self) -> Result<String> {
        fs::read_to_string(&self.file).with_context(|| format!("read {}", self.file.display()))
    }
}
