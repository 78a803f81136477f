//! How a stack's deletion can fail, and how `infra destroy` handles that.

use std::collections::BTreeMap;
use std::sync::Mutex;

use local::aws::Account;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::desk::Desk;

/// A stack whose deletion fails because a bucket got an object late, in AWS's format. Its cleaner
/// is deleted by then. The local cloud deletes buckets with their content.
#[derive(Default)]
pub(crate) struct Late {
    state: Mutex<LateState>,
}

#[derive(Default)]
struct LateState {
    /// The client request tokens of the deletions.
    tokens: Vec<String>,
    is_emptied: bool,
    /// How often the stack was described.
    looks: usize,
    /// Whether somebody else deletes it first.
    is_busy: bool,
    /// What else can't be deleted.
    stuck: Option<&'static str>,
    retained: Option<String>,
    /// What succeeds the second time: type and reason.
    slow: Option<(&'static str, &'static str)>,
}

impl Late {
    const STACK: &'static str = "arn:aws:cloudformation:us-east-1:1:stack/zips/1";
    const BUCKET: &'static str = "zips-outputbucket-1";

    fn is_gone(state: &LateState) -> bool {
        let tries = if state.slow.is_some() { 2 } else { 1 };
        state.tokens.len() >= tries && (state.is_emptied || state.retained.is_some()) && state.stuck.is_none()
    }

    fn cloudformation(state: &mut LateState, fields: &BTreeMap<String, String>) -> String {
        let stack = Self::STACK;
        match fields["Action"].as_str() {
            "GetCallerIdentity" => {
                "<Account>111122223333</Account><Arn>arn:aws:iam::111122223333:user/dev</Arn>".to_owned()
            }
            "DescribeStacks" => {
                state.looks += 1;
                let status = if Self::is_gone(state) {
                    "DELETE_COMPLETE"
                } else if state.is_busy && state.looks < 4 {
                    "DELETE_IN_PROGRESS"
                } else {
                    "DELETE_FAILED"
                };
                format!(
                    "<Stacks><member><StackName>zips</StackName><StackId>{stack}</StackId><CreationTime>2026-11-24T00:00:00Z\
                     </CreationTime><StackStatus>{status}</StackStatus></member></Stacks>"
                )
            }
            "ListStackResources" => {
                let one = |id: &str, kind: &str, physical: &str, status: &str, reason: &str| {
                    format!(
                        "<member><LogicalResourceId>{id}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>\
                         <ResourceType>{kind}</ResourceType><LastUpdatedTimestamp>2026-11-24T00:00:00Z</LastUpdatedTimestamp>\
                         <ResourceStatus>{status}</ResourceStatus><ResourceStatusReason>{reason}</ResourceStatusReason></member>"
                    )
                };
                let not_empty = "The bucket you tried to delete is not empty (Service: S3, Status Code: 409)";
                let mut all = vec![one("GitPullQueue", "AWS::SQS::Queue", "q", "DELETE_COMPLETE", "")];
                if !state.is_emptied && !Self::is_gone(state) {
                    all.push(one("OutputBucket", "AWS::S3::Bucket", Self::BUCKET, "DELETE_FAILED", not_empty));
                }
                let slow = state.slow.filter(|_| !Self::is_gone(state));
                all.extend(slow.map(|(kind, reason)| one("Slow", kind, "s", "DELETE_FAILED", reason)));
                all.extend(state.stuck.map(|reason| one("KeyRole", "AWS::IAM::Role", "r", "DELETE_FAILED", reason)));
                format!("<StackResourceSummaries>{}</StackResourceSummaries>", all.concat())
            }
            "DeleteStack" => {
                state.tokens.extend(fields.get("ClientRequestToken").cloned());
                state.retained = fields.get("RetainResources.member.1").cloned();
                String::new()
            }
            "DescribeStackEvents" => {
                let (status, reason) = match state.stuck {
                    _ if Self::is_gone(state) => ("DELETE_COMPLETE", ""),
                    Some(reason) => ("DELETE_FAILED", reason),
                    None => ("DELETE_FAILED", "The following resource(s) failed to delete: [OutputBucket]."),
                };
                format!(
                    "<StackEvents><member><StackId>{stack}</StackId><StackName>zips</StackName><EventId>{0}</EventId><Timestamp>\
                     2026-11-24T00:00:00Z</Timestamp><LogicalResourceId>zips</LogicalResourceId><PhysicalResourceId>{stack}\
                     </PhysicalResourceId><ResourceType>AWS::CloudFormation::Stack</ResourceType><ResourceStatus>{status}\
                     </ResourceStatus><ResourceStatusReason>{reason}</ResourceStatusReason><ClientRequestToken>{1}\
                     </ClientRequestToken></member></StackEvents>",
                    state.tokens.len(),
                    state.tokens.last().unwrap()
                )
            }
            _ => String::new(),
        }
    }
}

