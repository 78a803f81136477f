//! libFuzzer on [`git2s3_fuzz::jobs`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: git2s3_fuzz::write_seeds("jobs"),
    |data: &[u8]| git2s3_fuzz::jobs(data)
);
