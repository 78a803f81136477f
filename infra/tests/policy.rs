//! Runs the rules' own tests, and the rules on the stack; then breaks the stack in every way that
//! the rules have to notice.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what surprises a test fails it")]

use std::{
    collections::BTreeSet,
    fs,
    io::Cursor,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use cfn_guard::{
    CommandBuilder, TestBuilder,
    commands::{Executable, SUCCESS_STATUS_CODE, validate::OutputFormatType},
    utils::{
        reader::{ReadBuffer, Reader},
        writer::{WriteBuffer, Writer},
    },
};
use deployment::{deploy::Template, stack};
use infra::check::{Finding, Rule, Rules, check};
use serde_json::{Value, json};

const GOOD_BESIDE_BAD: &str = "one good beside one bad";

fn policy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policy")
}

fn tests_of(rule: &Rule) -> PathBuf {
    policy().join(format!("{}/tests/{}_tests.yaml", rule.service, rule.name))
}

/// Every test case of a rule: its name, its template and what is expected of the rule.
fn cases(rule: &Rule) -> Vec<(String, Value, String)> {
    let file = tests_of(rule);
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let cases = Template::parse(text).unwrap().into_value();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let case = |case: &Value| {
        let expected = case["expectations"]["rules"].as_object().unwrap();
        assert_eq!(expected.len(), 1, "{}: expects something of other rules", rule.name);
        (text(&case["name"]), case["input"].clone(), text(&expected[&rule.name]))
    };
    cases.as_array().unwrap().iter().map(case).collect()
}

/// IDs in a template that begin with `prefix`.
fn ids(template: &Value, prefix: &str) -> BTreeSet<String> {
    ["Parameters", "Resources", "Outputs"]
        .iter()
        .filter_map(|section| template.get(section)?.as_object())
        .flat_map(serde_json::Map::keys)
        .filter(|id| id.starts_with(prefix))
        .cloned()
        .collect()
}

#[test]
fn every_rule_tests_each_verdict() {
    for rule in Rules::embedded().unwrap().iter() {
        let cases = cases(rule);
        let verdicts: BTreeSet<&str> = cases.iter().map(|(_, _, verdict)| verdict.as_str()).collect();
        assert_eq!(verdicts, BTreeSet::from(["FAIL", "PASS", "SKIP"]), "{}", rule.name);
        let mixed = cases.iter().find(|(name, _, _)| name == GOOD_BESIDE_BAD);
        let (_, template, verdict) = mixed.unwrap_or_else(|| panic!("{}: no `{GOOD_BESIDE_BAD}`", rule.name));
        assert_eq!(verdict, "FAIL", "{}", rule.name);
        for prefix in ["Good", "Bad"] {
            assert!(!ids(template, prefix).is_empty(), "{}: nothing {prefix} in `{GOOD_BESIDE_BAD}`", rule.name);
        }
    }
}

#[test]
fn findings_name_exactly_bad_resources() {
    let mut count = 0;
    for rule in Rules::embedded().unwrap().iter() {
        let alone = Rules::new([rule.clone()]).unwrap();
        for (name, template, verdict) in cases(rule) {
            let mut findings = check(&template.clone().into(), &alone).unwrap().findings;
            // Other checks report what the cases leave out.
            findings.retain(|finding| finding.rule == format!("{}/{}", rule.service, rule.name));
            let named: BTreeSet<String> = findings.iter().map(|finding| finding.resource.clone()).collect();
            assert_eq!(named, ids(&template, "Bad"), "{}, {name}: {findings:#?}", rule.name);
            assert_eq!(verdict == "FAIL", !findings.is_empty(), "{}, {name}", rule.name);
            for finding in findings {
                let told = rule.text.split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(told.contains(&format!("<<{}>>", finding.message)), "{}, {name}: {finding:?}", rule.name);
            }
            count += 1;
        }
    }
    assert!(count >= 4 * Rules::embedded().unwrap().len(), "only {count} cases ran");
}

