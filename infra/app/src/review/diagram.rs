//! The picture of the stack: from left to right the way of a push. Where a box stands is said here; which boxes are dashed, and
//! every line between them with the rights at it, is read out of the template.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, PreEscaped, html};
use serde_json::Value;

use crate::diff::{Effect, grants};

/// A box: the logical id (or [`HOST`], or [`ALARMS`]), what it is called, what it is, and where it stands.
struct Spot(&'static str, &'static str, &'static str, u16, u16);

/// The Git host, which no template has.
const HOST: &str = "(host)";

/// All alarms, which share a box.
const ALARMS: &str = "(alarms)";

const SPOTS: &[Spot] = &[
    Spot(HOST, "Git host", "yours, or a provider's", 0, 2),
    Spot("Api", "API", "API Gateway, regional", 1, 2),
    Spot("DomainName", "custom domain", "by CustomDomainName", 1, 3),
    Spot("ApiSecretValue", "webhook secrets", "Secrets Manager", 2, 1),
    Spot("WebhookFunction", "webhook", "Lambda: authenticates", 2, 2),
    Spot("ZipDlDeadLetterQueue", "dead letters", "SQS FIFO", 3, 0),
    Spot("ZipDlQueue", "zipdl jobs", "SQS FIFO", 3, 1),
    Spot("GitPullQueue", "gitpull jobs", "SQS FIFO", 3, 3),
    Spot("GitPullDeadLetterQueue", "dead letters", "SQS FIFO", 3, 4),
    Spot("ZipDlFunction", "zipdl", "Lambda: downloads", 4, 1),
    Spot("WorkerSecurityGroup", "security group", "with a VPCId", 4, 2),
    Spot("GitPullFunction", "gitpull", "Lambda: fetches, zips", 4, 3),
    Spot("ProviderCredentials", "host credentials", "Secrets Manager", 5, 0),
    Spot("OutputBucket", "output bucket", "S3: the zips", 5, 1),
    Spot("CacheBucket", "cache bucket", "S3: packs, 30 days", 5, 2),
    Spot("KeyBucket", "key bucket", "S3: encrypted SSH key", 5, 3),
    Spot("KeyEncryptionKey", "key", "KMS, rotating", 5, 4),
    Spot("BucketCleanerFunction", "bucket-cleaner", "Lambda: at deletion", 6, 2),
    Spot("SshKeyFunction", "ssh-key", "Lambda: at creation", 6, 4),
    Spot(ALARMS, "alarms", "CloudWatch", 1, 4),
    Spot("AlarmTopic", "alarm topic", "SNS, by AlarmEmail", 2, 4),
    Spot("AlarmTopicKey", "alarm key", "KMS, with AlarmEmail", 2, 3),
];

const BOX: (f32, f32) = (158.0, 54.0);
const PITCH: (f32, f32) = (272.0, 138.0);
const MARGIN: (f32, f32) = (90.0, 92.0);
const SIZE: (f32, f32) = (2.0 * MARGIN.0 + 6.0 * PITCH.0, 2.0 * MARGIN.1 + 4.0 * PITCH.1);
/// The longest word of a label, in characters; longer ones break where a capital letter begins.
const WIDEST: usize = 17;

/// A line of the picture.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// Where it begins: a logical id, or the Git host.
    pub from: String,
    /// Where it ends.
    pub to: String,
    /// What stands at it: actions, or what happens.
    pub label: Vec<String>,
    /// Whether it is there only where a condition holds.
    pub conditional: bool,
}

impl Line {
    fn new(from: &str, to: &str, label: &[&str]) -> Self {
        let label = label.iter().map(|&word| word.to_owned()).collect();
        Self { from: from.to_owned(), to: to.to_owned(), label, conditional: false }
    }
}

/// What a box is called; its logical id if it has none.
fn name(id: &str) -> &str {
    spot(id).map_or(id, |spot| spot.1)
}

fn spot(id: &str) -> Option<&'static Spot> {
    SPOTS.iter().find(|spot| spot.0 == id)
}

