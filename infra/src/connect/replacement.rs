//! Replaces deploy keys: an old key is removed only when the worker has fetched with the new one.
//! Until then, both are there, so no push fails.

use std::time::{Duration, Instant, SystemTime};

use deployment::account::Account;
use deployment::call_error::CallError;
use deployment::render::progress::Progress;
use host_api::{HostApi, PublicKey, Webhook};

use super::{Connected, Connection, Failure, HostAccess, Step, Target};
use crate::logs::events::millis;

/// The pause between two looks into the log.
const PAUSE: Duration = Duration::from_secs(2);
/// The pause between two tests. A worker uses the keys that it has read for five minutes; hosts
/// limit tests: GitLab to five a minute.
const BETWEEN_TESTS: Duration = Duration::from_secs(30);
/// How far back the new key may have been used: after a replacement that was interrupted, or
/// that waited for a push.
const LOOK_BACK: Duration = Duration::from_hours(7 * 24);

/// A new key, and those that it replaces.
#[derive(Debug, Clone)]
pub(super) struct Replacement {
    newest: PublicKey,
    older: Vec<PublicKey>,
    /// The webhook by which the host has sent a push, and when it did.
    test: Option<(Webhook, Instant)>,
}

impl Replacement {
    /// `None` if it replaces no other.
    pub(super) fn of(newest: &PublicKey, older: &[PublicKey]) -> Option<Self> {
        (!older.is_empty()).then(|| Self { newest: newest.clone(), older: older.to_vec(), test: None })
    }

    pub(super) fn was_tested_by(&mut self, hook: Webhook) {
        self.test = Some((hook, Instant::now()));
    }
}

impl Connection<'_> {
    /// Removes the old keys of repositories whose new one has fetched. Waits up to `patience` for
    /// fetches of pushes that the host has sent.
    ///
    /// # Errors
    /// AWS couldn't be asked, or refused.
    pub async fn finish_replacements(
        &self,
        account: &Account,
        all: &mut [Connected],
        patience: Duration,
        progress: &mut dyn Progress,
    ) -> Result<(), CallError> {
        let HostAccess::Token(api) = self.access else { return Ok(()) };
        let end = Instant::now() + patience;
        loop {
            let mut waiting = 0;
            for one in all.iter_mut() {
                let Some(mut replacement) = one.replacement.take() else { continue };
                if has_fetched(account, self.target, &replacement.newest).await? {
                    one.failure = self.retire(one, api, &replacement.older).await.err();
                    continue;
                }
                if replacement.test.is_none() || Instant::now() >= end {
                    one.failure = Some(not_yet());
                } else if let Err(failure) = test_again(one, api, &mut replacement).await {
                    one.failure = Some(failure);
                } else {
                    waiting += 1;
                    one.replacement = Some(replacement);
                }
            }
            if waiting == 0 {
                return Ok(());
            }
            progress.waiting(&format!("{waiting} new keys are being tried, which can take five minutes"));
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Removes old keys, at the host first: gitpull tries one that the host doesn't know in vain,
    /// but the host would let in somebody who has got hold of one that gitpull doesn't.
    async fn retire(&self, one: &mut Connected, api: &HostApi, older: &[PublicKey]) -> Result<(), Failure> {
        let there = api.deploy_keys(&one.repository.path).await?;
        for old in older {
            for found in there.iter().filter(|found| found.key == *old) {
                api.remove_deploy_key(&one.repository.path, &found.id).await?;
            }
            self.target.keys.remove(&one.repository, old).await?;
        }
        one.done.retain(|step| *step != Step::KeyAdded);
        one.done.insert(0, Step::KeyReplaced);
        Ok(())
    }
}

/// Has the host send another push, if the last one was a while ago.
async fn test_again(one: &Connected, api: &HostApi, replacement: &mut Replacement) -> Result<(), Failure> {
    let Some((hook, sent)) = &mut replacement.test else { return Ok(()) };
    if sent.elapsed() < BETWEEN_TESTS {
        return Ok(());
    }
    *sent = Instant::now();
    api.test_webhook(&one.repository.path, hook).await?;
    Ok(())
}

fn not_yet() -> Failure {
    Failure {
        reason: "the new deploy key has not fetched yet, so the old one stays".to_owned(),
        hint: Some("push to the repository, then run `connect` again".to_owned()),
        concerns_all: false,
    }
}

/// Whether gitpull says in its log that it has fetched with this key.
async fn has_fetched(account: &Account, target: &Target, key: &PublicKey) -> Result<bool, CallError> {
    let client = aws_sdk_cloudwatchlogs::Client::new(&account.config);
    let since = SystemTime::now().checked_sub(LOOK_BACK).unwrap_or(SystemTime::UNIX_EPOCH);
    let pattern = format!("{{ $.ssh_key = \"{}\" }}", key.fingerprint());
    let request = client.filter_log_events().log_group_name(&target.pull_log).start_time(millis(since));
    let mut pages = request.filter_pattern(pattern).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| CallError::new(format!("search log {}", target.pull_log), error))?;
        if !page.events().is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
