//! Attributes that stand for others: those that a root's `.gitattributes` defines by `[attr]`, and
//! Git's own `binary`. What neither counts nor stands for what may count is forgotten as soon as it
//! is read.

use std::collections::HashMap;

use gix::attrs::{AssignmentRef, State};

use super::{
    lines::{Line, Of, lines},
    names::NAMES,
};

/// What a line gives an attribute.
#[derive(Debug, Clone)]
pub(super) struct Assignment {
    /// The attribute's number: a place in [`NAMES`], or a macro's.
    pub(super) attribute: usize,
    pub(super) state: State,
}

/// The attributes that count, and the macros.
#[derive(Debug)]
pub(super) struct Macros {
    numbers: HashMap<String, usize>,
    /// What each attribute stands for, by its number.
    meanings: Vec<Box<[Assignment]>>,
}

impl Macros {
    /// What Git has built in.
    pub(super) fn builtin() -> Self {
        let numbers = NAMES.iter().enumerate().map(|(number, name)| ((*name).to_owned(), number)).collect();
        let mut macros = Self { numbers, meanings: vec![Box::default(); NAMES.len()] };
        macros.define(b"[attr]binary -diff -merge -text");
        macros
    }

    /// How many attributes have a number.
    pub(super) fn count(&self) -> usize {
        self.meanings.len()
    }

    /// Reads the definitions in a `.gitattributes`. A later one of the same name replaces an
    /// earlier one, and one may stand for another that is only defined behind it.
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

    /// Those of the assignments that count.
    pub(super) fn known(&self, assignments: &[AssignmentRef<'_>]) -> Box<[Assignment]> {
        let known = assignments.iter().filter_map(|assignment| {
            let attribute = *self.numbers.get(assignment.name.as_str())?;
            Some(Assignment { attribute, state: assignment.state.to_owned() })
        });
        known.collect()
    }

    /// What an attribute stands for while it is set.
    pub(super) fn meaning(&self, attribute: usize) -> &[Assignment] {
        self.meanings.get(attribute).map(Box::as_ref).unwrap_or_default()
    }
}
