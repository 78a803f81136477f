//! Invalid names, too large environments, and missing prerequisites.

use aws_sdk_cloudformation::types::{ChangeSetType, Parameter};
use serde_json::{Value, json};

use crate::world::{World, function, role};

#[tokio::test]
async fn invalid_names_and_sizes_are_refused() {
    let world = World::start().await;
    let one = |kind: &str, properties: Value| json!({ "Thing": { "Type": kind, "Properties": properties } });

    // CloudFormation's generated name of a FIFO queue is too long for a long stack name.
    let queue = one("AWS::SQS::Queue", json!({ "FifoQueue": true }));
    let (long, longest_that_works) = ("a".repeat(61), "a".repeat(55));
    assert!(
        world.refusal(&long, "Thing", &queue).await.contains("must end with .fifo suffix and be 1 to 80 in length")
    );
    assert_eq!(world.create(&longest_that_works, &queue).await, "CREATE_COMPLETE");
    assert_eq!(world.create(&"a".repeat(128), &one("AWS::SQS::Queue", json!({}))).await, "CREATE_COMPLETE");
    let request = world.account.cloudformation.create_stack().stack_name("a".repeat(129));
    let refused = request.template_body(json!({ "Resources": queue }).to_string()).send().await.unwrap_err();
    assert!(format!("{refused:?}").contains("less than or equal to 128"), "{refused:?}");

    let refused = [
        ("AWS::SQS::Queue", json!({ "QueueName": "a.b" })),
        ("AWS::SQS::Queue", json!({ "QueueName": format!("{}.fifo", "a".repeat(76)), "FifoQueue": true })),
        ("AWS::EC2::SecurityGroup", json!({ "GroupDescription": "the worker's" })),
        (
            "AWS::EC2::SecurityGroup",
            json!({ "GroupDescription": "ok", "SecurityGroupEgress": [
            { "IpProtocol": "-1", "CidrIp": "0.0.0.0/0", "Description": "what's out there" },
        ] }),
        ),
        ("AWS::CertificateManager::Certificate", json!({ "DomainName": format!("{}.example.com", "a".repeat(53)) })),
        ("AWS::KMS::Alias", json!({ "AliasName": "alias/with space", "TargetKeyId": "x" })),
        ("AWS::Logs::LogGroup", json!({ "LogGroupName": "with space" })),
        ("AWS::CloudWatch::Alarm", json!({ "AlarmDescription": "a".repeat(1025) })),
        ("AWS::SNS::Topic", json!({ "TopicName": "with.dot" })),
        ("AWS::SecretsManager::Secret", json!({ "Description": "a".repeat(2049) })),
    ];
    for (number, (kind, properties)) in refused.into_iter().enumerate() {
        let reason = world.refusal(&format!("refused-{number}"), "Thing", &one(kind, properties)).await;
        assert!(reason.contains("Status Code: 400"), "{kind}: {reason}");
    }
    let domain =
        one("AWS::CertificateManager::Certificate", json!({ "DomainName": format!("{}.example.com", "a".repeat(52)) }));
    assert_eq!(world.create("domain", &domain).await, "CREATE_COMPLETE");

    a_secret_parameter_is_not_shown(&world).await;
    an_environment_of_4096_bytes(&world).await;
    an_account_of_api_gateway_comes_after_an_api(&world).await;
}

async fn a_secret_parameter_is_not_shown(world: &World) {
    let template = json!({
        "Parameters": { "Secret": { "Type": "String", "NoEcho": true }, "Other": { "Type": "String" } },
        "Resources": { "Topic": { "Type": "AWS::SNS::Topic" } },
    });
    let parameter =
        |name: &str| Parameter::builder().parameter_key(name).parameter_value(format!("{name}'s value")).build();
    let (cloudformation, name) = (&world.account.cloudformation, "secret");
    let request =
        cloudformation.create_change_set().stack_name(name).change_set_name(name).template_body(template.to_string());
    let request =
        request.change_set_type(ChangeSetType::Create).parameters(parameter("Secret")).parameters(parameter("Other"));
    request.send().await.unwrap();
    let described = cloudformation.describe_change_set().stack_name(name).change_set_name(name).send().await.unwrap();
    let mut shown: Vec<_> = described.parameters().iter().filter_map(|parameter| parameter.parameter_value()).collect();
    shown.sort_unstable();
    assert_eq!(shown, ["****", "Other's value"]);
}

async fn an_environment_of_4096_bytes(world: &World) {
    let stack = |text: &str| {
        let properties = json!({ "Environment": { "Variables": { "A": text } } });
        json!({ "Role": role(&[]), "Function": function("def handler(event, context): pass", &properties) })
    };
    // {"A":"…"} has eight bytes besides.
    assert_eq!(world.create("full", &stack(&"x".repeat(4088))).await, "CREATE_COMPLETE");
    assert!(world.refusal("over", "Function", &stack(&"x".repeat(4089))).await.contains("exceeded the 4KB limit"));
    let escaped = stack(&"\"".repeat(2045));
    assert_eq!(world.update("full", &escaped).await, "UPDATE_ROLLBACK_COMPLETE");
    assert!(world.reason("full", "Function").await.contains("exceeded the 4KB limit"));
}

async fn an_account_of_api_gateway_comes_after_an_api(world: &World) {
    let account = json!({ "Type": "AWS::ApiGateway::Account", "Properties": {
        "CloudWatchRoleArn": { "Fn::GetAtt": ["Role", "Arn"] },
    } });
    let stack = json!({ "Role": role(&[]), "Account": account.clone() });
    assert!(world.refusal("account", "Account", &stack).await.contains("no API"));

    let mut stack = json!({
        "Api": { "Type": "AWS::ApiGateway::RestApi", "Properties": { "Name": "api" } },
        "Method": { "Type": "AWS::ApiGateway::Method", "Properties": {
            "RestApiId": { "Ref": "Api" }, "ResourceId": { "Fn::GetAtt": ["Api", "RootResourceId"] },
            "HttpMethod": "GET", "AuthorizationType": "NONE", "Integration": { "Type": "MOCK" },
        } },
        "Deployment": {
            "Type": "AWS::ApiGateway::Deployment", "DependsOn": "Method", "Properties": { "RestApiId": { "Ref": "Api" } },
        },
        "Stage": { "Type": "AWS::ApiGateway::Stage", "Properties": {
            "RestApiId": { "Ref": "Api" }, "DeploymentId": { "Ref": "Deployment" }, "StageName": "Prod",
            "MethodSettings": [{ "ResourcePath": "/*", "HttpMethod": "*", "LoggingLevel": "ERROR" }],
        } },
    });
    let reason = world.refusal("stage", "Stage", &stack).await;
    assert!(reason.contains("CloudWatch Logs role ARN must be set in account settings"), "{reason}");

    (stack["Role"], stack["Account"]) = (role(&[]), account);
    stack["Account"]["DependsOn"] = "Api".into();
    stack["Stage"]["DependsOn"] = "Account".into();
    assert_eq!(world.create("both", &stack).await, "CREATE_COMPLETE");
}
