//! Deploys with only the permissions that `deployer-policy` prints: every command works, and every
//! permission is used. The account records each request and its decision.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use deployment::diff::{Grant, Request, grants, permits};
use infra::deployer::UNRECORDED;
use local::archives::address;
use local::aws::{Account, REGION, Resources};
use local::call::Call;
use local::decisions::Decision;
use local::host_api::HostApis;
use local::local::Local;
use local::roles::{self, InlinePolicy};
use local::tally;
use serde_json::{Value, json};

use crate::connect::GITHUB;
use crate::desk::Desk;
use crate::pushes::log_of;

const ACCOUNT: &str = "000000000000";
const SERVICE_ROLE: &str = "arn:aws:iam::000000000000:role/platform/cloudformation";

/// A user with a role whose only policy was printed by `deployer-policy`.
struct Person<'a> {
    desk: &'a Desk<'a>,
    role: &'static str,
    policy: Value,
    key: [String; 3],
}

impl<'a> Person<'a> {
    async fn with(desk: &'a Desk<'a>, role: &'static str, arguments: &[&str]) -> Self {
        let printed = desk.infra(&[&["deployer-policy", "--account", ACCOUNT], arguments].concat()).await;
        assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
        let policy: Value = serde_json::from_slice(&printed.stdout).unwrap();
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") }, "Action": "sts:AssumeRole"
        }] });
        let parameters = [("RoleName", role), ("AssumeRolePolicyDocument", &trust.to_string())];
        desk.account.send(&Call::query("iam", "CreateRole", &parameters)).await.unwrap().text().unwrap();
        let inline = InlinePolicy { role: role.to_owned(), name: "Printed".to_owned(), document: policy.clone() };
        inline.put(desk.account).await.unwrap();
        let credentials = roles::credentials(desk.account, role).await.unwrap();
        let key = [
            credentials.access_key_id(),
            credentials.secret_access_key(),
            credentials.session_token().unwrap_or_default(),
        ];
        Self { desk, role, policy, key: key.map(str::to_owned) }
    }

    async fn check(&self, arguments: &[&str], code: i32, expected: &[&str]) -> String {
        let mut command = self.desk.command(arguments);
        for (name, value) in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"].iter().zip(&self.key) {
            command.env(name, value);
        }
        let output = command.output().await.unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{} {arguments:?}: {text}", self.role);
        for words in expected {
            assert!(text.contains(words), "{} {arguments:?} does not say {words:?}: {text}", self.role);
        }
        text
    }

    /// The actions that the policy allows.
    fn allowed(&self) -> BTreeSet<String> {
        self.policy["Statement"].as_array().unwrap().iter().flat_map(roles::actions).collect()
    }

    /// The account's decisions about this user's requests. Our own engine decides the same.
    fn decisions(&self, all: &[Decision]) -> Vec<Decision> {
        let policies = json!([{ "PolicyName": "Printed", "PolicyDocument": self.policy }]);
        let role = json!({ "Type": "AWS::IAM::Role", "Properties": { "Policies": policies } });
        let rights: BTreeSet<Grant> = grants(&json!({ "Resources": { "Person": role } }));
        // Everybody may get their own identity.
        let asked = |decision: &&Decision| decision.asked && decision.action != "sts:GetCallerIdentity";
        let own: Vec<_> = all.iter().filter(asked).filter(|decision| decision.role == self.role).cloned().collect();
        for Decision { action, resource, context, allowed, .. } in own.clone() {
            let request = Request { who: "Person".to_owned(), action, resource, context };
            assert_eq!(permits(&rights, &request), allowed, "{} {request:?}", self.role);
        }
        own
    }
}

