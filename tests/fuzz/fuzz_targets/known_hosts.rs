//! libFuzzer on [`git2s3_fuzz::known_hosts`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: git2s3_fuzz::write_seeds("known_hosts"),
    |data: &[u8]| git2s3_fuzz::known_hosts(data)
);
