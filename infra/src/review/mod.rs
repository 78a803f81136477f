//! The page that a reviewer reads and signs before the stack is deployed: its subject, the changes,
//! the picture, every right with its reason, the parameters, stored data, the rules' findings, the
//! cost. It is one file, without scripts and external requests.

pub mod cost;
pub mod diagram;
mod page;
pub mod rights;
pub mod storage;
mod subject;

use cfn::Template;

pub use page::html;
pub use subject::{Checkout, Owner, Subject};

use crate::check::{Report, Rules};
use deployment::deploy::Settings;
use deployment::diff::Diff;

/// What a review is about.
#[derive(Debug)]
pub struct Review<'a> {
    /// What is signed for.
    pub subject: &'a Subject,
    /// The template.
    pub template: &'a Template,
    /// The rules that it was checked with.
    pub rules: &'a Rules,
    /// What they found.
    pub report: &'a Report,
    /// How it differs from another one, and what that one is called.
    pub diff: Option<(String, Diff)>,
    /// What its parameters come to.
    pub settings: &'a Settings,
}
