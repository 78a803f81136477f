//! Small correct templates, and what is reported after one dependency is removed.

use serde_json::json;

use super::*;

fn told(resources: &Json) -> Vec<(String, String, Rule)> {
    let found = missing(&json!({ "Resources": resources }));
    found.into_iter().map(|one| (one.name, one.on, one.rule)).collect()
}

/// Checks that a single change to the resources is all that is reported.
fn check(resources: &Json, spoil: impl FnOnce(&mut Json), expected: (&str, &str, Rule)) {
    assert_eq!(told(resources), []);
    let mut spoilt = resources.clone();
    spoil(&mut spoilt);
    let (name, on, rule) = expected;
    assert_eq!(told(&spoilt), [(name.to_owned(), on.to_owned(), rule)]);
}

fn api() -> Json {
    json!({
        "Api": { "Type": "AWS::ApiGateway::RestApi" },
        "Account": { "Type": "AWS::ApiGateway::Account", "DependsOn": ["Api"] },
        "Log": { "Type": "AWS::Logs::LogGroup", "Properties": {
            "LogGroupName": { "Fn::Sub": "API-Gateway-Execution-Logs_${Api}/Prod" } } },
        "Stage": { "Type": "AWS::ApiGateway::Stage", "DependsOn": ["Account", "Log"], "Properties": {
            "RestApiId": { "Ref": "Api" }, "MethodSettings": [{ "LoggingLevel": "ERROR" }] } },
    })
}

#[test]
fn an_account_comes_after_the_api() {
    let spoil = |all: &mut Json| all["Account"]["DependsOn"] = json!([]);
    check(&api(), spoil, ("Account", "Api", Rule::AccountAfterApi));
}

#[test]
fn a_stage_comes_after_the_account() {
    let spoil = |all: &mut Json| all["Stage"]["DependsOn"] = json!("Log");
    check(&api(), spoil, ("Stage", "Account", Rule::StageAfterAccount));
}

#[test]
fn a_stage_comes_after_its_log() {
    let spoil = |all: &mut Json| all["Stage"]["DependsOn"] = json!(["Account"]);
    check(&api(), spoil, ("Stage", "Log", Rule::StageAfterLog));
    let none = "its log group API-Gateway-Execution-Logs_{api}/{stage}";
    let spoil = |all: &mut Json| {
        all["Log"]["Properties"]["LogGroupName"] = json!({ "Fn::Sub": "API-Gateway-Execution-Logs_${Other}/Prod" });
    };
    check(&api(), spoil, ("Stage", none, Rule::StageAfterLog));
}

fn role(policies: &Json) -> Json {
    json!({ "Type": "AWS::IAM::Role", "Properties": { "Policies": policies } })
}

fn policy(action: &str, resource: &Json) -> Json {
    json!({ "PolicyDocument": { "Statement": [{ "Effect": "Allow", "Action": [action], "Resource": resource }] } })
}

fn cleaned() -> Json {
    let objects = json!({ "Fn::Sub": "${Bucket.Arn}/*" });
    let mut writer = role(&json!([policy("s3:PutObject", &objects)]));
    writer["DependsOn"] = json!(["Cleaner"]);
    json!({
        "Bucket": { "Type": "AWS::S3::Bucket" },
        "Other": { "Type": "AWS::S3::Bucket" },
        "CleanerRole": role(&json!([policy("s3:DeleteObjectVersion", &objects)])),
        "CleanerFunction": { "Type": "AWS::Lambda::Function", "Properties": { "Role": { "Fn::GetAtt": ["CleanerRole", "Arn"] } } },
        "Cleaner": { "Type": "AWS::CloudFormation::CustomResource", "Properties": {
            "ServiceToken": { "Fn::GetAtt": ["CleanerFunction", "Arn"] }, "Buckets": [{ "Ref": "Bucket" }] } },
        "Writer": writer,
        "Reader": role(&json!([policy("s3:GetObject", &objects)])),
        "WriterElsewhere": role(&json!([policy("s3:PutObject", &json!({ "Fn::Sub": "${Other.Arn}/*" }))])),
    })
}

