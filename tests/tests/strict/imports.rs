//! What CloudFormation can import into an existing stack, and what it can't.

use aws_sdk_cloudformation::types::ChangeSetType;
use serde_json::{Value, json};

use crate::world::{World, document};

#[tokio::test]
async fn existing_resources_are_imported_only_explicitly() {
    let world = World::start().await;
    let (s3, bucket) = (&world.account.s3, "there-already");
    s3.create_bucket().bucket(bucket).send().await.unwrap();
    let policy = |action: &str| {
        let mut policy = document(&[action]);
        policy["Statement"][0]["Principal"] = json!({ "AWS": "arn:aws:iam::000000000000:root" });
        policy["Statement"][0]["Resource"] = json!(format!("arn:aws:s3:::{bucket}/*"));
        policy
    };
    let by_hand = policy("s3:GetObject");
    s3.put_bucket_policy().bucket(bucket).policy(by_hand.to_string()).send().await.unwrap();
    let of_stack = json!({ "Bucket": bucket, "PolicyDocument": policy("s3:PutObject") });

    // A bucket has one policy.
    let alone = json!({ "Policy": { "Type": "AWS::S3::BucketPolicy", "Properties": of_stack } });
    assert!(world.refusal("second", "Policy", &alone).await.contains("The bucket policy already exists"));

    // An imported resource is unchanged, whatever the template says.
    let both = json!({
        "Bucket": { "Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {
            "BucketName": bucket, "VersioningConfiguration": { "Status": "Enabled" },
        } },
        "Policy": { "Type": "AWS::S3::BucketPolicy", "DeletionPolicy": "Retain", "Properties": of_stack },
    });
    let ended = imported(&world, "both", &both).await;
    assert_eq!(
        ended,
        "CREATE_COMPLETE",
        "{} {}",
        world.reason("both", "Policy").await,
        world.reason("both", "Bucket").await
    );
    assert!(s3.get_bucket_versioning().bucket(bucket).send().await.unwrap().status().is_none());
    let policy = s3.get_bucket_policy().bucket(bucket).send().await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(policy.policy().unwrap()).unwrap(), by_hand);

    // CloudFormation says which stack has it, and no other can import it.
    let asked = |bucket| world.account.cloudformation.describe_stack_resources().physical_resource_id(bucket).send();
    let found = asked(bucket).await.unwrap();
    assert_eq!(found.stack_resources()[0].stack_name(), Some("both"));
    let error = format!("{:?}", asked("nobodys").await.unwrap_err());
    assert!(error.contains("Stack for nobodys does not exist"), "{error}");
}

/// The final status of a stack that imports an existing resource.
async fn imported(world: &World, stack: &str, resources: &Value) -> String {
    let cloudformation = &world.account.cloudformation;
    let created = cloudformation.create_change_set().stack_name(stack).change_set_name("import");
    let created = created.change_set_type(ChangeSetType::Create).import_existing_resources(true);
    let created = created.template_body(json!({ "Resources": resources }).to_string()).send().await.unwrap();
    let id = created.id().unwrap();
    while cloudformation.describe_change_set().change_set_name(id).send().await.unwrap().execution_status().is_none() {}
    cloudformation.execute_change_set().change_set_name(id).send().await.unwrap();
    world.ended(stack).await
}
