//! Recorded lines: one story of each kind, as the functions log it. The span that each line has on
//! Lambda is left out where no test needs it.

use crate::logs::Record;

/// The function, and its line.
pub(super) type Told = (&'static str, String);

/// A line of the webhook or a worker, with the time `03:` and the rest.
fn line(time: &str, level: &str, message: &str, fields: &str) -> String {
    format!(r#"{{"timestamp":"2026-11-30T03:{time}Z","level":"{level}","message":"{message}",{fields}}}"#)
}

/// The fields of a job of github.com/acme/rocket.
fn job(delivery: &str, reference: &str) -> String {
    of("github.com/acme/rocket", delivery, reference)
}

fn of(repository: &str, delivery: &str, reference: &str) -> String {
    format!(
        r#""job":"{delivery} {reference}","delivery":"{delivery}","repository":"{repository}","reference":"{reference}""#
    )
}

fn received(time: &str, delivery: &str) -> Told {
    let fields = format!(
        r#""delivery":"{delivery}","repository":"github.com/acme/rocket","worker":"gitpull","proof":"x-hub-signature-256","source":"203.0.113.7","scope":"[]","references":1,"gateway_request":"g-{delivery}""#
    );
    ("webhook", line(time, "INFO", "received", &fields))
}

fn queued(function: &'static str, time: &str, job: &str, commit: &str) -> Told {
    let fields = format!(r#"{job},"commit":"{commit}","worker":"gitpull""#);
    (function, line(time, "INFO", "queued", &fields))
}

fn begun(time: &str, job: &str, more: &str) -> Told {
    again(1, time, job, more)
}

/// The begin of a later try.
fn again(receives: u8, time: &str, job: &str, more: &str) -> Told {
    ("gitpull", line(time, "INFO", "begun", &format!(r#"{job},"receives":{receives},"waited_ms":300{more}"#)))
}

fn stored(time: &str, job: &str, commit: &str, more: &str) -> Told {
    let fields = format!(
        r#"{job},"commit":"{commit}","artifact":"s3://zips/acme/rocket/acme_rocket.zip","version":"v-{}","zip_bytes":512,"total_ms":742{more}"#,
        &commit[..2]
    );
    ("gitpull", line(time, "INFO", "stored", &fields))
}

const REFUSED: &str =
    r#""error":"github.com refused the SSH key","hint":"add the stack's PublicSSHKey as a deploy key","receives":3"#;

/// All stories.
#[expect(clippy::too_many_lines, reason = "one story after the other")]
pub(super) fn told() -> Vec<Told> {
    let [first, second] = ["1a", "2b"].map(|digits| digits.repeat(20));
    let main = |delivery: &str| job(delivery, "refs/heads/main");
    let mut told = vec![
        received("10:00.000000", "d-superseded"),
        queued("webhook", "10:00.060000", &main("d-superseded"), &first),
        begun("10:00.400000", &main("d-superseded"), ""),
        stored("10:01.200000", &main("d-superseded"), &second, &format!(r#","superseded":"{first}""#)),
        received("10:00.100000", "d-newer"),
        queued("webhook", "10:00.160000", &main("d-newer"), &second),
        begun("10:01.300000", &main("d-newer"), ""),
        (
            "gitpull",
            stored("10:01.500000", &main("d-newer"), &second, "")
                .1
                .replace(r#""message":"stored""#, r#""message":"unchanged: the bucket has the zip of this commit""#),
        ),
        (
            "webhook",
            line(
                "11:00.000000",
                "WARN",
                "refused",
                r#""delivery":"d-refused","status":401,"cause":"the request is not authenticated: the signature doesn't verify: the header x-hub-signature-256 matches none of the secrets","source":"203.0.113.7","gateway_request":"g-refused""#,
            ),
        ),
        ("webhook", line("11:01.000000", "INFO", "ignored", r#""delivery":"d-ignored","reason":"ping""#)),
        (
            "webhook",
            line(
                "11:02.000000",
                "ERROR",
                "failed",
                r#""delivery":"d-unqueued","cause":"queue 1 jobs, of which 0 are queued: AccessDenied""#,
            ),
        ),
    ];
    for (delivery, minute) in [("d-failed", 12), ("d-redriven", 13)] {
        let (job, at) = (job(delivery, "refs/heads/broken"), |second: &str| format!("{minute}:{second}"));
        let failed = |receives: u8, wait: u8| {
            let fields =
                REFUSED.replace(r#""receives":3"#, &format!(r#""receives":{receives},"retry_in_seconds":{wait}"#));
            format!("{job},{fields}")
        };
        told.extend([
            received(&at("00.000000"), delivery),
            queued("webhook", &at("00.060000"), &job, &"4d".repeat(20)),
            begun(&at("00.400000"), &job, ""),
            ("gitpull", line(&at("00.900000"), "ERROR", "failed", &failed(1, 5))),
            again(2, &at("05.900000"), &job, ""),
            ("gitpull", line(&at("06.400000"), "ERROR", "failed", &failed(2, 10))),
            again(3, &at("16.400000"), &job, ""),
            ("gitpull", line(&at("16.900000"), "ERROR", "gave up", &format!("{job},{REFUSED}"))),
        ]);
        if delivery == "d-redriven" {
            told.push(begun(&at("40.000000"), &job, r#","again":"redrive-5f0e""#));
            told.push(stored(&at("40.900000"), &job, &"4d".repeat(20), ""));
        }
    }
    let tag = job("d-gone", "refs/tags/v1");
    told.extend([
        received("14:00.000000", "d-gone"),
        queued("webhook", "14:00.060000", &tag, &first),
        begun("14:00.400000", &tag, ""),
        (
            "gitpull",
            line(
                "14:00.900000",
                "WARN",
                "nothing left to do",
                &format!(r#"{tag},"error":"could not fetch: github.com/acme/rocket has no refs/tags/v1""#),
            ),
        ),
        received("15:00.000000", "d-waits"),
        queued("webhook", "15:00.060000", &job("d-waits", "refs/heads/late"), &first),
        received("16:00.000000", "d-several"),
    ]);
    for name in ["a", "b"] {
        let job = job("d-several", &format!("refs/heads/{name}"));
        told.push(queued("webhook", "16:00.060000", &job, &"5e".repeat(20)));
        told.push(begun("16:00.400000", &job, ""));
        told.push(match name {
            "a" => stored("16:00.900000", &job, &"5e".repeat(20), ""),
            _ => ("gitpull", line("16:00.900000", "ERROR", "gave up", &format!("{job},{REFUSED}"))),
        });
    }
    let behind = job("d-behind", "refs/heads/old");
    let (found, killed) = (
        job("reconcile-1", "refs/heads/kept").replace("reconcile-1", "d-reconciled"),
        job("d-killed", "refs/heads/large"),
    );
    told.extend([
        received("17:00.000000", "d-behind"),
        queued("webhook", "17:00.060000", &behind, &first),
        ("zipdl", line("17:09.000000", "INFO", "unchanged", &format!(r#"{behind},"commit":"{second}","superseded":"{first}","reason":"the host says that refs/heads/old names {second}, which is stored already, but the sender said {first}""#))),
        (
            "reconciler",
            queued("", "18:00.000000", &found, &"6c".repeat(20))
                .1
                .replace(r#","worker":"gitpull""#, "")
                .replace(r#""queued""#, r#""queued: the host has another commit than the bucket""#),
        ),
        begun("18:00.400000", &found, ""),
        stored("18:01.200000", &found, &"6c".repeat(20), ""),
        received("19:00.000000", "d-killed"),
        queued("webhook", "19:00.060000", &killed, &first),
        begun("19:00.400000", &killed, r#","span":{"requestId":"run-1","name":"Lambda runtime invoke"}"#),
    ]);
    let gone = r#""artifact":"s3://zips/acme/rocket/branch/old/acme_rocket.zip""#;
    for (delivery, function) in [("d-deleted", "webhook"), ("d-undeleted", "reconciler")] {
        let job = job(delivery, "refs/heads/old");
        let found = function == "reconciler";
        if !found {
            told.push(received("20:00.000000", delivery));
        }
        let (message, more) = if found {
            ("queued: the host has no such reference any more", r#","trigger":"reconciled""#)
        } else {
            ("queued", "")
        };
        let fields = format!(r#"{job},"worker":"gitpull","deleted":true{more}"#);
        told.push((function, line("20:00.060000", "INFO", message, &fields)));
        told.push(begun("20:00.400000", &job, ""));
        let done = line("20:00.900000", "INFO", "deleted: the zip is marked", &format!("{job},{gone}"));
        told.push(("gitpull", done));
    }
    let again = job("d-again", "refs/heads/again");
    told.extend([
        (
            "reconciler",
            line(
                "21:30.000000",
                "INFO",
                "asked the host to deliver it again",
                r#""delivery":"d-again","event":"push","times":1"#,
            ),
        ),
        received("21:31.000000", "d-again"),
        queued("webhook", "21:31.060000", &again, &"9a".repeat(20)),
        begun("21:31.400000", &again, ""),
        stored("21:32.000000", &again, &"9a".repeat(20), ""),
    ]);
    for (number, host) in [(1, "github.com"), (2, "gitlab.com")] {
        let twin = of(&format!("{host}/acme/twin"), &format!("d-twin-{number}"), "refs/heads/main");
        told.push(queued(
            "webhook",
            &format!("2{number}:00.000000"),
            &twin,
            &format!("3c3c{number}{}", "0".repeat(35)),
        ));
    }
    let digits = of("github.com/acme/digits", "7d7d7d", "refs/heads/main");
    told.push(queued("webhook", "23:00.000000", &digits, &"7d".repeat(20)));
    told.push(received("24:00.000000", "d-stored"));
    let plain = of("github.com/acme/plain", "d-stored", "refs/heads/main");
    told.push(queued("webhook", "24:00.060000", &plain, &"8f".repeat(20)));
    told.push(begun("24:00.400000", &plain, ""));
    told.push(stored("24:01.142000", &plain, &"8f".repeat(20), ""));
    told
}

/// The lines as they are found: in the order of their times.
pub(super) fn records(told: &[Told]) -> Vec<Record> {
    let mut records: Vec<_> = told.iter().flat_map(|(function, line)| Record::read(function, line, 7)).collect();
    assert_eq!(records.len(), told.len());
    records.sort_by_key(|record| record.line.millis);
    records
}
