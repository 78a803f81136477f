//! The life of an output bucket: left behind under another name, kept without its stack, and
//! imported into another one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use aws_sdk_cloudformation::types::{Capability, Parameter};
use aws_sdk_s3::operation::get_bucket_policy::GetBucketPolicyOutput;
use aws_sdk_s3::types::BucketVersioningStatus;
use local::artifact::Artifact;
use local::aws::{Account, REGION};
use local::host::Clone;
use local::local::Local;
use serde_json::{Value, json};

use crate::desk::Desk;

const KEY: &str = "acme/rocket/acme_rocket.zip";
const PATIENCE: Duration = Duration::from_secs(30);
const SECRET: &str = "hunter2";

/// A desk with packaged functions, and a configuration for a stack with the local Git host.
fn desk<'a>(local: &'a Local, work: &'a Path) -> Desk<'a> {
    let desk = Desk::packaged(local, work);
    desk.write("secret", SECRET);
    desk.write(
        "git2s3.toml",
        &format!(
            "stack-name = 'zips'\nregion = '{REGION}'\n[parameters]\nRepositories = '127.0.0.1/**'\nAllowedGitHosts = '{}@127.0.0.1:{}'\n\
             KnownHosts = '''{}'''\n[secrets]\nApiSecret = {{ file = 'secret' }}\n",
            local.sshd.user,
            local.sshd.port,
            local.sshd.known_hosts_line().unwrap()
        ),
    );
    desk
}

/// The outputs of a deployed stack, whose key is authorized, and which gets webhooks.
async fn connected(local: &Local, desk: &Desk<'_>) -> BTreeMap<String, String> {
    let outputs = desk.outputs().await;
    local.connect("zips", outputs.clone(), SECRET.to_owned()).unwrap();
    outputs
}

/// Pushes a commit, and waits until its zip is stored.
pub(crate) async fn pushed(account: &Account, clone: &Clone, bucket: &str, content: &str) -> Artifact {
    fs::write(clone.dir().join("a"), content).unwrap();
    let commit = clone.commit(content).await.unwrap();
    clone.push(&["main"]).await.unwrap();
    Artifact::wait(account, bucket, KEY, &commit, PATIENCE).await.unwrap()
}

/// A version of the zip, even if there are newer ones. `null` is a version from before versioning.
async fn zip_of(account: &Account, bucket: &str, version: &str) -> Vec<u8> {
    let version = account.s3.get_object().bucket(bucket).key(KEY).version_id(version).send().await.unwrap();
    version.body.collect().await.unwrap().to_vec()
}

async fn policy(account: &Account, bucket: &str) -> Value {
    let policy: GetBucketPolicyOutput = account.s3.get_bucket_policy().bucket(bucket).send().await.unwrap();
    serde_json::from_str(policy.policy().unwrap()).unwrap()
}

async fn buckets(account: &Account) -> Vec<String> {
    let buckets = account.s3.list_buckets().send().await.unwrap();
    buckets.buckets().iter().filter_map(|bucket| bucket.name().map(str::to_owned)).collect()
}

