//! libFuzzer on [`git2s3_fuzz::pack`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: git2s3_fuzz::write_seeds("pack"),
    |data: &[u8]| git2s3_fuzz::pack(data)
);
