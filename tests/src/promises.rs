//! What git2s3 promises, and the tests that show it: `just prove` runs them and prints how much was tried and how much failed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use git2s3_infra::render::table::{Align, Table};
use serde::Serialize;

use crate::{tally, test_runner};

/// Something that people may rely on.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    /// What it is about.
    pub chapter: &'static str,
    /// In a sentence.
    pub promise: &'static str,
    /// The tests that show it, as their runner names them.
    pub tests: &'static [&'static str],
}

const ATTACKS: &str = "Attacks on the old product";
const HOSTILE: &str = "Hostile input";
const SECRETS: &str = "Secrets";

/// Every promise.
pub const PROMISES: &[Promise] = &[
    Promise {
        chapter: ATTACKS,
        promise: "nobody is let in without a proof, and a proof is checked whole",
        tests: &[
            "attack_01_an_empty_secret_lets_nobody_in",
            "attack_05_an_address_alone_suffices_only_for_named_repositories",
            "attack_08_sha_256_is_checked_and_not_only_its_beginning",
        ],
    },
    Promise {
        chapter: HOSTILE,
        promise: "nothing that a stranger sends ends a function, or is taken for what it isn't",
        tests: &[
            "hostile_events",
            "hostile_signatures",
            "hostile_known_hosts",
            "hostile_names",
            "hostile_custom_resource_events",
            "hostile_requests",
            "hostile_jobs",
            "ten_million_hostile_inputs",
        ],
    },
    Promise {
        chapter: HOSTILE,
        promise: "a pack or a zip is taken whole and as it is, or not at all",
        tests: &["hostile_packs", "hostile_pack_entries", "hostile_provider_zips", "hostile_provider_zip_entries"],
    },
    Promise {
        chapter: HOSTILE,
        promise: "what is small on the way and endless when it is unpacked is refused before it takes all memory or time",
        tests: &[
            "bounds::a_bomb_is_stopped_while_it_goes_off",
            "bounds::names_take_so_much_memory_and_no_more",
            "a_chain_of_deltas_that_takes_all_memory_is_refused_before",
            "a_chain_of_ten_thousand_deltas_is_resolved",
            "a_size_that_is_not_so_takes_no_memory",
            "a_tree_that_is_a_bomb_is_refused_whole_or_as_a_delta",
            "a_file_that_is_a_bomb_is_kept_compressed",
            "bombs::ten_billion_files_out_of_eleven_trees_are_given_up",
            "bombs::a_tree_ten_thousand_deep_is_refused",
            "bombs::a_file_without_end_is_copied_and_not_converted",
            "submodules_go_along",
        ],
    },
    Promise {
        chapter: HOSTILE,
        promise: "a host can take neither memory nor time without end",
        tests: &[
            "fetching::a_hundred_thousand_references_take_little_memory_where_all_are_told",
            "fetching::a_host_that_tells_of_references_without_end_is_not_listened_to",
            "fetching::nothing_waits_forever",
        ],
    },
    Promise {
        chapter: HOSTILE,
        promise: "no name in a tree or a zip leads out of the folder that it is unpacked into",
        tests: &[
            "trees::names_that_escape_are_refused",
            "trees::names_that_other_systems_have_not_are_kept",
            "hostile::a_name_that_leads_out",
            "hostile::a_name_that_two_readers_read_differently",
            "hostile::names_that_collide",
        ],
    },
    Promise {
        chapter: SECRETS,
        promise: "no secret is in a log, an answer, a page, a letter or an object",
        tests: &["no_secret_is_to_be_found_anywhere", "a_canary_is_found_in_every_form"],
    },
];

/// What became of a promise.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// What it is about.
    pub chapter: &'static str,
    /// The promise.
    pub promise: &'static str,
    /// How many cases were tried.
    pub tried: usize,
    /// The tests that failed.
    pub failed: Vec<&'static str>,
}

/// Runs every test that a promise names, the long ones to their end if `long`. Tallies go to `folder`, which has to exist.
///
/// # Errors
/// When the tests can't be run, or one of them doesn't exist.
pub fn prove(long: bool, folder: &Path) -> Result<Vec<Shown>> {
    let tests: BTreeSet<&str> = PROMISES.iter().flat_map(|promise| promise.tests).copied().collect();
    let path = folder.to_string_lossy();
    let mut environment = vec![(tally::FOLDER, &*path)];
    if long {
        environment.extend([(tally::LONG, "1"), ("NEXTEST_PROFILE", "long")]);
    }
    let passed = test_runner::run(&tests, &environment)?;
    Ok(PROMISES.iter().map(|promise| shown(promise, &passed, folder)).collect())
}

fn shown(promise: &Promise, passed: &BTreeMap<String, bool>, folder: &Path) -> Shown {
    let failed = promise.tests.iter().copied().filter(|test| passed.get(*test) != Some(&true));
    Shown {
        chapter: promise.chapter,
        promise: promise.promise,
        tried: promise.tests.iter().map(|test| tally::of(folder, test)).sum(),
        failed: failed.collect(),
    }
}

/// The table, for people.
pub fn table(all: &[Shown]) -> String {
    let mut table = Table::new([
        ("about", Align::Left),
        ("promise", Align::Left),
        ("tried", Align::Right),
        ("failed", Align::Right),
    ]);
    for Shown { chapter, promise, tried, failed } in all {
        table.row([(*chapter).to_owned(), (*promise).to_owned(), tried.to_string(), failed.len().to_string()]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_kept_by_all_of_its_tests() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("b.c"), "40").unwrap();
        let promise = Promise { chapter: "x", promise: "y", tests: &["a", "b::c"] };
        let passed = BTreeMap::from([("a".to_owned(), true), ("b::c".to_owned(), false)]);
        let shown = shown(&promise, &passed, folder.path());
        assert_eq!((shown.tried, shown.failed.as_slice()), (41, ["b::c"].as_slice()));
        assert!(table(&[shown]).lines().last().unwrap().ends_with("41       1"));
    }

    #[test]
    fn promises_are_made_once_and_by_name() {
        let names: BTreeSet<_> = PROMISES.iter().map(|promise| promise.promise).collect();
        assert_eq!(names.len(), PROMISES.len());
        assert!(PROMISES.iter().all(|promise| !promise.tests.is_empty()));
    }
}
