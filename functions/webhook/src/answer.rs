//! Responses: a status, and a JSON object with as little as is useful.

use aws_lambda_events::{apigw::ApiGatewayProxyResponse, encodings::Body};
use http::{HeaderValue, header::CONTENT_TYPE};
use serde_json::{Value, json};

/// A response to a webhook.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 202: these jobs were queued, one per reference, at least one.
    Queued(Vec<String>),
    /// 200: there is nothing to fetch, with the reason.
    Ignored(String),
    /// 4xx: the request is refused.
    Refused {
        /// The status.
        status: u16,
        /// The text for the sender.
        error: String,
    },
    /// 503: an error on our side. The same request may succeed later.
    Unavailable,
}

impl Answer {
    fn status(&self) -> u16 {
        match self {
            Self::Queued(_) => 202,
            Self::Ignored(_) => 200,
            Self::Refused { status, .. } => *status,
            Self::Unavailable => 503,
        }
    }

    fn body(&self) -> Value {
        match self {
            Self::Queued(jobs) if jobs.len() > 1 => json!({ "job": jobs.first(), "jobs": jobs }),
            Self::Queued(jobs) => json!({ "job": jobs.first() }),
            Self::Ignored(reason) => json!({ "ignored": reason }),
            Self::Refused { error, .. } => json!({ "error": error }),
            Self::Unavailable => json!({ "error": "temporarily unavailable, deliver again later" }),
        }
    }
}

impl From<Answer> for ApiGatewayProxyResponse {
    fn from(answer: Answer) -> Self {
        let mut response = Self::default();
        response.status_code = answer.status().into();
        response.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.body = Some(Body::Text(answer.body().to_string()));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: Answer, expected: &Value) {
        assert_eq!(serde_json::to_value(ApiGatewayProxyResponse::from(answer)).unwrap(), *expected);
    }

    #[test]
    fn the_shape_is_api_gateways() {
        let expected = |status: u16, body: &str| {
            json!({
                "statusCode": status, "headers": { "content-type": "application/json" }, "multiValueHeaders": {},
                "body": body, "isBase64Encoded": false,
            })
        };
        check(Answer::Queued(vec!["a".to_owned()]), &expected(202, r#"{"job":"a"}"#));
        let two = Answer::Queued(vec!["a".to_owned(), "b".to_owned()]);
        check(two, &expected(202, r#"{"job":"a","jobs":["a","b"]}"#));
        check(Answer::Ignored("ping".to_owned()), &expected(200, r#"{"ignored":"ping"}"#));
        let refused = Answer::Refused { status: 415, error: "no".to_owned() };
        check(refused, &expected(415, r#"{"error":"no"}"#));
    }
}
