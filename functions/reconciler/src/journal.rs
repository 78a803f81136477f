//! What the webhook of a GitHub App couldn't deliver. GitHub never delivers again by itself, but
//! keeps a journal for three days, and delivers again when it is asked. So what failed for a reason
//! that passes comes again with its own delivery ID: of repositories that nobody has stored yet,
//! and of releases, neither of which shows when references are compared.
//!
//! A run takes one request, which costs nothing at the host while nothing was sent.

use std::{collections::BTreeMap, time::SystemTime};

use github_app::{Delivery, GitHubApp, Page, Signer};
use serde::{Deserialize, Serialize};

use crate::hosts::{self, Failure};

/// For how long GitHub keeps a delivery, in seconds.
const KEPT: u64 = 3 * 86_400;
/// What was sent shortly before the newest entry that the last run has read may be in the journal
/// only now.
const OVERLAP: u64 = 600;
/// The most pages that a run reads, of a hundred entries.
const MOST_PAGES: usize = 30;
/// The most deliveries that a run has repeated: GitHub allows 80 changes a minute.
const MOST_AGAIN: usize = 60;
/// How often a delivery is repeated: at once, and after one, two and four periods.
const MOST_TIMES: u32 = 4;
/// The events that become jobs.
const EVENTS: [&str; 2] = ["push", "release"];

/// What a run needs of the App.
pub trait Deliveries {
    /// A page of the journal, see [`GitHubApp::deliveries`].
    fn page(&self, cursor: Option<&str>, etag: Option<&str>) -> impl Future<Output = Result<Option<Page>, Failure>>;

    /// Has a delivery repeated, see [`GitHubApp::deliver_again`].
    fn deliver_again(&self, id: u64) -> impl Future<Output = Result<(), Failure>>;
}

impl<S: Signer> Deliveries for GitHubApp<S> {
    async fn page(&self, cursor: Option<&str>, etag: Option<&str>) -> Result<Option<Page>, Failure> {
        self.deliveries(cursor, etag, SystemTime::now()).await.map_err(|error| hosts::of_app(&error))
    }

    async fn deliver_again(&self, id: u64) -> Result<(), Failure> {
        GitHubApp::deliver_again(self, id, SystemTime::now()).await.map_err(|error| hosts::of_app(&error))
    }
}

/// What a run tells the next one. Without it, the whole journal is read, and some deliveries are
/// repeated once more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Journal {
    /// When the newest entry was made that was read, in seconds since 1970.
    pub read: u64,
    /// The entity tag of the newest page then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The host asked not to be asked before, in seconds since 1970.
    pub until: u64,
    /// The deliveries that have failed, and haven't succeeded since.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<String, Failed>,
}

/// A delivery that has failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// Its newest attempt.
    pub id: u64,
    /// GitHub's name of the event.
    pub event: String,
    /// When the first attempt was made that is known, in seconds since 1970.
    pub since: u64,
    /// How often it was repeated.
    pub times: u32,
    /// In which run, the last time.
    pub at: u64,
    /// Whether that attempt has failed, too. If nothing is known of it, nothing is done.
    pub is_known: bool,
}

/// What became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalReport {
    /// How many requests that took.
    pub requests: u32,
    /// How many deliveries GitHub was asked to repeat.
    pub again: u32,
    /// Why it wasn't read to its end.
    pub failure: Option<String>,
}

impl Journal {
    /// Reads what is new, and has repeated what failed.
    pub async fn go_on(&mut self, app: &impl Deliveries, now: u64, every_minutes: u64) -> JournalReport {
        let mut report = JournalReport::default();
        if now < self.until {
            return report;
        }
        self.failed.retain(|_, failed| failed.since + KEPT > now);
        let mut result = self.read_new(app, now, &mut report).await;
        if result.is_ok() {
            result = self.repeat(app, now, every_minutes, &mut report).await;
        }
        if let Err(failure) = result {
            if let Failure::Host(_, after) = &failure {
                self.until = now.saturating_add(after.as_secs());
            }
            report.failure = Some(failure.to_string());
        }
        report
    }

