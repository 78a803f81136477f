//! The statuses of commits: our client and the stand-ins, compared with the specifications.

use contract::{HostKind, RepositoryPath};
use host_api::{CommitStatus, HostApiError, StatusName, StatusState};
use https::Method;
use local::host_api::{Fault, Status};

use crate::Hosts;

const PAGE: &str = "https://eu-central-1.console.aws.amazon.com/s3/object/zips?prefix=acme/hello/acme_hello.zip";

fn named(name: &str) -> StatusName {
    StatusName::new("a".repeat(40).parse().unwrap(), name, "main")
}

fn status(state: StatusState, description: &str) -> CommitStatus {
    CommitStatus { state, description: description.to_owned(), url: PAGE.to_owned() }
}

/// Any status.
pub(crate) fn any() -> (StatusName, CommitStatus) {
    (named("git2s3"), status(StatusState::Success, ""))
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
        for state in [StatusState::Pending, StatusState::Success, StatusState::Failure] {
            // The second time as after an answer that was lost.
            for _ in 0..2 {
                api.set_commit_status(&path, &name, &status(state, "the\nreason")).await.unwrap();
            }
        }
        let other = named("git2s3/zips: v1");
        api.set_commit_status(&path, &other, &status(StatusState::Pending, "")).await.unwrap();
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
        assert!(compared.requests == 7 && compared.responses == 7, "{kind}: {compared:?}");
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
        let [only] = &stored(&hosts, kind, &path)[..] else { panic!("{kind}: not one status") };
        assert!(only.state == words(kind)[2] && only.description.ends_with('…'), "{kind}: {only:?}");
    }
    for (kind, compared) in hosts.compare() {
        assert_eq!((compared.requests, compared.responses), (1, 1), "{kind}: {compared:?}");
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
