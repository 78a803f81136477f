//! Fits the number of workers to the account's concurrency: a new account runs ten functions at
//! once, and further ones are throttled, including the webhook, which loses pushes then.

use deployment::account::Account;
use deployment::call_error::CallError;
use deployment::deploy::{Deployment, Origin, Standing};
use deployment::render::progress::Progress;

/// The parameter that limits the workers of each kind.
const PARAMETER: &str = "WorkerConcurrency";
/// The kinds of workers.
const KINDS: u32 = 2;
/// What the webhook needs besides them: the throttle allows 50 requests a second, which keep one
/// busy, and there are bursts.
const RESERVE: u32 = 4;
/// The minimum of workers that Lambda accepts.
const FEWEST: u32 = 2;

/// The `WorkerConcurrency` for an account that can run `available` functions at once; `None` if
/// `wanted` fits.
pub fn fitting(available: u32, wanted: u32) -> Option<u32> {
    let most = (available.saturating_sub(RESERVE) / KINDS).max(FEWEST);
    (wanted > most).then_some(most)
}

/// Compares what the deployment wants with what the account can run. Without a given number it sets
/// as many workers as fit; otherwise it warns. It is not an error if Lambda can't be asked: not
/// everybody who deploys may.
pub async fn fit(account: &Account, deployment: &mut Deployment, standing: &Standing, progress: &mut dyn Progress) {
    let settings = standing.settings(deployment);
    let setting = settings.get(PARAMETER);
    let Some((setting, wanted)) = setting.and_then(|setting| Some((setting, setting.new.parse().ok()?))) else {
        return;
    };
    let available = match available(account).await {
        Ok(available) => available,
        Err(error) => {
            progress.step(&format!("not looked how many functions the account can run at once: {error}"));
            return;
        }
    };
    let Some(fits) = fitting(available, wanted) else { return };
    let account_runs = format!("the account can run {available} functions at once");
    if setting.origin == Origin::Default {
        progress.step(&format!("{account_runs}: {PARAMETER}={fits} instead of {wanted}, so that the workers fit"));
        let parameters = std::mem::take(&mut deployment.parameters);
        deployment.parameters = parameters.with(PARAMETER, fits.to_string());
    } else {
        progress.step(&format!(
            "warning: {account_runs}, and {PARAMETER}={wanted} of each kind don't fit: pushes may be lost; \
             {PARAMETER}={fits} fits"
        ));
    }
}

/// How many functions the account can run at once, without what is reserved for some of them.
async fn available(account: &Account) -> Result<u32, CallError> {
    let told = aws_sdk_lambda::Client::new(&account.config).get_account_settings().send().await;
    let told = told.map_err(|error| CallError::new("ask Lambda for the account's settings", error))?;
    let limit = told.account_limit.unwrap_or_else(|| aws_sdk_lambda::types::AccountLimit::builder().build());
    let most = limit.unreserved_concurrent_executions.unwrap_or(limit.concurrent_executions);
    Ok(u32::try_from(most).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_and_the_webhook_fit() {
        for (available, wanted, fits) in [
            (10, 50, Some(3)),
            (10, 3, None),
            (10, 4, Some(3)),
            (50, 50, Some(23)),
            (50, 23, None),
            (103, 50, Some(49)),
            (104, 50, None),
            (1_000, 50, None),
            (1_000, 498, None),
            (1_000, 1_000, Some(498)),
            // Nothing fits: as few as there can be.
            (0, 50, Some(2)),
            (5, 2, None),
        ] {
            assert_eq!(fitting(available, wanted), fits, "{wanted} of {available}");
        }
    }
}
