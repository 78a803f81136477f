//! What shows that each right is needed: a scenario in the local cloud that fails without it, or,
//! where the local cloud doesn't enforce it, the page on which AWS demands it. `tests/tests/rights`
//! takes each right away and runs its scenario.

use Evidence::{Documented, Scenario};

/// Why a right can't go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// A function in `tests/tests/rights/scenarios` that fails without the right.
    Scenario(&'static str),
    /// AWS's page that demands it: of rights that a service uses in the role's name, and no
    /// function of ours. Some of them the local cloud asks for when the stack is made
    /// (`local/src/local_cloud/strict/service_rights.py`).
    Documented(&'static str),
}

/// Actions of a role on a resource that are needed for the same reason.
#[derive(Debug, Clone, Copy)]
pub struct Needed {
    /// The role's logical id.
    pub role: &'static str,
    /// The resource, as in `Fn::Sub`.
    pub resource: &'static str,
    /// The actions.
    pub actions: &'static [&'static str],
    /// Why they can't go.
    pub evidence: Evidence,
}

const fn needed(
    role: &'static str,
    resource: &'static str,
    actions: &'static [&'static str],
    evidence: Evidence,
) -> Needed {
    Needed { role, resource, actions, evidence }
}

/// Every right of every role, once.
pub const NEEDED: &[Needed] = &[
    needed("ApiLogRole", "*", API_LOGS, API_GATEWAY),
    needed("BucketCleanerRole", "${BucketCleanerLogGroup.Arn}", WRITE_LOG, LOGGING),
    needed("BucketCleanerRole", "${CacheBucket.Arn}", FIND, EMPTIED),
    needed("BucketCleanerRole", "${CacheBucket.Arn}/*", CLEAN, EMPTIED),
    needed("BucketCleanerRole", "${KeyBucket.Arn}", FIND, EMPTIED),
    needed("BucketCleanerRole", "${KeyBucket.Arn}/*", CLEAN, EMPTIED),
    needed("BucketCleanerRole", "${OutputBucket.Arn}", FIND, EMPTIED),
    needed("BucketCleanerRole", "${OutputBucket.Arn}/*", CLEAN, EMPTIED),
    needed("GitPullRole", "*", INTERFACES, NETWORK),
    needed(
        "GitPullRole",
        "${CacheBucket.Arn}",
        &["s3:ListBucket"],
        Scenario("gitpull_warns_of_nothing_at_a_first_push"),
    ),
    needed(
        "GitPullRole",
        "${CacheBucket.Arn}/packs/*",
        &["s3:AbortMultipartUpload"],
        Scenario("gitpull_leaves_no_half_a_pack"),
    ),
    needed(
        "GitPullRole",
        "${CacheBucket.Arn}/packs/*",
        &["s3:GetObject", "s3:PutObject"],
        Scenario("gitpull_begins_with_the_pack_that_was_kept"),
    ),
    needed(
        "GitPullRole",
        "${GitPullDeadLetterQueue.Arn}",
        &["sqs:SendMessage"],
        Scenario("gitpull_buries_what_failed_for_good"),
    ),
    needed("GitPullRole", "${GitPullLogGroup.Arn}", WRITE_LOG, LOGGING),
    needed("GitPullRole", "${GitPullQueue.Arn}", CONSUME, EVENT_SOURCE),
    needed("GitPullRole", "${GitPullQueue.Arn}", AGAIN, Scenario("gitpull_tries_a_failed_job_again_within_seconds")),
    needed("GitPullRole", "${KeyBucket.Arn}/ssh-key/*", &["s3:GetObject"], FIRST_PUSH),
    needed("GitPullRole", "${KeyEncryptionKey.Arn}", &["kms:Decrypt"], FIRST_PUSH),
    needed("GitPullRole", "${OutputBucket.Arn}", &["s3:ListBucket"], FIRST_PUSH),
    needed("GitPullRole", "${OutputBucket.Arn}/*", &["s3:PutObject"], FIRST_PUSH),
    needed("GitPullRole", "${OutputBucket.Arn}/*", &["s3:GetObject"], Scenario("gitpull_stores_no_tree_twice")),
    needed(
        "GitPullRole",
        "${OutputBucket.Arn}/*",
        &["s3:AbortMultipartUpload"],
        Scenario("gitpull_leaves_no_half_a_zip"),
    ),
    needed("SshKeyRole", "${KeyBucket.Arn}/ssh-key/*", &["s3:GetObject", "s3:PutObject"], SSH_KEY),
    needed("SshKeyRole", "${KeyEncryptionKey.Arn}", &["kms:Encrypt"], SSH_KEY),
    needed("SshKeyRole", "${SshKeyLogGroup.Arn}", WRITE_LOG, LOGGING),
    needed("WebhookRole", "${ApiSecretValue}", &["secretsmanager:GetSecretValue"], PUSH),
    needed("WebhookRole", "${GitPullQueue.Arn}", &["sqs:SendMessage"], PUSH),
    needed("WebhookRole", "${WebhookLogGroup.Arn}", WRITE_LOG, LOGGING),
    needed(
        "WebhookRole",
        "${ZipDlQueue.Arn}",
        &["sqs:SendMessage"],
        Scenario("a_signed_request_for_a_download_is_queued"),
    ),
    needed("ZipDlRole", "*", INTERFACES, NETWORK),
    needed("ZipDlRole", "${OutputBucket.Arn}", &["s3:ListBucket"], DOWNLOAD),
    needed("ZipDlRole", "${OutputBucket.Arn}/*", &["s3:PutObject"], DOWNLOAD),
    needed("ZipDlRole", "${OutputBucket.Arn}/*", &["s3:GetObject"], Scenario("zipdl_downloads_no_commit_twice")),
    needed("ZipDlRole", "${OutputBucket.Arn}/*", &["s3:AbortMultipartUpload"], Scenario("zipdl_leaves_no_half_a_zip")),
    needed("ZipDlRole", "${ProviderCredentials}", &["secretsmanager:GetSecretValue"], DOWNLOAD),
    needed(
        "ZipDlRole",
        "${ZipDlDeadLetterQueue.Arn}",
        &["sqs:SendMessage"],
        Scenario("zipdl_buries_what_failed_for_good"),
    ),
    needed("ZipDlRole", "${ZipDlLogGroup.Arn}", WRITE_LOG, LOGGING),
    needed("ZipDlRole", "${ZipDlQueue.Arn}", CONSUME, EVENT_SOURCE),
    needed("ZipDlRole", "${ZipDlQueue.Arn}", AGAIN, Scenario("zipdl_tries_a_failed_job_again_within_seconds")),
];