    async fn read_new(&mut self, app: &impl Deliveries, now: u64, report: &mut JournalReport) -> Result<(), Failure> {
        let oldest = self.read.saturating_sub(OVERLAP).max(now.saturating_sub(KEPT));
        let (mut all, mut cursor, mut newest_etag) = (Vec::new(), None, None);
        for number in 0..MOST_PAGES {
            let etag = self.etag.as_deref().filter(|_| number == 0);
            report.requests += 1;
            let Some(Page { deliveries, next, etag }) = app.page(cursor.as_deref(), etag).await? else { return Ok(()) };
            if number == 0 {
                newest_etag = etag;
            }
            let is_last = deliveries.iter().any(|one| seconds(one) < oldest);
            all.extend(deliveries.into_iter().filter(|one| seconds(one) >= oldest));
            cursor = next.filter(|_| !is_last);
            if cursor.is_none() {
                break;
            }
        }
        if cursor.is_some() {
            tracing::warn!(pages = MOST_PAGES, "the journal of deliveries is longer than is read");
        }
        self.note(all);
        self.etag = newest_etag;
        Ok(())
    }

    /// Notes the newest attempt of each delivery.
    fn note(&mut self, mut all: Vec<Delivery>) {
        all.sort_by_key(|one| (one.delivered_at, one.id));
        self.read = all.last().map_or(self.read, |newest| self.read.max(seconds(newest)));
        // The first attempt of each delivery, and its newest one.
        let mut attempts: BTreeMap<&str, (&Delivery, &Delivery)> = BTreeMap::new();
        for one in &all {
            attempts.entry(&one.guid).or_insert((one, one)).1 = one;
        }
        for (guid, (first, newest)) in attempts {
            if !passes(newest) || !EVENTS.contains(&newest.event.as_str()) {
                self.failed.remove(guid);
                continue;
            }
            let failed = self.failed.entry(guid.to_owned()).or_insert_with(|| Failed::since(first));
            if failed.id != newest.id {
                (failed.id, failed.is_known) = (newest.id, true);
            }
        }
    }

    async fn repeat(
        &mut self,
        app: &impl Deliveries,
        now: u64,
        every_minutes: u64,
        report: &mut JournalReport,
    ) -> Result<(), Failure> {
        let mut due: Vec<_> = self.failed.iter().filter(|(_, failed)| failed.is_due(now, every_minutes)).collect();
        due.sort_by_key(|(_, failed)| (failed.times, failed.since));
        let due: Vec<String> = due.into_iter().take(MOST_AGAIN).map(|(guid, _)| guid.clone()).collect();
        for guid in due {
            let Some(failed) = self.failed.get_mut(&guid) else { continue };
            report.requests += 1;
            match app.deliver_again(failed.id).await {
                Ok(()) => {}
                // It isn't there any more, or it was delivered meanwhile.
                Err(Failure::Repository(cause)) => {
                    tracing::warn!(delivery = guid, cause, "the host doesn't deliver it again");
                    self.failed.remove(&guid);
                    continue;
                }
                Err(failure) => return Err(failure),
            }
            (failed.times, failed.at, failed.is_known) = (failed.times + 1, now, false);
            report.again += 1;
            tracing::info!(
                delivery = guid,
                event = failed.event,
                times = failed.times,
                "asked the host to deliver it again"
            );
        }
        Ok(())
    }
}

impl Failed {
    fn since(first: &Delivery) -> Self {
        let (id, event, since) = (first.id, first.event.clone(), seconds(first));
        Self { id, event, since, times: 0, at: 0, is_known: true }
    }

    /// Whether it is repeated now.
    fn is_due(&self, now: u64, every_minutes: u64) -> bool {
        let period = every_minutes * 60;
        let pause = if self.times == 0 { 0 } else { (period << (self.times - 1).min(8)).saturating_sub(period / 2) };
        self.is_known && self.times < MOST_TIMES && now >= self.at.saturating_add(pause)
    }
}

fn seconds(delivery: &Delivery) -> u64 {
    u64::try_from(delivery.delivered_at.as_second()).unwrap_or_default()
}