fn resources(template: &Value) -> impl Iterator<Item = (&String, &Value)> {
    template.get("Resources").and_then(Value::as_object).into_iter().flatten()
}

/// Every line, with what the template says about it.
pub fn lines(template: &Value) -> Vec<Line> {
    let mut lines = vec![
        Line::new(HOST, "Api", &["POST,", "signed"]),
        Line::new("ZipDlFunction", HOST, &["HTTPS, certificate checked: the archive, with a token"]),
        Line::new("GitPullFunction", HOST, &["SSH, host key checked: the difference to the last fetch"]),
    ];
    lines.extend(calls(template));
    lines.extend(rights(template));
    lines.extend(dead_letters(template));
    lines.extend(alarms(template));
    let mut networks = Vec::new();
    for (id, resource) in resources(template) {
        networks.extend(
            mentioned(&resource["Properties"]["VpcConfig"])
                .into_iter()
                .map(|group| Line { conditional: true, ..Line::new(&group, id, &[]) }),
        );
        if resource["Type"] == "AWS::ApiGateway::BasePathMapping" {
            networks.push(Line { conditional: true, ..Line::new("DomainName", "Api", &["or by this name"]) });
        }
    }
    lines.extend(networks);
    lines.retain(|line| spot(&line.from).is_some() && spot(&line.to).is_some());
    lines
}

/// API Gateway calls a function.
fn calls(template: &Value) -> Vec<Line> {
    let permissions = resources(template).filter(|(_, resource)| resource["Type"] == "AWS::Lambda::Permission");
    let called: BTreeSet<String> =
        permissions.flat_map(|(_, resource)| mentioned(&resource["Properties"]["FunctionName"])).collect();
    called.iter().map(|function| Line::new("Api", function, &["InvokeFunction"])).collect()
}

/// What a function's role allows, as lines from the function to what it may use; from a queue to who works on it.
fn rights(template: &Value) -> Vec<Line> {
    let mut by_role = BTreeMap::new();
    for (id, resource) in resources(template).filter(|(_, resource)| resource["Type"] == "AWS::Lambda::Function") {
        by_role.extend(mentioned(&resource["Properties"]["Role"]).into_iter().map(|role| (role, id.clone())));
    }
    let mut rights: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for grant in grants(template).into_iter().filter(|grant| grant.effect == Effect::Allow) {
        if let (Some(function), Some(resource)) = (by_role.get(&grant.who), referred(&grant.resource)) {
            let action = grant.action.split(':').next_back().unwrap_or_default().to_owned();
            rights.entry((function.clone(), resource)).or_default().push(action);
        }
    }
    let mut seen: BTreeSet<(String, Vec<String>)> = BTreeSet::new();
    let mut lines = Vec::new();
    for ((function, resource), label) in rights {
        let (from, to) = if label.iter().any(|action| action == "ReceiveMessage") {
            (resource, function)
        } else {
            (function, resource)
        };
        // A long list stands once.
        let repeated = label.len() > 2 && !seen.insert((from.clone(), label.clone()));
        let label = if repeated { vec!["the same".to_owned()] } else { label };
        lines.push(Line { from, to, label, conditional: false });
    }
    lines
}

fn dead_letters(template: &Value) -> Vec<Line> {
    let with_letters = resources(template).filter_map(|(id, resource)| {
        let policy = &resource["Properties"]["RedrivePolicy"];
        let to = mentioned(&policy["deadLetterTargetArn"]).into_iter().next()?;
        Some(Line::new(id, &to, &[&format!("after {} receives", policy["maxReceiveCount"])]))
    });
    with_letters.collect()
}

