//! Bodies with a `Content-Encoding`: gzip and deflate are unpacked, up to the size that a body may have.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};

use super::{
    bounds::{Bounds, Budget, Why},
    charset::shortened,
};

const PIECE: usize = 64 << 10;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
}

impl Coding {
    /// The coding of a header, where it is one that is unpacked.
    pub(super) fn of(header: &[u8]) -> Option<Self> {
        match &*header.trim_ascii().to_ascii_lowercase() {
            b"gzip" | b"x-gzip" => Some(Self::Gzip),
            b"deflate" => Some(Self::Deflate),
            _ => None,
        }
    }
}

/// The body as it was before it was packed; none where it was not.
pub(super) fn unpacked(headers: &HeaderMap, body: &Bytes, bounds: &Bounds) -> Result<Option<Bytes>, Why> {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter().filter(|coding| *coding != "identity");
    let (first, second) = (codings.next(), codings.next());
    let Some(coding) = first.filter(|_| !body.is_empty()) else { return Ok(None) };
    match (Coding::of(coding.as_bytes()), second) {
        (Some(Coding::Gzip), None) => read(MultiGzDecoder::new(&**body), bounds).map(Some),
        // RFC 9110, section 8.4.1.2: zlib's format; some send what is within it alone.
        (Some(Coding::Deflate), None) if is_zlib(body) => read(ZlibDecoder::new(&**body), bounds).map(Some),
        (Some(Coding::Deflate), None) => read(DeflateDecoder::new(&**body), bounds).map(Some),
        _ => {
            let coding = String::from_utf8_lossy(coding.as_bytes());
            Err(Why::unreadable(format!(
                "it is packed as `{}`; gzip or deflate, once, is unpacked",
                shortened(&coding)
            )))
        }
    }
}

fn read(mut packed: impl Read, bounds: &Bounds) -> Result<Bytes, Why> {
    let mut budget = Budget::new(bounds);
    let (mut unpacked, mut piece) = (Vec::new(), vec![0; PIECE]);
    loop {
        match packed.read(&mut piece) {
            Ok(0) => return Ok(unpacked.into()),
            Ok(length) if unpacked.len() + length > bounds.size() => return Err(bounds.too_large()),
            Ok(length) => {
                budget.take(length)?;
                unpacked.extend_from_slice(&piece[..length]);
            }
            Err(error) => return Err(Why::unreadable(format!("it cannot be unpacked: {error}"))),
        }
    }
}

/// RFC 1950, section 2.2: the method 8, and a checksum over the first two bytes.
fn is_zlib(body: &[u8]) -> bool {
    match body {
        [first, second, ..] => first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)).is_multiple_of(31),
        _ => false,
    }
}
