//! Streams artifacts to S3: blocking code writes a zip of unknown size, and asynchronous code
//! uploads it with only a few parts in memory.
//!
//! If anything fails, no artifact appears: an object is created only after its producer has
//! confirmed the last byte.
//!
//! ```no_run
//! use std::io::Write;
//! # async fn example(
//! #     client: &aws_sdk_s3::Client, object: store::Object, metadata: store::ArtifactMetadata,
//! # ) -> Result<(), Box<dyn std::error::Error>> {
//! let found = store::find(client, &object, &metadata.repository).await?;
//! let artifact = store::Artifact::look(client, object, metadata, found, None).await?;
//! let (mut writer, upload) = artifact.start(client);
//! let producer = tokio::task::spawn_blocking(move || {
//!     writer.write_all(b"PK\x05\x06")?;
//!     writer.finish()
//! });
//! let stored = upload.finish().await; // tells why, when the writer only tells that it stopped
//! producer.await??;
//! let placed = artifact.place(client, stored).await?;
//! # drop(placed);
//! # Ok(())
//! # }
//! ```

mod artifact;
mod cached_pack;
mod copy;
mod deleted;
mod description;
mod error;
mod metadata;
mod object;
mod output;
mod parts;
mod rfc2047;
mod upload;

pub use artifact::{Artifact, Placed, Provenance};
pub use cached_pack::{CachedPack, PackVersion};
pub use deleted::{Deleted, is_deletion_told};
pub use error::StoreError;
pub use metadata::{ArtifactMetadata, Found, find, known};
pub use object::Object;
pub use output::Output;
pub use parts::PartWriter;
pub use upload::{Stored, Upload};
