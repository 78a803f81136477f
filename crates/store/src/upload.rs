//! The asynchronous half: uploads parts as an object, or nothing at all.
//!
//! S3 keeps (and bills) the parts of an upload that was neither completed nor aborted, so every
//! failure aborts it.
//!
//! The body isn't hashed for the signature: its CRC-32 is signed, S3 verifies it, and TLS protects
//! the rest. AWS's own command line [does the
//! same](https://docs.aws.amazon.com/cli/latest/topic/s3-config.html#payload-signing-enabled).

use std::sync::OnceLock;

use aws_sdk_s3::{
    Client,
    error::DisplayErrorContext,
    operation::complete_multipart_upload::CompleteMultipartUploadOutput,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tokio::{runtime::Handle, sync::mpsc::Receiver, task::JoinHandle};

use crate::{
    Object, StoreError,
    description::Description,
    metadata::SHA256,
    parts::{PartSizes, PartWriter, Piece},
};

/// How many parts are uploaded at once. With the one in the channel and the one being written, an
/// upload holds four parts: at most 34 MiB for artifacts up to 6 GB.
const PARTS_AT_ONCE: usize = 2;

/// A stored artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The object.
    pub object: Object,
    /// Its version, in a versioned bucket.
    pub version_id: Option<String>,
    /// Its entity tag, with S3's quotation marks.
    pub etag: Option<String>,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

/// A running upload. Dropping it aborts it.
#[derive(Debug)]
pub struct Upload {
    object: Object,
    task: JoinHandle<Result<Stored, StoreError>>,
}

impl Upload {
    /// Starts to upload what is written to the returned writer.
    ///
    /// Up to 16 MiB, it uses a single `PutObject`. S3 verifies the CRC-32 checksums of parts.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub(crate) fn start_described(client: &Client, object: Object, description: Description) -> (PartWriter, Self) {
        Self::start_with(client, object, description, PartSizes::S3)
    }

    fn start_with(client: &Client, object: Object, description: Description, sizes: PartSizes) -> (PartWriter, Self) {
        let (writer, pieces) = PartWriter::new(sizes);
        let target = Target { client: client.clone(), object: object.clone(), description };
        (writer, Self { object, task: tokio::spawn(target.upload(pieces)) })
    }

    /// Waits until the object is stored.
    ///
    /// # Errors
    /// The cause of the failure. The multipart upload is aborted by then.
    pub async fn finish(mut self) -> Result<Stored, StoreError> {
        match (&mut self.task).await {
            Ok(result) => result,
            Err(source) => Err(StoreError::Stopped { object: self.object.clone(), source }),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The target of an upload.
pub(crate) struct Target {
    pub(crate) client: Client,
    pub(crate) object: Object,
    pub(crate) description: Description,
}

impl Target {
    async fn upload(self, mut pieces: Receiver<Piece>) -> Result<Stored, StoreError> {
        match pieces.recv().await {
            None => Err(self.unfinished()),
            Some(Piece::Last(whole, sha256)) => self.put(whole, sha256).await,
            Some(Piece::Part(first)) => self.multipart(first, pieces).await,
        }
    }

    async fn put(self, whole: Bytes, sha256: String) -> Result<Stored, StoreError> {
        let bytes = whole.len() as u64;
        let tagging = self.description.tagging();
        let request = self.client.put_object().bucket(self.object.bucket.as_str()).key(&self.object.key);
        let Description { content_type, mut metadata, condition, .. } = self.description;
        metadata.insert(SHA256.to_owned(), sha256.clone());
        let request = request.set_metadata(Some(metadata)).content_type(content_type).set_tagging(tagging);
        let request = request.set_if_none_match(condition.if_none_match()).set_if_match(condition.if_match());
        let request = request.checksum_algorithm(ChecksumAlgorithm::Crc32).body(whole.into());
        match request.customize().disable_payload_signing().send().await {
            Ok(put) => Ok(Stored { object: self.object, version_id: put.version_id, etag: put.e_tag, bytes, sha256 }),
            Err(error) => Err(StoreError::Put { object: self.object, source: Box::new(error.into()) }),
        }
    }

    async fn multipart(self, first: Bytes, pieces: Receiver<Piece>) -> Result<Stored, StoreError> {
        let begun = self.begin().await?;
        let result = match begun.upload_parts(&self, first, pieces).await {
            Ok((parts, sha256)) => begun.complete(&self, parts, sha256).await,
            Err(error) => Err(error),
        };
        begun.end(result).await
    }

    pub(crate) async fn begin(&self) -> Result<Begun, StoreError> {
        let request = self.client.create_multipart_upload().bucket(self.object.bucket.as_str()).key(&self.object.key);
        let Description { content_type, metadata, .. } = &self.description;
        let request = request.set_metadata(Some(metadata.clone())).content_type(*content_type);
        let request = request.set_tagging(self.description.tagging());
        let answer = request
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .send()
            .await
            .map_err(|error| StoreError::Begin { object: self.object.clone(), source: Box::new(error.into()) })?;
        Ok(Begun { client: self.client.clone(), object: self.object.clone(), upload_id: answer.upload_id })
    }

    fn unfinished(&self) -> StoreError {
        StoreError::Unfinished { object: self.object.clone() }
    }

    /// The parts with their numbers, and an error if the producer ended early. `whole` becomes the
    /// SHA-256 of all parts.
    fn numbered(
        &self,
        first: Bytes,
        pieces: Receiver<Piece>,
        whole: &OnceLock<String>,
    ) -> impl Stream<Item = Result<(i32, Bytes), StoreError>> {
        let rest = stream::unfold(Some(pieces), async |pieces| {
            let mut pieces = pieces?;
            match pieces.recv().await {
                Some(Piece::Part(part)) => Some((Ok(part), Some(pieces))),
                Some(Piece::Last(part, sha256)) => {
                    whole.get_or_init(|| sha256);
                    Some((Ok(part), None))
                }
                None => Some((Err(self.unfinished()), None)),
            }
        });
        let numbers = stream::iter(1..);
        numbers.zip(stream::once(async { Ok(first) }).chain(rest)).map(|(number, part)| Ok((number, part?)))
    }
}

/// A started multipart upload. If dropped, it tries to abort itself. The bucket's lifecycle rule
/// removes what remains.
pub(crate) struct Begun {
    pub(crate) client: Client,
    pub(crate) object: Object,
    pub(crate) upload_id: Option<String>,
}

impl Begun {
    async fn upload_parts(
        &self,
        target: &Target,
        first: Bytes,
        pieces: Receiver<Piece>,
    ) -> Result<(Vec<(CompletedPart, u64)>, String), StoreError> {
        let sha256 = OnceLock::new();
        let uploads = target.numbered(first, pieces, &sha256);
        let uploads = uploads.map_ok(|(number, part)| self.upload_part(number, part));
        let parts: Vec<_> = uploads.try_buffer_unordered(PARTS_AT_ONCE).try_collect().await?;
        Ok((parts, sha256.into_inner().unwrap_or_default()))
    }

    async fn upload_part(&self, number: i32, part: Bytes) -> Result<(CompletedPart, u64), StoreError> {
        let bytes = part.len() as u64;
        let request = self.client.upload_part().bucket(self.object.bucket.as_str()).key(&self.object.key);
        let request = request.set_upload_id(self.upload_id.clone()).part_number(number);
        let request = request.checksum_algorithm(ChecksumAlgorithm::Crc32).body(part.into());
        let answer = request.customize().disable_payload_signing().send().await.map_err(|error| StoreError::Part {
            object: self.object.clone(),
            number,
            source: Box::new(error.into()),
        })?;
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(answer.e_tag)
            .set_checksum_crc32(answer.checksum_crc32)
            .build();
        Ok((part, bytes))
    }

    pub(crate) async fn complete(
        &self,
        target: &Target,
        mut parts: Vec<(CompletedPart, u64)>,
        sha256: String,
    ) -> Result<Stored, StoreError> {
        parts.sort_unstable_by_key(|(part, _)| part.part_number);
        let bytes = parts.iter().map(|(_, bytes)| bytes).sum();
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts.into_iter().map(|(part, _)| part).collect()))
            .build();
        let request = self.client.complete_multipart_upload().bucket(self.object.bucket.as_str());
        let request = request.key(&self.object.key).set_upload_id(self.upload_id.clone()).multipart_upload(parts);
        let condition = &target.description.condition;
        let request = request.set_if_none_match(condition.if_none_match()).set_if_match(condition.if_match());
        let object = target.object.clone();
        match request.send().await {
            Ok(CompleteMultipartUploadOutput { version_id, e_tag: etag, .. }) => {
                Ok(Stored { object, version_id, etag, bytes, sha256 })
            }
            Err(error) => Err(StoreError::Complete { object, source: Box::new(error.into()) }),
        }
    }

    /// Aborts the upload, unless it was completed.
    pub(crate) async fn end(mut self, result: Result<Stored, StoreError>) -> Result<Stored, StoreError> {
        let upload_id = self.upload_id.take();
        if result.is_err() {
            abort(self.client.clone(), self.object.clone(), upload_id).await;
        }
        result
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let (Some(upload_id), Ok(runtime)) = (self.upload_id.take(), Handle::try_current()) {
            runtime.spawn(abort(self.client.clone(), self.object.clone(), Some(upload_id)));
        }
    }
}

/// Aborts a multipart upload. A failure is only logged: the caller has a more useful error.
async fn abort(client: Client, object: Object, upload_id: Option<String>) {
    let request = client.abort_multipart_upload().bucket(object.bucket.as_str()).key(&object.key);
    if let Err(error) = request.set_upload_id(upload_id).send().await {
        tracing::warn!(%object, error = %DisplayErrorContext(&error), "could not abort the multipart upload");
    }
}

#[cfg(test)]
pub(crate) mod tests;
