//! What works with which Git host, and the test that shows it: every entry of the README's table
//! has one. `just providers` prints the table for the tests that pass.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::test_runner;

/// A feature that works, with the name of its test.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The feature, in a word or two.
    pub what: &'static str,
    /// The test, by its name in the runner.
    pub test: &'static str,
}

/// All features of one kind of sender.
#[derive(Clone, Copy, Debug)]
pub struct Provider {
    /// As in `forge::host::HOSTS`.
    pub name: &'static str,
    /// The events that it may send.
    pub events: &'static [Claim],
    /// How it may authenticate.
    pub proofs: &'static [Claim],
    /// The result of its test button, if it has one.
    pub test_button: &'static [Claim],
    /// What works below a URL path, if it can be installed there.
    pub below_a_path: &'static [Claim],
    /// What works if the SSH server has another name or port than the web server, if it can have.
    pub other_ssh_host: &'static [Claim],
    /// The endpoints that zip its pushes.
    pub endpoints: &'static [Claim],
}

impl Provider {
    /// Its claims, by column of the table.
    fn claims(&self) -> [&'static [Claim]; 6] {
        [self.events, self.proofs, self.test_button, self.endpoints, self.below_a_path, self.other_ssh_host]
    }
}

const fn claim(what: &'static str, test: &'static str) -> Claim {
    Claim { what, test }
}

const BOTH: [Claim; 2] =
    [claim("gitpull", "every_host_on_both_endpoints"), claim("zipdl", "every_host_on_both_endpoints")];
const GITPULL: [Claim; 1] = [claim("gitpull", "every_host_on_both_endpoints")];
const ELSEWHERE: [Claim; 2] = [
    claim("gitpull", "hosts_below_path_serve_both_endpoints"),
    claim("zipdl", "hosts_below_path_serve_both_endpoints"),
];
const ELSEWHERE_GITPULL: [Claim; 1] = [claim("gitpull", "hosts_below_path_serve_both_endpoints")];
const FIREWALLS: [Claim; 1] = [claim("gitpull", "clone_url::tests::firewall_port_names_same_host")];
const HUB: [Claim; 2] = [
    claim("X-Hub-Signature-256", "signature::tests::githubs_published_example_verifies"),
    claim("X-Hub-Signature (SHA-1)", "signature::tests::the_prefix_says_which_hash"),
];
const BARE: [Claim; 1] =
    [claim("HMAC-SHA-256 in its own header", "signature::tests::gitea_style_signatures_are_bare_hex")];
const PREFIXED: Claim = claim("X-Hub-Signature (SHA-256)", "signature::tests::the_prefix_says_which_hash");
const BASIC: Claim = claim("Basic", "signature::tests::basic_auth_password_is_secret");

const FROM_ITSELF: [Claim; 1] = [claim("ping", "host::gitea::tests::the_test_button_is_a_ping")];

const OF_GITEA: [Claim; 2] = [
    claim("push, release", "host::gitea::tests::pushes_and_releases_are_githubs"),
    claim("deletion", "host::gitea::tests::deletion_comes_from_either_event"),
];