#[test]
fn a_writer_goes_before_the_cleaner() {
    let spoil = |all: &mut Json| all["Writer"]["DependsOn"] = json!(["Bucket"]);
    check(&cleaned(), spoil, ("Writer", "Cleaner", Rule::WriterAfterCleaner));
    let spoil = |all: &mut Json| {
        all["Reader"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0]["Action"] = json!("s3:*");
    };
    check(&cleaned(), spoil, ("Reader", "Cleaner", Rule::WriterAfterCleaner));
}

fn in_vpc() -> Json {
    let interfaces = policy(DELETE_INTERFACE, &json!("*"));
    json!({
        "Role": role(&json!([])),
        "Rights": { "Type": "AWS::IAM::Policy", "Condition": "HasVpc", "Properties": {
            "Roles": [{ "Ref": "Role" }], "PolicyDocument": interfaces["PolicyDocument"] } },
        "Group": { "Type": "AWS::EC2::SecurityGroup", "Condition": "HasVpc", "DependsOn": ["Rights"] },
        "Function": { "Type": "AWS::Lambda::Function", "Properties": {
            "Role": { "Fn::GetAtt": ["Role", "Arn"] },
            "VpcConfig": { "Fn::If": ["HasVpc", { "SecurityGroupIds": [{ "Fn::GetAtt": ["Group", "GroupId"] }] },
                { "Ref": "AWS::NoValue" }] } } },
    })
}

#[test]
fn group_without_rights_dependency_is_reported() {
    let spoil = |all: &mut Json| {
        all["Group"]["DependsOn"] = json!([]);
        all["Function"]["DependsOn"] = json!(["Rights"]);
    };
    check(&in_vpc(), spoil, ("Group", "Rights", Rule::GroupAfterRights));
}

#[test]
fn a_function_comes_after_its_rights() {
    let spoil = |all: &mut Json| all["Function"]["Properties"]["VpcConfig"] = json!({});
    check(&in_vpc(), spoil, ("Function", "Rights", Rule::FunctionAfterRights));
}

#[test]
fn conditional_right_in_role_is_reported() {
    let on = "a policy of its own with ec2:DeleteNetworkInterface, which now is in a role under a condition";
    let spoil = |all: &mut Json| {
        let sometimes = policy(DELETE_INTERFACE, &json!("*"));
        all["Role"] = role(&json!([{ "Fn::If": ["HasVpc", sometimes, { "Ref": "AWS::NoValue" }] }]));
        all.as_object_mut().unwrap().remove("Rights");
        all["Group"]["DependsOn"] = json!([]);
    };
    check(&in_vpc(), spoil, ("Group", on, Rule::GroupAfterRights));
}

#[test]
fn every_reference_form_is_dependency() {
    let template = json!({ "Resources": {
        "A": {}, "B": {}, "C": {}, "D": {}, "E": {},
        "X": {
            "DependsOn": "A",
            "Properties": {
                "One": { "Ref": "B" }, "Two": [{ "Fn::GetAtt": ["C", "Arn"] }], "Three": { "Fn::Sub": "arn:${D.Arn}/${AWS::Region}" },
                "Four": { "Fn::Sub": ["${Name}", { "Name": { "Ref": "E" } }] }, "Five": { "Ref": "AWS::StackName" },
            },
        },
        "Y": { "DependsOn": ["A", "X"], "Properties": { "One": { "Fn::GetAtt": "B.Arn" } } },
    } });
    let found = dependencies(&template);
    let of = |id: &str| found[id].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(of("X"), ["A", "B", "C", "D", "E"]);
    assert_eq!(of("Y"), ["A", "B", "X"]);
    assert_eq!(of("A"), [""; 0]);
}