/// Creates another stack with its code in the account's bucket.
async fn neighbour(account: &Account) {
    let assets = buckets(account).await.into_iter().find(|name| name.starts_with("git2s3-assets-")).unwrap();
    let template = json!({
        "Parameters": { "QSS3BucketName": { "Type": "String" } },
        "Resources": { "Handle": { "Type": "AWS::CloudFormation::WaitConditionHandle" } },
    });
    let parameter = Parameter::builder().parameter_key("QSS3BucketName").parameter_value(assets).build();
    let created = account.cloudformation.create_stack().stack_name("neighbour").template_body(template.to_string());
    created.parameters(parameter).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_bucket_joins_another_stack() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(&dir.path().join("cloud")).await.unwrap();
    let account = &local.cloud.account;
    let work = dir.path().join("work");
    let desk = desk(&local, &work);
    desk.check(&["deploy", "--yes", "--import-bucket", "nobodys"], 2, &["there is no bucket nobodys"]).await;
    desk.check(&["deploy", "--yes"], 0, &["CREATE_COMPLETE"]).await;
    let clone = local.host.create("acme/rocket").await.unwrap();
    let bucket = connected(&local, &desk).await["OutputBucketName"].clone();
    let first = pushed(account, &clone, &bucket, "first").await;

    // A shorter retention deletes existing versions, which is announced.
    let shorter = ["deploy", "--yes", "--parameter", "NoncurrentDays=30", "--parameter", "NewerNoncurrentVersions=5"];
    desk.check(&shorter, 0, &["more than 30 days ago, but for the 5 newest of each zip"]).await;
    assert_eq!(desk.parameter("NewerNoncurrentVersions").await.unwrap(), "5");
    desk.check(&["deploy", "--yes", "--parameter", "NoncurrentDays="], 2, &["NoncurrentDays says when"]).await;

    // Everything that remains is listed, before and in the JSON.
    let gone = desk.infra(&["destroy", "--yes", "--keep-output", "--assets", "--json"]).await;
    let said = String::from_utf8(gone.stderr).unwrap();
    for words in ["what stays in the account:", &bucket, "AWS::KMS::Key", "after 7 days", "ApiLogRole", "code of all"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let json: Value = serde_json::from_slice(&gone.stdout).unwrap();
    let stays: Vec<_> = json["stays"].as_array().unwrap().iter().map(|stay| stay["type"].as_str().unwrap()).collect();
    assert_eq!(stays, ["AWS::S3::Bucket", "AWS::ApiGateway::Account", "AWS::IAM::Role", "AWS::KMS::Key"]);
    assert!(json["assets"].as_str().unwrap().starts_with("git2s3-assets-"), "{json}");
    assert_eq!(buckets(account).await, std::slice::from_ref(&bucket));

    let said =
        [&*format!("bucket {bucket} is taken into the stack with every version"), "loses its policy", "would be"];
    desk.check(&["deploy", "--dry-run", "--import-bucket", &bucket], 0, &said).await;
    let import = ["deploy", "--yes", "--import-bucket", &bucket];
    desk.check(&import, 0, &["Import  OutputBucket", "IMPORT_COMPLETE", "UPDATE_COMPLETE", "Next, for each"]).await;
    let outputs = connected(&local, &desk).await;
    assert_eq!(outputs["OutputBucketName"], bucket);
    let second = pushed(account, &clone, &bucket, "second").await;
    assert_eq!(zip_of(account, &bucket, &first.version).await, first.zip);
    assert_ne!(first.version, second.version);
    desk.check(&["diff", "--parameter", &format!("OutputBucketName={bucket}")], 0, &["0 changed entries"]).await;

    // It is imported now: no other stack gets it, and this one gets no other.
    desk.check(&import, 0, &["is in stack zips already", "no change"]).await;
    desk.check(&["deploy", "--yes", "--import-bucket", "other"], 2, &["has an output bucket already"]).await;
    let other = ["deploy", "--yes", "--stack-name", "other", "--import-bucket", &bucket];
    desk.check(&other, 2, &["belongs to stack zips", "destroy --keep-output --stack-name zips"]).await;
    // Now it is deleted like any other. The code bucket stays while another stack needs it, unless
    // requested otherwise.
    neighbour(account).await;
    let said = ["it has the code of other stacks: neighbour", "stack zips is gone"];
    desk.check(&["destroy", "--yes", "--assets"], 0, &said).await;
    account.cloudformation.delete_stack().stack_name("neighbour").send().await.unwrap();
    let left = buckets(account).await;
    assert!(left.len() == 1 && left[0].starts_with("git2s3-assets-"), "{left:?}");
    desk.check(&["destroy", "--yes"], 4, &["there is no stack zips", "`--assets` takes it along"]).await;
    desk.check(&["destroy", "--yes", "--assets"], 0, &["is gone"]).await;
    desk.check(&["destroy", "--yes", "--assets"], 4, &["there is no stack zips"]).await;
    assert_eq!(buckets(account).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn manual_bucket_becomes_output_bucket() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(&dir.path().join("cloud")).await.unwrap();
    let account = &local.cloud.account;
    let work = dir.path().join("work");
    let desk = desk(&local, &work);
    let bucket = "made-by-hand";
    account.s3.create_bucket().bucket(bucket).send().await.unwrap();
    account.s3.put_object().bucket(bucket).key(KEY).body(b"old".to_vec().into()).send().await.unwrap();
    let by_hand = json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "Mine", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::000000000000:root" },
        "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{bucket}/*"),
    }] });
    account.s3.put_bucket_policy().bucket(bucket).policy(by_hand.to_string()).send().await.unwrap();
    let import = ["deploy", "--yes", "--import-bucket", bucket];

    // If the stack can't be created, the bucket is unchanged: its cleaner ran, but did nothing.
    let mut template = local.template().unwrap().into_value();
    template["Resources"]["Broken"] = json!({
        "Type": "AWS::CloudFormation::CustomResource", "DependsOn": "BucketCleaner",
        "Properties": { "ServiceToken": format!("arn:aws:lambda:{REGION}:000000000000:function:nobodys") },
    });
    desk.write("broken.json", &template.to_string());
    let broken = [&import[..], &["--template", "broken.json"]].concat();
    desk.check(
        &broken,
        3,
        &["loses its policy", "Broken (AWS::CloudFormation::CustomResource) failed", "ROLLBACK_COMPLETE"],
    )
    .await;
    assert_eq!(policy(account, bucket).await, by_hand);
    assert_eq!(zip_of(account, bucket, "null").await, b"old");
    assert!(account.s3.get_bucket_versioning().bucket(bucket).send().await.unwrap().status().is_none());

    desk.check(&import, 0, &["deleting the remains first", "IMPORT_COMPLETE", "UPDATE_COMPLETE"]).await;
    let versioning = account.s3.get_bucket_versioning().bucket(bucket).send().await.unwrap();
    assert_eq!(versioning.status(), Some(&BucketVersioningStatus::Enabled));
    let closed = account.s3.get_public_access_block().bucket(bucket).send().await.unwrap();
    assert_eq!(closed.public_access_block_configuration().unwrap().block_public_policy(), Some(true));
    assert_eq!(policy(account, bucket).await["Statement"][0]["Condition"]["Bool"]["aws:SecureTransport"], "false");
    let clone = local.host.create("acme/rocket").await.unwrap();
    connected(&local, &desk).await;
    let first = pushed(account, &clone, bucket, "first").await;
    assert_eq!(zip_of(account, bucket, "null").await, b"old", "what was at the key before is a version of it");

    // Another name creates another bucket, and leaves this one unchanged.
    let other = ["deploy", "--yes", "--parameter", "OutputBucketName=another-one"];
    desk.check(&other, 0, &["bucket made-by-hand stays in the account", "UPDATE_COMPLETE"]).await;
    connected(&local, &desk).await;
    pushed(account, &clone, "another-one", "second").await;
    assert_eq!(zip_of(account, bucket, &first.version).await, first.zip);
    assert_eq!(policy(account, bucket).await["Statement"][0]["Condition"]["Bool"]["aws:SecureTransport"], "false");
    desk.check(&["destroy", "--yes", "--assets"], 0, &["bucket another-one with every version"]).await;
    assert_eq!(buckets(account).await, [bucket]);
}

