//! HTTP messages as both sides of this benchmark read them: whole, with `Content-Length` or without a body.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A message that has come whole.
pub(crate) struct Message {
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// The words of the first line.
    pub(crate) fn word(&self, place: usize) -> &str {
        self.head.lines().next().unwrap_or_default().split(' ').nth(place).unwrap_or_default()
    }

    /// A header, by its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// One end of a connection.
pub(crate) struct Connection {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, bytes: Vec::new() })
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The next message; none where the other side has closed.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Message>> {
        loop {
            if let Some(end) = memchr::memmem::find(&self.bytes, b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.bytes[..end]).into_owned();
                let mut message = Message { head, body: Vec::new() };
                let length = message.header("content-length").map_or(0, |length| length.parse().unwrap());
                if self.bytes.len() >= end + 4 + length {
                    message.body = self.bytes[end + 4..][..length].to_vec();
                    self.bytes.drain(..end + 4 + length);
                    return Ok(Some(message));
                }
            }
            if self.stream.read_buf(&mut self.bytes).await? == 0 {
                return Ok(None);
            }
        }
    }
}
