//! What CloudFormation can't delete, what it retries, and what it keeps.

use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use crate::world::{World, function, role};

/// A custom resource that fails for one kind of request.
fn custom_resource(fails: &str) -> Value {
    const CODE: &str = r#"
import json, urllib.request
def handler(event, context):
    print("REQUEST", event["RequestType"], event.get("PhysicalResourceId"))
    failed = event["RequestType"] == event["ResourceProperties"]["Fails"]
    answer = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    answer |= {"Status": "FAILED" if failed else "SUCCESS", "Reason": "as wished", "PhysicalResourceId": "half-made"}
    request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), {"content-type": ""}, method="PUT")
    urllib.request.urlopen(request)
"#;
    json!({
        "Role": role(&[]),
        "Function": function(CODE, &json!({})),
        "Custom": { "Type": "Custom::Thing", "Properties": {
            "ServiceToken": { "Fn::GetAtt": ["Function", "Arn"] }, "Fails": fails,
        } },
    })
}

#[tokio::test]
async fn failed_deletion_keeps_resource_until_retry() {
    let world = World::start().await;
    a_bucket_with_an_object(&world).await;
    a_certificate_of_a_domain_that_has_just_gone(&world).await;
    a_custom_resource_that_fails_keeps_its_function(&world).await;
    a_custom_resource_that_was_not_made_is_deleted(&world).await;
}

async fn a_bucket_with_an_object(world: &World) {
    let stack = json!({ "Bucket": { "Type": "AWS::S3::Bucket" }, "Other": { "Type": "AWS::S3::Bucket" } });
    assert_eq!(world.create("bucket", &stack).await, "CREATE_COMPLETE");
    let (s3, bucket) = (&world.account.s3, world.id("bucket", "Bucket").await);
    s3.put_object().bucket(&bucket).key("late").body(ByteStream::from_static(b"x")).send().await.unwrap();
    assert_eq!(world.delete("bucket").await, "DELETE_FAILED");
    assert!(world.reason("bucket", "Bucket").await.contains("BucketNotEmpty"));
    assert_eq!(world.statuses("bucket").await, [("Bucket".to_owned(), "DELETE_FAILED".to_owned())]);

    s3.delete_object().bucket(&bucket).key("late").send().await.unwrap();
    assert_eq!(world.delete("bucket").await, "DELETE_COMPLETE");
}

async fn a_certificate_of_a_domain_that_has_just_gone(world: &World) {
    let stack = json!({
        "Certificate": { "Type": "AWS::CertificateManager::Certificate", "Properties": { "DomainName": "hooks.example.com" } },
        "Domain": { "Type": "AWS::ApiGateway::DomainName", "Properties": {
            "DomainName": "hooks.example.com",
            "RegionalCertificateArn": { "Ref": "Certificate" },
            "EndpointConfiguration": { "Types": ["REGIONAL"] },
        } },
    });
    assert_eq!(world.create("domain", &stack).await, "CREATE_COMPLETE");
    world.cloud.turn("patience", 0.1).await.unwrap();
    world.cloud.turn("certificate_stays", 600.0).await.unwrap();
    assert_eq!(world.delete("domain").await, "DELETE_FAILED");
    assert!(world.reason("domain", "Certificate").await.contains("is in use"));
    assert_eq!(world.delete("domain").await, "DELETE_FAILED", "the first try isn't what makes the second work");

    world.cloud.turn("certificate_stays", 0.0).await.unwrap();
    assert_eq!(world.delete("domain").await, "DELETE_COMPLETE");

    // Now ACM needs only a moment, and CloudFormation waits.
    world.cloud.turn("certificate_stays", 0.3).await.unwrap();
    world.cloud.turn("patience", 10.0).await.unwrap();
    assert_eq!(world.create("quick", &rename(&stack)).await, "CREATE_COMPLETE");
    assert_eq!(world.delete("quick").await, "DELETE_COMPLETE");
}

fn rename(stack: &Value) -> Value {
    serde_json::from_str(&stack.to_string().replace("hooks.example.com", "other.example.com")).unwrap()
}

async fn a_custom_resource_that_fails_keeps_its_function(world: &World) {
    assert_eq!(world.create("fails", &custom_resource("Delete")).await, "CREATE_COMPLETE");
    assert_eq!(world.delete("fails").await, "DELETE_FAILED");
    let kept = [("Custom", "DELETE_FAILED"), ("Function", "CREATE_COMPLETE"), ("Role", "CREATE_COMPLETE")];
    assert_eq!(world.statuses("fails").await, kept.map(|(id, status)| (id.to_owned(), status.to_owned())));
}

async fn a_custom_resource_that_was_not_made_is_deleted(world: &World) {
    assert_eq!(world.create("half", &custom_resource("Create")).await, "ROLLBACK_COMPLETE");
    world.logged("REQUEST Delete half-made").await;
}
