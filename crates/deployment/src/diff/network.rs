//! Network access of a template: rules of security groups, functions in a VPC, public endpoints.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::permissions::text;

/// A network access that only one of the templates has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NetworkChange {
    /// The resource's logical ID.
    pub resource: String,
    /// The access.
    pub what: String,
    /// Whether it was added.
    pub added: bool,
}

pub(super) fn changes(old: &Value, new: &Value) -> Vec<NetworkChange> {
    let (old, new) = (ways(old), ways(new));
    let change = |added| {
        move |(resource, what): &(String, String)| NetworkChange {
            resource: resource.clone(),
            what: what.clone(),
            added,
        }
    };
    let mut changes: Vec<_> = new.difference(&old).map(change(true)).collect();
    changes.extend(old.difference(&new).map(change(false)));
    changes.sort();
    changes
}

fn ways(template: &Value) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for (id, resource) in template.get("Resources").and_then(Value::as_object).into_iter().flatten() {
        found.extend(of_resource(resource).into_iter().map(|way| (id.clone(), way)));
    }
    found
}

fn of_resource(resource: &Value) -> Vec<String> {
    let properties = &resource["Properties"];
    let told =
        |what: &str, value: &Value| if value.is_null() { Vec::new() } else { vec![format!("{what} {}", text(value))] };
    match resource["Type"].as_str().unwrap_or_default() {
        "AWS::EC2::SecurityGroup" => {
            let rules = |name: &str, direction: &str| -> Vec<String> {
                let list = properties[name].as_array().into_iter().flatten();
                list.map(|rule| format!("{direction} {}", traffic(rule))).collect()
            };
            let mut found = rules("SecurityGroupIngress", "in from");
            let out = rules("SecurityGroupEgress", "out to");
            // Without egress rules everything may go out.
            found.extend(if properties["SecurityGroupEgress"].is_null() {
                vec!["out to everywhere".to_owned()]
            } else {
                out
            });
            found
        }
        "AWS::EC2::SecurityGroupIngress" => vec![format!("in from {}", traffic(properties))],
        "AWS::EC2::SecurityGroupEgress" => vec![format!("out to {}", traffic(properties))],
        "AWS::Lambda::Function" => told("runs in", &properties["VpcConfig"]),
        "AWS::Lambda::Url" => told("public URL, authorized by", &properties["AuthType"]),
        "AWS::ApiGateway::RestApi" => told("endpoint", &properties["EndpointConfiguration"]["Types"]),
        "AWS::ApiGateway::Method" => told("calls authorized by", &properties["AuthorizationType"]),
        "AWS::ApiGateway::DomainName" => told("at least", &properties["SecurityPolicy"]),
        _ => Vec::new(),
    }
}

fn traffic(rule: &Value) -> String {
    let peers = [
        "CidrIp",
        "CidrIpv6",
        "SourceSecurityGroupId",
        "DestinationSecurityGroupId",
        "SourcePrefixListId",
        "DestinationPrefixListId",
    ];
    let peer = peers.iter().map(|name| text(&rule[*name])).find(|peer| !peer.is_empty()).unwrap_or_default();
    let protocol = text(&rule["IpProtocol"]);
    match (text(&rule["FromPort"]), text(&rule["ToPort"])) {
        _ if protocol == "-1" => format!("{peer}, every protocol"),
        (from, to) if from == to => format!("{peer}, {protocol} {from}"),
        (from, to) => format!("{peer}, {protocol} {from} to {to}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn group(properties: &Value) -> Value {
        json!({ "Resources": { "G": { "Type": "AWS::EC2::SecurityGroup", "Properties": properties } } })
    }

    #[test]
    fn ways_in_and_out_are_told() {
        let ssh = json!({ "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "10.0.0.0/8" });
        let all = json!({ "IpProtocol": "-1", "CidrIp": "0.0.0.0/0" });
        let told: Vec<_> = changes(
            &group(&json!({ "SecurityGroupEgress": [ssh] })),
            &group(&json!({ "SecurityGroupIngress": [all] })),
        )
        .into_iter()
        .map(|change| (change.added, change.what))
        .collect();
        let told: Vec<_> = told.iter().map(|(added, what)| (*added, what.as_str())).collect();
        assert_eq!(
            told,
            [
                (true, "in from 0.0.0.0/0, every protocol"),
                (false, "out to 10.0.0.0/8, tcp 22"),
                (true, "out to everywhere")
            ]
        );
        assert_eq!(changes(&group(&json!({})), &group(&json!({}))), []);
    }
}
