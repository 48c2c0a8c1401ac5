//! The smallest proxy that hyper makes: its server, hyper-util's client, and nothing of the gateway. It tells what hyper has a
//! part in of what the gateway costs, which drives its connections to Odoo itself.
//!
//! It is this program itself, started again with [`UPSTREAM`] set, as a process of its own.

use std::{
    env,
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::{net::TcpListener, runtime::Builder};

use super::peers;

/// Where it passes requests on to, and where it listens.
const UPSTREAM: &str = "ODOO_GATEWAY_BENCH_BARE_UPSTREAM";
const LISTEN: &str = "ODOO_GATEWAY_BENCH_BARE_LISTEN";

/// Starts one; gives its process, and its address once that is open.
pub(crate) fn start(upstream: SocketAddr) -> (Child, SocketAddr) {
    let address = SocketAddr::from(([127, 0, 0, 1], peers::free_port()));
    let mut command = Command::new(env::current_exe().unwrap());
    command.env(UPSTREAM, upstream.to_string()).env(LISTEN, address.to_string()).stdout(Stdio::null());
    let process = command.spawn().unwrap();
    peers::wait_for(address, || "the bare proxy did not start".to_owned());
    (process, address)
}

/// Serves until it is killed, where this process is to be one.
pub(crate) fn serve_if_asked() {
    let (Ok(upstream), Ok(listen)) = (env::var(UPSTREAM), env::var(LISTEN)) else { return };
    // As the gateway's runtime: a thread for each processor.
    Builder::new_multi_thread().enable_all().build().unwrap().block_on(serve(&upstream, &listen));
}

async fn serve(upstream: &str, listen: &str) {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Incoming> = Client::builder(TokioExecutor::new()).build(connector);
    let listener = TcpListener::bind(listen).await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (client, upstream) = (client.clone(), upstream.to_owned());
        tokio::spawn(async move {
            let service = service_fn(|mut request: Request<Incoming>| {
                *request.uri_mut() = format!("http://{upstream}{}", request.uri()).parse().unwrap();
                // Where the upstream fails, hyper closes the connection, which the caller takes for a failed run.
                client.request(request)
            });
            // A caller that goes away ends it.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
