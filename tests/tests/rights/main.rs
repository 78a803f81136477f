//! Least privilege in both directions: the roles of the deployed stack can do what the scenarios
//! need, and nothing else. Each right is removed once. Then a user's scenario must fail, because of
//! that right.
#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

mod denials;
mod engines;
mod granted;
mod probes;
mod scenarios;
mod stage;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use granted::Granted;
use infra::review::rights::Evidence;
use local::artifact::Artifact;
use local::decisions::Decision;
use local::roles::InlinePolicy;
use local::{roles, tally};
use scenarios::{Props, SCENARIOS, Scenario};
use serde_json::json;
use stage::Stage;

/// Functions whose scenarios don't interfere, in a possible order.
const TURNS: [&[&str]; 4] = [
    &["SshKeyFunction"],
    &["WebhookFunction", "GitPullFunction", "ZipDlFunction"],
    &["ReconcilerFunction"],
    &["BucketCleanerFunction"],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_right_is_used_and_needed() {
    let stage = Stage::set("https").await.unwrap();
    let props = Props::make(&stage).await.unwrap();
    a_push_succeeds(&stage).await.unwrap();
    stage.account().stop_event_sources().await.unwrap();
    let rights = Granted::all(&stage).await.unwrap();

    for functions in TURNS {
        try_join_all(functions.iter().map(|function| play_all(&stage, &props, function))).await.unwrap();
    }
    used_rights_are_granted(&stage, &rights).unwrap();
    let decisions = stage.local.cloud.decisions().since(0).unwrap();
    engines::agree(&engines::decide(&stage, &rights, &decisions).unwrap(), &[]).unwrap();

    // If this weren't detected, the rest would prove nothing.
    let needless = needless(&stage, &rights).await.unwrap();
    let push = SCENARIOS.iter().find(|scenario| scenario.function == "WebhookFunction").unwrap();
    let noticed = is_needed(&stage, &props, &needless, push).await.unwrap_err();
    assert!(noticed.to_string().starts_with("nobody needs WebhookRole s3:GetObject"), "{noticed:?}");
    needless.policy.delete(stage.account()).await.unwrap();

    let mut tried = 0;
    for functions in TURNS {
        let played = functions.iter().map(|function| remove_each(&stage, &props, &rights, function));
        tried += try_join_all(played).await.unwrap().into_iter().sum::<usize>();
    }
    let template = deployment::stack::template(None).unwrap();
    let in_scenarios = template.rights().iter().filter(|right| matches!(right.evidence, Evidence::Scenario(_)));
    assert_eq!(tried, in_scenarios.count());
    tally::tried(tried);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_engines_agree_on_permissions() {
    let stage = Stage::set("ssh").await.unwrap();
    stage.account().stop_event_sources().await.unwrap();
    stage.account().s3.create_bucket().bucket(probes::OTHER_BUCKET).send().await.unwrap();
    let rights = Granted::all(&stage).await.unwrap();
    let decisions = probe_all(&stage, &rights).await.unwrap();
    let verdicts = engines::decide(&stage, &rights, &decisions).unwrap();

    engines::agree(&verdicts, &engines::MOTO_ALLOWS).unwrap();
    for right in &rights {
        let allowed = decisions.iter().any(|decision| right.decided(decision) && decision.allowed);
        assert!(allowed, "nobody tried {right}");
    }
    denials::hold(&stage, &verdicts).unwrap();
    tally::tried(verdicts.len());
}

#[test]
fn scenarios_match_review_evidence() {
    let template = deployment::stack::template(None).unwrap();
    let named = template.rights().iter().filter_map(|right| match right.evidence {
        Evidence::Scenario(name) => Some((name, right.role.replace("Role", "Function"))),
        Evidence::Documented(_) => None,
    });
    let named: BTreeSet<_> = named.collect();
    assert_eq!(named, SCENARIOS.iter().map(|scenario| (scenario.name, scenario.function.to_owned())).collect());
    let played: BTreeSet<_> = TURNS.concat().into_iter().collect();
    assert_eq!(played, SCENARIOS.iter().map(|scenario| scenario.function).collect());
}

/// Sends all probes as each role. Returns the account's decisions.
async fn probe_all(stage: &Stage, rights: &[Granted]) -> Result<Vec<Decision>> {
    let roles: BTreeSet<_> = rights.iter().map(|right| right.policy.role.as_str()).collect();
    let probes = probes::all(stage)?;
    let mut all = Vec::new();
    for role in roles {
        let account = roles::assume(stage.account(), role).await?;
        let before = stage.local.cloud.decisions().count()?;
        for probe in &probes {
            account.send(&probe.call).await?;
        }
        let mut decisions = stage.local.cloud.decisions().since(before)?;
        decisions.retain(|decision| decision.role == role && decision.asked);
        let actions: Vec<_> = decisions.iter().map(|decision| &decision.action).collect();
        let expected: Vec<_> = probes.iter().map(|probe| &probe.action).collect();
        ensure!(actions == expected, "{role}'s requests needed other actions");
        all.extend(decisions);
    }
    Ok(all)
}

/// Real Git, the queue, a worker started by Lambda: here all requests come from their real senders.
async fn a_push_succeeds(stage: &Stage) -> Result<()> {
    let clone = stage.local.host.create("acme/whole").await?;
    std::fs::write(clone.dir().join("a"), "x\n")?;
    let commit = clone.commit("Build a rocket").await?;
    clone.push(&["main"]).await?;
    let (bucket, key) = (stage.id("OutputBucket")?, "acme/whole/acme_whole.zip");
    let zip = Artifact::wait(stage.account(), bucket, key, &commit, Duration::from_mins(1)).await?;
    zip.same_tree(&clone.archive(&commit).await?).map(drop)
}

/// With all rights, everything succeeds.
async fn play_all(stage: &Stage, props: &Props, function: &str) -> Result<()> {
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.function == function) {
        (scenario.play)(stage, props).await.map_err(|error| error.context(scenario.name))?;
    }
    Ok(())
}

/// All used rights are granted, and all granted rights are used, or required by AWS in ways that
/// the account doesn't know.
fn used_rights_are_granted(stage: &Stage, rights: &[Granted]) -> Result<()> {
    let decisions = stage.local.cloud.decisions().since(0)?;
    let refused: Vec<_> = decisions.iter().filter(|decision| decision.asked && !decision.allowed).collect();
    ensure!(refused.is_empty(), "rights are missing: {refused:#?}");
    let without: Vec<_> = decisions
        .iter()
        .filter(|decision| decision.allowed && !rights.iter().any(|right| right.decided(decision)))
        .collect();
    ensure!(without.is_empty(), "allowed without a right: {without:#?}");
    let unused = rights.iter().filter(|right| !decisions.iter().any(|decision| right.decided(decision)));
    let documented = rights.iter().filter(|right| matches!(right.evidence, Evidence::Documented(_)));
    let documented: BTreeSet<_> = documented.map(ToString::to_string).collect();
    let unused: BTreeSet<_> = unused.map(ToString::to_string).collect();
    ensure!(
        unused == documented,
        "unused, but not documented as such: {:#?}; used, but documented as unused: {:#?}",
        unused.difference(&documented).collect::<Vec<_>>(),
        documented.difference(&unused).collect::<Vec<_>>()
    );
    Ok(())
}

/// A right that the webhook function doesn't need, in the account but not in the template.
async fn needless(stage: &Stage, rights: &[Granted]) -> Result<Granted> {
    let role = rights.iter().find(|right| right.role == "WebhookRole").context("the webhook function has no role")?;
    let arn = format!("arn:aws:s3:::{}/*", stage.id("OutputBucket")?);
    let statement = json!({ "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [arn] });
    let document = json!({ "Version": "2012-10-17", "Statement": [statement] });
    let policy = InlinePolicy { role: role.policy.role.clone(), name: "Needless".to_owned(), document };
    policy.put(stage.account()).await?;
    let [resource, action] = ["${OutputBucket.Arn}/*", "s3:GetObject"].map(str::to_owned);
    Ok(Granted { action, resource, arn, policy, ..role.clone() })
}

/// Removes each right of a function's role in turn. Returns how many there were.
async fn remove_each(stage: &Stage, props: &Props, rights: &[Granted], function: &str) -> Result<usize> {
    let mut tried = 0;
    for right in rights.iter().filter(|right| right.role.replace("Role", "Function") == function) {
        if let Evidence::Scenario(name) = right.evidence {
            let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name && scenario.function == function);
            let scenario = scenario.with_context(|| format!("there is no scenario {name}"))?;
            is_needed(stage, props, right, scenario).await?;
            tried += 1;
        }
    }
    if function == "SshKeyFunction" {
        // The following steps need a key.
        play_all(stage, props, function).await?;
    }
    Ok(tried)
}

/// Without the right, the scenario fails, and the account has refused that action.
async fn is_needed(stage: &Stage, props: &Props, right: &Granted, scenario: &Scenario) -> Result<()> {
    let decisions = stage.local.cloud.decisions();
    let (account, before) = (stage.account(), decisions.count()?);
    match right.policy.without(&right.action) {
        Some(less) => less.put(account).await?,
        None => right.policy.delete(account).await?,
    }
    let played = (scenario.play)(stage, props).await;
    right.policy.put(account).await?;
    ensure!(played.is_err(), "nobody needs {right}: {} succeeds without it", scenario.name);
    let refused = decisions.since(before)?.iter().any(|decision| right.decided(decision) && !decision.allowed);
    ensure!(refused, "{} fails without {right}, but not because of it: {played:?}", scenario.name);
    Ok(())
}
