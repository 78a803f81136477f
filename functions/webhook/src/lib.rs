//! The request handling of the webhook function without its wiring, so that it can be tested
//! without an AWS account.

mod answer;
mod handler;
mod request;

pub use handler::{JobSink, Webhook, unavailable};
