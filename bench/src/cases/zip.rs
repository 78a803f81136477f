//! From a tree to its zip, compared with `git archive`: with a pack from a fetch of one commit, and
//! with one that is full of deltas.

use std::path::Path;

use anyhow::Result;

use crate::bench::Bench;
use crate::generate::Shape;
use crate::git;
use crate::program::Program;
use crate::row::{Row, Unit};
use crate::sample::Pair;

/// The names of the cases.
pub(crate) const NAMES: [&str; 7] = [WARM, ONE_CORE, SIZE, GITS, DELTAS, OWN, LARGE];
const WARM: &str = "zip, warm pack";
const ONE_CORE: &str = "zip, warm pack, one core";
const SIZE: &str = "zip, size";
const GITS: &str = "zip, shallow pack as git keeps it";
const DELTAS: &str = "zip, pack full of deltas";
const OWN: &str = "zip, this repository";
const LARGE: &str = "zip, warm pack, 100,000 files";

/// Measures the selected cases.
pub(crate) async fn run(bench: &Bench, wanted: impl Fn(&str) -> bool) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let full = bench.inputs.repository("git-sized", Shape::GIT)?;
    let kept = bench.inputs.kept("git-sized", &full)?;
    if wanted(WARM) || wanted(SIZE) {
        let pair = both(bench, WARM, &kept, |program| program).await?;
        rows.push(Row::wall(WARM, &pair).goal(0.10));
        rows.push(Row::of(SIZE, Unit::Bytes, &pair, |sample| crate::report::count(sample.bytes)).goal(1.02));
    }
    if wanted(ONE_CORE) {
        rows.push(Row::wall(ONE_CORE, &both(bench, ONE_CORE, &kept, Program::on_one_core).await?).goal(0.15));
    }
    if wanted(GITS) {
        let shallow = bench.inputs.shallow("git-sized", &full)?;
        rows.push(Row::wall(GITS, &both(bench, GITS, &shallow, |program| program).await?));
    }
    if wanted(DELTAS) {
        rows.push(Row::wall(DELTAS, &both(bench, DELTAS, &full, |program| program).await?).goal(0.35));
    }
    if wanted(OWN) {
        let own = bench.scratch().join("own.git");
        let root = bench.file("");
        git::run(
            &root,
            &["clone", "--quiet", "--bare", "--no-local", &root.to_string_lossy(), &own.to_string_lossy()],
        )?;
        rows.push(Row::wall(OWN, &both(bench, OWN, &own, |program| program).await?));
    }
    if wanted(LARGE) && bench.long {
        let large = bench.inputs.repository("large", Shape::LARGE)?;
        let large = bench.inputs.kept("large", &large)?;
        rows.push(Row::wall(LARGE, &both(bench, LARGE, &large, |program| program).await?));
    }
    Ok(rows)
}

async fn both(bench: &Bench, case: &str, repository: &Path, adapt: impl Fn(Program) -> Program) -> Result<Pair> {
    let zip = bench.scratch().join("bench.zip");
    let ours = Program::new(bench.program("examples/zip"), bench.scratch()).arg(repository).arg("HEAD").to(&zip);
    let rival = Program::new("git", repository).args(&["archive", "--format=zip", "HEAD"]).to(&zip);
    let rival = git::ISOLATED.iter().fold(rival, |program, (name, value)| program.env(name, value));
    let (ours, rival) = (adapt(ours), adapt(rival));
    Pair::warm(case, bench.runs, async || ours.run(bench).await, async || rival.run(bench).await).await
}
