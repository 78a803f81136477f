//! What a deployment would do, as far as reading can tell. A change set would be more exact, but
//! needs the code in a bucket and a stack, which a preview must not create.

use std::collections::BTreeMap;

use serde::Serialize;

use super::settings::{Change, NOT_SET, Settings};
use super::{DeployError, Deployment, FILLED, Standing, Template, git_hosts, stack, tags};
use crate::account::Account;
use crate::diff::{self, Diff};
use crate::render::shown::Shown;
use crate::render::table::{Align, Table};

/// What a deployment would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// The stack's name.
    pub stack: String,
    /// Whether the stack would be created.
    pub creates: bool,
    /// The status of the remains of a stack that was never created wholly, which would be deleted
    /// first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remains: Option<String>,
    /// How many resources of each type a new stack would have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub resources: BTreeMap<String, usize>,
    /// How an existing stack would change, with its parameters evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Diff>,
    /// What happens to a bucket that the stack would import, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub import: Vec<String>,
    /// The parameters.
    #[serde(flatten)]
    pub settings: Settings,
    /// The hosts to fetch from, in words.
    pub hosts: Vec<String>,
    /// The tags that the stack would get, or lose if without a value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, Option<String>>,
}

/// Makes a preview. Only reads. `standing` was read and checked by [`super::examine`].
///
/// # Errors
/// The deployed template can't be read.
pub async fn preview(account: &Account, deployment: &Deployment, standing: &Standing) -> Result<Preview, DeployError> {
    let call = |source| DeployError::Call { stack: deployment.stack_name.clone(), source };
    let settings = standing.settings(deployment);
    let new = evaluated(&deployment.template, &settings);
    let hosts = git_hosts::in_words(&settings);
    let mut preview = Preview {
        stack: deployment.stack_name.clone(),
        creates: !standing.exists(),
        remains: standing.remains.as_ref().map(|remains| remains.status.as_str().to_owned()),
        resources: BTreeMap::new(),
        changes: None,
        import: Vec::new(),
        settings,
        hosts,
        tags: standing.tags(deployment),
    };
    let Some(existing) = &standing.existing else {
        for resource in new.value()["Resources"].as_object().into_iter().flat_map(|resources| resources.values()) {
            *preview.resources.entry(resource["Type"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        return Ok(preview);
    };
    let text = stack::template(account, &existing.id).await.map_err(call)?.unwrap_or_default();
    let unreadable = |why: String| DeployError::Refused {
        stack: deployment.stack_name.clone(),
        reason: format!("the deployed template can't be read: {why}"),
    };
    let old = Template::parse(text).map_err(|error| unreadable(contract::error_chain(&error)))?;
    let kept = Settings::kept(&old, &existing.parameters);
    preview.changes = Some(Diff::between(&evaluated(&old, &kept), &new));
    Ok(preview)
}

/// Evaluates the template with its parameters, to show what a changed one does to a resource. A
/// secret is only present or not; what can't be evaluated stays as written.
fn evaluated(template: &Template, settings: &Settings) -> Template {
    let mut values: BTreeMap<_, _> = FILLED.iter().map(|name| ((*name).to_owned(), "filled".to_owned())).collect();
    values.extend(settings.parameters.iter().map(|setting| {
        let value = match setting.new.as_str() {
            value if !setting.secret => value,
            NOT_SET => "",
            _ => "(secret)",
        };
        (setting.name.clone(), value.to_owned())
    }));
    cfn::evaluate(template.value(), &values).map_or_else(|_| template.clone(), Template::from)
}

impl Preview {
    /// Adds what happens to a bucket that the stack would import.
    #[must_use]
    pub fn importing(self, import: Vec<String>) -> Self {
        Self { import, ..self }
    }

    /// Whether nothing would change, as far as known.
    pub fn is_empty(&self) -> bool {
        let same = self.changes.as_ref().is_some_and(Diff::is_empty);
        !self.creates && same && self.tags.is_empty() && self.settings.changed().next().is_none()
    }

    /// Whether secrets may change: one was given, and AWS doesn't say whether it differs.
    pub fn may_change_secrets(&self) -> bool {
        self.settings.parameters.iter().any(|setting| setting.change == Change::Unknown)
    }

    /// The preview as text, without the parameters.
    pub fn shown(&self) -> Shown {
        let mut shown = Shown::default();
        if let Some(status) = &self.remains {
            shown
                .add(&format!("stack {} was never created ({status}): the remains would be deleted first", self.stack));
            shown.end_line();
        }
        if self.creates {
            let count: usize = self.resources.values().sum();
            let mut table = Table::new([("Count", Align::Right), ("Type", Align::Left)]);
            for (kind, count) in &self.resources {
                table.row([count.to_string(), kind.clone()]);
            }
            shown.add(&format!("stack {} would be created, with {count} resources:", self.stack));
            shown.end_line();
            shown.append(&table.render());
        }
        if let Some(changes) = self.changes.as_ref().filter(|changes| !changes.is_empty()) {
            shown.append(&diff::text(changes));
        }
        for host in &self.hosts {
            shown.add(&format!("may be fetched from: {host}"));
            shown.end_line();
        }
        for tag in tags::in_words(&self.tags) {
            shown.add(&tag);
            shown.end_line();
        }
        shown
    }
}
