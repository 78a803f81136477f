//! The statuses of commits: our client and the stand-ins, compared with the specifications.

use contract::{HostKind, RepositoryPath};
use host_api::{CommitStatus, HostApiError, StatusName, StatusState};
use https::Method;
use local::host_api::{Fault, Status};
use serde_json::Value;

use crate::{Hosts, spec};

const PAGE: &str = "https://eu-central-1.console.aws.amazon.com/s3/object/zips?prefix=acme/hello/acme_hello.zip";

fn named(name: &str) -> StatusName {
    StatusName::new("a".repeat(40).parse().unwrap(), name, "main")
}

fn status(state: StatusState, description: &str) -> CommitStatus {
    CommitStatus { state, description: description.to_owned(), url: PAGE.to_owned() }
}

/// The statuses that a host has got.
fn stored(hosts: &Hosts, kind: HostKind, path: &RepositoryPath) -> Vec<Status> {
    hosts.apis.state(kind).find(path.as_str()).unwrap().statuses.clone()
}

/// The host's words for pending, success and failure.
fn words(kind: HostKind) -> [&'static str; 3] {
    match kind {
        HostKind::GitHub | HostKind::Gitea => ["pending", "success", "failure"],
        HostKind::GitLab => ["pending", "success", "failed"],
        HostKind::Bitbucket | HostKind::BitbucketDataCenter => ["INPROGRESS", "SUCCESSFUL", "FAILED"],
        HostKind::Azure => ["pending", "succeeded", "failed"],
    }
}

#[tokio::test]
async fn every_host_takes_each_status() {
    let hosts = Hosts::start().await;
    for kind in HostKind::ALL {
        let path = hosts.add(kind, "hello");
        let api = hosts.api(kind);
        let name = named("git2s3/zips: main");
        assert_eq!(api.commit_status(&path, &name).await.unwrap(), None, "{kind}");
        for state in [StatusState::Pending, StatusState::Success, StatusState::Failure] {
            // The second time as after an answer that was lost.
            for _ in 0..2 {
                api.set_commit_status(&path, &name, &status(state, "the\nreason")).await.unwrap();
            }
            assert_eq!(api.commit_status(&path, &name).await.unwrap(), Some(state), "{kind}");
        }
        let other = named("git2s3/zips: v1");
        assert_eq!(api.commit_status(&path, &other).await.unwrap(), None, "{kind}");
        api.set_commit_status(&path, &other, &status(StatusState::Pending, "")).await.unwrap();
        assert_eq!(api.commit_status(&path, &name).await.unwrap(), Some(StatusState::Failure), "{kind}");

        let mut all = stored(&hosts, kind, &path);
        assert!(all.iter().all(|one| one.url == PAGE && one.commit == "a".repeat(40)), "{kind}: {all:?}");
        assert_ne!(all.pop().unwrap().name, all[0].name, "{kind}");
        assert!(all.iter().all(|one| one.description == "the reason" && one.name == all[0].name), "{kind}: {all:?}");
        let mut states: Vec<_> = all.iter().map(|one| one.state.as_str()).collect();
        states.dedup();
        assert_eq!(states, words(kind), "{kind}");
    }
    for (kind, compared) in hosts.compare() {
        println!("{kind}: {compared:?}");
        assert!(compared.requests == 13 && compared.responses == 13, "{kind}: {compared:?}");
    }
}

#[tokio::test]
async fn longest_texts_fit_each_host() {
    let hosts = Hosts::start().await;
    for kind in HostKind::ALL {
        let path = hosts.add(kind, "hello");
        let name = named(&format!("git2s3/zips: {}", "ä".repeat(900)));
        let long = CommitStatus {
            url: "x".repeat(CommitStatus::LONGEST_URL),
            ..status(StatusState::Failure, &"ä ".repeat(900))
        };
        hosts.api(kind).set_commit_status(&path, &name, &long).await.unwrap();
        let found = hosts.api(kind).commit_status(&path, &name).await.unwrap();
        assert_eq!(found, Some(StatusState::Failure), "{kind}");
        assert!(stored(&hosts, kind, &path)[0].description.ends_with('…'), "{kind}");
    }
    for (kind, compared) in hosts.compare() {
        assert_eq!((compared.requests, compared.responses), (2, 2), "{kind}: {compared:?}");
    }
}

