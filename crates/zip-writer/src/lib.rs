//! The zip's own format: what both of our zips are written with, the one of a commit's tree and the
//! one of a provider's zip. It knows neither repositories nor providers, and links nothing of Git
//! but its rules for names.
//!
//! ```
//! use zip_writer::{Content, Time, Writer};
//!
//! let mut zip = Writer::new(Vec::new(), Time::from_seconds(1_700_000_000));
//! zip.folder("folder".into())?;
//! zip.file("folder/file".into(), 0o100_644, &Content::stored(b"content"))?;
//! let (entries, bytes) = zip.finish(b"comment")?;
//! assert!(entries == 2 && bytes > 100);
//! # Ok::<(), std::io::Error>(())
//! ```

#![warn(clippy::indexing_slicing)]

pub mod path;
mod stream;
mod time;
mod writer;

pub use stream::Stream;
pub use time::Time;
pub use writer::{Announced, Content, DESCRIBED, MAX_U16, MAX_U32, Method, Record, Sums, UTF8, Writer};
