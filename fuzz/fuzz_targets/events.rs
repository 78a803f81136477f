//! libFuzzer on [`fuzz::events`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds("events"),
    |data: &[u8]| fuzz::events(data)
);
