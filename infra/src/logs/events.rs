//! Reads the lines of a stack's logs. CloudWatch filters them, so that a busy day needn't be
//! downloaded; its patterns are coarse and match too much, so each line is checked again here.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatchlogs::Client;
use futures_util::future::try_join_all;

use super::Line;
use super::line::{Kind, Of};
use deployment::account::Account;
use deployment::call_error::CallError;
use deployment::deploy::Resource;

/// Words of which every line about a failure of a function has one: our own and Lambda's, text and
/// JSON. Each is a separate word for CloudWatch.
const TROUBLE: &str = r#"?ERROR ?Error ?error ?failure ?timeout ?"timed out" ?panicked ?refused"#;
/// The word in all lines about a delivery.
const DELIVERY: &str = "?delivery";
/// Unsuccessful answers of the endpoint; in its log the status is a string.
const ANSWERED: &str = r#"{ ($.status = "4*") || ($.status = "5*") }"#;
/// The maximum number of pages read from a log at once, of at most a megabyte each.
const PAGES: usize = 100;
/// How many milliseconds after a panic the end of its run may be logged.
const AFTER_A_PANIC: i64 = 5_000;
/// How late a line may reach its log.
const LATE: Duration = Duration::from_secs(30);

/// Which lines are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Failures.
    Trouble,
    /// Failures, and everything about deliveries.
    Deliveries,
}

impl Extent {
    fn pattern(self) -> String {
        match self {
            Self::Trouble => TROUBLE.to_owned(),
            Self::Deliveries => format!("{DELIVERY} {TROUBLE}"),
        }
    }
}

/// The log groups of a stack.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// The name of each function and of its log group.
    functions: Vec<(String, String)>,
    endpoint: Option<String>,
}

impl Groups {
    /// Finds the log groups among a stack's resources.
    pub fn of(resources: &[Resource]) -> Self {
        let mut groups = Self::default();
        let all = resources.iter().filter(|resource| resource.kind == "AWS::Logs::LogGroup" && !resource.is_gone());
        for Resource { logical_id, physical_id, .. } in all {
            let name = physical_id.rsplit('/').next().unwrap_or_default();
            match logical_id.as_str() {
                "ApiAccessLog" => groups.endpoint = Some(physical_id.clone()),
                id if id.ends_with("LogGroup") => groups.functions.push((name.to_owned(), physical_id.clone())),
                // API Gateway's execution log isn't needed: each error is in the access log, too.
                _ => {}
            }
        }
        groups
    }
}

impl Groups {
    /// The name of each function, and its log group.
    pub(super) fn functions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.functions.iter().map(|(name, group)| (name.as_str(), group.as_str()))
    }

    /// The log group of the endpoint.
    pub(super) fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }
}

/// Reads logs repeatedly, but each line only once.
#[derive(Debug)]
pub struct Reader {
    client: Client,
    groups: Groups,
    extent: Extent,
    since: SystemTime,
    seen: HashSet<String>,
    /// Whether there were more lines than are read at once.
    pub is_cut: bool,
}

impl Reader {
    /// A reader of the lines in these logs since `since`.
    pub fn new(account: &Account, groups: Groups, extent: Extent, since: SystemTime) -> Self {
        let client = Client::new(&account.config);
        Self { client, groups, extent, since, seen: HashSet::new(), is_cut: false }
    }

    /// The new lines since the last call, oldest first.
    ///
    /// # Errors
    /// AWS could not be asked, or refused.
    pub async fn read(&mut self) -> Result<Vec<Line>, CallError> {
        let asked = SystemTime::now();
        let (pattern, since) = (self.extent.pattern(), millis(self.since));
        let functions = self.groups.functions.iter();
        let functions = functions.map(|(name, group)| (Of::Function(name), group.as_str(), pattern.as_str()));
        let endpoint = self.groups.endpoint.as_deref().map(|group| (Of::Endpoint, group, ANSWERED));
        let all = functions.chain(endpoint).map(|(of, group, pattern)| found(&self.client, of, group, pattern, since));
        let all = try_join_all(all).await?;
        let (mut lines, mut current) = (Vec::new(), HashSet::new());
        for Found { events, is_cut } in all {
            self.is_cut |= is_cut;
            for (id, told) in events {
                if !self.seen.contains(&id) {
                    lines.extend(told);
                }
                current.insert(id);
            }
        }
        // Duplicates occur only between two consecutive reads.
        self.seen = current;
        // Late lines come with the next read.
        self.since = self.since.max(asked.checked_sub(LATE).unwrap_or(asked));
        lines.sort_by_key(|line| line.millis);
        Ok(once(lines))
    }
}

/// Merges the lines about the end of a run into one: Lambda writes several, and Rust's runtime a
/// panic before them.
fn once(mut lines: Vec<Line>) -> Vec<Line> {
    let (mut ended, mut panics) = (HashSet::new(), HashMap::new());
    lines.retain(|line| {
        if line.kind != Kind::Died {
            return true;
        }
        let Some(request) = &line.request else {
            panics.insert(line.function.clone(), line.millis);
            return true;
        };
        let is_first = ended.insert(request.clone());
        let is_of_panic = panics.get(&line.function).is_some_and(|panic| line.millis - panic < AFTER_A_PANIC);
        if is_of_panic {
            panics.remove(&line.function);
        }
        is_first && !is_of_panic
    });
    lines
}

