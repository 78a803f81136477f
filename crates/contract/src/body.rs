//! The largest webhook body that is accepted: just below what API Gateway and Lambda deliver, so
//! that the sender gets our error message and not theirs.
//!
//! API Gateway accepts bodies of up to 10 MiB. It passes them to Lambda as base64 in a JSON event,
//! because all media types are configured as binary to keep the signed bytes. So Lambda's limit on
//! the event applies, at three quarters of its size. API Gateway rejects a larger event with 413
//! and `{"message": "Request Too Long"}`, and a body of more than 10 MiB with 413 and
//! `HTTP content length exceeded 10485760 bytes.` Neither reaches a function.

/// The largest event of a synchronous call, in bytes ([quotas of
/// Lambda](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html), "6 MB").
pub const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

/// Reserved for the rest of the event, in bytes.
///
/// The request line and the headers have at most 10,240 bytes ([quotas of API
/// Gateway](https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html)).
/// The event contains them twice, as `headers` and `multiValueHeaders`, and `User-Agent` or the
/// path once more in `requestContext`. JSON escapes a quotation mark with two bytes: 10,240 × 3 × 2
/// = 61,440. API Gateway's own headers and the rest of `requestContext` fit into the remaining
/// 4,096.
pub const REST_OF_EVENT_BYTES: usize = 64 * 1024;

/// The largest accepted body, in bytes: 4,669,440. It reaches the function whatever its headers
/// are.
pub const MAX_BODY_BYTES: usize = (MAX_EVENT_BYTES - REST_OF_EVENT_BYTES) / 4 * 3;
