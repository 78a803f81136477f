//! The calls of the commands themselves, by purpose.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Allowed, Part, Scope};

/// Reading the stack, which every command begins with.
const STACK: &[&str] = &[
    "cloudformation:DescribeStackResourceDrifts",
    "cloudformation:DescribeStacks",
    "cloudformation:DetectStackDrift",
    "cloudformation:DetectStackResourceDrift",
    "cloudformation:GetTemplate",
    "cloudformation:ListStackResources",
];
/// Actions without a resource of the stack.
const ANYWHERE: &[&str] = &[
    "cloudformation:BatchDescribeTypeConfigurations",
    "cloudformation:DescribeStackDriftDetectionStatus",
    "cloudwatch:GetMetricStatistics",
    "lambda:GetAccountSettings",
];
const LOGS: &[&str] = &["logs:FilterLogEvents"];
const QUEUES: &[&str] = &["sqs:GetQueueAttributes"];
const BUCKETS: &[&str] = &["s3:ListBucket", "s3:ListBucketVersions"];
/// Reading what is known of a zip, but not the zip.
const MANIFESTS: &[&str] = &["s3:GetObject"];

/// Changing the stack.
const CHANGES: &[&str] = &[
    "cloudformation:ContinueUpdateRollback",
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeEvents",
    "cloudformation:DescribeStackEvents",
    "cloudformation:ExecuteChangeSet",
];
/// The account's bucket for code, and its content: CloudFormation reads the template from there
/// with the caller's rights.
const ASSETS: &[&str] = &[
    "s3:CreateBucket",
    "s3:ListBucket",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutEncryptionConfiguration",
    "s3:TagResource",
];
const CODE: &[&str] = &["s3:GetObject", "s3:PutObject"];
/// Reading all stacks, to find those with code in that bucket, and the one that has a bucket to be
/// imported.
const STACKS: &[&str] = &["cloudformation:DescribeStackResources", "cloudformation:DescribeStacks"];
/// Deleting the bucket for code when no stack has code in it any more.
const ASSETS_GO: &[&str] = &["s3:DeleteBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"];
const CODE_GOES: &[&str] = &["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion"];
/// Inspecting a bucket that is to be imported into a stack.
const IMPORTED: &[&str] =
    &["s3:GetBucketNotification", "s3:GetBucketPolicy", "s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"];
/// Moving dead-letter messages back to their queues, and running jobs again.
const DEAD_LETTER_QUEUE: &[&str] =
    &["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage", "sqs:SendMessage"];
/// Connecting repositories: their keys, and the secret that their webhooks get.
const KEYS: &[&str] = &["lambda:InvokeFunction"];
/// Importing a GitHub App's key, and signing for it. Only keys that are made for that.
const APP_KEYS: &[&str] =
    &["kms:CreateAlias", "kms:GetParametersForImport", "kms:ImportKeyMaterial", "kms:Sign", "kms:UpdateAlias"];
const APP_ALIASES: &[&str] = &["kms:CreateAlias", "kms:UpdateAlias"];
/// Following the path of a push.
const ALARMS: &[&str] = &["cloudwatch:DescribeAlarms"];
const WEBHOOK_SECRET: &[&str] = &["secretsmanager:GetSecretValue"];
/// Emptying a bucket that got an object while the stack was deleted.
const EMPTIED: &[&str] = &["s3:ListBucketMultipartUploads"];
const DELETED: &[&str] = &["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion"];

const DRIFT: &str = "CloudFormation looks at it by itself where it looks for what was changed by hand";

/// Allowed actions that no test calls, with the reason: the record in
/// `tests/tests/operations/deployer.rs` has all the others.
pub const UNRECORDED: &[(&str, &str)] = &[
    ("cloudformation:BatchDescribeTypeConfigurations", DRIFT),
    ("cloudformation:DetectStackResourceDrift", DRIFT),
    ("cloudformation:ContinueUpdateRollback", "the local cloud never gets stuck in a rollback"),
    ("cloudformation:DescribeEvents", "the local cloud's validation of a change set finds nothing"),
    ("s3:TagResource", "S3 looks at it by itself where a bucket is made with tags"),
];

pub(super) fn allowed(part: Part, scope: &Scope) -> Vec<Allowed> {
    let stack = "arn:${Partition}:cloudformation:${Region}:${Account}:stack/${Stack}/*";
    let assets = "arn:${Partition}:s3:::git2s3-assets-${Account}-${Region}";
    let queues = "arn:${Partition}:sqs:${Region}:${Account}:git2s3-*.fifo";
    let named = |name: &str| scope.buckets().iter().map(|bucket| format!("{bucket}/{name}")).collect::<Vec<_>>();
    let one = |pattern: &str| vec![scope.arn(pattern)];
    let mut all = vec![
        allow("Stack", STACK, one(stack)),
        allow("Anywhere", ANYWHERE, vec!["*".to_owned()]),
        allow("Logs", LOGS, scope.log_groups()),
        allow("Queues", QUEUES, one(queues)),
        allow("Buckets", BUCKETS, scope.buckets()),
        allow("Manifests", MANIFESTS, named("*.manifest.json")),
    ];
    if part == Part::Deploy {
        all.extend([
            allow("Changes", CHANGES, one(stack)),
            allow("Stacks", STACKS, vec!["*".to_owned()]),
            allow("Assets", &[ASSETS, ASSETS_GO].concat(), one(assets)),
            allow("Code", CODE, one(&format!("{assets}/git2s3/*"))),
            allow("CodeGoes", CODE_GOES, one(&format!("{assets}/*"))),
            allow("Imported", IMPORTED, scope.buckets()),
            allow("Messages", DEAD_LETTER_QUEUE, one(queues)),
            allow("Alarms", ALARMS, vec!["*".to_owned()]),
            allow("Keys", KEYS, one("arn:${Partition}:lambda:${Region}:${Account}:function:${Made}*SshKey*")),
            allow(
                "WebhookSecret",
                WEBHOOK_SECRET,
                one("arn:${Partition}:secretsmanager:${Region}:${Account}:secret:*ApiSecretValue-*"),
            ),
            app_key("AppKey", &["kms:CreateKey"], vec!["*".to_owned()]),
            app_key("AppKeys", APP_KEYS, one("arn:${Partition}:kms:${Region}:${Account}:key/*")),
            allow(
                "AppAliases",
                APP_ALIASES,
                one("arn:${Partition}:kms:${Region}:${Account}:alias/git2s3-${Stack}-github-app-*"),
            ),
            allow("Emptied", EMPTIED, scope.buckets()),
            allow("Deleted", DELETED, named("*")),
        ]);
        all.extend(scope.role.as_ref().map(|role| Allowed {
            condition: json!({ "StringEquals": { "iam:PassedToService": "cloudformation.amazonaws.com" } }),
            ..allow("ServiceRole", &["iam:PassRole"], vec![role.arn().to_owned()])
        }));
    }
    all
}

/// Allows the actions only with keys whose material is imported and which sign.
fn app_key(sid: &str, actions: &[&'static str], resources: Vec<String>) -> Allowed {
    let condition = json!({ "StringEquals": { "kms:KeyOrigin": "EXTERNAL", "kms:KeyUsage": "SIGN_VERIFY" } });
    Allowed { condition, ..allow(sid, actions, resources) }
}

fn allow(sid: &str, actions: &[&'static str], resources: Vec<String>) -> Allowed {
    Allowed {
        sid: sid.to_owned(),
        actions: actions.iter().copied().collect::<BTreeSet<_>>(),
        resources,
        condition: Value::Null,
    }
}
