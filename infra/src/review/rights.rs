//! The rights of the stack's roles for readers: equal ones merged, each with its reason and the
//! evidence that it is needed.

use std::collections::{BTreeMap, BTreeSet};

pub use cfn::iam::Evidence;
use cfn::{Template, iam};
use serde_json::Value;

use deployment::diff::{Effect, Grant, grants};

/// The rights of one role on one resource.
#[derive(Debug)]
pub struct Right {
    /// The role's logical ID.
    pub role: String,
    /// The resource, as in `Fn::Sub`.
    pub resource: String,
    /// The actions.
    pub actions: Vec<String>,
    /// What has to hold, in words.
    pub conditions: Vec<String>,
    /// Why it was granted; empty if not given.
    pub reason: &'static str,
    /// The evidence that it is needed, if given.
    pub evidence: Option<Evidence>,
}

/// Every right of the stack's roles, one for each action and resource. A permissions boundary isn't
/// a right: it only restricts.
pub fn of_roles(template: &Value) -> Vec<Grant> {
    let is_role = |who: &str| template["Resources"][who]["Type"] == "AWS::IAM::Role";
    let is_right = |grant: &Grant| grant.effect == Effect::Allow && is_role(&grant.who);
    grants(template).into_iter().filter(is_right).collect()
}

/// The matrix: what the template's roles may do. Actions that are needed for the same reason are
/// one right.
pub fn matrix(template: &Template) -> Vec<Right> {
    type Row = (String, String, Vec<String>, Option<Evidence>, &'static str);
    let mut rows: BTreeMap<Row, Vec<String>> = BTreeMap::new();
    for Grant { who, action, resource, conditions, .. } in of_roles(template.value()) {
        let conditions = conditions.iter().map(ToString::to_string).collect();
        let said = |right: &&iam::Right| right.role == who && right.resource == resource && right.action == action;
        let granted = template.rights().iter().find(said);
        let (reason, evidence) = (granted.map_or("", |right| right.reason), granted.map(|right| right.evidence));
        rows.entry((who, resource, conditions, evidence, reason)).or_default().push(action);
    }
    let row = |((role, resource, conditions, evidence, reason), actions): (Row, Vec<String>)| Right {
        role,
        resource,
        actions,
        conditions,
        reason,
        evidence,
    };
    rows.into_iter().map(row).collect()
}

/// The rights in resource policies and trust policies.
pub fn others(template: &Value) -> Vec<Grant> {
    let holds = |who: &str| template["Resources"].get(who).is_some();
    grants(template).into_iter().filter(|grant| !holds(&grant.who)).collect()
}

/// Rights that are equal for several roles.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alike {
    /// The roles' logical IDs.
    pub roles: BTreeSet<String>,
    /// The resources: logical IDs, and [`OWN`] if each role has its own.
    pub resources: BTreeSet<String>,
    /// The actions.
    pub actions: BTreeSet<String>,
    /// What has to hold, in words.
    pub conditions: BTreeSet<String>,
    /// Why.
    pub reason: &'static str,
}

/// The prefix of resources of which each role has one: `GitPullLogGroup` is the own `LogGroup` of
/// `GitPullRole`.
pub const OWN: &str = "its own ";

