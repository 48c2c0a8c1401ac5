//! Ten thousand connections that say nothing, peers that say little, and a flood of requests that are too large: a caller
//! is served meanwhile, and the gateway's memory stays within bounds.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
};

use super::wire::{Act, play};
use crate::support::{gateway::Gateway, odoo::odoo};

const IDLE: usize = 10_000;
/// Peers that trickle a head, and as many that trickle a body.
const SLOW: usize = 100;
const FLOODS: usize = 4;
const CALLS: usize = 40;
/// File descriptors that are not for idle connections, here and in the gateway.
const OTHERS: usize = 1000;

/// Nobody is turned away or timed out while the crowd is there.
const LIMITS: &str =
    "[limits]\nbody = \"1 MiB\"\nheader_timeout = \"120s\"\nbody_timeout = \"120s\"\nconnections = 12000\n";

/// The idle ones come from ninety-eight addresses, the others from one each.
pub(super) async fn connect(address: &str, from: u8) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, from], 0).into())?;
    socket.connect(address.parse().unwrap()).await
}

/// As many files as the machine gives; the gateway inherits it.
fn raise_file_limit() -> usize {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
    most.map_or(usize::MAX, |most| usize::try_from(most).unwrap())
}

async fn open_idle(address: &str, count: usize) -> Vec<TcpStream> {
    let opened = stream::iter(0..count).map(async |number| {
        connect(address, 2 + u8::try_from(number % 98).unwrap()).await.expect("a connection is accepted")
    });
    opened.buffer_unordered(64).collect().await
}

/// Peers that have sent this, and are to send more.
async fn slow_peers(address: &str, from: u8, sent: &str) -> Vec<TcpStream> {
    let mut peers = Vec::new();
    for _ in 0..SLOW {
        let mut stream = connect(address, from).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        peers.push(stream);
    }
    peers
}

/// The median of so many calls, one after the other, each by a connection of its own.
async fn measure(address: &str, key: &str) -> Duration {
    let body = r#"{"params": {"model": "res.country", "vals": {"payload": {"limit": 1, "search_field": ["code"]}}}}"#;
    let request = format!(
        "POST /api/search_data HTTP/1.1\r\nHost: gateway\r\nX-API-Key: {key}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let acts = [Act::Send(request.into())];
    let mut took = Vec::new();
    for _ in 0..CALLS {
        let started = Instant::now();
        let seen = play(address, &acts, 1, b"").await;
        took.push(started.elapsed());
        assert_eq!(seen.answers, [(200, None)], "a normal call fails");
    }
    took.sort_unstable();
    took[CALLS / 2]
}

/// Sends such requests one after the other; counts those that are refused.
async fn flood(address: &str, is_over: &AtomicBool, refused: &AtomicUsize) {
    let announced = "POST /api/create_data HTTP/1.1\r\nHost: gateway\r\nContent-Length: 999999999\r\n\r\n".to_owned();
    let long = format!("GET /web/session/{} HTTP/1.1\r\nHost: gateway\r\n\r\n", "a".repeat(1 << 20));
    while !is_over.load(Relaxed) {
        for request in [&announced, &long] {
            let seen = play(address, &[Act::Send(request.clone().into())], 1, b"").await;
            assert!(matches!(seen.answers[..], [] | [(413 | 414 | 431 | 503, _)]), "{seen}");
            assert!(seen.is_closed, "{seen}");
            refused.fetch_add(1, Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_is_served_among_ten_thousand_idle_connections_slow_peers_and_a_flood() {
    let room = raise_file_limit().saturating_sub(OTHERS).min(IDLE);
    let odoo = odoo().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, LIMITS);
    let address = gateway.url.trim_start_matches("http://").to_owned();
    measure(&address, &odoo.key).await;
    let (quiet, before) = (measure(&address, &odoo.key).await, gateway.memory().0);

    let started = Instant::now();
    let (mut idle, mut opened) = (Vec::new(), 0);
    while opened < IDLE {
        // Where they cannot all be open at a time, the last wave is the one that stays.
        drop(idle);
        idle = open_idle(&address, room.min(IDLE - opened)).await;
        opened += idle.len();
    }
    let took = started.elapsed();
    let with_idle = measure(&address, &odoo.key).await;
    let idle_memory = gateway.memory().0;

    let mut trickling = slow_peers(&address, 100, "GET /web/session/check HTTP/1.1\r\nX-Slow: ").await;
    let head = "POST /api/create_data HTTP/1.1\r\nHost: gateway\r\nContent-Length: 1000000\r\n\r\n";
    trickling.extend(slow_peers(&address, 101, head).await);
    let (is_over, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    let trickle = async {
        let mut pause = tokio::time::interval(Duration::from_millis(100));
        while !is_over.load(Relaxed) {
            pause.tick().await;
            for stream in &mut trickling {
                stream.write_all(b"xxxxxxxxxx").await.unwrap();
            }
        }
    };
    let floods = futures_util::future::join_all((0..FLOODS).map(|_| flood(&address, &is_over, &refused)));
    let measured = async {
        let median = measure(&address, &odoo.key).await;
        is_over.store(true, Relaxed);
        median
    };
    let (with_all, ..) = tokio::join!(measured, trickle, floods);
    let still_open = idle.iter().filter(|stream| stream.try_read(&mut [0]).is_err()).count();
    let (after, peak) = gateway.memory();

    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!("{opened} connections opened in {took:.1?}, {still_open} of the last {} still open", idle.len());
    println!("{} requests of the flood refused; {} peers trickled", refused.load(Relaxed), trickling.len());
    for (crowd, median) in [("nobody else", quiet), ("the idle", with_idle), ("all", with_all)] {
        let ratio = median.as_secs_f64() / quiet.as_secs_f64();
        println!("median of {CALLS} calls with {crowd:<12} {:>7.1} ms, {ratio:.2} times", ms(median));
    }
    println!(
        "memory: {} MiB before, {} MiB with the idle, {} MiB after, {} MiB at most",
        before >> 20,
        idle_memory >> 20,
        after >> 20,
        peak >> 20
    );

    assert_eq!((opened, still_open), (IDLE, idle.len()));
    assert!(refused.load(Relaxed) > 0);
    // What hyper and the runtime keep of a connection, mostly a buffer of 8 KiB, is 12 KiB; twice that and more is a leak, or
    // a buffer that grows without being asked. The rest is for what the slow ones and the flood have sent.
    assert!(peak < before + IDLE * (32 << 10) + (64 << 20), "{} MiB", peak >> 20);
    drop((idle, trickling));
    measure(&address, &odoo.key).await;
}
