//! Checks the documentation: commands exist with the options that it names, example configurations
//! and rules parse, example templates deploy.
#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use deployment::deploy::Template;
use deployment::stack;
use infra::check::{Rule, Rules, check};
use infra::configuration::Configuration;
use infra::review::cost;
use local::process::built;
use local::promises::PROMISES;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every page, by name.
fn pages() -> BTreeMap<String, String> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let others = ["README.md", "CONTRIBUTING.md", ".github/workflows/policy.yml", ".github/workflows/ci.yml"];
    let files = docs.chain(others.iter().map(|name| root().join(name)));
    let is_text = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md" || extension == "yml");
    let pages: BTreeMap<_, _> = files
        .filter(is_text)
        .map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap()))
        .collect();
    assert!(pages.len() > 8, "{:?}", pages.keys());
    pages
}

/// The fenced code blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fenced = text.split("```").skip(1).step_by(2);
    fenced.filter_map(|block| block.strip_prefix(&format!("{language}\n"))).map(str::to_owned).collect()
}

/// The calls of `./justw` in a text: recipe and arguments.
fn calls(text: &str) -> Vec<Vec<String>> {
    let rest = text.split("./justw ").skip(1);
    let ends = ['`', '\n', '>', '|', ';', ',', '.', ':'];
    // An argument may contain a dot or a comma. After it, it ends the sentence.
    let command = |rest: &str| {
        let line = rest.split(&ends[..5]).next().unwrap_or_default().to_owned();
        line.split_whitespace().map(|word| word.trim_end_matches(&ends[5..]).to_owned()).collect::<Vec<_>>()
    };
    rest.map(command).filter(|words| words.first().is_some_and(|word| word.starts_with(char::is_lowercase))).collect()
}