/// What the Quick Start's custom resource does with its buckets.
const EMPTIES: &str = r#"
import botocore.session, json, os, urllib.request
def handler(event, context):
    s3 = botocore.session.get_session().create_client("s3", "us-east-1", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    if event["RequestType"] == "Delete":
        for bucket in ("KeyBucket", "OutputBucket"):
            name = event["ResourceProperties"][bucket]
            for found in s3.list_objects_v2(Bucket=name).get("Contents", []):
                s3.delete_object(Bucket=name, Key=found["Key"])
    answer = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    answer |= {"Status": "SUCCESS", "PhysicalResourceId": "contents"}
    request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), {"content-type": ""}, method="PUT")
    urllib.request.urlopen(request)
"#;

/// The buckets of the Quick Start's stack.
fn quick_start() -> Value {
    let allowed = |actions: &[&str]| json!({ "Effect": "Allow", "Action": actions, "Resource": "*" });
    let trust =
        json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": "lambda.amazonaws.com" } });
    let rights = allowed(&["s3:*", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]);
    let function = json!({ "Fn::GetAtt": ["DeleteBucketContentsLambda", "Arn"] });
    json!({
        "Resources": {
            "KeyBucket": { "Type": "AWS::S3::Bucket" },
            "OutputBucket": { "Type": "AWS::S3::Bucket", "Properties": { "VersioningConfiguration": { "Status": "Enabled" } } },
            "DeleteBucketContentsRole": { "Type": "AWS::IAM::Role", "Properties": {
                "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [trust] },
                "Policies": [{ "PolicyName": "p", "PolicyDocument": { "Version": "2012-10-17", "Statement": [rights] } }],
            } },
            "DeleteBucketContentsLambda": { "Type": "AWS::Lambda::Function", "Properties": {
                "Runtime": "python3.12", "Handler": "index.handler", "Timeout": 20, "Code": { "ZipFile": EMPTIES },
                "Role": { "Fn::GetAtt": ["DeleteBucketContentsRole", "Arn"] },
            } },
            "DeleteBucketContents": { "Type": "AWS::CloudFormation::CustomResource", "Properties": {
                "ServiceToken": function, "KeyBucket": { "Ref": "KeyBucket" }, "OutputBucket": { "Ref": "OutputBucket" },
            } },
        },
        "Outputs": { "OutputBucketName": { "Description": "The bucket", "Value": { "Ref": "OutputBucket" } } },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quick_start_hands_over_its_bucket() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(&dir.path().join("cloud")).await.unwrap();
    let account = &local.cloud.account;
    let work = dir.path().join("work");
    let desk = desk(&local, &work);
    let old = account.cloudformation.create_stack().stack_name("old").template_body(quick_start().to_string());
    old.capabilities(Capability::CapabilityIam).send().await.unwrap();
    let resources = loop {
        match account.resources("old").await {
            Ok(resources) if resources.id("DeleteBucketContents").is_ok_and(|id| id == "contents") => break resources,
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let bucket = resources.id("OutputBucket").unwrap();
    for (bucket, key) in [(bucket, KEY), (resources.id("KeyBucket").unwrap(), "enc_key")] {
        account.s3.put_object().bucket(bucket).key(key).body(b"old".to_vec().into()).send().await.unwrap();
    }

    let said = ["has left the stack's care", "KeyBucket is deleted again", "stack old is gone"];
    desk.check(&["destroy", "--yes", "--keep-output", "--stack-name", "old"], 0, &said).await;
    assert_eq!(buckets(account).await, [bucket]);
    desk.check(&["deploy", "--yes", "--import-bucket", bucket], 0, &["IMPORT_COMPLETE", "UPDATE_COMPLETE"]).await;
    connected(&local, &desk).await;
    let clone = local.host.create("acme/rocket").await.unwrap();
    pushed(account, &clone, bucket, "first").await;
    let versions = account.versions(bucket).await.unwrap();
    assert_eq!(versions.iter().filter(|(key, _)| key == KEY).count(), 2, "{versions:?}");
}
