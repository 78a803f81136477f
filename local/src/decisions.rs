//! What the local account decided about each request of a role, as its launcher writes it down:
//! which rights were used, which were missed.

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
    /// Whether the role may.
    pub allowed: bool,
    /// Whether the request was for this action; otherwise the service looked at the right by
    /// itself.
    pub asked: bool,
}

/// All decisions of an account.
#[derive(Clone, Debug)]
pub struct Decisions {
    pub(crate) file: PathBuf,
}

impl Decisions {
    /// How many there are so far, for [`Decisions::since`].
    ///
    /// # Errors
    /// When they can't be read.
    pub fn count(&self) -> Result<usize> {
        Ok(self.read()?.lines().count())
    }

    /// All but the first `count`, oldest first.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn since(&self, count: usize) -> Result<Vec<Decision>> {
        let text = self.read()?;
        let lines = text.lines().skip(count);
        lines.map(|line| serde_json::from_str(line).with_context(|| format!("read the decision {line}"))).collect()
    }

    fn read(&self) -> Result<String> {
        fs::read_to_string(&self.file).with_context(|| format!("read {}", self.file.display()))
    }
}
