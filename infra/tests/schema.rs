//! Validates the synthesized template against CloudFormation's registry schemas, which come with
//! cfn-lint: names of properties, types, enums, patterns, lengths, required and read-only
//! properties, and the attributes of every `Fn::GetAtt`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what surprises a test fails it")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// The folder of the schemas in the package that `.ci/tools` installs.
fn schemas() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/py/lib");
    let mut versions = std::fs::read_dir(&tools).expect("cfn-lint is installed by .ci/tools");
    let found = versions.find_map(|version| {
        let schemas = version.ok()?.path().join("site-packages/cfnlint/data/schemas");
        schemas.is_dir().then_some(schemas)
    });
    found.expect("cfn-lint brings the schemas along")
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The registry: each type of one region with its schema.
struct Registry {
    folder: PathBuf,
    types: Value,
}

impl Registry {
    fn of(region: &str) -> Self {
        let folder = schemas();
        let types = read(&folder.join("providers").join(format!("{region}.json")));
        Self { folder, types }
    }

    fn schema(&self, kind: &str) -> Value {
        let hash = self.types[kind].as_str().unwrap_or_else(|| panic!("the registry has no {kind}"));
        read(&self.folder.join("resources").join(format!("{hash}.json")))
    }
}

/// The template evaluated with some parameters, so that it has little but plain values and
/// references.
fn evaluated(parameters: &[(&str, &str)]) -> Map<String, Value> {
    let chosen = parameters.iter().chain(&[("QSS3BucketName", "assets")]);
    let chosen: BTreeMap<_, _> = chosen.map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let template = deployment::stack::template(None).unwrap().into_value();
    cfn::evaluate(&template, &chosen).unwrap()["Resources"].as_object().unwrap().clone()
}

const EVERYTHING: [(&str, &str); 8] = [
    ("OutputBucketName", "zips-of-acme"),
    ("CustomDomainName", "git.example.com"),
    ("ApiSecret", "s3cret"),
    ("VPCId", "vpc-0123456789abcdef0"),
    ("SubnetIds", "subnet-0123456789abcdef0,subnet-0123456789abcdef1"),
    ("KeyType", "rsa"),
    ("AlarmEmail", "platform@example.com"),
    ("WebAclArn", "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/x/01234567-89ab-cdef-0123-456789abcdef"),
];

