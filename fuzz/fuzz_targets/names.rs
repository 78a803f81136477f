//! libFuzzer on [`fuzz::names`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds("names"),
    |data: &[u8]| fuzz::names(data)
);
