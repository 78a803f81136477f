//! libFuzzer on [`fuzz::requests`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds("requests"),
    |data: &[u8]| fuzz::requests(data)
);