#[tokio::test]
async fn status_refusals_name_the_right() {
    let hosts = Hosts::start().await;
    for kind in HostKind::ALL {
        let path = hosts.add(kind, "hello");
        let set = async || {
            let (name, wanted) = (named("git2s3"), status(StatusState::Success, ""));
            hosts.api(kind).set_commit_status(&path, &name, &wanted).await
        };
        let fail = |status| hosts.apis.plant(kind, Fault::once(Method::POST, "status", status));
        let fail_builds = |status| hosts.apis.plant(kind, Fault::once(Method::POST, "builds", status));
        for (number, passes) in [(401, false), (403, false), (404, false), (422, false), (500, true), (503, true)] {
            if kind == HostKind::BitbucketDataCenter {
                fail_builds(number);
            } else {
                fail(number);
            }
            let error = set().await.unwrap_err();
            assert_eq!(error.may_pass(), passes, "{kind} {number}: {error}");
            assert!(error.to_string().contains("set the status of a commit of"), "{kind}: {error}");
            if number == 403 {
                let hint = error.hint().unwrap();
                let needed = ["status", "Developer", "write:repository", "Repository read", "write:repository"];
                assert!(
                    needed.iter().any(|right| hint.contains(right)) && !hint.contains("administer"),
                    "{kind}: {hint}"
                );
            }
        }
        assert_eq!(stored(&hosts, kind, &path), [], "{kind}");
        // A limit is waited for.
        let part = if kind == HostKind::BitbucketDataCenter { "builds" } else { "status" };
        let headers = vec![("retry-after", "7".to_owned())];
        hosts.apis.plant(kind, Fault { headers, ..Fault::once(Method::POST, part, 429) });
        set().await.unwrap();
        assert_eq!(stored(&hosts, kind, &path).len(), 1, "{kind}");
    }
}

/// `PyGithub` has recorded them.
#[tokio::test]
async fn recorded_statuses_are_understood() {
    let hosts = Hosts::start().await;
    let api = hosts.api(HostKind::GitHub);
    let path = hosts.add(HostKind::GitHub, "hello");
    let mut replayed = 0;
    for recorded in spec::recorded() {
        let (method, body) = (recorded["method"].as_str().unwrap(), &recorded["body"]);
        if !recorded["path"].as_str().unwrap().contains("/statuses") {
            continue;
        }
        let plant = |method, body: &Value| {
            let fault = Fault { body: Some(body.clone()), ..Fault::once(method, "/statuses", 200) };
            hosts.apis.plant(HostKind::GitHub, fault);
        };
        let list = if method == "POST" {
            plant(Method::POST, body);
            api.set_commit_status(&path, &named("x"), &status(StatusState::Success, "")).await.unwrap();
            Value::Array(vec![body.clone()])
        } else {
            body.clone()
        };
        for one in list.as_array().unwrap() {
            let Some(context) = one["context"].as_str() else { continue };
            plant(Method::GET, &list);
            assert!(api.commit_status(&path, &named(context)).await.unwrap().is_some(), "{one}");
        }
        plant(Method::GET, &list);
        assert_eq!(api.commit_status(&path, &named("of nobody")).await.unwrap(), None);
        replayed += 1;
    }
    println!("{replayed}");
    assert!(replayed >= 3, "{replayed}");
}

#[tokio::test]
async fn status_of_missing_repository_fails() {
    let hosts = Hosts::start().await;
    for kind in HostKind::ALL {
        let path: RepositoryPath = hosts.add(kind, "hello").as_str().replace("hello", "missing").parse().unwrap();
        let error =
            hosts.api(kind).set_commit_status(&path, &named("x"), &status(StatusState::Success, "")).await.unwrap_err();
        assert!(matches!(error, HostApiError::NotFound { .. }) && !error.may_pass(), "{kind}: {error:?}");
    }
}
