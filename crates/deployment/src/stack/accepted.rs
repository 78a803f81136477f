//! Accepted linter findings: this table has every suppressed finding, with the reason that the
//! template's metadata states. `just linters` shows that nothing else is found.

use cfn::{Accepted, Stack};

/// Where a finding is accepted.
enum At {
    /// At every resource of this type.
    Type(&'static str),
    /// At these resources.
    Ids(&'static [&'static str]),
}

const FUNCTION: At = At::Type("AWS::Lambda::Function");
const SECRET: At = At::Type("AWS::SecretsManager::Secret");
const BUCKET: At = At::Type("AWS::S3::Bucket");
const METHOD: At = At::Type("AWS::ApiGateway::Method");
const STAGE: At = At::Ids(&["ApiStage"]);
const WORKERS: At = At::Ids(&["GitPullFunction", "ZipDlFunction", "ReconcilerFunction"]);
const WORKER_ROLES: At = At::Ids(&["GitPullRole", "ZipDlRole"]);

const fn accepted(
    checkov: &'static [&'static str],
    cdk_nag: &'static [&'static str],
    reason: &'static str,
) -> Accepted {
    Accepted { checkov, cdk_nag, reason }
}

const TABLE: &[(At, Accepted)] = &[
    (
        FUNCTION,
        accepted(
            &["CKV_AWS_116"],
            &["Serverless-LambdaDLQ"],
            "No call of it can be lost: SQS, whose queue has a dead-letter queue, API Gateway or CloudFormation waits for the outcome; a run of the schedule is followed by the next one",
        ),
    ),
    (
        FUNCTION,
        accepted(
            &["CKV_AWS_115"],
            &[],
            "Reserved concurrency takes from the account's pool, which may be 10; the stage's throttle and the queues bound the load",
        ),
    ),
    (
        FUNCTION,
        accepted(
            &[],
            &["Serverless-LambdaTracing"],
            "The structured log carries the delivery id through every function; X-Ray would need rights on all resources",
        ),
    ),
    (
        At::Ids(&["WebhookFunction", "SshKeyFunction", "BucketCleanerFunction"]),
        accepted(
            &["CKV_AWS_117"],
            &[],
            "Talks to AWS's services only: a VPC would add a way out to pay for and protect nothing",
        ),
    ),
    (
        At::Ids(&["WebhookFunction", "GitPullFunction", "ZipDlFunction", "ReconcilerFunction", "SshKeyFunction"]),
        accepted(
            &["CKV_AWS_173"],
            &[],
            "Holds no secret (rule lambda/environment_no_secret), and Lambda encrypts it with a key of its own",
        ),
    ),
    (
        WORKERS,
        accepted(&[], &["CloudFormation-Validate::F3031"], "SubnetIds is empty by default, and read only with a VPCId"),
    ),
    (
        SECRET,
        accepted(
            &["CKV_AWS_149"],
            &[],
            "Encrypted with Secrets Manager's key: a key of the stack's own would let the same roles read, at a dollar a month",
        ),
    ),
    (
        SECRET,
        accepted(
            &[],
            &["AwsSolutions-SMG4"],
            "The Git host has the other half: its owner rotates it, with several valid at once",
        ),
    ),
    (
        At::Ids(&["ApiSecretValue"]),
        accepted(
            &[],
            &["CloudFormation-Validate::W1030"],
            "The empty default is never used: the condition generates a secret then",
        ),
    ),
    (
        At::Type("AWS::IAM::Role"),
        accepted(
            &[],
            &["CloudFormation-Validate::W1030"],
            "The empty default is never used: a role has a boundary only where one is named",
        ),
    ),
    (
        At::Ids(&["GitPullFunction", "ReconcilerFunction"]),
        accepted(
            &[],
            &["CloudFormation-Validate::E3005", "CloudFormation-Validate::W2502"],
            "CloudFormation ignores a dependency on a resource whose condition is false. Where the policy exists, the function waits for it",
        ),
    ),
    (
        At::Ids(&["GitPullGitHubAppKey", "ReconcilerGitHubAppKey"]),
        accepted(
            &[],
            &["CloudFormation-Validate::W1030"],
            "The empty default is never used: there is a policy only where a GitHub App is named",
        ),
    ),
    (
        At::Ids(&["WebAclAssociation"]),
        accepted(
            &[],
            &["CloudFormation-Validate::W1031"],
            "The empty default is never used: there is an association only where a web ACL is named",
        ),
    ),
    (
        At::Type("AWS::Logs::LogGroup"),
        accepted(&["CKV_AWS_158"], &[], "Logs hold no secret, and CloudWatch encrypts them with a key of its own"),
    ),
    (
        BUCKET,
        accepted(
            &["CKV_AWS_18"],
            &["AwsSolutions-S1"],
            "Who reads objects is CloudTrail's to tell, where the account wants it: another bucket for logs would need as much care",
        ),
    ),
    (
        At::Ids(&["CacheBucket"]),
        accepted(
            &["CKV_AWS_21"],
            &[],
            "A cache has no history: packs expire, and one that is damaged or gone is fetched from the Git host again",
        ),
    ),
    (
        At::Type("AWS::SQS::Queue"),
        accepted(&["CKV_AWS_27"], &[], "Encrypted: SqsManagedSseEnabled. Jobs hold names, no code and no secret"),
    ),
    (
        At::Ids(&["GitPullDeadLetterQueue", "ZipDlDeadLetterQueue"]),
        accepted(&[], &["Serverless-SQSRedrivePolicy"], "This is the dead-letter queue"),
    ),
    (
        At::Ids(&["AlarmSubscription"]),
        accepted(
            &[],
            &["Serverless-SNSRedrivePolicy"],
            "A mail that can't be delivered would be a message that nobody reads either: the alarm stays raised in CloudWatch",
        ),
    ),
    (
        At::Type("AWS::Lambda::EventSourceMapping"),
        accepted(
            &[],
            &["Serverless-LambdaEventSourceMappingDestination"],
            "Destinations are for streams: what fails here goes to the dead-letter queue",
        ),
    ),
    (
        METHOD,
        accepted(
            &["CKV_AWS_59"],
            &["AwsSolutions-APIG4", "AwsSolutions-COG4"],
            "Git hosts can't sign for IAM or Cognito: the function authenticates the raw bytes before it reads them",
        ),
    ),
    (
        At::Ids(&["Api"]),
        accepted(
            &[],
            &["AwsSolutions-APIG2"],
            "The validator demands the headers. A body is authenticated as bytes before anybody parses it",
        ),
    ),
    (STAGE, accepted(&["CKV_AWS_120"], &[], "Answers to POST can't be cached")),
    (
        STAGE,
        accepted(
            &["CKV_AWS_73"],
            &["Serverless-APIGWXrayEnabled"],
            "The access log has every request; X-Ray would add a second store of who called",
        ),
    ),
    (
        STAGE,
        accepted(
            &[],
            &["AwsSolutions-APIG3"],
            "Throttled, and every request needs a secret or an address; who has a web ACL names it in WebAclArn",
        ),
    ),
    (
        At::Ids(&["ApiLogRole"]),
        accepted(
            &["CKV_AWS_111"],
            &["AwsSolutions-IAM5[Resource::*]"],
            "API Gateway refuses a role without these on every log group, see WildcardResource",
        ),
    ),
    (
        At::Ids(&["BucketCleanerRole"]),
        accepted(
            &[],
            &[
                "AwsSolutions-IAM5[Resource::<OutputBucket.Arn>/*]",
                "AwsSolutions-IAM5[Resource::<KeyBucket.Arn>/*]",
                "AwsSolutions-IAM5[Resource::<CacheBucket.Arn>/*]",
            ],
            "Empties these buckets when the stack is deleted, whatever is in them",
        ),
    ),
    (
        At::Ids(&["SshKeyRole"]),
        accepted(
            &[],
            &["AwsSolutions-IAM5[Resource::<KeyBucket.Arn>/ssh-key/*]"],
            "Each key pair has an object of its own, whose name is made with it",
        ),
    ),
    (
        At::Ids(&["NetworkInterfaces"]),
        accepted(
            &["CKV_AWS_111", "CKV_AWS_109"],
            &["AwsSolutions-IAM5[Resource::*]"],
            "Lambda demands these on every resource of who runs in a VPC, see WildcardResource",
        ),
    ),
    (
        WORKER_ROLES,
        accepted(
            &[],
            &[
                "AwsSolutions-IAM5[Resource::<OutputBucket.Arn>/*]",
                "AwsSolutions-IAM5[Resource::<KeyBucket.Arn>/ssh-key/*]",
                "AwsSolutions-IAM5[Resource::<CacheBucket.Arn>/packs/*]",
            ],
            "Objects of the stack's own buckets, whose names are made at work",
        ),
    ),
    (
        At::Ids(&["ReconcilerSchedule"]),
        accepted(
            &[],
            &["Serverless-EventBusDLQ"],
            "The next run makes up for one that is lost, and an alarm is raised if none comes",
        ),
    ),
    (
        At::Ids(&["ReconcilerRole"]),
        accepted(
            &[],
            &[
                "AwsSolutions-IAM5[Resource::<OutputBucket.Arn>/*]",
                "AwsSolutions-IAM5[Resource::<KeyBucket.Arn>/ssh-key/*]",
                "AwsSolutions-IAM5[Resource::<CacheBucket.Arn>/runs/*]",
            ],
            "Objects of the stack's own buckets, whose names are made at work",
        ),
    ),
];

/// Writes the accepted findings into the metadata of the stack's resources.
pub(super) fn add(stack: &mut Stack) {
    for (at, accepted) in TABLE {
        stack.accept(accepted, |id, kind| match at {
            At::Type(name) => *name == kind,
            At::Ids(ids) => ids.contains(&id),
        });
    }
}