/// Allows an intrinsic function in place of any value in the schema.
fn with_intrinsics(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            for (key, child) in map.iter_mut() {
                with_intrinsics(child);
                // cfn-lint's patterns are Python's, whose end-of-text anchor JSON Schema lacks.
                if let ("pattern", Some(pattern)) = (key.as_str(), child.as_str()) {
                    *child = pattern.replace("\\Z", "$").into();
                }
                let several = match key.as_str() {
                    "properties" | "patternProperties" | "definitions" => child.as_object_mut(),
                    _ => None,
                };
                several.into_iter().flat_map(Map::values_mut).for_each(or_intrinsic);
                if key == "items" {
                    or_intrinsic(child);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(with_intrinsics),
        _ => {}
    }
}

fn or_intrinsic(schema: &mut Value) {
    if schema.is_object() {
        // A parameter's text may also replace a number.
        let number = (schema["type"] == "integer").then(|| json!({ "type": "string", "pattern": "^[0-9]+$" }));
        let allowed: Vec<_> =
            [json!({ "$ref": "#/definitions/Intrinsic" }), schema.take()].into_iter().chain(number).collect();
        *schema = json!({ "anyOf": allowed });
    }
}

fn intrinsic() -> Value {
    json!({
        "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false,
        "properties": { "Ref": {}, "Fn::GetAtt": {}, "Fn::Sub": {} },
    })
}

/// The resources' violations of their schemas.
fn findings(registry: &Registry, resources: &Map<String, Value>) -> Vec<String> {
    let mut findings = Vec::new();
    for (id, resource) in resources {
        let mut schema = registry.schema(resource["Type"].as_str().unwrap());
        with_intrinsics(&mut schema);
        if schema["definitions"].is_null() {
            schema["definitions"] = json!({});
        }
        schema["definitions"]["Intrinsic"] = intrinsic();
        // The registry's dialect is this draft under another name.
        schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
        let validator = jsonschema::options().build(&schema).unwrap();
        let empty = json!({});
        let properties = resource.get("Properties").unwrap_or(&empty);
        findings
            .extend(validator.iter_errors(properties).map(|error| format!("{id}{}: {error}", error.instance_path())));
        let read_only = schema["readOnlyProperties"].as_array().cloned().unwrap_or_default();
        for pointer in read_only.iter().filter_map(Value::as_str) {
            let name = pointer.trim_start_matches("/properties/");
            if properties.get(name).is_some() {
                findings.push(format!("{id}: {name} is read-only"));
            }
        }
    }
    findings
}

/// Every `Fn::GetAtt` of the value, those in texts too: resource and attribute.
fn attributes(value: &Value, found: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Object(map) => {
            if let Some([id, attribute]) = map.get("Fn::GetAtt").and_then(Value::as_array).map(Vec::as_slice) {
                found.insert((id.as_str().unwrap().to_owned(), attribute.as_str().unwrap().to_owned()));
            }
            if let Some(text) = map.get("Fn::Sub").and_then(Value::as_str) {
                let names = text.split("${").skip(1).filter_map(|piece| piece.split_once('}')?.0.split_once('.'));
                found.extend(names.map(|(id, attribute)| (id.to_owned(), attribute.to_owned())));
            }
            map.values().for_each(|child| attributes(child, found));
        }
        Value::Array(list) => list.iter().for_each(|child| attributes(child, found)),
        _ => {}
    }
}

