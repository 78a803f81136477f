//! A failed call to AWS, with what was tried, on what, and what the service answered. The SDK's own
//! `Display` says only "service error".

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// A failed call to AWS.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}{}", answer(code.as_deref(), message.as_deref()))]
pub struct CallError {
    action: String,
    code: Option<String>,
    message: Option<String>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

fn answer(code: Option<&str>, message: Option<&str>) -> String {
    [Some(""), code, message].into_iter().flatten().collect::<Vec<_>>().join(": ")
}

impl CallError {
    /// The failure of `action` ("create the change set of stack x") with `error`.
    pub fn new<E, R>(action: impl Into<String>, error: SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        let code = error.code().map(str::to_owned);
        let message = error.message().map(str::to_owned);
        // The service's answer is part of the message; the reason for a missing answer is not.
        let answered = code.is_some() || message.is_some();
        let source = if answered { None } else { Some(error.into_source().unwrap_or_else(|error| Box::new(error))) };
        Self { action: action.into(), code, message, source }
    }

    /// Whether the reason for a missing answer contains one of these words.
    fn speaks_of(&self, words: &[&str]) -> bool {
        let mut cause = self.source.as_deref().map(|source| source as &(dyn Error + 'static));
        while let Some(error) = cause {
            let text = error.to_string().to_ascii_lowercase();
            if words.iter().any(|words| text.contains(words)) {
                return true;
            }
            cause = error.source();
        }
        false
    }

    /// The service's error code, `AccessDenied` for example; `None` if it did not answer.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The service's message.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// What to do about it, if known.
    pub fn hint(&self) -> Option<String> {
        if self.code().is_none() && self.speaks_of(&["connection refused"]) {
            return Some(
                "nothing listens there: if AWS_ENDPOINT_URL names the local cloud, start that (`./justw local-up`); for AWS, unset it"
                    .to_owned(),
            );
        }
        if self.code().is_none() && self.speaks_of(&["dns error", "dispatch failure", "error trying to connect"]) {
            return Some("AWS can't be reached: see the region's name, the network, AWS_ENDPOINT_URL".to_owned());
        }
        if let Some(action) = self.message().and_then(missing_right) {
            return Some(format!("the credentials lack the right {action}: grant it, or use others (AWS_PROFILE)"));
        }
        let hint = match self.code()? {
            "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
                "the credentials have expired: sign in again (`aws sso login`)"
            }
            "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" => {
                "AWS does not know these credentials: see AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"
            }
            "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
                "that is in another region: see --region, AWS_REGION"
            }
            "BucketAlreadyExists" => "bucket names are shared by all accounts: choose another",
            "OptInRequired" | "InvalidToken" => {
                "the account may not have enabled this region: see --region, or enable it in the console"
            }
            "ThrottlingException" | "Throttling" | "TooManyRequestsException" => {
                "AWS asks to slow down: try again in a minute"
            }
            "RequestTimeTooSkewed" => "the clock of this machine is wrong",
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "403" => {
                "the credentials are valid but lack the right to do this: see AWS_PROFILE"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// The action that a refusal names as not allowed.
pub fn missing_right(refusal: &str) -> Option<&str> {
    let (_, rest) = refusal.split_once("not authorized to perform: ")?;
    rest.split([' ', ',']).next().filter(|action| action.contains(':'))
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::error::ErrorMetadata;
    use aws_sdk_s3::operation::head_bucket::HeadBucketError;

    use super::*;

    fn answered(code: &str) -> CallError {
        let metadata = ErrorMetadata::builder().code(code).message("no").build();
        CallError::new("look at bucket b", SdkError::service_error(HeadBucketError::generic(metadata), ()))
    }

    #[test]
    fn service_answer_appears_once_in_error() {
        let error = answered("AccessDenied");
        assert_eq!(error.to_string(), "cannot look at bucket b: AccessDenied: no");
        assert!(error.source().is_none());
        assert!(error.hint().unwrap().contains("right"), "{error:?}");
        assert!(answered("ExpiredToken").hint().unwrap().contains("expired"));
        assert_eq!(answered("ValidationError").hint(), None);
    }

    #[test]
    fn access_denied_hint_names_missing_right() {
        let message =
            "User: arn:aws:iam::1:user/dev is not authorized to perform: cloudformation:CreateChangeSet on resource: *";
        let metadata = ErrorMetadata::builder().code("AccessDenied").message(message).build();
        let error = CallError::new("x", SdkError::service_error(HeadBucketError::generic(metadata), ()));
        assert!(error.hint().unwrap().contains("the right cloudformation:CreateChangeSet:"), "{:?}", error.hint());
        assert!(answered("PermanentRedirect").hint().unwrap().contains("another region"));
    }

    #[test]
    fn unreachable_endpoint_gives_hint() {
        let lost = std::io::Error::other("dns error: no such host");
        let error: SdkError<HeadBucketError, ()> =
            SdkError::dispatch_failure(aws_sdk_s3::error::ConnectorError::io(lost.into()));
        assert!(CallError::new("x", error).hint().unwrap().contains("can't be reached"));
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error: SdkError<HeadBucketError, ()> =
            SdkError::dispatch_failure(aws_sdk_s3::error::ConnectorError::io(refused.into()));
        assert!(CallError::new("x", error).hint().unwrap().contains("`./justw local-up`"));
    }

    #[test]
    fn timeout_cause_becomes_error_source() {
        let error: SdkError<HeadBucketError, ()> = SdkError::timeout_error("took 30 s");
        let error = CallError::new("look at bucket b", error);
        assert_eq!(error.to_string(), "cannot look at bucket b");
        assert_eq!(error.source().unwrap().to_string(), "took 30 s");
    }
}
