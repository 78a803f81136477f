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

/// The content of a review.
#[derive(Debug)]
pub struct Review<'a> {
    /// The subject of the signature.
    pub subject: &'a Subject,
    /// The template.
    pub template: &'a Template,
    /// The rules that it was checked with.
    pub rules: &'a Rules,
    /// What they found.
    pub report: &'a Report,
    /// Its differences from another one, and the name of that.
    pub diff: Option<(String, Diff)>,
    /// Its parameters.
    pub settings: &'a Settings,
}
