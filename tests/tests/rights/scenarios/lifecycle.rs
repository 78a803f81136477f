//! What deployments need: a key at the beginning, empty buckets at the end.

use anyhow::{Context as _, Result, bail, ensure};
use contract::Repository;
use contract::custom::SSH_KEY_PREFIX;
use contract::repository_keys::{KeyRequest, KeyResponse};
use local::custom_resource::{self, RequestType};
use local::sshd::Access;
use serde_json::{Value, json};

use super::Props;
use crate::stage::Stage;

const BUCKETS: [&str; 3] = ["OutputBucket", "KeyBucket", "CacheBucket"];

pub(super) async fn a_stack_gets_its_ssh_key_and_keeps_it(stage: &Stage, _: &Props) -> Result<()> {
    let (account, bucket) = (stage.account(), stage.id("KeyBucket")?);
    let listed = account.s3.list_objects_v2().bucket(bucket).prefix(SSH_KEY_PREFIX).send().await?;
    for object in listed.contents() {
        account.s3.delete_object().bucket(bucket).key(object.key().unwrap_or_default()).send().await?;
    }
    stage.make_cold("SshKeyFunction").await?;
    let public = created(stage, bucket).await?;
    stage.local.sshd.authorize(&public, Access::Read, &stage.local.host.serve())?;
    ensure!(created(stage, bucket).await? == public, "CloudFormation asked again, and the key is another one");
    Ok(())
}

/// Its name is one that the host may spell in another case.
pub(super) async fn a_repository_gets_a_key_of_its_own(stage: &Stage, _: &Props) -> Result<()> {
    let (function, repository) =
        (stage.id("SshKeyFunction")?, Repository::new("127.0.0.1".parse()?, "acme/Own".parse()?));
    let ask = async |request: &KeyRequest| -> Result<KeyResponse> {
        let answer = stage.account().invoke(function, &serde_json::to_value(request)?).await?;
        serde_json::from_value(answer.clone()).with_context(|| format!("parse {answer}"))
    };
    let made = ask(&KeyRequest::Make { repository: repository.clone() }).await?.keys;
    let [made] = &made[..] else { bail!("{} keys", made.len()) };
    ensure!(ask(&KeyRequest::List).await?.keys.contains(made), "it isn't listed");
    let public_key = made.public_key.clone();
    let left = ask(&KeyRequest::Remove { repository, public_key }).await?.keys;
    ensure!(left.is_empty(), "it is still there");
    Ok(())
}

/// The public key in the function's response.
async fn created(stage: &Stage, bucket: &str) -> Result<String> {
    let properties = json!({
        "KeyBucket": bucket,
        "KmsKey": stage.id("KeyEncryptionKey")?,
        "KeyType": "ed25519",
        "StackName": stage.stack.name,
    });
    let answer = ask(stage, "SshKeyFunction", RequestType::Create, properties).await?;
    answer["Data"]["PublicKey"].as_str().map(str::to_owned).context("the answer has no public key")
}

pub(super) async fn a_deleted_stack_leaves_its_buckets_empty(stage: &Stage, _: &Props) -> Result<()> {
    let s3 = &stage.account().s3;
    let mut buckets = Vec::new();
    for bucket in BUCKETS {
        let bucket = stage.id(bucket)?;
        for version in ["1", "2"] {
            for key in ["a", "b"] {
                s3.put_object().bucket(bucket).key(key).body(version.as_bytes().to_vec().into()).send().await?;
            }
        }
        s3.create_multipart_upload().bucket(bucket).key("half").send().await?;
        buckets.push(bucket);
    }
    ask(stage, "BucketCleanerFunction", RequestType::Delete, json!({ "Buckets": buckets })).await?;
    for bucket in buckets {
        ensure!(stage.account().versions(bucket).await?.is_empty(), "{bucket} isn't empty");
        let uploads = s3.list_multipart_uploads().bucket(bucket).send().await?;
        ensure!(uploads.uploads().is_empty(), "{bucket} has unfinished uploads");
    }
    Ok(())
}

/// A custom resource's response to a successful request.
async fn ask(stage: &Stage, function: &str, request: RequestType, properties: Value) -> Result<Value> {
    let id = if request == RequestType::Delete { "bucket-cleaner" } else { "" };
    let answer = custom_resource::request(stage.account(), stage.id(function)?, request, id, properties).await?;
    ensure!(answer["Status"] == "SUCCESS", "{answer}");
    Ok(answer)
}
