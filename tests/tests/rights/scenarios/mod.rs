//! What users need from the stack. Each scenario starts with a cold function and no earlier data,
//! and fails if the function's role lacks a right that it needs.

mod endpoint;
mod gitpull;
mod lifecycle;
mod reconciler;
mod zipdl;

use std::future::Future;
use std::pin::Pin;

use anyhow::Result;

use crate::stage::{Repo, Stage};

/// The inputs of the scenarios, created once, each for one scenario.
pub(crate) struct Props {
    /// Of one part, and large enough for a cached pack.
    pub(crate) rocket: Repo,
    /// Of several parts, and larger than a download may be. Its branch `lfs` has a file that Git
    /// LFS doesn't have.
    pub(crate) large: Repo,
    /// The commit of that branch.
    pub(crate) lfs: String,
    /// Of one part, downloaded.
    pub(crate) probe: Repo,
}

/// The result of a scenario.
pub(crate) type Played<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// A scenario.
pub(crate) struct Scenario {
    /// The name of its function, which is what the grants of `crates/deployment/src/stack` call it.
    pub(crate) name: &'static str,
    /// The logical ID of the function whose rights it needs.
    pub(crate) function: &'static str,
    /// Runs it.
    pub(crate) play: for<'a> fn(&'a Stage, &'a Props) -> Played<'a>,
}

macro_rules! scenarios {
    ($($function:literal: $($module:ident::$name:ident),+;)+) => {
        &[$($(Scenario {
            name: stringify!($name),
            function: $function,
            play: |stage, props| Box::pin($module::$name(stage, props)),
        }),+),+]
    };
}

/// All scenarios in a possible order: the last one deletes what the others use.
pub(crate) const SCENARIOS: &[Scenario] = scenarios! {
    "SshKeyFunction": lifecycle::a_stack_gets_its_ssh_key_and_keeps_it, lifecycle::a_repository_gets_a_key_of_its_own;
    "WebhookFunction": endpoint::a_signed_push_is_queued, endpoint::a_signed_request_for_a_download_is_queued;
    "GitPullFunction": gitpull::gitpull_makes_a_zip_of_a_first_push, gitpull::gitpull_warns_of_nothing_at_a_first_push,
        gitpull::gitpull_stores_no_tree_twice, gitpull::gitpull_keeps_the_zip_of_a_commit,
        gitpull::gitpull_marks_the_zip_of_a_deleted_branch, gitpull::gitpull_begins_with_the_pack_that_was_kept,
        gitpull::gitpull_leaves_no_half_a_zip, gitpull::gitpull_leaves_no_half_a_pack,
        gitpull::gitpull_tries_a_failed_job_again_within_seconds, gitpull::gitpull_failed_job_becomes_dead_letter,
        gitpull::gitpull_fetches_over_https_with_a_token, gitpull::gitpull_fetches_with_a_github_app;
    "ZipDlFunction": zipdl::zipdl_makes_a_zip_of_a_download, zipdl::zipdl_downloads_no_commit_twice, zipdl::zipdl_keeps_the_zip_of_a_commit,
        zipdl::zipdl_marks_the_zip_of_a_deleted_branch, zipdl::zipdl_leaves_no_half_a_zip, zipdl::zipdl_tries_a_failed_job_again_within_seconds, zipdl::zipdl_failed_job_becomes_dead_letter;
    "ReconcilerFunction": reconciler::reconciler_queues_a_lost_push, reconciler::reconciler_queues_a_lost_download,
        reconciler::reconciler_queues_a_lost_deletion,
        reconciler::reconciler_decrypts_all_keys_at_once, reconciler::reconciler_asks_with_a_github_app, reconciler::reconciler_limits_submodules_to_the_secrets;
    "BucketCleanerFunction": lifecycle::a_deleted_stack_leaves_its_buckets_empty;
};

impl Props {
    /// Fills the repositories.
    pub(crate) async fn make(stage: &Stage) -> Result<Self> {
        use crate::stage::{SEVERAL_PARTS, WORTH_KEEPING};
        let rocket = stage.repository("acme/rocket", WORTH_KEEPING).await?;
        let probe = stage.repository("acme/probe", WORTH_KEEPING).await?;
        let large = stage.repository("acme/large", SEVERAL_PARTS).await?;
        large.clone.git(&["branch", "download"]).await?;
        large.push(stage, "download").await?;
        let (clone, oid) = (&large.clone, "ab".repeat(32));
        clone.git(&["switch", "--quiet", "--create", "lfs"]).await?;
        let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12\n");
        std::fs::write(clone.dir().join("z.bin"), pointer)?;
        std::fs::write(clone.dir().join(".gitattributes"), "*.bin filter=lfs\n")?;
        let lfs = clone.commit("Keep a file elsewhere").await?;
        large.push(stage, "lfs").await?;
        Ok(Self { rocket, large, lfs, probe })
    }
}
