//! The steps of a push, in their order, and what is wrong with each.

use std::collections::BTreeSet;

use host_api::{Delivery, DeployKey, Event, HostApiError, PublicKey, Webhook, WebhookFault};
use serde::Serialize;

use super::endpoint::Reached;
use super::facts::{AtHost, Facts};
use crate::connect::Endpoint;
use crate::status::Trouble;

/// What is known about a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum Verdict {
    /// Nothing is wrong.
    Fine {
        /// What was seen.
        seen: String,
    },
    /// A push fails here.
    Fault {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// It can't be known.
    Unknown {
        /// Why.
        why: String,
    },
}

/// A step of a push's path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The step.
    pub step: &'static str,
    /// What is known about it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

fn fine(seen: impl Into<String>) -> Verdict {
    Verdict::Fine { seen: seen.into() }
}

fn fault(what: impl Into<String>, remedy: impl Into<String>) -> Verdict {
    Verdict::Fault { what: what.into(), remedy: remedy.into() }
}

fn unknown(why: impl Into<String>) -> Verdict {
    Verdict::Unknown { why: why.into() }
}

/// All steps in their order. The first fault is the one to fix first.
pub fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut all = vec![finding("stack", stack(facts)), finding("endpoint", endpoint(facts))];
    if let Some(repository) = facts.repository {
        let allowed = facts.refusal.as_ref().map_or_else(
            || fine("the stack serves it and has a secret for it"),
            |refusal| fault(refusal.to_string(), refusal.hint()),
        );
        all.push(finding("parameters", allowed));
        match &facts.at_host {
            _ if facts.app.is_some() => all.extend(github_app(facts)),
            None => all.push(finding("host", unknown("there is no token for the host's API"))),
            Some(Err(error)) => all.push(finding("host", refused(error))),
            Some(Ok(told)) => {
                let connect = format!("run `connect {repository}`");
                all.push(finding("repository", hosted(told, facts)));
                all.push(finding("webhook", webhook(told, facts.target.urls(), &connect)));
                let again = "run `connect` for the repository";
                all.push(finding("deliveries", deliveries(told.deliveries.as_deref(), again)));
                if facts.target.is_over_ssh {
                    all.push(finding("deploy key", deploy_key(told.deploy_keys.as_deref(), &facts.keys, &connect)));
                }
            }
        }
    }
    all.push(finding("requests", requests(facts)));
    all.push(finding("jobs", jobs(facts)));
    all.push(finding("given up", dead_letter_messages(facts)));
    all.push(finding("alarms", alarms(facts)));
    if facts.repository.is_some() {
        all.push(finding("zip", zip(facts)));
    }
    all
}

fn finding(step: &'static str, verdict: Verdict) -> Finding {
    Finding { step, verdict }
}

fn stack(facts: &Facts<'_>) -> Verdict {
    let status = &facts.status.stack;
    if status.ends_with("_IN_PROGRESS") {
        unknown(format!("it is {status}"))
    } else if status.ends_with("_COMPLETE") {
        fine(status.clone())
    } else {
        fault(format!("the stack is {status}"), "deploy again: `deploy --continue-rollback` ends a stuck rollback")
    }
}

fn endpoint(facts: &Facts<'_>) -> Verdict {
    let url = facts.target.url(Endpoint::GitPull);
    match &facts.reached {
        Reached::Answered(status) if *status < 500 => {
            fine("its name resolves, and it answers with a valid certificate")
        }
        Reached::Answered(status) => fault(format!("{url} answers with status {status}"), "see the alarms and `logs`"),
        Reached::NoAddress(host) => fault(
            format!("the name {host} has no address"),
            "create its DNS record: the output CustomDomainNameTarget is what it points to",
        ),
        Reached::Certificate(why) => fault(
            format!("the endpoint's certificate isn't valid: {why}"),
            "check the certificate in ACM and the name in CustomDomainName",
        ),
        Reached::Nothing(why) => {
            fault(format!("nothing answers at {url}: {why}"), "check AllowedIps, WAF and network from here")
        }
        Reached::Untried => unknown("an emulator's addresses exist only within it"),
    }
}

