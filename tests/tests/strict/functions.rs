//! Functions that continue running, updates in two steps, too many functions, too large events.

use local::call::Call;
use local::webhook::post;
use serde_json::{Value, json};

use crate::world::{PUTS, World, function, role, until};

fn puts() -> Value {
    json!({ "Role": role(&["s3:PutObject", "s3:ListBucket", "sqs:*"]), "Function": function(PUTS, &json!({})) })
}

#[tokio::test]
async fn running_function_survives_its_deletion() {
    let world = World::start().await;
    world.account.s3.create_bucket().bucket("out").send().await.unwrap();
    // Its credentials are valid while the role exists, and a moment longer.
    world.cloud.turn("rights_spread", 600.0).await.unwrap();
    let is_there = async |key: &str| world.account.s3.head_object().bucket("out").key(key).send().await.is_ok();

    for (stack, key) in [("by-stack", "one"), ("by-api", "two")] {
        assert_eq!(world.create(stack, &puts()).await, "CREATE_COMPLETE");
        let function = world.id(stack, "Function").await;
        let go = format!("go-{key}");
        let event = json!({ "key": key, "after": go });
        let (running, ()) = tokio::join!(world.invoke(&function, &event), async {
            // It runs once the account counts it.
            until("it runs", async || running(&world).await == 1).await;
            if key == "one" {
                assert_eq!(world.delete(stack).await, "DELETE_COMPLETE");
            } else {
                let path = format!("/2015-03-31/functions/{function}");
                world.account.send(&Call::rest("lambda", "DELETE", &path, &Value::Null)).await.unwrap().text().unwrap();
            }
            assert!(!is_there(key).await);
            world.put(&go).await;
        });
        assert_eq!(running, "\"stored\"");
        assert!(is_there(key).await);
    }
}

async fn running(world: &World) -> u64 {
    world.cloud.state().await.unwrap()["running"].as_u64().unwrap()
}

#[tokio::test]
async fn code_and_environment_are_updated_apart() {
    let world = World::start().await;
    let version = |number: u8| {
        let code = format!("import os\ndef handler(event, context): return '{number} reads ' + os.environ['VERSION']");
        let environment = json!({ "Environment": { "Variables": { "VERSION": number.to_string() } } });
        json!({ "Role": role(&[]), "Function": function(&code, &environment) })
    };
    world.cloud.turn("code_follows", 600.0).await.unwrap();
    assert_eq!(world.create("apart", &version(1)).await, "CREATE_COMPLETE");
    let function = world.id("apart", "Function").await;
    let second = version(2);
    let (updated, ()) = tokio::join!(world.update("apart", &second), async {
        let in_between = async || world.invoke(&function, &Value::Null).await == "\"1 reads 2\"";
        until("the old code in the new environment", in_between).await;
        world.cloud.turn("code_follows", 0.0).await.unwrap();
    });
    assert_eq!(updated, "UPDATE_COMPLETE");
    assert_eq!(world.invoke(&function, &Value::Null).await, "\"2 reads 2\"");
}

#[tokio::test]
async fn account_concurrency_limit_is_enforced() {
    let world = World::start().await;
    world.account.s3.create_bucket().bucket("out").send().await.unwrap();
    let mut stack = puts();
    let mapping = |hidden: u16| {
        let queue = json!({ "Type": "AWS::SQS::Queue", "Properties": { "VisibilityTimeout": hidden } });
        let mapping = json!({ "Type": "AWS::Lambda::EventSourceMapping", "Properties": {
            "EventSourceArn": { "Fn::GetAtt": ["Queue", "Arn"] }, "FunctionName": { "Ref": "Function" },
        } });
        (queue, mapping)
    };
    (stack["Queue"], stack["Mapping"]) = mapping(19);
    let reason = world.refusal("short", "Mapping", &stack).await;
    assert!(
        reason.contains("Queue visibility timeout: 19 seconds is less than Function timeout: 20 seconds"),
        "{reason}"
    );
    (stack["Queue"], stack["Mapping"]) = mapping(20);
    assert_eq!(world.create("limit", &stack).await, "CREATE_COMPLETE");
    let mut unread = stack.clone();
    unread["Role"] = role(&["sqs:ReceiveMessage", "sqs:GetQueueAttributes"]);
    let reason = world.refusal("unread", "Mapping", &unread).await;
    assert!(reason.contains("does not have permissions to call DeleteMessage on SQS"), "{reason}");
    let (function, queue) = (world.id("limit", "Function").await, world.id("limit", "Queue").await);

    world.cloud.turn("concurrency", 1.0).await.unwrap();
    let settings = world.account.send(&Call::rest("lambda", "GET", "/2016-08-19/account-settings", &Value::Null)).await;
    assert_eq!(settings.unwrap().json().unwrap()["AccountLimit"]["ConcurrentExecutions"], 1);
    let event = json!({ "key": "x", "after": "go" });
    let (first, second) = tokio::join!(world.invoke(&function, &event), async {
        until("it runs", async || running(&world).await == 1).await;
        let refused = world.invoke(&function, &json!({ "key": "y" })).await;
        world.account.sqs.send_message().queue_url(&queue).message_body("job").send().await.unwrap();
        // A throttled message still counts as received, and waits for its visibility timeout.
        until("the message was received", async || hidden(&world, &queue).await == "1").await;
        world.put("go").await;
        refused
    });
    assert_eq!(first, "\"stored\"");
    assert!(second.contains("ConcurrentInvocationLimitExceeded"), "{second}");
    assert_eq!(hidden(&world, &queue).await, "1");
}

