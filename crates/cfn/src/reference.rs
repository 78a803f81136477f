//! The names that a part of a template mentions: resources, parameters and conditions.

use serde_json::Value as Json;

/// A name that a part of a template mentions.
pub(crate) enum Reference {
    Resource(String),
    Any(String),
    Condition(String),
}

impl Reference {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Resource(name) | Self::Any(name) | Self::Condition(name) => name,
        }
    }
}

/// The names that an entry mentions outside its properties.
pub(crate) fn attributes(entry: &Json) -> Vec<(&'static str, Reference)> {
    // A single ID needs no list.
    let (one, several) = (entry["DependsOn"].as_str(), entry["DependsOn"].as_array());
    let after = one.into_iter().chain(several.into_iter().flatten().filter_map(Json::as_str));
    let mut found: Vec<_> = after.map(|id| ("DependsOn", Reference::Resource(id.to_owned()))).collect();
    let condition = entry["Condition"].as_str().map(|name| ("Condition", Reference::Condition(name.to_owned())));
    found.extend(condition);
    found
}

/// The names that `value` itself mentions, without its children.
pub(crate) fn references(value: &Json) -> Vec<Reference> {
    let Some((key, argument)) = value.as_object().and_then(|map| map.iter().next()) else { return Vec::new() };
    let first = || argument.get(0).and_then(Json::as_str).map(str::to_owned);
    match key.as_str() {
        "Ref" => argument.as_str().map(|name| Reference::Any(name.to_owned())).into_iter().collect(),
        "Fn::GetAtt" => {
            let short = || argument.as_str().and_then(|path| path.split('.').next()).map(str::to_owned);
            first().or_else(short).map(Reference::Resource).into_iter().collect()
        }
        "Fn::If" => first().map(Reference::Condition).into_iter().collect(),
        "Fn::Sub" => {
            let text = argument.as_str().map(str::to_owned).or_else(first).unwrap_or_default();
            let own = |name: &str| argument.get(1).is_some_and(|variables| variables.get(name).is_some());
            let names = placeholders(&text).filter(|name| !own(name));
            names
                .map(|name| match name.split_once('.') {
                    Some((id, _)) => Reference::Resource(id.to_owned()),
                    None => Reference::Any(name.to_owned()),
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The names between `${` and `}`, without the escaped ones (`${!`).
pub(crate) fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let pieces = text.split("${").skip(1);
    pieces.filter_map(|piece| piece.split_once('}')).map(|(name, _)| name).filter(|name| !name.starts_with('!'))
}
