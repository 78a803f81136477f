//! The rights of the deployed roles: in the template and in the account.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use infra::review::rights::{self, Evidence};
use local::decisions::Decision;
use local::roles::{self, InlinePolicy};
use serde_json::{Value, json};

use crate::stage::Stage;

/// A right: one action on one resource.
#[derive(Clone)]
pub(crate) struct Granted {
    /// The role's logical ID.
    pub(crate) role: String,
    /// The action.
    pub(crate) action: String,
    /// The resource in `Fn::Sub` syntax.
    pub(crate) resource: String,
    /// The resource in the account, which may be a pattern.
    pub(crate) arn: String,
    /// The policy that contains it.
    pub(crate) policy: InlinePolicy,
    /// What shows that it is needed.
    pub(crate) evidence: Evidence,
}

impl Granted {
    /// All rights of all roles.
    pub(crate) async fn all(stage: &Stage) -> Result<Vec<Self>> {
        let template = stage.template()?;
        let granted = deployment::stack::template(None)?;
        let mut all = Vec::new();
        for role in roles_of(&template) {
            for policy in policies(&template, role) {
                let name = policy["PolicyName"].as_str().context("a policy has no name")?;
                let live = InlinePolicy::get(stage.account(), stage.id(role)?, name).await?;
                let statement = &live.document["Statement"][0];
                let (actions, arns) = (roles::actions(statement), roles::resources(statement));
                let written = sub(&policy["PolicyDocument"]["Statement"][0]["Resource"][0]);
                let [arn] = arns.as_slice() else { anyhow::bail!("{name} of {role} is on several resources") };
                for action in actions {
                    let right = granted
                        .rights()
                        .iter()
                        .find(|right| right.role == role && right.resource == written && right.action == action);
                    let right = right.with_context(|| format!("nobody granted {role} {action} on {written}"))?;
                    let (role, resource, arn) = (role.to_owned(), written.clone(), arn.clone());
                    all.push(Self { role, action, resource, arn, policy: live.clone(), evidence: right.evidence });
                }
            }
        }
        let known = rights::of_roles(&template);
        let known: BTreeSet<_> = known.iter().map(|right| (&*right.who, &*right.action, &*right.resource)).collect();
        let read = all.iter().map(|right| (&*right.role, &*right.action, &*right.resource)).collect();
        anyhow::ensure!(known == read, "the account has other rights than the template: {known:#?} {read:#?}");
        Ok(all)
    }

    /// Whether a decision was about this right.
    pub(crate) fn decided(&self, decision: &Decision) -> bool {
        let is_on = |pattern: &str, arn: &str| match pattern.strip_suffix('*') {
            Some(beginning) => arn.starts_with(beginning),
            None => arn == pattern,
        };
        decision.role == self.policy.role && decision.action == self.action && is_on(&self.arn, &decision.resource)
    }
}

impl std::fmt::Display for Granted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} on {}", self.role, self.action, self.resource)
    }
}

fn roles_of(template: &Value) -> impl Iterator<Item = &str> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    resources.filter(|(_, resource)| resource["Type"] == "AWS::IAM::Role").map(|(id, _)| id.as_str())
}

/// The policies of a role: inline ones and separate resources.
fn policies<'t>(template: &'t Value, role: &str) -> Vec<&'t Value> {
    let inline = template["Resources"][role]["Properties"]["Policies"].as_array().into_iter().flatten();
    let resources = template["Resources"].as_object().into_iter().flat_map(serde_json::Map::values);
    let own = resources.filter(|resource| resource["Type"] == "AWS::IAM::Policy").map(|policy| &policy["Properties"]);
    let is_of_role =
        |policy: &&Value| policy["Roles"].as_array().is_some_and(|roles| roles.contains(&json!({ "Ref": role })));
    inline.chain(own.filter(is_of_role)).collect()
}

/// A reference in `Fn::Sub` syntax.
fn sub(value: &Value) -> String {
    let reference = value["Ref"].as_str().map(|id| format!("${{{id}}}"));
    let attribute = value["Fn::GetAtt"].as_array();
    let attribute = attribute.map(|path| path.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("."));
    let attribute = attribute.map(|path| format!("${{{path}}}"));
    let text = value["Fn::Sub"].as_str().or(value.as_str()).map(str::to_owned);
    reference.or(attribute).or(text).unwrap_or_default()
}