fn refused(error: &HostApiError) -> Verdict {
    let remedy = error.hint().unwrap_or_else(|| "try again".to_owned());
    match error {
        HostApiError::Server { .. } | HostApiError::Transport { .. } | HostApiError::Limited { .. } => {
            unknown(contract::error_chain(error))
        }
        _ => fault(contract::error_chain(error), remedy),
    }
}

fn hosted(told: &AtHost, facts: &Facts<'_>) -> Verdict {
    let hosted = &told.hosted;
    if hosted.is_archived {
        return fault("the repository is archived: nobody can push", "unarchive it");
    }
    match (&hosted.default_branch, &facts.artifact) {
        (None, _) => fault("the repository has no commit yet", "push one"),
        (Some(branch), None) => fault(
            format!("the stack's parameter Refs does not include the default branch {branch}"),
            format!("deploy with {branch} in Refs, or push to a branch that it includes"),
        ),
        (Some(branch), Some(_)) => fine(format!("pushes to its default branch {branch} become zips")),
    }
}

fn webhook(told: &AtHost, urls: &[String; 2], connect: &str) -> Verdict {
    let ours: Vec<&Webhook> = told.webhooks.iter().filter(|hook| urls.contains(&hook.url)).collect();
    let [hook] = ours[..] else {
        if ours.len() > 1 {
            return fault(
                "several webhooks send to the stack: every push becomes several jobs",
                "delete all but one of them at the host",
            );
        }
        let similar = told.webhooks.iter().find(|hook| hook.url.ends_with("/gitpull") || hook.url.ends_with("/zipdl"));
        return match similar {
            Some(hook) => fault(
                format!("the webhook sends to {}, which is not the stack's endpoint", hook.url),
                format!("{connect}, and delete the other webhook"),
            ),
            None => fault("there is no webhook that sends to the stack", connect),
        };
    };
    let wanted = BTreeSet::from([Event::Push, Event::TagPush]);
    let faults = hook.faults(&wanted);
    match faults.first() {
        None => fine("it is active, sends JSON, and reports pushes and tags"),
        // It may be meant so.
        Some(WebhookFault::OnlyBranches(branches)) if faults.len() == 1 => {
            fine(format!("it reports only the branches {branches}"))
        }
        Some(_) => {
            let all: Vec<_> = faults.iter().map(ToString::to_string).collect();
            fault(format!("the webhook is wrong: {}", all.join(", ")), connect)
        }
    }
}

/// What the host says of the App that is the way to the repository.
fn github_app(facts: &Facts<'_>) -> Vec<Finding> {
    let (told, sent) = match &facts.app {
        None => return Vec::new(),
        Some(Err(error)) => {
            let remedy = error.hint().unwrap_or_else(|| "try again".to_owned());
            return vec![finding("GitHub App", fault(contract::error_chain(error), remedy))];
        }
        Some(Ok((told, sent))) => (told, sent),
    };
    let problem = told.problems(facts.target.url(Endpoint::GitPull)).into_iter().next();
    let verdict = problem.map_or_else(
        || fine("it is installed, reads the repository, and reports pushes to the stack"),
        |problem| fault(problem.reason, problem.hint.unwrap_or_default()),
    );
    let again = "import the App's key again with `app import`";
    vec![finding("GitHub App", verdict), finding("deliveries", deliveries(Some(sent), again))]
}

/// `again` makes the webhook what it has to be.
fn deliveries(all: Option<&[Delivery]>, again: &str) -> Verdict {
    let Some(all) = all else { return unknown("the host doesn't list them, or there is no webhook") };
    let Some(last) = all.first() else { return unknown("the host has sent nothing yet") };
    if last.is_accepted() {
        return fine(format!("the last one, {}, was accepted", last.event));
    }
    let (what, remedy) = answer(last, again);
    fault(format!("the last delivery ({}) failed: {what}", last.event), remedy)
}

