//! libFuzzer on [`git2s3_fuzz::pack_entries`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: git2s3_fuzz::write_seeds("pack_entries"),
    |data: &[u8]| git2s3_fuzz::pack_entries(data)
);
