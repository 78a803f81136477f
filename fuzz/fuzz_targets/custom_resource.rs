//! libFuzzer on [`fuzz::custom_resource`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds("custom_resource"),
    |data: &[u8]| fuzz::custom_resource(data)
);
