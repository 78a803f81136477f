//! A push that the logs have forgotten, as far as the bucket still knows it: the newest zip of a
//! repository's branch or tag, and the manifest beside it.

use aws_sdk_s3::types::ObjectVersion;
use contract::{HostName, Job, KeyLayout, RefName, Repository, manifest::Manifest};
use deployment::call_error::CallError;
use serde_json::{Value, json};

use super::bucket::{Now, Stored, manifest, versions};
use super::push::{Origin, Outcome, Push, Sender, Step};
use super::{Stack, Wanted};
use crate::logs::{Kind, Level};

/// The key of a zip, and what it would be of.
struct Place {
    key: String,
    repository: Repository,
    /// Which reference was asked for, if any.
    asked: Option<RefName>,
    /// Whether only the zip of the default branch is there, whichever that is.
    is_default: bool,
}

/// Looks for the newest zip of a repository's reference.
///
/// # Errors
/// AWS could not be asked, or refused.
pub(super) async fn look(stack: Stack<'_>, wanted: &Wanted) -> Result<Option<Push>, CallError> {
    let Some(bucket) = stack.description.outputs.get("OutputBucketName") else { return Ok(None) };
    let layout = stack.parameter("KeyLayout").parse().unwrap_or_default();
    for place in places(wanted, &hosts(stack), layout) {
        let (found, _) = versions(stack.account, bucket, &place.key).await?;
        let Some(newest) = found.into_iter().find(|version| version.is_latest() == Some(true)) else { continue };
        let manifest = manifest(stack.account, bucket, &place.key).await;
        let manifest = manifest.filter(|manifest| manifest["versionId"] == json!(newest.version_id()));
        if let Some(push) = told(&place, bucket, &newest, &manifest.unwrap_or_default()) {
            return Ok(Some(push));
        }
    }
    Ok(None)
}

fn hosts(stack: Stack<'_>) -> Vec<HostName> {
    let allowed: contract::AllowedHosts = stack.parameter("AllowedGitHosts").parse().unwrap_or_default();
    allowed.iter().map(|host| host.host.clone()).collect()
}

/// Where its zips may be: of a branch, it isn't known whether it is the default one.
fn places(wanted: &Wanted, hosts: &[HostName], layout: KeyLayout) -> Vec<Place> {
    let Wanted::Repository { name, reference } = wanted else { return Vec::new() };
    let mut repositories: Vec<Repository> = Vec::new();
    let full = name.parse().ok().filter(|full: &Repository| hosts.contains(&full.host));
    match full {
        Some(full) => repositories.push(full),
        None => {
            repositories
                .extend(hosts.iter().filter_map(|host| Some(Repository::new(host.clone(), name.parse().ok()?))));
        }
    }
    let names = match reference.as_deref() {
        None => vec!["refs/heads/main".to_owned()],
        Some(full) if full.starts_with("refs/") => vec![full.to_owned()],
        Some(short) => vec![format!("refs/heads/{short}"), format!("refs/tags/{short}")],
    };
    let references: Vec<RefName> = names.iter().filter_map(|name| name.parse().ok()).collect();
    let mut places: Vec<Place> = Vec::new();
    for (repository, name) in repositories.iter().flat_map(|one| references.iter().map(move |name| (one, name))) {
        let Some(job) = job(repository, name) else { continue };
        let asked = reference.is_some().then(|| name.clone());
        let place = |key, is_default| Place { key, repository: repository.clone(), asked: asked.clone(), is_default };
        if asked.is_some() {
            places.push(place(job.artifact_key(layout, None), false));
        }
        if let Some(branch) = name.branch() {
            places.push(place(job.artifact_key(layout, Some(branch)), true));
        }
    }
    // With keys without a host, several hosts have the same.
    let mut seen = std::collections::BTreeSet::new();
    places.retain(|place| seen.insert(place.key.clone()));
    places
}

/// A job, to know its key.
fn job(repository: &Repository, reference: &RefName) -> Option<Job> {
    serde_json::from_value(json!({ "delivery": "0", "repository": repository, "reference": reference })).ok()
}