/// A permissions boundary that allows everything.
async fn boundary(account: &Account) -> String {
    let document =
        json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    let parameters = [("PolicyName", "developers"), ("Path", "/teams/"), ("PolicyDocument", &*document.to_string())];
    account.send(&Call::query("iam", "CreatePolicy", &parameters)).await.unwrap().text().unwrap();
    format!("arn:aws:iam::{ACCOUNT}:policy/teams/developers")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deployer_needs_exactly_printed_permissions() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(&dir.path().join("cloud")).await.unwrap();
    local.cloud.turn("rights_spread", 0.0).await.unwrap();
    let account = &local.cloud.account;
    let work = dir.path().join("work");
    let desk = Desk::packaged(&local, &work);
    desk.write("secret", "hunter2\n");
    let apis = HostApis::start().await.unwrap();
    let configuration = format!(
        "stack-name = 'zips'\nregion = '{REGION}'\nrole-arn = '{SERVICE_ROLE}'\n\
         [parameters]\nAllowedGitHosts = 'github.com, {}'\nCaBundle = '''{}'''\nRepositories = 'github.com/acme/**'\nPermissionsBoundary = '{}'\nRolePath = '/delivery/'\n\
         [secrets]\nApiSecret = {{ file = 'secret' }}\n[tags]\nteam = 'platform'\n",
        apis.entry(GITHUB),
        apis.ca,
        boundary(account).await
    );
    desk.write("git2s3.toml", &configuration);
    let deployer = Person::with(&desk, "Deployer", &["deploy"]).await;
    let watcher = Person::with(&desk, "Watcher", &["look"]).await;
    desk.write("git2s3.toml", &configuration.replace(&format!("role-arn = '{SERVICE_ROLE}'\n"), ""));
    let without = Person::with(&desk, "WithoutRole", &["deploy"]).await;
    without
        .check(&["deploy", "--yes", "--role-arn", SERVICE_ROLE], 3, &["creating bucket git2s3-assets-", "iam:PassRole"])
        .await;
    desk.write("git2s3.toml", &configuration);

    let acts =
        format!("CloudFormation acts as {SERVICE_ROLE}, which the stack remembers: also for who doesn't name it");
    deployer.check(&["deploy", "--dry-run"], 0, &[&acts, "stack zips would be created"]).await;
    deployer.check(&["deploy", "--yes"], 0, &[&acts, "6 of 6 zips were there", "CREATE_COMPLETE"]).await;
    the_stack_is_as_the_administrators_want_it(account).await;
    let acts = format!("CloudFormation acts as {SERVICE_ROLE}, as before");
    deployer.check(&["deploy", "--yes"], 0, &[&acts, "no change"]).await;
    let said = ["tag cost: 7", "UPDATE_COMPLETE"];
    let tagged = deployer.check(&["deploy", "--yes", "--parameter", "Refs=dev", "--tag", "cost=7"], 0, &said).await;
    assert!(!tagged.contains("tag team"), "{tagged}");
    deployer.check(&["deploy", "--dry-run", "--parameter", "Refs=dev"], 0, &["tag cost goes"]).await;

    // A watcher sees everything, and can't change anything.
    watcher.check(&["status"], 0, &["UPDATE_COMPLETE"]).await;
    watcher.check(&["logs"], 0, &[]).await;
    watcher.check(&["diff"], 1, &["0 changed entries", "tag cost goes"]).await;
    watcher.check(&["review", "--against", "deployed"], 0, &[]).await;
    let dry = watcher.check(&["deploy", "--dry-run"], 0, &["dry run: nothing was changed"]).await;
    assert!(!dry.contains("not looked for"), "{dry}");
    watcher.check(&["deploy", "--yes", "--no-drift"], 3, &["not open to these credentials"]).await;
    let resources = account.resources("zips").await.unwrap();
    let sent = account.sqs.send_message().queue_url(resources.id("ZipDlDeadLetterQueue").unwrap()).message_body("{}");
    sent.message_group_id("g").message_deduplication_id("d").send().await.unwrap();
    watcher.check(&["status"], 1, &["ZipDlDeadLetterQueue"]).await;
    watcher.check(&["redrive"], 3, &["sqs:ReceiveMessage"]).await;
    watcher.check(&["destroy", "--yes"], 3, &["cloudformation:DeleteStack"]).await;

    deployer.check(&["status"], 1, &["ZipDlDeadLetterQueue"]).await;
    deployer.check(&["redrive"], 0, &["ZipDlQueue: 1 dead-letter messages went back"]).await;
    deployer.check(&["logs"], 0, &[]).await;
    deployer.check(&["doctor"], 1, &["jobs: zipdl: the message isn't a job"]).await;
    deployer.check(&["keys"], 0, &["all others"]).await;
    app_is_traced(&deployer, &watcher, &resources).await;
    let elsewhere = ["connect", "git.example.com/acme/app"];
    deployer.check(&elsewhere, 2, &["not in the stack's parameter AllowedGitHosts"]).await;
    app_is_imported(&deployer, &apis).await;
    empties(&deployer, resources.id("OutputBucket").unwrap()).await;
    // A stack keeps its role: without naming it, no right to pass it is needed.
    desk.write("git2s3.toml", &configuration.replace(&format!("role-arn = '{SERVICE_ROLE}'\n"), ""));
    let acts = format!("CloudFormation acts as {SERVICE_ROLE}, which the stack remembers");
    without.check(&["deploy", "--yes", "--parameter", "Refs=main"], 0, &[&acts, "UPDATE_COMPLETE"]).await;
    desk.write("git2s3.toml", &configuration);
    let bucket = resources.id("OutputBucket").unwrap();
    deployer.check(&["destroy", "--yes", "--keep-output"], 0, &["stack zips is gone"]).await;
    deployer.check(&["deploy", "--yes", "--import-bucket", bucket], 0, &["the bucket is in the stack"]).await;
    code_goes(account).await;
    deployer.check(&["destroy", "--yes", "--assets"], 0, &["stack zips is gone", "git2s3-assets-"]).await;

    let all = local.cloud.decisions().since(0).unwrap();
    let refused: Vec<_> = deployer.decisions(&all).into_iter().filter(|decision| !decision.allowed).collect();
    assert!(refused.is_empty(), "the policy lacks {refused:#?}");
    let used = |person: &Person<'_>| -> BTreeSet<String> {
        person.decisions(&all).into_iter().filter(|one| one.allowed).map(|one| one.action).collect()
    };
    let excused: BTreeSet<_> = UNRECORDED.iter().map(|(action, _)| (*action).to_owned()).collect();
    let by_deployers = &used(&deployer) | &used(&without);
    assert_eq!(&deployer.allowed() - &by_deployers, excused, "a deployer may do what no command does");
    let of_watchers = &excused & &watcher.allowed();
    assert_eq!(&watcher.allowed() - &used(&watcher), of_watchers, "a watcher may do what no command does");
    tally::tried(deployer.allowed().len() + watcher.allowed().len());
}

