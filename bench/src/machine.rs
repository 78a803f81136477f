//! The machine of the measurements: numbers of one machine say little about another.

use std::fs;

/// The architecture, the number of processors and their model.
pub(crate) fn describe() -> String {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    // On Arm, the kernel reports no model.
    let model = ["model name", "CPU part"].iter().find_map(|field| {
        let line = info.lines().find(|line| line.starts_with(field))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    format!("{}, {cpus} processors, {}", std::env::consts::ARCH, model.as_deref().unwrap_or("of an unknown model"))
}
