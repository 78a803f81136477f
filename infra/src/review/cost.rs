//! The stack's monthly cost, from measurements of a push and AWS's list prices, without free tiers.

use deployment::deploy::Retention;

/// The AWS resources that a push consumes, measured if possible: the zip and the durations vary
/// with the repository.
#[derive(Debug, Clone, Copy)]
pub struct Consumption {
    /// Of the webhook function, in seconds of 256 MB.
    pub webhook: f64,
    /// Of gitpull, in seconds of 1,769 MB.
    pub gitpull: f64,
    /// The zip, in megabytes.
    pub zip: f64,
    /// Lines of all logs, in kilobytes.
    pub logs: f64,
}

/// A push of one changed file to a repository of a few thousand files, into a warm function.
pub const USUAL: Consumption = Consumption { webhook: 0.02, gitpull: 1.5, zip: 10.0, logs: 4.0 };

/// When these prices were noted.
pub const NOTED: &str = "2026-11";

/// An item of the bill.
#[derive(Debug)]
pub struct Item {
    /// What is paid for.
    pub what: &'static str,
    /// The quantity, as a formula in words.
    pub formula: String,
    /// The list price in us-east-1, in dollars.
    pub price: &'static str,
    /// Where it is listed.
    pub source: &'static str,
    /// In dollars a month.
    pub dollars: f64,
}

/// A queue's long polls in a month: Lambda keeps five, of 20 s each.
const POLLS: f64 = 5.0 * 3.0 * 60.0 * 24.0 * 30.0;

/// One of so many pushes meets a function with an empty disk, and stores a new pack. This is
/// assumed: Lambda doesn't say how long it keeps a function, and most such pushes keep the existing
/// pack.
const TO_A_COLD_START: f64 = 10.0;

/// The stack's alarms.
const ALARMS: f64 = 10.0;

/// The repositories that the reconciler compares, and its runs in a month, every 30 minutes.
const REPOSITORIES: f64 = 100.0;
const RUNS: f64 = 2.0 * 24.0 * 30.0;
/// How long it takes for a repository, in seconds: ten round trips of 100 ms, and eight
/// repositories of a host at once.
const COMPARED: f64 = 1.0 / 8.0;

/// The monthly bill for a number of pushes.
pub fn bill(pushes: f64, push: Consumption) -> Vec<Item> {
    let Consumption { webhook, gitpull, zip, logs } = push;
    let item = |what, formula, price, source, dollars| Item { what, formula, price, source, dollars };
    let compute = webhook * 0.25 + gitpull * 1769.0 / 1024.0;
    let stored = pushes * zip / 1000.0;
    let of_pushes = vec![
        item(
            "API Gateway requests",
            format!("{pushes} pushes"),
            "$3.50 a million",
            "https://aws.amazon.com/api-gateway/pricing/",
            pushes * 3.50 / 1e6,
        ),
        item(
            "Lambda requests",
            format!("2 × {pushes} pushes"),
            "$0.20 a million",
            "https://aws.amazon.com/lambda/pricing/",
            2.0 * pushes * 0.20 / 1e6,
        ),
        item(
            "Lambda duration, arm64",
            format!("{pushes} × ({webhook} s × 0.25 GB + {gitpull} s × 1.73 GB)"),
            "$0.0000133334 a GB-second",
            "https://aws.amazon.com/lambda/pricing/",
            pushes * compute * 0.000_013_333_4,
        ),
        item(
            "Lambda storage",
            format!("{pushes} × {gitpull} s × 3.5 GB above the free 512 MB"),
            "$0.0000000309 a GB-second",
            "https://aws.amazon.com/lambda/pricing/",
            pushes * gitpull * 3.5 * 0.000_000_030_9,
        ),
        item(
            "SQS FIFO requests",
            format!("4 × {pushes} pushes + 2 queues × {POLLS} polls"),
            "$0.50 a million",
            "https://aws.amazon.com/sqs/pricing/",
            (4.0 * pushes + 2.0 * POLLS) * 0.50 / 1e6,
        ),
        item(
            "S3 requests",
            format!("{pushes} × (3 writes + 2 reads)"),
            "$0.005 and $0.0004 a thousand",
            "https://aws.amazon.com/s3/pricing/",
            pushes * (3.0 * 0.005 + 2.0 * 0.0004) / 1000.0,
        ),
        item(
            "S3 storage",
            format!("{pushes} × {zip} MB, all versions of one month for a month"),
            "$0.023 a GB",
            "https://aws.amazon.com/s3/pricing/",
            stored * 0.023,
        ),
        item(
            "S3 pack cache",
            format!("{pushes} / {TO_A_COLD_START} cold starts × (3 writes + 1 read) + a pack of {zip} MB"),
            "$0.005 and $0.0004 a thousand, $0.023 a GB",
            "https://aws.amazon.com/s3/pricing/",
            pushes / TO_A_COLD_START * (3.0 * 0.005 + 0.0004) / 1000.0 + zip / 1000.0 * 0.023,
        ),
        item(
            "EventBridge events",
            format!("{pushes} pushes, each ready or failed"),
            "$1.00 a million",
            "https://aws.amazon.com/eventbridge/pricing/",
            pushes / 1e6,
        ),
        item(
            "KMS",
            "1 key, and with AlarmEmail a second one".to_owned(),
            "$1 a key",
            "https://aws.amazon.com/kms/pricing/",
            1.0,
        ),
        item(
            "Secrets Manager",
            "2 secrets".to_owned(),
            "$0.40 a secret",
            "https://aws.amazon.com/secrets-manager/pricing/",
            0.80,
        ),
        item(
            "CloudWatch alarms",
            format!("{ALARMS} alarms"),
            "$0.10 an alarm",
            "https://aws.amazon.com/cloudwatch/pricing/",
            ALARMS * 0.10,
        ),
        item(
            "CloudWatch Logs",
            format!("{pushes} × {logs} kB"),
            "$0.50 a GB",
            "https://aws.amazon.com/cloudwatch/pricing/",
            pushes * logs / 1e6 * 0.50,
        ),
    ];
    of_pushes.into_iter().chain(of_reconciler()).collect()
}

