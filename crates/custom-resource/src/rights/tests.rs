//! Permissions that arrive late or never, with a simulated clock.

use std::{cell::Cell, sync::Mutex};

use super::*;
use crate::{Answer, Request};

#[derive(Debug, thiserror::Error)]
#[error("refused with {0}")]
struct Refused(&'static str);

struct Thing;

impl CustomResource for Thing {
    type Properties = String;
    type Data = ();
    type Error = Refused;

    fn owns(&self, _: &str) -> bool {
        true
    }

    fn lacks_rights(error: &Refused) -> bool {
        is_lack_of_rights(error.0)
    }

    async fn create(&self, _: Request<String>) -> Result<Answer<()>, Refused> {
        Err(Refused("unused"))
    }

    async fn update(&self, _: Request<String>) -> Result<Answer<()>, Refused> {
        Err(Refused("unused"))
    }

    async fn delete(&self, _: Request<String>) -> Result<(), Refused> {
        Ok(())
    }
}

/// The seconds that passed.
struct Clockwork(Instant, Mutex<Duration>);

impl Clock for Clockwork {
    fn now(&self) -> Instant {
        self.0 + *self.1.lock().unwrap()
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        *self.1.lock().unwrap() += time;
        std::future::ready(())
    }
}

/// The result of an attempt that is refused with `code` this many times: the attempts and seconds
/// it took, and how long the permission was missing, if it still is.
async fn check(code: &'static str, refusals: usize, seconds: u64) -> (Result<(), Option<u64>>, usize, u64) {
    let (attempts, began) = (Cell::new(0), Instant::now());
    let clock = Clockwork(began, Mutex::default());
    let attempt = || {
        attempts.set(attempts.get() + 1);
        std::future::ready(if attempts.get() <= refusals { Err(Refused(code)) } else { Ok(()) })
    };
    let result = attempted::<Thing, (), _>(&clock, began + Duration::from_secs(seconds), attempt).await;
    let result = result.map_err(|(_, missing)| missing.map(|time| time.as_secs()));
    (result, attempts.get(), (clock.now() - began).as_secs())
}

#[tokio::test]
async fn late_right_is_awaited() {
    assert_eq!(check("AccessDenied", 0, 45).await, (Ok(()), 1, 0));
    assert_eq!(check("AccessDeniedException", 3, 45).await, (Ok(()), 4, 7));
    assert_eq!(check("UnrecognizedClientException", 5, 45).await, (Ok(()), 6, 23));
}

#[tokio::test]
async fn right_never_granted_fails_in_time() {
    // 1 + 2 + 4 + 8 + 8 + 8 s, with five left for an attempt.
    assert_eq!(check("AccessDenied", usize::MAX, 45).await, (Err(Some(39)), 8, 39));
    let (result, _, took) = check("AccessDenied", usize::MAX, 885).await;
    assert!(result.is_err() && took <= SPREAD.as_secs(), "{took}");
    assert_eq!(check("AccessDenied", usize::MAX, 3).await, (Err(Some(0)), 1, 0));
}

#[tokio::test]
async fn another_error_is_believed_at_once() {
    for code in ["NoSuchBucket", "InternalError", "NotFoundException", ""] {
        assert_eq!(check(code, usize::MAX, 45).await, (Err(None), 1, 0), "{code}");
    }
}
