//! libFuzzer on [`git2s3_fuzz::names`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: git2s3_fuzz::write_seeds("names"),
    |data: &[u8]| git2s3_fuzz::names(data)
);
