//! HTTP messages as the benchmark writes and reads them: made beforehand with gaps for one number, and read no further than
//! where they end. Whatever is done here takes time from the gateway, which shares the machine.

use std::io;

use memchr::memmem;
use tokio::{io::AsyncReadExt, net::TcpStream};

/// Where a number goes. All numbers are of this length, so that a message is as long with any of them.
pub(crate) const GAP: &str = "########";
/// The first number of eight digits.
pub(crate) const FIRST: u32 = 10_000_000;

/// A message that lacks a number, in one place or several.
#[derive(Clone)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    gaps: Vec<usize>,
}

impl Template {
    pub(crate) fn new(text: &str) -> Self {
        let gaps = text.match_indices(GAP).map(|(at, _)| at).collect();
        Self { bytes: text.as_bytes().to_vec(), gaps }
    }

    pub(crate) fn with(&mut self, number: u32) -> &[u8] {
        let digits = digits(number);
        for gap in &self.gaps {
            self.bytes[*gap..][..GAP.len()].copy_from_slice(&digits);
        }
        &self.bytes
    }
}

pub(crate) fn digits(number: u32) -> [u8; GAP.len()] {
    let mut left = number;
    let mut digits = [b'0'; GAP.len()];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(left % 10).unwrap();
        left /= 10;
    }
    assert_eq!(left, 0, "{number} has too many digits");
    digits
}

/// What comes in on one connection.
#[derive(Default)]
pub(crate) struct Incoming {
    bytes: Vec<u8>,
    /// How much of it is the message that was read last.
    taken: usize,
}

/// A message that has come whole.
pub(crate) struct Message<'b> {
    pub(crate) head: &'b [u8],
    pub(crate) body: &'b [u8],
}

impl Incoming {
    /// The next message; none where the other side has closed.
    pub(crate) async fn next(&mut self, stream: &mut TcpStream) -> io::Result<Option<Message<'_>>> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        let (head, end) = loop {
            if let Some(ends) = ends(&self.bytes)
                && ends.1 <= self.bytes.len()
            {
                break ends;
            }
            self.bytes.reserve(4096);
            if stream.read_buf(&mut self.bytes).await? == 0 {
                return Ok(None);
            }
        };
        self.taken = end;
        Ok(Some(Message { head: &self.bytes[..head], body: &self.bytes[head..end] }))
    }
}

/// Where the head ends, and where the body will. Hyper, which both sides speak with, writes names in small letters.
fn ends(bytes: &[u8]) -> Option<(usize, usize)> {
    let head = memmem::find(bytes, b"\r\n\r\n")? + 4;
    // A GET has no body.
    let length = memmem::find(&bytes[..head], b"\r\ncontent-length: ").map_or(head, |at| at + 18);
    let length = bytes[length..head].iter().take_while(|byte| byte.is_ascii_digit());
    let length = length.fold(0, |length, digit| 10 * length + usize::from(digit - b'0'));
    Some((head, head + length))
}
