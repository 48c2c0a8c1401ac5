//! Large bodies, up and down: bytes a second, and the memory that they take.

use std::time::{Duration, Instant};

use memchr::memmem;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use super::{
    Run, median,
    peers::{Peer, Peers},
    stub::{FILES, content_length},
};

const MIB: usize = 1 << 20;
/// The size of the bodies, and on how many connections they go at a time.
const SIZES: [(usize, usize); 2] = [(MIB, 8), (100 * MIB, 1)];
const PIECE: usize = 256 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

impl Way {
    const BOTH: [Self; 2] = [Self::Up, Self::Down];

    fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

pub(crate) async fn measure(run: &mut Run, peers: &Peers) {
    println!("\nbodies                        conns      MB/s   CPU us/MB");
    for (size, connections) in SIZES {
        for way in Way::BOTH {
            let mut rounds = vec![Vec::new(); peers.all.len()];
            for _ in 0..run.rounds {
                for (peer, rounds) in peers.all.iter().zip(&mut rounds) {
                    let (before, started) = (peer.cpu(), Instant::now());
                    let bytes = transfers(peer, way, size, connections, run.length).await;
                    let megabytes = bytes as f64 / 1e6;
                    let cpu = (peer.cpu() - before).as_secs_f64() * 1e6;
                    rounds.push((megabytes / started.elapsed().as_secs_f64(), cpu / megabytes));
                }
            }
            let mut base = None;
            for (peer, rounds) in peers.all.iter().zip(rounds) {
                let rate = median(rounds.iter().map(|round| round.0).collect());
                let cpu = median(rounds.iter().map(|round| round.1).collect());
                let ratio = base.map_or_else(String::new, |base: f64| format!("{:.2}", rate / base));
                let work = format!("{} MiB {}", size / MIB, way.name());
                println!("{:<18} {work:<12} {connections:>4} {rate:>9.0} {cpu:>11.0}  {ratio}", peer.name);
                if peer.name == "nginx" {
                    base = Some(rate);
                }
                let labels = [("work", &*work), ("peer", peer.name), ("connections", &connections.to_string())];
                run.figures.add(&labels, &[("megabytes_per_second", rate), ("cpu_us_per_megabyte", cpu)]);
            }
        }
    }
}

/// How much more memory is held at most than before, for one body of 100 MiB.
pub(crate) async fn measure_memory(run: &mut Run, peers: &Peers) {
    println!("\nmemory                         more at the peak, MiB");
    for way in Way::BOTH {
        for peer in peers.all.iter().filter(|peer| peer.name != "direct") {
            let mut most: f64 = 0.0;
            for _ in 0..run.rounds {
                let before = peer.reset_peak();
                transfers(peer, way, 100 * MIB, 1, Duration::ZERO).await;
                most = most.max((peer.peak() - before) / MIB as f64);
            }
            let work = format!("100 MiB {}", way.name());
            println!("{:<18} {work:<12} {most:>8.1}", peer.name);
            run.figures.add(&[("work", &work), ("peer", peer.name), ("measured", "memory")], &[("peak_mib", most)]);
        }
    }
}

/// One transfer after another on each connection, until the time is over; gives the bytes of all.
async fn transfers(peer: &Peer, way: Way, size: usize, connections: usize, length: Duration) -> usize {
    let (until, address) = (Instant::now() + length, peer.address);
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (mut buffer, mut bytes) = (vec![b'x'; PIECE], 0);
            loop {
                match way {
                    Way::Up => upload(&mut stream, size, &buffer).await,
                    Way::Down => download(&mut stream, size, &mut buffer).await,
                }
                bytes += size;
                if Instant::now() >= until {
                    return bytes;
                }
            }
        });
    }
    tasks.join_all().await.into_iter().sum()
}

async fn upload(stream: &mut TcpStream, size: usize, piece: &[u8]) {
    let head = format!(
        "POST /web/binary/upload_attachment HTTP/1.1\r\nHost: erp.example.com\r\nContent-Type: application/pdf\r\n\
         Content-Length: {size}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut left = size;
    while left > 0 {
        let most = left.min(piece.len());
        stream.write_all(&piece[..most]).await.unwrap();
        left -= most;
    }
    let (length, came) = answer(stream, &mut vec![0; 4 << 10]).await;
    assert_eq!(length, came);
}

async fn download(stream: &mut TcpStream, size: usize, buffer: &mut [u8]) {
    let head = format!("GET {FILES}{size} HTTP/1.1\r\nHost: erp.example.com\r\nAccept: */*\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let (length, mut came) = answer(stream, buffer).await;
    assert_eq!(length, size);
    while came < size {
        let bytes = stream.read(buffer).await.unwrap();
        assert!(bytes > 0, "the other side hung up");
        came += bytes;
    }
}

/// Reads the head of an answer; gives the length of its body, and how much of that has come.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> (usize, usize) {
    let mut filled = 0;
    loop {
        let bytes = stream.read(&mut buffer[filled..]).await.unwrap();
        assert!(bytes > 0, "the other side hung up");
        filled += bytes;
        if let Some(end) = memmem::find(&buffer[..filled], b"\r\n\r\n") {
            let head = &buffer[..end + 4];
            assert!(head.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(head));
            return (content_length(head), filled - end - 4);
        }
    }
}