/// Guard's own test command sees the templates as written: the rules work without resolved
/// conditions, too.
#[test]
fn guard_alone_agrees() {
    for rule in Rules::embedded().unwrap().iter() {
        let command = TestBuilder::default()
            .rules(Some(policy().join(format!("{}/{}.guard", rule.service, rule.name)).display().to_string()))
            .test_data(Some(tests_of(rule).display().to_string()))
            .output_format(OutputFormatType::JSON)
            .try_build()
            .unwrap();
        let mut writer = Writer::new(WriteBuffer::Vec(Vec::new())).unwrap();
        let mut reader = Reader::new(ReadBuffer::Cursor(Cursor::new(Vec::new())));
        let status = command.execute(&mut writer, &mut reader).unwrap();
        let output = writer.into_string().unwrap();
        assert_eq!(status, SUCCESS_STATUS_CODE, "{}: {output}", rule.name);

        let report: Value = serde_json::from_str(&output).unwrap();
        let passed = |case: &Value| case["passed_rules"].as_array().unwrap().len();
        let passed: usize = report["test_cases"].as_array().unwrap().iter().map(passed).sum();
        assert_eq!(passed, cases(rule).len(), "{}: {output}", rule.name);
    }
}

#[test]
fn every_test_file_belongs_to_rule() {
    let rules = Rules::embedded().unwrap();
    let known: BTreeSet<PathBuf> = rules.iter().map(|rule| tests_of(rule).canonicalize().unwrap()).collect();
    let services = fs::read_dir(policy()).unwrap().map(|entry| entry.unwrap().path());
    let found: BTreeSet<PathBuf> = services
        .filter_map(|service| fs::read_dir(service.join("tests")).ok())
        .flatten()
        .map(|entry| entry.unwrap().path().canonicalize().unwrap())
        .collect();
    assert_eq!(found, known);
    assert_eq!(Rules::from_directory(&policy()).unwrap().len(), rules.len());
}

fn synthesized() -> Value {
    stack::template(None).unwrap().into_value()
}

#[test]
fn the_stack_passes() {
    let report = check(&synthesized().into(), &Rules::embedded().unwrap()).unwrap();
    assert!(report.passes(), "{report}");
    assert!(report.resources > 30, "{report}");
}

/// A fault in the stack, and the rule and place that have to report it.
struct Plant {
    what: &'static str,
    spoil: fn(&mut Value),
    rule: &'static str,
    id: &'static str,
}

fn properties<'t>(template: &'t mut Value, id: &str) -> &'t mut serde_json::Map<String, Value> {
    template["Resources"][id]["Properties"].as_object_mut().unwrap_or_else(|| panic!("the stack has no {id}"))
}

fn first_statement<'t>(template: &'t mut Value, role: &str) -> &'t mut Value {
    &mut properties(template, role)["Policies"][0]["PolicyDocument"]["Statement"][0]
}

fn remove(map: &mut serde_json::Map<String, Value>, key: &str) {
    assert!(map.remove(key).is_some(), "there is no {key} to take away");
}