/// Whoever alarms tell, and the key that it needs.
fn alarms(template: &Value) -> Vec<Line> {
    let conditional = |from: &str, to: &str, label: &[&str]| Line { conditional: true, ..Line::new(from, to, label) };
    let told = resources(template).filter(|(_, resource)| resource["Type"] == "AWS::CloudWatch::Alarm");
    let told: BTreeSet<String> = told.flat_map(|(_, alarm)| mentioned(&alarm["Properties"]["AlarmActions"])).collect();
    let lines = told.iter().flat_map(|topic| {
        let keys = mentioned(&template["Resources"][topic]["Properties"]["KmsMasterKeyId"]);
        let keys = keys.iter().map(|key| conditional(topic, key, &["encrypted by"])).collect::<Vec<_>>();
        std::iter::once(conditional(ALARMS, topic, &["Publish"])).chain(keys)
    });
    lines.collect()
}

/// The logical id that a resource in a right begins with.
fn referred(resource: &str) -> Option<String> {
    let (name, _) = resource.strip_prefix("${")?.split_once('}')?;
    Some(name.split('.').next().unwrap_or_default().to_owned())
}

/// The logical ids that a value mentions by `Ref` or `Fn::GetAtt`.
fn mentioned(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    match value {
        Value::Object(map) => {
            let id = map.get("Ref").or_else(|| map.get("Fn::GetAtt")?.get(0)).and_then(Value::as_str);
            found.extend(id.map(str::to_owned));
            found.extend(map.values().flat_map(mentioned));
        }
        Value::Array(list) => found.extend(list.iter().flat_map(mentioned)),
        _ => {}
    }
    found
}

const TITLE: &str = "The way of a push through the stack";

/// The picture as an SVG that follows the reader's choice of light or dark by itself.
pub fn svg(template: &Value) -> Markup {
    let lines = lines(template);
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {} {}", SIZE.0, SIZE.1)) role="img"
            aria-label=(TITLE) class="picture" {
            title { (TITLE) }
            style { (PreEscaped(STYLE)) }
            defs {
                marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto" {
                    path class="head" d="M0,0 L8,4 L0,8 z" {}
                }
            }
            @for line in &lines { (drawn(line, &lines)) }
            @for spot in SPOTS { (boxed(spot, template)) }
        }
    }
}

/// The line in words, for who doesn't see it.
pub fn sentence(line: &Line) -> String {
    let label = if line.label.is_empty() { "used by".to_owned() } else { line.label.join(" ") };
    let only = if line.conditional { ", on a condition" } else { "" };
    format!("{} to {}: {label}{only}", name(&line.from), name(&line.to))
}

const STYLE: &str = "
.picture { --ink: #1b2430; --soft: #5a6675; --paper: #ffffff; --fill: #f2f6fb; --edge: #2f6db5; --hold: #8a5a00; --bucket: #eef7ee; --lambda: #fff4e5;
  font: 13px system-ui, sans-serif; background: var(--paper); }
