//! libFuzzer on [`fuzz::pack_entries`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds("pack_entries"),
    |data: &[u8]| fuzz::pack_entries(data)
);
