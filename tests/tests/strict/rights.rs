//! A changed right takes effect after a while. A role's initial rights take effect immediately.

use local::roles::InlinePolicy;
use serde_json::{Value, json};

use crate::world::{PUTS, World, document, function, role};

/// So long that a change takes effect only when the switch is reset.
const LONG: f64 = 600.0;

fn stack(rights: &[&str]) -> Value {
    json!({ "Role": role(rights), "Function": function(PUTS, &json!({})) })
}

#[tokio::test]
async fn rights_take_a_while_to_spread() {
    let world = World::start().await;
    world.account.s3.create_bucket().bucket("out").send().await.unwrap();
    let put = async |function: &str| world.invoke(function, &json!({ "key": "x" })).await;

    world.cloud.turn("rights_spread", LONG).await.unwrap();
    assert_eq!(world.create("new", &stack(&["s3:PutObject"])).await, "CREATE_COMPLETE");
    let function = world.id("new", "Function").await;
    assert_eq!(put(&function).await, "\"stored\"", "CloudFormation waits for a new role");

    assert_eq!(world.update("new", &stack(&[])).await, "UPDATE_COMPLETE");
    assert_eq!(put(&function).await, "\"stored\"", "who lost a right still may");
    // The change hasn't taken effect yet, and a second one follows.
    assert_eq!(world.update("new", &stack(&["s3:PutObject"])).await, "UPDATE_COMPLETE");
    assert_eq!(put(&function).await, "\"stored\"");

    assert_eq!(world.update("new", &stack(&[])).await, "UPDATE_COMPLETE");
    world.cloud.turn("rights_spread", 0.0).await.unwrap();
    assert!(put(&function).await.contains("AccessDenied"), "the last change counts in the end");

    world.cloud.turn("rights_spread", LONG).await.unwrap();
    let mut gets = stack(&[]);
    gets["Policy"] = json!({ "Type": "AWS::IAM::Policy", "Properties": {
        "PolicyName": "own", "PolicyDocument": document(&["s3:PutObject"]), "Roles": [{ "Ref": "Role" }],
    } });
    assert_eq!(world.update("new", &gets).await, "UPDATE_COMPLETE");
    assert_eq!(put(&function).await, "\"stored\"", "CloudFormation waits for a new policy");

    world.cloud.turn("rights_spread", 0.0).await.unwrap();
    assert_eq!(world.update("new", &stack(&[])).await, "UPDATE_COMPLETE");
    world.cloud.turn("rights_spread", LONG).await.unwrap();
    let later = InlinePolicy {
        role: world.id("new", "Role").await,
        name: "later".to_owned(),
        document: document(&["s3:PutObject"]),
    };
    later.put(&world.account).await.unwrap();
    assert!(put(&function).await.contains("AccessDenied"), "who has just got a right is denied");
    world.cloud.turn("rights_spread", 0.0).await.unwrap();
    assert_eq!(put(&function).await, "\"stored\"");
}
