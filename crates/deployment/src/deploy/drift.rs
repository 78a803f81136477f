//! Drift: manual changes, which an update would silently undo or be undone by.

use std::time::{Duration, Instant};

use aws_sdk_cloudformation::types::{StackDriftDetectionStatus, StackResourceDriftStatus};

use super::pace::Pace;
use crate::account::Account;
use crate::call_error::CallError;
use crate::render::progress::Progress;

/// A stack of this size is checked within half a minute.
const LONGEST: Duration = Duration::from_mins(2);

/// A resource that differs from its template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The resource's logical ID.
    pub logical_id: String,
    /// Its type.
    pub resource_type: String,
    /// The properties that differ; empty if the resource is gone.
    pub properties: Vec<String>,
}

/// Detects the drift of an existing stack. Nothing is changed.
///
/// # Errors
/// AWS could not be asked, refused, or did not finish in time.
pub async fn drift(account: &Account, stack: &str, progress: &mut dyn Progress) -> Result<Vec<Drift>, CallError> {
    let cloudformation = &account.cloudformation;
    let failed = |what: &str| format!("look for drift of stack {stack} ({what})");
    let begun = cloudformation.detect_stack_drift().stack_name(stack).send().await;
    let begun = begun.map_err(|error| CallError::new(failed("begin"), error))?;
    let id = begun.stack_drift_detection_id.unwrap_or_default();
    let (mut pace, start) = (Pace::default(), Instant::now());
    loop {
        let status = cloudformation.describe_stack_drift_detection_status().stack_drift_detection_id(&id).send().await;
        let status = status.map_err(|error| CallError::new(failed("wait"), error))?;
        // A type that can't be checked fails the whole detection, but the results of the others are
        // valid.
        if status.detection_status != Some(StackDriftDetectionStatus::DetectionInProgress) || start.elapsed() > LONGEST
        {
            break;
        }
        progress.waiting("looking for what was changed by hand");
        pace.pause().await;
    }
    let mut found = Vec::new();
    let mut next = None;
    loop {
        let request = cloudformation.describe_stack_resource_drifts().stack_name(stack).set_next_token(next);
        let request = request.stack_resource_drift_status_filters(StackResourceDriftStatus::Modified);
        let request = request.stack_resource_drift_status_filters(StackResourceDriftStatus::Deleted);
        let told = request.send().await.map_err(|error| CallError::new(failed("read"), error))?;
        for one in told.stack_resource_drifts.unwrap_or_default() {
            let differences = one.property_differences.unwrap_or_default().into_iter();
            found.push(Drift {
                logical_id: one.logical_resource_id.unwrap_or_default(),
                resource_type: one.resource_type.unwrap_or_default(),
                properties: differences.filter_map(|difference| difference.property_path).collect(),
            });
        }
        next = told.next_token;
        if next.is_none() {
            return Ok(found);
        }
    }
}
