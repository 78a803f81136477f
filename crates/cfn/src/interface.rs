//! How the console groups the parameters:
//! [`AWS::CloudFormation::Interface`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-interface.html).

use serde_json::{Value as Json, json};

/// A group of parameters, with a label for each.
#[derive(Debug, Clone)]
pub struct Group {
    /// The group's title.
    pub title: &'static str,
    /// Parameters and their labels.
    pub parameters: &'static [(&'static str, &'static str)],
}

pub(crate) fn interface(groups: &[Group]) -> Json {
    let labels = groups.iter().flat_map(|group| group.parameters);
    json!({
        "ParameterGroups": groups.iter().map(|group| json!({
            "Label": { "default": group.title },
            "Parameters": group.parameters.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "ParameterLabels": labels
            .map(|(name, label)| ((*name).to_owned(), json!({ "default": label })))
            .collect::<serde_json::Map<_, _>>(),
    })
}