@media (prefers-color-scheme: dark) { .picture { --ink: #e8edf3; --soft: #a9b5c3; --paper: #12171e; --fill: #1d2630; --edge: #7fb4f0; --hold: #e0b45c;
  --bucket: #17291b; --lambda: #33270f; } }
.picture rect { fill: var(--fill); stroke: var(--soft); stroke-width: 1.2; }
.picture .lambda rect { fill: var(--lambda); } .picture .store rect { fill: var(--bucket); }
.picture .dashed rect, .picture .dashed path { stroke-dasharray: 6 4; }
.picture text { fill: var(--ink); text-anchor: middle; } .picture .name { font-weight: 600; font-size: 15px; }
.picture .what { fill: var(--soft); font-size: 12px; }
.picture .line path { fill: none; stroke: var(--edge); stroke-width: 1.4; marker-end: url(#head); }
.picture .head { fill: var(--edge); stroke: none; }
.picture .line text { font-size: 11.5px; }
.picture .line rect { fill: var(--paper); stroke: none; }
";

fn center(spot: &Spot) -> (f32, f32) {
    (MARGIN.0 + f32::from(spot.3) * PITCH.0, MARGIN.1 + f32::from(spot.4) * PITCH.1)
}

fn boxed(spot: &Spot, template: &Value) -> Markup {
    let Spot(id, name, what, ..) = spot;
    let resource = template.get("Resources").and_then(|resources| resources.get(id));
    let class = match resource.and_then(|resource| resource["Type"].as_str()) {
        Some("AWS::Lambda::Function") => "lambda",
        Some("AWS::S3::Bucket" | "AWS::KMS::Key" | "AWS::SecretsManager::Secret") => "store",
        _ => "",
    };
    let dashed = if resource.is_some_and(|resource| !resource["Condition"].is_null()) { " dashed" } else { "" };
    let (x, y) = center(spot);
    html! {
        g class=(format!("{class}{dashed}")) {
            rect x=(x - BOX.0 / 2.0) y=(y - BOX.1 / 2.0) width=(BOX.0) height=(BOX.1) rx="7" {}
            text class="name" x=(x) y=(y - 4.0) { (name) }
            text class="what" x=(x) y=(y + 15.0) { (what) }
        }
    }
}

fn drawn(line: &Line, all: &[Line]) -> Markup {
    let (Some(from), Some(to)) = (spot(&line.from), spot(&line.to)) else { return html! {} };
    let (path, (x, y)) = if to.0 == HOST { around(from, to) } else { direct(from, to, all) };
    let words: Vec<String> = line.label.iter().flat_map(|word| broken(word)).collect();
    #[expect(clippy::cast_precision_loss, reason = "a label has few lines of few characters")]
    let (first, width, height) = {
        let longest = words.iter().map(|word| word.chars().count()).max().unwrap_or_default();
        let lines = words.len() as f32;
        (
            y - (lines - 1.0) * 6.5 + 4.0,
            longest as f32 * 6.3 + 4.0,
            if words.is_empty() { 0.0 } else { lines * 13.0 + 3.0 },
        )
    };
    let class = if line.conditional { "line dashed" } else { "line" };
    html! {
        g class=(class) {
            path d=(path) {}
            // So that the line doesn't run through the words.
            rect x=(x - width / 2.0) y=(first - 12.0) width=(width) height=(height) {}
            text x=(x) y=(first) {
                @for (index, word) in words.iter().enumerate() {
                    tspan x=(x) dy=(if index == 0 { "0" } else { "13" }) { (word) }
                }
            }
        }
    }
}

/// From box to box, and where the label stands.
fn direct(from: &Spot, to: &Spot, all: &[Line]) -> (String, (f32, f32)) {
    let ((x1, y1), (x2, y2)) = (center(from), center(to));
    if from.3 == to.3 {
        let side = if y2 > y1 { BOX.1 / 2.0 } else { -BOX.1 / 2.0 };
        return (format!("M{x1},{} L{x2},{}", y1 + side, y2 - side), (x1, f32::midpoint(y1, y2)));
    }
    let side = if x2 > x1 { BOX.0 / 2.0 } else { -BOX.0 / 2.0 };
    let (start, end) = ((x1 + side, y1 + port(from, to, all)), (x2 - side, y2 + port(to, from, all)));
    let middle = f32::midpoint(start.0, end.0);
    let path = format!("M{},{} C{middle},{} {middle},{} {},{}", start.0, start.1, start.1, end.1, end.0, end.1);
    (path, (middle, f32::midpoint(start.1, end.1)))
}

/// How far from the middle of a box's side a line leaves it: lines to what stands above leave above.
fn port(here: &Spot, there: &Spot, all: &[Line]) -> f32 {
    let on_this_side = |other: &Spot| (other.3 > here.3) == (there.3 > here.3) && other.3 != here.3;
    let mut rows: BTreeSet<u16> = BTreeSet::new();
    for line in all {
        let other = if line.from == here.0 {
            spot(&line.to)
        } else if line.to == here.0 {
            spot(&line.from)
        } else {
            None
        };
        rows.extend(other.filter(|other| other.0 != HOST && on_this_side(other)).map(|other| other.4));
    }
    let above = rows.iter().filter(|row| **row < there.4).count();
    let below = rows.iter().filter(|row| **row > there.4).count();
    #[expect(clippy::cast_precision_loss, reason = "a box has few lines")]
    let distance = (above as f32 - below as f32) * 7.0;
    distance
}

/// Back to the Git host, above or below all others.
fn around(from: &Spot, to: &Spot) -> (String, (f32, f32)) {
    let ((x1, y1), (x2, y2)) = (center(from), center(to));
    let up = from.4 < to.4;
    let (lane, side) = if up { (24.0, -BOX.1 / 2.0) } else { (SIZE.1 - 24.0, BOX.1 / 2.0) };
    let path = format!("M{x1},{} L{x1},{lane} L{x2},{lane} L{x2},{}", y1 + side, y2 + side);
    (path, (f32::midpoint(x1, x2) - PITCH.0 / 2.0, lane))
}

/// A word, in pieces that fit between two boxes; a sentence stays whole.
fn broken(word: &str) -> Vec<String> {
    if word.len() <= WIDEST || word.contains(' ') {
        return vec![word.to_owned()];
    }
    let cut = word.char_indices().rfind(|(index, c)| c.is_uppercase() && (1..WIDEST).contains(index));
    match cut {
        Some((index, _)) => vec![format!("{}-", &word[..index]), word[index..].to_owned()],
        None => vec![word.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack;

    fn template() -> Value {
        stack::template(None).unwrap().as_value()
    }

    /// The types that belong into the picture: every resource of one has its spot.
    const DRAWN: [&str; 9] = [
        "AWS::ApiGateway::DomainName",
        "AWS::ApiGateway::RestApi",
        "AWS::EC2::SecurityGroup",
        "AWS::KMS::Key",
        "AWS::Lambda::Function",
        "AWS::S3::Bucket",
        "AWS::SNS::Topic",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
    ];

    /// The resources of drawn types that have no spot: the picture would be silent about them.
    fn unplaced(template: &Value) -> Vec<String> {
        let drawn = |resource: &Value| resource["Type"].as_str().is_some_and(|kind| DRAWN.contains(&kind));
        let resources = resources(template).filter(|(id, resource)| drawn(resource) && spot(id).is_none());
        resources.map(|(id, _)| id.clone()).collect()
    }

    #[test]
    fn everything_that_matters_has_its_place_and_no_place_is_empty() {
        let template = template();
        assert_eq!(unplaced(&template), Vec::<String>::new());
        let missing = SPOTS
            .iter()
            .filter(|spot| ![HOST, ALARMS].contains(&spot.0) && template["Resources"].get(spot.0).is_none());
        assert_eq!(missing.map(|spot| spot.0).collect::<Vec<_>>(), Vec::<&str>::new());
        let places: BTreeSet<_> = SPOTS.iter().map(|spot| (spot.3, spot.4)).collect();
        assert_eq!(places.len(), SPOTS.len());
    }

    #[test]
    fn lines_follow_the_template() {
        let mut template = template();
        insta::assert_snapshot!(lines(&template).iter().map(sentence).collect::<Vec<_>>().join("\n"));
        template["Resources"].as_object_mut().unwrap().shift_remove("ZipDlRole");
        assert!(lines(&template).iter().all(|line| line.from != "ZipDlFunction" || line.to == HOST));
    }

    #[test]
    fn long_actions_break_at_a_capital_letter() {
        assert_eq!(broken("ChangeMessageVisibility"), ["ChangeMessage-", "Visibility"]);
        assert_eq!(broken("PutObject"), ["PutObject"]);
        assert_eq!(broken("after three of the tries"), ["after three of the tries"]);
    }

    /// README shows the picture; `just picture` writes it.
    #[test]
    fn the_picture_in_the_documentation_is_this_one() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/architecture.svg");
        let kept = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            kept == format!("{}\n", svg(&template()).into_string()),
            "docs/architecture.svg is old: `just picture` renews it"
        );
    }
}
