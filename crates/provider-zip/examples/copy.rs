//! Converts a provider's zip and reports time and memory, to compare with `time unzip -t`:
//! `cargo run --release -p git2s3-provider-zip --example copy < theirs.zip > ours.zip`. An argument
//! is the name of the top folder. Without it, any top folder is dropped. An empty one means that
//! there is no top folder.
#![allow(clippy::print_stderr, reason = "the zip goes to stdout, talk to stderr")]

use std::{error::Error, io::BufWriter, time::Instant};

use provider_zip::{ProviderZip, TopFolder, copy_zip};

fn main() -> Result<(), Box<dyn Error>> {
    let top_folder = match std::env::args().nth(1) {
        None => TopFolder::Always,
        Some(none) if none.is_empty() => TopFolder::Never,
        Some(name) => TopFolder::Named(name),
    };
    let expected = ProviderZip { top_folder, commit: None, max_bytes: 64 << 30 };
    let start = Instant::now();
    let summary = copy_zip(std::io::stdin().lock(), &expected, BufWriter::new(std::io::stdout().lock()))?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    eprintln!("{summary:?} in {:.2?}; {memory}", start.elapsed());
    Ok(())
}
