//! Zips a commit of a real repository and reports time and memory, to compare with
//! `time git archive --format=zip`:
//! `cargo run --release -p git2s3-archive --example zip -- REPOSITORY COMMIT > commit.zip`.
#![allow(clippy::print_stderr, reason = "the zip goes to stdout, talk to stderr")]

use std::{error::Error, io::BufWriter, sync::atomic::AtomicBool, time::Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(path), Some(commit)) = (arguments.next(), arguments.next()) else {
        return Err("usage: zip REPOSITORY COMMIT".into());
    };
    let repository = gix::open_opts(path, gix::open::Options::isolated())?;
    let commit = repository.rev_parse_single(commit.to_string_lossy().as_ref())?.detach();
    let start = Instant::now();
    let summary = archive::write_zip(
        &repository,
        commit,
        &archive::Options::default(),
        None,
        &AtomicBool::new(false),
        BufWriter::new(std::io::stdout().lock()),
    )?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = status.lines().filter(|line| line.starts_with("VmHWM") || line.starts_with("RssAnon"));
    eprintln!("{summary:?} in {:.2?}; {}", start.elapsed(), memory.collect::<Vec<_>>().join(", "));
    Ok(())
}
