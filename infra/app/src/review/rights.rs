//! Why each right is there, and which test would fail without it. Written down here, and held against the template by a test: a
//! right without a reason can't be added, and a reason without its right can't stay.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diff::{Effect, Grant, grants};

/// Who, on what, why, and the end-to-end test that misses the right.
const REASONS: &[(&str, &str, &str, &str)] = &[
    ("ApiLogRole", "*", "API Gateway writes the access log of every stage of the account by this role", ""),
    ("BucketCleanerRole", "${BucketCleanerLogGroup.Arn}", "its own log", ""),
    ("BucketCleanerRole", "${CacheBucket.Arn}", CLEAN_LIST, CLEANED),
    ("BucketCleanerRole", "${CacheBucket.Arn}/*", CLEAN, CLEANED),
    ("BucketCleanerRole", "${KeyBucket.Arn}", CLEAN_LIST, CLEANED),
    ("BucketCleanerRole", "${KeyBucket.Arn}/*", CLEAN, CLEANED),
    ("BucketCleanerRole", "${OutputBucket.Arn}", CLEAN_LIST, CLEANED),
    ("BucketCleanerRole", "${OutputBucket.Arn}/*", CLEAN, CLEANED),
    ("GitPullRole", "*", VPC, ""),
    ("GitPullRole", "${CacheBucket.Arn}", SEE, COLD),
    (
        "GitPullRole",
        "${CacheBucket.Arn}/packs/*",
        "begins with the pack that an earlier function kept, and keeps one; aborts a failed upload",
        COLD,
    ),
    ("GitPullRole", "${GitPullDeadLetterQueue.Arn}", BURY, BURIED),
    ("GitPullRole", "${GitPullLogGroup.Arn}", "its own log", ""),
    ("GitPullRole", "${GitPullQueue.Arn}", JOBS, PUSHED),
    ("GitPullRole", "${KeyBucket.Arn}/ssh-key/*", "reads the encrypted SSH key", PUSHED),
    ("GitPullRole", "${KeyEncryptionKey.Arn}", "decrypts the SSH key of this stack and nothing else", PUSHED),
    ("GitPullRole", "${OutputBucket.Arn}", SEE, PUSHED),
    ("GitPullRole", "${OutputBucket.Arn}/*", STORE, PUSHED),
    (
        "SshKeyRole",
        "${KeyBucket.Arn}/ssh-key/*",
        "stores the encrypted SSH key, and finds the one of an earlier try",
        PUSHED,
    ),
    ("SshKeyRole", "${KeyEncryptionKey.Arn}", "encrypts the SSH key for this stack and this purpose", PUSHED),
    ("SshKeyRole", "${SshKeyLogGroup.Arn}", "its own log", ""),
    ("WebhookRole", "${ApiSecretValue}", "knows the secrets that requests are signed with", ATTACKED),
    ("WebhookRole", "${GitPullQueue.Arn}", "queues what to fetch", PUSHED),
    ("WebhookRole", "${WebhookLogGroup.Arn}", "its own log", ""),
    ("WebhookRole", "${ZipDlQueue.Arn}", "queues what to download", DOWNLOADED),
    ("ZipDlRole", "*", VPC, ""),
    ("ZipDlRole", "${OutputBucket.Arn}", SEE, DOWNLOADED),
    ("ZipDlRole", "${OutputBucket.Arn}/*", STORE, DOWNLOADED),
    ("ZipDlRole", "${ProviderCredentials}", "shows the host a token for the archive", DOWNLOADED),
    ("ZipDlRole", "${ZipDlDeadLetterQueue.Arn}", BURY, BURIED),
    ("ZipDlRole", "${ZipDlLogGroup.Arn}", "its own log", ""),
    ("ZipDlRole", "${ZipDlQueue.Arn}", JOBS, DOWNLOADED),
];

const CLEAN: &str = "deletes every version and unfinished upload when the stack goes";
const CLEAN_LIST: &str = "finds what there is to delete";
const VPC: &str = "Lambda demands these of who runs in a VPC; only with a VPCId";
const JOBS: &str = "takes jobs, and says when a failed one is tried again";
const BURY: &str = "puts a job that has failed for good there, with the reason";
const SEE: &str = "learns that an object isn't there, instead of that it may not know";
const STORE: &str = "stores the zip, after a look at the one that is there; aborts a failed upload";
const CLEANED: &str = "a_stack_with_thousands_of_versions_is_emptied_and_deleted";
const PUSHED: &str = "pushes_become_zips";
const COLD: &str = "a_cold_function_begins_with_the_pack_that_was_kept";
const BURIED: &str = "a_job_that_fails_for_good_is_buried_with_its_reason";
const DOWNLOADED: &str = "every_host_on_both_endpoints";
const ATTACKED: &str = "attacks_are_refused_and_leave_no_trace";

/// The rights of one role on one resource.
#[derive(Debug)]
pub struct Right {
    /// The role's logical id.
    pub role: String,
    /// The resource, as in `Fn::Sub`.
    pub resource: String,
    /// The actions.
    pub actions: Vec<String>,
    /// What has to hold, in words.
    pub conditions: Vec<String>,
    /// Why; empty if nobody wrote it down.
    pub reason: &'static str,
    /// The end-to-end test that needs it; empty where the local cloud doesn't enforce the right.
    pub test: &'static str,
}

/// The matrix: what the template's roles may do.
pub fn matrix(template: &Value) -> Vec<Right> {
    let mut rows: BTreeMap<(String, String, Vec<String>), Vec<String>> = BTreeMap::new();
    for Grant { who, effect, action, resource, conditions } in grants(template) {
        let is_role = template["Resources"][&who]["Type"] == "AWS::IAM::Role";
        if is_role && effect == Effect::Allow {
            let conditions = conditions.iter().map(ToString::to_string).collect();
            rows.entry((who, resource, conditions)).or_default().push(action);
        }
    }
    let row = |((role, resource, conditions), actions): ((String, String, Vec<String>), Vec<String>)| {
        let known = REASONS.iter().find(|(who, what, ..)| *who == role && *what == resource);
        let (reason, test) = known.map_or(("", ""), |(_, _, reason, test)| (*reason, *test));
        Right { role, resource, actions, conditions, reason, test }
    };
    rows.into_iter().map(row).collect()
}

/// What the policies of resources and the trust of roles say, beside the roles' own rights.
pub fn others(template: &Value) -> Vec<Grant> {
    let holds = |who: &str| template["Resources"].get(who).is_some();
    grants(template).into_iter().filter(|grant| !holds(&grant.who)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::stack;

    #[test]
    fn every_right_has_its_reason_and_every_reason_its_right() {
        let matrix = matrix(&stack::template(None).unwrap().as_value());
        let rights: BTreeSet<(&str, &str)> =
            matrix.iter().map(|right| (right.role.as_str(), right.resource.as_str())).collect();
        assert_eq!(rights, REASONS.iter().map(|(who, what, ..)| (*who, *what)).collect());
        assert!(matrix.iter().all(|right| !right.reason.is_empty()));
    }

    #[test]
    fn every_test_that_is_named_exists() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/tests");
        let inside = |folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let (files, folders): (Vec<_>, Vec<_>) = inside(folder).partition(|path| path.is_file());
        let files = files.into_iter().chain(folders.into_iter().flat_map(inside));
        let text: String = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
        for test in REASONS.iter().map(|(.., test)| test).filter(|test| !test.is_empty()) {
            assert!(text.contains(&format!("fn {test}(")), "there is no test {test}");
        }
    }
}