/// Every kind of sender.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "GitHub",
        events: &[
            claim("push", "host::github::tests::a_push_is_read"),
            claim("deletion", "host::github::tests::flag_or_null_id_means_deletion"),
            claim("release", "host::github::tests::published_release_becomes_its_tag"),
        ],
        proofs: &HUB,
        test_button: &[claim("ping", "host::github::tests::other_events_are_not_even_parsed")],
        below_a_path: &[],
        other_ssh_host: &ELSEWHERE,
        endpoints: &BOTH,
    },
    Provider {
        name: "GitLab",
        events: &[
            claim("push, tag", "host::gitlab::tests::push_and_tag_events_are_read"),
            claim("deletion", "host::gitlab::tests::null_id_means_deletion"),
            claim("release", "host::gitlab::tests::created_release_becomes_its_tag"),
        ],
        proofs: &[
            claim("X-Gitlab-Token", "signature::tests::only_the_one_value_passes"),
            claim("webhook-signature", "signature::tests::the_standard_webhooks_example_verifies"),
        ],
        test_button: &[claim("ping", "host::gitlab::tests::the_test_button_is_a_ping")],
        below_a_path: &ELSEWHERE,
        other_ssh_host: &ELSEWHERE,
        endpoints: &BOTH,
    },
    Provider {
        name: "Bitbucket Cloud",
        events: &[claim("push, tag, deletion, several", "host::bitbucket_cloud::tests::every_change_of_push_is_read")],
        proofs: &[PREFIXED],
        test_button: &[],
        below_a_path: &[],
        other_ssh_host: &FIREWALLS,
        endpoints: &BOTH,
    },
    Provider {
        name: "Bitbucket Data Center",
        events: &[claim("push, deletion, several", "host::bitbucket_dc::tests::every_pushed_reference_is_read")],
        proofs: &[PREFIXED, BASIC],
        test_button: &[claim("ping", "host::bitbucket_dc::tests::ping_is_recognized_others_are_ignored")],
        below_a_path: &ELSEWHERE,
        other_ssh_host: &ELSEWHERE,
        endpoints: &BOTH,
    },
    Provider {
        name: "Forgejo",
        events: &OF_GITEA,
        proofs: &BARE,
        test_button: &FROM_ITSELF,
        below_a_path: &ELSEWHERE,
        other_ssh_host: &ELSEWHERE,
        endpoints: &BOTH,
    },
    Provider {
        name: "Gitea",
        events: &OF_GITEA,
        proofs: &BARE,
        test_button: &FROM_ITSELF,
        below_a_path: &ELSEWHERE,
        other_ssh_host: &ELSEWHERE,
        endpoints: &BOTH,
    },
    Provider {
        name: "Gogs",
        events: &[
            claim("push", "host::gogs::tests::branches_are_read_only_from_pushes"),
            claim("tag", "host::gogs::tests::tag_comes_from_create_event"),
            claim("deletion", "host::gogs::tests::deletion_comes_from_delete_event"),
        ],
        proofs: &BARE,
        test_button: &FROM_ITSELF,
        below_a_path: &ELSEWHERE_GITPULL,
        other_ssh_host: &ELSEWHERE_GITPULL,
        endpoints: &GITPULL,
    },
    Provider {
        name: "Azure DevOps",
        events: &[claim("push, deletion, several", "host::azure::tests::azure_push_reads_every_url_form")],
        proofs: &[BASIC],
        test_button: &[claim("ping", "host::azure::tests::the_test_button_is_a_ping")],
        below_a_path: &[],
        other_ssh_host: &[],
        endpoints: &BOTH,
    },
    Provider {
        name: "generic",
        events: &[
            claim("push", "host::generic::tests::minimal_payload_is_enough"),
            claim("deletion", "host::generic::tests::full_name_precedes_name"),
        ],
        proofs: &[claim("X-Git-Token", "signature::tests::any_of_several_secrets_will_do"), HUB[0], HUB[1]],
        test_button: &[],
        below_a_path: &ELSEWHERE_GITPULL,
        other_ssh_host: &ELSEWHERE_GITPULL,
        endpoints: &GITPULL,
    },
];

/// The Markdown table for the tests that `passed`.
pub fn table(passed: &dyn Fn(&str) -> bool) -> String {
    let cell = |claims: &[Claim]| {
        let shown: Vec<_> = claims.iter().filter(|claim| passed(claim.test)).map(|claim| claim.what).collect();
        if shown.is_empty() { "–".to_owned() } else { shown.join(", ") }
    };
    let row = |provider: &Provider| {
        let cells = provider.claims().map(cell).join(" | ");
        format!("| {} | {cells} |\n", provider.name)
    };
    let head = "| Git host | events | proof | test button | endpoints | self-hosted under a path | other SSH host |\n\
        |---|---|---|---|---|---|---|\n";
    head.to_owned() + &PROVIDERS.iter().map(row).collect::<String>()
}

/// Runs the tests of all claims. Returns the names of those that passed.
///
/// # Errors
/// The runner can't be started, or doesn't report a test.
pub fn run() -> Result<BTreeSet<String>> {
    let passed = test_runner::run(&claims().map(|claim| claim.test).collect(), &[])?;
    Ok(passed.into_iter().filter_map(|(test, passed)| passed.then_some(test)).collect())
}

/// Every claim of every provider.
pub fn claims() -> impl Iterator<Item = &'static Claim> {
    PROVIDERS.iter().flat_map(Provider::claims).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_has_provider_row() {
        let rows: BTreeSet<_> = PROVIDERS.iter().map(|provider| provider.name).collect();
        let hosts: BTreeSet<_> = forge::host::HOSTS.iter().map(|host| host.name()).collect();
        assert_eq!(rows, hosts);
    }

    #[test]
    fn the_readme_has_the_table() {
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
        let table = table(&|_| true);
        assert!(readme.contains(&table), "the README lacks this table:\n{table}");
    }

    #[test]
    fn unproven_claims_are_left_out() {
        let fetching = ["every_host_on_both_endpoints", ELSEWHERE[0].test, FIREWALLS[0].test];
        let table = table(&|test| !fetching.contains(&test));
        assert!(!table.contains("gitpull") && !table.contains("zipdl"), "{table}");
    }
}
