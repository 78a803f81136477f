//! libFuzzer on [`git2s3_fuzz::provider_zip_entries`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: git2s3_fuzz::write_seeds("provider_zip_entries"),
    |data: &[u8]| git2s3_fuzz::provider_zip_entries(data)
);
