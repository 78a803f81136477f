//! How time and memory of a first push grow with the number of files, their size, and the length of
//! the history. Each becomes a chart in the documentation.

use anyhow::Result;

use crate::bench::Bench;
use crate::cases::memory;
use crate::chart::{Chart, Point};
use crate::generate::Shape;
use crate::report::count;
use crate::sample::median;

/// What grows.
struct Series {
    /// A part of the names of its repositories and its chart.
    name: &'static str,
    /// The label of its axis.
    axis: &'static str,
    /// The repositories, with their values on the axis.
    shapes: Vec<(f64, Shape)>,
}

/// Measures everything and draws the charts.
pub(crate) async fn run(bench: &Bench) -> Result<()> {
    for series in [files(), bytes(bench.long), history()] {
        let mut points = Vec::new();
        for (at, shape) in series.shapes {
            let name = format!("growth-{}-{at}", series.name);
            // Runs of minutes hardly vary.
            let runs = if shape.bytes > 500 << 20 { 1 } else { bench.runs };
            let mut samples = Vec::new();
            for _ in 0..runs {
                samples.push(memory::pull(bench, &name, shape).await?);
            }
            let memory = median(&samples, |sample| count(sample.memory)) / 1e6;
            let point = Point { at, seconds: median(&samples, |sample| sample.wall), memory };
            crate::progress::progress(&format!("{name}: {:.2} s, {:.0} MB", point.seconds, point.memory));
            points.push(point);
        }
        let file = bench.file(&format!("docs/benchmarks-{}.svg", series.name));
        Chart { axis: series.axis, points }.draw(&file)?;
    }
    Ok(())
}

fn files() -> Series {
    let shape = |files| Shape { files, bytes: 100 << 20, random_percent: 5, half_percent: 5, commits: 10, changed: 10 };
    let shapes = [1_000, 10_000, 100_000].map(|files| (count(files), shape(files))).to_vec();
    Series { name: "files", axis: "files, 100 MB together", shapes }
}

fn bytes(long: bool) -> Series {
    let shape = |bytes| Shape { files: 10_000, bytes, random_percent: 5, half_percent: 5, commits: 10, changed: 10 };
    let sizes = [10_u64, 100, 1_000, 4_000];
    let sizes = &sizes[..if long { 4 } else { 3 }];
    let shapes = sizes.iter().map(|megabytes| (count(*megabytes), shape(megabytes << 20))).collect();
    Series { name: "bytes", axis: "MB in 10,000 files", shapes }
}

fn history() -> Series {
    let shape =
        |commits| Shape { files: 1_000, bytes: 10 << 20, random_percent: 5, half_percent: 5, commits, changed: 3 };
    let shapes = [1, 100, 10_000].map(|commits| (count(commits), shape(commits))).to_vec();
    Series { name: "history", axis: "commits, 1,000 files, 10 MB", shapes }
}
