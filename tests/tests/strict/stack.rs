//! The whole stack with AWS's strictest limits: the longest name, a VPC that is added and removed,
//! the YAML template, an account with ten concurrent functions.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudformation::error::ProvideErrorMetadata as _;
use aws_sdk_cloudformation::types::{Capability, Parameter};
use deployment::deploy::{self, Deployment};
use deployment::render::progress::Silent;
use deployment::synth;
use local::artifact::Artifact;
use local::aws::Account;
use local::call::Call;
use local::host::Clone;
use local::local::{Local, STACK};
use serde_json::Value;
use tempfile::TempDir;

use crate::world;

const PATIENCE: Duration = Duration::from_mins(1);
/// The account's default network.
const NETWORK: [(&str, &str); 2] = [("VPCId", "vpc-00000001"), ("SubnetIds", "subnet-00000001")];
/// A bucket with zips and the template, uploaded by a person.
const CODE: &str = "my-code";

async fn start() -> (Local, TempDir) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(&dir.path().join("cloud")).await.unwrap();
    local.packaged().unwrap();
    local.cloud.turn("rights_spread", 1.0).await.unwrap();
    local.cloud.turn("interface_stays", 1.0).await.unwrap();
    (local, dir)
}

/// A deployment without `infra`: upload zips and the template to a bucket, then use the console.
async fn uploaded(local: &Local) -> String {
    let s3 = &local.cloud.account.s3;
    s3.create_bucket().bucket(CODE).send().await.unwrap();
    for file in std::fs::read_dir(local.dist().join("assets")).unwrap().map(Result::unwrap) {
        let key = format!("git2s3/{}", file.file_name().to_str().unwrap());
        let body = std::fs::read(file.path()).unwrap().into();
        s3.put_object().bucket(CODE).key(key).body(body).send().await.unwrap();
    }
    let yaml = synth::synthesize(&local.dist()).unwrap().to_yaml();
    s3.put_object().bucket(CODE).key("git2s3.yaml").body(yaml.into_bytes().into()).send().await.unwrap();
    format!("{}/{CODE}/git2s3.yaml", local.cloud.account.endpoint)
}

fn parameter(name: &str, value: &str) -> Parameter {
    Parameter::builder().parameter_key(name).parameter_value(value).build()
}

/// The errors of a stack.
async fn failures(account: &Account, stack: &str) -> Vec<String> {
    let mut pages = account.cloudformation.describe_stack_events().stack_name(stack).into_paginator().send();
    let mut reasons = Vec::new();
    while let Some(page) = pages.next().await {
        reasons.extend(page.unwrap().stack_events().iter().filter_map(|event| {
            let has_failed = event.resource_status()?.as_str().ends_with("_FAILED");
            has_failed.then(|| format!("{:?}: {:?}", event.logical_resource_id(), event.resource_status_reason()))
        }));
    }
    reasons
}

/// Waits until the stack has the given status. Returns its outputs.
async fn ended(account: &Account, stack: &str, expected: &str) -> BTreeMap<String, String> {
    let ended = world::ended(account, stack, PATIENCE).await;
    let status = ended.stack_status().unwrap().as_str();
    assert_eq!(status, expected, "{:#?}", failures(account, stack).await);
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    ended.outputs().iter().map(|one| (text(one.output_key()), text(one.output_value()))).collect()
}

async fn push(clone: &Clone, text: &str) -> String {
    std::fs::write(clone.dir().join("README.md"), text).unwrap();
    let commit = clone.commit(text).await.unwrap();
    let said = clone.push(&["main"]).await.unwrap();
    assert!(said.contains("refs/heads/main: 202"), "{said}");
    commit
}

