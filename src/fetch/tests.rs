use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
/// A server that answers each connection by the path of its request. Gives its address, and the number of requests.
async fn server() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let (count, own) = (Arc::<AtomicUsize>::default(), at.clone());
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            counted.fetch_add(1, Relaxed);
            let path = request.split(' ').nth(1).unwrap_or_default();
            let answer = match path {
                "/file" => "200 OK\r\nContent-Length: 5\r\n\r\nHello".to_owned(),
                "/head" => format!("200 OK\r\nContent-Length: {}\r\n\r\n{request}", request.len()),
                "/chunked" => {
                    "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n".to_owned()
                        + &"x".repeat(1024)
                        + "\r\n0\r\n\r\n"
                }
                "/large" => "200 OK\r\nContent-Length: 5000\r\n\r\n".to_owned(),
                "/gone" => "404 Not Found\r\nContent-Length: 6\r\n\r\nsecret".to_owned(),
                "/busy" => "503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_owned(),
                "/silent" => return std::future::pending().await,
                "/loop" => "302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n".to_owned(),
                "/once" => "302 Found\r\nLocation: /file\r\nContent-Length: 0\r\n\r\n".to_owned(),
                "/metadata" => {
                    "302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n".to_owned()
                }
                _ => format!("302 Found\r\nLocation: http://{own}/other/x\r\nContent-Length: 0\r\n\r\n"),
            };
            let _ = stream
                .write_all(format!("HTTP/1.1 {}", answer.replacen("\r\n", "\r\nConnection: close\r\n", 1)).as_bytes())
                .await;
        }
    });
    (at, count)
}

fn fetcher(allow: &[&str], private: &[&str]) -> Fetcher {
    let config = Files {
        allow: serde_json::from_value(allow.into()).unwrap(),
        allow_private: private.iter().map(|net| net.parse().unwrap()).collect(),
        max_size: ByteSize(1000),
        max_count: 3.try_into().unwrap(),
        timeout: Duration::from_millis(500),
        max_redirects: 2,
    };
    Fetcher::build(&config).unwrap()
}

async fn fetch(fetcher: &Fetcher, url: &str) -> Result<Bytes, Error> {
    fetcher.fetch(&Url::parse(url).unwrap(), Instant::now() + Duration::from_secs(60)).await
}

#[tokio::test]
async fn a_file_is_fetched_and_nothing_but_a_plain_request_is_sent() {
    let (at, _) = server().await;
    let fetcher = fetcher(&[&format!("http://{at}/*")], &["127.0.0.1/32"]);
    assert_eq!(fetch(&fetcher, &format!("http://{at}/file")).await.unwrap(), "Hello");
    assert_eq!(fetch(&fetcher, &format!("http://{at}/once")).await.unwrap(), "Hello");
    let head = String::from_utf8(fetch(&fetcher, &format!("http://{at}/head")).await.unwrap().to_vec()).unwrap();
    for header in ["authorization", "cookie", "referer", "x-"] {
        assert!(!head.to_lowercase().contains(&format!("\n{header}")), "{head}");
    }
}

#[tokio::test]
async fn what_may_not_be_fetched_is_not_even_asked_for() {
    let (at, count) = server().await;
    let nothing = fetcher(&[], &["127.0.0.1/32"]);
    assert!(matches!(fetch(&nothing, &format!("http://{at}/file")).await, Err(Error::NotAllowed { .. })));
    let elsewhere = fetcher(&["https://cdn.shop.example/*"], &["127.0.0.1/32"]);
    assert!(matches!(fetch(&elsewhere, &format!("http://{at}/file")).await, Err(Error::NotAllowed { .. })));
    let port = at.rsplit(':').next().unwrap();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let public_only = fetcher(&[&format!("http://{host}:{port}/*")], &[]);
        let refused = fetch(&public_only, &format!("http://{host}:{port}/file")).await;
        assert!(matches!(refused, Err(Error::NotPublic { .. })), "{host}: {refused:?}");
    }
    let allowed = fetcher(&[&format!("http://{at}/*")], &["127.0.0.1/32"]);
    assert_eq!(fetch(&allowed, &format!("http://user:pass@{at}/file")).await, Err(Error::Credentials));
    assert_eq!(count.load(Relaxed), 0);
}

#[tokio::test]
async fn a_redirect_is_judged_as_the_url_itself() {
    let (at, count) = server().await;
    let fetcher = fetcher(
        &[
            &format!("http://{at}/a"),
            &format!("http://{at}/metadata"),
            &format!("http://{at}/loop"),
            "http://169.254.169.254/*",
        ],
        &["127.0.0.1/32"],
    );
    assert!(matches!(fetch(&fetcher, &format!("http://{at}/a")).await, Err(Error::NotAllowed { .. })));
    assert!(matches!(fetch(&fetcher, &format!("http://{at}/metadata")).await, Err(Error::NotPublic { .. })));
    let looped = fetch(&fetcher, &format!("http://{at}/loop")).await.unwrap_err();
    assert!(looped.to_string().contains("redirects more than 2 times"), "{looped}");
    assert_eq!(count.load(Relaxed), 2 + 3);
}

#[tokio::test]
async fn what_is_too_large_too_slow_or_refused_names_the_host_and_the_reason() {
    let (at, _) = server().await;
    let fetcher = fetcher(&[&format!("http://{at}/*")], &["127.0.0.1/32"]);
    for (path, part, is_passing) in [
        ("large?key=secret", "more than 1000 B", false),
        ("chunked", "more than 1000 B", false),
        ("gone", "answered 404", false),
        ("busy", "answered 503", true),
        ("silent", "within 500ms", true),
    ] {
        let path = path.replace("large?", "large#");
        let error = fetch(&fetcher, &format!("http://{at}/{path}")).await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains(part) && said.starts_with(&at) && !said.contains("secret"), "{said}");
        assert_eq!(error.is_passing(), is_passing, "{said}");
    }
}

#[tokio::test]
async fn a_call_fetches_each_of_its_files_once() {
    let (at, count) = server().await;
    let files = CallFiles::new(Arc::new(fetcher(&[&format!("http://{at}/*")], &["127.0.0.1/32"])));
    let url = Url::parse(&format!("http://{at}/file")).unwrap();
    for _ in 0..2 {
        assert_eq!(files.fetch(&url, Instant::now() + Duration::from_secs(60)).await.unwrap(), "Hello");
    }
    assert_eq!(count.load(Relaxed), 1);
}