/// Checks that every role has the boundary and the path, and that the code bucket has the tags.
async fn the_stack_is_as_the_administrators_want_it(account: &Account) {
    for name in ["WebhookRole", "GitPullRole", "ApiLogRole"] {
        let resources = account.resources("zips").await.unwrap();
        let parameters = [("RoleName", resources.id(name).unwrap())];
        let role = account.send(&Call::query("iam", "GetRole", &parameters)).await.unwrap().text().unwrap();
        for words in [":role/delivery/", ":policy/teams/developers"] {
            assert!(role.contains(words), "{name} has no {words}: {role}");
        }
    }
    let bucket = format!("git2s3-assets-{ACCOUNT}-{REGION}");
    let tags = account.s3.get_bucket_tagging().bucket(bucket).send().await.unwrap();
    let tags: BTreeMap<_, _> = tags.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
    assert_eq!(tags, BTreeMap::from([("team", "platform")]));
}

/// A push that only a manifest knows, and one that was given up and whose dead-letter message is
/// gone: another message is in its place.
async fn app_is_traced(deployer: &Person<'_>, watcher: &Person<'_>, resources: &Resources) {
    let (owner, bucket) = (deployer.desk.account, resources.id("OutputBucket").unwrap());
    let put = owner.s3.put_object().bucket(bucket).key("acme/lib/acme_lib.zip").body(b"zip".to_vec().into());
    let version = put.send().await.unwrap().version_id;
    let manifest = json!({
        "repository": "github.com/acme/lib", "reference": "refs/heads/dev", "delivery": "d-1", "way": "zipdl",
        "commit": "1".repeat(40), "versionId": version,
    });
    let put = owner.s3.put_object().bucket(bucket).key("acme/lib/acme_lib.manifest.json");
    put.body(manifest.to_string().into_bytes().into()).send().await.unwrap();
    for person in [watcher, deployer] {
        person.check(&["trace", "github.com/acme/lib"], 0, &["was stored with commit 1111", "delivery d-1"]).await;
    }
    let job = json!({
        "job": "j", "delivery": "d-2", "repository": "github.com/acme/app", "reference": "refs/heads/dev",
        "worker": "zipdl", "receives": 3, "error": "no", "level": "ERROR",
    });
    let line = |message: &str| {
        let mut line = job.clone();
        line["message"] = json!(message);
        line.to_string()
    };
    let lines = [line("queued"), line("gave up")];
    log_of(owner, "zips", "zipdl", Duration::from_secs(9), &lines).await;
    let sent = owner.sqs.send_message().queue_url(resources.id("ZipDlDeadLetterQueue").unwrap()).message_body("{}");
    sent.message_group_id("g").message_deduplication_id("other").send().await.unwrap();
    watcher.check(&["trace", "acme/app@dev"], 1, &["given up: no"]).await;
    watcher.check(&["replay", "acme/app@dev", "--yes"], 3, &["sqs:ReceiveMessage"]).await;
    deployer.check(&["replay", "d-2", "--yes", "--no-wait"], 0, &["queued in ZipDlQueue as replay-"]).await;
    for (key, version) in owner.versions(bucket).await.unwrap() {
        owner.s3.delete_object().bucket(bucket).key(key).version_id(version).send().await.unwrap();
    }
}

