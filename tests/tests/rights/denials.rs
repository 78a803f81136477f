//! What must never be allowed, whatever the template says: the promises of `docs/security.md`, each
//! with the requests that would break it.

use anyhow::{Result, ensure};

use crate::engines::Verdict;
use crate::probes::OTHER_BUCKET;
use crate::stage::Stage;

/// The roles of a denial.
enum Who {
    Only(&'static str),
    AllBut(&'static [&'static str]),
    Everybody,
}

use Who::{AllBut, Everybody, Only};

/// Something that none of these roles may do.
struct Denial {
    promise: &'static str,
    who: Who,
    /// Prefixes of actions.
    actions: &'static [&'static str],
    /// Logical IDs of resources. If empty, any resource.
    resources: &'static [&'static str],
}

const fn denial(
    promise: &'static str,
    who: Who,
    actions: &'static [&'static str],
    resources: &'static [&'static str],
) -> Denial {
    Denial { promise, who, actions, resources }
}

const DENIALS: &[Denial] = &[
    denial("the webhook function reaches no bucket", Only("WebhookRole"), &["s3:"], &[]),
    denial("the webhook function uses no key", Only("WebhookRole"), &["kms:"], &[]),
    denial("the webhook function reads no token", Only("WebhookRole"), &["secretsmanager:"], &["ProviderCredentials"]),
    denial("the webhook function takes no job", Only("WebhookRole"), &["sqs:ReceiveMessage", "sqs:PurgeQueue"], &[]),
    denial(
        "gitpull reads neither tokens, without HTTPS, nor webhook secrets",
        Only("GitPullRole"),
        &["secretsmanager:"],
        &[],
    ),
    denial(
        "gitpull doesn't change the SSH key",
        Only("GitPullRole"),
        &["s3:Put", "kms:Encrypt"],
        &["KeyBucket", "KeyEncryptionKey"],
    ),
    denial("zipdl uses no key", Only("ZipDlRole"), &["kms:"], &[]),
    denial(
        "zipdl reaches neither the SSH key nor the packs",
        Only("ZipDlRole"),
        &["s3:"],
        &["KeyBucket", "CacheBucket"],
    ),
    denial("zipdl reads no webhook secret", Only("ZipDlRole"), &["secretsmanager:"], &["ApiSecretValue"]),
    denial(
        "the reconciler writes neither zips nor keys",
        Only("ReconcilerRole"),
        &["s3:Put", "s3:Delete", "s3:Abort", "kms:Encrypt"],
        &["OutputBucket", "KeyBucket", "KeyEncryptionKey"],
    ),
    denial(
        "the reconciler takes no job and gives none up",
        Only("ReconcilerRole"),
        &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:PurgeQueue"],
        &[],
    ),
    denial("who makes the SSH key can't decrypt it", Only("SshKeyRole"), &["kms:Decrypt"], &[]),
    denial(
        "the cleaner reads and writes nothing",
        Only("BucketCleanerRole"),
        &["s3:GetObject", "s3:PutObject", "kms:", "sqs:", "secretsmanager:"],
        &[],
    ),
    denial(
        "API Gateway's role does nothing but log",
        Only("ApiLogRole"),
        &["s3:", "kms:", "sqs:", "secretsmanager:", "ec2:"],
        &[],
    ),
    denial("nobody but who asks hosts signs", AllBut(&["GitPullRole", "ReconcilerRole"]), &["kms:Sign"], &[]),
    denial("nobody but who asks hosts decrypts", AllBut(&["GitPullRole", "ReconcilerRole"]), &["kms:Decrypt"], &[]),
    denial(
        "nobody but who asks hosts and who makes it reads the SSH key",
        AllBut(&["GitPullRole", "ReconcilerRole", "SshKeyRole"]),
        &["s3:GetObject"],
        &["KeyBucket"],
    ),
    denial(
        "nobody but the webhook function and, with submodules, the reconciler reads the webhook secret",
        AllBut(&["WebhookRole", "ReconcilerRole"]),
        &["secretsmanager:"],
        &["ApiSecretValue"],
    ),
    denial(
        "nobody but zipdl and the reconciler reads the tokens, without HTTPS",
        AllBut(&["ZipDlRole", "ReconcilerRole"]),
        &["secretsmanager:"],
        &["ProviderCredentials"],
    ),
    denial(
        "nobody but gitpull reads or writes packs",
        AllBut(&["GitPullRole"]),
        &["s3:GetObject", "s3:PutObject"],
        &["/packs/"],
    ),
    denial(
        "nobody but the workers writes zips",
        AllBut(&["GitPullRole", "ZipDlRole"]),
        &["s3:PutObject"],
        &["OutputBucket"],
    ),
    denial("nobody but the cleaner deletes", AllBut(&["BucketCleanerRole"]), &["s3:Delete"], &[]),
    denial("nobody reaches a bucket that isn't the stack's", Everybody, &["s3:"], &[OTHER_BUCKET]),
    denial(
        "nobody takes dead-letter messages away",
        Everybody,
        &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:PurgeQueue"],
        &["GitPullDeadLetterQueue", "ZipDlDeadLetterQueue"],
    ),
    denial(
        "nobody but its worker adds to the dead-letter messages",
        AllBut(&["GitPullRole", "ZipDlRole"]),
        &["sqs:SendMessage"],
        &["GitPullDeadLetterQueue", "ZipDlDeadLetterQueue"],
    ),
    denial(
        "nobody changes what a resource lets in",
        Everybody,
        &[
            "s3:PutBucketPolicy",
            "s3:DeleteBucketPolicy",
            "kms:PutKeyPolicy",
            "kms:CreateGrant",
            "kms:DeleteImportedKeyMaterial",
            "kms:DisableKey",
            "sqs:SetQueueAttributes",
        ],
        &[],
    ),
    denial(
        "nobody deletes what the stack consists of",
        Everybody,
        &["kms:ScheduleKeyDeletion", "secretsmanager:DeleteSecret", "logs:DeleteLogGroup", "sqs:PurgeQueue"],
        &[],
    ),
    denial("nobody gets more rights", Everybody, &["iam:", "sts:"], &[]),
    denial("nobody changes or calls the code, or the stack", Everybody, &["lambda:", "cloudformation:"], &[]),
];