/// The matrix in short form: first the rights that most roles share.
pub fn alike(template: &Template) -> Vec<Alike> {
    type Set = BTreeSet<String>;
    let mut whole: BTreeMap<(String, String, Set, &'static str), Set> = BTreeMap::new();
    for Right { role, resource, actions, conditions, reason, .. } in matrix(template) {
        whole.entry((role, resource, conditions.into_iter().collect(), reason)).or_default().extend(actions);
    }
    let mut by_role: BTreeMap<(String, Set, Set, &'static str), Set> = BTreeMap::new();
    for ((role, resource, conditions, reason), actions) in whole {
        by_role.entry((owned(&role, &resource), actions, conditions, reason)).or_default().insert(role);
    }
    let mut by_resource: BTreeMap<(Set, Set, Set, &'static str), Set> = BTreeMap::new();
    for ((resource, actions, conditions, reason), roles) in by_role {
        by_resource.entry((roles, actions, conditions, reason)).or_default().insert(resource);
    }
    let said =
        |((roles, actions, conditions, reason), resources)| Alike { roles, resources, actions, conditions, reason };
    let mut rights: Vec<_> = by_resource.into_iter().map(said).collect();
    rights.sort_by_key(|right| (std::cmp::Reverse(right.roles.len()), right.clone()));
    rights
}

/// The resource as the role sees it.
fn owned(role: &str, resource: &str) -> String {
    let name = named(resource);
    match name.strip_prefix(role.strip_suffix("Role").unwrap_or(role)) {
        Some(rest) if !rest.is_empty() => format!("{OWN}{rest}"),
        _ => name,
    }
}

/// A resource by its logical ID alone, where it is one of the stack's: `OutputBucket/*` for
/// `${OutputBucket.Arn}/*`.
pub fn named(resource: &str) -> String {
    let parts = resource.strip_prefix("${").and_then(|rest| rest.split_once('}'));
    match parts {
        Some((id, rest)) if !id.contains(':') => format!("{}{rest}", id.strip_suffix(".Arn").unwrap_or(id)),
        _ => resource.to_owned(),
    }
}

/// A resource policy or a role's trust policy in short form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Policy {
    /// The principal that is named.
    pub who: String,
    /// Allowed or denied.
    pub effect: Effect,
    /// The actions.
    pub actions: BTreeSet<String>,
    /// What has to hold, in words.
    pub conditions: BTreeSet<String>,
    /// The resources' logical IDs.
    pub resources: BTreeSet<String>,
}

/// [`others`] in short form: equal statements about several resources merged.
pub fn policies(template: &Value) -> Vec<Policy> {
    type Set = BTreeSet<String>;
    let mut whole: BTreeMap<(String, Effect, String, Set), Set> = BTreeMap::new();
    for Grant { who, effect, action, resource, conditions } in others(template) {
        let conditions = conditions.iter().map(ToString::to_string).collect();
        whole.entry((who, effect, named(&resource), conditions)).or_default().insert(action);
    }
    let mut alike: BTreeMap<(String, Effect, Set, Set), Set> = BTreeMap::new();
    for ((who, effect, resource, conditions), actions) in whole {
        alike.entry((who, effect, actions, conditions)).or_default().insert(resource);
    }
    let said = |((who, effect, actions, conditions), resources)| Policy { who, effect, actions, conditions, resources };
    alike.into_iter().map(said).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deployment::stack;

    #[test]
    fn subnet_description_names_needed_services() {
        let template = stack::template(None).unwrap().into_value();
        let description = template["Parameters"]["SubnetIds"]["Description"].as_str().unwrap();
        let names = [
            ("events", "EventBridge"),
            ("kms", "KMS"),
            ("s3", "S3"),
            ("secretsmanager", "Secrets Manager"),
            ("sqs", "SQS"),
        ];
        // Lambda handles logs and network interfaces itself, outside the VPC.
        let of_lambda = ["ec2", "logs"];
        for right in of_roles(&template) {
            let service = right.action.split(':').next().unwrap();
            if ["GitPullRole", "ZipDlRole"].contains(&right.who.as_str()) && !of_lambda.contains(&service) {
                let (_, name) = names.iter().find(|(of, _)| *of == service).unwrap();
                assert!(description.contains(name), "{service}: {description}");
            }
        }
    }

    #[test]
    fn rights_and_reasons_match_exactly() {
        let matrix = matrix(&stack::template(None).unwrap());
        assert!(matrix.len() > 30);
        for Right { role, resource, reason, evidence, .. } in matrix {
            assert!(!reason.is_empty() && evidence.is_some(), "nobody said why {role} has rights on {resource}");
        }
    }

    #[test]
    fn granted_rights_match_listed_evidence() {
        let template = stack::template(None).unwrap();
        let told = |right: &iam::Right| (right.role.clone(), right.resource.clone(), right.action.clone());
        let said: BTreeSet<_> = template.rights().iter().map(told).collect();
        assert_eq!(said.len(), template.rights().len(), "a right is granted twice");
        let granted = of_roles(template.value()).into_iter().map(|right| (right.who, right.resource, right.action));
        let granted: BTreeSet<_> = granted.collect();
        let unexplained: Vec<_> = granted.difference(&said).collect();
        assert!(unexplained.is_empty(), "nothing shows that these are needed: {unexplained:#?}");
        let gone: Vec<_> = said.difference(&granted).collect();
        assert!(gone.is_empty(), "the template doesn't have these: {gone:#?}");
    }

    #[test]
    fn documented_evidence_links_to_aws() {
        for right in stack::template(None).unwrap().rights() {
            if let Evidence::Documented(page) = right.evidence {
                assert!(page.starts_with("https://docs.aws.amazon.com/"), "{page}");
            }
        }
    }

    #[test]
    fn similar_rights_are_merged_without_loss() {
        let template = stack::template(None).unwrap();
        let alike = alike(&template);
        assert_eq!(alike[0].roles.len(), 6, "{:?}", alike[0]);
        assert_eq!(alike[0].resources, BTreeSet::from(["its own LogGroup".to_owned()]));
        let told = alike.iter().flat_map(|right| {
            right.roles.iter().flat_map(move |role| right.resources.iter().map(move |what| (role, what, right)))
        });
        let told: BTreeSet<_> = told
            .flat_map(|(role, what, right)| {
                right.actions.iter().map(move |action| (role.clone(), what.clone(), action))
            })
            .collect();
        let granted: Vec<_> = of_roles(template.value());
        let granted: BTreeSet<_> = granted
            .iter()
            .map(|right| (right.who.clone(), owned(&right.who, &right.resource), &right.action))
            .collect();
        assert_eq!(told, granted);
        assert!(alike.len() * 2 < granted.len(), "{} of {}", alike.len(), granted.len());
    }

    #[test]
    fn resource_shows_its_logical_id() {
        for (resource, expected) in [
            ("${OutputBucket.Arn}/*", "OutputBucket/*"),
            ("${ApiSecretValue}", "ApiSecretValue"),
            ("arn:${AWS::Partition}:s3:::a", "arn:${AWS::Partition}:s3:::a"),
            ("${AWS::StackName}-a", "${AWS::StackName}-a"),
            ("*", "*"),
        ] {
            assert_eq!(named(resource), expected);
        }
        assert_eq!(owned("GitPullRole", "${GitPullQueue.Arn}"), "its own Queue");
        assert_eq!(owned("WebhookRole", "${GitPullQueue.Arn}"), "GitPullQueue");
    }

    #[test]
    fn each_role_trusts_one_service() {
        let trusted = trusted();
        assert_eq!(trusted.len(), 7, "{trusted:?}");
        for (role, services) in trusted {
            let expected = if role == "ApiLogRole" { "apigateway.amazonaws.com" } else { "lambda.amazonaws.com" };
            assert_eq!(services, [expected], "{role}");
        }
    }

    #[test]
    fn only_the_boundary_takes_away() {
        let template = stack::template(None).unwrap().into_value();
        let denied = grants(&template).into_iter().filter(|grant| grant.effect == Effect::Deny);
        let of_roles = denied.filter(|grant| template["Resources"][&grant.who]["Type"] == "AWS::IAM::Role");
        let told: BTreeSet<_> = of_roles.map(|grant| format!("{} {}", grant.action, grant.resource)).collect();
        assert_eq!(told.into_iter().collect::<Vec<_>>(), ["whatever is not in ${PermissionsBoundary}"]);
    }

    /// Who may assume which role.
    fn trusted() -> BTreeMap<String, Vec<String>> {
        let template = stack::template(None).unwrap().into_value();
        let mut trusted: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for Grant { who, action, resource, .. } in grants(&template) {
            let role = resource.trim_start_matches("${").trim_end_matches('}');
            if template["Resources"][role]["Type"] == "AWS::IAM::Role" {
                assert_eq!(action, "sts:AssumeRole", "{who} on {role}");
                trusted.entry(role.to_owned()).or_default().push(who);
            }
        }
        trusted
    }
}
