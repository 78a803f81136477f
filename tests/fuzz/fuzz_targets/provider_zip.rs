//! libFuzzer on [`git2s3_fuzz::provider_zip`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: git2s3_fuzz::write_seeds("provider_zip"),
    |data: &[u8]| git2s3_fuzz::provider_zip(data)
);
