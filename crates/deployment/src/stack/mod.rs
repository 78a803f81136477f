//! The stack, in the order of a push: endpoint, queue, worker, storage; besides these the keys, and
//! what happens at the stack's creation and deletion.

mod accepted;
mod alarms;
mod endpoint;
mod function;
mod keys;
mod lifecycle;
mod network;
mod outputs;
mod parameters;
mod queues;
mod reconciler;
mod side;
mod storage;
mod workers;

use cfn::{Stack, Template, TemplateError};

use crate::package::Manifest;
use function::Functions;
use parameters::Parameters;
use workers::Surroundings;

/// The `Description` of the template.
const DESCRIPTION: &str =
    concat!("git2s3 ", env!("CARGO_PKG_VERSION"), ": a push to a Git repository becomes a zip of it in an S3 bucket");

/// The template, for the functions that `assets` lists; without it, for zips named after the
/// functions.
///
/// # Errors
/// The stack breaks a rule of CloudFormation, which is a bug in this module.
pub fn template(assets: Option<&Manifest>) -> Result<Template, TemplateError> {
    let mut stack = Stack::new(DESCRIPTION);
    let parameters = Parameters::add(&mut stack);
    let functions = Functions::new(&parameters, assets);

    let storage = storage::add(&mut stack, &parameters);
    let cleaner = lifecycle::add(&mut stack, &functions, &storage);
    let keys = keys::add(&mut stack, &functions, &parameters, &storage, &cleaner)?;
    let queues = queues::add(&mut stack, workers::TIMEOUTS);
    let surroundings =
        Surroundings { parameters: &parameters, queues: &queues, keys: &keys, storage: &storage, cleaner: &cleaner };
    let workers = workers::add(&mut stack, &functions, &surroundings);
    let endpoint = endpoint::add(&mut stack, &functions, &parameters, &queues);
    let reconciler = reconciler::add(&mut stack, &functions, &surroundings, &workers, &endpoint);
    alarms::add(&mut stack, &parameters, &endpoint, &queues, &workers, &reconciler);
    outputs::add(&mut stack, &endpoint, &keys, &storage);
    accepted::add(&mut stack);
    stack.template()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const WEB_ACL: &str =
        "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/git2s3/01234567-89ab-cdef-0123-4567890890ab";

    #[test]
    fn the_whole_template() {
        insta::assert_snapshot!(template(None).unwrap().to_yaml());
    }

    #[test]
    fn same_input_gives_identical_template() {
        assert_eq!(template(None).unwrap().text(), template(None).unwrap().text());
    }

    #[test]
    fn both_forms_say_the_same() {
        let template = template(None).unwrap();
        let yaml: serde_json::Value = serde_yaml_ng::from_str(&template.to_yaml()).unwrap();
        assert_eq!(yaml, *template.value());
        assert_eq!(serde_json::from_str::<serde_json::Value>(template.text()).unwrap(), yaml);
    }

    /// The logical IDs that exist for these parameters.
    fn resources(parameters: &[(&str, &str)]) -> Vec<String> {
        let required = ("QSS3BucketName", "assets");
        let chosen = parameters.iter().chain([&required]);
        let chosen: BTreeMap<_, _> = chosen.map(|&(name, value)| (name.into(), value.into())).collect();
        let template = cfn::evaluate(&template(None).unwrap().into_value(), &chosen).unwrap();
        template["Resources"].as_object().unwrap().keys().cloned().collect()
    }

    /// A text with lines as short as those of certificates, since each line end takes two bytes of
    /// an environment.
    fn text(length: usize) -> String {
        format!("{}\n", "x".repeat(64)).repeat(length / 65 + 1)[..length].to_owned()
    }

    /// The size of each environment with parameters of maximum length, except these.
    fn environments(parameters: &[(&str, String)]) -> BTreeMap<String, usize> {
        let template = template(None).unwrap().into_value();
        let longest = |parameter: &serde_json::Value| {
            let allowed = parameter["AllowedValues"].as_array();
            let allowed =
                allowed.and_then(|values| values.iter().filter_map(serde_json::Value::as_str).max_by_key(|v| v.len()));
            let length = parameter["MaxLength"].as_u64().unwrap_or(128);
            allowed.map_or_else(|| text(usize::try_from(length).unwrap()), str::to_owned)
        };
        let known = template["Parameters"].as_object().unwrap();
        let mut chosen: BTreeMap<_, _> =
            known.iter().map(|(name, parameter)| (name.clone(), longest(parameter))).collect();
        chosen.extend(parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let template = cfn::evaluate(&template, &chosen).unwrap();
        let resources = template["Resources"].as_object().unwrap().iter();
        let lengths = resources.filter_map(|(id, resource)| {
            let variables = &resource["Properties"]["Environment"]["Variables"];
            (!variables.is_null()).then(|| (id.clone(), cfn::quota::environment(&template, variables)))
        });
        lengths.collect()
    }

    #[test]
    fn environment_with_longest_parameters_fits() {
        let both = |bytes: usize| [("KnownHosts", text(bytes / 2)), ("CaBundle", text(bytes / 2))];
        let way = |way: &str| ("FetchOver", way.to_owned());
        let without_app = ("GitHubAppId", String::new());
        let plain = [way("ssh"), without_app.clone()];
        let with_lfs = [&both(1750)[..], &[("Lfs", "on".to_owned()), way("ssh"), without_app.clone()]].concat();
        let with_https = [&both(1550)[..], &[way("https"), without_app]].concat();
        let with_app = [&both(1250)[..], &[way("https")]].concat();
        let with_statuses = [&both(1100)[..], &[way("https"), ("CommitStatus", "on".to_owned())]].concat();
        for parameters in [&plain[..], &with_lfs, &with_https, &with_app, &with_statuses] {
            let environments = environments(parameters);
            assert_eq!(environments.len(), 5);
            let fit = environments.values().all(|bytes| *bytes <= cfn::quota::ENVIRONMENT_BYTES);
            assert!(fit, "{environments:?}");
        }
    }

    /// The difference between the stack with these parameters and the default one.
    fn difference(parameters: &[(&str, &str)]) -> String {
        let evaluated = |parameters: &[(&str, &str)]| {
            let chosen = parameters.iter().chain([&("QSS3BucketName", "assets")]);
            let chosen: BTreeMap<_, _> = chosen.map(|&(name, value)| (name.into(), value.into())).collect();
            let mut template = cfn::evaluate(&template(None).unwrap().into_value(), &chosen).unwrap();
            template.as_object_mut().unwrap().retain(|section, _| section == "Resources" || section == "Outputs");
            Template::from(template)
        };
        let diff = crate::diff::Diff::between(&evaluated(&[]), &evaluated(parameters));
        crate::diff::text(&diff).plain()
    }

    #[test]
    fn with_a_domain() {
        insta::assert_snapshot!(difference(&[("CustomDomainName", "git.example.com")]));
    }

    #[test]
    fn with_a_network() {
        insta::assert_snapshot!(difference(&[("VPCId", "vpc-1"), ("SubnetIds", "subnet-1,subnet-2")]));
    }

    #[test]
    fn only_https_lets_gitpull_read_tokens() {
        insta::assert_snapshot!(difference(&[("FetchOver", "https")]));
    }

    #[test]
    fn statuses_let_gitpull_read_tokens() {
        insta::assert_snapshot!(difference(&[("CommitStatus", "on")]));
    }

    #[test]
    fn with_an_address_for_alarms() {
        insta::assert_snapshot!(difference(&[("AlarmEmail", "platform@example.com")]));
    }

    /// The lifecycle rules of the output bucket.
    fn lifecycle(parameters: &[(&str, &str)]) -> serde_json::Value {
        let chosen = parameters.iter().chain([&("QSS3BucketName", "assets")]);
        let chosen: BTreeMap<_, _> = chosen.map(|&(name, value)| (name.into(), value.into())).collect();
        let template = cfn::evaluate(&template(None).unwrap().into_value(), &chosen).unwrap();
        template["Resources"]["OutputBucket"]["Properties"]["LifecycleConfiguration"]["Rules"].clone()
    }

    #[test]
    fn replaced_versions_expire_only_when_asked() {
        let expires = |expiration: serde_json::Value| serde_json::json!({ "Id": "ExpireNoncurrentVersions", "Status": "Enabled", "NoncurrentVersionExpiration": expiration });
        assert_eq!(lifecycle(&[]).as_array().unwrap().len(), 1);
        let days = serde_json::json!({ "NoncurrentDays": "30" });
        assert_eq!(lifecycle(&[("NoncurrentDays", "30")])[1], expires(days));
        let both = serde_json::json!({ "NoncurrentDays": "30", "NewerNoncurrentVersions": "5" });
        let chosen = [("NoncurrentDays", "30"), ("NewerNoncurrentVersions", "5")];
        assert_eq!(lifecycle(&chosen)[1], expires(both));
    }

    #[test]
    fn zips_of_commits_expire_by_tag() {
        let rules = lifecycle(&[("KeepCommits", "30")]);
        let expire = serde_json::json!({
            "Id": "Expire-git2s3-commit", "Status": "Enabled", "ExpirationInDays": "30",
            "TagFilters": [{ "Key": "git2s3", "Value": "commit" }],
            "NoncurrentVersionExpiration": { "NoncurrentDays": 1 },
        });
        assert_eq!(rules[1], expire);
        assert_eq!(rules[2]["ExpiredObjectDeleteMarker"], true);
        assert_eq!(rules.as_array().unwrap().len(), 3);
    }

    #[test]
    fn deleted_references_zips_are_hidden_first() {
        let hide = |days: &str| {
            serde_json::json!({
                "Id": "Hide-git2s3-deleted", "Status": "Enabled", "ExpirationInDays": 1,
                "TagFilters": [{ "Key": "git2s3", "Value": "deleted" }],
                "NoncurrentVersionExpiration": { "NoncurrentDays": days },
            })
        };
        let rules = lifecycle(&[("DeletedReferences", "30")]);
        assert_eq!((&rules[1], &rules[2]["ExpiredObjectDeleteMarker"]), (&hide("30"), &true.into()));
        let both = lifecycle(&[("DeletedReferences", "30"), ("KeepCommits", "7")]);
        assert_eq!(
            (&both[1]["ExpirationInDays"], &both[2], both.as_array().unwrap().len()),
            (&"7".into(), &hide("30"), 4)
        );
        for unexpiring in ["keep", "mark"] {
            assert_eq!(lifecycle(&[("DeletedReferences", unexpiring)]).as_array().unwrap().len(), 1, "{unexpiring}");
        }
    }

    #[test]
    fn every_role_has_boundary_and_path() {
        let boundary = "arn:aws:iam::123456789012:policy/developers";
        let chosen = [("PermissionsBoundary", boundary), ("RolePath", "/delivery/"), ("QSS3BucketName", "assets")];
        let check = |chosen: &[(&str, &str)], expected: (Option<&str>, &str)| {
            let chosen = chosen.iter().map(|&(name, value)| (name.into(), value.into())).collect();
            let template = cfn::evaluate(&template(None).unwrap().into_value(), &chosen).unwrap();
            let roles = template["Resources"].as_object().unwrap().values();
            let roles: Vec<_> = roles.filter(|resource| resource["Type"] == "AWS::IAM::Role").collect();
            assert!(roles.len() >= 6);
            for role in roles {
                let properties = &role["Properties"];
                let bound = properties["PermissionsBoundary"].as_str();
                assert_eq!((bound, properties["Path"].as_str().unwrap()), expected, "{role}");
            }
        };
        check(&chosen, (Some(boundary), "/delivery/"));
        check(&chosen[2..], (None, "/"));
    }

    #[test]
    fn boundary_and_path_patterns_follow_iam() {
        let parameters = template(None).unwrap().into_value()["Parameters"].clone();
        let check = |name: &str, value: &str, expected: bool| {
            let schema = serde_json::json!({ "pattern": parameters[name]["AllowedPattern"], "maxLength": parameters[name]["MaxLength"] });
            assert_eq!(jsonschema::is_valid(&schema, &value.into()), expected, "{name}: {value}");
        };
        for arn in [
            "",
            "arn:aws:iam::123456789012:policy/developers",
            "arn:aws-cn:iam::123456789012:policy/teams/platform/may+do=x,y.z@a-b_c",
            "arn:aws-us-gov:iam::aws:policy/PowerUserAccess",
        ] {
            check("PermissionsBoundary", arn, true);
        }
        for other in [
            "developers",
            "arn:aws:iam::123456789012:role/developers",
            "arn:aws:iam::123456789012:policy/",
            "arn:aws:iam::1234:policy/developers",
            "arn:aws:iam::123456789012:policy/two words",
        ] {
            check("PermissionsBoundary", other, false);
        }
        for path in ["/", "/delivery/", "/a/b-c/d_e/", &format!("/{}/", "a".repeat(510))] {
            check("RolePath", path, true);
        }
        for other in ["", "delivery", "/delivery", "delivery/", "/two words/", &format!("/{}/", "a".repeat(511))] {
            check("RolePath", other, false);
        }
    }

    #[test]
    fn with_a_web_acl() {
        insta::assert_snapshot!(difference(&[("WebAclArn", WEB_ACL)]));
    }

    #[test]
    fn only_regional_web_acl_is_accepted() {
        let template = template(None).unwrap().into_value();
        let pattern = template["Parameters"]["WebAclArn"]["AllowedPattern"].as_str().unwrap();
        let schema = serde_json::json!({ "type": "string", "pattern": pattern });
        let fits = |arn: &str| jsonschema::is_valid(&schema, &arn.into());
        assert!(fits("") && fits(WEB_ACL) && fits(&WEB_ACL.replace("aws:", "aws-cn:")));
        // For CloudFront, of WAF Classic, a rule group, two ARNs, and one with a suffix.
        for (part, other) in [
            ("regional", "global"),
            (":wafv2:", ":waf-regional:"),
            ("webacl", "rulegroup"),
            ("arn:aws:", "arn:aws:x,arn:aws:"),
            ("890ab", "890ab/x"),
        ] {
            let arn = WEB_ACL.replace(part, other);
            assert!(arn != WEB_ACL && !fits(&arn), "{arn}");
        }
    }

    #[test]
    fn optional_resources_exist_only_when_requested() {
        let plain = resources(&[]);
        let more = |parameters| -> Vec<String> {
            resources(parameters).into_iter().filter(|id| !plain.contains(id)).collect()
        };
        assert_eq!(more(&[("CustomDomainName", "git.example.com")]), ["Certificate", "DomainName", "BasePathMapping"]);
        let network = ["NetworkInterfaces", "WorkerSecurityGroup"];
        assert_eq!(more(&[("VPCId", "vpc-1"), ("SubnetIds", "subnet-1,subnet-2")]), network);
        let topic = ["AlarmTopicKey", "AlarmTopic", "AlarmTopicPolicy", "AlarmSubscription"];
        assert_eq!(more(&[("AlarmEmail", "platform@example.com")]), topic);
        assert_eq!(more(&[("WebAclArn", WEB_ACL)]), ["WebAclAssociation"]);
    }
}
