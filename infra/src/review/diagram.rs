//! The picture of the stack: the path of a push from top to bottom. The positions of boxes are set
//! here; dashed boxes, and the lines with their rights, come from the template.
//!
//! It is drawn for the README, which is about 830 pixels wide: it isn't wider, so that its text is
//! as large as the text around it.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, PreEscaped, html};
use serde_json::Value;

use deployment::diff::{Effect, grants};

/// A box: the logical ID (or [`HOST`], or [`ALARMS`]), its name, its kind, and its position in half
/// columns and rows.
struct Spot(&'static str, &'static str, &'static str, u16, u16);

/// The Git host, which no template has.
const HOST: &str = "(host)";

/// All alarms, which share a box.
const ALARMS: &str = "(alarms)";

const SPOTS: &[Spot] = &[
    Spot(HOST, "Git host", "yours, or a provider's", 4, 0),
    Spot("DomainName", "custom domain", "CustomDomainName", 1, 1),
    Spot("Api", "API", "API Gateway, regional", 4, 1),
    Spot("WebhookFunction", "webhook", "Lambda: authenticates", 4, 2),
    Spot("ApiSecretValue", "webhook secrets", "Secrets Manager", 7, 2),
    Spot("GitPullDeadLetterQueue", "failed jobs", "SQS dead-letter queue", 0, 3),
    Spot("GitPullQueue", "gitpull jobs", "SQS FIFO", 3, 3),
    Spot("ZipDlQueue", "zipdl jobs", "SQS FIFO", 5, 3),
    Spot("ZipDlDeadLetterQueue", "failed jobs", "SQS dead-letter queue", 8, 3),
    Spot("GitPullFunction", "gitpull", "Lambda: fetches, zips", 2, 4),
    Spot("WorkerSecurityGroup", "security group", "with a VPCId", 4, 4),
    Spot("ZipDlFunction", "zipdl", "Lambda: downloads", 6, 4),
    Spot("KeyEncryptionKey", "key", "KMS, rotating", 0, 5),
    Spot("KeyBucket", "key bucket", "S3: encrypted SSH key", 2, 5),
    Spot("CacheBucket", "cache bucket", "S3: packs, 30 days", 4, 5),
    Spot("OutputBucket", "output bucket", "S3: the zips", 6, 5),
    Spot("ProviderCredentials", "host credentials", "Secrets Manager", 8, 5),
    Spot("SshKeyFunction", "ssh-key", "Lambda: at creation", 1, 6),
    Spot("ReconcilerFunction", "reconciler", "Lambda: asks the hosts", 7, 6),
    Spot("BucketCleanerFunction", "bucket-cleaner", "Lambda: at deletion", 4, 6),
    Spot(ALARMS, "alarms", "CloudWatch", 1, 7),
    Spot("AlarmTopic", "alarm topic", "SNS, by AlarmEmail", 4, 7),
    Spot("AlarmTopicKey", "alarm key", "KMS, with AlarmEmail", 7, 7),
];

const BOX: (f32, f32) = (149.0, 48.0);
const SIZE: (f32, f32) = (860.0, 892.0);
/// The middle of the first column, and the distance to the next half column.
const COLUMNS: (f32, f32) = (98.0, 83.0);
/// The middle of each row.
const ROWS: [f32; 8] = [32.0, 132.0, 228.0, 330.0, 464.0, 590.0, 718.0, 818.0];
/// The distance from a box's edge to the middle of a label, and between the lines of a label.
const LABEL: (f32, f32) = (20.0, 15.0);
/// The distance from the middle of a box's edge to the outermost lines.
const SPREAD: f32 = 36.0;
/// The maximum length of a label on one line, in characters.
const WIDEST: usize = 22;
/// The length of the straight parts at the ends of a line, so that its arrowhead is visible.
const STRAIGHT: f32 = 12.0;

/// A line of the picture.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// Its start: a logical ID, or the Git host.
    pub from: String,
    /// Its end.
    pub to: String,
    /// Its label: actions, or what happens.
    pub label: Vec<String>,
    /// Whether it exists only under a condition.
    pub conditional: bool,
}

