//! What an attacker with a role might try: everything that any role of the stack may do, on all its
//! resources, and what no role may do.

use anyhow::Result;
use local::call::Call;
use serde_json::{Value, json};

use crate::stage::Stage;

/// A request, and the action that it needs.
pub(crate) struct Probe {
    pub(crate) action: String,
    pub(crate) call: Call,
}

/// A bucket of the account that isn't part of the stack.
pub(crate) const OTHER_BUCKET: &str = "somebody-elses";

/// Every probe.
pub(crate) fn all(stage: &Stage) -> Result<Vec<Probe>> {
    let mut probes = Vec::new();
    let buckets = [
        (stage.id("OutputBucket")?, ["acme/rocket/acme_rocket.zip", "other"]),
        (stage.id("KeyBucket")?, ["ssh-key/ed25519/key", "other"]),
        (stage.id("CacheBucket")?, ["packs/github.com/acme/rocket.pack", "runs/memory.json"]),
        (OTHER_BUCKET, ["acme/rocket/acme_rocket.zip", "packs/github.com/acme/rocket.pack"]),
    ];
    for (bucket, keys) in buckets {
        probes.extend(of_bucket(bucket));
        probes.extend(keys.iter().flat_map(|key| of_object(bucket, key)));
    }
    for queue in ["GitPullQueue", "ZipDlQueue", "GitPullDeadLetterQueue", "ZipDlDeadLetterQueue"] {
        probes.extend(of_queue(stage.id(queue)?));
    }
    for secret in ["ApiSecretValue", "ProviderCredentials"] {
        probes.extend(of_secret(stage.id(secret)?));
    }
    for part in ["Webhook", "GitPull", "ZipDl", "Reconciler", "SshKey", "BucketCleaner", "ApiAccess"] {
        let group = if part == "ApiAccess" { "ApiAccessLog".to_owned() } else { format!("{part}LogGroup") };
        probes.extend(of_log_group(stage.id(&group)?));
    }
    for part in ["Webhook", "GitPull", "ZipDl", "Reconciler", "SshKey", "BucketCleaner"] {
        probes.extend(of_function(stage.id(&format!("{part}Function"))?));
        probes.extend(of_role(stage.id(&format!("{part}Role"))?));
    }
    probes.extend(of_key(stage.id("KeyEncryptionKey")?, &stage.stack.name));
    probes.extend(of_app_key(&stage.app_key));
    probes.extend(of_event_bus());
    probes.extend(of_network());
    probes.extend(of_stack(&stage.stack.name));
    Ok(probes)
}

/// The encryption contexts to try: the right one first.
fn contexts(stack: &str) -> [Value; 4] {
    [
        json!({ "stack": stack, "purpose": "git-ssh-key" }),
        json!({ "stack": "another", "purpose": "git-ssh-key" }),
        json!({ "stack": stack, "purpose": "another" }),
        json!({}),
    ]
}

fn probe(service: &str, action: &str, call: Call) -> Probe {
    Probe { action: format!("{service}:{action}"), call }
}

fn of_bucket(bucket: &str) -> Vec<Probe> {
    let tries = [
        ("ListBucket", "GET", "list-type=2"),
        ("ListBucketVersions", "GET", "versions"),
        ("ListBucketMultipartUploads", "GET", "uploads"),
        ("PutBucketPolicy", "PUT", "policy"),
        ("DeleteBucketPolicy", "DELETE", "policy"),
        ("PutLifecycleConfiguration", "PUT", "lifecycle"),
    ];
    let call = |(action, method, query)| probe("s3", action, Call::s3(method, &format!("/{bucket}?{query}"), ""));
    tries.map(call).into()
}

fn of_object(bucket: &str, key: &str) -> Vec<Probe> {
    let tries = [
        ("GetObject", "GET", ""),
        ("GetObjectVersion", "GET", "?versionId=null"),
        ("PutObject", "PUT", ""),
        ("PutObjectTagging", "PUT", "?tagging"),
        ("PutObjectVersionTagging", "PUT", "?tagging&versionId=null"),
        ("GetObjectVersionTagging", "GET", "?tagging&versionId=null"),
        ("DeleteObject", "DELETE", ""),
        ("DeleteObjectVersion", "DELETE", "?versionId=null"),
        ("AbortMultipartUpload", "DELETE", "?uploadId=none"),
    ];
    let call = |(action, method, query)| probe("s3", action, Call::s3(method, &format!("/{bucket}/{key}{query}"), ""));
    tries.map(call).into()
}

/// A probe for each action of a JSON service, with its input.
fn json_probes(service: &str, prefix: &str, tries: &[(&str, Value)]) -> Vec<Probe> {
    let call = |(action, body): &(&str, Value)| {
        probe(service, action, Call::json(service, &format!("{prefix}.{action}"), body))
    };
    tries.iter().map(call).collect()
}

fn of_queue(url: &str) -> Vec<Probe> {
    let queue = json!({ "QueueUrl": url });
    let message = json!({ "QueueUrl": url, "MessageBody": "{}", "MessageGroupId": "g", "MessageDeduplicationId": "d" });
    let received = json!({ "QueueUrl": url, "ReceiptHandle": "none", "VisibilityTimeout": 0 });
    let tries = [
        ("SendMessage", message),
        ("ReceiveMessage", queue.clone()),
        ("DeleteMessage", received.clone()),
        ("ChangeMessageVisibility", received),
        ("GetQueueAttributes", queue.clone()),
        ("SetQueueAttributes", queue.clone()),
        ("PurgeQueue", queue),
    ];
    json_probes("sqs", "AmazonSQS", &tries)
}

