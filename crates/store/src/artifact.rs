//! An artifact and its keys: the one that moves with its reference and, with `KeepCommits`, the one
//! of its commit, which is written once. With both, the zip goes to the commit's key first, and S3
//! copies it to the other one. If the worker ends in between, the next try finds the zip of the
//! commit and only copies it.

use std::collections::HashMap;

use aws_sdk_s3::Client;
use contract::{
    CommitId, KeepCommits,
    manifest::{self, Manifest, Subject},
};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt as _;

use crate::{
    ArtifactMetadata, Found, Object, PartWriter, StoreError, Stored, Upload,
    copy::{MOST, copy},
    description::{Condition, Description},
    find,
    upload::Target,
};

/// An artifact that is to be stored, and what lies at its keys.
#[derive(Debug)]
pub struct Artifact {
    /// The object that moves with the reference.
    pub object: Object,
    /// The metadata of both objects.
    pub metadata: ArtifactMetadata,
    /// What lies at the key of `object`.
    pub found: Found,
    /// The object of the commit, and what lies there.
    kept: Option<(Object, Found)>,
}

/// A stored artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The object that moves with the reference.
    pub zip: Stored,
    /// The object of the commit.
    pub kept: Option<Stored>,
    metadata: ArtifactMetadata,
}

/// What a worker knows of a commit beside its metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The commit's parents.
    pub parents: Option<Vec<String>>,
    /// When its author wrote it, as `git log --format=%aI` shows it.
    pub author_time: Option<String>,
}

impl Artifact {
    /// An artifact in place of what was [found](find). `commit` is the key of its commit, which is
    /// looked at, too.
    ///
    /// # Errors
    /// Those of [`find`].
    pub async fn look(
        client: &Client,
        object: Object,
        metadata: ArtifactMetadata,
        found: Found,
        commit: Option<Object>,
    ) -> Result<Self, StoreError> {
        let kept = match commit {
            None => None,
            Some(commit) => {
                let found = find(client, &commit, &metadata.repository).await?;
                Some((commit, found))
            }
        };
        let before = found.metadata.as_ref();
        let previous = before.and_then(|before| {
            if before.commit == metadata.commit { before.previous.clone() } else { Some(before.commit.clone()) }
        });
        Ok(Self { object, metadata: ArtifactMetadata { previous, ..metadata }, found, kept })
    }

    /// Whether the zip of the commit is there already, at its own key.
    pub fn is_kept(&self) -> bool {
        self.kept.as_ref().is_some_and(|(_, found)| self.is_of_commit(found))
    }

    /// Whether the [kept](Self::is_kept) zip was made for this reference.
    pub fn is_kept_for_its_reference(&self) -> bool {
        let kept = self.kept.as_ref().and_then(|(_, found)| found.metadata.as_ref());
        self.is_kept() && kept.is_some_and(|kept| kept.reference == self.metadata.reference)
    }

    /// Whether the reference's object is of this very commit.
    pub fn is_there(&self) -> bool {
        self.is_of_commit(&self.found)
    }

    /// Whether the delivery that asks for it has stored it already, in a try that failed
    /// afterwards: nobody may have been told of it.
    pub fn is_of_delivery(&self) -> bool {
        let there = self.found.metadata.as_ref();
        self.is_there() && there.is_some_and(|there| there.delivery_id == self.metadata.delivery_id)
    }

    /// The commit that a tag named before, if the artifact is of a moved one.
    pub fn moved_from(&self) -> Option<&CommitId> {
        moved_from(&self.metadata)
    }

    /// Whether there is an artifact whose zip [`copy_found`](Self::copy_found) can copy.
    pub fn can_be_copied(&self) -> bool {
        self.found.metadata.is_some() && self.found.bytes <= MOST
    }

    fn is_of_commit(&self, found: &Found) -> bool {
        found.metadata.as_ref().is_some_and(|there| there.commit == self.metadata.commit)
    }

