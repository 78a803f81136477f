//! What the function behind the endpoint does with a request, apart from its wiring: so that
//! requests of any kind can be tried on it without an account.

mod answer;
mod handler;
mod request;

pub use handler::{AT_ONCE, JobSink, Webhook, unavailable};