impl Line {
    fn new(from: &str, to: &str, label: &[&str]) -> Self {
        let label = label.iter().map(|&word| word.to_owned()).collect();
        Self { from: from.to_owned(), to: to.to_owned(), label, conditional: false }
    }
}

/// The name of a box, or its logical ID without one.
fn name(id: &str) -> &str {
    spot(id).map_or(id, |spot| spot.1)
}

fn spot(id: &str) -> Option<&'static Spot> {
    SPOTS.iter().find(|spot| spot.0 == id)
}

fn resources(template: &Value) -> impl Iterator<Item = (&String, &Value)> {
    template.get("Resources").and_then(Value::as_object).into_iter().flatten()
}

/// Every line, as the template defines it.
pub fn lines(template: &Value) -> Vec<Line> {
    let mut lines = vec![
        Line::new(HOST, "Api", &["POST, signed"]),
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

/// The service that calls functions for the API.
const API_GATEWAY: &str = "apigateway.amazonaws.com";

/// API Gateway calls a function.
fn calls(template: &Value) -> Vec<Line> {
    let is_for_api = |resource: &Value| {
        resource["Type"] == "AWS::Lambda::Permission" && resource["Properties"]["Principal"] == API_GATEWAY
    };
    let permissions = resources(template).filter(|(_, resource)| is_for_api(resource));
    let called: BTreeSet<String> =
        permissions.flat_map(|(_, resource)| mentioned(&resource["Properties"]["FunctionName"])).collect();
    called.iter().map(|function| Line::new("Api", function, &["InvokeFunction"])).collect()
}

/// The rights of functions' roles, as lines from the function to the resource, or from a queue to
/// its worker.
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
    let mut lines = Vec::new();
    for ((function, resource), label) in rights {
        let (from, to) = if label.iter().any(|action| action == "ReceiveMessage") {
            (resource, function)
        } else {
            (function, resource)
        };
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

/// The topic that alarms notify, and the key that it needs.
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

/// The logical ID at the beginning of a right's resource.
fn referred(resource: &str) -> Option<String> {
    let (name, _) = resource.strip_prefix("${")?.split_once('}')?;
    Some(name.split('.').next().unwrap_or_default().to_owned())
}

/// The logical IDs that a value mentions by `Ref` or `Fn::GetAtt`.
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

/// The picture as an SVG that follows the reader's light or dark mode.
pub fn svg(template: &Value) -> Markup {
    let lines = lines(template);
    let drawings: Vec<_> = lines.iter().filter_map(|line| Some((line, drawn(line, &lines)?))).collect();
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
            @for (line, drawing) in &drawings { (stroke(line, drawing)) }
            @for spot in SPOTS { (boxed(spot, template)) }
            @for (_, drawing) in &drawings { (label(drawing)) }
            text class="what" x=(SIZE.0 / 2.0) y=(SIZE.1 - 12.0) { (LEGEND) }
        }
    }
}

/// The line in words, for screen readers.
pub fn sentence(line: &Line) -> String {
    let label = if line.label.is_empty() { "used by".to_owned() } else { line.label.join(" ") };
    let only = if line.conditional { ", on a condition" } else { "" };
    format!("{} to {}: {label}{only}", name(&line.from), name(&line.to))
}

const LEGEND: &str =
    "At a line: the first word of each action that the role may do there. Dashed: only where a parameter asks for it.";

const STYLE: &str = "
.picture { --ink: #1b2430; --soft: #4d5866; --paper: #ffffff; --fill: #f2f6fb; --edge: #2f6db5; --bucket: #eef7ee; --lambda: #fff4e5;
  font: 12.5px system-ui, sans-serif; background: var(--paper); }
@media screen and (prefers-color-scheme: dark) { .picture { --ink: #e8edf3; --soft: #a9b5c3; --paper: #12171e; --fill: #1d2630; --edge: #7fb4f0;
  --bucket: #17291b; --lambda: #33270f; } }
.picture rect { fill: var(--fill); stroke: var(--soft); stroke-width: 1.2; }
.picture .lambda rect { fill: var(--lambda); } .picture .store rect { fill: var(--bucket); }
.picture .dashed rect, .picture .dashed path { stroke-dasharray: 6 4; }
.picture text { fill: var(--ink); text-anchor: middle; } .picture .name { font-weight: 600; font-size: 15px; }
.picture .what { fill: var(--soft); }
.picture .line path { fill: none; stroke: var(--edge); stroke-width: 1.4; marker-end: url(#head); }
.picture .head { fill: var(--edge); stroke: none; }
.picture .label rect { fill: var(--paper); stroke: none; }
";

fn center(spot: &Spot) -> (f32, f32) {
    (COLUMNS.0 + f32::from(spot.3) * COLUMNS.1, ROWS.get(usize::from(spot.4)).copied().unwrap_or_default())
}

fn boxed(spot: &Spot, template: &Value) -> Markup {
    let Spot(id, name, what, ..) = spot;
    let resource = template.get("Resources").and_then(|resources| resources.get(id));
    let class = match resource.and_then(|resource| resource["Type"].as_str()) {
        Some("AWS::Lambda::Function") => "box lambda",
        Some("AWS::S3::Bucket" | "AWS::KMS::Key" | "AWS::SecretsManager::Secret") => "box store",
        _ => "box",
    };
    let dashed = if resource.is_some_and(|resource| !resource["Condition"].is_null()) { " dashed" } else { "" };
    let (x, y) = center(spot);
    html! {
        g class=(format!("{class}{dashed}")) {
            rect x=(x - BOX.0 / 2.0) y=(y - BOX.1 / 2.0) width=(BOX.0) height=(BOX.1) rx="7" {}
            text class="name" x=(x) y=(y - 3.0) { (name) }
            text class="what" x=(x) y=(y + 15.0) { (what) }
        }
    }
}

/// How a line is drawn: its path, the middle of its label, and the label.
struct Drawing {
    path: String,
    at: (f32, f32),
    words: Vec<String>,
}

fn drawn(line: &Line, all: &[Line]) -> Option<Drawing> {
    let (from, to) = (spot(&line.from)?, spot(&line.to)?);
    Some(if to.0 == HOST {
        around(from, to, &line.label.join(" "))
    } else if from.4 == to.4 {
        beside(from, to, &line.label)
    } else {
        below(from, to, line, all)
    })
}

fn stroke(line: &Line, drawing: &Drawing) -> Markup {
    html! { g class=(if line.conditional { "line dashed" } else { "line" }) { path d=(drawing.path) {} } }
}

/// The label over the line, which is interrupted there.
fn label(drawing: &Drawing) -> Markup {
    let Drawing { at: (x, y), words, .. } = drawing;
    if words.is_empty() {
        return html! {};
    }
    let longest = words.iter().map(|word| word.chars().count()).max().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "a label has few lines of few characters")]
    let (first, width, height) = {
        let lines = words.len() as f32;
        (y - (lines - 1.0) * LABEL.1 / 2.0 + 4.5, longest as f32 * 6.4 + 4.0, lines * LABEL.1 + 1.0)
    };
    html! {
        g class="label" {
            rect x=(x - width / 2.0) y=(y - height / 2.0) width=(width) height=(height) {}
            text x=(x) y=(first) {
                @for (index, word) in words.iter().enumerate() {
                    @if index > 0 { " " }
                    tspan x=(x) dy=(if index == 0 { 0.0 } else { LABEL.1 }) { (word) }
                }
            }
        }
    }
}

/// A line to a box in the same row. Between two boxes there is room for one or two words per line.
fn beside(from: &Spot, to: &Spot, label: &[String]) -> Drawing {
    let ((x1, y), (x2, _)) = (center(from), center(to));
    let side = if x2 > x1 { BOX.0 / 2.0 } else { -BOX.0 / 2.0 };
    let words = short(label).into_iter().flat_map(|word| halves(&word)).collect();
    Drawing { path: format!("M{},{y} L{},{y}", x1 + side, x2 - side), at: (f32::midpoint(x1, x2), y), words }
}

/// A line to a box in another row. It is straight at the label.
fn below(from: &Spot, to: &Spot, line: &Line, all: &[Line]) -> Drawing {
    let ((x1, y1), (x2, y2)) = (center(from), center(to));
    let down = if y2 > y1 { 1.0 } else { -1.0 };
    let side = down * BOX.1 / 2.0;
    let (start, end) = ((x1 + port(from, to, all), y1 + side), (x2 + port(to, from, all), y2 - side));
    let at_start = beyond(from, to, all).len() < beyond(to, from, all).len();
    let mut words = vec![short(&line.label).join(", ")];
    if words.iter().any(|word| word.len() > WIDEST) {
        words = words.iter().flat_map(|word| halves(word)).collect();
    }
    let (at, mut away, is_said) = if at_start { (start.0, LABEL.0, false) } else { at_end(from, to, line, all) };
    if words.len() > 1 {
        away += LABEL.1 / 2.0;
    }
    let straight = away + LABEL.1;
    let (first, last) = if at_start { (straight, STRAIGHT) } else { (STRAIGHT, straight) };
    let (a, b) = ((start.0, start.1 + down * first), (end.0, end.1 - down * last));
    let middle = f32::midpoint(a.1, b.1);
    let path = format!(
        "M{},{} L{},{} C{},{middle} {},{middle} {},{} L{},{}",
        start.0, start.1, a.0, a.1, a.0, b.0, b.0, b.1, end.0, end.1
    );
    if is_said {
        words.clear();
    }
    let y = if at_start { start.1 + down * away } else { end.1 - down * away };
    Drawing { path, at: (at, y), words }
}

/// The position of the label of a line that ends at the same side of a box as others: its x, the
/// distance from the box, and whether another line has the same label. Different labels have
/// different distances.
fn at_end(from: &Spot, to: &Spot, line: &Line, all: &[Line]) -> (f32, f32, bool) {
    let ends_here = |other: &Spot| other.4 != to.4 && (other.4 > to.4) == (from.4 > to.4);
    let others = all.iter().filter(|other| other.to == line.to && spot(&other.from).is_some_and(ends_here));
    let mut labels: Vec<&[String]> = Vec::new();
    let (mut same, mut is_first) = (0, false);
    for other in others {
        if !labels.contains(&other.label.as_slice()) {
            labels.push(&other.label);
        }
        if other.label == line.label {
            is_first |= same == 0 && other.from == line.from;
            same += 1;
        }
    }
    let before = labels.iter().take_while(|label| **label != line.label).count();
    #[expect(clippy::cast_precision_loss, reason = "a box has few lines")]
    let away = LABEL.0 + before as f32 * (LABEL.1 + 5.0);
    let x = center(to).0;
    (if same > 1 { x } else { x + port(to, from, all) }, away, !is_first)
}

/// The columns of all boxes with a line to `here` on the same side, above or below, as `there`.
fn beyond(here: &Spot, there: &Spot, all: &[Line]) -> BTreeSet<u16> {
    let on_this_side = |other: &&Spot| other.0 != HOST && other.4 != here.4 && (other.4 > here.4) == (there.4 > here.4);
    let others = all.iter().filter_map(|line| match here.0 {
        id if id == line.from => spot(&line.to),
        id if id == line.to => spot(&line.from),
        _ => None,
    });
    others.filter(on_this_side).map(|other| other.3).collect()
}

/// The distance from the middle of a box's edge at which a line leaves it: lines to the left leave
/// on the left.
fn port(here: &Spot, there: &Spot, all: &[Line]) -> f32 {
    let columns = beyond(here, there, all);
    let left = columns.iter().filter(|column| **column < there.3).count();
    let right = columns.iter().filter(|column| **column > there.3).count();
    #[expect(clippy::cast_precision_loss, reason = "a box has few lines")]
    let distance = (left as f32 - right as f32) * SPREAD / (columns.len().max(2) - 1) as f32;
    distance
}

/// A line back to the Git host, to the left or right of all others.
fn around(from: &Spot, to: &Spot, label: &str) -> Drawing {
    let ((x1, y1), (x2, y2)) = (center(from), center(to));
    let (lane, side) = if from.3 < to.3 { (10.0, -BOX.0 / 2.0) } else { (SIZE.0 - 10.0, BOX.0 / 2.0) };
    let path = format!("M{},{y1} L{lane},{y1} L{lane},{y2} L{},{y2}", x1 + side, x2 + side);
    let words = label.split_inclusive(':').map(|line| line.trim().to_owned()).collect();
    Drawing { path, at: (f32::midpoint(lane, x2 + side), y2), words }
}

/// The first word of each action, in lower case and without duplicates; other labels stay
/// unchanged.
fn short(label: &[String]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in label {
        let end = word.char_indices().skip(1).find(|(_, c)| c.is_uppercase()).map_or(word.len(), |(index, _)| index);
        let is_action = word.starts_with(|c: char| c.is_uppercase()) && word.chars().all(char::is_alphanumeric);
        let is_action = is_action && word.chars().any(char::is_lowercase);
        let word = if is_action { word[..end].to_lowercase() } else { word.clone() };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// The text, on two lines if it is long.
fn halves(text: &str) -> Vec<String> {
    let middle = text.match_indices(' ').map(|(at, _)| at).min_by_key(|at| at.abs_diff(text.len() / 2));
    match middle {
        Some(at) => vec![text[..at].to_owned(), text[at + 1..].to_owned()],
        None => vec![text.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deployment::stack;

    fn template() -> Value {
        stack::template(None).unwrap().into_value()
    }

    /// The types that belong in the picture: each of their resources has a box.
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

    /// The resources of drawn types without a box, which the picture would omit.
    fn unplaced(template: &Value) -> Vec<String> {
        let drawn = |resource: &Value| resource["Type"].as_str().is_some_and(|kind| DRAWN.contains(&kind));
        let resources = resources(template).filter(|(id, resource)| drawn(resource) && spot(id).is_none());
        resources.map(|(id, _)| id.clone()).collect()
    }

    #[test]
    fn every_relevant_resource_has_unique_place() {
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
        for id in ["ZipDlRole", "ZipDlDeletedReferences"] {
            template["Resources"].as_object_mut().unwrap().shift_remove(id);
        }
        assert!(lines(&template).iter().all(|line| line.from != "ZipDlFunction" || line.to == HOST));
    }

    #[test]
    fn action_label_uses_first_word() {
        let told = |label: &[&str]| short(&label.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        assert_eq!(told(&["DeleteObject", "DeleteObjectVersion", "ListBucket"]), ["delete", "list"]);
        assert_eq!(told(&["POST, signed"]), ["POST, signed"]);
        assert_eq!(told(&["Decrypt", "after 8 receives"]), ["decrypt", "after 8 receives"]);
    }

    /// README shows the picture; `just picture` writes it.
    #[test]
    fn documented_picture_matches_generated_one() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/architecture.svg");
        let kept = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            kept == format!("{}\n", svg(&template()).into_string()),
            "docs/architecture.svg is old: `just picture` renews it"
        );
    }
}
