//! The network interface of a function in a VPC, which is removed with the rights of its role, or
//! remains.

use serde_json::{Value, json};

use crate::world::{World, document, function, role};
use local::call::Call;

const RIGHTS: [&str; 4] = [
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
];

fn in_the_network(stack: &Value, network: &(String, String)) -> Value {
    let (vpc, subnet) = network;
    let mut stack = stack.clone();
    stack["Group"] =
        json!({ "Type": "AWS::EC2::SecurityGroup", "Properties": { "GroupDescription": "worker", "VpcId": vpc } });
    let properties = json!({ "SubnetIds": [subnet], "SecurityGroupIds": [{ "Fn::GetAtt": ["Group", "GroupId"] }] });
    stack["Function"]["Properties"]["VpcConfig"] = properties;
    stack
}

fn stack(rights: &[&str]) -> Value {
    json!({ "Role": role(rights), "Function": function("def handler(event, context): pass", &json!({})) })
}

/// The account's default VPC and subnet.
async fn network(world: &World) -> (String, String) {
    let answer = ec2(world, "DescribeSubnets").await;
    let first = |tag: &str| {
        let (_, rest) = answer.split_once(&format!("<{tag}>")).unwrap();
        rest.split('<').next().unwrap().to_owned()
    };
    (first("vpcId"), first("subnetId"))
}

async fn ec2(world: &World, action: &str) -> String {
    world.account.send(&Call::query("ec2", action, &[("Version", "2016-11-15")])).await.unwrap().text().unwrap()
}

async fn interfaces(world: &World) -> usize {
    ec2(world, "DescribeNetworkInterfaces").await.matches("AWS Lambda VPC ENI-").count()
}

#[tokio::test]
async fn entering_and_leaving_network_needs_rights() {
    let world = World::start().await;
    let network = network(&world).await;
    for missing in RIGHTS {
        let rights: Vec<&str> = RIGHTS.into_iter().filter(|right| *right != missing).collect();
        let action = missing.trim_start_matches("ec2:");
        let stack = in_the_network(&stack(&rights), &network);
        let reason = world.refusal(&format!("lacks-{action}"), "Function", &stack).await;
        assert!(reason.contains(&format!("does not have permissions to call {action} on EC2")), "{reason}");
    }
    assert_eq!(interfaces(&world).await, 0);

    // With the rights, it joins, stays, leaves, and the deletion of the group waits for the
    // interface.
    assert_eq!(world.create("vpc", &in_the_network(&stack(&RIGHTS), &network)).await, "CREATE_COMPLETE");
    let function = world.id("vpc", "Function").await;
    assert_eq!(world.account.function(&function).await.unwrap()["VpcConfig"]["SubnetIds"], json!([network.1]));
    assert_eq!(interfaces(&world).await, 1);
    assert_eq!(world.update("vpc", &stack(&RIGHTS)).await, "UPDATE_COMPLETE");
    assert_eq!(world.reason("vpc", "Group").await, "");
    assert_eq!(interfaces(&world).await, 0);

    // The whole stack at once.
    assert_eq!(world.update("vpc", &in_the_network(&stack(&RIGHTS), &network)).await, "UPDATE_COMPLETE");
    assert_eq!(world.delete("vpc").await, "DELETE_COMPLETE");
    assert_eq!(interfaces(&world).await, 0);

    // Its role changes before the function and loses the rights: the interface remains, and so does
    // the group.
    world.cloud.turn("patience", 0.5).await.unwrap();
    world.cloud.turn("rights_spread", 0.0).await.unwrap();
    assert_eq!(world.create("stuck", &in_the_network(&stack(&RIGHTS), &network)).await, "CREATE_COMPLETE");
    assert_eq!(world.update("stuck", &stack(&[])).await, "UPDATE_COMPLETE");
    assert!(world.reason("stuck", "Group").await.contains("has a dependent object"));
    assert_eq!(interfaces(&world).await, 1);

    // An update deletes removed resources last, dependents first: a separate policy that depends on
    // the group outlives the interface.
    world.cloud.turn("patience", 10.0).await.unwrap();
    let mut apart = in_the_network(&stack(&[]), &network);
    apart["Rights"] = json!({ "Type": "AWS::IAM::Policy", "Properties": {
        "PolicyName": "network", "PolicyDocument": document(&RIGHTS), "Roles": [{ "Ref": "Role" }],
    } });
    apart["Group"]["DependsOn"] = "Rights".into();
    assert_eq!(world.create("apart", &apart).await, "CREATE_COMPLETE");
    assert_eq!(interfaces(&world).await, 2);
    assert_eq!(world.update("apart", &stack(&[])).await, "UPDATE_COMPLETE");
    assert_eq!(world.reason("apart", "Group").await, "");
    assert_eq!(interfaces(&world).await, 1);
}