/// What the bucket says of a zip; `None` if it may be of another reference than was asked for.
fn told(place: &Place, bucket: &str, newest: &ObjectVersion, manifest: &Value) -> Option<Push> {
    let text = |name: &str| manifest[name].as_str().map(str::to_owned);
    let by_manifest: Option<Manifest> = serde_json::from_value(manifest.clone()).ok();
    let by_key = place.asked.as_ref().filter(|_| !place.is_default).map(ToString::to_string);
    let reference = text("reference").or(by_key);
    if place.asked.as_ref().is_some_and(|asked| reference.as_deref() != Some(asked.as_str())) {
        return None;
    }
    let repository = text("repository").unwrap_or_else(|| place.repository.to_string());
    let artifact = format!("s3://{bucket}/{}", place.key);
    let millis = newest.last_modified().and_then(|time| time.to_millis().ok()).unwrap_or_default();
    let words = match text("commit") {
        Some(commit) => format!("{artifact} was stored with commit {commit}"),
        None => format!("{artifact} was stored; KeepCommits would keep what is known of it"),
    };
    let way = text("way").filter(|way| contract::Worker::ALL.iter().any(|worker| worker.path_part() == way));
    let is_reconciled = text("way").is_some_and(|way| way == "reconciled");
    Some(Push {
        delivery: text("delivery"),
        origin: if is_reconciled { Origin::Reconciler } else { Origin::Unknown },
        repository: Some(repository),
        reference,
        commit: text("commit"),
        worker: way,
        job: None,
        outcome: Outcome::Stored,
        reason: None,
        stored: Some(Stored {
            commit: text("commit").unwrap_or_default(),
            artifact: Some(artifact),
            version: newest.version_id().map(str::to_owned),
            bytes: newest.size(),
            sha256: text("sha256"),
            kept: by_manifest.and_then(|manifest| manifest.kept).map(|kept| format!("s3://{bucket}/{}", kept.key)),
            now: Some(Now::Current),
        }),
        steps: vec![Step::new(millis, "bucket", Kind::Stored, Level::Info, words)],
        sender: Sender::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(wanted: &str, layout: KeyLayout) -> Vec<String> {
        let hosts = ["github.com", "gitlab.com"].map(|host| host.parse().unwrap());
        places(&wanted.parse().unwrap(), &hosts, layout).into_iter().map(|place| place.key).collect()
    }

    #[test]
    fn every_possible_key_is_tried() {
        assert_eq!(keys("acme/rocket", KeyLayout::Path), ["acme/rocket/acme_rocket.zip"]);
        assert_eq!(
            keys("github.com/acme/rocket@v1", KeyLayout::HostPath),
            [
                "github.com/acme/rocket/branch/v1/acme_rocket.zip",
                "github.com/acme/rocket/acme_rocket.zip",
                "github.com/acme/rocket/tag/v1/acme_rocket.zip",
            ]
        );
        assert_eq!(
            keys("acme/rocket@refs/tags/v1", KeyLayout::HostPath),
            ["github.com/acme/rocket/tag/v1/acme_rocket.zip", "gitlab.com/acme/rocket/tag/v1/acme_rocket.zip"]
        );
        assert_eq!(keys("72d3162e", KeyLayout::Path), [""; 0]);
    }

    #[test]
    fn manifest_tells_forgotten_push() {
        let place = |asked: Option<&str>| Place {
            key: "acme/rocket/acme_rocket.zip".to_owned(),
            repository: "github.com/acme/rocket".parse().unwrap(),
            asked: asked.map(|name| name.parse().unwrap()),
            is_default: true,
        };
        let newest = ObjectVersion::builder().version_id("v1").size(512).is_latest(true).build();
        let manifest = json!({
            "repository": "github.com/acme/rocket", "reference": "refs/heads/main", "delivery": "d-1", "way": "zipdl",
            "commit": "1a", "sha256": "ff",
        });
        let push = told(&place(None), "zips", &newest, &manifest).unwrap();
        assert_eq!((push.delivery.as_deref(), push.worker.as_deref()), (Some("d-1"), Some("zipdl")));
        assert_eq!(push.reference.as_deref(), Some("refs/heads/main"));
        assert_eq!(told(&place(Some("refs/heads/dev")), "zips", &newest, &manifest), None);
        assert_eq!(told(&place(Some("refs/heads/main")), "zips", &newest, &Value::Null), None);
        let without = told(&place(None), "zips", &newest, &Value::Null).unwrap();
        assert_eq!((without.delivery, without.reference, without.worker), (None, None, None));
        assert!(without.stored.unwrap().artifact.unwrap().ends_with("acme_rocket.zip"));
    }
}
