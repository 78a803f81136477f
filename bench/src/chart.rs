//! A chart of growth: time on the left and memory on the right, both on logarithmic axes.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

const FONT: (&str, u32) = ("sans-serif", 15);
const TITLE: (&str, u32) = ("sans-serif", 18);

/// A measured point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    /// The value on the horizontal axis.
    pub(crate) at: f64,
    /// Seconds.
    pub(crate) seconds: f64,
    /// Megabytes.
    pub(crate) memory: f64,
}

/// A chart.
#[derive(Debug)]
pub(crate) struct Chart {
    /// What grows.
    pub(crate) axis: &'static str,
    /// The points, from the smallest to the largest.
    pub(crate) points: Vec<Point>,
}

impl Chart {
    /// Writes it as SVG.
    pub(crate) fn draw(&self, file: &Path) -> Result<()> {
        self.draw_all(file).map_err(|error| anyhow!("draw {}: {error}", file.display()))
    }

    fn draw_all(&self, file: &Path) -> Result<(), Box<dyn std::error::Error>> {
        let root = SVGBackend::new(file, (960, 400)).into_drawing_area();
        root.fill(&WHITE)?;
        let halves = root.split_evenly((1, 2));
        let series = |value: fn(&Point) -> f64| self.points.iter().map(|point| (point.at, value(point))).collect();
        let (seconds, memory): (Vec<_>, Vec<_>) = (series(|point| point.seconds), series(|point| point.memory));
        for (half, title, unit, line) in [
            (&halves[0], "time of a first push", "seconds", seconds),
            (&halves[1], "peak memory of gitpull", "MB", memory),
        ] {
            self.half(half, title, unit, &line)?;
        }
        root.present()?;
        Ok(())
    }

    fn half(
        &self,
        area: &DrawingArea<SVGBackend<'_>, Shift>,
        title: &str,
        unit: &str,
        line: &[(f64, f64)],
    ) -> Result<(), Box<dyn std::error::Error>> {
        let (least, most) = bounds(line.iter().map(|(at, _)| *at));
        let (lowest, highest) = bounds(line.iter().map(|(_, value)| *value));
        let mut chart = ChartBuilder::on(area)
            .margin(14)
            .margin_right(40)
            .caption(title, TITLE)
            .x_label_area_size(48)
            .y_label_area_size(70)
            .build_cartesian_2d((least..most).log_scale(), (lowest..highest).log_scale())?;
        chart
            .configure_mesh()
            .x_desc(self.axis)
            .y_desc(unit)
            .label_style(FONT)
            .axis_desc_style(FONT)
            .light_line_style(WHITE)
            .x_label_formatter(&|value| label(*value))
            .y_label_formatter(&|value| label(*value))
            .draw()?;
        chart.draw_series(LineSeries::new(line.iter().copied(), BLUE.stroke_width(2)).point_size(4))?;
        Ok(())
    }
}

/// A number in short form: 0.1, 20, 3k, 1M.
fn label(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{}M", value / 1e6),
        _ if value >= 1e3 => format!("{}k", value / 1e3),
        _ => format!("{value}"),
    }
}

/// The powers of ten around all values.
fn bounds(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let least = values.clone().fold(f64::INFINITY, f64::min);
    let most = values.fold(f64::MIN_POSITIVE, f64::max);
    let lower = 10_f64.powf((least * 0.999).log10().floor());
    (lower, 10_f64.powf((most * 1.001).log10().ceil()).max(lower * 10.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_extend_to_powers_of_ten() {
        let check = |values: &[f64], expected: (f64, f64)| {
            let (lower, upper) = bounds(values.iter().copied());
            assert!(
                (lower / expected.0 - 1.0).abs() < 1e-9 && (upper / expected.1 - 1.0).abs() < 1e-9,
                "{lower} {upper}"
            );
        };
        check(&[0.2, 30.0], (0.1, 100.0));
        check(&[5.0], (1.0, 10.0));
    }

    #[test]
    fn a_picture_says_what_it_shows() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("chart.svg");
        let point = |at| Point { at, seconds: at / 1e4, memory: 50.0 };
        Chart { axis: "files", points: [1e3, 1e4, 1e5].map(point).to_vec() }.draw(&file).unwrap();
        let svg = std::fs::read_to_string(&file).unwrap();
        for word in ["files", "seconds", "MB", "peak memory", "polyline"] {
            assert!(svg.contains(word), "{word} is missing in {svg}");
        }
    }
}
