//! The promises and their tests. Each is made once, and is kept by all of its tests.

use super::Promise;

const ATTACKS: &str = "attacks on the old product";
const FAULTS: &str = "faults";
const LOAD: &str = "load";
const OPERATION: &str = "operation";
const SUPPLY_CHAIN: &str = "supply chain";
const LEAST_PRIVILEGE: &str = "least privilege";
const LIKENESS: &str = "likeness to Git and its hosts";
const HOSTILE: &str = "hostile input";
const SECRETS: &str = "secrets";
const STRANGERS: &str = "strangers";
const ARTIFACTS: &str = "artifacts";

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
        chapter: STRANGERS,
        promise: "an address speaks for its own host and for nothing else, and where no entry names it for nobody",
        tests: &[
            "attacks::an_address_speaks_for_its_own_host_only",
            "attacks::without_an_entry_nothing_unsigned_is_believed",
            "allowed_ips::tests::an_address_speaks_for_its_host",
            "deploy::parameters::tests::an_address_without_a_host_is_refused",
            "attacks_are_refused_and_leave_no_trace",
        ],
    },
    Promise {
        chapter: STRANGERS,
        promise: "a secret for some repositories is never one for all, whatever its globs look like",
        tests: &[
            "attacks::a_comma_makes_no_secret_for_everything",
            "attacks::a_secret_for_some_repositories_is_good_for_no_other",
            "secret::tests::nothing_in_brackets_is_for_everything",
            "secret::tests::what_begins_like_globs_is_never_a_secret_for_everything",
            "handler::tests::an_entry_that_is_no_secret_is_named_and_the_rest_works",
        ],
    },
    Promise {
        chapter: STRANGERS,
        promise: "names in other letters, and tags that are called like branches, get around no list",
        tests: &[
            "attacks::names_differ_by_case_only_where_the_host_tells_them",
            "repositories::tests::an_exclusion_knows_no_case",
            "repositories::tests::case_counts_where_the_host_tells_it",
            "refs::tests::a_name_is_never_taken_for_a_full_one",
        ],
    },
    Promise {
        chapter: STRANGERS,
        promise: "a push leads to no repository that its sender couldn't ask for",
        tests: &[
            "permit::tests::a_push_leads_only_where_its_sender_may_go",
            "permit::tests::a_job_without_scope_leads_nowhere",
            "attacks::a_push_carries_what_its_sender_may_have_fetched",
            "submodules_go_along",
        ],
    },
    Promise {
        chapter: STRANGERS,
        promise: "a token and its successors are shown to their own host alone",
        tests: &[
            "tests::an_access_token_is_shown_to_its_own_host",
            "tests::attack_10_a_credential_never_crosses_hosts_nor_stands_in_a_url",
        ],
    },
    Promise {
        chapter: STRANGERS,
        promise: "a flood is told of, and what a stranger's request may cost doesn't grow with its headers",
        tests: &[
            "stack::alarms::tests::refusals_are_counted_from_the_access_log",
            "a_stack_has_a_domain_of_its_own_works_in_a_network_and_raises_alarms",
            "signature::tests::many_signatures_in_a_header_cost_one",
        ],
    },
    Promise {
        chapter: STRANGERS,
        promise: "no name that others chose moves the cursor, turns the text or hides in it",
        tests: &[
            "status::tests::no_name_moves_the_cursor_or_turns_the_text",
            "render::visible::tests::no_letter_hides_in_what_is_shown",
            "render::visible::tests::what_hides_is_shown_by_its_number",
            "everything_that_infra_prints_goes_through_one_place",
        ],
    },
    Promise {
        chapter: ARTIFACTS,
        promise: "what is stored is what the host says that the reference names, not what a delivery says, old or new",
        tests: &[
            "tests::the_commit_of_a_payload_is_never_downloaded",
            "tests::an_old_delivery_brings_no_old_commit_back",
            "tests::a_host_that_knows_late_is_asked_again",
            "tests::a_new_branch_that_a_host_knows_late_is_not_lost",
            "tests::an_answer_of_another_shape_is_no_deleted_reference",
            "tests::a_reference_that_is_gone_is_told_from_a_hidden_repository",
            "tip::tests::no_reference_leads_to_another_place",
            "tip::tests::the_hosts_own_examples_are_read",
            "simulation::a_worker_that_believed_the_message_would_bring_an_old_commit_back",
            "every_host_on_both_endpoints",
        ],
    },
    Promise {
        chapter: ARTIFACTS,
        promise: "the host says which branch is the default one, and so where a zip is stored",
        tests: &[
            "tests::the_host_says_which_branch_is_the_default_one",
            "job::tests::a_job_of_an_older_version_is_understood",
        ],
    },
    Promise {
        chapter: ARTIFACTS,
        promise: "different artifacts have different keys, and one of another repository is never overwritten",
        tests: &[
            "job::tests::different_artifacts_never_share_a_key",
            "metadata::tests::an_artifact_of_another_repository_stays",
            "metadata::tests::an_upload_replaces_what_was_found_and_nothing_else",
            "tests::another_repositorys_artifact_is_never_overwritten",
        ],
    },
    Promise {
        chapter: ARTIFACTS,
        promise: "no repository's name blocks another one's clone",
        tests: &[
            "clones::tests::no_repository_shares_or_enters_anothers_folder",
            "clones::tests::a_name_like_a_lock_or_a_pack_blocks_nobody",
        ],
    },
    Promise {
        chapter: ARTIFACTS,
        promise: "a repository that fills the disk keeps no other one from being fetched",
        tests: &[
            "small_disk::the_least_recent_clone_makes_room_for_the_next",
            "small_disk::a_disk_that_is_nearly_full_is_cleared_before",
            "small_disk::a_clone_makes_room_for_its_own_next_commit",
            "small_disk::what_is_still_read_is_never_removed",
            "clones::tests::the_least_recently_used_clone_goes_first",
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
        promise: "of a push of many references none is lost, and its sender isn't kept waiting",
        tests: &[
            "every_reference_of_a_push_arrives",
            "thousands_of_references_are_queued_in_time",
            "handler::tests::every_reference_of_a_push_is_queued",
            "handler::tests::a_failed_call_loses_no_other",
        ],
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
        chapter: SUPPLY_CHAIN,
        promise: "no function signs with a crate that has an open advisory, and an exception has a reason and a date",
        tests: &[
            "no_function_signs_with_the_crate_rsa",
            "rsa::tests::what_ring_signs_the_public_key_verifies",
            "fetching::rsa_keys_of_every_length_log_in",
            "each_ignored_advisory_has_reason_and_date",
            "unreachable_advisories_are_never_passed_in_silence",
        ],
    },
    Promise {
        chapter: SUPPLY_CHAIN,
        promise: "nothing is fetched for the build or by CI that isn't named by its hash or its commit",
        tests: &[
            "nothing_is_fetched_without_a_hash",
            "every_lock_has_a_hash_for_each_package",
            "every_action_is_pinned_by_its_commit",
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
        chapter: LEAST_PRIVILEGE,
        promise: "every command works with the rights that `deployer-policy` prints, and uses each of them",
        tests: &["deployer::a_deployer_needs_what_is_printed_and_no_more"],
    },
    Promise {
        chapter: LIKENESS,
        promise: "a zip has what `git archive` puts there, whatever the attributes, encodings and commits",
        tests: &[
            "sweep::all_attributes_together_do_what_they_do_for_git",
            "attributes::any_attributes_do_what_they_do_to_gits",
            "patterns::any_pattern_matches_as_it_does_for_git",
            "encodings::every_name_of_iconv_is_converted",
            "commits::strange_commits_become_gits_zip",
            "commits::messages_in_other_encodings_become_gits",
            "substitution::every_placeholder_is_expanded",
            "substitution::a_tag_under_another_name_says_so",
        ],
    },
    Promise {
        chapter: LIKENESS,
        promise: "the submodules are those that `git clone --recurse-submodules` fetches, but for what leads out of a host",
        tests: &[
            "submodules::against_git::gitmodules_are_taken_as_git_takes_them",
            "submodules::against_git::any_gitmodules_is_taken_as_git_takes_it",
            "submodules::against_git::gitmodules_of_other_kinds_count_as_for_git",
            "submodules::against_git::relative_urls_lead_where_git_is_led",
            "submodules::against_git::a_submodule_that_is_not_to_be_updated_stays_empty",
            "submodules::against_git::what_differs_from_git_is_on_purpose",
        ],
    },
    Promise {
        chapter: LIKENESS,
        promise: "every payload of the public collections comes to what is stated of it",
        tests: &[
            "every_public_payload_has_its_stated_outcome",
            "githubs_examples_are_understood_under_either_signature",
            "gitlabs_examples_are_understood_by_token_and_by_signature",
            "what_bitbucket_azure_and_gitea_sent_is_understood",
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
            "outcomes::what_takes_too_much_memory_is_given_up_at_once_and_the_clone_stays",
            "bombs::ten_billion_files_out_of_eleven_trees_are_given_up",
            "bombs::a_tree_ten_thousand_deep_is_refused",
            "bombs::a_file_without_end_is_copied_and_not_converted",
            "submodules_go_along",
        ],
    },
    Promise {
        chapter: HOSTILE,
        promise: "no pattern that is pushed takes a worker's time: its steps are counted, and a thread that isn't waited for ends",
        tests: &[
            "bombs::a_line_of_many_double_stars_is_matched_at_once",
            "attributes::search::tests::many_patterns_and_many_paths_are_given_up",
            "wildmatch::tests::steps_are_pattern_times_text",
            "patterns::any_pattern_matches_as_it_does_for_git",
            "paths::tests::no_folder_is_asked_for_twice",
            "subst::tests::an_encoding_takes_no_time_without_end",
            "patterns::tests::hostile_globs_and_long_texts_come_to_an_end",
            "interrupted::a_zip_ends_where_it_is_interrupted",
            "interrupted::a_pack_ends_where_it_is_interrupted",
            "interrupted::large_files_and_submodules_are_not_listed_when_interrupted",
            "tests::work_that_nobody_waits_for_is_told_and_missed",
            "a_process_whose_thread_outlives_its_job_ends",
            "a_process_whose_thread_stops_goes_on",
        ],
    },
    Promise {
        chapter: HOSTILE,
        promise: "no small push takes more memory than the function has",
        tests: &[
            "small_pushes::a_long_message_repeated_is_refused",
            "small_pushes::a_longer_message_is_put_nowhere",
            "small_pushes::large_attributes_are_refused_unread",
            "small_pushes::attributes_in_one_another_are_refused",
            "small_pushes::many_ids_are_refused",
            "small_pushes::many_line_ends_are_refused",
            "small_pushes::letters_of_four_bytes_are_refused",
            "small_pushes::a_long_link_is_refused_unread",
            "small_pushes::a_large_mailmap_is_refused_unread",
            "small_pushes::the_largest_file_that_is_converted_fits",
            "submodules::tests::a_large_gitmodules_is_refused_unread",
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