const PLANTS: &[Plant] = &[
    Plant {
        what: "a bucket without encryption",
        spoil: |template| remove(properties(template, "OutputBucket"), "BucketEncryption"),
        rule: "s3/bucket_encryption",
        id: "OutputBucket",
    },
    Plant {
        what: "s3:*",
        spoil: |template| first_statement(template, "GitPullRole")["Action"] = json!(["logs:PutLogEvents", "s3:*"]),
        rule: "iam/no_wildcard_action",
        id: "GitPullRole",
    },
    Plant {
        what: "s3:Get* in the branch of a condition",
        spoil: |template| {
            let statement = first_statement(template, "GitPullRole");
            let mut wide = statement.clone();
            wide["Action"] = json!("s3:Get*");
            *statement = json!({"Fn::If": ["HasVpc", {"Fn::If": ["HasCustomDomain", statement, wide]}, statement]});
        },
        rule: "iam/no_wildcard_action",
        id: "GitPullRole",
    },
    Plant {
        what: "a public ACL",
        spoil: |template| {
            properties(template, "KeyBucket").insert("AccessControl".into(), json!("PublicRead"));
        },
        rule: "s3/bucket_no_public_acl",
        id: "KeyBucket",
    },
    Plant {
        what: "a public ACL in the branch of a condition",
        spoil: |template| {
            let acl = json!({"Fn::If": ["HasVpc", {"Ref": "AWS::NoValue"}, "PublicRead"]});
            properties(template, "KeyBucket").insert("AccessControl".into(), acl);
        },
        rule: "s3/bucket_no_public_acl",
        id: "KeyBucket",
    },
    Plant {
        what: "a queue without dead-letter queue",
        spoil: |template| remove(properties(template, "GitPullQueue"), "RedrivePolicy"),
        rule: "sqs/queue_dead_letter_queue",
        id: "GitPullQueue",
    },
    Plant {
        what: "another queue without dead-letter queue",
        spoil: |template| template["Resources"]["Stray"] = json!({"Type": "AWS::SQS::Queue", "Properties": {}}),
        rule: "sqs/queue_dead_letter_queue",
        id: "Stray",
    },
    Plant {
        what: "a reader of a queue without dead-letter queue",
        spoil: |template| {
            let source = json!({"Fn::GetAtt": ["GitPullDeadLetterQueue", "Arn"]});
            properties(template, "GitPullEventSource").insert("EventSourceArn".into(), source);
        },
        rule: "lambda/event_source_dead_letter_queue",
        id: "GitPullEventSource",
    },
    Plant {
        what: "a schedule whose missed runs are kept for a day",
        spoil: |template| {
            let targets = &mut properties(template, "ReconcilerSchedule")["Targets"];
            remove(targets[0].as_object_mut().unwrap(), "RetryPolicy");
        },
        rule: "events/schedule_given_up",
        id: "ReconcilerSchedule",
    },
    Plant {
        what: "a secret parameter without NoEcho",
        spoil: |template| remove(template["Parameters"]["ApiSecret"].as_object_mut().unwrap(), "NoEcho"),
        rule: "cloudformation/secret_parameter_no_echo",
        id: "ApiSecret",
    },
    Plant {
        what: "a secret in an environment variable",
        spoil: |template| {
            let variables = &mut properties(template, "WebhookFunction")["Environment"]["Variables"];
            variables["LEAK"] = json!({"Fn::If": ["HasApiSecret", {"Fn::Sub": "x${ApiSecret}"}, ""]});
        },
        rule: "lambda/environment_no_secret",
        id: "WebhookFunction",
    },
    Plant {
        what: "a secret as output",
        spoil: |template| template["Outputs"]["Leak"] = json!({"Value": {"Ref": "ApiSecret"}}),
        rule: "cloudformation/output_no_secret",
        id: "Leak",
    },
    Plant {
        what: "a bucket whose TLS policy is gone",
        spoil: |template| remove(template["Resources"].as_object_mut().unwrap(), "KeyBucketPolicy"),
        rule: "s3/bucket_tls_only",
        id: "KeyBucket",
    },
    Plant {
        what: "a bucket whose TLS policy is there only sometimes",
        spoil: |template| template["Resources"]["KeyBucketPolicy"]["Condition"] = json!("HasVpc"),
        rule: "s3/bucket_tls_only",
        id: "KeyBucket",
    },
    Plant {
        what: "a queue whose TLS policy is gone",
        spoil: |template| remove(template["Resources"].as_object_mut().unwrap(), "GitPullQueuePolicy"),
        rule: "sqs/queue_tls_only",
        id: "GitPullQueue",
    },
    Plant {
        what: "a wildcard resource without its reason",
        spoil: |template| remove(template["Resources"]["NetworkInterfaces"].as_object_mut().unwrap(), "Metadata"),
        rule: "iam/no_wildcard_resource",
        id: "NetworkInterfaces",
    },
    Plant {
        what: "everybody as principal",
        spoil: |template| {
            let statement = &mut properties(template, "WebhookRole")["AssumeRolePolicyDocument"]["Statement"][0];
            statement["Principal"] = json!({"AWS": "*"});
        },
        rule: "iam/no_public_principal",
        id: "WebhookRole",
    },
    Plant {
        what: "a key that doesn't rotate",
        spoil: |template| remove(properties(template, "KeyEncryptionKey"), "EnableKeyRotation"),
        rule: "kms/key_rotation",
        id: "KeyEncryptionKey",
    },
    Plant {
        what: "versioning gone",
        spoil: |template| remove(properties(template, "OutputBucket"), "VersioningConfiguration"),
        rule: "s3/bucket_versioning",
        id: "OutputBucket",
    },
    Plant {
        what: "a cache that keeps what nobody asks for",
        spoil: |template| {
            let rule = &mut properties(template, "CacheBucket")["LifecycleConfiguration"]["Rules"][0];
            remove(rule.as_object_mut().unwrap(), "ExpirationInDays");
        },
        rule: "s3/bucket_versioning",
        id: "CacheBucket",
    },
    Plant {
        what: "the public access block gone",
        spoil: |template| remove(properties(template, "OutputBucket"), "PublicAccessBlockConfiguration"),
        rule: "s3/bucket_public_access_block",
        id: "OutputBucket",
    },
    Plant {
        what: "a log kept for ever",
        spoil: |template| remove(properties(template, "WebhookLogGroup"), "RetentionInDays"),
        rule: "logs/log_group_retention",
        id: "WebhookLogGroup",
    },
    Plant {
        what: "an API without access log",
        spoil: |template| remove(properties(template, "ApiStage"), "AccessLogSetting"),
        rule: "apigateway/stage_access_log",
        id: "ApiStage",
    },
    Plant {
        what: "an API without throttling",
        spoil: |template| remove(properties(template, "ApiStage"), "MethodSettings"),
        rule: "apigateway/stage_throttling",
        id: "ApiStage",
    },
    Plant {
        what: "an old runtime",
        spoil: |template| {
            properties(template, "GitPullFunction").insert("Runtime".into(), json!("provided.al2"));
        },
        rule: "lambda/function_runtime",
        id: "GitPullFunction",
    },
    Plant {
        what: "a permission for every API",
        spoil: |template| remove(properties(template, "GitPullPermission"), "SourceArn"),
        rule: "lambda/permission_source",
        id: "GitPullPermission",
    },
    Plant {
        what: "a FIFO queue that CloudFormation names",
        spoil: |template| remove(properties(template, "GitPullQueue"), "QueueName"),
        rule: "sqs/fifo_queue_named",
        id: "GitPullQueue",
    },
    Plant {
        what: "a queue without encryption",
        spoil: |template| remove(properties(template, "GitPullQueue"), "SqsManagedSseEnabled"),
        rule: "sqs/queue_encryption",
        id: "GitPullQueue",
    },
    Plant {
        what: "a key that is given away",
        spoil: |template| {
            let statement = &mut properties(template, "KeyEncryptionKey")["KeyPolicy"]["Statement"][0];
            statement["Principal"] = json!({"AWS": "111122223333"});
        },
        rule: "kms/key_policy_account_root",
        id: "KeyEncryptionKey",
    },
    Plant {
        what: "a function with a log group of its own making",
        spoil: |template| remove(properties(template, "WebhookFunction"), "LoggingConfig"),
        rule: "lambda/function_log_group",
        id: "WebhookFunction",
    },
    Plant {
        what: "a managed policy",
        spoil: |template| {
            properties(template, "GitPullRole")
                .insert("ManagedPolicyArns".into(), json!(["arn:aws:iam::aws:policy/AdministratorAccess"]));
        },
        rule: "iam/no_managed_policy",
        id: "GitPullRole",
    },
    Plant {
        what: "a domain that speaks TLS 1.0, there only on a condition",
        spoil: |template| {
            properties(template, "DomainName").insert("SecurityPolicy".into(), json!("TLS_1_0"));
        },
        rule: "apigateway/domain_tls",
        id: "DomainName",
    },
    Plant {
        what: "a default for a secret",
        spoil: |template| template["Parameters"]["ApiSecret"]["Default"] = json!("hunter2"),
        rule: "cloudformation/secret_parameter_default",
        id: "ApiSecret",
    },
    Plant {
        what: "a secret in clear",
        spoil: |template| {
            properties(template, "ApiSecretValue").insert("SecretString".into(), json!("hunter2"));
        },
        rule: "secretsmanager/secret_not_in_template",
        id: "ApiSecretValue",
    },
    Plant {
        what: "a way in to the workers, there only on a condition",
        spoil: |template| {
            properties(template, "WorkerSecurityGroup")
                .insert("SecurityGroupIngress".into(), json!([{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}]));
        },
        rule: "ec2/security_group_no_ingress",
        id: "WorkerSecurityGroup",
    },
    Plant {
        what: "a way out for everything",
        spoil: |template| remove(properties(template, "WorkerSecurityGroup"), "SecurityGroupEgress"),
        rule: "ec2/security_group_egress",
        id: "WorkerSecurityGroup",
    },
    Plant {
        what: "requests in the log",
        spoil: |template| properties(template, "ApiStage")["MethodSettings"][0]["DataTraceEnabled"] = json!(true),
        rule: "apigateway/stage_no_data_trace",
        id: "ApiStage",
    },
    Plant {
        what: "a key that opens every stack's ciphertexts",
        spoil: |template| {
            let role = &mut template["Resources"]["GitPullRole"];
            *role =
                serde_json::from_str(&role.to_string().replace("kms:EncryptionContext:stack", "kms:Other")).unwrap();
        },
        rule: "iam/kms_encryption_context",
        id: "GitPullRole",
    },
    Plant {
        what: "a key that signs anything",
        spoil: |template| {
            let statement = &mut properties(template, "GitPullGitHubAppKey")["PolicyDocument"]["Statement"][0];
            remove(statement.as_object_mut().unwrap(), "Condition");
        },
        rule: "iam/kms_signing_algorithm",
        id: "GitPullGitHubAppKey",
    },
    Plant {
        what: "a worker that sends others' events",
        spoil: |template| {
            let role = &mut template["Resources"]["ZipDlRole"];
            *role = serde_json::from_str(&role.to_string().replace("events:source", "events:detail-type")).unwrap();
        },
        rule: "iam/events_name_their_source",
        id: "ZipDlRole",
    },
    Plant {
        what: "objects that belong to who wrote them",
        spoil: |template| remove(properties(template, "OutputBucket"), "OwnershipControls"),
        rule: "s3/bucket_owner_enforced",
        id: "OutputBucket",
    },
    Plant {
        what: "parts that nobody deletes",
        spoil: |template| remove(properties(template, "OutputBucket"), "LifecycleConfiguration"),
        rule: "s3/bucket_aborts_uploads",
        id: "OutputBucket",
    },
    Plant {
        what: "a bucket that an update would delete",
        spoil: |template| template["Resources"]["OutputBucket"]["UpdateReplacePolicy"] = json!("Delete"),
        rule: "cloudformation/stateful_deletion_policy",
        id: "OutputBucket",
    },
    Plant {
        what: "dead-letter messages that nobody is told of",
        spoil: |template| template["Resources"]["GitPullDeadLettersAlarm"]["Condition"] = json!("HasAlarmEmail"),
        rule: "sqs/dead_letters_watched",
        id: "GitPullDeadLetterQueue",
    },
    Plant {
        what: "a topic under the key that no service may use",
        spoil: |template| {
            properties(template, "AlarmTopic").insert("KmsMasterKeyId".into(), json!("alias/aws/sns"));
        },
        rule: "sns/topic_encryption",
        id: "AlarmTopic",
    },
    Plant {
        what: "a topic whose TLS policy is gone",
        spoil: |template| remove(template["Resources"].as_object_mut().unwrap(), "AlarmTopicPolicy"),
        rule: "sns/topic_tls_only",
        id: "AlarmTopic",
    },
    Plant {
        what: "a key that CloudWatch uses for anybody's alarms",
        spoil: |template| {
            let statement = &mut properties(template, "AlarmTopicKey")["KeyPolicy"]["Statement"][1];
            remove(statement.as_object_mut().unwrap(), "Condition");
        },
        rule: "iam/service_names_its_source",
        id: "AlarmTopicKey",
    },
];