/// What the reconciler costs, whether anything is pushed or not.
fn of_reconciler() -> [Item; 2] {
    [
        Item {
            what: "Reconciler, Lambda",
            formula: format!("{RUNS} runs × {REPOSITORIES} repositories × {COMPARED} s × 0.25 GB"),
            price: "$0.0000133334 a GB-second",
            source: "https://aws.amazon.com/lambda/pricing/",
            dollars: RUNS * (REPOSITORIES * COMPARED * 0.25 * 0.000_013_333_4 + 0.20 / 1e6),
        },
        Item {
            what: "Reconciler, S3 and KMS",
            formula: format!("{RUNS} runs × (2 lists + 1 write + 3 reads + 2 keys to decrypt + 1 event)"),
            price: "$0.005 and $0.0004 a thousand, $0.03 for 10,000, $1.00 a million",
            source: "https://aws.amazon.com/s3/pricing/",
            dollars: RUNS * ((3.0 * 0.005 + 3.0 * 0.0004) / 1000.0 + 2.0 * 0.03 / 1e4 + 1.0 / 1e6),
        },
    ]
}

/// The pushes a month per zip. This is assumed: what `NewerNoncurrentVersions` keeps depends on the
/// number of zips.
pub const TO_A_ZIP: f64 = 50.0;

/// The stored gigabytes, and their cost in dollars, in the month that ends `months` after the first
/// push. Pushes are evenly spread, and a month has 30 days.
pub fn zips(pushes: f64, zip: f64, retention: Retention, months: u16) -> (f64, f64) {
    let made = pushes * f64::from(months);
    let kept = match retention.days {
        None => made,
        Some(days) => {
            let zips = pushes / TO_A_ZIP;
            let young = pushes * f64::from(days) / 30.0;
            made.min(zips + young.max(zips * f64::from(retention.newer)))
        }
    };
    let gigabytes = kept * zip / 1000.0;
    (gigabytes, gigabytes * 0.023)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_grows_without_end() {
        let dollars = |months| zips(1_000.0, 10.0, Retention::of("", ""), months).1;
        assert!((dollars(1) - 0.23).abs() < 1e-9 && (dollars(12) - 2.76).abs() < 1e-9);
    }

    #[test]
    fn expiring_versions_stop_growing() {
        let gigabytes = |days, newer, months| zips(1_000.0, 10.0, Retention::of(days, newer), months).0;
        // Twenty zips of 10 MB, and what was replaced within the days.
        assert!((gigabytes("30", "", 12) - 10.2).abs() < 1e-9);
        assert!((gigabytes("30", "", 12) - gigabytes("30", "", 6)).abs() < 1e-9);
        assert!((gigabytes("90", "", 1) - 10.0).abs() < 1e-9, "there is nothing older yet");
        assert!((gigabytes("1", "100", 12) - 20.2).abs() < 1e-9, "a hundred of each stay");
    }

    fn total(pushes: f64) -> f64 {
        bill(pushes, USUAL).iter().map(|item| item.dollars).sum()
    }

    #[test]
    fn small_bill_is_mostly_idle_cost() {
        let idle = total(0.0);
        assert!((idle - (1.0 + 0.8 + 1.0 + 0.648 + 0.000_23 + reconciler())).abs() < 1e-9, "{idle}");
        assert!(total(1_000.0) < idle + 1.0);
    }

    fn reconciler() -> f64 {
        of_reconciler().iter().map(|item| item.dollars).sum()
    }

    #[test]
    fn reconciling_hundred_repositories_costs_little() {
        let with_its_alarms = reconciler() + 2.0 * 0.10;
        assert!(REPOSITORIES >= 100.0 && with_its_alarms <= 0.50, "{with_its_alarms}");
    }

    #[test]
    fn every_alarm_is_paid_for() {
        let template = deployment::stack::template(None).unwrap().into_value();
        let resources = template["Resources"].as_object().unwrap().values();
        let alarms = resources.filter(|resource| resource["Type"] == "AWS::CloudWatch::Alarm").count();
        assert_eq!(format!("{ALARMS}"), alarms.to_string());
    }

    #[test]
    fn the_rest_grows_with_the_pushes() {
        let per_push = |pushes: f64| (total(pushes) - total(0.0)) / pushes;
        assert!((per_push(1_000.0) - per_push(100_000.0)).abs() < 1e-9);
    }
}
