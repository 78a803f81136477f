//! libFuzzer on [`fuzz::provider_zip`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds("provider_zip"),
    |data: &[u8]| fuzz::provider_zip(data)
);
