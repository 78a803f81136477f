//! libFuzzer on [`git2s3_fuzz::signatures`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: git2s3_fuzz::write_seeds("signatures"),
    |data: &[u8]| git2s3_fuzz::signatures(data)
);
