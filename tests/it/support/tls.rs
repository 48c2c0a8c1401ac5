//! TLS: certificates for one test, made by the `openssl` program, connections to the gateway, and TLS before an Odoo.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

use super::{
    client::Answer,
    gateway::{Gateway, configuration},
    odoo::Odoo,
};

/// A search that is right, and small.
pub(crate) const SEARCH: &str =
    r#"{"params": {"model": "res.country", "vals": {"payload": {"limit": 1, "search_field": ["code"]}}}}"#;

/// An authority, and what it has issued.
pub(crate) struct Authority(TempDir);

impl Authority {
    pub(crate) fn new() -> Self {
        static OPENSSL: LazyLock<()> = LazyLock::new(|| {
            let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
            assert!(Command::new(programs).arg("openssl").status().unwrap().success());
        });
        LazyLock::force(&OPENSSL);
        let authority = Self(tempfile::tempdir().unwrap());
        // The system's own would add to what is asked for.
        std::fs::write(authority.file("openssl.cnf"), "[req]\ndistinguished_name = dn\n[dn]\n").unwrap();
        authority.openssl("ca", &["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"], &[]);
        authority
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Its own certificate.
    pub(crate) fn root(&self) -> PathBuf {
        self.file("ca.pem")
    }

    /// A certificate for this machine, and its key.
    pub(crate) fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        let by = [self.root(), self.file("ca.key")];
        let by = ["-CA", by[0].to_str().unwrap(), "-CAkey", by[1].to_str().unwrap()];
        self.openssl(name, &["basicConstraints=critical,CA:FALSE", "subjectAltName=IP:127.0.0.1"], &by);
        (self.file(&format!("{name}.pem")), self.file(&format!("{name}.key")))
    }

    /// The same, where a gateway looks for them.
    pub(crate) fn issue_into(&self, folder: &Path, name: &str) {
        let (certificate, key) = self.issue(name);
        std::fs::copy(key, folder.join("key.pem")).unwrap();
        std::fs::copy(certificate, folder.join("certificate.pem")).unwrap();
    }

    fn openssl(&self, name: &str, extensions: &[&str], more: &[&str]) {
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-config", "openssl.cnf", "-subj", &format!("/CN={name}")])
            .args(["-out", &format!("{name}.pem"), "-keyout", &format!("{name}.key")])
            .args(extensions.iter().flat_map(|extension| ["-addext", *extension]))
            .args(more)
            .current_dir(self.0.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// Trusts this authority alone.
    pub(crate) fn trusted(&self) -> ClientConfig {
        self.trusting().with_no_client_auth()
    }

    /// The same, and shows a certificate.
    pub(crate) fn trusted_with(&self, (certificate, key): &(PathBuf, PathBuf)) -> ClientConfig {
        self.trusting().with_client_auth_cert(chain(certificate), private(key)).unwrap()
    }

    fn trusting(&self) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(chain(&self.root()).remove(0)).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
    }

    /// Stands before an Odoo with a certificate of this authority; gives its address.
    pub(crate) async fn before(&self, odoo: &Odoo) -> String {
        let (certificate, key) = self.issue("odoo");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(chain(&certificate), private(&key)).unwrap();
        let (acceptor, to) = (TlsAcceptor::from(Arc::new(config)), odoo.url.trim_start_matches("http://").to_owned());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, to) = (acceptor.clone(), to.clone());
                tokio::spawn(async move {
                    let (mut caller, mut odoo) = (acceptor.accept(stream).await?, TcpStream::connect(to).await?);
                    tokio::io::copy_bidirectional(&mut caller, &mut odoo).await
                });
            }
        });
        url
    }
}

pub(crate) fn chain(file: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(file).unwrap().map(Result::unwrap).collect()
}

fn private(file: &Path) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_file(file).unwrap()
}

/// A folder for a gateway with a certificate of this authority; `tls` and `more` follow its `[tls]` and `[upstream]`.
pub(crate) fn folder(authority: &Authority, odoo: (&str, &str), tls: &str, more: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    authority.issue_into(folder.path(), "gateway");
    configure(folder.path(), odoo, tls, more);
    folder
}

/// Writes the configuration of such a gateway.
pub(crate) fn configure(folder: &Path, (url, database): (&str, &str), tls: &str, more: &str) {
    let tls = format!("{more}\n[tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\n{tls}");
    std::fs::write(folder.join("gateway.toml"), configuration(url, database, &tls)).unwrap();
}

