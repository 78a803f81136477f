//! What becomes of the zip of a deleted reference: what the `DeletedReferences` parameter says. The
//! zip is marked where it lies. A copy would be a new version, by which pipelines would start. The
//! mark is also what is known of a deletion: by it, nobody tells of it twice.

use aws_sdk_s3::{
    Client,
    types::{Tag, Tagging},
};
use contract::{
    DeletedReferences, Job, KeepCommits, Repository,
    events::{Deletion, Fate},
    manifest::{self, Subject},
};

use crate::{Found, Object, Output, StoreError, find};

/// How many tags an object [may
/// have](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html).
const MOST_TAGS: usize = 10;

/// The zip of a deleted reference, and what is to become of it.
#[derive(Debug)]
pub struct Deleted {
    /// Where the zip of the reference lies, or would lie.
    pub object: Object,
    /// What becomes of it.
    pub fate: Fate,
    /// Whether the deletion was told before: then there is nothing left to do.
    pub is_told: bool,
    /// With [`Fate::Expires`]: after how many days.
    days: Option<u16>,
    found: Option<Found>,
    /// Its other tags.
    tags: Vec<Tag>,
}

impl Output {
    /// What the parameter says of the zip of a job's reference, which is gone. Once that is told,
    /// it is to be [marked](Self::mark_deleted): whoever is killed in between tells it again.
    ///
    /// Only an object whose metadata name the reference is meant. The one at the key of the default
    /// branch always stays: that key is the next default branch's, too.
    ///
    /// Requires the rights of [`find`], and `s3:GetObjectVersionTagging`.
    ///
    /// # Errors
    /// Those of S3.
    pub async fn deleted_reference(&self, job: &Job) -> Result<Deleted, StoreError> {
        let own = self.object(job, None);
        if let Some(found) = self.zip_of(job, &own).await? {
            return self.look_deleted(own, found, self.deleted_references).await;
        }
        if let Some(branch) = job.reference.branch() {
            let as_default = self.object(job, Some(branch));
            if let Some(found) = self.zip_of(job, &as_default).await? {
                return self.look_deleted(as_default, found, DeletedReferences::Keep).await;
            }
        }
        Ok(Deleted { object: own, fate: Fate::Absent, is_told: false, days: None, found: None, tags: Vec::new() })
    }

    async fn look_deleted(&self, object: Object, found: Found, what: DeletedReferences) -> Result<Deleted, StoreError> {
        let (fate, days) = match what {
            DeletedReferences::Keep => (Fate::Kept, None),
            DeletedReferences::Mark => (Fate::Marked, None),
            DeletedReferences::Days(days) => (Fate::Expires, Some(days)),
        };
        let mut tags = tags(&self.s3, &object, &found).await?;
        let is_told = has_mark(&tags);
        tags.retain(|tag| tag.key() != DeletedReferences::TAG.0);
        if !is_told && fate != Fate::Kept && tags.len() >= MOST_TAGS {
            return Err(StoreError::Tags { object, most: MOST_TAGS });
        }
        Ok(Deleted { object, fate, is_told, days, found: Some(found), tags })
    }

    /// Marks the zip of a deleted reference, and its manifest, if it doesn't stay.
    ///
    /// Requires `s3:GetObjectVersionTagging` and `s3:PutObjectVersionTagging`.
    ///
    /// # Errors
    /// Those of S3.
    pub async fn mark_deleted(&self, job: &Job, deleted: Deleted) -> Result<(), StoreError> {
        let Deleted { object, fate, found, tags, is_told, .. } = deleted;
        let Some(found) = found.filter(|_| !is_told) else { return Ok(()) };
        let stays = fate == Fate::Kept;
        if stays && tags.len() >= MOST_TAGS {
            tracing::warn!(artifact = %object, "there is no room for a tag: the deletion may be told again");
            return Ok(());
        }
        let mark = if stays { DeletedReferences::KEPT } else { DeletedReferences::TAG };
        self.mark(&object, &found, tags, mark).await?;
        if !stays && self.keep_commits != KeepCommits::Off {
            let manifest = Object { bucket: object.bucket.clone(), key: manifest::manifest_key(&object.key) };
            let beside = find(&self.s3, &manifest, &job.repository).await?;
            if beside.version_id.is_some() {
                let mut others = self::tags(&self.s3, &manifest, &beside).await?;
                others.retain(|tag| tag.key() != mark.0);
                self.mark(&manifest, &beside, others, mark).await?;
            }
        }
        Ok(())
    }

