//! What an update would change, for approval: resources and properties, rights, and network access.

mod network;
mod permissions;
mod permits;
mod report;
mod template;

use cfn::Template;
use serde::Serialize;

pub use network::NetworkChange;
pub use permissions::{Condition, Effect, Grant, PermissionChange, grants, text as as_text};
pub use permits::{Request, permits};
pub use report::text;
pub use template::{Action, EntryChange, PropertyChange};

/// How two templates differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    /// Entries of all sections: resources first, and of these removals first.
    pub entries: Vec<EntryChange>,
    /// Added and removed rights, by principal.
    pub permissions: Vec<PermissionChange>,
    /// Added and removed network access.
    pub network: Vec<NetworkChange>,
}

impl Diff {
    /// Only the differences in rights between `old` and `new`.
    pub fn of_rights(old: &Template, new: &Template) -> Self {
        let permissions = permissions::changes(old.value(), new.value());
        Self { entries: Vec::new(), permissions, network: Vec::new() }
    }

    /// The differences between `old` and `new`.
    pub fn between(old: &Template, new: &Template) -> Self {
        let (entries, network) =
            (template::changes(old.value(), new.value()), network::changes(old.value(), new.value()));
        Self { entries, network, ..Self::of_rights(old, new) }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a principal may do more than before.
    pub fn broadens(&self) -> bool {
        self.permissions.iter().any(|change| change.broadens)
    }
}