const FIRST_PUSH: Evidence = Scenario("gitpull_makes_a_zip_of_a_first_push");
const DOWNLOAD: Evidence = Scenario("zipdl_makes_a_zip_of_a_download");
const PUSH: Evidence = Scenario("a_signed_push_is_queued");
const SSH_KEY: Evidence = Scenario("a_stack_gets_its_ssh_key_and_keeps_it");
const EMPTIED: Evidence = Scenario("a_deleted_stack_leaves_its_buckets_empty");

const FIND: &[&str] = &["s3:ListBucketMultipartUploads", "s3:ListBucketVersions"];
const CLEAN: &[&str] = &["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion"];
const AGAIN: &[&str] = &["sqs:ChangeMessageVisibility"];

/// What CloudWatch Logs takes from a function whose log group is there already.
const WRITE_LOG: &[&str] = &["logs:CreateLogStream", "logs:PutLogEvents"];
const LOGGING: Evidence = Documented(
    "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html#monitoring-cloudwatchlogs-prereqs",
);

/// What Lambda takes jobs with, in the function's name.
const CONSUME: &[&str] = &["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"];
const EVENT_SOURCE: Evidence =
    Documented("https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions");

/// What Lambda connects a function to a VPC with, in the function's name.
const INTERFACES: &[&str] = &[
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
];
const NETWORK: Evidence =
    Documented("https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions");

/// What API Gateway demands of the account's role before it writes a log.
const API_LOGS: &[&str] = &[
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:FilterLogEvents",
    "logs:GetLogEvents",
    "logs:PutLogEvents",
];
const API_GATEWAY: Evidence = Documented(
    "https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html#set-up-access-logging-permissions",
);

/// What shows that a role needs an action on a resource; none if nobody wrote it down.
pub fn of(role: &str, resource: &str, action: &str) -> Option<Evidence> {
    let found = NEEDED.iter().find(|row| row.role == role && row.resource == resource && row.actions.contains(&action));
    found.map(|row| row.evidence)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{review::rights, stack};

    #[test]
    fn granted_rights_match_listed_evidence() {
        let template = stack::template(None).unwrap().as_value();
        let granted: BTreeSet<_> =
            rights::of_roles(&template).into_iter().map(|right| (right.who, right.resource, right.action)).collect();
        let rows =
            NEEDED.iter().flat_map(|row| row.actions.iter().map(move |action| (row.role, row.resource, *action)));
        let rows: Vec<_> =
            rows.map(|(who, what, action)| (who.to_owned(), what.to_owned(), action.to_owned())).collect();
        let needed: BTreeSet<_> = rows.iter().cloned().collect();
        assert_eq!(needed.len(), rows.len(), "a right stands there twice");
        let unexplained: Vec<_> = granted.difference(&needed).collect();
        assert!(unexplained.is_empty(), "nothing shows that these are needed: {unexplained:#?}");
        let gone: Vec<_> = needed.difference(&granted).collect();
        assert!(gone.is_empty(), "the template doesn't have these any more: {gone:#?}");
    }

    #[test]
    fn documented_evidence_links_to_aws() {
        for row in NEEDED {
            if let Documented(page) = row.evidence {
                assert!(page.starts_with("https://docs.aws.amazon.com/"), "{page}");
            }
        }
    }
}
