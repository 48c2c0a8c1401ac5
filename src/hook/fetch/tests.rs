use std::{
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

/// A server that answers each connection by the path of its request, at two ports: the second is where `/other` redirects to.
/// Gives its addresses, and the number of requests.
async fn server() -> ([String; 2], Arc<AtomicUsize>) {
    let listeners = [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
    let places = listeners.each_ref().map(|listener| listener.local_addr().unwrap().to_string());
    let count = Arc::<AtomicUsize>::default();
    for listener in listeners {
        let (counted, other) = (count.clone(), places[1].clone());
        tokio::spawn(async move {
            // Each has a task of its own, so that one without an answer holds no other up.
            while let Ok((mut stream, _)) = listener.accept().await {
                let (counted, other) = (counted.clone(), other.clone());
                tokio::spawn(async move {
                    let mut request = vec![0; 4096];
                    let length = stream.read(&mut request).await.unwrap();
                    let request = String::from_utf8_lossy(&request[..length]).to_lowercase();
                    counted.fetch_add(1, Relaxed);
                    let answer = |status: &str, head: &str, body: &str| {
                        let length = body.len();
                        format!(
                            "HTTP/1.1 {status}\r\nConnection: close\r\n{head}Content-Length: {length}\r\n\r\n{body}"
                        )
                    };
                    let key =
                        request.lines().find_map(|line| line.strip_prefix("x-key: ")).unwrap_or("none").to_owned();
                    let written = match request.split(' ').nth(1).unwrap_or_default() {
                        "/key" => answer("200 OK", "", &json!({ "key": key }).to_string()),
                        "/xml" => answer("200 OK", "Content-Type: text/xml\r\n", "<a>1</a>"),
                        "/bad" => answer("200 OK", "Content-Type: application/json\r\n", "secret"),
                        "/none" => answer("204 No Content", "", ""),
                        "/gone" => answer("404 Not Found", "", "secret"),
                        "/busy" => answer("429 Too Many Requests", "", ""),
                        "/large" => answer("200 OK", "", &" ".repeat(2000)),
                        "/silent" => std::future::pending().await,
                        "/loop" => answer("302 Found", "Location: /loop\r\n", ""),
                        "/same" => answer("307 Temporary Redirect", "Location: /key\r\n", ""),
                        "/other" => answer("302 Found", &format!("Location: http://{other}/key\r\n"), ""),
                        "/metadata" => answer("302 Found", "Location: http://169.254.169.254/latest\r\n", ""),
                        _ => answer("302 Found", "Location: https://elsewhere.example/\r\n", ""),
                    };
                    let _ = stream.write_all(written.as_bytes()).await;
                });
            }
        });
    }
    (places, count)
}

fn fetching(allow: &[&str], private: &[&str]) -> Fetching {
    Fetching {
        url: Code::compiled("null", std::path::Path::new(".")).unwrap(),
        allow: serde_json::from_value(allow.into()).unwrap(),
        allow_private: private.iter().map(|net| net.parse().unwrap()).collect(),
        client: public_client(&private.iter().map(|net| net.parse().unwrap()).collect::<Vec<IpNet>>()).unwrap(),
        credential: Ok(Some(("x-key".parse().unwrap(), HeaderValue::from_static("k1")))),
        timeout: Duration::from_millis(500),
        max_size: ByteSize(1000),
    }
}

async fn fetch(fetching: &Fetching, url: &str) -> Result<Value, String> {
    let fetched = fetching.fetch(&Url::parse(url).unwrap(), Instant::now() + Duration::from_secs(60)).await;
    fetched.map_err(|error| format!("{} {error}", if error.is_retryable() { "retry" } else { "no retry" }))
}

#[tokio::test]
async fn the_credential_goes_to_the_origin_that_was_named_and_not_to_another_one() {
    let ([at, other], _) = server().await;
    let fetching = fetching(&[&format!("http://{at}/*"), &format!("http://{other}/*")], &["127.0.0.1/32"]);
    for (path, key) in [("key", "k1"), ("same", "k1"), ("other", "none")] {
        assert_eq!(fetch(&fetching, &format!("http://{at}/{path}")).await, Ok(json!({"key": key})), "{path}");
    }
}

#[tokio::test]
async fn an_answer_is_read_by_its_content_type() {
    let ([at, _], _) = server().await;
    let fetching = fetching(&[&format!("http://{at}/*")], &["127.0.0.1/32"]);
    assert_eq!(fetch(&fetching, &format!("http://{at}/xml")).await, Ok(json!({"a": "1"})));
    assert_eq!(fetch(&fetching, &format!("http://{at}/none")).await, Ok(json!(null)));
}

#[tokio::test]
async fn what_is_not_to_be_had_names_the_host_and_the_reason_and_whether_to_try_again() {
    let ([at, _], _) = server().await;
    let fetching = fetching(&[&format!("http://{at}/*"), "http://169.254.169.254/*"], &["127.0.0.1/32"]);
    for (path, retry, why) in [
        ("gone?key=secret", "no retry", "answered 404"),
        ("busy", "retry", "answered 429"),
        ("silent", "retry", "has not answered within 500ms"),
        ("large", "no retry", "answered more than 1000 B"),
        ("bad", "no retry", "answered what cannot be read: it is not JSON"),
        ("loop", "no retry", "redirects more than 5 times"),
        ("metadata", "no retry", "at an address that is not public"),
        ("else", "no retry", "the URL at elsewhere.example is not among those of `allow`"),
    ] {
        let path = path.replace('?', "#");
        let error = fetch(&fetching, &format!("http://{at}/{path}")).await.unwrap_err();
        assert!(error.starts_with(&format!("{retry} ")) && error.contains(why), "{path}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn what_may_not_be_fetched_is_not_even_asked_for() {
    let ([at, _], count) = server().await;
    for (allow, private, url) in [
        ("https://api.shop.example/*".to_owned(), "127.0.0.1/32", format!("http://{at}/key")),
        (format!("http://{at}/orders/*"), "127.0.0.1/32", format!("http://{at}/key")),
        (format!("http://{at}/*"), "10.0.0.0/8", format!("http://{at}/key")),
        (format!("http://{at}/*"), "127.0.0.1/32", format!("http://u:p@{at}/key")),
    ] {
        let refused = fetch(&fetching(&[&allow], &[private]), &url).await.unwrap_err();
        assert!(refused.starts_with("no retry"), "{refused}");
    }
    assert_eq!(count.load(Relaxed), 0);
}