    /// Whether a stored zip is marked as that of a deleted reference.
    ///
    /// # Errors
    /// [`StoreError::ReadTags`] if S3 refuses.
    pub async fn is_marked(&self, object: &Object, found: &Found) -> Result<bool, StoreError> {
        Ok(has_mark(&tags(&self.s3, object, found).await?))
    }

    /// What lies at a key, if it is the zip of the job's reference.
    async fn zip_of(&self, job: &Job, object: &Object) -> Result<Option<Found>, StoreError> {
        match find(&self.s3, object, &job.repository).await {
            Ok(found) => {
                let is_of_reference =
                    found.metadata.as_ref().is_some_and(|metadata| metadata.reference == job.reference);
                Ok(is_of_reference.then_some(found))
            }
            Err(StoreError::OtherRepository { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds the mark to the version that was found: a newer one isn't that of the deleted
    /// reference.
    async fn mark(
        &self,
        object: &Object,
        found: &Found,
        mut tags: Vec<Tag>,
        (key, value): (&str, &str),
    ) -> Result<(), StoreError> {
        if tags.len() >= MOST_TAGS {
            return Err(StoreError::Tags { object: object.clone(), most: MOST_TAGS });
        }
        let failed = |source: aws_sdk_s3::Error| StoreError::Tag { object: object.clone(), source: Box::new(source) };
        tags.push(Tag::builder().key(key).value(value).build().map_err(|error| failed(error.into()))?);
        let tagging = Tagging::builder().set_tag_set(Some(tags)).build().map_err(|error| failed(error.into()))?;
        let request = self.s3.put_object_tagging().bucket(object.bucket.as_str()).key(&object.key).tagging(tagging);
        request.set_version_id(found.version_id.clone()).send().await.map_err(|error| failed(error.into()))?;
        Ok(())
    }
}

/// Whether the deletion of the reference of this zip was told, or can't be noted as told: other
/// tags have taken the room. `None` if the zip is gone.
///
/// Requires the rights of [`find`], and `s3:GetObjectVersionTagging`.
///
/// # Errors
/// Those of S3.
pub async fn is_deletion_told(
    s3: &Client,
    object: &Object,
    repository: &Repository,
) -> Result<Option<bool>, StoreError> {
    let found = match find(s3, object, repository).await {
        Ok(found) if found.metadata.is_some() => found,
        Ok(_) | Err(StoreError::OtherRepository { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let tags = tags(s3, object, &found).await?;
    Ok(Some(has_mark(&tags) || tags.len() >= MOST_TAGS))
}

async fn tags(s3: &Client, object: &Object, found: &Found) -> Result<Vec<Tag>, StoreError> {
    let request = s3.get_object_tagging().bucket(object.bucket.as_str()).key(&object.key);
    let read = request.set_version_id(found.version_id.clone()).send().await;
    let read = read.map_err(|error| StoreError::ReadTags { object: object.clone(), source: Box::new(error.into()) })?;
    Ok(read.tag_set)
}

fn has_mark(tags: &[Tag]) -> bool {
    let is_mark = |tag: &Tag| [DeletedReferences::TAG, DeletedReferences::KEPT].contains(&(tag.key(), tag.value()));
    tags.iter().any(is_mark)
}

impl Deleted {
    /// What is said of it.
    pub fn event(&self, subject: Subject) -> Deletion {
        let found = self.found.as_ref();
        Deletion {
            subject,
            artifact: self.fate,
            expires_after_days: self.days,
            commit: found.and_then(|found| found.metadata.as_ref()).map(|metadata| metadata.commit.to_string()),
            bucket: self.object.bucket.to_string(),
            key: found.map(|_| self.object.key.clone()),
            version_id: found.and_then(|found| found.version_id.clone()),
        }
    }

    /// The line of the log that says what is done.
    pub fn log(&self, job: &Job) {
        tracing::info!(
            job = job.id(),
            delivery = %job.delivery,
            repository = %job.repository,
            reference = %job.reference,
            artifact = %self.object,
            "{}",
            self.said()
        );
    }

    fn said(&self) -> &'static str {
        match self.fate {
            _ if self.is_told => "deleted: this was told before",
            Fate::Kept => "deleted: the zip stays",
            Fate::Marked => "deleted: the zip is marked",
            Fate::Expires => "deleted: the zip is marked, and expires",
            Fate::Absent => "deleted: there is no zip",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use contract::{KeyLayout, Worker};
    use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

    use super::*;
    use crate::upload::tests::client;

    const OWN: &str = "octo/hello/branch/old/octo_hello.zip";
    const DEFAULT: &str = "octo/hello/octo_hello.zip";
    const MANIFEST: &str = "octo/hello/branch/old/octo_hello.manifest.json";

    /// An object: the reference in its metadata, its repository, and its tags.
    type Stored = (&'static str, &'static str, BTreeMap<String, String>);

    /// A bucket in memory that has tags.
    #[derive(Clone, Default)]
    struct Bucket {
        objects: Arc<Mutex<BTreeMap<String, Stored>>>,
        /// What was asked for beside metadata.
        asked: Arc<Mutex<Vec<String>>>,
    }

    impl Respond for Bucket {
        fn respond(&self, request: &Request) -> ResponseTemplate {
            let key = request.url.path().strip_prefix("/zips/").unwrap().to_owned();
            let mut objects = self.objects.lock().unwrap();
            let Some((reference, repository, tags)) = objects.get_mut(&key) else { return ResponseTemplate::new(404) };
            if request.method == "HEAD" {
                let meta = |name: &str| format!("x-amz-meta-{name}");
                return ResponseTemplate::new(200)
                    .insert_header("etag", "\"e\"")
                    .insert_header("x-amz-version-id", "v7")
                    .insert_header(meta("repository").as_str(), *repository)
                    .insert_header(meta("ref").as_str(), *reference)
                    .insert_header(meta("commit").as_str(), "a".repeat(40).as_str())
                    .insert_header(meta("delivery-id").as_str(), "d-1");
            }
            assert_eq!(request.url.query_pairs().find(|(name, _)| name == "versionId").unwrap().1, "v7");
            self.asked.lock().unwrap().push(format!("{} {key}", request.method));
            if request.method == "GET" {
                let tag =
                    |(key, value): (&String, &String)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
                let tags: String = tags.iter().map(tag).collect();
                return ResponseTemplate::new(200)
                    .set_body_string(format!("<Tagging><TagSet>{tags}</TagSet></Tagging>"));
            }
            let body = String::from_utf8(request.body.clone()).unwrap();
            let between = |text: &str, name: &str| {
                text.split(&format!("<{name}>")).nth(1).unwrap().split(&format!("</{name}>")).next().unwrap().to_owned()
            };
            *tags = body.split("<Tag>").skip(1).map(|tag| (between(tag, "Key"), between(tag, "Value"))).collect();
            ResponseTemplate::new(200)
        }
    }

    struct World {
        bucket: Bucket,
        output: Output,
        _server: MockServer,
    }

    impl World {
        async fn new(deleted_references: DeletedReferences) -> Self {
            let (server, bucket) = (MockServer::start().await, Bucket::default());
            Mock::given(any()).respond_with(bucket.clone()).mount(&server).await;
            let output = Output {
                s3: client(&server),
                bucket: "zips".parse().unwrap(),
                key_layout: KeyLayout::Path,
                keep_commits: KeepCommits::Off,
                deleted_references,
            };
            Self { bucket, output, _server: server }
        }

        fn store(&self, key: &str, reference: &'static str, repository: &'static str, tags: &[(&str, &str)]) {
            let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            self.bucket.objects.lock().unwrap().insert(key.to_owned(), (reference, repository, tags));
        }

        fn tags(&self, key: &str) -> Vec<(String, String)> {
            self.bucket.objects.lock().unwrap()[key].2.clone().into_iter().collect()
        }

        async fn delete(&self, reference: &str) -> Result<Deletion, StoreError> {
            let job = job(reference);
            let deleted = self.output.deleted_reference(&job).await?;
            let event = deleted.event(Subject::of(&job, Worker::GitPull));
            self.output.mark_deleted(&job, deleted).await?;
            Ok(event)
        }

        async fn is_told(&self, key: &str) -> Option<bool> {
            let object = Object { bucket: "zips".parse().unwrap(), key: key.to_owned() };
            is_deletion_told(&self.output.s3, &object, &job(BRANCH).repository).await.unwrap()
        }
    }

    fn job(reference: &str) -> Job {
        let job = serde_json::json!({
            "delivery": "d-2", "repository": { "host": "github.com", "path": "octo/hello" }, "reference": reference,
            "deleted": true,
        });
        serde_json::from_value(job).unwrap()
    }

    const BRANCH: &str = "refs/heads/old";
    const HERE: &str = "github.com/octo/hello";

    fn tag(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[tokio::test]
    async fn mark_is_added_beside_other_tags() {
        for (parameter, fate, days) in
            [(DeletedReferences::Mark, Fate::Marked, None), (DeletedReferences::Days(30), Fate::Expires, Some(30))]
        {
            let world = World::new(parameter).await;
            world.store(OWN, BRANCH, HERE, &[("scanned", "clean"), ("git2s3", "other")]);
            let told = world.delete(BRANCH).await.unwrap();
            assert_eq!(world.tags(OWN), [tag("git2s3", "deleted"), tag("scanned", "clean")]);
            assert_eq!((told.artifact, told.expires_after_days), (fate, days));
            assert_eq!((told.key.as_deref(), told.version_id.as_deref()), (Some(OWN), Some("v7")));
            assert_eq!(told.commit, Some("a".repeat(40)));
            // Told twice, marked once.
            world.delete(BRANCH).await.unwrap();
            assert_eq!(*world.bucket.asked.lock().unwrap(), ["GET", "PUT", "GET"].map(|how| format!("{how} {OWN}")));
        }
    }

    #[tokio::test]
    async fn kept_zip_remembers_its_deletion() {
        let world = World::new(DeletedReferences::Keep).await;
        world.store(OWN, BRANCH, HERE, &[("scanned", "clean")]);
        assert_eq!(world.is_told(OWN).await, Some(false));
        let told = world.delete(BRANCH).await.unwrap();
        assert_eq!((told.artifact, told.key.as_deref()), (Fate::Kept, Some(OWN)));
        // No rule of the bucket acts on this tag, whatever the parameter says later.
        assert_eq!(world.tags(OWN), [tag("git2s3", "gone"), tag("scanned", "clean")]);
        assert_eq!(world.is_told(OWN).await, Some(true));
        let object = world.output.object(&job(BRANCH), None);
        let found = find(&world.output.s3, &object, &job(BRANCH).repository).await.unwrap();
        assert!(world.output.is_marked(&object, &found).await.unwrap());
    }

    #[tokio::test]
    async fn deletion_is_told_once() {
        for parameter in [DeletedReferences::Keep, DeletedReferences::Mark, DeletedReferences::Days(1)] {
            let world = World::new(parameter).await;
            world.store(OWN, BRANCH, HERE, &[]);
            let look = async || world.output.deleted_reference(&job(BRANCH)).await.unwrap();
            // Whoever is killed before the mark tells it again.
            assert_eq!([look().await.is_told, look().await.is_told], [false, false]);
            world.delete(BRANCH).await.unwrap();
            let later = look().await;
            assert!(later.is_told && later.said() == "deleted: this was told before", "{parameter:?}");
        }
    }

    #[tokio::test]
    async fn lost_zip_says_nothing() {
        let world = World::new(DeletedReferences::Mark).await;
        world.store(OWN, BRANCH, "gitlab.com/octo/hello", &[]);
        let names: Vec<_> = (0..MOST_TAGS).map(|number| number.to_string()).collect();
        let tags: Vec<_> = names.iter().map(|name| (name.as_str(), "x")).collect();
        world.store(DEFAULT, "refs/heads/main", HERE, &tags);
        for key in [OWN, "octo/hello/tag/v1/octo_hello.zip"] {
            assert_eq!(world.is_told(key).await, None, "{key}");
        }
        assert_eq!(world.is_told(DEFAULT).await, Some(true), "there is no room for a mark");
    }

    #[tokio::test]
    async fn other_references_zip_is_never_touched() {
        let world = World::new(DeletedReferences::Days(1)).await;
        // Of the new default branch, of another repository, and of a reference of another name.
        world.store(DEFAULT, "refs/heads/main", HERE, &[]);
        world.store(OWN, BRANCH, "gitlab.com/octo/hello", &[]);
        world.store("octo/hello/tag/v1/octo_hello.zip", "refs/tags/V1", HERE, &[]);
        for reference in [BRANCH, "refs/tags/v1", "refs/heads/none"] {
            let told = world.delete(reference).await.unwrap();
            assert_eq!((told.artifact, told.key, told.commit), (Fate::Absent, None, None), "{reference}");
        }
        // It was the default branch once: that key is the next one's.
        assert!(world.bucket.asked.lock().unwrap().is_empty());
        let told = world.delete("refs/heads/main").await.unwrap();
        assert_eq!((told.artifact, told.key.as_deref()), (Fate::Kept, Some(DEFAULT)));
        assert_eq!(world.tags(DEFAULT), [tag("git2s3", "gone")]);
    }

    #[tokio::test]
    async fn manifest_is_marked_with_its_zip() {
        let mut world = World::new(DeletedReferences::Days(1)).await;
        world.output.keep_commits = KeepCommits::Days(7);
        world.store(OWN, BRANCH, HERE, &[]);
        world.delete(BRANCH).await.unwrap();
        world.store(OWN, BRANCH, HERE, &[]);
        world.store(MANIFEST, "", HERE, &[]);
        world.delete(BRANCH).await.unwrap();
        assert_eq!(world.tags(MANIFEST), [tag("git2s3", "deleted")]);
        let object = world.output.object(&job(BRANCH), None);
        let found = find(&world.output.s3, &object, &job(BRANCH).repository).await.unwrap();
        assert!(world.output.is_marked(&object, &found).await.unwrap());
    }

    #[tokio::test]
    async fn too_many_tags_are_permanent_error() {
        let world = World::new(DeletedReferences::Mark).await;
        let names: Vec<_> = (0..MOST_TAGS).map(|number| number.to_string()).collect();
        let tags: Vec<_> = names.iter().map(|name| (name.as_str(), "x")).collect();
        world.store(OWN, BRANCH, HERE, &tags);
        let error = world.delete(BRANCH).await.unwrap_err();
        assert_eq!(error.retry(), contract::Retry::Never);
        assert!(error.hint().is_some_and(|hint| hint.contains("DeletedReferences")), "{error}");
        assert_eq!(world.tags(OWN).len(), MOST_TAGS);
    }
}
