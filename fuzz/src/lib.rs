//! Hostile input by the million: one target for each place where bytes of others come in. A target
//! takes whatever bytes there are, hands them to the product, and panics where a property doesn't
//! hold.
//!
//! `.ci/fuzz` runs them under libFuzzer, which looks at what of the code an input reaches. The
//! tests of this crate run them over the same seeds and some thousands of mutations of those,
//! always the same.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a target panics when a property doesn't hold"
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

/// A place where bytes of others come in.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is also its binary's.
    pub name: &'static str,
    /// Tries an input.
    pub run: fn(&[u8]),
    /// What it begins with: real payloads, packs and zips.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
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

/// Names the folder that a fuzzer's seeds go to.
const SEEDS: &str = "GIT2S3_FUZZ_SEEDS";

/// Writes the seeds of a target to the folder that the environment names, if it names one.
pub fn write_seeds(target: &str) {
    let Some(folder) = std::env::var_os(SEEDS) else { return };
    let target = TARGETS.iter().find(|known| known.name == target).unwrap();
    for (number, seed) in (target.seeds)().iter().enumerate() {
        std::fs::write(std::path::Path::new(&folder).join(number.to_string()), seed).unwrap();
    }
}
