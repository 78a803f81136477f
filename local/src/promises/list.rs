//! The promises and their tests.

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
const UNTRUSTED: &str = "untrusted users";
const ARTIFACTS: &str = "artifacts";

/// Every promise.
pub const PROMISES: &[Promise] = &[
    Promise {
        chapter: ATTACKS,
        promise: "no request is accepted without a proof, and all of the proof is checked",
        tests: &[
            "attacks::attack_01_empty_secret_admits_nobody",
            "attacks::attack_05_address_needs_named_repository",
            "attacks::attack_08_whole_signature_is_checked",
            "attacks_are_refused_without_trace",
        ],
    },
    Promise {
        chapter: ATTACKS,
        promise: "no part of a payload becomes a command, a path, a host or a credential",
        tests: &[
            "fetching::attack_02_reference_never_becomes_command",
            "trees::attack_03_links_stay_links",
            "attacks::attack_04_mismatched_repository_is_refused",
            "attacks::attack_10_unconfigured_hosts_are_refused",
            "tests::attack_10_credential_never_crosses_hosts",
            "attacks::attack_11_a_reference_never_escapes",
        ],
    },
    Promise {
        chapter: ATTACKS,
        promise: "hosts prove who they are",
        tests: &["fetching::attack_07_untrusted_host_key_fails", "tests::attack_07_certificates_are_verified"],
    },
    Promise {
        chapter: ATTACKS,
        promise: "no push is lost, no work is done needlessly, and a stack can be deleted",
        tests: &[
            "attacks::attack_09_only_updates_are_fetched",
            "attacks::attack_09_no_reference_is_lost",
            "attacks::attack_12_jobs_stay_small",
            "tests::attack_13_large_bucket_is_emptied",
        ],
    },
    Promise {
        chapter: UNTRUSTED,
        promise: "an IP address authenticates only the host that its entry in AllowedIps names",
        tests: &[
            "attacks::address_vouches_only_for_its_host",
            "attacks::unsigned_request_needs_address_entry",
            "allowed_ips::tests::an_address_speaks_for_its_host",
            "deploy::parameters::tests::allowed_ip_without_host_is_refused",
            "attacks_are_refused_without_trace",
        ],
    },
    Promise {
        chapter: UNTRUSTED,
        promise: "a secret for some repositories is never valid for all, whatever its globs look like",
        tests: &[
            "attacks::comma_never_makes_general_secret",
            "attacks::limited_secret_fits_only_its_repositories",
            "secret::tests::nothing_in_brackets_is_for_everything",
            "secret::tests::malformed_globs_never_become_general_secret",
            "handler::tests::invalid_secret_is_named_others_work",
        ],
    },
    Promise {
        chapter: UNTRUSTED,
        promise: "neither a name's case nor a tag named like a branch bypasses a list",
        tests: &[
            "attacks::repository_case_follows_host_rules",
            "repositories::tests::an_exclusion_knows_no_case",
            "repositories::tests::repository_case_follows_its_host",
            "refs::tests::full_pattern_never_matches_short_name",
        ],
    },
    Promise {
        chapter: UNTRUSTED,
        promise: "a push fetches no repository that its sender couldn't request",
        tests: &[
            "permit::tests::push_reaches_only_permitted_repositories",
            "permit::tests::a_job_without_scope_leads_nowhere",
            "attacks::push_carries_its_senders_scope",
            "submodules_go_along",
        ],
    },
    Promise {
        chapter: UNTRUSTED,
        promise: "a token is sent only to its own host, and so are the tokens derived from it",
        tests: &["tests::access_token_reaches_only_its_host", "tests::attack_10_credential_never_crosses_hosts"],
    },
    Promise {
        chapter: UNTRUSTED,
        promise: "a flood raises an alarm, and the cost of an unauthenticated request doesn't grow with its headers",
        tests: &[
            "stack::alarms::tests::access_log_filter_counts_throttling",
            "stack_uses_domain_network_and_alarms",
            "signature::tests::many_signatures_cost_like_one",
        ],
    },
    Promise {
        chapter: UNTRUSTED,
        promise: "no name chosen by others moves the cursor, reverses text or hides in it",
        tests: &[
            "status::tests::hostile_names_cannot_alter_status_text",
            "render::visible::tests::visible_text_has_no_hidden_characters",
            "render::visible::tests::hidden_characters_appear_by_code_point",
            "infra_prints_only_through_render",
        ],
    },
    Promise {
        chapter: ARTIFACTS,
        promise: "the stored commit is the one that the host reports for the reference, whatever a delivery says",
        tests: &[
            "tests::payload_commit_is_never_downloaded",
            "tests::old_delivery_never_restores_old_commit",
            "tests::lagging_host_is_asked_again",
            "tests::late_new_branch_is_not_lost",
            "tests::malformed_answer_is_not_deleted_reference",
            "tests::deleted_reference_differs_from_hidden_repository",
            "tip::tests::no_reference_leads_to_another_place",
            "tip::tests::the_hosts_own_examples_are_read",
            "trusting_message_would_restore_old_commit",
            "every_host_on_both_endpoints",
        ],
    },
    Promise {
        chapter: ARTIFACTS,
        promise: "the host decides which branch is the default, and so where a zip is stored",
        tests: &["tests::host_names_default_branch", "job::tests::old_default_branch_field_is_ignored"],
    },
    Promise {
        chapter: ARTIFACTS,
        promise: "different artifacts have different keys, and another repository's artifact is never overwritten",
        tests: &[
            "job::tests::different_artifacts_never_share_a_key",
            "metadata::tests::an_artifact_of_another_repository_stays",
            "metadata::tests::upload_replaces_only_found_object",
            "tests::another_repositorys_artifact_is_never_overwritten",
        ],
    },
    Promise {
        chapter: ARTIFACTS,
        promise: "no repository's name blocks the clone of another",
        tests: &[
            "clones::tests::repositories_never_share_clone_folders",
            "clones::tests::lock_like_repository_names_never_collide",
        ],
    },
    Promise {
        chapter: ARTIFACTS,
        promise: "a repository that fills the disk doesn't prevent the fetch of others",
        tests: &[
            "small_disk::least_recent_clone_makes_room",
            "small_disk::nearly_full_disk_is_cleared_first",
            "small_disk::clone_makes_room_for_next_commit",
            "small_disk::clone_still_read_is_kept",
            "clones::tests::least_recently_used_clone_goes_first",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "every push arrives, whatever fails at S3, KMS or SQS, and whenever the worker is killed",
        tests: &[
            "aws::pushes_survive_s3_faults_and_kills",
            "aws::pushes_survive_kms_and_sqs_faults",
            "aws::unanswered_call_delays_only_its_push",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "a job that keeps failing reaches the dead-letter queue with its reason, and arrives once fixed",
        tests: &[
            "aws::redrive_delivers_pushes_after_lasting_faults",
            "host::host_refusal_is_recovered_by_redrive",
            "failed_job_reaches_dead_letter_queue",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "the push arrives, whatever the Git host does during a fetch, and nothing incomplete is stored",
        tests: &[
            "host::broken_fetches_still_deliver_every_push",
            "fetching::truncated_transfer_leaves_working_clone",
            "fetching::lost_session_keeps_clone",
            "fetching::broken_clone_is_fetched_anew",
            "fetching::nothing_waits_forever",
            "fetching::a_key_that_is_not_authorized",
            "broken_pack_is_refused_without_leftovers",
            "fetching::wrong_seed_is_ignored",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "only complete archives are stored, whatever an archive server does",
        tests: &[
            "tests::busy_hosts_retry_delay_is_obeyed",
            "tests::a_refusal_says_what_to_check",
            "tests::a_slow_host_is_waited_for",
            "tests::unsafe_redirects_are_refused",
            "tests::the_deadline_ends_a_download",
            "tests::truncated_download_is_retried_not_stored",
            "tests::wrong_archive_is_never_stored",
            "bounds::more_than_is_allowed",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "the newest commit stays, even if jobs repeat, overlap or arrive out of order, or a reference moves",
        tests: &[
            "deliveries::duplicate_jobs_keep_newest_commit",
            "outcomes::reference_moving_during_fetch_is_retried",
            "fetching::moved_reference_gives_newest_commit",
            "fetching::clone_in_use_reports_busy",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "in every order of events, the newest commit arrives or is given up (a simulation)",
        tests: &["newest_commit_is_never_lost_silently", "early_redelivery_would_restore_old_commit"],
    },
    Promise {
        chapter: FAULTS,
        promise: "a worker at the limit of its time, its disk or its memory loses nothing",
        tests: &["deliveries::worker_at_limits_loses_no_push"],
    },
    Promise {
        chapter: FAULTS,
        promise: "no upload leaves parts behind, and no object is incomplete",
        tests: &[
            "upload::tests::a_dropped_upload_aborts",
            "upload::tests::failed_producer_leaves_no_object",
            "upload::tests::a_refused_completion_aborts",
            "upload::tests::a_refused_part_aborts",
            "upload::tests::error_after_success_status_fails",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "CloudFormation gets a response in time, whatever happens to a custom resource",
        tests: &[
            "deadline::tests::a_panic_is_answered",
            "deadline::tests::response_retries_only_after_server_error",
            "deadline::tests::refused_response_error_omits_url",
            "deadline::tests::unanswered_response_stops_at_deadline",
            "deadline::tests::hanging_handler_is_answered_before_deadline",
            "deadline::tests::uncreated_resource_is_deleted_without_asking",
            "failed_custom_resource_rolls_back_cleanly",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "a key is generated once, whatever is repeated, and another key type generates another key",
        tests: &[
            "stack_key::tests::repeated_or_updated_request_keeps_key",
            "stack_key::tests::existing_key_is_never_replaced",
            "stack_key::tests::another_kind_is_another_resource",
            "stack_key::tests::kms_key_change_can_roll_back",
        ],
    },
    Promise {
        chapter: FAULTS,
        promise: "a bucket of any size is emptied, if necessary in several runs",
        tests: &[
            "tests::attack_13_large_bucket_is_emptied",
            "tests::next_run_finishes_timed_out_deletion",
            "tests::temporary_refusal_is_retried",
            "stack_deletion_removes_thousands_of_versions",
        ],
    },
    Promise {
        chapter: LOAD,
        promise: "every webhook of a burst is answered, and every accepted one arrives",
        tests: &["burst_loses_no_accepted_webhook"],
    },
    Promise {
        chapter: LOAD,
        promise: "no reference of a large push is lost, and its sender doesn't wait",
        tests: &[
            "every_reference_of_a_push_arrives",
            "thousands_of_references_queue_in_time",
            "handler::tests::every_pushed_reference_is_queued",
            "handler::tests::a_failed_call_loses_no_other",
        ],
    },
    Promise {
        chapter: LOAD,
        promise: "no worker's memory grows under a steady load",
        tests: &["worker_memory_stays_stable_under_load"],
    },
    Promise {
        chapter: OPERATION,
        promise: "every permanent failure raises an alarm and says what to do",
        tests: &[
            "stack_uses_domain_network_and_alarms",
            "each_alarm_has_its_section",
            "every_job_error_has_runbook_row",
        ],
    },
    Promise {
        chapter: OPERATION,
        promise: "a push is zipped or refused immediately, under the loads in docs/limits.md",
        tests: &["limits_page_matches_simulation", "limits_page_arithmetic_is_correct"],
    },
    Promise {
        chapter: SUPPLY_CHAIN,
        promise: "the crates linked into each function are known, and ours have no unsafe code",
        tests: &[
            "bill_of_materials_lists_linked_crates",
            "a_bill_is_what_cyclonedx_takes",
            "own_crates_forbid_unsafe_code",
        ],
    },
    Promise {
        chapter: SUPPLY_CHAIN,
        promise: "no function signs with a crate that has an open advisory, and each exception has a reason and a date",
        tests: &[
            "functions_never_sign_with_rsa_crate",
            "rsa::tests::ring_signatures_verify_with_public_key",
            "fetching::rsa_2048_and_4096_keys_work",
            "ignored_advisory_has_reason_and_date",
            "unchecked_advisories_are_always_reported",
        ],
    },
    Promise {
        chapter: SUPPLY_CHAIN,
        promise: "everything fetched for the build or by CI is pinned to a hash or a commit",
        tests: &[
            "nothing_is_fetched_without_a_hash",
            "every_locked_package_has_hash",
            "every_action_is_pinned_to_commit",
        ],
    },
    Promise {
        chapter: LEAST_PRIVILEGE,
        promise: "each right of a role is used, and something that users need fails without it",
        tests: &["every_right_is_used_and_needed"],
    },
    Promise {
        chapter: LEAST_PRIVILEGE,
        promise: "a right that nothing needs fails the build",
        tests: &["review::rights::tests::granted_rights_match_listed_evidence", "scenarios_match_review_evidence"],
    },
    Promise {
        chapter: LEAST_PRIVILEGE,
        promise: "a stolen role allows nothing more: three policy engines agree on each request",
        tests: &["three_engines_agree_on_permissions"],
    },
    Promise {
        chapter: LEAST_PRIVILEGE,
        promise: "every command works with the rights that `deployer-policy` prints, and all of them are used",
        tests: &["deployer::deployer_needs_exactly_printed_permissions"],
    },
    Promise {
        chapter: LIKENESS,
        promise: "a zip equals that of `git archive`, whatever the attributes, encodings and commits",
        tests: &[
            "sweep::combined_attributes_match_git_archive",
            "attributes::random_attributes_match_git_archive",
            "patterns::random_patterns_match_like_git",
            "encodings::every_name_of_iconv_is_converted",
            "commits::strange_commits_become_gits_zip",
            "commits::messages_in_other_encodings_become_gits",
            "substitution::every_placeholder_is_expanded",
            "substitution::pushed_renamed_tag_matches_git",
        ],
    },
    Promise {
        chapter: LIKENESS,
        promise: "the submodules are those of `git clone --recurse-submodules`, except those on other hosts",
        tests: &[
            "submodules::against_git::sample_gitmodules_match_git",
            "submodules::against_git::random_gitmodules_match_git",
            "submodules::against_git::gitmodules_file_modes_match_git",
            "submodules::against_git::relative_urls_resolve_like_git",
            "submodules::against_git::submodule_with_update_none_stays_empty",
            "submodules::against_git::differences_from_git_are_intended",
        ],
    },
    Promise {
        chapter: LIKENESS,
        promise: "every payload of the public collections has its stated outcome",
        tests: &[
            "every_public_payload_has_stated_outcome",
            "github_examples_parse_under_both_signatures",
            "gitlab_examples_parse_under_both_schemes",
            "bitbucket_azure_gitea_payloads_are_understood",
        ],
    },
    Promise {
        chapter: HOSTILE,
        promise: "no untrusted input crashes a function or is mistaken for something else",
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
        promise: "a pack or a zip is stored complete and unchanged, or not at all",
        tests: &["hostile_packs", "hostile_pack_entries", "hostile_provider_zips", "hostile_provider_zip_entries"],
    },
    Promise {
        chapter: HOSTILE,
        promise: "a bomb is refused before it takes all memory or time",
        tests: &[
            "bounds::zip_bomb_is_refused",
            "bounds::entry_name_memory_is_limited",
            "memory_hungry_delta_chain_is_refused",
            "ten_thousand_delta_chain_is_resolved",
            "false_size_takes_little_memory",
            "oversized_tree_is_refused",
            "blob_bomb_takes_little_memory",
            "outcomes::oversized_commit_fails_and_keeps_clone",
            "bombs::ten_billion_repeated_files_are_refused",
            "bombs::tree_ten_thousand_deep_is_refused",
            "bombs::huge_file_is_copied_never_converted",
            "submodules_go_along",
        ],
    },
    Promise {
        chapter: HOSTILE,
        promise: "no pushed pattern uses up a worker's time: its steps are limited, and an abandoned thread ends",
        tests: &[
            "bombs::pattern_with_many_double_stars_matches",
            "attributes::search::tests::costly_attribute_search_is_refused",
            "wildmatch::tests::steps_are_pattern_times_text",
            "patterns::random_patterns_match_like_git",
            "paths::tests::no_folder_is_asked_for_twice",
            "subst::tests::commit_reencoding_work_is_limited",
            "patterns::tests::hostile_globs_finish_on_long_text",
            "interrupted::interrupted_zip_stops_soon",
            "interrupted::interrupted_pack_stops_soon",
            "interrupted::lfs_and_submodule_listings_are_interruptible",
            "tests::dropped_work_is_interrupted_and_counted",
            "process_ends_when_thread_outlives_job",
            "process_continues_when_thread_stops",
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
            "small_pushes::four_byte_characters_are_refused",
            "small_pushes::a_long_link_is_refused_unread",
            "small_pushes::a_large_mailmap_is_refused_unread",
            "small_pushes::largest_converted_file_fits_in_memory",
            "submodules::tests::a_large_gitmodules_is_refused_unread",
        ],
    },
    Promise {
        chapter: HOSTILE,
        promise: "no host can use unlimited memory or time",
        tests: &[
            "fetching::many_references_take_little_memory",
            "fetching::endless_references_are_refused",
            "fetching::nothing_waits_forever",
        ],
    },
    Promise {
        chapter: HOSTILE,
        promise: "no name in a tree or a zip escapes the folder that it is unpacked into",
        tests: &[
            "trees::names_that_escape_are_refused",
            "trees::unusual_file_names_are_kept",
            "hostile::a_name_that_leads_out",
            "hostile::ambiguous_names_are_refused_or_dropped",
            "hostile::names_that_collide",
        ],
    },
    Promise {
        chapter: SECRETS,
        promise: "a GitHub App's token reads one repository, and only the App's own page creates one",
        tests: &[
            "github_app::token_is_scoped_and_cached",
            "github_app::github_app_serves_private_repositories",
            "github_app::manifest::tests::wrong_answers_never_give_a_code",
        ],
    },
    Promise {
        chapter: SECRETS,
        promise: "no secret appears in a log, a response, a page, a message or an object",
        tests: &["planted_secrets_are_found_nowhere", "canary_is_found_in_every_encoding"],
    },
];