fn output(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn documented_commands_and_options_exist() {
    let recipes = output(&root().join(".tools/bin/just"), &["--summary"]);
    let recipes: BTreeSet<&str> = recipes.split_whitespace().collect();
    let infra = built("infra").unwrap();
    let commands = output(&infra, &["--help"]);
    let mut options = 0;
    for (page, text) in pages() {
        for call in calls(&text) {
            let recipe = call[0].as_str();
            assert!(recipes.contains(recipe), "{page}: there is no ./justw {recipe}");
            if !commands.contains(&format!("\n  {recipe} ")) {
                continue;
            }
            let help = output(&infra, &[recipe, "--help"]);
            // A command may have commands of its own.
            let own = call.get(1).filter(|word| help.contains(&format!("\n  {word} ")));
            let help = own.map_or(help, |own| output(&infra, &[recipe, own, "--help"]));
            for option in call.iter().filter(|word| word.starts_with("--")) {
                assert!(help.contains(option.split('=').next().unwrap()), "{page}: {recipe} has no {option}");
                options += 1;
            }
        }
    }
    assert!(options >= 10, "only {options} options were looked at");
}

#[test]
fn configurations_snippets_and_rules_are_read() {
    let mut count = 0;
    let parameters = stack::template(None).unwrap().into_value()["Parameters"].clone();
    for (page, text) in pages() {
        for block in blocks(&text, "toml") {
            let configuration = Configuration::parse(&block).unwrap_or_else(|error| panic!("{page}: {error}"));
            for name in configuration.parameters.keys().chain(configuration.secrets.keys()) {
                assert!(parameters.get(name).is_some(), "{page}: there is no parameter {name}");
            }
            count += 1;
        }
        for block in blocks(&text, "yaml").into_iter().chain(blocks(&text, "json")) {
            Template::parse(block).unwrap_or_else(|error| panic!("{page}: {error}"));
            count += 1;
        }
        for block in blocks(&text, "").into_iter().filter(|block| block.contains("\nrule ")) {
            let name = block.split("\nrule ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
            let rules = Rules::new([Rule { service: "docs".to_owned(), name, text: block }]).unwrap();
            let report = check(&stack::template(None).unwrap(), &rules).unwrap();
            assert_eq!(report.findings.len(), 3, "{page}: one for each bucket: {report}");
            count += 1;
        }
    }
    assert!(count >= 5, "only {count} blocks were read");
}

/// The text after `before`, up to a quote, a backtick or white space.
fn following<'t>(text: &'t str, before: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(before).skip(1).filter_map(|rest| rest.split(['"', '\'', '`', ')', ' ', '\n']).next())
}

#[test]
fn documented_secret_files_are_git_ignored() {
    let mut files = BTreeSet::new();
    for text in pages().values() {
        files.extend(following(text, "{ file = \"").map(str::to_owned));
        let named = following(text, "--secret-file ").filter_map(|pair| pair.split_once('='));
        files.extend(named.map(|(_, file)| file.to_owned()));
        files.extend(following(text, "--parameters file://").map(str::to_owned));
    }
    assert!(files.contains("api-secret.txt") && files.contains("parameters.json"), "{files:?}");
    for file in files {
        let ignored = Command::new("git").args(["check-ignore", "--quiet", "--", &file]).current_dir(root()).status();
        assert!(ignored.unwrap().success(), "{file} holds a secret and would be committed");
    }
}

#[test]
fn example_templates_pass_lint_and_rules() {
    let examples: Vec<PathBuf> =
        std::fs::read_dir(root().join("docs/examples")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(examples.len(), 4);
    for example in examples {
        let path = example.to_str().unwrap();
        output(&root().join(".tools/bin/cfn-lint"), &["-c", "I", "-r", "us-east-1", "eu-central-1", "-t", path]);
        let template = Template::parse(std::fs::read_to_string(&example).unwrap()).unwrap();
        let report = check(&template, &Rules::embedded().unwrap()).unwrap();
        assert!(report.passes(), "{path}: {report}");
    }
}

/// botocore's validation error for a request on its input. `None` if it is valid.
const VALIDATE: &str = r"
import json, sys
from botocore.session import get_session
from botocore.validate import ParamValidator
shape = get_session().get_service_model(sys.argv[1]).operation_model(sys.argv[2]).input_shape
request = json.load(sys.stdin)
for revision in request.get('sourceRevisions', []):
    revisions = shape.members['sourceRevisions'].member.members['revisionType'].enum
    assert revision['revisionType'] in revisions, revisions
print(ParamValidator().validate(request, shape).generate_report(), end='')
";

/// S3's documented format of an event:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>
fn event_of_s3() -> Value {
    json!({ "detail": { "bucket": { "name": "amzn-s3-demo-bucket1" }, "object": {
        "key": "example-key", "size": 5, "etag": "b57f9512698f4b09e608f4f2a65852e5",
        "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e", "sequencer": "00617F08299329D189" } } })
}

/// The documented event of git2s3 with this type.
fn event_of_git2s3(kind: &str) -> Value {
    let page = std::fs::read_to_string(root().join("docs/deploy.md")).unwrap();
    let event = blocks(&page, "json").into_iter().find(|block| block.contains(kind)).unwrap();
    serde_json::from_str(&event).unwrap()
}

#[test]
fn event_schemas_describe_documented_events() {
    for name in ["artifact-ready", "artifact-failed", "reference-deleted"] {
        let committed = std::fs::read_to_string(root().join(format!("docs/events/{name}.schema.json"))).unwrap();
        let infra = Command::new(built("infra").unwrap()).args(["schema", name]).output().unwrap();
        assert_eq!(committed, String::from_utf8(infra.stdout).unwrap(), "infra schema {name}");
    }
    for (name, kind, required) in [
        ("artifact-ready", "Artifact Ready", &["sha256", "commit", "repository", "key", "schemaVersion"][..]),
        ("reference-deleted", "Reference Deleted", &["artifact", "bucket", "repository", "schemaVersion"]),
    ] {
        let schema = std::fs::read_to_string(root().join(format!("docs/events/{name}.schema.json"))).unwrap();
        let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
        let detail = event_of_git2s3(kind)["detail"].take();
        validator.validate(&detail).unwrap();
        for missing in required {
            let mut broken = detail.clone();
            broken.as_object_mut().unwrap().remove(*missing);
            assert!(!validator.is_valid(&broken), "{missing}");
        }
    }
}

/// The input that an example's rule sends to its target for this event.
fn sent_by(example: &str) -> (Value, Value) {
    let path = root().join("docs/examples").join(example);
    let template = Template::parse(std::fs::read_to_string(path).unwrap()).unwrap().into_value();
    let input = &template["Resources"]["Stored"]["Properties"]["Targets"][0]["InputTransformer"];
    let mut request = input["InputTemplate"].as_str().unwrap().to_owned();
    for (name, path) in input["InputPathsMap"].as_object().unwrap() {
        let pointer = path.as_str().unwrap().trim_start_matches('$').replace('.', "/");
        let event = if example == "pipelines.yaml" { event_of_git2s3("Artifact Ready") } else { event_of_s3() };
        request = request.replace(&format!("<{name}>"), event.pointer(&pointer).unwrap().as_str().unwrap());
    }
    (serde_json::from_str(&request).unwrap(), template)
}

/// botocore's validation error for a request of an operation.
fn check_request(service: &str, operation: &str, request: &Value) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, request.to_string()).unwrap();
    let mut python = Command::new(root().join(".tools/ministack/bin/python3"));
    python.args(["-c", VALIDATE, service, operation]).stdin(std::fs::File::open(file.path()).unwrap());
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{request}");
}

const VERSION: &str = "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e";

#[test]
fn pipeline_starts_with_stored_version() {
    for (example, expected) in [
        ("pipeline.yaml", &[("S3_OBJECT_VERSION_ID", VERSION)][..]),
        ("pipelines.yaml", &[("S3_OBJECT_KEY", "acme/rocket/acme_rocket.zip"), ("S3_OBJECT_VERSION_ID", VERSION)]),
    ] {
        let (mut request, template) = sent_by(example);
        let action = &template["Resources"]["Pipeline"]["Properties"]["Stages"][0]["Actions"][0];
        let revision = |(kind, value): &(&str, &str)| json!({ "actionName": action["Name"], "revisionType": kind, "revisionValue": value });
        assert_eq!(request["sourceRevisions"], expected.iter().map(revision).collect::<Value>(), "{example}");
        // EventBridge adds the name of the pipeline, which is the target.
        request["name"] = "rocket".into();
        check_request("codepipeline", "StartPipelineExecution", &request);
    }
}

