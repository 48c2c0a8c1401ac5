//! TLS at the public listener: a certificate and its key, and whose certificates clients must show.
//!
//! A [`ServerConfig`] is made anew by a reload. Connections keep the one that they began with.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{VerifierBuilderError, WebPkiClientVerifier},
};

use crate::config;

/// HTTP/2 where the client knows it.
const PROTOCOLS: [&[u8]; 2] = [H2, b"http/1.1"];
pub(in crate::http) const H2: &[u8] = b"h2";

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("[tls] {key}: cannot read `{}`: {source}", path.display())]
    Unreadable { key: &'static str, path: PathBuf, source: pem::Error },
    #[error("[tls] {key}: there is no certificate in `{}`", .path.display())]
    Empty { key: &'static str, path: PathBuf },
    #[error("[tls] certificate `{}` and key `{}` cannot be used: {source}", certificate.display(), key.display())]
    Unusable { certificate: PathBuf, key: PathBuf, source: rustls::Error },
    #[error("[tls] client_ca `{}` cannot be used: {source}", path.display())]
    ClientCa { path: PathBuf, source: VerifierBuilderError },
}

/// None where the configuration has no certificate.
pub fn load(config: &config::Tls) -> Result<Option<Arc<ServerConfig>>, Error> {
    let Some((certificate, key)) = config.identity() else { return Ok(None) };
    let chain = certificates("certificate", certificate)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|source| unreadable("key", key, source))?;
    let builder = ServerConfig::builder();
    let builder = match &config.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(roots(certificates("client_ca", path)?));
            let verifier = WebPkiClientVerifier::builder(roots).build();
            builder
                .with_client_cert_verifier(verifier.map_err(|source| Error::ClientCa { path: path.clone(), source })?)
        }
    };
    let mut tls = builder.with_single_cert(chain, private).map_err(|source| Error::Unusable {
        certificate: certificate.clone(),
        key: key.clone(),
        source,
    })?;
    tls.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(Some(Arc::new(tls)))
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let all = all.map_err(|source| unreadable(key, path, source))?;
    if all.is_empty() { Err(Error::Empty { key, path: path.to_owned() }) } else { Ok(all) }
}

fn unreadable(key: &'static str, path: &Path, source: pem::Error) -> Error {
    Error::Unreadable { key, path: path.to_owned(), source }
}

/// What is no root is left out; where nothing is left, the verifier says so.
fn roots(certificates: Vec<CertificateDer<'static>>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    roots
}
