//! Starts a run of the reconciler as its schedule does: with the event that the deployed rule
//! makes. The account has no clock of its own.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::{
    aws::{Account, Resources},
    call::Call,
};

/// The time of a run that is due now.
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Invokes the reconciler of a stack with the event of a run that is due at `time`, such as
/// `2026-11-30T12:00:00Z`, and waits for its end.
///
/// # Errors
/// The stack has no schedule, or the run fails.
pub async fn reconcile(account: &Account, resources: &Resources, time: &str) -> Result<()> {
    let rule = json!({ "Rule": resources.id("ReconcilerSchedule")? });
    let targets = account.send(&Call::json("events", "AWSEvents.ListTargetsByRule", &rule)).await?.json()?;
    let template = targets["Targets"][0]["InputTransformer"]["InputTemplate"].as_str();
    let event = template.context("the schedule has no input")?.replace("<time>", time);
    let event: Value = serde_json::from_str(&event).context("the schedule's input isn't JSON")?;
    let answer = account.invoke(resources.id("ReconcilerFunction")?, &event).await?;
    match answer["errorMessage"].as_str() {
        Some(message) => bail!("the run has failed: {message}"),
        None => Ok(()),
    }
}