#[test]
fn every_planted_fault_is_found() {
    let rules = Rules::embedded().unwrap();
    let planted: BTreeSet<&str> = PLANTS.iter().map(|plant| plant.rule).collect();
    let known: Vec<String> = rules.iter().map(|rule| format!("{}/{}", rule.service, rule.name)).collect();
    assert_eq!(planted, known.iter().map(String::as_str).collect(), "each rule has to notice something");
    for Plant { what, spoil, rule, id } in PLANTS {
        let mut template = synthesized();
        spoil(&mut template);
        // The other rules are skipped for speed, since each runs under every outcome of the
        // conditions.
        let (_, name) = rule.split_once('/').unwrap();
        let alone = Rules::new(rules.get(name).cloned()).unwrap();
        let findings = check(&template.clone().into(), &alone).unwrap().findings;
        let found = |finding: &Finding| finding.rule == *rule && finding.resource == *id;
        assert!(findings.iter().any(found), "{what} was not found: {findings:#?}");
    }
}

/// Runs `infra check` in an empty folder.
fn infra_check(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_infra")).arg("check").args(arguments).current_dir(folder.path()).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn check_command_passes_synthesized_template() {
    let output = infra_check(&[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let rules = Rules::embedded().unwrap().len();
    let resources = synthesized()["Resources"].as_object().unwrap().len();
    assert_eq!(stdout(&output), format!("{rules} rules, {resources} resources, 0 findings\n"));
}

#[test]
fn check_command_names_resource_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("template.yaml");
    let text = "Resources:\n  Plain:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: !Sub '${AWS::StackName}-x'\n";
    fs::write(&file, text).unwrap();
    let template = ["--template", file.to_str().unwrap()];
    let output = infra_check(&template);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    insta::with_settings!({ filters => [(r"\d+ rules", "[n] rules")] }, {
        insta::assert_snapshot!(stdout(&output));
    });

    let output = infra_check(&[&template[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(report["rules"], Rules::embedded().unwrap().len());
    let findings = report["findings"].as_array().unwrap();
    let of = |rule| findings.iter().find(|finding| finding["rule"] == rule).unwrap();
    assert_eq!(of("s3/bucket_encryption")["resource"], "Plain");

    let output = infra_check(&[&template[..], &["--format", "sarif"]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let sarif: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), findings.len());

    let output = infra_check(&[&template[..], &["--format", "junit"]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let cases = stdout(&output).matches("<testcase").count();
    assert_eq!(cases, Rules::embedded().unwrap().len());
}

#[test]
fn custom_rules_extend_built_in_ones() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("s3")).unwrap();
    let rule = "rule bucket_tagged { Resources.*[ Type == 'AWS::S3::Bucket' ].Properties.Tags exists <<tag it>> }";
    let rule = format!("# Tags.\n# Scope: each AWS::S3::Bucket\n{rule}");
    fs::write(folder.path().join("s3/bucket_tagged.guard"), rule).unwrap();
    let output = infra_check(&["--rules", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let all = Rules::embedded().unwrap().len() + 1;
    assert!(stdout(&output).starts_with("s3/bucket_tagged  CacheBucket   Properties/Tags  tag it\n"), "{output:?}");
    assert!(stdout(&output).contains(&format!("{all} rules, ")), "{output:?}");
}

#[test]
fn rule_without_scope_sees_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir_all(path("rules/s3")).unwrap();
    fs::write(path("rules/s3/named.guard"), "rule named { Outputs.Name exists }").unwrap();
    let with_conditions = |count: usize| {
        let mut template = json!({"Outputs": {"Name": {"Value": "x", "Condition": "C0"}}});
        for (condition, resource) in (0..count).map(|number| (format!("C{number}"), format!("R{number}"))) {
            template["Resources"][resource] = json!({"Type": "AWS::SSM::Parameter", "Condition": condition});
            template["Conditions"][&condition] = json!({"Fn::Equals": [{"Ref": &condition}, ""]});
        }
        template
    };
    fs::write(path("few.json"), with_conditions(3).to_string()).unwrap();
    fs::write(path("many.json"), with_conditions(11).to_string()).unwrap();
    let few = infra_check(&["--rules", &path("rules"), "--template", &path("few.json")]);
    assert!(stdout(&few).contains("s3/named"), "{few:?}");
    let many = infra_check(&["--rules", &path("rules"), "--template", &path("many.json")]);
    assert_eq!((many.status.code(), stdout(&many)), (Some(3), ""), "{many:?}");
    let message = String::from_utf8_lossy(&many.stderr);
    assert!(message.contains("can't evaluate s3/named: say what the rule reads"), "{message}");
    assert!(message.contains("more than 1536 outcomes"), "{message}");
}

#[test]
fn check_without_rules_or_resources_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir_all(path("none/s3")).unwrap();
    fs::create_dir_all(path("broken/s3")).unwrap();
    fs::write(path("broken/s3/x.guard"), "# Scope: each AWS::S3::Bucket\nrule x { this is no rule").unwrap();
    fs::create_dir_all(path("misnamed/s3")).unwrap();
    fs::write(path("misnamed/s3/x.guard"), "# Scope: each AWS::S3::Bucket\nrule y { Resources exists }").unwrap();
    fs::write(path("empty.json"), "{\"Resources\": {}}").unwrap();
    for arguments in [
        ["--rules", &path("none")],
        ["--rules", &path("broken")],
        ["--rules", &path("misnamed")],
        ["--rules", &path("missing")],
        ["--template", &path("empty.json")],
        ["--template", &path("missing.json")],
    ] {
        let output = infra_check(&arguments);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {output:?}");
        assert_eq!(stdout(&output), "", "{arguments:?}");
    }
    assert_eq!(infra_check(&["--no-such-flag"]).status.code(), Some(2));
}