/// The encryption context of the SSH key. No other may decrypt it.
const CONTEXT: [(&str, &str); 2] =
    [("kms:EncryptionContext:stack", "git2s3"), ("kms:EncryptionContext:purpose", "git-ssh-key")];

/// Checks the decisions against every denial.
pub(crate) fn hold(stage: &Stage, verdicts: &[Verdict]) -> Result<()> {
    for denial in DENIALS {
        let concerned: Vec<_> = verdicts.iter().filter(|verdict| denial.concerns(stage, verdict)).collect();
        ensure!(!concerned.is_empty(), "no probe covers it: {}", denial.promise);
        let broken: Vec<_> = concerned.iter().filter(|verdict| verdict.account || verdict.ours).collect();
        ensure!(broken.is_empty(), "{}: {broken:#?}", denial.promise);
    }
    let is_ours = |verdict: &Verdict| {
        let (request, context) = (&verdict.request, &verdict.request.context);
        let algorithm = context.get("kms:SigningAlgorithm").map(String::as_str);
        if request.action == "kms:Sign" {
            return request.resource == stage.app_key && algorithm == Some("RSASSA_PKCS1_V1_5_SHA_256");
        }
        CONTEXT.iter().all(|(key, value)| context.get(*key).is_some_and(|found| found == value))
    };
    let of_key = verdicts.iter().filter(|verdict| verdict.request.action.starts_with("kms:"));
    let broken: Vec<_> = of_key.filter(|verdict| !is_ours(verdict) && (verdict.account || verdict.ours)).collect();
    ensure!(broken.is_empty(), "a key is used under another context, or for another signature: {broken:#?}");
    Ok(())
}

impl Denial {
    fn concerns(&self, stage: &Stage, verdict: &Verdict) -> bool {
        let request = &verdict.request;
        let is_who = match self.who {
            Only(who) => request.who == who,
            AllBut(others) => !others.contains(&request.who.as_str()),
            Everybody => true,
        };
        // A queue's physical ID is its URL.
        let name = |logical: &str| stage.id(logical).map(|id| id.rsplit('/').next().unwrap_or(id).to_owned());
        let is_on =
            |logical: &&str| request.resource.contains(&name(logical).unwrap_or_else(|_| (*logical).to_owned()));
        is_who
            && self.actions.iter().any(|beginning| request.action.starts_with(beginning))
            && (self.resources.is_empty() || self.resources.iter().any(is_on))
    }
}
