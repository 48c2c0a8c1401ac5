//! TLS towards Odoo: which certificate authorities are trusted.

use std::path::{Path, PathBuf};

use hyper_rustls::ConfigBuilderExt;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{
        CertificateDer,
        pem::{self, PemObject},
    },
};

/// Why TLS towards Odoo cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("[upstream] ca: cannot read `{}`: {source}", path.display())]
    Unreadable { path: PathBuf, source: pem::Error },
    #[error("[upstream] ca: there is no certificate authority in `{}`", .0.display())]
    Empty(PathBuf),
    #[error("the system's certificate authorities cannot be used: {0}")]
    System(#[from] rustls::Error),
}

/// The TLS configuration that trusts only the authorities in the file `ca`, or those of the system where there is no file.
///
/// # Errors
/// The file cannot be read or contains no certificate, or the system's authorities cannot be used.
pub fn tls(ca: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let Some(path) = ca else {
        return Ok(ClientConfig::builder().try_with_platform_verifier()?.with_no_client_auth());
    };
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    let mut roots = RootCertStore::empty();
    let all: Vec<_> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<_, _>>).map_err(unreadable)?;
    if roots.add_parsable_certificates(all).0 == 0 {
        return Err(TlsError::Empty(path.to_owned()));
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}
