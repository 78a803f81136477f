//! libFuzzer on [`fuzz::known_hosts`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds("known_hosts"),
    |data: &[u8]| fuzz::known_hosts(data)
);
