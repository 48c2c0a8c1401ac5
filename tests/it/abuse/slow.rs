//! Peers that take their answers slowly, over HTTP/1.1.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time,
};

use super::wire::DEADLINE;
use crate::support::{gateway::Gateway, odoo::odoo, poll_for};

/// So many take an answer at a time.
const PEERS: usize = 4;

/// Sends a search whose answer, a file, is larger than the buffers on its way, on a connection that takes in little at a time.
async fn ask_for_much(gateway: &Gateway, key: &str, file: &Value) -> TcpStream {
    let vals = json!({"payload": {"search_field": ["datas"], "search_domain": [["id", "=", file]]}});
    let body = json!({"params": {"model": "ir.attachment", "vals": vals}}).to_string();
    let head = format!(
        "POST /api/search_data HTTP/1.1\r\nHost: gateway\r\nX-API-Key: {key}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let mut stream = socket.connect(gateway.url.trim_start_matches("http://").parse().unwrap()).await.unwrap();
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    stream
}

/// Takes so many bytes at a time with a pause behind each, until the end; whether all of the answer came.
async fn take(stream: &mut TcpStream, piece: usize, pause: Duration) -> bool {
    let (mut came, mut length) = (Vec::new(), None);
    loop {
        let mut buffer = vec![0; piece];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return false,
            Ok(read) => came.extend_from_slice(&buffer[..read]),
        }
        if length.is_none()
            && let Some(end) = came.windows(4).position(|window| window == b"\r\n\r\n")
        {
            let head = String::from_utf8_lossy(&came[..end]).to_ascii_lowercase();
            let value = head.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap();
            length = Some(end + 4 + value.trim().parse::<usize>().unwrap());
        }
        if length.is_some_and(|length| came.len() >= length) {
            return true;
        }
        time::sleep(pause).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_taken_too_slowly_is_given_up_and_one_that_is_taken_steadily_is_not() {
    let odoo = odoo().await;
    let limits = "[limits]\nbody_timeout = \"3s\"\nbody_rate = \"64 KiB\"";
    let gateway = Gateway::before(&odoo.url, &odoo.database, limits);
    let values = json!([{"name": "large", "datas": "QUJD".repeat(4 << 20)}]);
    let file = odoo.call("ir.attachment", "create", values, json!({})).await.unwrap();
    let mut slow = Vec::new();
    for _ in 0..PEERS {
        slow.push(ask_for_much(&gateway, &odoo.key, &file).await);
    }
    let under_way = async || gateway.metrics().await["odoo_gateway_requests_in_flight"];
    poll_for(async || under_way().await >= 4.0).await;
    let started = Instant::now();
    // A little now and then, always sooner than the time is over. What the kernel has of an answer still comes afterwards.
    let pause = Duration::from_millis(500);
    let takers: Vec<_> = slow
        .into_iter()
        .map(|mut stream| tokio::spawn(async move { take(&mut stream, 2 << 10, pause).await }))
        .collect();
    poll_for(async || under_way().await < 1.0).await;
    println!("given up after {:.1?}", started.elapsed());
    takers.iter().for_each(tokio::task::JoinHandle::abort);
    let mut steady = ask_for_much(&gateway, &odoo.key, &file).await;
    let whole = time::timeout(DEADLINE, take(&mut steady, 64 << 10, Duration::from_millis(5))).await;
    assert_eq!(whole.ok(), Some(true));
    assert!(gateway.metrics().await["odoo_gateway_bodies_bytes"] < 1e6, "what they held is given back");
}
