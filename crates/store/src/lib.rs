//! Artifacts go to S3 as a stream: a zip is written by blocking code that doesn't know its final
//! size, and uploaded by asynchronous code that must not hold more of it than a few parts.
//!
//! Whatever goes wrong, no artifact appears: an object comes to be only when its producer said that
//! it wrote the last byte.
//!
//! ```no_run
//! use std::io::Write;
//! # async fn example(
//! #     client: &aws_sdk_s3::Client, object: store::Object, metadata: &store::ArtifactMetadata,
//! # ) -> Result<(), Box<dyn std::error::Error>> {
//! let found = store::find(client, &object, &metadata.repository).await?;
//! let (mut writer, upload) = store::Upload::start(client, object, metadata, &found);
//! let producer = tokio::task::spawn_blocking(move || {
//!     writer.write_all(b"PK\x05\x06")?;
//!     writer.finish()
//! });
//! let stored = upload.finish().await?; // tells why, when the writer only tells that it stopped
//! producer.await??;
//! # drop(stored);
//! # Ok(())
//! # }
//! ```

mod cached_pack;
mod copy;
mod description;
mod error;
mod metadata;
mod object;
mod parts;
mod rfc2047;
mod upload;

pub use cached_pack::{CachedPack, PackVersion};
pub use copy::copy;
pub use error::StoreError;
pub use metadata::{ArtifactMetadata, Found, find};
pub use object::Object;
pub use parts::PartWriter;
pub use upload::{Stored, Upload};
