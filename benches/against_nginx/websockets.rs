//! Websockets: how many are opened in a second, one after another on so many places, each on a connection of its own.

use std::time::Instant;

use memchr::memmem;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use super::{Run, median, peers::Peers};

const PLACES: usize = 16;
const HANDSHAKE: &[u8] = b"GET /websocket HTTP/1.1\r\nHost: erp.example.com\r\nOrigin: https://erp.example.com\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

pub(crate) async fn measure(run: &mut Run, peers: &Peers) {
    println!("\nwebsockets           places  opened/s");
    let mut rounds = vec![Vec::new(); peers.all.len()];
    for _ in 0..run.rounds {
        for (peer, rounds) in peers.all.iter().zip(&mut rounds) {
            let (started, address) = (Instant::now(), peer.address);
            let until = started + run.length;
            let mut places = JoinSet::new();
            for _ in 0..PLACES {
                places.spawn(async move {
                    let mut opened = 0_u32;
                    while Instant::now() < until {
                        open(TcpStream::connect(address).await.unwrap()).await;
                        opened += 1;
                    }
                    opened
                });
            }
            let opened: u32 = places.join_all().await.into_iter().sum();
            rounds.push(f64::from(opened) / started.elapsed().as_secs_f64());
        }
    }
    let mut base = None;
    for (peer, rounds) in peers.all.iter().zip(rounds) {
        let rate = median(rounds);
        let ratio = base.map_or_else(String::new, |base: f64| format!("{:.2}", rate / base));
        println!("{:<20} {PLACES:>6} {rate:>9.0}  {ratio}", peer.name);
        if peer.name == "nginx" {
            base = Some(rate);
        }
        run.figures.add(&[("work", "websocket opened"), ("peer", peer.name)], &[("opened_per_second", rate)]);
    }
}

/// Opens one, and hangs up.
async fn open(mut stream: TcpStream) {
    stream.write_all(HANDSHAKE).await.unwrap();
    let mut head = Vec::with_capacity(1 << 10);
    while memmem::find(&head, b"\r\n\r\n").is_none() {
        assert!(stream.read_buf(&mut head).await.unwrap() > 0, "the other side hung up");
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
}
