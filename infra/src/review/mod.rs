//! The page that a reviewer reads and signs before the stack is deployed: what it is of, what would
//! change, the picture, every right with its reason, the parameters, what holds data, the verdict
//! of the rules, what it costs. One file, without script and without a request to anywhere.

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
    /// The rules that judged it.
    pub rules: &'a Rules,
    /// What they found.
    pub report: &'a Report,
    /// How it differs from another one, and what that one is called.
    pub diff: Option<(String, Diff)>,
    /// What its parameters come to.
    pub settings: &'a Settings,
}
