//! The purpose of the product: pushes become zips. Real Git, real SSH, the deployed template,
//! functions with the permissions of their own roles.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use contract::repository_keys::{KeyRequest, KeyResponse};
use contract::{HostKind, Manifest, Repository, manifest::manifest_key};
use deployment::{
    deploy::{Parameters, Template},
    render::progress::Silent,
};
use local::archives::{Archives, TOKEN, address};
use local::artifact::{Artifact, bytes_received};
use local::aws::{Account, REGION};
use local::call::Call;
use local::host::Clone;
use local::local::{Local, STACK};
use local::sshd::{Access, Serve};
use local::tree::Tree;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const MAIN: &str = "acme/rocket/acme_rocket.zip";
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_become_zips() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (local, stack) = Local::with_stack(dir.path()).await.unwrap();
    let account = &local.cloud.account;
    let bucket = stack.output("OutputBucketName").unwrap();
    let clone = local.host.create("acme/rocket").await.unwrap();
    let write = |path: &str, content: &[u8]| {
        let path = clone.dir().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };

    // The default branch: the documented key, and all file attributes of Git.
    write("README.md", b"# Rocket\n");
    write("src/engine/main.c", b"int main(void) { return 0; }\n");
    write(".github/workflows/build.yml", b"on: push\n");
    write("with space/\u{fc}ml\u{e4}ut.txt", b"x\n");
    write("empty", b"");
    write("notes/internal.txt", b"not for the archive\n");
    write("dos.txt", b"one\ntwo\n");
    write(".gitattributes", b"notes export-ignore\ndos.txt eol=crlf\n");
    write("thrust.bin", &(0..200_000).map(|_| rand::random::<u8>()).collect::<Vec<_>>());
    write("launch.sh", b"#!/bin/sh\n");
    std::fs::set_permissions(clone.dir().join("launch.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    symlink("src/engine", clone.dir().join("engine")).unwrap();
    symlink("/etc/passwd", clone.dir().join("outside")).unwrap();
    let first = clone.commit("Build a rocket\n\nWith an engine.").await.unwrap();
    let said = clone.push(&["main"]).await.unwrap();
    assert!(said.contains("refs/heads/main: 202"), "{said}");

    let zip = Artifact::wait(account, bucket, MAIN, &first, PATIENCE).await.unwrap();
    let tree = zip.same_tree(&clone.archive(&first).await.unwrap()).unwrap();
    assert_eq!(tree.links_and_executables(), (2, 1));
    let tree_id = clone.git(&["rev-parse", "HEAD^{tree}"]).await.unwrap();
    assert_eq!(zip.metadata["tree"], tree_id);
    assert_eq!(zip.metadata["ref"], "refs/heads/main");
    assert_eq!(zip.metadata["delivery-id"].len(), 36);
    assert_eq!(zip.metadata["codepipeline-artifact-revision-summary"], "Build a rocket");

    // Another commit is another version with its ID, even with the same tree: then it is a copy of
    // the existing one.
    let same = clone.commit("Think").await.unwrap();
    clone.push(&["main"]).await.unwrap();
    let copy = Artifact::wait(account, bucket, MAIN, &same, PATIENCE).await.unwrap();
    copy.same_tree(&clone.archive(&same).await.unwrap()).unwrap();
    assert_eq!(copy.metadata["codepipeline-artifact-revision-summary"], "Think");
    assert_ne!(copy.metadata["delivery-id"], zip.metadata["delivery-id"]);
    wait_for_log(account, "stored: a copy of another commit's zip with the same files").await;

    // Only changes are fetched.
    write("README.md", b"# Rocket\n\nIt flies.\n");
    let second = clone.commit("Let it fly").await.unwrap();
    clone.push(&["main"]).await.unwrap();
    let zip = Artifact::wait(account, bucket, MAIN, &second, PATIENCE).await.unwrap();
    zip.same_tree(&clone.archive(&second).await.unwrap()).unwrap();
    let versions = account.versions(bucket).await.unwrap();
    assert_eq!(versions.len(), 3, "one for each commit: {versions:?}");
    let (all, change) =
        (bytes_received(account, &first).await.unwrap(), bytes_received(account, &second).await.unwrap());
    assert!(all > 200_000 && change < 10_000, "{all} bytes for the first push, {change} for the second");

    // A zip whose files name the commit isn't a copy.
    write("VERSION", b"$Format:%H$\n");
    write(".gitattributes", b"notes export-ignore\ndos.txt eol=crlf\nVERSION export-subst\n");
    for message in ["Name the commit", "Retrigger"] {
        let commit = clone.commit(message).await.unwrap();
        clone.push(&["main"]).await.unwrap();
        let zip = Artifact::wait(account, bucket, MAIN, &commit, PATIENCE).await.unwrap();
        zip.same_tree(&clone.archive(&commit).await.unwrap()).unwrap();
    }

    // Other branches and tags have their own keys. For an annotated tag, the commit counts.
    clone.git(&["switch", "--quiet", "--create", "feature/orbit"]).await.unwrap();
    write("orbit.txt", b"round\n");
    let branch = clone.commit("Orbit").await.unwrap();
    clone.git(&["tag", "--annotate", "--message", "One", "v1.0"]).await.unwrap();
    clone.push(&["feature/orbit", "v1.0"]).await.unwrap();
    for key in ["acme/rocket/branch/feature/orbit/acme_rocket.zip", "acme/rocket/tag/v1.0/acme_rocket.zip"] {
        let zip = Artifact::wait(account, bucket, key, &branch, PATIENCE).await.unwrap();
        zip.same_tree(&clone.archive(&branch).await.unwrap()).unwrap();
    }

    // A deletion fetches and removes nothing.
    let said = clone.push(&["--delete", "feature/orbit"]).await.unwrap();
    assert!(said.contains("refs/heads/feature/orbit: 202"), "{said}");
    wait_for_log(account, "deleted: the zip stays").await;

    // History may be rewritten.
    clone.git(&["checkout", "--quiet", "-B", "main", &first]).await.unwrap();
    write("README.md", b"# Another rocket\n");
    let rewritten = clone.commit("Start again").await.unwrap();
    clone.push(&["--force", "main"]).await.unwrap();
    let zip = Artifact::wait(account, bucket, MAIN, &rewritten, PATIENCE).await.unwrap();
    zip.same_tree(&clone.archive(&rewritten).await.unwrap()).unwrap();

    let versions = account.versions(bucket).await.unwrap();
    assert_eq!(versions.len(), 8, "six of main, one of the branch, one of the tag: {versions:?}");
    for queue in account.resources(&stack.name).await.unwrap().of_type("AWS::SQS::Queue") {
        assert_eq!(account.messages(&queue).await.unwrap(), 0, "{queue}");
    }
    let log = format!("{:?}", account.log_lines().await.unwrap());
    assert!(!log.contains(&stack.api_secret) && !log.contains("PRIVATE KEY"), "a secret is in the log");
}

/// With `KeepCommits`, a commit's zip stays where it is, whatever becomes of its references.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_commit_keeps_its_zip() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(dir.path()).await.unwrap();
    local.package(&mut Silent).unwrap();
    let adapt = |parameters: Parameters| parameters.with("KeepCommits", "30");
    let stack = local.deploy_with(&mut Silent, adapt).await.unwrap();
    let (bucket, account) = (stack.output("OutputBucketName").unwrap(), &local.cloud.account);
    let clone = local.host.create("acme/rocket").await.unwrap();
    let commit_key = |commit: &str| format!("acme/rocket/commit/{commit}/acme_rocket.zip");
    let tag_key = "acme/rocket/tag/v1/acme_rocket.zip";
    let manifest = async |zip: &str| {
        let key = manifest_key(zip);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            // The manifest follows the zip.
            if let Ok(object) = Artifact::get(account, bucket, &key).await {
                return (serde_json::from_slice::<Manifest>(&object.zip).unwrap(), object);
            }
            assert!(tokio::time::Instant::now() < deadline, "no {key}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };

    // A branch and a tag of one commit, at once: its zip is stored once.
    std::fs::write(clone.dir().join("a"), "one").unwrap();
    let first = clone.commit("One").await.unwrap();
    clone.git(&["tag", "v1"]).await.unwrap();
    clone.push(&["main", "v1"]).await.unwrap();
    let zip = Artifact::wait(account, bucket, MAIN, &first, PATIENCE).await.unwrap();
    let tagged = Artifact::wait(account, bucket, tag_key, &first, PATIENCE).await.unwrap();
    let kept = Artifact::get(account, bucket, &commit_key(&first)).await.unwrap();
    kept.same_tree(&clone.archive(&first).await.unwrap()).unwrap();
    assert!(zip.zip == kept.zip && tagged.zip == kept.zip);
    let (told, _) = manifest(MAIN).await;
    assert_eq!((told.key.as_str(), told.version_id.as_deref()), (MAIN, Some(zip.version.as_str())));
    assert_eq!((told.commit.as_str(), told.size), (first.as_str(), zip.zip.len() as u64));
    assert_eq!(told.sha256, hex::encode(Sha256::digest(&zip.zip)));
    assert_eq!((told.parents, told.moved), (Some(Vec::new()), false));
    assert_eq!(told.author_time, Some(clone.git(&["log", "--format=%aI"]).await.unwrap()));
    let (of_commit, object) = manifest(&commit_key(&first)).await;
    assert_eq!((of_commit.key, of_commit.version_id), (commit_key(&first), Some(kept.version.clone())));
    assert_eq!(object.content_type.as_deref(), Some("application/json"));

    // A moved tag is said to be one, and the zip of its commit stays.
    std::fs::write(clone.dir().join("a"), "two").unwrap();
    let second = clone.commit("Two").await.unwrap();
    clone.git(&["tag", "--force", "v1"]).await.unwrap();
    clone.push(&["--force", "v1"]).await.unwrap();
    let moved = Artifact::wait(account, bucket, tag_key, &second, PATIENCE).await.unwrap();
    assert_eq!(moved.metadata["previous-commit"], first);
    manifest(&commit_key(&second)).await;
    wait_for_log(account, &format!("\"moved_from\": String(\"{first}\")")).await;
    let there = Artifact::get(account, bucket, &commit_key(&first)).await.unwrap();
    assert_eq!((there.zip, there.version), (kept.zip, kept.version));

    // A branch that goes back gets the zip that is kept.
    clone.push(&["--force", &format!("{second}:refs/heads/main")]).await.unwrap();
    Artifact::wait(account, bucket, MAIN, &second, PATIENCE).await.unwrap();
    clone.push(&["--force", &format!("{first}:refs/heads/main")]).await.unwrap();
    let back = Artifact::wait(account, bucket, MAIN, &first, PATIENCE).await.unwrap();
    assert_eq!(back.zip, zip.zip);
    wait_for_log(account, "stored: a copy of the zip that is kept of this commit").await;
}

/// The events that a rule sends to a queue, by repository and commit.
struct Told<'a> {
    account: &'a Account,
    queue: String,
}

impl<'a> Told<'a> {
    /// A rule for everything that the stack says.
    async fn new(account: &'a Account) -> Self {
        Self::by(account, "told", &json!({ "source": ["git2s3"] })).await
    }

    /// A rule with this pattern.
    async fn by(account: &'a Account, name: &str, pattern: &Value) -> Self {
        let queue = account.sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap();
        let arn = format!("arn:aws:sqs:{REGION}:000000000000:{name}");
        let rule = json!({ "Name": name, "EventPattern": pattern.to_string() });
        let targets = json!({ "Rule": name, "Targets": [{ "Id": "queue", "Arn": arn }] });
        for (action, body) in [("PutRule", rule), ("PutTargets", targets)] {
            account.send(&Call::json("events", &format!("AWSEvents.{action}"), &body)).await.unwrap().json().unwrap();
        }
        Self { account, queue }
    }

    /// The next event. Its detail is valid by the schema of its type.
    async fn next(&self) -> Value {
        let receive = self.account.sqs.receive_message().queue_url(&self.queue);
        let receive = receive.wait_time_seconds(20).max_number_of_messages(1);
        let received = receive.send().await.unwrap().messages.unwrap_or_default();
        let message = received.first().unwrap();
        let receipt = message.receipt_handle().unwrap();
        self.account.sqs.delete_message().queue_url(&self.queue).receipt_handle(receipt).send().await.unwrap();
        let event: Value = serde_json::from_str(message.body().unwrap()).unwrap();
        let name = event["detail-type"].as_str().unwrap().to_lowercase().replace(' ', "-");
        let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/events/{name}.schema.json"));
        let schema = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
        jsonschema::validate(&schema, &event["detail"]).unwrap();
        event
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_learn_what_became_of_pushes() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (local, stack) = Local::with_stack(dir.path()).await.unwrap();
    let (bucket, account) = (stack.output("OutputBucketName").unwrap(), &local.cloud.account);
    let told = Told::new(account).await;
    let clone = local.host.create("acme/rocket").await.unwrap();

    // Two pushes at once: each event names a version, and that is the zip of its commit. If the
    // first one was overtaken before it was fetched, there is only the second one's.
    let mut commits = Vec::new();
    for text in ["one", "two"] {
        std::fs::write(clone.dir().join("a"), text).unwrap();
        commits.push(clone.commit(text).await.unwrap());
        clone.push(&["main"]).await.unwrap();
    }
    loop {
        let event = told.next().await;
        assert_eq!((&event["source"], &event["detail-type"]), (&"git2s3".into(), &"Artifact Ready".into()));
        let detail = &event["detail"];
        assert_eq!(
            (&detail["repository"], &detail["referenceName"]),
            (&"127.0.0.1/acme/rocket".into(), &"main".into())
        );
        let version = detail["versionId"].as_str().unwrap();
        let get = account.s3.get_object().bucket(bucket).key(detail["key"].as_str().unwrap());
        let object = get.version_id(version).send().await.unwrap();
        assert_eq!(object.metadata().unwrap()["commit"], detail["commit"]);
        let zip = object.body.collect().await.unwrap().into_bytes();
        assert_eq!(
            (&detail["sha256"], &detail["size"]),
            (&hex::encode(Sha256::digest(&zip)).into(), &zip.len().into())
        );
        if detail["commit"] == commits[1] {
            break;
        }
        assert_eq!(detail["commit"], commits[0]);
    }

    // A moved tag.
    for commit in &commits {
        clone.git(&["tag", "--force", "v1", commit]).await.unwrap();
        clone.push(&["--force", "v1"]).await.unwrap();
        let event = told.next().await;
        let (detail, is_second) = (&event["detail"], *commit == commits[1]);
        assert_eq!((&detail["commit"], &detail["moved"]), (&commit.as_str().into(), &is_second.into()));
        assert_eq!(detail["previousCommit"], if is_second { json!(commits[0]) } else { Value::Null });
    }

    // A deleted tag: its zip stays by default.
    clone.push(&["--delete", "v1"]).await.unwrap();
    let event = told.next().await;
    let detail = &event["detail"];
    assert_eq!((&event["detail-type"], &detail["referenceType"]), (&"Reference Deleted".into(), &"tag".into()));
    assert_eq!((&detail["artifact"], &detail["commit"]), (&"kept".into(), &commits[1].as_str().into()));
    let get = account.s3.get_object().bucket(bucket).key(detail["key"].as_str().unwrap());
    get.version_id(detail["versionId"].as_str().unwrap()).send().await.unwrap();

    // A job that is given up.
    std::fs::write(clone.dir().join(".gitattributes"), "# long\n".repeat(200_000)).unwrap();
    let refused = clone.commit("Too many attributes").await.unwrap();
    clone.push(&["main"]).await.unwrap();
    let event = told.next().await;
    assert_eq!(
        (&event["detail-type"], &event["detail"]["commit"]),
        (&"Artifact Failed".into(), &refused.as_str().into())
    );
    let reason = event["detail"]["reason"].as_str().unwrap();
    assert!(reason.contains(".gitattributes"), "{reason}");
    assert_eq!(event["detail"]["bucket"], bucket);
}

/// The pattern of the example's rule that tears environments down, for a stack with this bucket.
fn pattern_of_teardown(bucket: &str) -> Value {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/environments.yaml");
    let template = Template::parse(std::fs::read_to_string(example).unwrap()).unwrap().into_value();
    let mut pattern = template["Resources"]["Deleted"]["Properties"]["EventPattern"].to_string();
    for (name, value) in [("OutputBucket", bucket), ("Repositories", "127.0.0.1/acme/")] {
        pattern = pattern.replace(&json!({ "Ref": name }).to_string(), &json!(value).to_string());
    }
    serde_json::from_str(&pattern).unwrap()
}

/// The tags of a version.
async fn tags(account: &Account, bucket: &str, key: &str, version: &str) -> Vec<(String, String)> {
    let get = account.s3.get_object_tagging().bucket(bucket).key(key).version_id(version).send().await.unwrap();
    get.tag_set().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_branch_expires_until_pushed_again() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(dir.path()).await.unwrap();
    local.package(&mut Silent).unwrap();
    let adapt = |parameters: Parameters| parameters.with("DeletedReferences", "30").with("Refs", "!wip/*");
    let stack = local.deploy_with(&mut Silent, adapt).await.unwrap();
    let (bucket, account) = (stack.output("OutputBucketName").unwrap(), &local.cloud.account);
    let told = Told::new(account).await;
    let teardown = Told::by(account, "teardown", &pattern_of_teardown(bucket)).await;
    let clone = local.host.create("acme/rocket").await.unwrap();
    let key = "acme/rocket/branch/feature/acme_rocket.zip";
    let mark = [("git2s3".to_owned(), "deleted".to_owned())];

    std::fs::write(clone.dir().join("a"), "one").unwrap();
    let commit = clone.commit("One").await.unwrap();
    for branch in ["main", "main:feature", "main:wip/x"] {
        clone.push(&[branch]).await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(told.next().await["detail-type"], "Artifact Ready");
    }
    let version = Artifact::get(account, bucket, key).await.unwrap().version;

    // Only the zip of the deleted branch is marked, where it lies. Who tears down its environment
    // is told which one it was.
    clone.push(&["--delete", "wip/x", "feature"]).await.unwrap();
    for queue in [&told, &teardown] {
        let event = queue.next().await;
        let detail = &event["detail"];
        assert_eq!(event["detail-type"], "Reference Deleted");
        let expected = json!(["127.0.0.1/acme/rocket", "feature", "expires", 30, commit, key, version]);
        let named = ["repository", "referenceName", "artifact", "expiresAfterDays", "commit", "key", "versionId"];
        assert_eq!(json!(named.map(|name| &detail[name])), expected);
    }
    assert_eq!(Artifact::get(account, bucket, key).await.unwrap().version, version);
    assert_eq!(tags(account, bucket, key, &version).await, mark);
    let of_main = Artifact::get(account, bucket, MAIN).await.unwrap();
    assert_eq!(tags(account, bucket, MAIN, &of_main.version).await, []);

    // The branch is back at the same commit: its zip must not expire, and who has torn down its
    // environment has to know.
    clone.push(&["main:feature"]).await.unwrap();
    let event = told.next().await;
    assert_eq!((&event["detail-type"], &event["detail"]["key"]), (&"Artifact Ready".into(), &key.into()));
    let back = Artifact::get(account, bucket, key).await.unwrap();
    assert_eq!((event["detail"]["versionId"].as_str(), back.version == version), (Some(back.version.as_str()), false));
    assert_eq!(tags(account, bucket, key, &back.version).await, []);
    back.same_tree(&clone.archive(&commit).await.unwrap()).unwrap();

    // Deleted and pushed again at once: the jobs stay in order, and the branch counts.
    std::fs::write(clone.dir().join("a"), "two").unwrap();
    let second = clone.commit("Two").await.unwrap();
    clone.push(&["--delete", "feature"]).await.unwrap();
    clone.push(&["main:feature"]).await.unwrap();
    let last = Artifact::wait(account, bucket, key, &second, PATIENCE).await.unwrap();
    assert_eq!(tags(account, bucket, key, &last.version).await, []);
}

/// GitHub refuses one deploy key on a second repository: each gets its own. The stack's key can
/// read neither.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repositories_have_deploy_keys_each() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (local, stack) = Local::with_stack(dir.path()).await.unwrap();
    let account = &local.cloud.account;
    let bucket = stack.output("OutputBucketName").unwrap();
    let function = account.resources(STACK).await.unwrap().id("SshKeyFunction").unwrap().to_owned();
    let ask = async |request: KeyRequest| {
        let answer = account.invoke(&function, &serde_json::to_value(request).unwrap()).await.unwrap();
        let keys = serde_json::from_value::<KeyResponse>(answer).unwrap().keys;
        keys.into_iter().map(|key| key.public_key).collect::<Vec<_>>()
    };
    let only = |path: &str| Serve { only: Some(path.to_owned()), ..local.host.serve() };
    local.sshd.revoke(stack.output("PublicSSHKey").unwrap()).unwrap();
    let mut first_keys = Vec::new();
    for path in ["acme/rocket", "acme/probe"] {
        let clone = local.host.create(path).await.unwrap();
        std::fs::write(clone.dir().join("a"), path).unwrap();
        let commit = clone.commit("Begin").await.unwrap();
        let repository = Repository::new("127.0.0.1".parse().unwrap(), path.parse().unwrap());
        let key = ask(KeyRequest::Make { repository: repository.clone() }).await.remove(0);
        local.sshd.authorize(&key, Access::Read, &only(path)).unwrap();
        clone.push(&["main"]).await.unwrap();
        let object = format!("{path}/{}.zip", path.replace('/', "_"));
        let zip = Artifact::wait(account, bucket, &object, &commit, PATIENCE).await.unwrap();
        zip.same_tree(&clone.archive(&commit).await.unwrap()).unwrap();
        first_keys.push((clone, repository, key));
    }

    // Rotation: the host has only the old key, then both, then only the new one.
    let (clone, repository, old) = first_keys.remove(0);
    let push = async |text: &str| {
        std::fs::write(clone.dir().join("a"), text).unwrap();
        let commit = clone.commit(text).await.unwrap();
        clone.push(&["main"]).await.unwrap();
        Artifact::wait(account, bucket, MAIN, &commit, PATIENCE).await.unwrap();
    };
    let both = ask(KeyRequest::Rotate { repository: repository.clone(), replaced: old.clone() }).await;
    account.make_cold(account.resources(STACK).await.unwrap().id("GitPullFunction").unwrap()).await.unwrap();
    push("The host has the old key").await;
    local.sshd.authorize(&both[0], Access::Read, &only("acme/rocket")).unwrap();
    local.sshd.revoke(&old).unwrap();
    push("The host has the new key").await;
    assert_eq!(ask(KeyRequest::Remove { repository, public_key: old }).await, both[..1]);
    push("The stack has the new key").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cold_function_starts_from_kept_pack() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (local, stack) = Local::with_stack(dir.path()).await.unwrap();
    let account = &local.cloud.account;
    let bucket = stack.output("OutputBucketName").unwrap();
    let resources = account.resources(&stack.name).await.unwrap();
    let cache = resources.id("CacheBucket").unwrap();
    let clone = local.host.create("acme/rocket").await.unwrap();
    let push = async |name: &str, bytes: usize| {
        let content: Vec<_> = (0..bytes).map(|_| rand::random::<u8>()).collect();
        std::fs::write(clone.dir().join(name), content).unwrap();
        let commit = clone.commit(name).await.unwrap();
        clone.push(&["main"]).await.unwrap();
        let zip = Artifact::wait(account, bucket, MAIN, &commit, PATIENCE).await.unwrap();
        zip.same_tree(&clone.archive(&commit).await.unwrap()).unwrap();
        bytes_received(account, &commit).await.unwrap()
    };
    // The bucket is unversioned: a new pack changes the object's entity tag.
    let packs = async || -> Vec<(String, String)> {
        let listed = account.s3.list_objects_v2().bucket(cache).send().await.unwrap().contents.unwrap_or_default();
        listed.into_iter().map(|object| (object.key.unwrap(), object.e_tag.unwrap())).collect()
    };
    // A function caches the pack after it has stored the zip.
    let kept = async |than: &[(String, String)]| {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let packs = packs().await;
            if packs != than {
                return packs;
            }
            assert!(tokio::time::Instant::now() < deadline, "no new pack was kept");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let becomes_cold = || std::fs::remove_dir_all(dir.path().join("tmp/clones")).unwrap();

    assert!(push("all", 2 << 20).await > 2 << 20);
    let first = kept(&[]).await;
    assert_eq!(first.len(), 1);
    becomes_cold();
    let received = push("little", 1000).await;
    assert!(received < 5000, "{received} bytes");

    // Most of it is new: the next cold function should start with that.
    becomes_cold();
    assert!(push("much", 2 << 20).await > 2 << 20);
    let second = kept(&first).await;
    becomes_cold();
    let received = push("little", 1000).await;
    assert!(received < 5000, "{received} bytes");

    // A tampered pack does no harm, and is replaced.
    let (key, _) = &second[0];
    let commit =
        account.s3.head_object().bucket(cache).key(key).send().await.unwrap().metadata.unwrap()["commit"].clone();
    let spoil = account.s3.put_object().bucket(cache).key(key).metadata("commit", commit);
    spoil.body(b"PACK\0\0\0\x02\0\0\0\x01no object".to_vec().into()).send().await.unwrap();
    let spoilt = packs().await;
    becomes_cold();
    assert!(push("little", 1000).await > 4 << 20);
    kept(&spoilt).await;
    becomes_cold();
    let received = push("little", 1000).await;
    assert!(received < 5000, "{received} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zip_holds_clone_and_selected_files() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(dir.path()).await.unwrap();
    local.packaged().unwrap();
    let adapt = |parameters: Parameters| parameters.with("ExcludeGit", "False").with("Paths", "src,!src/big");
    let stack = local.deploy_with(&mut Silent, adapt).await.unwrap();
    let clone = local.host.create("acme/rocket").await.unwrap();
    for file in ["src/a", "src/big/b", "docs/c"] {
        let file = clone.dir().join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "x\n").unwrap();
    }
    let commit = clone.commit("Build a rocket").await.unwrap();
    clone.push(&["main"]).await.unwrap();
    let bucket = stack.output("OutputBucketName").unwrap();
    let zip = Artifact::wait(&local.cloud.account, bucket, MAIN, &commit, PATIENCE).await.unwrap();

    let (file, folder) = (dir.path().join("artifact.zip"), dir.path().join("unpacked"));
    std::fs::write(&file, &zip.zip).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let out =
            std::process::Command::new(program).args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
        assert!(out.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    let (file, folder) = (file.to_str().unwrap(), folder.to_str().unwrap());
    run("unzip", &["-qq", file, "-d", folder]);
    assert_eq!(run("git", &["-C", folder, "status", "--porcelain"]), "");
    assert_eq!(run("git", &["-C", folder, "log", "--format=%H %s"]), format!("{commit} Build a rocket"));
    assert_eq!(run("git", &["-C", folder, "remote", "get-url", "origin"]), clone.url);
    assert_eq!(
        run("find", &[folder, "-path", "*/.git", "-prune", "-o", "-type", "f", "-print"]),
        format!("{folder}/src/a")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submodules_go_along() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(dir.path()).await.unwrap();
    local.packaged().unwrap();
    let adapt = |parameters: Parameters| {
        parameters.with("Submodules", "on").with("Repositories", "127.0.0.1/acme/*,127.0.0.1/libs/*")
    };
    let stack = local.deploy_with(&mut Silent, adapt).await.unwrap();
    let bucket = stack.output("OutputBucketName").unwrap();
    let account = &local.cloud.account;
    let mut pinned: Vec<(&str, String)> = Vec::new();
    // Each is a submodule of the next. The first ones are pinned to a commit without a reference.
    for (path, name) in [("acme/deep", "deep"), ("libs/middle", "middle"), ("acme/rocket", "rocket")] {
        let clone = local.host.create(path).await.unwrap();
        std::fs::write(clone.dir().join(format!("{name}.txt")), format!("{name}\n")).unwrap();
        std::fs::write(clone.dir().join(".gitattributes"), "left-out export-ignore\n").unwrap();
        std::fs::write(clone.dir().join("left-out"), "x").unwrap();
        clone.git(&["add", "--all", "."]).await.unwrap();
        if let Some((module, commit)) = pinned.last() {
            let url = if *module == "deep" {
                "../../acme/deep.git".to_owned()
            } else {
                format!("{}/libs/middle.git", local.host.base_url)
            };
            let modules = format!("[submodule \"{module}\"]\n\tpath = lib/{module}\n\turl = {url}\n");
            std::fs::write(clone.dir().join(".gitmodules"), modules).unwrap();
            clone.git(&["add", ".gitmodules"]).await.unwrap();
            clone
                .git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},lib/{module}")])
                .await
                .unwrap();
        }
        clone.git(&["commit", "--quiet", "--message", name]).await.unwrap();
        let commit = clone.git(&["rev-parse", "HEAD"]).await.unwrap();
        clone.push(&["main"]).await.unwrap();
        if name == "rocket" {
            let zip = Artifact::wait(account, bucket, MAIN, &commit, PATIENCE).await.unwrap();
            let mut zip = zip::ZipArchive::new(std::io::Cursor::new(zip.zip)).unwrap();
            let mut names: Vec<_> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
            names.sort();
            let expected = [
                ".gitattributes",
                ".gitmodules",
                "lib/",
                "lib/middle/",
                "lib/middle/.gitattributes",
                "lib/middle/.gitmodules",
                "lib/middle/lib/",
                "lib/middle/lib/deep/",
                "lib/middle/lib/deep/.gitattributes",
                "lib/middle/lib/deep/deep.txt",
                "lib/middle/middle.txt",
                "rocket.txt",
            ];
            assert_eq!(names, expected);
            let mut deep = zip.by_name("lib/middle/lib/deep/deep.txt").unwrap();
            assert_eq!(std::io::read_to_string(&mut deep).unwrap(), "deep\n");
        } else {
            clone.git(&["commit", "--quiet", "--amend", "--message", "another"]).await.unwrap();
            clone.push(&["--force", "main"]).await.unwrap();
            pinned.push((name, commit));
        }
    }

    // A forbidden repository can't be read through a submodule.
    let secret = local.host.create("private/secret").await.unwrap();
    let hidden = secret.commit("Hide").await.unwrap();
    secret.push(&["main"]).await.unwrap();
    let clone = local.host.create("acme/thief").await.unwrap();
    let modules = "[submodule \"loot\"]\n\tpath = loot\n\turl = ../../private/secret.git\n";
    std::fs::write(clone.dir().join(".gitmodules"), modules).unwrap();
    clone.git(&["add", ".gitmodules"]).await.unwrap();
    clone.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{hidden},loot")]).await.unwrap();
    clone.git(&["commit", "--quiet", "--message", "Steal"]).await.unwrap();
    clone.push(&["main"]).await.unwrap();
    let said = "a push to 127.0.0.1/acme/thief may not fetch 127.0.0.1/private/secret";
    let log = wait_for_log(account, said).await;
    assert!(log.contains("gave up"), "{log}");

    // A repository that contains itself is given up, not retried.
    let clone = local.host.create("acme/loop").await.unwrap();
    let first = clone.commit("One").await.unwrap();
    let modules = "[submodule \"loop\"]\n\tpath = loop\n\turl = ../loop.git\n";
    std::fs::write(clone.dir().join(".gitmodules"), modules).unwrap();
    clone.git(&["add", ".gitmodules"]).await.unwrap();
    clone.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{first},loop")]).await.unwrap();
    clone.git(&["commit", "--quiet", "--message", "Two"]).await.unwrap();
    clone.push(&["main"]).await.unwrap();
    let log = wait_for_log(account, "127.0.0.1/acme/loop is a submodule of itself, through loop").await;
    assert!(log.contains("gave up"), "{log}");

    // The same for two that contain each other.
    let (ping, back) = (local.host.create("acme/ping").await.unwrap(), local.host.create("acme/pong").await.unwrap());
    let mut inner = ping.commit("One").await.unwrap();
    for (outer, of) in [(&back, "ping"), (&ping, "pong")] {
        let modules = format!("[submodule \"{of}\"]\n\tpath = {of}\n\turl = ../{of}.git\n");
        std::fs::write(outer.dir().join(".gitmodules"), modules).unwrap();
        outer.git(&["add", ".gitmodules"]).await.unwrap();
        outer.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{inner},{of}")]).await.unwrap();
        outer.git(&["commit", "--quiet", "--message", "Two"]).await.unwrap();
        inner = outer.git(&["rev-parse", "HEAD"]).await.unwrap();
    }
    local.host.report_to("http://127.0.0.1:9/nobody", "").unwrap();
    back.push(&["main"]).await.unwrap();
    local.host.report_to(&stack.webhook_url, &stack.api_secret).unwrap();
    ping.push(&["main"]).await.unwrap();
    wait_for_log(account, "127.0.0.1/acme/ping is a submodule of itself, through pong/ping").await;
    // A commit that was amended before the fetch is another version.
    let stored: BTreeSet<_> = account.versions(bucket).await.unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(stored.len(), 3, "one of each repository, none of a loop: {stored:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn git_lfs_files_are_included() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(dir.path()).await.unwrap();
    local.packaged().unwrap();
    let archives = Archives::start(local.host.root()).await.unwrap();
    let hosts = format!(
        "{}@127.0.0.1:{},{}=gitea:{port}+private,127.0.0.21=github:{port}+private",
        local.sshd.user,
        local.sshd.port,
        address(HostKind::Gitea),
        port = archives.port
    );
    let ca = archives.ca.clone();
    let adapt = |parameters: Parameters| {
        parameters.with("Lfs", "on").with("CaBundle", ca).with("AllowedGitHosts", hosts).with("Submodules", "on")
    };
    let stack = local.deploy_with(&mut Silent, adapt).await.unwrap();
    let (bucket, account) = (stack.output("OutputBucketName").unwrap(), &local.cloud.account);
    let noise = |bytes: usize| (0..bytes).map(|_| rand::random::<u8>()).collect::<Vec<_>>();

    let mut last: Option<(Clone, String, Vec<u8>)> = None;
    for path in ["acme/module", "acme/rocket"] {
        let clone = local.host.create(path).await.unwrap();
        // git-lfs's hook would upload the files. Here the test does.
        clone.git(&["config", "core.hooksPath", "/dev/null"]).await.unwrap();
        clone.git(&["config", "filter.lfs.process", "git-lfs filter-process"]).await.unwrap();
        clone.git(&["config", "filter.lfs.required", "true"]).await.unwrap();
        std::fs::write(clone.dir().join(".gitattributes"), "*.bin filter=lfs -text\n").unwrap();
        // More than one request's files, some of them twice, and one that is too large to be
        // downloaded ahead.
        for n in 0..130 {
            std::fs::write(clone.dir().join(format!("{n}.bin")), format!("{path} {}\n", n % 100)).unwrap();
        }
        std::fs::write(clone.dir().join("large.bin"), noise(3 << 20)).unwrap();
        std::fs::write(clone.dir().join("plain.txt"), "plain\n").unwrap();
        clone.git(&["add", "--all", "."]).await.unwrap();
        if let Some((_, commit, _)) = &last {
            let modules = "[submodule \"m\"]\n\tpath = m\n\turl = ../module.git\n";
            std::fs::write(clone.dir().join(".gitmodules"), modules).unwrap();
            clone.git(&["add", ".gitmodules"]).await.unwrap();
            clone.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},m")]).await.unwrap();
        }
        clone.git(&["commit", "--quiet", "--message", "Large"]).await.unwrap();
        let commit = clone.git(&["rev-parse", "HEAD"]).await.unwrap();
        let bare = local.host.root().join(format!("{path}.git"));
        archives.keep_large_files(&bare, clone.dir(), path).unwrap();
        clone.push(&["main"]).await.unwrap();
        let key = format!("{path}/{}.zip", path.replace('/', "_"));
        let zip = Artifact::wait(account, bucket, &key, &commit, PATIENCE).await.unwrap();
        let archive = clone.archive(&commit).await.unwrap();
        if let Some((.., module)) = &last {
            let (zip, archive) = (Tree::of_zip(&zip.zip).unwrap(), Tree::of_tar(&archive).unwrap());
            assert_eq!(zip.differences(&archive.with("m/", Tree::of_tar(module).unwrap())), [""; 0]);
        } else {
            zip.same_tree(&archive).unwrap();
        }
        last = Some((clone, commit, archive));
    }

    // A large file that was never uploaded: no zip, but a reason.
    let (clone, ..) = last.unwrap();
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 9\n", "ab".repeat(32));
    std::fs::write(clone.dir().join("absent.bin"), pointer).unwrap();
    let commit = clone.commit("Forget to upload").await.unwrap();
    clone.push(&["main"]).await.unwrap();
    let said = "cannot get the large file absent.bin";
    let log = wait_for_log(account, said).await;
    for expected in [said, "the store of 127.0.0.1/acme/rocket doesn't have the file", "git lfs push --all origin"] {
        assert!(log.contains(expected), "{expected}: {log}");
    }
    assert!(!log.contains(TOKEN) && !log.contains("stand-in-object"), "a secret is in the log");
    assert_ne!(Artifact::get(account, bucket, MAIN).await.unwrap().metadata["commit"], commit);
    // Each credential goes only to its host: the access to the store, the file's own header to the
    // file's host.
    let seen = archives.seen();
    assert!(seen.iter().all(|seen| seen.has_credential == (seen.address == address(HostKind::Gitea))), "{seen:?}");
}

/// The log, once it contains this.
async fn wait_for_log(account: &Account, expected: &str) -> String {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let log = format!("{:?}", account.log_lines().await.unwrap());
        if log.contains(expected) {
            return log;
        }
        assert!(std::time::Instant::now() < deadline, "{log}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
