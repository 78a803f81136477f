//! Which glibc a binary needs. One built on a newer system than Lambda's fails there, but only at
//! the first invocation; the ELF file shows it at build time.

use object::Endianness;
use object::elf::FileHeader64;
use object::read::elf::FileHeader;

/// The minor version of glibc 2 on Amazon Linux 2023.
pub(super) const NEWEST_ON_LAMBDA: u32 = 34;

/// The minor version of glibc 2 that `binary`, a 64-bit ELF file, needs; 0 when it needs none
/// (statically linked).
pub(super) fn newest_needed(binary: &[u8]) -> object::read::Result<u32> {
    let header = FileHeader64::<Endianness>::parse(binary)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, binary)?;
    let Some((mut needs, strings)) = sections.gnu_verneed(endian, binary)? else { return Ok(0) };
    let strings = sections.strings(endian, binary, strings)?;
    let mut newest = 0;
    while let Some((_, mut versions)) = needs.next()? {
        while let Some(version) = versions.next()? {
            newest = newest.max(minor(version.name(endian, strings)?));
        }
    }
    Ok(newest)
}

fn minor(version: &[u8]) -> u32 {
    let version = std::str::from_utf8(version).unwrap_or_default();
    let minor = version.strip_prefix("GLIBC_2.").and_then(|rest| rest.split('.').next());
    minor.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_numbers() {
        for (version, expected) in
            [("GLIBC_2.34", 34), ("GLIBC_2.2.5", 2), ("GLIBC_2.9", 9), ("GCC_3.0", 0), ("GLIBC_PRIVATE", 0)]
        {
            assert_eq!(minor(version.as_bytes()), expected, "{version}");
        }
    }

    #[test]
    fn this_very_test_needs_a_glibc() {
        let binary = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!((2..99).contains(&newest_needed(&binary).unwrap()));
    }

    #[test]
    fn non_elf_file_is_refused() {
        assert!(newest_needed(b"#!/bin/sh").is_err());
        assert!(newest_needed(b"").is_err());
    }
}