/// Resolves a schema's reference to a definition.
fn resolved<'s>(schema: &'s Value, whole: &'s Value) -> &'s Value {
    match schema["$ref"].as_str() {
        Some(reference) => whole.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Where a modelled type differs from the registry: names, required properties and allowed values.
fn disagreements(kind: &str, model: &Value, registry: &Value) -> Vec<String> {
    let properties = registry["properties"].as_object().unwrap();
    let read_only: BTreeSet<String> =
        texts(&registry["readOnlyProperties"]).iter().map(|path| path.replace("/properties/", "")).collect();
    let mut found = Vec::new();
    for (name, ours) in model["properties"].as_object().unwrap() {
        let Some(theirs) = properties.get(name) else {
            found.push(format!("{kind} has no {name}"));
            continue;
        };
        if read_only.contains(name) {
            found.push(format!("{kind}'s {name} is read-only"));
        }
        let choice = resolved(ours.get("items").unwrap_or(ours), model);
        let theirs = resolved(theirs.get("items").unwrap_or(theirs), registry);
        let unknown: Vec<_> = texts(&choice["enum"]).difference(&texts(&theirs["enum"])).copied().collect();
        if !unknown.is_empty() {
            found.push(format!("{kind}'s {name} can't be {unknown:?}"));
        }
    }
    let ours = texts(&model["required"]);
    found.extend(texts(&registry["required"]).difference(&ours).map(|name| format!("{kind} needs {name}")));
    found
}

#[test]
fn every_modelled_property_is_the_registrys() {
    let registry = Registry::of("us-east-1");
    let types = cfn::registry::TYPES;
    let modelled: BTreeSet<&str> = types.iter().map(|modelled| modelled.name).collect();
    let resources = evaluated(&EVERYTHING);
    let used: BTreeSet<&str> = resources.values().map(|resource| resource["Type"].as_str().unwrap()).collect();
    let missing: Vec<_> = used.difference(&modelled).copied().collect();
    assert_eq!(missing, ["AWS::CloudFormation::CustomResource"], "types that the list lacks");

    let mut count = 0;
    for modelled in types {
        let schema = (modelled.schema)();
        let model = schema.as_value();
        let schema = registry.schema(modelled.name);
        assert_eq!(disagreements(modelled.name, model, &schema), Vec::<String>::new());
        let create_only: Vec<_> =
            texts(&schema["createOnlyProperties"]).iter().map(|path| path.replace("/properties/", "")).collect();
        assert_eq!(modelled.create_only, create_only, "{}", modelled.name);
        count += model["properties"].as_object().unwrap().len();

        let mut misspelt = model.clone();
        misspelt["properties"]["Misspelt"] = json!(true);
        misspelt["required"] = json!([]);
        let expected = 1 + schema["required"].as_array().map_or(0, Vec::len);
        assert_eq!(disagreements(modelled.name, &misspelt, &schema).len(), expected, "{}", modelled.name);
    }
    assert!(count > 80, "only {count} properties");
}

#[test]
fn every_resource_fits_its_schema() {
    for region in ["us-east-1", "eu-central-1", "ap-southeast-2"] {
        let registry = Registry::of(region);
        for parameters in [&[][..], &EVERYTHING] {
            let resources = evaluated(parameters);
            assert!(resources.len() > 40, "only {} resources", resources.len());
            let findings = findings(&registry, &resources);
            assert!(findings.is_empty(), "{region}: {findings:#?}");
        }
    }
}

#[test]
fn schema_violations_are_found() {
    let registry = Registry::of("us-east-1");
    let resources = evaluated(&[]);
    let mistakes: [(&str, &str, Value); 5] = [
        ("OutputBucket", "Versioning", json!({ "Status": "Enabled" })),
        ("OutputBucket", "VersioningConfiguration", json!({ "Status": "On" })),
        ("GitPullFunction", "MemorySize", json!("much")),
        ("GitPullQueue", "Arn", json!("arn:aws:sqs:::x")),
        ("GitPullFunction", "Role", Value::Null),
    ];
    for (id, property, value) in mistakes {
        let mut resources = resources.clone();
        let properties = resources[id]["Properties"].as_object_mut().unwrap();
        if value.is_null() {
            properties.remove(property)
        } else {
            properties.insert(property.to_owned(), value)
        };
        let findings = findings(&registry, &resources);
        assert!(findings.iter().any(|finding| finding.starts_with(id)), "{id}.{property}: {findings:?}");
    }
}

#[test]
fn every_attribute_that_is_read_exists() {
    let registry = Registry::of("us-east-1");
    let resources = evaluated(&EVERYTHING);
    let mut read = BTreeSet::new();
    resources.values().for_each(|resource| attributes(resource, &mut read));
    assert!(read.len() > 15, "{read:?}");
    for (id, attribute) in read {
        let kind = resources[&id]["Type"].as_str().unwrap();
        // A custom resource's attributes are defined by its function.
        if kind == "AWS::CloudFormation::CustomResource" {
            continue;
        }
        let schema = registry.schema(kind);
        assert!(schema["properties"].get(&attribute).is_some(), "{kind} has no attribute {attribute}");
    }
}

#[test]
fn existing_type_is_never_called_misspelt() {
    use infra::check::{Rules, check};
    let registry = Registry::of("us-east-1");
    let kinds: Vec<&String> = registry.types.as_object().unwrap().keys().collect();
    assert!(kinds.len() > 1_500, "only {} types", kinds.len());
    let resources: Map<_, _> =
        kinds.iter().enumerate().map(|(number, kind)| (format!("R{number}"), json!({ "Type": kind }))).collect();
    let rules = Rules::embedded().unwrap();
    let one = Rules::new(rules.iter().take(1).cloned()).unwrap();
    // The model has almost all types of the rules; the others come from the rules.
    for rules in [one, rules] {
        let findings = check(&json!({ "Resources": resources }).into(), &rules).unwrap().findings;
        let misspelt: Vec<_> = findings.iter().filter(|finding| finding.rule == "cloudformation/types").collect();
        assert!(misspelt.is_empty(), "{misspelt:#?}");
    }
}
