//! `check`: the certificates, and when they end.

use std::{path::Path, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::{net::TcpStream, time};
use tokio_rustls::TlsConnector;

use super::finding::Finding;
use crate::{
    certificate,
    config::{Config, Tls, Upstream},
    http::serve::tls,
    odoo,
};

/// So long before its end, a certificate is warned of.
const AHEAD: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Those of the gateway's own listener.
pub(super) fn own(config: &Config) -> Vec<Finding> {
    let Tls { client_ca, .. } = &config.tls;
    match tls::load(&config.tls) {
        Ok(None) => Vec::new(),
        Ok(Some(_)) => {
            let chain = config.tls.identity().map(|(certificate, _)| certificate);
            let chain = chain.map(|file| of_file("tls", "the certificate and its key can be used", file));
            let authorities =
                client_ca.as_ref().map(|file| of_file("tls", "the authorities of clients can be used", file));
            chain.into_iter().chain(authorities).collect()
        }
        Err(error) => {
            let remedy =
                "name files in PEM that the gateway's user may read, the key being that of the first certificate";
            vec![Finding::failure("tls", error.to_string(), remedy)]
        }
    }
}

/// That of Odoo, where it is reached by TLS. It is asked for by a handshake alone.
pub(super) async fn of_odoo(upstream: &Upstream, patience: Duration) -> Option<Finding> {
    if upstream.url.scheme() != "https" {
        return None;
    }
    let shown = time::timeout(patience, shown(upstream)).await.ok()??;
    let end = certificate::end(&shown).ok()?;
    Some(ends(
        "odoo tls",
        "Odoo's certificate is trusted",
        end,
        "renew the certificate of Odoo, or of the proxy before it",
    ))
}

/// The first certificate that Odoo shows. What is wrong with it, the connection to Odoo says.
async fn shown(upstream: &Upstream) -> Option<CertificateDer<'static>> {
    let config = Arc::new(odoo::tls(upstream.ca.as_deref()).ok()?);
    let host = upstream.url.host_str()?.trim_matches(['[', ']']).to_owned();
    let port = upstream.url.port_or_known_default()?;
    let stream = TcpStream::connect((host.as_str(), port)).await.ok()?;
    let stream = TlsConnector::from(config).connect(ServerName::try_from(host).ok()?, stream).await.ok()?;
    let (_, connection) = stream.get_ref();
    connection.peer_certificates()?.first().map(|shown| shown.clone().into_owned())
}

fn of_file(area: &'static str, words: &str, file: &Path) -> Finding {
    match certificate::ends(file).map(|ends| ends.into_iter().min()) {
        Ok(Some(end)) => {
            ends(area, words, end, &format!("put the new one into {}; it is read by itself", file.display()))
        }
        Ok(None) => Finding::ok(area, words),
        Err(error) => Finding::warning(
            area,
            format!("{words}, and when it ends cannot be told: {error}"),
            format!("look at {} by `openssl x509 -noout -enddate`", file.display()),
        ),
    }
}

fn ends(area: &'static str, words: &str, end: Timestamp, remedy: &str) -> Finding {
    let left = end.duration_since(Timestamp::now());
    let day = end.strftime("%Y-%m-%d");
    match left {
        left if left.is_negative() => Finding::failure(area, format!("a certificate has ended on {day}"), remedy),
        left if left < AHEAD => {
            Finding::warning(area, format!("{words}, until {day}: {} days are left", left.as_hours() / 24), remedy)
        }
        _ => Finding::ok(area, format!("{words}, until {day}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Level, *};

    #[test]
    fn the_end_of_a_certificate_is_told_30_days_ahead() {
        let level =
            |days: i64| ends("tls", "x", Timestamp::now() + SignedDuration::from_hours(days * 24 + 1), "y").level;
        assert_eq!([-1, 0, 29, 31].map(level), [Level::Failure, Level::Warning, Level::Warning, Level::Ok]);
    }
}
