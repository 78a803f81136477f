//! The steps of a job: fetch, compare, zip, store, keep. Their order is the worker's to know.

pub(crate) mod compare;
pub(crate) mod fetch;
pub(crate) mod keep;
pub(crate) mod store;
pub(crate) mod zip;
