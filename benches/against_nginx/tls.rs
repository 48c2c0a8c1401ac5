//! TLS: small answers on connections that are kept, and new connections, each with a whole handshake and one answer.
//!
//! Callers offer X25519 alone: the gateway would choose a key exchange that outlives quantum computers where it can, which
//! Debian's nginx does not know and which costs more. No session is resumed.

use std::{fs, path::Path, process::Command, sync::Arc, time::Instant};

use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    Run, median,
    peers::{Peer, Peers},
    small::{self, Connection},
};

const CONNECTIONS: [usize; 2] = [1, 64];
/// New connections that are made at a time.
const PLACES: usize = 8;

pub(crate) const CERTIFICATE: &str = "certificate.pem";
pub(crate) const KEY: &str = "key.pem";

/// A certificate for this machine, which is its own authority, made by the `openssl` program.
pub(crate) fn certify(folder: &Path) {
    // The system's own would add to what is asked for.
    fs::write(folder.join("openssl.cnf"), "[req]\ndistinguished_name = dn\n[dn]\n").unwrap();
    let made = Command::new("openssl")
        .current_dir(folder)
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args([
            "-config",
            "openssl.cnf",
            "-subj",
            "/CN=bench",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=CA:FALSE",
        ])
        .args(["-out", CERTIFICATE, "-keyout", KEY])
        .output()
        .expect("the program openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

pub(crate) async fn measure(run: &mut Run, peers: &Peers) {
    let connector = connector(&peers.folder().join(CERTIFICATE));
    println!("\nTLS                  conns   calls/s   p50 us   p99 us  CPU us/call");
    for connections in run.connections(&CONNECTIONS) {
        let mut rounds = vec![Vec::new(); peers.tls.len()];
        for _ in 0..run.rounds {
            for (peer, rounds) in peers.tls.iter().zip(&mut rounds) {
                let open = async || connect(peer, &connector).await;
                rounds.push(small::round(run.length, peer, connections, open).await);
            }
        }
        let named = peers.tls.iter().map(|peer| peer.name).zip(rounds).collect();
        small::tell(run, "small answer by TLS", connections, named);
    }
    handshakes(run, peers, &connector).await;
}

async fn handshakes(run: &mut Run, peers: &Peers, connector: &TlsConnector) {
    println!("\nnew TLS connections  places  opened/s");
    let mut rounds = vec![Vec::new(); peers.tls.len()];
    for _ in 0..run.rounds {
        for (peer, rounds) in peers.tls.iter().zip(&mut rounds) {
            let started = Instant::now();
            let until = started + run.length;
            let mut places = JoinSet::new();
            for _ in 0..PLACES {
                let (peer, connector) = (peer.clone(), connector.clone());
                places.spawn(async move {
                    let mut opened = 0_u32;
                    while Instant::now() < until {
                        Connection::new(connect(&peer, &connector).await).ask().await;
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
    for (peer, rounds) in peers.tls.iter().zip(rounds) {
        let rate = median(rounds);
        let ratio = base.map_or_else(String::new, |base: f64| format!("{:.2}", rate / base));
        println!("{:<20} {PLACES:>6} {rate:>9.0}  {ratio}", peer.name);
        if peer.name == "nginx" {
            base = Some(rate);
        }
        run.figures.add(&[("work", "new TLS connection"), ("peer", peer.name)], &[("opened_per_second", rate)]);
    }
}

fn connector(certificate: &Path) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let provider = CryptoProvider { kx_groups: vec![aws_lc_rs::kx_group::X25519], ..aws_lc_rs::default_provider() };
    let builder =
        ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    TlsConnector::from(Arc::new(config))
}

async fn connect(peer: &Peer, connector: &TlsConnector) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(peer.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    connector.connect(ServerName::from(peer.address.ip()), stream).await.unwrap()
}
