//! Small answers: so many connections, each of which asks again as soon as it is answered.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use memchr::memmem;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    task::LocalSet,
    time,
};

use super::{
    Run, median,
    peers::{Peer, Peers},
    stub::{SMALL, content_length},
};

const CONNECTIONS: [usize; 3] = [1, 64, 512];
const WARM_UP: Duration = Duration::from_millis(300);
const REQUEST: &[u8] = b"GET /web/image/res.partner/7/avatar_128?unique=1764489600000 HTTP/1.1\r\nHost: erp.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\nAccept: image/avif,image/webp,*/*\r\n\
    Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nReferer: https://erp.example.com/odoo/contacts\r\n\
    Cookie: session_id=0123456789abcdef0123456789abcdef01234567; cids=1; tz=Europe/Brussels\r\n\
    Sec-Fetch-Dest: image\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Site: same-origin\r\n\r\n";

/// What one round came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) per_second: f64,
    p50: f64,
    p99: f64,
    /// Processor time of what is measured, for each answer, in microseconds.
    cpu: f64,
}

pub(crate) async fn measure(run: &mut Run, peers: &Peers) {
    println!("\nsmall answers        conns   calls/s   p50 us   p99 us  CPU us/call");
    for connections in run.connections(&CONNECTIONS) {
        let mut rounds = vec![Vec::new(); peers.all.len()];
        for _ in 0..run.rounds {
            for (peer, rounds) in peers.all.iter().zip(&mut rounds) {
                let open = async || TcpStream::connect(peer.address).await.unwrap();
                rounds.push(round(run.length, peer, connections, open).await);
            }
        }
        let named = peers.all.iter().map(|peer| peer.name).zip(rounds).collect();
        tell(run, "small answer", connections, named);
    }
}

/// Prints the medians, and their ratios to nginx without a log.
pub(crate) fn tell(run: &mut Run, work: &str, connections: usize, measured: Vec<(&'static str, Vec<Round>)>) {
    let mut base = None;
    for (name, rounds) in measured {
        let of = |value: fn(&Round) -> f64| median(rounds.iter().map(value).collect());
        let (per_second, p50) = (of(|round| round.per_second), of(|round| round.p50));
        let (p99, cpu) = (of(|round| round.p99), of(|round| round.cpu));
        let ratio = match base {
            Some((rate, time)) => format!("{:.2} of the calls, {:.2} of p50", per_second / rate, p50 / time),
            None => String::new(),
        };
        println!("{name:<20} {connections:>5} {per_second:>9.0} {p50:>8.0} {p99:>8.0} {cpu:>12.1}  {ratio}");
        if name == "nginx" {
            base = Some((per_second, p50));
        }
        let labels = [("work", work), ("peer", name), ("connections", &connections.to_string())];
        let figures =
            [("calls_per_second", per_second), ("p50_ms", p50 / 1e3), ("p99_ms", p99 / 1e3), ("cpu_us_per_call", cpu)];
        run.figures.add(&labels, &figures);
    }
}

/// So many connections at work for so long.
pub(crate) async fn round<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    length: Duration,
    peer: &Peer,
    connections: usize,
    open: impl AsyncFn() -> S,
) -> Round {
    let (is_counted, is_over) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
    let times = Rc::<RefCell<Vec<u32>>>::default();
    let callers = LocalSet::new();
    let measured = callers.run_until(async {
        let mut tasks = Vec::new();
        for _ in 0..connections {
            let stream = open().await;
            let (is_counted, is_over, times) = (is_counted.clone(), is_over.clone(), times.clone());
            tasks.push(tokio::task::spawn_local(async move {
                let mut connection = Connection::new(stream);
                while !is_over.get() {
                    let asked = Instant::now();
                    connection.ask().await;
                    if is_counted.get() {
                        let tenths = asked.elapsed().as_nanos() / 100;
                        times.borrow_mut().push(u32::try_from(tenths).unwrap_or(u32::MAX));
                    }
                }
            }));
        }
        time::sleep(WARM_UP).await;
        let (before, started) = (peer.cpu(), Instant::now());
        is_counted.set(true);
        time::sleep(length).await;
        is_counted.set(false);
        let (took, cpu) = (started.elapsed(), peer.cpu() - before);
        is_over.set(true);
        for task in tasks {
            task.await.unwrap();
        }
        (took, cpu)
    });
    let (took, cpu) = measured.await;
    let mut times = times.take();
    assert!(!times.is_empty(), "{}: there was no answer in {length:?}", peer.name);
    times.sort_unstable();
    let at = |part: f64| f64::from(times[(part * (times.len() - 1) as f64) as usize]) / 10.0;
    let calls = times.len() as f64;
    Round { per_second: calls / took.as_secs_f64(), p50: at(0.5), p99: at(0.99), cpu: cpu.as_secs_f64() * 1e6 / calls }
}

/// A connection that is kept open.
pub(crate) struct Connection<S> {
    stream: S,
    received: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, received: Vec::with_capacity(4 << 10) }
    }

    /// Asks once, and takes the answer whole.
    pub(crate) async fn ask(&mut self) {
        self.received.clear();
        self.stream.write_all(REQUEST).await.unwrap();
        self.stream.flush().await.unwrap();
        loop {
            assert!(self.stream.read_buf(&mut self.received).await.unwrap() > 0, "the other side hung up");
            if let Some(end) = memmem::find(&self.received, b"\r\n\r\n") {
                let head = &self.received[..end + 4];
                assert!(head.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(head));
                let length = content_length(head);
                assert_eq!(length, SMALL);
                if self.received.len() >= end + 4 + length {
                    return;
                }
            }
        }
    }
}