    /// Starts to upload the zip that is written to the returned writer: to the commit's key if
    /// commits are kept and this one isn't there yet, and else to the reference's. If something
    /// else was stored meanwhile, that stays, and the upload ends with [`StoreError::is_taken`].
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn start(&self, client: &Client) -> (PartWriter, Upload) {
        let (object, description) = match &self.kept {
            Some((object, _)) if !self.is_kept() => (object, self.of_commit(None)),
            _ => (&self.object, self.metadata.describe(self.found.condition.clone())),
        };
        Upload::start_described(client, object.clone(), description)
    }

    /// Completes what [`start`](Self::start) began: the zip of a commit is copied to the
    /// reference's key. If another worker has stored the same commit meanwhile, its zip is.
    ///
    /// # Errors
    /// The upload's, or those of S3.
    pub async fn place(&self, client: &Client, uploaded: Result<Stored, StoreError>) -> Result<Placed, StoreError> {
        let Some((commit, found)) = &self.kept else { return Ok(self.placed(uploaded?, None)) };
        if self.is_of_commit(found) {
            return Ok(self.placed(uploaded?, Some(found.stored(client, commit).await?)));
        }
        let original = match uploaded {
            Err(error) if error.is_taken() => {
                let found = find(client, commit, &self.metadata.repository).await?;
                if !self.is_of_commit(&found) {
                    return Err(error);
                }
                found.stored(client, commit).await?
            }
            uploaded => uploaded?,
        };
        self.copy_commit(client, original).await
    }

    /// Copies the [kept](Self::is_kept) zip of the commit to the reference's key.
    ///
    /// # Errors
    /// Those of S3.
    pub async fn copy_kept(&self, client: &Client) -> Result<Placed, StoreError> {
        match &self.kept {
            Some((commit, found)) => self.copy_commit(client, found.stored(client, commit).await?).await,
            None => self.copy_found(client).await,
        }
    }

    /// Has the zip that was found at the reference's key name this commit, whose files are the
    /// same. S3 copies it.
    ///
    /// # Errors
    /// Those of S3.
    pub async fn copy_found(&self, client: &Client) -> Result<Placed, StoreError> {
        let original = self.found.stored(client, &self.object).await?;
        let Some((commit, _)) = &self.kept else {
            let zip = copy(client, &original, self.target(client, &original)).await?;
            return Ok(self.placed(zip, None));
        };
        let description = self.of_commit(Some(original.sha256.clone()));
        let target = Target { client: client.clone(), object: commit.clone(), description };
        let copied = copy(client, &original, target).await;
        self.place(client, copied).await
    }

    /// The artifact that is there already.
    ///
    /// # Errors
    /// Those of S3.
    pub async fn there(&self, client: &Client) -> Result<Placed, StoreError> {
        let kept = match &self.kept {
            Some((commit, found)) if self.is_of_commit(found) => Some(found.stored(client, commit).await?),
            _ => None,
        };
        Ok(self.placed(self.found.stored(client, &self.object).await?, kept))
    }

    /// Stores the artifact that is [there](Self::is_there) once more. The new version has no mark
    /// of a deleted reference, by which it would expire.
    ///
    /// # Errors
    /// Those of S3.
    pub async fn renew(&self, client: &Client) -> Result<Placed, StoreError> {
        if !self.is_kept() {
            return self.copy_found(client).await;
        }
        let there = self.there(client).await?;
        let zip = copy(client, &there.zip, self.target(client, &there.zip)).await?;
        Ok(self.placed(zip, there.kept))
    }

    async fn copy_commit(&self, client: &Client, original: Stored) -> Result<Placed, StoreError> {
        let zip = copy(client, &original, self.target(client, &original)).await?;
        Ok(self.placed(zip, Some(original)))
    }

    /// The reference's object, as a copy of this one.
    fn target(&self, client: &Client, original: &Stored) -> Target {
        let description = self.named(&original.sha256).describe(self.found.condition.clone());
        Target { client: client.clone(), object: self.object.clone(), description }
    }

    /// The metadata with a hash.
    fn named(&self, sha256: &str) -> ArtifactMetadata {
        ArtifactMetadata { sha256: Some(sha256.to_owned()), ..self.metadata.clone() }
    }

