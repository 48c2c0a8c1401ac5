//! TLS towards Odoo: which certificate authorities are trusted.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hyper_rustls::ConfigBuilderExt;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{
        CertificateDer,
        pem::{self, PemObject},
    },
};
use sha2::{Digest, Sha256};

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

/// Tells whether the file of authorities has changed since it was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CaDigest([u8; 32]);

/// The TLS configuration that trusts only the authorities in the file `ca`, or those of the system where there is no file.
///
/// # Errors
/// The file cannot be read or contains no certificate, or the system's authorities cannot be used.
pub fn tls(ca: Option<&Path>) -> Result<ClientConfig, TlsError> {
    load(ca).map(|(config, _)| config)
}

/// As [`tls`], with the digest of the file.
pub(super) fn load(ca: Option<&Path>) -> Result<(ClientConfig, Option<CaDigest>), TlsError> {
    let Some(path) = ca else {
        return Ok((ClientConfig::builder().try_with_platform_verifier()?.with_no_client_auth(), None));
    };
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    let file = fs::read(path).map_err(|error| unreadable(pem::Error::Io(error)))?;
    let mut roots = RootCertStore::empty();
    let all: Vec<_> = CertificateDer::pem_slice_iter(&file).collect::<Result<_, _>>().map_err(unreadable)?;
    if roots.add_parsable_certificates(all).0 == 0 {
        return Err(TlsError::Empty(path.to_owned()));
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok((config, Some(CaDigest::of(&file))))
}

impl CaDigest {
    fn of(file: &[u8]) -> Self {
        Self(Sha256::digest(file).into())
    }

    /// Whether the file still has the content that was loaded.
    pub(super) fn is_current(&self, ca: &Path) -> bool {
        fs::read(ca).is_ok_and(|file| Self::of(&file) == *self)
    }
}
