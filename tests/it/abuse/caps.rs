//! What is beyond a limit is told so, at once, and what was there before is served; when it has gone there is room again.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use super::{crowd::connect, wire::DEADLINE};
use crate::support::gateway::Gateway;

const NOWHERE: &str = "GET /nowhere HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n";

/// How long nothing comes to one who is let in.
const PATIENCE: time::Duration = time::Duration::from_secs(3);

/// Before an upstream that nobody needs.
fn gateway(limits: &str) -> (Gateway, String) {
    let gateway = Gateway::before("http://127.0.0.1:9", "none", &format!("[limits]\n{limits}"));
    let address = gateway.url.trim_start_matches("http://").to_owned();
    (gateway, address)
}

/// All that comes until the end of the connection, which comes by itself.
async fn rest_of(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("the connection is closed");
    assert!(read.is_ok() || !answer.is_empty(), "no answer: {read:?}");
    String::from_utf8_lossy(&answer).into_owned()
}

async fn ask(mut stream: TcpStream, request: &str) -> String {
    // Who is turned away may be so before all of it is sent.
    let _ = stream.write_all(request.as_bytes()).await;
    rest_of(&mut stream).await
}

/// Asks until the answer begins so: that somebody has left is noticed a little later.
async fn wait_for(address: &str, from: u8, request: &str, expected: &str) {
    let asked = async {
        while !ask(connect(address, from).await.unwrap(), request).await.starts_with(expected) {
            time::sleep(time::Duration::from_millis(20)).await;
        }
    };
    time::timeout(DEADLINE, asked).await.expect("there is room again");
}

/// Peers that have sent this and owe the rest, as many as there is room for; and what the one beyond them is told.
async fn fill(address: &str, sent: &str) -> (Vec<TcpStream>, String) {
    let mut held = Vec::new();
    while held.len() < 10 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(sent.as_bytes()).await;
        // Who is let in is told nothing.
        match time::timeout(PATIENCE, rest_of(&mut stream)).await {
            Ok(answer) => return (held, answer.to_ascii_lowercase()),
            Err(_) => held.push(stream),
        }
    }
    panic!("there is room for all")
}

#[tokio::test]
async fn connections_beyond_those_of_an_address_or_of_all_are_told_so_and_closed() {
    let (_gateway, address) = gateway("header_timeout = \"120s\"\nconnections = 12\nconnections_per_address = 5");
    let mut held = Vec::new();
    for from in [2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4] {
        held.push(connect(&address, from).await.unwrap());
    }
    for from in [2, 3] {
        let mut beyond = connect(&address, from).await.unwrap();
        assert!(rest_of(&mut beyond).await.starts_with("HTTP/1.1 503"), "127.0.0.{from} has too many");
    }
    wait_for(&address, 5, NOWHERE, "HTTP/1.1 404").await;
    // The one that was just served may take its place a little longer, so the last place is asked for until it is there.
    let deadline = time::Instant::now() + DEADLINE;
    loop {
        let mut stream = connect(&address, 6).await.unwrap();
        match time::timeout(PATIENCE, rest_of(&mut stream)).await {
            Err(_) => held.push(stream),
            Ok(answer) => {
                assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
                if held.len() >= 12 || time::Instant::now() > deadline {
                    break;
                }
            }
        }
    }
    assert_eq!(held.len(), 12);
    held.truncate(4);
    for from in [2, 6] {
        wait_for(&address, from, NOWHERE, "HTTP/1.1 404").await;
    }
}

#[tokio::test]
async fn bodies_beyond_the_memory_for_all_of_them_are_told_to_come_back() {
    let (_gateway, address) = gateway("body = \"1 MiB\"\nbodies = \"4 MiB\"\nbody_timeout = \"120s\"");
    let head =
        "POST /api/create_data HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Length: 1048576\r\n\r\n";
    let whole = format!("{head}{}", " ".repeat(1 << 20));
    let (mut held, beyond) = fill(&address, &whole[..whole.len() - 1]).await;
    assert_eq!(held.len(), 4);
    assert!(beyond.starts_with("http/1.1 503") && beyond.contains("\r\nretry-after: "), "{beyond}");
    // A body that is no JSON at all, so what is answered is about that.
    let mut first = held.swap_remove(0);
    first.write_all(b" ").await.unwrap();
    assert!(rest_of(&mut first).await.starts_with("HTTP/1.1 400"));
    drop(held);
    wait_for(&address, 1, &whole, "HTTP/1.1 400").await;
}

#[tokio::test]
async fn requests_beyond_those_in_flight_are_told_to_come_back() {
    let (_gateway, address) = gateway("requests = 3\nbody_timeout = \"120s\"");
    let head = "POST /api/create_data HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Length: 1\r\n\r\n";
    let (held, beyond) = fill(&address, head).await;
    assert_eq!(held.len(), 3);
    assert!(beyond.starts_with("http/1.1 503") && beyond.contains("\r\nretry-after: "), "{beyond}");
    drop(held);
    wait_for(&address, 1, &format!("{head}x"), "HTTP/1.1 400").await;
}
