//! Converts API Gateway's proxy event to the sender's request.

use anyhow::Context as _;
use aws_lambda_events::apigw::ApiGatewayProxyRequest;
use base64_simd::STANDARD;
use contract::DeliveryId;
use forge::Delivery;

/// The delivery in a [proxy
/// event](https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-input-format).
///
/// `request_id` is Lambda's ID of the invocation. The sender's address is the one that API Gateway
/// saw. Headers that claim another are ignored.
pub(crate) fn delivery(request: ApiGatewayProxyRequest, request_id: &str) -> anyhow::Result<Delivery> {
    let request_id: DeliveryId = request_id.parse().context("read Lambda's request id")?;
    let mut body = request.body.unwrap_or_default().into_bytes();
    if request.is_base64_encoded {
        let decoded =
            STANDARD.decode_inplace(&mut body).context("decode the body, which API Gateway says is Base64")?;
        let length = decoded.len();
        body.truncate(length);
    }
    let mut delivery = Delivery::new(request_id, body);
    // Only the multi-value map has all headers with the same name.
    let several = request.multi_value_headers;
    delivery.headers = if several.is_empty() { request.headers } else { several };
    delivery.source = request.request_context.identity.source_ip.and_then(|address| address.parse().ok());
    delivery.received_at = request.request_context.request_time_epoch / 1000;
    Ok(delivery)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(event: Value) -> anyhow::Result<Delivery> {
        delivery(serde_json::from_value(event).unwrap(), "request-1")
    }

    fn event() -> Value {
        json!({
            "resource": "/gitpull", "path": "/gitpull", "httpMethod": "POST",
            "headers": { "X-GITHUB-Event": "push", "X-Forwarded-For": "18.205.93.1, 10.0.0.1" },
            "multiValueHeaders": null, "queryStringParameters": null, "pathParameters": null, "stageVariables": null,
            "requestContext": {
                "httpMethod": "POST", "requestTimeEpoch": 1_700_000_000_123_i64,
                "identity": { "sourceIp": "203.0.113.9" }, "authorizer": null,
            },
            "body": "{}", "isBase64Encoded": false,
        })
    }

    #[test]
    fn delivery_matches_original_request() {
        let delivery = read(event()).unwrap();
        assert_eq!(delivery.body, b"{}");
        assert_eq!(delivery.headers["x-github-event"], "push");
        assert_eq!(delivery.source, Some("203.0.113.9".parse().unwrap()));
        assert_eq!(delivery.received_at, 1_700_000_000);
        assert_eq!(delivery.id().as_str(), "request-1");
    }

    #[test]
    fn a_base64_body_is_decoded() {
        let mut event = event();
        event["isBase64Encoded"] = json!(true);
        event["body"] = json!("AP+A");
        assert_eq!(read(event.clone()).unwrap().body, [0, 255, 128]);
        event["body"] = json!("{}");
        assert!(read(event).is_err());
    }

    #[test]
    fn repeated_header_is_kept() {
        let mut event = event();
        event["headers"]["X-Git-Token"] = json!("b");
        event["multiValueHeaders"] = json!({ "X-Git-Token": ["a", "b"] });
        let tokens = read(event).unwrap().headers;
        assert_eq!(tokens.get_all("x-git-token").iter().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn optional_request_fields_may_be_missing() {
        let delivery = read(json!({ "httpMethod": "POST", "requestContext": { "httpMethod": "POST" } })).unwrap();
        assert_eq!((delivery.body.len(), delivery.source), (0, None));
    }

    proptest! {
        #[test]
        fn base64_body_decodes_fully_or_fails(text in "[A-Da-d0-3+/=_ -]{0,12}|([A-Z]{4}){0,20}[A-Z]{2,3}={1,2}") {
            let mut event = event();
            event["isBase64Encoded"] = json!(true);
            event["body"] = json!(text);
            let expected = base64::engine::general_purpose::STANDARD.decode(&text).ok();
            prop_assert_eq!(read(event).ok().map(|delivery| delivery.body), expected);
        }
    }
}
