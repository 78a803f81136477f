//! Waits for the zips of connected repositories.

use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::DateTime;
use deployment::account::Account;
use deployment::call_error::CallError;
use deployment::render::progress::Progress;

use super::{Connected, Target};

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Looks for the zip of each repository, and waits up to `patience` for those on their way.
///
/// # Errors
/// AWS couldn't be asked, or refused.
pub async fn wait_for_zips(
    account: &Account,
    target: &Target,
    all: &mut [Connected],
    patience: Duration,
    progress: &mut dyn Progress,
) -> Result<(), CallError> {
    let end = Instant::now() + patience;
    for one in all.iter_mut() {
        one.is_stored = is_stored(account, target, one).await?;
    }
    loop {
        let mut waiting = 0;
        for one in all.iter_mut().filter(|one| one.sent_push && !one.is_stored) {
            one.is_stored = is_stored(account, target, one).await?;
            waiting += usize::from(!one.is_stored);
        }
        if waiting == 0 || Instant::now() >= end {
            return Ok(());
        }
        progress.waiting(&format!("{waiting} zips are on their way"));
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether a repository's zip is in the bucket.
async fn is_stored(account: &Account, target: &Target, connected: &Connected) -> Result<bool, CallError> {
    let Some(key) = &connected.artifact else { return Ok(false) };
    Ok(stored(account, &target.bucket, key).await?.is_some())
}

/// When an object was stored, in seconds since 1970; `None` if there is none. A list needs no right
/// to read objects.
pub(crate) async fn stored(account: &Account, bucket: &str, key: &str) -> Result<Option<i64>, CallError> {
    let listed = account.s3.list_objects_v2().bucket(bucket).prefix(key).max_keys(1).send().await;
    let listed = listed.map_err(|error| CallError::new(format!("look for s3://{bucket}/{key}"), error))?;
    let found = listed.contents().iter().find(|object| object.key() == Some(key));
    Ok(found.map(|object| object.last_modified().map_or(0, DateTime::secs)))
}