impl Respond for Late {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.state.lock().unwrap();
        let query = request.url.query().unwrap_or_default();
        if request.url.path() == format!("/{}", Self::BUCKET) || request.url.path() == format!("/{}/", Self::BUCKET) {
            if query.contains("delete") {
                state.is_emptied = true;
                return ResponseTemplate::new(200).set_body_string("<DeleteResult/>");
            }
            let version = "<Version><Key>late.zip</Key><VersionId>v1</VersionId><IsLatest>true</IsLatest></Version>";
            let left = if state.is_emptied || query.contains("uploads") { "" } else { version };
            let list = if query.contains("uploads") { "ListMultipartUploadsResult" } else { "ListVersionsResult" };
            return ResponseTemplate::new(200)
                .set_body_string(format!("<{list}><IsTruncated>false</IsTruncated>{left}</{list}>"));
        }
        let fields: BTreeMap<String, String> = form_urlencoded::parse(&request.body).into_owned().collect();
        if fields.get("Action").is_none_or(|action| action == "DescribeEvents") {
            return ResponseTemplate::new(403);
        }
        let (action, result) = (fields["Action"].clone(), Self::cloudformation(&mut state, &fields));
        ResponseTemplate::new(200)
            .set_body_string(format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"))
    }
}

/// The result of `infra destroy` for such a stack: exit code, output, number of deletions, whether
/// the bucket was emptied, and what was retained.
async fn destroyed(state: LateState, arguments: &[&str]) -> (Option<i32>, String, usize, bool, Option<String>) {
    let dir = tempfile::tempdir().unwrap();
    let server = MockServer::start().await;
    let late = std::sync::Arc::new(Late { state: Mutex::new(state) });
    let shared = std::sync::Arc::clone(&late);
    Mock::given(wiremock::matchers::any())
        .respond_with(move |request: &Request| shared.respond(request))
        .mount(&server)
        .await;
    let account = Account::new(&server.uri()).await.unwrap();
    let desk = Desk::of_zips(&account, dir.path());
    let (code, text) = desk.told(&[&["destroy", "--yes"], arguments].concat()).await;
    let state = late.state.lock().unwrap();
    (code, text, state.tokens.len(), state.is_emptied, state.retained.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_failed_is_repeated() {
    // Late objects are deleted first, because the cleaner is gone.
    let (code, text, deletions, is_emptied, _) = destroyed(LateState::default(), &[]).await;
    assert_eq!((code, deletions, is_emptied), (Some(0), 1, true), "{text}");
    for words in ["stack zips has 1 resources", "bucket zips-outputbucket-1 is empty: 1 versions", "stack zips is gone"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    // Waits for a deletion that somebody else started, or that was interrupted.
    let busy = LateState { is_busy: true, ..LateState::default() };
    let (code, text, deletions, is_emptied, _) = destroyed(busy, &[]).await;
    assert_eq!((code, deletions, is_emptied), (Some(0), 1, true), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn destroy_waits_for_slow_aws_resources() {
    for (kind, reason, words) in [
        (
            "AWS::CertificateManager::Certificate",
            "Certificate c is in use. (Service: Acm)",
            "usually for less than ten minutes",
        ),
        (
            "AWS::EC2::SecurityGroup",
            "resource sg-1 has a dependent object (Service: Ec2)",
            "usually for 20 to 45 minutes",
        ),
    ] {
        let slow = LateState { slow: Some((kind, reason)), is_emptied: true, ..LateState::default() };
        let (code, text, deletions, ..) = destroyed(slow, &[]).await;
        assert_eq!((code, deletions), (Some(0), 2), "{text}");
        assert!(text.contains("Slow is deleted again") && text.contains(words), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_bucket_is_never_emptied() {
    let (code, text, deletions, is_emptied, retained) = destroyed(LateState::default(), &["--keep-output"]).await;
    assert_eq!((code, deletions, is_emptied), (Some(0), 1, false), "{text}");
    assert_eq!(retained.as_deref(), Some("OutputBucket"), "{text}");
    assert!(text.contains("has left the stack's care"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unrecoverable_deletion_failure_is_reported() {
    let stuck = LateState { stuck: Some("Access Denied"), ..LateState::default() };
    let (code, text, deletions, is_emptied, _) = destroyed(stuck, &[]).await;
    assert_eq!((code, deletions, is_emptied), (Some(3), 1, false), "{text}");
    assert!(text.contains("Access Denied") && text.contains("can be repeated"), "{text}");
}