async fn configuration(account: &Account, stack: &str) -> Value {
    let function = account.resources(stack).await.unwrap().id("GitPullFunction").unwrap().to_owned();
    let path = format!("/2015-03-31/functions/{function}/configuration");
    account.send(&Call::rest("lambda", "GET", &path, &Value::Null)).await.unwrap().json().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn longest_stack_name_works_in_network() {
    let (local, _dir) = start().await;
    let account = &local.cloud.account;
    let url = uploaded(&local).await;
    let name = "a-name-of-128-characters-".repeat(6)[..128].trim_end_matches('-').to_owned();
    let name = format!("{name}{}", "x".repeat(128 - name.len()));
    let secret = "0123456789abcdef0123456789abcdef";
    let known_hosts = local.sshd.known_hosts_line().unwrap();
    let host = format!("{}@127.0.0.1:{}", local.sshd.user, local.sshd.port);
    let given = [
        ("QSS3BucketName", CODE),
        ("QSS3KeyPrefix", "git2s3/"),
        ("ApiSecret", secret),
        ("AllowedGitHosts", &host),
        ("KnownHosts", &known_hosts),
        ("Repositories", "127.0.0.1/**"),
        ("Lfs", "on"),
    ];
    let request = account.cloudformation.create_stack().stack_name(&name).template_url(&url);
    let request = request.capabilities(Capability::CapabilityIam);
    let parameters: Vec<_> = given.iter().chain(&NETWORK).map(|(name, value)| parameter(name, value)).collect();
    let without_subnets = parameters[..parameters.len() - 1].to_vec();
    let refused = request.clone().set_parameters(Some(without_subnets)).send().await.unwrap_err();
    assert!(refused.message().unwrap().contains("SubnetIds names subnets of that VPC"), "{refused:?}");
    request.set_parameters(Some(parameters)).send().await.unwrap();
    let outputs = ended(account, &name, "CREATE_COMPLETE").await;
    let stack = local.connect(&name, outputs, secret.to_owned()).unwrap();
    let bucket = stack.output("OutputBucketName").unwrap();

    // In YAML 1.1, `on` would be true.
    let function = configuration(account, &name).await;
    assert_eq!(function["Environment"]["Variables"]["LFS"], "on");
    assert_eq!(function["VpcConfig"]["SubnetIds"][0], NETWORK[1].1);
    let clone = local.host.create("acme/rocket").await.unwrap();
    let first = push(&clone, "one").await;
    Artifact::wait(account, bucket, "acme/rocket/acme_rocket.zip", &first, PATIENCE).await.unwrap();

    // Removing the network removes interfaces, group and rights, in this order.
    let request = account.cloudformation.update_stack().stack_name(&name).template_url(&url);
    let kept = given.iter().map(|(name, _)| Parameter::builder().parameter_key(*name).use_previous_value(true).build());
    let parameters = kept.chain(NETWORK.iter().map(|(name, _)| parameter(name, ""))).collect();
    let request = request.capabilities(Capability::CapabilityIam).set_parameters(Some(parameters));
    request.send().await.unwrap();
    ended(account, &name, "UPDATE_COMPLETE").await;
    let resources = account.resources(&name).await.unwrap();
    assert!(
        resources.of_type("AWS::EC2::SecurityGroup").is_empty() && resources.of_type("AWS::IAM::Policy").is_empty()
    );
    let interfaces = Call::query("ec2", "DescribeNetworkInterfaces", &[("Version", "2016-11-15")]);
    let interfaces = account.send(&interfaces).await.unwrap().text().unwrap();
    assert!(!interfaces.contains("AWS Lambda VPC ENI-"), "{interfaces}");
    let second = push(&clone, "two").await;
    Artifact::wait(account, bucket, "acme/rocket/acme_rocket.zip", &second, PATIENCE).await.unwrap();

    local.destroy(&name, &mut Silent).await.unwrap();
    let left = account.s3.list_buckets().send().await.unwrap();
    let left: Vec<_> = left.buckets().iter().filter_map(|bucket| bucket.name()).collect();
    assert_eq!(left, [CODE]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_concurrent_functions_lose_no_push() {
    let (local, _dir) = start().await;
    local.cloud.turn("concurrency", 10.0).await.unwrap();
    let account = &local.cloud.account;
    let (parameters, secret) = local.parameters().unwrap();
    let template = local.template().unwrap();
    let stack_name = STACK.to_owned();
    let mut deployment =
        Deployment { stack_name, template, dist: local.dist(), parameters, tags: BTreeMap::new(), role: None };
    let opened = deployment::account::Account::open(&account.config).await.unwrap();
    let standing = deploy::examine(&opened, &deployment).await.unwrap();
    infra::concurrency::fit(&opened, &mut deployment, &standing, &mut Silent).await;
    let deployed = deploy::deploy(&account.config, &deployment, &mut Silent).await.unwrap();
    let stack = local.connect(STACK, deployed.outputs, secret).unwrap();
    let described = account.cloudformation.describe_stacks().stack_name(STACK).send().await.unwrap();
    let mut parameters = described.stacks()[0].parameters().iter();
    let workers = parameters.find(|one| one.parameter_key() == Some("WorkerConcurrency")).unwrap();
    assert_eq!(workers.parameter_value(), Some("3"));

    let clone = local.host.create("acme/rocket").await.unwrap();
    let commit = push(&clone, "one").await;
    let branches: Vec<_> = (0..12).map(|number| format!("branch-{number}")).collect();
    let refspecs: Vec<_> = branches.iter().map(|branch| format!("main:refs/heads/{branch}")).collect();
    let said = clone.push(&refspecs.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(said.matches(": 202").count(), branches.len(), "{said}");
    let bucket = stack.output("OutputBucketName").unwrap();
    for branch in branches {
        let key = format!("acme/rocket/branch/{branch}/acme_rocket.zip");
        Artifact::wait(account, bucket, &key, &commit, PATIENCE).await.unwrap();
    }
    let dead = account.resources(STACK).await.unwrap().id("GitPullDeadLetterQueue").unwrap().to_owned();
    assert_eq!(account.messages(&dead).await.unwrap(), 0);
}
