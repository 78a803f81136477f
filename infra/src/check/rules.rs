//! The rules: one per file, named like its file. So it can be checked which rules were evaluated.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use super::scope::Scope;

/// Name (`<service>/<rule>`) and text of every rule in `policy/` when this was built.
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Folder of the file below `policy/`: the AWS service, in lower case.
    pub service: String,
    /// The file's name without `.guard`, and the rule's name inside it; unique among all services.
    pub name: String,
    /// The file's content, in the language of cfn-guard 3.
    pub text: String,
}

impl Rule {
    /// The rule's ID in findings: `<service>/<rule>`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.service, self.name)
    }

    /// The reason for the rule: the comment at the beginning of its file.
    pub fn description(&self) -> String {
        let head = self.text.lines().map_while(|line| line.strip_prefix('#')).map(str::trim);
        head.filter(|line| !line.starts_with("Scope:")).collect::<Vec<_>>().join(" ")
    }
}

/// Rules, at least one, no two of the same name.
#[derive(Debug, Clone)]
pub struct Rules(BTreeMap<String, Rule>);

/// Why there are no rules to check with.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A folder or file can't be read.
    #[error("can't read {}", path.display())]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// No rule at all: a check without rules would pass everything.
    #[error("no rule found: expected <service>/<rule>.guard")]
    None,
    /// Two services have a rule of that name; reports could not tell them apart.
    #[error("rule {0} is there twice")]
    Twice(String),
    /// A rule would check a property that it isn't shown.
    #[error("rule {rule} reads Properties.{property}, which its `# Scope:` leaves out")]
    Unseen {
        /// The rule's ID.
        rule: String,
        /// The property, or `*`.
        property: String,
    },
}

impl Rules {
    /// The rules of `policy/` that were built in.
    pub fn embedded() -> Result<Self, RulesError> {
        Self::new(EMBEDDED.iter().map(|(path, text)| {
            let (service, name) = path.split_once('/').unwrap_or(("", path));
            Rule { service: service.to_owned(), name: name.to_owned(), text: (*text).to_owned() }
        }))
    }

    /// The rules in a folder that is laid out like `policy/`.
    pub fn from_directory(directory: &Path) -> Result<Self, RulesError> {
        let mut rules = Vec::new();
        for service in entries(directory)?.into_iter().filter(|path| path.is_dir()) {
            for path in entries(&service)? {
                if path.extension().is_some_and(|extension| extension == "guard") {
                    let text =
                        fs::read_to_string(&path).map_err(|source| RulesError::Read { path: path.clone(), source })?;
                    rules.push(Rule {
                        service: last_part(service.file_name()),
                        name: last_part(path.file_stem()),
                        text,
                    });
                }
            }
        }
        Self::new(rules)
    }

    /// Refuses an empty set, two rules of the same name, and a scope that is too narrow.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Result<Self, RulesError> {
        let mut by_name = BTreeMap::new();
        for rule in rules {
            if let Some(property) = Scope::of(&rule.text).unseen(&rule.text) {
                return Err(RulesError::Unseen { rule: rule.id(), property: property.to_owned() });
            }
            if let Some(first) = by_name.insert(rule.name.clone(), rule) {
                return Err(RulesError::Twice(first.name));
            }
        }
        if by_name.is_empty() {
            return Err(RulesError::None);
        }
        Ok(Self(by_name))
    }

    /// These and those.
    ///
    /// # Errors
    /// Both have a rule of the same name.
    pub fn and(self, others: Self) -> Result<Self, RulesError> {
        Self::new(self.0.into_values().chain(others.0.into_values()))
    }

    /// How many; never zero.
    #[expect(clippy::len_without_is_empty, reason = "the constructors refuse an empty set")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All rules, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.values()
    }

    /// The rules, grouped by scope.
    pub(super) fn by_scope(&self) -> BTreeMap<Scope, Self> {
        let mut groups: BTreeMap<Scope, Self> = BTreeMap::new();
        for (name, rule) in &self.0 {
            let group = groups.entry(Scope::of(&rule.text)).or_insert_with(|| Self(BTreeMap::new()));
            group.0.insert(name.clone(), rule.clone());
        }
        groups
    }

    /// The rule of that name.
    pub fn get(&self, name: &str) -> Option<&Rule> {
        self.0.get(name)
    }
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, RulesError> {
    let failed = |source| RulesError::Read { path: directory.to_owned(), source };
    fs::read_dir(directory).map_err(failed)?.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
}

fn last_part(part: Option<&std::ffi::OsStr>) -> String {
    part.unwrap_or_default().to_string_lossy().into_owned()
}
