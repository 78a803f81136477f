//! Checks the arithmetic of `docs/limits.md`, and compares it with a simulation of the stack:
//! pushes arrive at random, pass the stage's throttle, and wait for a worker and for earlier jobs
//! of their reference. Seeded, so that the result is the same everywhere.
#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and times, all of them small"
)]

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::path::Path;
use std::time::Duration;

use contract::dead_letter::{RECEIVES, TRIES};
use contract::{body, visibility};
use deployment::stack;
use infra::review::cost;
use local::tally;
use serde_json::Value;

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/limits.md")).unwrap()
}

/// [SplitMix64](https://prng.di.unimi.it/splitmix64.c): a generator that doesn't change with
/// library versions.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Milliseconds: integers can be ordered.
type Time = u64;

/// The template's settings of the endpoint and the workers.
struct Settings {
    /// Requests per second.
    rate: f64,
    /// The burst of requests.
    burst: f64,
    /// The most concurrent workers.
    workers: usize,
}

impl Settings {
    fn of_the_template() -> Self {
        let template = stack::template(None).unwrap().into_value();
        let throttle = &template["Resources"]["ApiStage"]["Properties"]["MethodSettings"][0];
        let number = |key: &str| throttle[key].as_f64().unwrap();
        let workers = template["Parameters"]["WorkerConcurrency"]["Default"].as_str().unwrap().parse().unwrap();
        Self { rate: number("ThrottlingRateLimit"), burst: number("ThrottlingBurstLimit"), workers }
    }
}

/// A load of pushes.
struct Load {
    pushes: usize,
    /// The period in seconds.
    seconds: f64,
    /// The number of references.
    references: usize,
}

/// The result.
#[derive(Debug, PartialEq)]
struct Simulated {
    refused: usize,
    busiest: usize,
    /// From the webhook to the zip, in seconds: median, 99th percentile, maximum.
    zipped: [f64; 3],
}

/// The duration of a job: the assumption of the review's costs, plus or minus half.
fn duration(random: &mut Random) -> Time {
    (cost::USUAL.gitpull * 1000.0 * (0.5 + random.fraction())) as Time
}

/// The pushes that pass the throttle, a token bucket, with their time and reference, and the number
/// of refused ones.
fn admitted(load: &Load, settings: &Settings, random: &mut Random) -> (Vec<(Time, usize)>, usize) {
    let mut times: Vec<f64> = (0..load.pushes).map(|_| random.fraction() * load.seconds).collect();
    times.sort_by(f64::total_cmp);
    let (mut tokens, mut last, mut passed) = (settings.burst, 0.0, Vec::new());
    for time in times {
        tokens = (tokens + (time - last) * settings.rate).min(settings.burst);
        last = time;
        if tokens >= 1.0 {
            tokens -= 1.0;
            passed.push(((time * 1000.0) as Time, random.next() as usize % load.references));
        }
    }
    let refused = load.pushes - passed.len();
    (passed, refused)
}

/// Lambda starts with five concurrent workers, and adds five per second.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>
fn pollers(now: Time, settings: &Settings) -> usize {
    settings.workers.min(5 + 5 * (now / 1000) as usize)
}

fn simulate(load: &Load, settings: &Settings) -> Simulated {
    let mut random = Random(2026);
    let (jobs, refused) = admitted(load, settings, &mut random);
    let mut groups: HashMap<usize, VecDeque<usize>> = HashMap::new();
    // The next job: the oldest one of the first jobs of idle references.
    let mut ready: BTreeSet<usize> = BTreeSet::new();
    let mut running: BinaryHeap<Reverse<(Time, usize)>> = BinaryHeap::new();
    let (mut next, mut busiest, mut zipped) = (0, 0, Vec::new());
    loop {
        let arrival = jobs.get(next).map(|job| job.0);
        let end = running.peek().map(|Reverse((time, _))| *time);
        let now = match (arrival, end) {
            (Some(arrival), Some(end)) => arrival.min(end),
            (Some(time), None) | (None, Some(time)) => time,
            (None, None) => break,
        };
        if end == Some(now) {
            let Some(Reverse((_, done))) = running.pop() else { break };
            zipped.push(now - jobs[done].0);
            let group = groups.get_mut(&jobs[done].1).unwrap();
            group.pop_front();
            ready.extend(group.front());
        } else {
            let group = groups.entry(jobs[next].1).or_default();
            group.push_back(next);
            ready.extend((group.len() == 1).then_some(next));
            next += 1;
        }
        while running.len() < pollers(now, settings) {
            let Some(job) = ready.pop_first() else { break };
            running.push(Reverse((now + duration(&mut random), job)));
        }
        busiest = busiest.max(running.len());
    }
    assert_eq!(zipped.len() + refused, load.pushes, "a push is zipped or refused");
    zipped.sort_unstable();
    let at = |share: f64| zipped[((zipped.len() - 1) as f64 * share) as usize] as f64 / 1000.0;
    Simulated { refused, busiest, zipped: [at(0.5), at(0.99), at(1.0)] }
}

/// A number in the format of the page.
fn told(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut told = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            told.push(',');
        }
        told.push(digit);
    }
    told
}

