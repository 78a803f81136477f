//! libFuzzer on [`git2s3_fuzz::requests`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: git2s3_fuzz::write_seeds("requests"),
    |data: &[u8]| git2s3_fuzz::requests(data)
);
