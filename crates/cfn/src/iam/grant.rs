//! The reason for a right and the evidence that it is needed. Each grant states both, so there is
//! no right without them. They are part of [`Template`](crate::Template), but not of its text.

use serde_json::Value as Json;

use super::{Action, Statement};
use crate::{
    sub,
    value::{Expression, Value},
};

/// The evidence that a right is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// The name of a scenario that fails without the right.
    Scenario(&'static str),
    /// The AWS documentation page that requires it: for rights that a service uses in the role's
    /// name, not a function of the stack.
    Documented(&'static str),
}

/// Actions that are granted on one resource.
#[derive(Debug, Clone)]
pub struct Grant {
    reason: &'static str,
    needed: Vec<(Action, Evidence)>,
}

impl Grant {
    /// Actions granted for this reason, and what fails without each of them.
    pub fn because(reason: &'static str, evidence: Evidence, actions: &[Action]) -> Self {
        Self { reason, needed: Vec::new() }.and(evidence, actions)
    }

    /// Adds actions with the same reason and other evidence.
    #[must_use]
    pub fn and(mut self, evidence: Evidence, actions: &[Action]) -> Self {
        self.needed.extend(actions.iter().map(|action| (*action, evidence)));
        self
    }

    /// The statement that grants it.
    pub(super) fn statement(&self, sid: &str, resource: Value<String>) -> Statement {
        let actions: Vec<_> = self.needed.iter().map(|(action, _)| *action).collect();
        Statement::allow(sid, &actions, vec![resource])
    }

    /// The rights that it gives the role with that logical ID.
    pub(super) fn rights(&self, role: &str, resource: &Value<String>) -> impl Iterator<Item = Right> {
        let resource = match sub::<String>([resource.into()]).expression {
            Expression::Literal(Json::String(text)) | Expression::Sub(text, _) => text,
            other => format!("{other:?}"),
        };
        self.needed.iter().map(move |(action, evidence)| Right {
            role: role.to_owned(),
            resource: resource.clone(),
            action: action.name(),
            reason: self.reason,
            evidence: *evidence,
        })
    }
}

/// A right of a role: one action on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// The role's logical ID.
    pub role: String,
    /// The resource, as in `Fn::Sub`.
    pub resource: String,
    /// The action.
    pub action: String,
    /// Why it is granted.
    pub reason: &'static str,
    /// The evidence that it is needed.
    pub evidence: Evidence,
}
