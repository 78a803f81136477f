//! libFuzzer on [`git2s3_fuzz::events`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: git2s3_fuzz::write_seeds("events"),
    |data: &[u8]| git2s3_fuzz::events(data)
);