/// Imports the key of a GitHub App, and imports it again.
async fn app_is_imported(deployer: &Person<'_>, apis: &HostApis) {
    let (id, pem) = apis.state(GITHUB).add_app("acme");
    deployer.desk.write("app.pem", &pem);
    let (id, host) = (id.to_string(), address(GITHUB).to_string());
    for _ in 0..2 {
        let arguments = ["app", "import", "--id", &id, "--host", &host, "app.pem"];
        let said = deployer.check(&arguments, 0, &["GitHubAppKey = \"arn:aws:kms:", "installations/new"]).await;
        assert!(!said.contains("PRIVATE") && !said.contains(pem.lines().nth(1).unwrap()), "{said}");
    }
}

/// Leaves an open upload in the code bucket.
async fn code_goes(owner: &Account) {
    let bucket = format!("git2s3-assets-{ACCOUNT}-{REGION}");
    owner.s3.create_multipart_upload().bucket(bucket).key("git2s3/half.zip").send().await.unwrap();
}

/// What `destroy` does with a bucket that got an object during the deletion of its stack: the local
/// cloud deletes buckets with their content, so that this never fails there.
async fn empties(deployer: &Person<'_>, bucket: &str) {
    let owner = deployer.desk.account;
    for _ in 0..2 {
        let put = owner.s3.put_object().bucket(bucket).key("late.zip").body(b"zip".to_vec().into());
        put.send().await.unwrap();
    }
    owner.s3.delete_object().bucket(bucket).key("late.zip").send().await.unwrap();
    owner.s3.create_multipart_upload().bucket(bucket).key("half.zip").send().await.unwrap();
    let account = roles::assume(owner, deployer.role).await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    let count = empty_bucket::empty(&account.s3, &bucket.to_owned().try_into().unwrap(), deadline, |_| ()).await;
    assert_eq!(count.unwrap(), 3);
}