/// In front of the run's Odoo.
pub(crate) fn gateway(authority: &Authority, odoo: &Odoo, tls: &str, more: &str) -> Gateway {
    Gateway::again(folder(authority, (&odoo.url, &odoo.database), tls, more)).unwrap()
}

/// Connects, by the one protocol that is offered.
pub(crate) async fn connect(
    gateway: &Gateway,
    config: &ClientConfig,
    protocol: &[u8],
) -> io::Result<TlsStream<TcpStream>> {
    let mut config = config.clone();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(gateway.url.trim_start_matches("https://")).await?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
    Ok(stream)
}

/// One connection, on which any number of requests can be made.
pub(crate) struct Connection {
    authority: String,
    sender: Sender,
    /// What the gateway has shown.
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) is_resumed: bool,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    pub(crate) async fn http1(gateway: &Gateway, config: &ClientConfig) -> io::Result<Self> {
        Self::open(gateway, config, b"http/1.1").await
    }

    pub(crate) async fn http2(gateway: &Gateway, config: &ClientConfig) -> io::Result<Self> {
        Self::open(gateway, config, b"h2").await
    }

    async fn open(gateway: &Gateway, config: &ClientConfig, protocol: &[u8]) -> io::Result<Self> {
        let stream = connect(gateway, config, protocol).await?;
        let tls = stream.get_ref().1;
        let certificate = tls.peer_certificates().unwrap()[0].clone().into_owned();
        let is_resumed = tls.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
        let io = TokioIo::new(stream);
        let sender = if protocol == b"h2" {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.map_err(io::Error::other)?;
            tokio::spawn(connection);
            Sender::Http2(sender)
        } else {
            let (sender, connection) = http1::handshake(io).await.map_err(io::Error::other)?;
            tokio::spawn(connection);
            Sender::Http1(sender)
        };
        let authority = gateway.url.trim_start_matches("https://").to_owned();
        Ok(Self { authority, sender, certificate, is_resumed })
    }

    /// A POST of JSON; cookies and other headers may be there more than once.
    pub(crate) async fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &str) -> hyper::Result<Answer> {
        let uri = match self.sender {
            Sender::Http1(_) => path.to_owned(),
            Sender::Http2(_) => format!("https://{}{path}", self.authority),
        };
        let mut request = Request::post(uri).header("content-type", "application/json");
        if matches!(self.sender, Sender::Http1(_)) {
            request = request.header("host", &self.authority);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body.to_owned())).unwrap();
        let answer: Response<_> = match &mut self.sender {
            Sender::Http1(sender) => sender.send_request(request).await?,
            Sender::Http2(sender) => sender.send_request(request).await?,
        };
        let (status, headers): (u16, HeaderMap) = (answer.status().as_u16(), answer.headers().clone());
        let json = serde_json::from_slice(&answer.into_body().collect().await?.to_bytes()).unwrap_or_default();
        Ok(Answer { status, headers, json })
    }

    /// A call that works.
    pub(crate) async fn search(&mut self, odoo: &Odoo) -> hyper::Result<()> {
        let answer = self.post("/api/search_data", &[("x-api-key", &odoo.key)], SEARCH).await?;
        assert_eq!(answer.json["result"]["is_success"], json!(true), "{answer:?}");
        Ok(())
    }

    /// A login that is passed on and works.
    pub(crate) async fn log_in(&mut self, odoo: &Odoo) -> Answer {
        let params: Value = json!({"db": odoo.database, "login": odoo.login, "password": odoo.password});
        let body = json!({"params": params}).to_string();
        let answer = self.post("/web/session/authenticate", &[], &body).await.unwrap();
        assert!(answer.json["result"]["uid"].is_i64(), "{answer:?}");
        answer
    }

    /// The same connection for one more request at a time, where it is of HTTP/2.
    pub(crate) fn another(&self) -> Self {
        let Sender::Http2(sender) = &self.sender else { panic!("HTTP/1.1 has one request at a time") };
        Self {
            authority: self.authority.clone(),
            sender: Sender::Http2(sender.clone()),
            certificate: self.certificate.clone(),
            is_resumed: self.is_resumed,
        }
    }
}