/// Whether an attempt has failed for a reason that may be gone by now. Our own refusals aren't:
/// they would be the same again.
fn passes(attempt: &Delivery) -> bool {
    match attempt.status_code {
        200..400 => false,
        429 | 500..600 => true,
        // GitHub has no response to show.
        code => !(100..600).contains(&code) && attempt.status != "OK",
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, time::Duration};

    use super::*;

    const NOW: u64 = 1_796_040_000;
    const PERIOD: u64 = 1800;

    /// A host with a journal, oldest first, whose webhook endpoint answers with a status.
    #[derive(Default)]
    struct Host {
        journal: RefCell<Vec<Delivery>>,
        asked: RefCell<Vec<String>>,
        /// What the next request is answered instead.
        fails: RefCell<Option<Failure>>,
        size: usize,
    }

    impl Host {
        fn new() -> Self {
            Self { size: 100, ..Self::default() }
        }

        fn sent(&self, guid: &str, at: u64, status_code: u16, event: &str) {
            let mut journal = self.journal.borrow_mut();
            let id = 1_000 + journal.len() as u64;
            journal.push(Delivery {
                id,
                guid: guid.to_owned(),
                delivered_at: jiff::Timestamp::from_second(at.try_into().unwrap()).unwrap(),
                status: if status_code == 200 { "OK" } else { "timed out" }.to_owned(),
                status_code,
                event: event.to_owned(),
            });
        }

        /// The requests since the last time.
        fn asked(&self) -> Vec<String> {
            std::mem::take(&mut self.asked.borrow_mut())
        }

        fn again(&self) -> Vec<String> {
            self.asked().into_iter().filter_map(|one| one.strip_prefix("again ").map(str::to_owned)).collect()
        }
    }

    impl Deliveries for Host {
        async fn page(&self, cursor: Option<&str>, etag: Option<&str>) -> Result<Option<Page>, Failure> {
            self.asked.borrow_mut().push(format!("page {}", cursor.unwrap_or("first")));
            if let Some(failure) = self.fails.borrow_mut().take() {
                return Err(failure);
            }
            let journal = self.journal.borrow();
            let now = format!("{}", journal.len());
            if etag == Some(now.as_str()) {
                return Ok(None);
            }
            let from = cursor.map_or(0, |cursor| cursor.parse().unwrap());
            let deliveries: Vec<_> = journal.iter().rev().skip(from).take(self.size).cloned().collect();
            let next = (from + self.size < journal.len()).then(|| (from + self.size).to_string());
            Ok(Some(Page { deliveries, next, etag: Some(now) }))
        }

        async fn deliver_again(&self, id: u64) -> Result<(), Failure> {
            let guid = self.journal.borrow().iter().find(|one| one.id == id).unwrap().guid.clone();
            self.asked.borrow_mut().push(format!("again {guid}"));
            self.fails.borrow_mut().take().map_or(Ok(()), Err)
        }
    }

    async fn run(journal: &mut Journal, host: &Host, now: u64) -> JournalReport {
        let report = journal.go_on(host, now, 30).await;
        // The next run knows only what is written.
        *journal = serde_json::from_str(&serde_json::to_string(journal).unwrap()).unwrap();
        report
    }

    #[tokio::test]
    async fn only_passing_failures_are_repeated() {
        let (host, mut journal) = (Host::new(), Journal::default());
        for (guid, status) in [
            ("fine", 200),
            ("moved", 302),
            ("refused", 401),
            ("large", 413),
            ("busy", 429),
            ("broken", 502),
            ("silent", 0),
        ] {
            host.sent(guid, NOW - 60, status, "push");
        }
        host.sent("pinged", NOW - 60, 502, "ping");
        host.sent("released", NOW - 60, 503, "release");
        // It was repeated by a person.
        host.sent("repaired", NOW - 90, 502, "push");
        host.sent("repaired", NOW - 30, 200, "push");
        host.sent("too-old", NOW - KEPT - 60, 502, "push");
        let report = run(&mut journal, &host, NOW).await;
        assert_eq!((report.requests, report.again, report.failure), (5, 4, None));
        assert_eq!(host.again(), ["broken", "busy", "released", "silent"]);
    }

    #[tokio::test]
    async fn delivery_is_repeated_few_times() {
        let (host, mut journal) = (Host::new(), Journal::default());
        host.sent("lost", NOW, 502, "push");
        let mut runs = Vec::new();
        for number in 0..100 {
            let now = NOW + number * PERIOD;
            run(&mut journal, &host, now).await;
            if !host.again().is_empty() {
                runs.push(number);
                host.sent("lost", now + 1, 502, "push");
            }
        }
        assert_eq!(runs, [0, 1, 3, 7]);
        // The next day, it is the same failure. Days later, nobody remembers it.
        run(&mut journal, &host, NOW + KEPT + PERIOD).await;
        assert_eq!((journal.failed.len(), host.again().len()), (0, 0));
    }

    #[tokio::test]
    async fn success_ends_repetitions() {
        let (host, mut journal) = (Host::new(), Journal::default());
        host.sent("lost", NOW, 502, "push");
        run(&mut journal, &host, NOW).await;
        // While nothing is known of the repetition, nothing is done.
        run(&mut journal, &host, NOW + PERIOD).await;
        assert_eq!(host.again(), ["lost"]);
        host.sent("lost", NOW + PERIOD + 1, 202, "push");
        run(&mut journal, &host, NOW + 2 * PERIOD).await;
        assert_eq!((host.again(), journal.failed.len()), (Vec::new(), 0));
    }

    #[tokio::test]
    async fn idle_journal_takes_one_request() {
        let (host, mut journal) = (Host::new(), Journal::default());
        for number in 0..1_000 {
            host.sent(&number.to_string(), NOW - 86_400 + number * 80, 200, "push");
        }
        assert_eq!(run(&mut journal, &host, NOW).await.requests, 10);
        host.asked();
        assert_eq!(run(&mut journal, &host, NOW + PERIOD).await.requests, 1);
        assert_eq!(host.asked(), ["page first"]);
        // What is new is read up to what was seen.
        host.sent("new", NOW + PERIOD, 502, "push");
        let report = run(&mut journal, &host, NOW + 2 * PERIOD).await;
        assert_eq!((report.requests, host.asked()), (2, vec!["page first".to_owned(), "again new".to_owned()]));
    }

    #[tokio::test]
    async fn long_journal_is_read_in_part() {
        let (host, mut journal) = (Host { size: 2, ..Host::new() }, Journal::default());
        for number in 0..1_000 {
            host.sent(&number.to_string(), NOW - 86_400 + number, 502, "push");
        }
        let report = run(&mut journal, &host, NOW).await;
        assert_eq!((report.requests as usize, report.again as usize), (MOST_PAGES + MOST_AGAIN, MOST_AGAIN));
        assert_eq!(journal.failed.len(), 2 * MOST_PAGES);
    }

    #[tokio::test]
    async fn busy_host_gets_its_pause() {
        let (host, mut journal) = (Host::new(), Journal::default());
        for guid in ["a", "b"] {
            host.sent(guid, NOW, 502, "push");
        }
        let busy = || Failure::Host("busy".to_owned(), Duration::from_mins(50));
        *host.fails.borrow_mut() = Some(busy());
        let report = run(&mut journal, &host, NOW).await;
        assert_eq!((report.requests, report.failure.as_deref()), (1, Some("busy")));
        host.asked();
        assert_eq!(run(&mut journal, &host, NOW + PERIOD).await, JournalReport::default());
        assert_eq!(run(&mut journal, &host, NOW + 2 * PERIOD).await.again, 2);
        // One that isn't delivered again keeps no other from it.
        for guid in ["a", "b"] {
            host.sent(guid, NOW + 2 * PERIOD + 1, 502, "push");
        }
        *host.fails.borrow_mut() = None;
        host.asked();
        run(&mut journal, &host, NOW + 4 * PERIOD).await;
        assert_eq!(host.again(), ["a", "b"]);
    }

    #[tokio::test]
    async fn lost_memory_does_little_harm() {
        let (host, mut journal) = (Host::new(), Journal::default());
        host.sent("lost", NOW, 502, "push");
        run(&mut journal, &host, NOW).await;
        host.sent("lost", NOW + 1, 202, "push");
        host.asked();
        run(&mut Journal::default(), &host, NOW + PERIOD).await;
        assert_eq!(host.again(), [""; 0]);
    }
}
