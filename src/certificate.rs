//! When certificates end. rustls checks that of others, and tells nobody the end of its own.

use std::path::Path;

use jiff::Timestamp;
use rustls::pki_types::{
    CertificateDer,
    pem::{self, PemObject},
};
use x509_cert::{Certificate, der::Decode};

/// Why the ends of certificates cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Unreadable(#[from] pem::Error),
    #[error("this is no certificate: {0}")]
    Malformed(#[from] x509_cert::der::Error),
    #[error("there is no certificate")]
    Empty,
}

/// When each of the certificates in a file in PEM ends, in their order (RFC 5280, section 4.1.2.5: `notAfter` is the last second).
///
/// # Errors
/// The file cannot be read, or has something else in it.
pub fn ends(path: &Path) -> Result<Vec<Timestamp>, Error> {
    let mut ends = Vec::new();
    for certificate in CertificateDer::pem_file_iter(path)? {
        ends.push(end(&certificate?)?);
    }
    if ends.is_empty() { Err(Error::Empty) } else { Ok(ends) }
}

/// When a certificate ends.
///
/// # Errors
/// These bytes are no certificate.
pub fn end(certificate: &CertificateDer<'_>) -> Result<Timestamp, Error> {
    let certificate = Certificate::from_der(certificate)?;
    let end = certificate.tbs_certificate().validity().not_after.to_unix_duration();
    // One that has no end is given the year 9999 (RFC 5280, section 4.1.2.5).
    Ok(Timestamp::try_from(std::time::UNIX_EPOCH + end).unwrap_or(Timestamp::MAX))
}
