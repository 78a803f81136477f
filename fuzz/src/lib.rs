//! Fuzz targets: one for each place that parses untrusted bytes. A target passes any bytes to the
//! product, and panics if a property is violated.
//!
//! `.ci/fuzz` runs them with libFuzzer, which observes the code coverage of an input. The tests of
//! this crate run them with the same seeds and some thousands of deterministic mutations of them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a target panics if a property is violated"
)]

mod bytes;
mod custom_resource;
mod events;
mod jobs;
mod known_hosts;
pub mod mutation;
mod names;
mod packs;
mod provider_zips;
mod requests;
mod seeds;
mod sender;
mod signatures;

pub use custom_resource::custom_resource;
pub use events::events;
pub use jobs::jobs;
pub use known_hosts::known_hosts;
pub use names::names;
pub use packs::{pack, pack_entries};
pub use provider_zips::{provider_zip, provider_zip_entries};
pub use requests::requests;
pub use signatures::signatures;

/// A place that parses untrusted bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, also of its binary.
    pub name: &'static str,
    /// Runs an input.
    pub run: fn(&[u8]),
    /// Its seeds: real payloads, packs and zips.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "events", run: events, seeds: seeds::events },
    Target { name: "signatures", run: signatures, seeds: seeds::signatures },
    Target { name: "known_hosts", run: known_hosts, seeds: seeds::known_hosts },
    Target { name: "names", run: names, seeds: seeds::names },
    Target { name: "provider_zip", run: provider_zip, seeds: seeds::zips },
    Target { name: "provider_zip_entries", run: provider_zip_entries, seeds: seeds::zip_entries },
    Target { name: "pack", run: pack, seeds: seeds::packs },
    Target { name: "pack_entries", run: pack_entries, seeds: seeds::pack_entries },
    Target { name: "custom_resource", run: custom_resource, seeds: seeds::custom_resources },
    Target { name: "requests", run: requests, seeds: seeds::requests },
    Target { name: "jobs", run: jobs, seeds: seeds::jobs },
];

/// The variable with the folder for a fuzzer's seeds.
const SEEDS: &str = "GIT2S3_FUZZ_SEEDS";

/// Writes the seeds of a target to the folder in the environment, if set.
pub fn write_seeds(target: &str) {
    let Some(folder) = std::env::var_os(SEEDS) else { return };
    let target = TARGETS.iter().find(|known| known.name == target).unwrap();
    for (number, seed) in (target.seeds)().iter().enumerate() {
        std::fs::write(std::path::Path::new(&folder).join(number.to_string()), seed).unwrap();
    }
}