fn of_secret(id: &str) -> Vec<Probe> {
    let secret = json!({ "SecretId": id });
    let tries = [("GetSecretValue", secret.clone()), ("PutSecretValue", secret.clone()), ("DeleteSecret", secret)];
    json_probes("secretsmanager", "secretsmanager", &tries)
}

fn of_log_group(name: &str) -> Vec<Probe> {
    let group = json!({ "logGroupName": name });
    let stream = json!({ "logGroupName": name, "logStreamName": "probe" });
    let mut events = stream.clone();
    events["logEvents"] = json!([{ "timestamp": 0, "message": "probe" }]);
    let of_stream = [("CreateLogStream", stream.clone()), ("PutLogEvents", events), ("GetLogEvents", stream)];
    let of_group = ["FilterLogEvents", "DescribeLogStreams", "CreateLogGroup", "DeleteLogGroup"];
    let of_group = of_group.map(|action| (action, group.clone()));
    let of_group = [&of_group[..], &[("DescribeLogGroups", json!({ "logGroupNamePrefix": name }))]].concat();
    json_probes("logs", "Logs_20140328", &[&of_stream[..], &of_group].concat())
}

fn of_key(id: &str, stack: &str) -> Vec<Probe> {
    let tries = contexts(stack).map(|context| {
        let [text, number] = ["Plaintext", "CiphertextBlob"].map(|name| {
            let mut body = json!({ "KeyId": id, "EncryptionContext": context });
            body[name] = "AAAA".into();
            body
        });
        let data_key = json!({ "KeyId": id, "EncryptionContext": context, "KeySpec": "AES_256" });
        [("Encrypt", text), ("Decrypt", number), ("GenerateDataKey", data_key)]
    });
    let key = json!({ "KeyId": id });
    let others = ["ScheduleKeyDeletion", "PutKeyPolicy", "CreateGrant"];
    let others = others.map(|action| (action, key.clone()));
    json_probes("kms", "TrentService", &[tries.as_flattened(), &others].concat())
}

/// With the algorithm of GitHub's signatures, with another one, and what isn't a signature.
fn of_app_key(arn: &str) -> Vec<Probe> {
    let sign = |algorithm: &str| json!({ "KeyId": arn, "Message": "AAAA", "MessageType": "RAW", "SigningAlgorithm": algorithm });
    let key = json!({ "KeyId": arn });
    let others = ["DeleteImportedKeyMaterial", "ScheduleKeyDeletion", "PutKeyPolicy", "CreateGrant", "DisableKey"];
    let others = others.map(|action| (action, key.clone()));
    let tries = [("Sign", sign("RSASSA_PKCS1_V1_5_SHA_256")), ("Sign", sign("RSASSA_PSS_SHA_256"))];
    json_probes("kms", "TrentService", &[&tries[..], &others].concat())
}

/// A probe for each action of a query service.
fn query_probes(service: &str, actions: &[&str], parameters: &[(&str, &str)]) -> Vec<Probe> {
    actions.iter().map(|action| probe(service, action, Call::query(service, action, parameters))).collect()
}

/// In the product's name, and in another one.
fn of_event_bus() -> Vec<Probe> {
    let event = |source| json!({ "Entries": [{ "Source": source, "DetailType": "Probe", "Detail": "{}" }] });
    let tries = [("PutEvents", event("git2s3")), ("PutEvents", event("acme")), ("PutRule", json!({ "Name": "probe" }))];
    json_probes("events", "AWSEvents", &tries)
}

fn of_network() -> Vec<Probe> {
    let actions = [
        "CreateNetworkInterface",
        "DescribeNetworkInterfaces",
        "DescribeSubnets",
        "DeleteNetworkInterface",
        "AssignPrivateIpAddresses",
        "UnassignPrivateIpAddresses",
        "RunInstances",
        "AuthorizeSecurityGroupIngress",
    ];
    query_probes("ec2", &actions, &[("NetworkInterfaceId", "eni-0"), ("SubnetId", "subnet-0")])
}

fn of_role(name: &str) -> Vec<Probe> {
    let arn = format!("arn:aws:iam::000000000000:role/{name}");
    let actions = ["PutRolePolicy", "AttachRolePolicy", "UpdateAssumeRolePolicy"];
    let mut probes = query_probes("iam", &actions, &[("RoleName", name), ("PolicyName", "more")]);
    probes.extend(query_probes("sts", &["AssumeRole"], &[("RoleArn", &arn), ("RoleSessionName", "probe")]));
    probes
}

fn of_function(name: &str) -> Vec<Probe> {
    let path = format!("/2015-03-31/functions/{name}");
    let tries = [
        ("InvokeFunction", "POST", "/invocations"),
        ("UpdateFunctionCode", "PUT", "/code"),
        ("UpdateFunctionConfiguration", "PUT", "/configuration"),
    ];
    let call = |(action, method, end)| {
        probe("lambda", action, Call::rest("lambda", method, &format!("{path}{end}"), &json!({})))
    };
    tries.map(call).into()
}

fn of_stack(name: &str) -> Vec<Probe> {
    query_probes("cloudformation", &["UpdateStack", "DeleteStack", "GetTemplate"], &[("StackName", name)])
}