    /// The commit's object, with a hash that is known before. It replaces nothing.
    fn of_commit(&self, sha256: Option<String>) -> Description {
        let metadata = ArtifactMetadata { previous: None, sha256, ..self.metadata.clone() };
        Description { tag: Some(KeepCommits::TAG), ..metadata.describe(Condition::Absent) }
    }

    fn placed(&self, zip: Stored, kept: Option<Stored>) -> Placed {
        Placed { zip, kept, metadata: self.metadata.clone() }
    }
}

impl Found {
    /// What was found, with its hash. One that its metadata doesn't have is calculated, which reads
    /// the object.
    async fn stored(&self, client: &Client, object: &Object) -> Result<Stored, StoreError> {
        let etag = self.condition.if_match();
        let sha256 = match self.metadata.as_ref().and_then(|metadata| metadata.sha256.clone()) {
            Some(sha256) => sha256,
            None => sha256(client, object, etag.clone()).await?,
        };
        Ok(Stored { object: object.clone(), version_id: self.version_id.clone(), etag, bytes: self.bytes, sha256 })
    }
}

/// The SHA-256 of an object with this entity tag.
async fn sha256(client: &Client, object: &Object, etag: Option<String>) -> Result<String, StoreError> {
    let request = client.get_object().bucket(object.bucket.as_str()).key(&object.key).set_if_match(etag);
    let answer = request
        .send()
        .await
        .map_err(|error| StoreError::Read { object: object.clone(), source: Box::new(error.into()) })?;
    let (mut body, mut hash) = (answer.body.into_async_read(), Sha256::new());
    let mut buffer = vec![0; 1 << 20];
    loop {
        let cut_off = |source| StoreError::CutOff { object: object.clone(), source };
        match body.read(&mut buffer).await.map_err(cut_off)? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

impl Placed {
    /// What is said of it.
    pub fn manifest(&self, subject: Subject, provenance: Provenance) -> Manifest {
        let Self { zip, kept, metadata } = self;
        let previous_commit = metadata.previous.as_ref().map(ToString::to_string);
        Manifest {
            subject,
            commit: metadata.commit.to_string(),
            moved: moved_from(metadata).is_some(),
            previous_commit,
            tree: metadata.tree.clone(),
            parents: provenance.parents.filter(|parents| parents.len() <= manifest::MOST_PARENTS),
            author_time: provenance.author_time,
            bucket: zip.object.bucket.to_string(),
            key: zip.object.key.clone(),
            version_id: zip.version_id.clone(),
            etag: zip.etag.clone(),
            size: zip.bytes,
            sha256: zip.sha256.clone(),
            kept: kept.as_ref().map(|kept| manifest::Kept {
                key: kept.object.key.clone(),
                version_id: kept.version_id.clone(),
                etag: kept.etag.clone(),
            }),
        }
    }

    /// Stores the manifest beside each of both zips, if commits are kept. The commit's is written
    /// once: if it is there already, it stays.
    ///
    /// # Errors
    /// [`StoreError::Manifest`] if S3 refuses.
    pub async fn put_manifests(&self, client: &Client, manifest: &Manifest) -> Result<(), StoreError> {
        let Some(kept) = &self.kept else { return Ok(()) };
        let of_commit = Manifest {
            key: kept.object.key.clone(),
            version_id: kept.version_id.clone(),
            etag: kept.etag.clone(),
            previous_commit: None,
            moved: false,
            kept: None,
            ..manifest.clone()
        };
        let of_reference = Box::pin(put(client, &self.zip.object, manifest, Condition::Always));
        let of_commit = Box::pin(put(client, &kept.object, &of_commit, Condition::Absent));
        let (of_reference, of_commit) = tokio::join!(of_reference, of_commit);
        match of_commit {
            Err(error) if error.is_refused_by_condition() => of_reference,
            of_commit => of_reference.and(of_commit),
        }
    }
}

/// The commit that a tag named before. A branch is there to move.
fn moved_from(metadata: &ArtifactMetadata) -> Option<&CommitId> {
    metadata.previous.as_ref().filter(|_| metadata.reference.tag().is_some())
}

/// Stores the manifest of a zip.
async fn put(client: &Client, zip: &Object, manifest: &Manifest, condition: Condition) -> Result<(), StoreError> {
    let object = Object { bucket: zip.bucket.clone(), key: manifest::manifest_key(&zip.key) };
    let body = serde_json::to_vec(manifest).map_err(|source| StoreError::Text { object: object.clone(), source })?;
    let request = client.put_object().bucket(object.bucket.as_str()).key(&object.key).body(body.into());
    let tag = (condition == Condition::Absent).then_some(KeepCommits::TAG);
    let described = Description { content_type: "application/json", metadata: HashMap::new(), tag, condition };
    let request = request.set_tagging(described.tagging()).content_type(described.content_type);
    let request = request.set_if_none_match(described.condition.if_none_match());
    match request.send().await {
        Ok(_) => Ok(()),
        Err(error) => Err(StoreError::Manifest { object, source: Box::new(error.into()) }),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        io::Write as _,
        sync::{Arc, Mutex},
    };

    use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

    use super::*;
    use crate::upload::tests::client;

    const MOVING: &str = "octo/hello/octo_hello.zip";
    const KEPT: &str = "octo/hello/commit/a/octo_hello.zip";

    /// An object: its content and its headers.
    type Stored = (Vec<u8>, BTreeMap<String, String>);

    /// A bucket in memory, with conditions, copies and entity tags.
    #[derive(Clone, Default)]
    struct Bucket {
        objects: Arc<Mutex<BTreeMap<String, Stored>>>,
        /// What each request did, in order.
        seen: Arc<Mutex<Vec<String>>>,
        /// An object that appears before the first write.
        rival: Arc<Mutex<Option<(String, Stored)>>>,
    }

    fn etag(content: &[u8]) -> String {
        format!("\"{:x}\"", crc(content))
    }

    fn crc(content: &[u8]) -> u64 {
        content.iter().fold(7, |sum: u64, byte| sum.wrapping_mul(31) + u64::from(*byte))
    }

    impl Respond for Bucket {
        fn respond(&self, request: &Request) -> ResponseTemplate {
            let key = request.url.path().strip_prefix("/zips/").unwrap().to_owned();
            let header = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            let mut objects = self.objects.lock().unwrap();
            let refused =
                || ResponseTemplate::new(412).set_body_string("<Error><Code>PreconditionFailed</Code></Error>");
            if request.method == "PUT" {
                objects.extend(self.rival.lock().unwrap().take());
                let there = objects.get(&key).map(|(content, _)| etag(content));
                let is_taken = header("if-none-match").is_some() && there.is_some();
                if is_taken || header("if-match").is_some_and(|expected| Some(expected) != there) {
                    return refused();
                }
                let source = header("x-amz-copy-source").map(|source| source.replacen("zips/", "", 1));
                let how = source.as_ref().map_or_else(|| "put".to_owned(), |source| format!("copy {source} to"));
                self.seen.lock().unwrap().push(format!("{how} {key}"));
                let content = source.map_or_else(|| request.body.clone(), |source| objects[&source].0.clone());
                let kept = request.headers.iter().filter(|(name, _)| {
                    name.as_str().starts_with("x-amz-meta-") || *name == "x-amz-tagging" || *name == "content-type"
                });
                let kept = kept.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
                let copied = format!("<CopyObjectResult><ETag>{}</ETag></CopyObjectResult>", etag(&content));
                let answer = ResponseTemplate::new(200).insert_header("etag", etag(&content)).set_body_string(copied);
                objects.insert(key, (content, kept));
                return answer.insert_header("x-amz-version-id", "v");
            }
            let Some((content, headers)) = objects.get(&key) else { return ResponseTemplate::new(404) };
            if request.method == "GET" {
                self.seen.lock().unwrap().push(format!("get {key}"));
            }
            let answer = headers.iter().fold(ResponseTemplate::new(200), |answer, (name, value)| {
                answer.insert_header(name.as_str(), value.as_str())
            });
            let answer = answer.insert_header("etag", etag(content)).insert_header("x-amz-version-id", "v");
            if request.method == "HEAD" {
                return answer.insert_header("content-length", content.len().to_string());
            }
            answer.set_body_bytes(content.clone())
        }
    }

    /// A bucket, and a client for it.
    struct World {
        bucket: Bucket,
        client: Client,
        _server: MockServer,
    }

    impl World {
        async fn new() -> Self {
            let (server, bucket) = (MockServer::start().await, Bucket::default());
            Mock::given(any()).respond_with(bucket.clone()).mount(&server).await;
            Self { bucket, client: client(&server), _server: server }
        }

        /// The artifact of a commit of a reference.
        async fn look(&self, commit: &str, reference: &str, delivery: &str) -> Artifact {
            let object = |key: &str| Object { bucket: "zips".parse().unwrap(), key: key.to_owned() };
            let metadata = ArtifactMetadata {
                repository: "github.com/octo/hello".parse().unwrap(),
                commit: commit.repeat(40).parse().unwrap(),
                tree: Some("c".repeat(40)),
                reference: reference.parse().unwrap(),
                delivery_id: delivery.parse().unwrap(),
                summary: "Fix".to_owned(),
                previous: None,
                worker: None,
                sha256: None,
            };
            let moving = object(MOVING);
            let found = find(&self.client, &moving, &metadata.repository).await.unwrap();
            let kept = object(&KEPT.replace("/a/", &format!("/{commit}/")));
            Artifact::look(&self.client, moving, metadata, found, Some(kept)).await.unwrap()
        }

        /// Uploads a zip.
        async fn put(&self, artifact: &Artifact, content: &'static [u8]) -> Result<Placed, StoreError> {
            let (mut writer, upload) = artifact.start(&self.client);
            tokio::task::spawn_blocking(move || writer.write_all(content).and_then(|()| writer.finish()));
            artifact.place(&self.client, upload.finish().await).await
        }

        fn seen(&self) -> Vec<String> {
            std::mem::take(&mut self.bucket.seen.lock().unwrap())
        }

        fn object(&self, key: &str) -> Stored {
            self.bucket.objects.lock().unwrap()[key].clone()
        }
    }

    const MAIN: &str = "refs/heads/main";

    #[tokio::test]
    async fn commit_is_stored_before_its_reference() {
        let world = World::new().await;
        let artifact = world.look("a", MAIN, "d-1").await;
        let placed = world.put(&artifact, b"one").await.unwrap();
        assert_eq!(world.seen(), [format!("put {KEPT}"), format!("copy {KEPT} to {MOVING}")]);
        let sha256 = hex::encode(Sha256::digest(b"one"));
        assert_eq!((&placed.zip.sha256, placed.zip.object.key.as_str()), (&sha256, MOVING));
        let ((kept, kept_headers), (moving, headers)) = (world.object(KEPT), world.object(MOVING));
        assert_eq!((kept.as_slice(), moving.as_slice()), (&b"one"[..], &b"one"[..]));
        assert_eq!((&headers["x-amz-meta-sha256"], &kept_headers["x-amz-meta-sha256"]), (&sha256, &sha256));
        // Only what is kept for days expires.
        assert_eq!(kept_headers["x-amz-tagging"], "git2s3=commit");
        assert!(!headers.contains_key("x-amz-tagging"));
    }

    #[tokio::test]
    async fn kept_zip_is_never_overwritten() {
        let world = World::new().await;
        world.put(&world.look("a", MAIN, "d-1").await, b"one").await.unwrap();
        world.put(&world.look("b", MAIN, "d-2").await, b"two").await.unwrap();
        world.seen();
        // The branch goes back, and the bucket has that commit.
        let artifact = world.look("a", MAIN, "d-3").await;
        assert!(artifact.is_kept() && !artifact.is_there());
        let placed = artifact.copy_kept(&world.client).await.unwrap();
        assert_eq!(world.seen(), [format!("copy {KEPT} to {MOVING}")]);
        assert_eq!(world.object(MOVING).0, b"one");
        assert_eq!(world.object(MOVING).1["x-amz-meta-delivery-id"], "d-3");
        assert_eq!(world.object(KEPT).1["x-amz-meta-delivery-id"], "d-1");
        assert_eq!(placed.kept.unwrap().object.key, KEPT);
    }

    #[tokio::test]
    async fn zip_of_faster_worker_is_copied() {
        let world = World::new().await;
        let artifact = world.look("a", "refs/tags/v1", "d-2").await;
        let other = World::new().await;
        other.put(&other.look("a", MAIN, "d-1").await, b"one").await.unwrap();
        *world.bucket.rival.lock().unwrap() = Some((KEPT.to_owned(), other.object(KEPT)));
        let placed = world.put(&artifact, b"another").await.unwrap();
        assert_eq!((world.object(KEPT).0, world.object(MOVING).0), (b"one".to_vec(), b"one".to_vec()));
        assert_eq!(placed.zip.sha256, hex::encode(Sha256::digest(b"one")));
    }

    #[tokio::test]
    async fn other_object_at_commits_key_stays() {
        let world = World::new().await;
        let artifact = world.look("a", MAIN, "d-1").await;
        *world.bucket.rival.lock().unwrap() = Some((KEPT.to_owned(), (b"no zip".to_vec(), BTreeMap::new())));
        let error = world.put(&artifact, b"one").await.unwrap_err();
        assert!(error.is_taken(), "{error:?}");
        assert!(!world.bucket.objects.lock().unwrap().contains_key(MOVING));
    }

    #[tokio::test]
    async fn same_files_are_copied_by_s3() {
        let world = World::new().await;
        world.put(&world.look("a", MAIN, "d-1").await, b"one").await.unwrap();
        world.seen();
        let artifact = world.look("b", MAIN, "d-2").await;
        artifact.copy_found(&world.client).await.unwrap();
        let kept = KEPT.replace("/a/", "/b/");
        assert_eq!(world.seen(), [format!("copy {MOVING} to {kept}"), format!("copy {kept} to {MOVING}")]);
        assert_eq!(world.object(&kept).1["x-amz-meta-commit"], "b".repeat(40));
        assert_eq!(world.object(&kept).1["x-amz-tagging"], "git2s3=commit");
        assert_eq!(world.object(&kept).1.get("x-amz-meta-previous-commit"), None);
        assert_eq!(world.object(MOVING).1["x-amz-meta-previous-commit"], "a".repeat(40));
    }

    #[tokio::test]
    async fn missing_hash_is_calculated() {
        let world = World::new().await;
        world.put(&world.look("a", MAIN, "d-1").await, b"one").await.unwrap();
        world.bucket.objects.lock().unwrap().get_mut(KEPT).unwrap().1.remove("x-amz-meta-sha256");
        world.seen();
        let placed = world.look("a", "refs/tags/v1", "d-2").await.copy_kept(&world.client).await.unwrap();
        assert_eq!(world.seen(), [format!("get {KEPT}"), format!("copy {KEPT} to {MOVING}")]);
        assert_eq!(placed.zip.sha256, hex::encode(Sha256::digest(b"one")));
    }

    #[tokio::test]
    async fn moved_tag_remembers_its_commit() {
        let world = World::new().await;
        world.put(&world.look("a", "refs/tags/v1", "d-1").await, b"one").await.unwrap();
        let artifact = world.look("b", "refs/tags/v1", "d-2").await;
        assert_eq!(artifact.moved_from().map(ToString::to_string), Some("a".repeat(40)));
        world.put(&artifact, b"two").await.unwrap();
        // A try that failed afterwards tells it again.
        let again = world.look("b", "refs/tags/v1", "d-2").await;
        assert!(again.is_of_delivery());
        assert_eq!(again.moved_from(), artifact.moved_from());
        assert!(!world.look("b", "refs/tags/v1", "d-3").await.is_of_delivery());
        let placed = again.there(&world.client).await.unwrap();
        assert_eq!((placed.zip.sha256, placed.kept.is_some()), (hex::encode(Sha256::digest(b"two")), true));
        // A branch is there to move.
        assert_eq!(world.look("a", MAIN, "d-4").await.moved_from(), None);
    }

    #[tokio::test]
    async fn renewed_artifact_is_another_version() {
        let world = World::new().await;
        world.put(&world.look("a", MAIN, "d-1").await, b"one").await.unwrap();
        let mark = ("x-amz-tagging".to_owned(), "git2s3=deleted".to_owned());
        for is_kept in [true, false] {
            world.bucket.objects.lock().unwrap().get_mut(MOVING).unwrap().1.extend([mark.clone()]);
            if !is_kept {
                world.bucket.objects.lock().unwrap().remove(KEPT);
            }
            world.seen();
            let placed = world.look("a", MAIN, "d-2").await.renew(&world.client).await.unwrap();
            let expected = [format!("copy {MOVING} to {KEPT}"), format!("copy {KEPT} to {MOVING}")];
            let expected = if is_kept { vec![format!("copy {MOVING} to {MOVING}")] } else { expected.to_vec() };
            assert_eq!(world.seen(), expected);
            let (content, headers) = world.object(MOVING);
            assert_eq!((content.as_slice(), headers.get("x-amz-tagging")), (&b"one"[..], None));
            assert_eq!(headers["x-amz-meta-delivery-id"], "d-2");
            assert_eq!(placed.kept.unwrap().object.key, KEPT);
        }
    }

    fn subject() -> Subject {
        let job = serde_json::json!({
            "delivery": "d-1", "repository": { "host": "github.com", "path": "octo/hello" }, "reference": "refs/tags/v1",
        });
        Subject::of(&serde_json::from_value(job).unwrap(), contract::Worker::GitPull)
    }

    #[tokio::test]
    async fn each_zip_has_its_manifest() {
        let world = World::new().await;
        world.put(&world.look("a", "refs/tags/v1", "d-1").await, b"one").await.unwrap();
        let placed = world.put(&world.look("b", "refs/tags/v1", "d-2").await, b"two").await.unwrap();
        let provenance = Provenance { parents: Some(vec!["a".repeat(40)]), author_time: None };
        let manifest = placed.manifest(subject(), provenance);
        placed.put_manifests(&world.client, &manifest).await.unwrap();
        let read = |key: &str| -> (Manifest, BTreeMap<String, String>) {
            let (content, headers) = world.object(&manifest::manifest_key(key));
            (serde_json::from_slice(&content).unwrap(), headers)
        };
        let (of_reference, headers) = read(MOVING);
        assert_eq!(of_reference, manifest);
        assert_eq!(headers["content-type"], "application/json");
        assert!(manifest.moved && manifest.previous_commit == Some("a".repeat(40)));
        let kept_key = KEPT.replace("/a/", "/b/");
        let (of_commit, headers) = read(&kept_key);
        assert_eq!((of_commit.key.as_str(), of_commit.moved, of_commit.previous_commit), (&*kept_key, false, None));
        assert_eq!(headers["x-amz-tagging"], "git2s3=commit");
        // The commit's is written once, the other one as often as there is something to say.
        let later = Manifest { subject: Subject { delivery: "d-3".to_owned(), ..subject() }, ..manifest };
        placed.put_manifests(&world.client, &later).await.unwrap();
        assert_eq!(read(MOVING).0.subject.delivery, "d-3");
        assert_eq!(read(&kept_key).0.subject.delivery, "d-1");
    }

    #[tokio::test]
    async fn without_kept_commits_nothing_is_added() {
        let world = World::new().await;
        let artifact = Artifact { kept: None, ..world.look("a", MAIN, "d-1").await };
        let placed = world.put(&artifact, b"one").await.unwrap();
        placed.put_manifests(&world.client, &placed.manifest(subject(), Provenance::default())).await.unwrap();
        assert_eq!(world.seen(), [format!("put {MOVING}")]);
        let again = Artifact { kept: None, ..world.look("b", MAIN, "d-2").await };
        assert!(again.can_be_copied());
        again.copy_found(&world.client).await.unwrap();
        assert_eq!(world.seen(), [format!("copy {MOVING} to {MOVING}")]);
        assert_eq!(world.object(MOVING).1["x-amz-meta-commit"], "b".repeat(40));
        let oversized = Artifact { found: Found { bytes: MOST + 1, ..again.found.clone() }, ..again };
        assert!(!oversized.can_be_copied());
    }
}
