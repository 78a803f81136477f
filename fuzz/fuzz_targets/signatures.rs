//! libFuzzer on [`fuzz::signatures`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds("signatures"),
    |data: &[u8]| fuzz::signatures(data)
);
