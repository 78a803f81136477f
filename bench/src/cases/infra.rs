//! Our commands compared with the CDK's. The rival's stack is ours, imported as a finished template
//! (`CfnInclude`), which is less work than constructs.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::program::Program;
use crate::row::Row;
use crate::sample::Pair;

/// The names of the cases.
pub(crate) const NAMES: [&str; 5] = [SYNTH, DIFF, CHECK, NAG, REVIEW];
const SYNTH: &str = "infra synth / cdk synth";
const DIFF: &str = "infra diff / cdk diff";
const CHECK: &str = "infra check / cdk synth";
const NAG: &str = "infra check / cdk-nag";
const REVIEW: &str = "infra review";

/// Measures the selected cases.
pub(crate) async fn run(bench: &Bench, wanted: impl Fn(&str) -> bool) -> Result<Vec<Row>> {
    let folder = bench.empty_folder()?;
    let dir = folder.path();
    let template = synthesize(bench, dir)?;
    fs::copy(bench.rival("app.cjs"), dir.join("app.cjs")).context("copy the rival's app")?;
    let ours = |arguments: &[&str]| Program::new(bench.program("infra"), dir).args(arguments);
    let cdk = |arguments: &[&str]| {
        let program = node(bench, dir, &template, &bench.file(".tools/bench/node_modules/.bin/cdk").to_string_lossy());
        program.args(&["--app", "node app.cjs", "--no-notices", "--no-version-reporting"]).args(arguments)
    };
    let nag = nag(bench, dir, &template);
    let synth = || cdk(&["synth", "--quiet"]);
    let cases = [
        (SYNTH, ours(&["synth"]), Some(synth()), Some(0.02)),
        (
            DIFF,
            ours(&["diff", "--against", "old.json"]).may_end_with(1),
            Some(cdk(&["diff", "--template", "old.json"])),
            Some(0.02),
        ),
        (CHECK, ours(&["check"]), Some(synth()), Some(0.02)),
        (NAG, ours(&["check"]), Some(nag.may_end_with(1)), Some(0.10)),
        (REVIEW, ours(&["review"]), None, None),
    ];
    let mut rows = Vec::new();
    for (case, ours, rival, goal) in cases.into_iter().filter(|(case, ..)| wanted(case)) {
        let mut pair = Pair::warm(
            case,
            bench.runs,
            async || ours.run(bench).await,
            async || match &rival {
                Some(rival) => rival.run(bench).await,
                None => Ok(crate::sample::Sample::default()),
            },
        )
        .await?;
        if rival.is_none() {
            pair.rival.clear();
        }
        let row = Row::wall(case, &pair);
        rows.push(Row { goal, ..row });
    }
    Ok(rows)
}

/// Writes the template, and an older one with one changed property. Returns their paths.
fn synthesize(bench: &Bench, dir: &Path) -> Result<std::path::PathBuf> {
    let done = std::process::Command::new(bench.program("infra")).arg("synth").current_dir(dir).output()?;
    ensure!(done.status.success(), "infra synth failed: {}", String::from_utf8_lossy(&done.stderr));
    let template = dir.join("dist/git2s3.template.json");
    let mut old: Value = serde_json::from_slice(&fs::read(&template)?)?;
    old["Resources"]["WebhookFunction"]["Properties"]["MemorySize"] = json!(128);
    fs::write(dir.join("old.json"), old.to_string())?;
    Ok(template)
}

fn nag(bench: &Bench, dir: &Path, template: &Path) -> Program {
    node(bench, dir, template, "node").arg(bench.file(".ci/nag.cjs")).arg(template).arg(dir.join("nag"))
}

/// A Node.js program with the CDK's modules.
fn node(bench: &Bench, dir: &Path, template: &Path, program: &str) -> Program {
    let path = format!("{}:{}", bench.file(".tools/py/bin").display(), std::env::var("PATH").unwrap_or_default());
    Program::new(program, dir)
        .env("PATH", path)
        .env("NODE_PATH", bench.file(".tools/bench/node_modules"))
        .env("TEMPLATE", template)
        .env("CDK_DISABLE_VERSION_CHECK", "1")
        .env("CI", "true")
}
