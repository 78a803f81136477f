//! The log: one JSON object a line on standard output, where Lambda takes it from.

use tracing::{Level, Subscriber};
use tracing_subscriber::fmt::MakeWriter;

/// What writes the log to `writer`.
///
/// The level isn't configurable: below INFO, the runtime and AWS's clients write whole requests and answers,
/// payload and secret in them.
pub(crate) fn subscriber<W>(writer: W) -> impl Subscriber + Send + Sync
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
