//! All cases, in the order of the table.

mod cold_function;
mod cold_start;
mod cost;
mod distant_host;
mod first_push;
mod infra;
pub(crate) mod memory;
mod next_push;
mod webhook;
mod zip;
mod zipdl;

use anyhow::Result;

use crate::bench::Bench;
use crate::row::Row;

/// Cases that are measured together.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Group {
    /// From a tree to its zip.
    Zip,
    /// An unknown repository.
    FirstPush,
    /// A repository that this process has fetched before.
    NextPush,
    /// The same, far from the Git host.
    DistantHost,
    /// A repository that another process has fetched before.
    ColdFunction,
    /// A Git host's archive.
    ZipDl,
    /// Repositories larger than memory.
    Memory,
    /// A sender's waiting time.
    Webhook,
    /// From the start of a process to its first request for work.
    ColdStart,
    /// Commands on the template.
    Infra,
    /// The cost of a month.
    Cost,
}

impl Group {
    /// All groups. Calculated ones come last.
    pub(crate) const ALL: [Self; 11] = [
        Self::Zip,
        Self::FirstPush,
        Self::NextPush,
        Self::DistantHost,
        Self::ColdFunction,
        Self::ZipDl,
        Self::Memory,
        Self::Webhook,
        Self::ColdStart,
        Self::Infra,
        Self::Cost,
    ];

    /// The names of its cases.
    pub(crate) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Zip => &zip::NAMES,
            Self::FirstPush => &first_push::NAMES,
            Self::NextPush => &next_push::NAMES,
            Self::DistantHost => &distant_host::NAMES,
            Self::ColdFunction => &cold_function::NAMES,
            Self::ZipDl => &zipdl::NAMES,
            Self::Memory => &memory::NAMES,
            Self::Webhook => &webhook::NAMES,
            Self::ColdStart => &cold_start::NAMES,
            Self::Infra => &infra::NAMES,
            Self::Cost => &cost::NAMES,
        }
    }

    /// Measures its cases. `before` are the results so far.
    pub(crate) async fn run(self, bench: &Bench, wanted: &impl Fn(&str) -> bool, before: &[Row]) -> Result<Vec<Row>> {
        match self {
            Self::Zip => zip::run(bench, wanted).await,
            Self::FirstPush => first_push::run(bench).await,
            Self::NextPush => next_push::run(bench).await,
            Self::DistantHost => distant_host::run(bench).await,
            Self::ColdFunction => cold_function::run(bench).await,
            Self::ZipDl => zipdl::run(bench).await,
            Self::Memory => memory::run(bench, wanted).await,
            Self::Webhook => webhook::run(bench).await,
            Self::ColdStart => cold_start::run(bench, wanted).await,
            Self::Infra => infra::run(bench, wanted).await,
            Self::Cost => cost::run(bench, before).await,
        }
    }
}