/// The stack that the example's state machine deletes is the one that its own first lines name.
#[test]
fn teardown_deletes_stack_of_branch() {
    let text = std::fs::read_to_string(root().join("docs/examples/environments.yaml")).unwrap();
    let template = Template::parse(text.clone()).unwrap().into_value();
    let machine = &template["Resources"]["Teardown"]["Properties"]["Definition"];
    let task = &machine["States"][machine["StartAt"].as_str().unwrap()];
    assert!(task["Resource"]["Fn::Sub"].as_str().unwrap().ends_with("aws-sdk:cloudformation:deleteStack"), "{task}");
    assert_eq!(
        task["Parameters"]["StackName.$"],
        "States.Format('environment-{}', States.Hash(States.Format('{} {}', $.detail.repository, $.detail.reference), 'SHA-256'))"
    );
    let event = event_of_git2s3("Reference Deleted");
    let named = |name: &str| event["detail"][name].as_str().unwrap();
    let hashed = format!("{} {}", named("repository"), named("reference"));
    let command = text.lines().find_map(|line| line.strip_prefix("#   --stack-name ")).unwrap();
    assert!(command.contains(&format!("printf '%s %s' {hashed} |")), "{command}");
    let shown = Command::new("sh").args(["-c", &format!("printf %s {command}")]).output().unwrap();
    let name = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(name, format!("environment-{}", hex::encode(Sha256::digest(&hashed))));
    check_request("cloudformation", "DeleteStack", &json!({ "StackName": name }));
    // What the role may delete.
    let role = template["Resources"]["TeardownRole"]["Properties"]["Policies"][0]["PolicyDocument"].to_string();
    assert!(role.contains(":stack/environment-*/*\""), "{role}");
}

#[test]
fn codebuild_builds_stored_version() {
    let (mut request, _) = sent_by("codebuild.yaml");
    assert_eq!(request["sourceLocationOverride"], "amzn-s3-demo-bucket1/example-key");
    assert_eq!(request["sourceVersion"], VERSION);
    request["projectName"] = "rocket".into();
    check_request("codebuild", "StartBuild", &request);
}

#[test]
fn documented_host_entries_parse_as_shown() {
    let page = std::fs::read_to_string(root().join("docs/deploy.md")).unwrap();
    let block = &blocks(&page, "hosts")[0];
    let lines: Vec<_> = block.lines().collect();
    assert!(lines.len() >= 12);
    for pair in lines.chunks(2) {
        let host: contract::AllowedHost = pair[0].parse().unwrap();
        assert_eq!(pair[1].trim(), host.to_string(), "{}", pair[0]);
    }
}

/// A demo's output without what varies between runs.
fn demo_in_general(said: &str) {
    let filters = [
        (r"\d+\.\d+ s\b", "TIME"),
        (r"\d+(\.\d+)? (KiB|MiB|bytes)\b", "SIZE"),
        (r"after \d+ ", "after SIZE "),
        (r"\w+@127\.0\.0\.1:\d+", "USER@127.0.0.1:PORT"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"bucket-[0-9a-f]+", "bucket-ID"),
        (r"\b[0-9a-f]{10}\b", "COMMIT"),
        (r" for (x86_64|aarch64)", " for ARCHITECTURE"),
        (r" {2,}", "  "),
    ];
    insta::with_settings!({ filters => filters, omit_expression => true }, {
        insta::assert_snapshot!("demo", said);
    });
}

#[test]
fn demo_output_matches_readme() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let demo = Command::new(built("local").unwrap()).arg("demo").current_dir(root()).output().unwrap();
    let said = String::from_utf8(demo.stderr).unwrap();
    assert!(demo.status.success(), "{said}");
    let steps = |text: &str| text.lines().filter(|line| line.starts_with('✓')).collect::<Vec<_>>().join("\n");
    insta::allow_duplicates! {
        demo_in_general(&steps(&said));
        demo_in_general(&steps(&readme));
    }
}

#[test]
fn readme_promises_are_tested() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let table = blocks(&readme, "").into_iter().find(|block| block.starts_with("about ")).unwrap();
    for row in table.lines().skip(1) {
        let promised = PROMISES.iter().any(|one| row.starts_with(one.chapter) && row.contains(one.promise));
        assert!(promised, "no test shows this: {row}");
        assert!(row.ends_with("  0"), "a promise failed: {row}");
    }
}

#[test]
fn the_guide_tells_the_costs() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let dollars =
        |pushes| format!("${:.2}", cost::bill(pushes, cost::USUAL).iter().map(|item| item.dollars).sum::<f64>());
    let told = format!("{} a month for 1,000 pushes and {} for 100,000", dollars(1_000.0), dollars(100_000.0));
    assert!(readme.contains(&told), "README lacks: {told}");
}
