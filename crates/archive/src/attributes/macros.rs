//! Macro attributes: those that a root's `.gitattributes` defines by `[attr]`, and Git's own
//! `binary`. Irrelevant attributes are dropped while parsing.

use std::collections::HashMap;

use gix::attrs::{AssignmentRef, State};

use super::{
    lines::{Line, Of, lines},
    names::NAMES,
};

/// An attribute's state in a line.
#[derive(Debug, Clone)]
pub(super) struct Assignment {
    /// The attribute's number: an index into [`NAMES`], or a macro's.
    pub(super) attribute: usize,
    pub(super) state: State,
}

/// The relevant attributes and the macros.
#[derive(Debug)]
pub(super) struct Macros {
    numbers: HashMap<String, usize>,
    /// The expansion of each attribute, by number.
    meanings: Vec<Box<[Assignment]>>,
}

impl Macros {
    /// Git's built-in macros.
    pub(super) fn builtin() -> Self {
        let numbers = NAMES.iter().enumerate().map(|(number, name)| ((*name).to_owned(), number)).collect();
        let mut macros = Self { numbers, meanings: vec![Box::default(); NAMES.len()] };
        macros.define(b"[attr]binary -diff -merge -text");
        macros
    }

    /// The number of numbered attributes.
    pub(super) fn count(&self) -> usize {
        self.meanings.len()
    }

    /// Reads the definitions in a `.gitattributes`. A later one replaces an earlier one of the same
    /// name, and a definition may refer to a later one.
    pub(super) fn define(&mut self, content: &[u8]) {
        let defined = || {
            lines(content).filter_map(|Line { of, assignments }| match of {
                Of::Macro(name) => Some((name, assignments)),
                Of::Pattern(_) => None,
            })
        };
        for (name, _) in defined() {
            self.numbers.entry(name).or_insert_with(|| {
                self.meanings.push(Box::default());
                self.meanings.len() - 1
            });
        }
        for (name, assignments) in defined() {
            let meaning = self.known(&assignments);
            if let Some(place) = self.numbers.get(&name).and_then(|number| self.meanings.get_mut(*number)) {
                *place = meaning;
            }
        }
    }

    /// The relevant assignments.
    pub(super) fn known(&self, assignments: &[AssignmentRef<'_>]) -> Box<[Assignment]> {
        let known = assignments.iter().filter_map(|assignment| {
            let attribute = *self.numbers.get(assignment.name.as_str())?;
            Some(Assignment { attribute, state: assignment.state.to_owned() })
        });
        known.collect()
    }

    /// The expansion of an attribute that is set.
    pub(super) fn meaning(&self, attribute: usize) -> &[Assignment] {
        self.meanings.get(attribute).map(Box::as_ref).unwrap_or_default()
    }
}
