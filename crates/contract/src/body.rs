//! How large a webhook may be: what API Gateway and Lambda deliver between them, and no more, so
//! that whoever sends one is told by us what is wrong with it.
//!
//! API Gateway takes bodies of 10 MiB. It hands one to Lambda as base64 inside of a JSON event,
//! since every media type counts as binary here: signatures are over bytes. So it is Lambda's limit
//! on the event that binds, at three quarters of its size. A larger event API Gateway answers
//! itself, with 413 and `{"message": "Request Too Long"}`; a body of more than 10 MiB with 413 and
//! `HTTP content length exceeded 10485760 bytes.` Neither reaches a function.

/// The largest event of a synchronous call, in bytes ([quotas of
/// Lambda](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html), "6 MB").
pub const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

/// What is kept for the rest of the event, in bytes.
///
/// The request line and the headers have at most 10,240 bytes ([quotas of API
/// Gateway](https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html)).
/// The event has them twice, as `headers` and as `multiValueHeaders`, and `User-Agent` or the path
/// once more in `requestContext`; JSON makes two bytes of a quotation mark: 10,240 × 3 × 2 =
/// 61,440. API Gateway's own headers and the rest of `requestContext` take less than the 4,096 that
/// remain.
pub const REST_OF_EVENT_BYTES: usize = 64 * 1024;

/// The largest body that is accepted, in bytes: 4,669,440. Whatever headers come with it, it
/// reaches the function.
pub const MAX_BODY_BYTES: usize = (MAX_EVENT_BYTES - REST_OF_EVENT_BYTES) / 4 * 3;