async fn hidden(world: &World, queue: &str) -> String {
    use aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessagesNotVisible as Hidden;
    let request = world.account.sqs.get_queue_attributes().queue_url(queue).attribute_names(Hidden);
    request.send().await.unwrap().attributes.unwrap().remove(&Hidden).unwrap()
}

const NEEDED: [(&str, &str); 1] = [("x-needed", "yes")];

#[tokio::test]
async fn api_gateway_rejects_disallowed_requests() {
    let world = World::start().await;
    let code = "def handler(event, context): return {'statusCode': 200, 'body': 'here'}";
    let uri = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Function.Arn}/invocations";
    let stack = json!({
        "Role": role(&[]),
        "Function": function(code, &json!({})),
        "Api": { "Type": "AWS::ApiGateway::RestApi", "Properties": { "Name": "api", "BinaryMediaTypes": ["*/*"] } },
        "Method": { "Type": "AWS::ApiGateway::Method", "Properties": {
            "RestApiId": { "Ref": "Api" }, "ResourceId": { "Fn::GetAtt": ["Api", "RootResourceId"] },
            "HttpMethod": "POST", "AuthorizationType": "NONE",
            "RequestValidatorId": { "Ref": "Validator" },
            "RequestParameters": { "method.request.header.X-Needed": true },
            "Integration": { "Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": { "Fn::Sub": uri } },
        } },
        "Permission": { "Type": "AWS::Lambda::Permission", "Properties": {
            "FunctionName": { "Ref": "Function" }, "Action": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": { "Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/POST/" },
        } },
        "Validator": { "Type": "AWS::ApiGateway::RequestValidator", "Properties": {
            "RestApiId": { "Ref": "Api" }, "Name": "needed", "ValidateRequestParameters": true,
        } },
        "Deployment": {
            "Type": "AWS::ApiGateway::Deployment", "DependsOn": "Method", "Properties": { "RestApiId": { "Ref": "Api" } },
        },
        "Stage": { "Type": "AWS::ApiGateway::Stage", "Properties": {
            "RestApiId": { "Ref": "Api" }, "DeploymentId": { "Ref": "Deployment" }, "StageName": "Prod",
        } },
    });
    let mut without = stack.clone();
    without.as_object_mut().unwrap().remove("Permission");
    assert_eq!(world.create("without", &without).await, "CREATE_COMPLETE");
    let url = format!("{}/_aws/execute-api/{}/Prod/", world.account.endpoint, world.id("without", "Api").await);
    assert_eq!(
        post(&url, &NEEDED, b"x".to_vec()).await.unwrap().status,
        500,
        "API Gateway called a function that it may not"
    );

    assert_eq!(world.create("api", &stack).await, "CREATE_COMPLETE");
    let (function, api) = (world.id("api", "Function").await, world.id("api", "Api").await);
    let url = format!("{}/_aws/execute-api/{api}/Prod/", world.account.endpoint);

    // The quotes count.
    assert!(world.invoke(&function, &Value::from("x".repeat(6_291_454))).await.contains("here"));
    let refused = world.invoke(&function, &Value::from("x".repeat(6_291_455))).await;
    assert!(refused.contains("Request must be smaller than 6291456 bytes"), "{refused}");

    assert_eq!(post(&url, &[], b"x".to_vec()).await.unwrap().status, 400, "a required header is missing");
    for (bytes, status) in [(10, 200), (4_700_000, 200), (4_720_000, 413), (10 * 1024 * 1024 + 1, 413)] {
        let answer = post(&url, &NEEDED, vec![b'x'; bytes]).await.unwrap();
        assert_eq!(answer.status, status, "{bytes} bytes: {}", answer.body);
    }
}
