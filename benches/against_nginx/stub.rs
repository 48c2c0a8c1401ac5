//! The upstream: it answers at once, swallows what is sent, sends as much as is asked for, and agrees to websockets.

use std::{io, net::SocketAddr, sync::LazyLock, thread};

use memchr::memmem;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// `GET /files/BYTES` is answered with so many bytes.
pub(crate) const FILES: &str = "/files/";
pub(crate) const SMALL: usize = 512;
const BUFFER: usize = 256 << 10;
const AGREED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A small answer as Odoo gives one.
static ANSWER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let head = "HTTP/1.1 200 OK\r\nServer: Werkzeug/3.0.1 Python/3.12.3\r\nDate: Mon, 05 Jan 2026 08:00:00 GMT\r\n\
                Content-Type: text/html; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nVary: Accept-Encoding\r\n";
    [format!("{head}Content-Length: {SMALL}\r\n\r\n").as_bytes(), &[b'x'; SMALL]].concat()
});

/// Serves in a thread of its own, for as long as the process lives; gives the address.
pub(crate) fn start() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // The other side hangs up when it is done.
                tokio::spawn(async move { drop(serve(stream).await) });
            }
        });
    });
    address
}

async fn serve(mut stream: TcpStream) -> io::Result<()> {
    static PIECE: [u8; BUFFER] = [b'x'; BUFFER];
    stream.set_nodelay(true)?;
    let mut received = Vec::with_capacity(4 << 10);
    let mut sink = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = memmem::find(&received, b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
        };
        let (head, rest) = received.split_at(end);
        let (length, path) = (content_length(head), path(head));
        if path.starts_with("/websocket") {
            stream.write_all(AGREED).await?;
            while stream.read(&mut [0; 1024]).await? > 0 {}
            return Ok(());
        }
        let file: Option<usize> = path.strip_prefix(FILES).map(|bytes| bytes.parse().unwrap());
        let came = rest.len().min(length);
        let mut left = length - came;
        received.drain(..end + came);
        if left > 0 {
            sink.resize(BUFFER, 0);
        }
        while left > 0 {
            let most = left.min(BUFFER);
            match stream.read(&mut sink[..most]).await? {
                0 => return Ok(()),
                bytes => left -= bytes,
            }
        }
        match file {
            None => stream.write_all(&ANSWER).await?,
            Some(mut left) => {
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\nContent-Length: {left}\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                while left > 0 {
                    let most = left.min(BUFFER);
                    stream.write_all(&PIECE[..most]).await?;
                    left -= most;
                }
            }
        }
    }
}

fn path(head: &[u8]) -> &str {
    let line = std::str::from_utf8(&head[..memchr::memchr(b'\r', head).unwrap()]).unwrap();
    line.split(' ').nth(1).unwrap()
}

/// What a head says of the body behind it, 0 where it says nothing. Names may be in any case.
pub(crate) fn content_length(head: &[u8]) -> usize {
    const NAME: &[u8] = b"\r\ncontent-length:";
    let lines = memchr::memchr_iter(b'\r', head).filter(|at| head.len() > at + NAME.len());
    let at = lines.into_iter().find(|at| head[*at..*at + NAME.len()].eq_ignore_ascii_case(NAME));
    let Some(at) = at else { return 0 };
    let digits = head[at + NAME.len()..].trim_ascii_start().iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |length, digit| 10 * length + usize::from(digit - b'0'))
}
