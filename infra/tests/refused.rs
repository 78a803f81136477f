//! Plants faults in the stack that AWS would refuse or get stuck at, one by one: `infra check`
//! finds each, with the resource and the reason.
#![expect(clippy::unwrap_used, reason = "what surprises a test fails it")]

use deployment::stack;
use infra::check::{Rules, check};
use serde_json::{Value, json};

/// A fault: its description, how to plant it, and where it is found.
struct Fault {
    what: &'static str,
    plant: fn(&mut Value),
    rule: &'static str,
    id: &'static str,
}

const fn fault(what: &'static str, plant: fn(&mut Value), rule: &'static str, id: &'static str) -> Fault {
    Fault { what, plant, rule, id }
}

const ORDER: &str = "cloudformation/order";
const QUOTAS: &str = "cloudformation/quotas";
const TEXTS: &str = "cloudformation/texts";

const FAULTS: &[Fault] = &[
    fault(
        "an apostrophe in a description that EC2 takes none in",
        |all| {
            all["WorkerSecurityGroup"]["Properties"]["SecurityGroupEgress"][0]["Description"] =
                json!("AWS's endpoints");
        },
        TEXTS,
        "WorkerSecurityGroup",
    ),
    fault(
        "a queue whose name has no room for the stack's",
        |all| all["ZipDlQueue"]["Properties"]["QueueName"] = json!({ "Fn::Sub": "${AWS::StackName}-ZipDl.fifo" }),
        QUOTAS,
        "ZipDlQueue",
    ),
    fault(
        "a queue that CloudFormation names",
        |all| drop(all["ZipDlQueue"]["Properties"].as_object_mut().unwrap().remove("QueueName")),
        "sqs/fifo_queue_named",
        "ZipDlQueue",
    ),
    fault(
        "an environment that fits only without what JSON adds",
        |all| {
            let variables = &mut all["WebhookFunction"]["Properties"]["Environment"]["Variables"];
            variables["NOTE"] = json!("\n".repeat(1_900));
        },
        QUOTAS,
        "WebhookFunction",
    ),
    fault(
        "a domain's name of any length",
        |all| all["Certificate"]["Properties"]["DomainName"] = json!("a.".repeat(31) + "com"),
        QUOTAS,
        "Certificate",
    ),
    fault("a worker that outlives the cleaner", |all| after(all, "ZipDlRole", &[]), ORDER, "ZipDlRole"),
    fault("a worker that fetches and outlives the cleaner", |all| after(all, "GitPullRole", &[]), ORDER, "GitPullRole"),
    fault(
        "a maker of keys that outlives the cleaner",
        |all| after(all, "SshKeyRole", &["KeyBucket"]),
        ORDER,
        "SshKeyRole",
    ),
    fault(
        "rights on network interfaces that a condition takes out of the role",
        |all| {
            let policy = all["NetworkInterfaces"]["Properties"].clone();
            let sometimes = json!({ "Fn::If": ["HasVpc", policy, { "Ref": "AWS::NoValue" }] });
            all["ZipDlRole"]["Properties"]["Policies"].as_array_mut().unwrap().push(sometimes);
        },
        ORDER,
        "WorkerSecurityGroup",
    ),
    fault(
        "rights on network interfaces that go before the interfaces",
        |all| after(all, "WorkerSecurityGroup", &[]),
        ORDER,
        "WorkerSecurityGroup",
    ),
    fault("an account's log role before there is an API", |all| after(all, "ApiAccount", &[]), ORDER, "ApiAccount"),
    fault(
        "a stage before the account's log role",
        |all| after(all, "ApiStage", &["ApiExecutionLog"]),
        ORDER,
        "ApiStage",
    ),
    fault("a stage before its log", |all| after(all, "ApiStage", &["ApiAccount"]), ORDER, "ApiStage"),
    fault(
        "a stage whose log is nobody's",
        |all| drop(all.as_object_mut().unwrap().remove("ApiExecutionLog")),
        ORDER,
        "ApiStage",
    ),
];

fn after(resources: &mut Value, id: &str, others: &[&str]) {
    resources[id]["DependsOn"] = json!(others);
}

#[test]
fn each_fault_planted_again_is_found() {
    let rules = Rules::embedded().unwrap();
    let queues = Rules::new(rules.get("fifo_queue_named").cloned()).unwrap();
    let sound = stack::template(None).unwrap().into_value();
    assert!(check(&sound.clone().into(), &queues).unwrap().passes());
    for Fault { what, plant, rule, id } in FAULTS {
        let mut template = sound.clone();
        plant(&mut template["Resources"]);
        let findings = check(&template.into(), &queues).unwrap().findings;
        let found = findings.iter().any(|finding| finding.rule == *rule && finding.resource == *id);
        assert!(found, "{what} was not found: {findings:#?}");
    }
}
