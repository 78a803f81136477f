//! libFuzzer on [`fuzz::pack`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds("pack"),
    |data: &[u8]| fuzz::pack(data)
);
