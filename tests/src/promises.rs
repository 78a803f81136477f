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

const ATTACKS: &str = "attacks on the old product";
const FAULTS: &str = "faults";
const LOAD: &str = "load";
const OPERATION: &str = "operation";
const SUPPLY_CHAIN: &str = "supply chain";
const LEAST_PRIVILEGE: &str = "least privilege";
const HOSTILE: &str = "hostile input";
const SECRETS: &str = "secrets";

/// Every promise.
pub const PROMISES: &[Promise] = &[
    Promise {
        chapter: ATTACKS,
        promise: "nobody is let in without a proof, and a proof is checked whole",
        tests: &[
            "attacks::attack_01_an_empty_secret_lets_nobody_in",
            "attacks::attack_05_an_address_alone_suffices_only_for_named_repositories",
            "attacks::attack_08_sha_256_is_checked_and_not_only_its_beginning",
            "attacks_are_refused_and_leave_no_trace",
        ],
    },
    Promise {
        chapter: ATTACKS,
        promise: "nothing of a payload is a command, a path, a host or a credential",
        tests: &[
            "fetching::attack_02_a_reference_is_a_name_and_never_a_command",
            "trees::attack_03_links_stay_links_beside_modes_names_and_empty_files",
            "attacks::attack_04_an_archive_is_never_stored_in_another_repositorys_name",
            "attacks::attack_10_only_configured_hosts_are_fetched_from",
            "tests::attack_10_a_credential_never_crosses_hosts_nor_stands_in_a_url",
            "attacks::attack_11_a_reference_never_escapes",
        ],
    },
    Promise {
        chapter: ATTACKS,
        promise: "hosts prove who they are",
        tests: &[
            "fetching::attack_07_a_host_key_that_is_wrong_unknown_or_revoked_is_named",
            "tests::attack_07_certificates_are_verified",
        ],
    },
    Promise {
        chapter: ATTACKS,
        promise: "no push is lost, none is done for nothing, and a stack can be deleted",
        tests: &[
            "attacks::attack_09_a_ping_and_a_deletion_fetch_nothing",
            "attacks::attack_09_of_several_references_none_is_lost",
            "attacks::attack_12_a_large_push_is_a_small_job",
            "empty::tests::attack_13_every_version_marker_and_upload_goes",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "whatever fails at S3, KMS or SQS, and whenever the worker is killed, every push arrives",
        tests: &[
            "aws::whatever_fails_at_s3_or_kills_the_worker_every_push_arrives",
            "aws::whatever_fails_at_kms_or_sqs_every_push_arrives",
            "aws::a_call_that_is_never_answered_holds_up_its_own_push_alone",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "what lasts is buried with its reason, and arrives once it is mended",
        tests: &[
            "aws::what_lasts_is_buried_and_arrives_once_it_is_mended",
            "host::what_the_host_refuses_is_buried_and_arrives_once_it_lets_us_in",
            "a_job_that_fails_for_good_is_buried_with_its_reason",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "whatever the Git host does amid a fetch, the push arrives, and nothing half is stored",
        tests: &[
            "host::whatever_the_host_does_amid_a_fetch_every_push_arrives",
            "fetching::a_transfer_that_is_cut_off_leaves_a_clone_that_works",
            "fetching::a_session_that_is_lost_keeps_the_clone",
            "fetching::a_broken_clone_is_thrown_away_and_fetched_anew",
            "fetching::nothing_waits_forever",
            "fetching::a_key_that_is_not_authorized",
            "whatever_is_broken_on_the_way_is_refused_and_leaves_nothing",
            "fetching::a_seed_that_is_not_what_it_says_is_left_aside",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "whatever an archive server does, nothing but the whole archive is stored",
        tests: &[
            "tests::a_busy_host_says_when_and_is_taken_at_its_word",
            "tests::a_refusal_says_what_to_check",
            "tests::a_slow_host_is_waited_for",
            "tests::redirects_lead_neither_out_of_tls_nor_inside",
            "tests::the_deadline_ends_a_download",
            "tests::what_is_cut_off_is_asked_for_again_and_never_stored",
            "tests::what_is_no_archive_of_the_commit_is_not_stored",
            "bounds::more_than_is_allowed",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "a job twice, at once or later or out of order, and a reference that moves: the newest commit stays",
        tests: &[
            "deliveries::a_job_that_comes_twice_is_done_once_and_the_newest_commit_stays",
            "outcomes::a_reference_that_moves_amid_the_conversation_is_tried_again",
            "fetching::a_reference_that_moved_on_gives_the_newest_and_says_so",
            "fetching::a_clone_has_one_user_at_a_time",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "in every order of events the newest commit arrives or is buried (a simulation)",
        tests: &[
            "simulation::in_every_order_of_events_the_newest_commit_arrives_or_is_buried",
            "simulation::a_message_that_came_again_while_its_worker_runs_would_bring_an_old_commit_back",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "a worker at the limit of its time, its disk or its memory loses nothing",
        tests: &["deliveries::a_worker_at_its_limits_loses_nothing"],
    },
    Promise {
        chapter: FAULTS,
        promise: "no upload leaves a part, and no object is half",
        tests: &[
            "upload::tests::a_dropped_upload_aborts",
            "upload::tests::a_producer_that_fails_leaves_no_object",
            "upload::tests::a_refused_completion_aborts",
            "upload::tests::a_refused_part_aborts",
            "upload::tests::an_error_that_follows_success_is_an_error",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "CloudFormation is answered in time, whatever happens to a custom resource",
        tests: &[
            "deadline::tests::a_panic_is_answered",
            "deadline::tests::an_answer_is_repeated_after_a_servers_error_only",
            "deadline::tests::an_answer_that_is_refused_is_an_error_without_the_url",
            "deadline::tests::an_answer_that_nobody_takes_ends_with_the_functions_time",
            "deadline::tests::what_hangs_is_answered_before_the_deadline",
            "deadline::tests::a_resource_that_never_was_is_deleted_without_asking",
            "a_custom_resource_that_fails_says_why_and_the_stack_rolls_back_clean",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "a key is made once, whatever is repeated, and another kind is another key",
        tests: &[
            "handler::tests::what_is_repeated_or_updated_keeps_its_key",
            "handler::tests::a_key_that_is_there_is_never_replaced",
            "handler::tests::another_kind_is_another_resource",
            "handler::tests::another_kms_key_is_another_key_and_a_rollback_finds_the_first_again",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "a bucket of any size is emptied, and what time did not allow is done the next time",
        tests: &[
            "empty::tests::attack_13_every_version_marker_and_upload_goes",
            "empty::tests::what_time_did_not_allow_is_done_the_next_time",
            "empty::tests::what_was_refused_in_passing_is_tried_again",
            "a_stack_with_thousands_of_versions_is_emptied_and_deleted",
        ],
    },
    Promise {
        chapter: LOAD,
        promise: "of a burst every webhook is answered, and every accepted one arrives",
        tests: &["of_a_burst_every_webhook_is_answered_and_every_accepted_one_arrives"],
    },
    Promise {
        chapter: LOAD,
        promise: "under a steady load no worker grows",
        tests: &["under_a_steady_load_no_worker_grows"],
    },
    Promise {
        chapter: OPERATION,
        promise: "whatever goes wrong for good wakes somebody, and says what to do",
        tests: &[
            "a_stack_has_a_domain_of_its_own_works_in_a_network_and_raises_alarms",
            "each_alarm_has_its_section",
            "each_error_that_ends_a_job_has_its_row",
        ],
    },
    Promise {
        chapter: OPERATION,
        promise: "a push is zipped or refused at once, under the loads that the limits name",
        tests: &["the_page_tells_what_the_simulation_does", "the_page_is_right_in_its_arithmetic"],
    },
    Promise {
        chapter: SUPPLY_CHAIN,
        promise: "of each function it is known what is linked into it, and nothing unsafe is ours",
        tests: &[
            "a_bill_names_what_is_linked_and_nothing_else",
            "a_bill_is_what_cyclonedx_takes",
            "no_crate_of_ours_has_an_unsafe_line",
        ],
    },
    Promise {
        chapter: LEAST_PRIVILEGE,
        promise: "each right of a role is used, and something that users need fails when it is gone",
        tests: &["every_right_is_used_and_missed_when_it_is_gone"],
    },
    Promise {
        chapter: LEAST_PRIVILEGE,
        promise: "a right that nothing misses and AWS doesn't demand fails the build",
        tests: &[
            "review::evidence::tests::every_right_is_missed_or_documented_and_nothing_else_is",
            "scenarios_are_those_that_the_review_names",
        ],
    },
    Promise {
        chapter: LEAST_PRIVILEGE,
        promise: "whoever gets hold of a role may do no more: three engines say so of each request",
        tests: &["three_engines_agree_on_who_may_do_what"],
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
            "outcomes::what_takes_too_much_memory_is_given_up_at_once_and_the_clone_stays",
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
    /// What was measured on the way.
    pub measured: Vec<String>,
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
        measured: promise.tests.iter().filter_map(|test| tally::note_of(folder, test)).collect(),
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
    for Shown { chapter, promise, tried, failed, .. } in all {
        table.row([(*chapter).to_owned(), (*promise).to_owned(), tried.to_string(), failed.len().to_string()]);
    }
    let measured = all.iter().flat_map(|shown| &shown.measured);
    measured.fold(table.render().to_string(), |text, measured| text + measured + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_kept_by_all_of_its_tests() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("b-c"), "40").unwrap();
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
