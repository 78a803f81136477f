//! What comes behind an archive's directory, and that nothing comes behind that.

use std::io::Read;

use crate::{error::ProviderError, input::Input};
use zip_writer::{MAX_U16, MAX_U32};

const END: [u8; 4] = *b"PK\x05\x06";
const ZIP64_END: [u8; 4] = *b"PK\x06\x06";
const ZIP64_LOCATOR: [u8; 4] = *b"PK\x06\x07";

/// The archive's directory, as it was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Directory {
    pub(crate) lines: u64,
    pub(crate) start: u64,
    pub(crate) size: u64,
}

/// Reads to the end, from behind the first `signature`, and gives the archive's comment.
pub(crate) fn read<R: Read>(
    input: &mut Input<R>,
    mut signature: [u8; 4],
    directory: Directory,
) -> Result<Vec<u8>, ProviderError> {
    let zip64 = signature == ZIP64_END;
    if zip64 {
        self::zip64(input, directory)?;
        signature = input.array()?;
    }
    if signature != END {
        return Err(input.malformed("there is something else than entries and their directory"));
    }
    let disks = [input.u16()?, input.u16()?];
    let lines = [input.u16()?, input.u16()?];
    let [size, start] = [input.u32()?, input.u32()?];
    // A number that doesn't fit is all ones, and stands in zip64's record.
    let told = |told: u64, found: u64, max: u64| told == found || zip64 && told == max;
    if disks != [0; 2]
        || lines.iter().any(|lines| !told((*lines).into(), directory.lines, MAX_U16))
        || !told(size.into(), directory.size, MAX_U32)
        || !told(start.into(), directory.start, MAX_U32)
    {
        return Err(input.malformed("its end tells of another directory"));
    }
    let length = input.u16()?;
    let comment = input.bytes(length)?;
    if input.peek(1)?.is_empty() { Ok(comment) } else { Err(input.malformed("it goes on behind its end")) }
}

fn zip64<R: Read>(input: &mut Input<R>, directory: Directory) -> Result<(), ProviderError> {
    let here = input.position() - ZIP64_END.len() as u64;
    let length = input.u64()?;
    let _versions: [u8; 4] = input.array()?;
    let disks = input.u64()?;
    let numbers = [input.u64()?, input.u64()?, input.u64()?, input.u64()?];
    // 44 bytes follow the length where there is no data of some other program.
    if (length, disks, numbers) != (44, 0, [directory.lines, directory.lines, directory.size, directory.start]) {
        return Err(input.malformed("its zip64 end tells of another directory"));
    }
    let (signature, disk, offset, disks) = (input.array()?, input.u32()?, input.u64()?, input.u32()?);
    if (signature, disk, offset, disks) != (ZIP64_LOCATOR, 0, here, 1) {
        return Err(input.malformed("its zip64 end isn't where its end says"));
    }
    Ok(())
}
