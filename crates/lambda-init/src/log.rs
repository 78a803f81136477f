//! The log: one JSON object per line on standard output, which Lambda collects.

use tracing::{Level, Subscriber, subscriber::SetGlobalDefaultError};
use tracing_subscriber::fmt::MakeWriter;

/// Starts the log of this process.
///
/// # Errors
/// The log was started before.
pub fn start() -> Result<(), SetGlobalDefaultError> {
    tracing::subscriber::set_global_default(subscriber(std::io::stdout))
}

/// A subscriber that writes the log to `writer`.
///
/// The level isn't configurable: below INFO, the runtime and AWS's clients log whole requests and
/// responses, including payloads and secrets.
pub fn subscriber<W>(writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_max_level(Level::INFO)
        .with_writer(writer)
        .finish()
}
