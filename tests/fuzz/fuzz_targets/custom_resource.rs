//! libFuzzer on [`git2s3_fuzz::custom_resource`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: git2s3_fuzz::write_seeds("custom_resource"),
    |data: &[u8]| git2s3_fuzz::custom_resource(data)
);