#[test]
fn limits_page_matches_simulation() {
    let page = page();
    let hour = |pushes: usize| Load { pushes, seconds: 3600.0, references: pushes / 10 };
    let burst = |seconds: f64| Load { pushes: 1000, seconds, references: 1000 };
    let one = Load { pushes: 1000, seconds: 3600.0, references: 1 };
    let cases = [
        ("1,000 an hour, to 100 branches", hour(1_000), 50),
        ("1,000 an hour, to 100 branches", hour(1_000), 3),
        ("1,000 an hour, to one branch", one, 50),
        ("100,000 an hour, to 10,000 branches", hour(100_000), 50),
        ("100,000 an hour, to 10,000 branches", hour(100_000), 100),
        ("1,000 in a minute, to 1,000 branches", burst(60.0), 50),
        ("1,000 in ten seconds, to 1,000 branches", burst(10.0), 50),
    ];
    let (mut tried, mut missing) = (0, Vec::new());
    for (what, load, workers) in &cases {
        let settings = Settings { workers: *workers, ..Settings::of_the_template() };
        let outcome = simulate(load, &settings);
        assert_eq!(outcome, simulate(load, &settings), "the seed decides");
        let Simulated { refused, busiest, zipped: [median, most, longest] } = outcome;
        let row =
            format!("| {what} | {workers} | {busiest} | {median:.1} s | {most:.1} s | {longest:.1} s | {refused} |");
        missing.extend((!page.contains(&row)).then_some(row));
        tried += load.pushes;
    }
    assert!(missing.is_empty(), "docs/limits.md lacks\n{}", missing.join("\n"));
    tally::tried(tried);
}

#[test]
fn limits_page_arithmetic_is_correct() {
    let (page, settings) = (page(), Settings::of_the_template());
    let worker = cost::USUAL.gitpull;
    let an_hour = |each_second: f64| told(each_second * 3600.0);
    let limits = [
        ("One branch", "1 job at a time", an_hour(1.0 / worker)),
        ("GitHub's API, zipdl only", "5,000 requests an hour and token, 3 a push", told((5_000.0_f64 / 3.0).floor())),
        ("`WorkerConcurrency`", "50 workers at once", an_hour(settings.workers as f64 / worker)),
        ("The stage's throttle", "50 requests a second, 100 at once", an_hour(settings.rate)),
        ("Lambda's concurrency", "1,000 at once in the account", an_hour(1_000.0 / (worker + cost::USUAL.webhook))),
        ("S3", "3,500 writes a second and prefix, 3 a push", an_hour(3_500.0 / 3.0)),
        ("SQS FIFO, high throughput", "at least 2,400 calls of an action a second", an_hour(2_400.0)),
        ("API Gateway", "10,000 requests a second in the account", an_hour(10_000.0)),
    ];
    for (what, limit, pushes) in &limits {
        let row = format!("| {what} | {limit} | {pushes} |");
        assert!(page.contains(&row), "docs/limits.md lacks\n{row}");
    }
    for rate in [1_000.0, 100_000.0] {
        let sentence = format!("{} × {worker} s / 3,600 s = {:.2} workers", told(rate), rate * worker / 3600.0);
        assert!(page.contains(&sentence), "docs/limits.md lacks\n{sentence}");
    }
}

#[test]
fn queues_use_high_throughput_fifo() {
    let template = stack::template(None).unwrap().into_value();
    let queues = template["Resources"].as_object().unwrap().values();
    let queues: Vec<&Value> = queues.filter(|resource| resource["Type"] == "AWS::SQS::Queue").collect();
    assert_eq!(queues.len(), 4);
    for queue in queues {
        assert_eq!(queue["Properties"]["FifoThroughputLimit"], "perMessageGroupId");
        assert_eq!(queue["Properties"]["DeduplicationScope"], "messageGroup");
    }
}

#[test]
fn the_largest_webhook_is_the_codes() {
    let page = page();
    let (body, event, rest) = (body::MAX_BODY_BYTES, body::MAX_EVENT_BYTES, body::REST_OF_EVENT_BYTES);
    let [body, event, rest] = [body, event, rest].map(|bytes| told(bytes as f64));
    for sentence in
        [format!("at most {body} bytes"), format!("({event} − {rest}) × 3/4"), format!("| at most {body} bytes |")]
    {
        assert!(page.contains(&sentence), "{sentence}");
    }
}

#[test]
fn documented_retries_match_code_and_template() {
    let page = page();
    let template = stack::template(None).unwrap().into_value();
    let row = |begins: &str| page.lines().find(|line| line.starts_with(&format!("| {begins}"))).unwrap();
    for (column, worker) in ["GitPull", "ZipDl"].into_iter().enumerate() {
        let of = |resource: &str| &template["Resources"][format!("{worker}{resource}")]["Properties"];
        let runs = of("Function")["Timeout"].as_u64().unwrap();
        let hidden = of("Queue")["VisibilityTimeout"].as_u64().unwrap();
        let receives = of("Queue")["RedrivePolicy"]["maxReceiveCount"].as_u64().unwrap();
        assert_eq!(receives, u64::from(RECEIVES));
        let (tries, kept) = (u64::from(TRIES), visibility::of_job(Duration::from_secs(runs)).as_secs());
        let throttled = receives - tries;
        let seconds = |number: u64| format!("{} s", told(number as f64));
        for (begins, number) in [
            ("the function may run for", seconds(runs)),
            ("the queue hides a job for six times that", seconds(hidden)),
            ("a worker that has the job hides it", seconds(kept)),
            ("three tries", format!("{tries} × {} = {}", seconds(kept), seconds(tries * kept))),
            (
                "SQS hands a job out 8 times",
                format!("{throttled} × {} = {}", seconds(hidden), seconds(throttled * hidden)),
            ),
        ] {
            let cells: Vec<&str> = row(begins).split('|').map(str::trim).collect();
            assert_eq!(cells[column + 2], number, "{worker}: {begins}");
        }
        assert_eq!(hidden, 6 * runs);
    }
}
