//! An empty account: for tests of what a command does first.

use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// A fake AWS that identifies callers by their access key, and has no stack.
pub async fn start() -> MockServer {
    let server = MockServer::start().await;
    let answer = |request: &Request| {
        let (key, _) = signed_by(request);
        if String::from_utf8_lossy(&request.body).contains("Action=GetCallerIdentity") {
            let identity = format!(
                "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                 <Arn>arn:aws:iam::111122223333:user/{key}</Arn><UserId>{key}</UserId><Account>111122223333</Account>\
                 </GetCallerIdentityResult></GetCallerIdentityResponse>"
            );
            return ResponseTemplate::new(200).set_body_raw(identity, "text/xml");
        }
        let error = "<ErrorResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><Error><Type>Sender</Type>\
                     <Code>ValidationError</Code><Message>Stack with id git2s3 does not exist</Message></Error></ErrorResponse>";
        ResponseTemplate::new(400).set_body_raw(error, "text/xml")
    };
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    server
}

/// The access key of a signature, and the region.
pub fn signed_by(request: &Request) -> (String, String) {
    let header = request.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let scope = header.split("Credential=").nth(1).unwrap_or_default();
    let mut parts = scope.split(['/', ',']).map(str::to_owned);
    (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default())
}
