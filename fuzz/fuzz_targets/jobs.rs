//! libFuzzer on [`fuzz::jobs`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds("jobs"),
    |data: &[u8]| fuzz::jobs(data)
);