struct Found {
    /// The ID of each event, and its parsed lines.
    events: Vec<(String, Vec<Line>)>,
    is_cut: bool,
}

async fn found(client: &Client, of: Of<'_>, group: &str, pattern: &str, since: i64) -> Result<Found, CallError> {
    let request = client.filter_log_events().log_group_name(group).start_time(since).filter_pattern(pattern);
    let mut pages = request.into_paginator().send();
    let (mut events, mut read) = (Vec::new(), 0);
    while read < PAGES {
        let Some(page) = pages.next().await else { return Ok(Found { events, is_cut: false }) };
        let page = page.map_err(|error| CallError::new(format!("search log {group}"), error))?;
        read += 1;
        events.extend(page.events.unwrap_or_default().into_iter().map(|event| {
            let (message, time) = (event.message.unwrap_or_default(), event.timestamp.unwrap_or_default());
            let lines = message.lines().filter_map(|line| Line::read(of, line, time)).collect();
            (event.event_id.unwrap_or_else(|| format!("{time} {message}")), lines)
        }));
    }
    Ok(Found { events, is_cut: true })
}

/// A time in CloudWatch's form.
pub(crate) fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CloudWatch's terms with `?` in the strictest reading: whole words, case-sensitive.
    fn finds(extent: Extent, line: &str) -> bool {
        let pattern = extent.pattern();
        let terms = pattern.split('?').skip(1).map(|term| term.trim().trim_matches('"'));
        let is_word = |text: Option<char>| text.is_some_and(char::is_alphanumeric);
        terms.into_iter().any(|term| {
            line.match_indices(term).any(|(at, _)| {
                !is_word(line[..at].chars().next_back()) && !is_word(line[at + term.len()..].chars().next())
            })
        })
    }

    #[test]
    fn the_search_finds_what_is_told() {
        let mut told = 0;
        for (line, _) in super::super::line::tests::LINES {
            let read = line.lines().filter_map(|line| Line::read(Of::Function("gitpull"), line, 0)).collect::<Vec<_>>();
            for read in read {
                assert!(finds(Extent::Deliveries, line), "{line}");
                assert!(
                    read.kind == Kind::Other || read.level < super::super::Level::Error || finds(Extent::Trouble, line),
                    "{line}"
                );
                told += 1;
            }
        }
        assert!(told > 15, "{told}");
    }

    #[test]
    fn trouble_search_skips_successful_lines() {
        for line in [
            "START RequestId: 8f5e Version: $LATEST",
            "REPORT RequestId: 8f5e\tDuration: 3.96 ms\tBilled Duration: 4 ms\tMemory Size: 256 MB\tMax Memory Used: 24 MB\t",
            r#"{"timestamp":"2026-11-30T03:37:31.120000Z","level":"INFO","message":"queued","delivery":"1"}"#,
            r#"{"time":"2026-11-30T03:37:31.120Z","type":"platform.report","record":{"requestId":"8f5e","status":"success"}}"#,
        ] {
            assert!(!finds(Extent::Trouble, line), "{line}");
        }
    }

    #[test]
    fn one_end_is_told_once() {
        let end = |text: &str, millis| Line::read(Of::Function("gitpull"), text, millis).unwrap();
        let panic = "thread 'main' panicked at functions/gitpull/src/main.rs:40:9:";
        let exit = |id: &str| format!("RequestId: {id} Error: Runtime exited with error: exit status 101");
        let report = |id: &str| {
            format!(
                "REPORT RequestId: {id}\tMemory Size: 9 MB\tMax Memory Used: 1 MB\tStatus: error\tError Type: Runtime.ExitError"
            )
        };
        let lines = vec![
            end(panic, 0),
            end(&exit("a"), 3),
            end(&report("a"), 4),
            end(&exit("b"), 5),
            end(&report("b"), 6),
            end(panic, 7),
            end(&exit("c"), 60_000),
        ];
        let told: Vec<_> = once(lines).into_iter().map(|line| line.millis).collect();
        assert_eq!(told, [0, 5, 7, 60_000]);
    }

    #[test]
    fn log_group_maps_to_its_writer() {
        let resource = |id: &str, name: &str, status: &str| Resource {
            logical_id: id.to_owned(),
            kind: "AWS::Logs::LogGroup".to_owned(),
            physical_id: name.to_owned(),
            status: status.to_owned(),
            reason: None,
        };
        let groups = Groups::of(&[
            resource("WebhookLogGroup", "/git2s3/x/webhook", "CREATE_COMPLETE"),
            resource("GitPullLogGroup", "/git2s3/x/gitpull", "DELETE_COMPLETE"),
            resource("ApiAccessLog", "/git2s3/x/access", "CREATE_COMPLETE"),
            resource("ApiExecutionLog", "API-Gateway-Execution-Logs_1/Prod", "CREATE_COMPLETE"),
        ]);
        assert_eq!(groups.functions, [("webhook".to_owned(), "/git2s3/x/webhook".to_owned())]);
        assert_eq!(groups.endpoint.unwrap(), "/git2s3/x/access");
    }
}