/// What an answer to a delivery means, and what to do.
fn answer(last: &Delivery, again: &str) -> (String, String) {
    let Some(status) = last.status else {
        return (
            format!("the host got no answer: {}", last.outcome),
            "check the host's way to the internet, then send it again".to_owned(),
        );
    };
    let (what, remedy) = match status {
        400 => ("the endpoint did not understand it", "set its content type to application/json"),
        401 => ("the secret at the host is not the stack's", &*format!("{again}: it sets the stack's secret again")),
        403 => (
            "the stack does not allow this repository, host or sender's address",
            "see the parameters Repositories, AllowedGitHosts and AllowedIps",
        ),
        404 => ("the endpoint does not exist", &*format!("{again}: it sets the URL again")),
        413 => ("the payload is too large", "push fewer references at once"),
        415 => ("it was not JSON", &*format!("{again}: it sets the content type")),
        429 => ("the endpoint's throttle did not let it in", "send it again, or deploy with a higher throttle"),
        500.. => ("the endpoint failed", "see the alarms and `logs`, then send it again"),
        _ => ("the endpoint refused it", "see `logs`"),
    };
    (format!("{what} (status {status})"), remedy.to_owned())
}

fn deploy_key(there: Option<&[DeployKey]>, keys: &[PublicKey], connect: &str) -> Verdict {
    let Some(there) = there else { return unknown("the host has no deploy keys: its users have keys") };
    let found: Vec<_> = keys.iter().filter_map(|key| there.iter().find(|found| found.key == *key)).collect();
    match found.iter().find(|key| key.is_enabled) {
        Some(key) => fine(key.key.fingerprint()),
        None if !found.is_empty() => fault(
            "the deploy key is disabled: the organisation forbids deploy keys",
            "permit them in the organisation's settings, or use a machine user's account",
        ),
        None => fault("the host does not have the key that gitpull uses", connect),
    }
}

fn requests(facts: &Facts<'_>) -> Verdict {
    let trouble = facts.status.answers.iter().find(|answers| answers.is_trouble());
    match trouble {
        None => fine("the endpoint let in what came"),
        Some(answers) if answers.status == 429 => fault(
            format!("{} requests were throttled (status 429): their pushes may be lost", answers.count),
            "send them again at the host, or deploy with a higher throttle",
        ),
        Some(answers) => fault(
            format!("the endpoint failed {} times (status {})", answers.count, answers.status),
            "see the alarms and `logs`, then send them again at the host",
        ),
    }
}

fn jobs(facts: &Facts<'_>) -> Verdict {
    let concerns = |trouble: &&Trouble| match (facts.repository, &trouble.repository) {
        (Some(wanted), Some(found)) => found.eq_ignore_ascii_case(&wanted.to_string()),
        (None, _) => true,
        (Some(_), None) => false,
    };
    // What was stored after a failure has fixed it.
    let is_left = |trouble: &&Trouble| facts.stored.is_none_or(|stored| trouble.time > stored);
    match facts.status.errors.iter().filter(concerns).find(is_left) {
        None => fine("none has failed since the last zip"),
        Some(trouble) => {
            fault(format!("{}: {}", trouble.function, trouble.message), "docs/runbook.md explains each message")
        }
    }
}

fn dead_letter_messages(facts: &Facts<'_>) -> Verdict {
    let waiting: u64 =
        facts.status.queues.iter().filter(|queue| queue.id.contains("DeadLetter")).map(|queue| queue.waiting).sum();
    match waiting {
        0 => fine("none"),
        count => fault(
            format!("{count} jobs were given up: their pushes have no zip"),
            "fix what made them fail (`logs`), then run `redrive`",
        ),
    }
}

fn alarms(facts: &Facts<'_>) -> Verdict {
    match &facts.alarms {
        None => unknown("these credentials may not see them (cloudwatch:DescribeAlarms)"),
        Some(ringing) if ringing.is_empty() => fine("none rings"),
        Some(ringing) => fault(format!("these alarms ring: {}", ringing.join(", ")), "see docs/runbook.md"),
    }
}

fn zip(facts: &Facts<'_>) -> Verdict {
    match (&facts.artifact, facts.stored) {
        (Some(key), Some(_)) => fine(key.clone()),
        (Some(key), None) => {
            fault(format!("there is no zip {key} yet"), "push, or send the webhook's last delivery again")
        }
        (None, _) => unknown("pushes to the default branch become no zip"),
    }
}
