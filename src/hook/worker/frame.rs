//! Frames of the pipes between the gateway and a worker: a length of four bytes, big-endian, and as many bytes.

use std::io::{self, Read, Write};

/// Writes a frame.
///
/// # Errors
/// The other process is gone, or there is more than a frame holds.
pub(super) fn write_frame(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&u32::try_from(bytes.len()).map_err(io::Error::other)?.to_be_bytes())?;
    to.write_all(bytes)
}

/// Reads a frame.
///
/// # Errors
/// The other process is gone, or the frame is larger than `most`.
pub(super) fn read_frame(from: &mut impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > most {
        return Err(io::Error::other(format!("a frame of {length} bytes")));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}
