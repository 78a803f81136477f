//! libFuzzer on [`fuzz::provider_zip_entries`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds("provider_zip_entries"),
    |data: &[u8]| fuzz::provider_zip_entries(data)
);
