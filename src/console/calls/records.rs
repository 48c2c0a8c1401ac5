//! Records of Odoo as links into it.
//!
//! Odoo 18 and later have `/odoo/MODEL/ID`, with `m-` before the name of a model that has no dot (addons/web, `core/browser/
//! router.js`); Odoo 14-17 have `/web#id=ID&model=MODEL`, which later ones lead on to theirs.

use std::net::IpAddr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::{visit::Visit, words};
use crate::config::Upstream;

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');
/// The first version with paths for records.
const WITH_PATHS: u16 = 18;

/// How records are linked.
#[derive(Debug, Clone)]
pub(in crate::console) struct OdooLinks {
    /// Odoo's address, as the person's browser can reach it.
    base: Option<String>,
    has_paths: bool,
}

/// A record that a call wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::console) struct RecordLink {
    pub(in crate::console) words: String,
    pub(in crate::console) href: Option<String>,
}

impl OdooLinks {
    pub(in crate::console) fn of(visit: &Visit<'_>) -> Self {
        let release = visit.site.calls.odoo.known_release();
        Self::new(&visit.config().upstream, visit.peer, release.map(|release| release.major))
    }

    fn new(upstream: &Upstream, peer: IpAddr, major: Option<u16>) -> Self {
        let base = match &upstream.public_url {
            Some(public) => Some(public),
            // An address of this machine leads nowhere from another one.
            None => Some(&upstream.url).filter(|url| !is_loopback(url) || peer.is_loopback()),
        };
        let base = base.map(|url| url.as_str().trim_end_matches('/').to_owned());
        Self { base, has_paths: major.is_some_and(|major| major >= WITH_PATHS) }
    }

    /// No record is linked.
    #[cfg(test)]
    pub(in crate::console) fn none() -> Self {
        Self { base: None, has_paths: false }
    }

    /// The address of a record in Odoo's own pages.
    pub(in crate::console) fn href(&self, model: &str, id: i64) -> Option<String> {
        let base = self.base.as_ref()?;
        let name = utf8_percent_encode(model, SEGMENT);
        Some(match (self.has_paths, model.contains('.')) {
            (true, true) => format!("{base}/odoo/{name}/{id}"),
            (true, false) => format!("{base}/odoo/m-{name}/{id}"),
            (false, _) => format!("{base}/web#id={id}&model={name}&view_type=form"),
        })
    }

    /// A record of a call for this model; of another one, the name of its model stands before it.
    pub(in crate::console) fn record(&self, of: &str, model: &str, id: i64) -> RecordLink {
        let words = if model == of { id.to_string() } else { format!("{} {id}", words::plain(model)) };
        RecordLink { words, href: self.href(model, id) }
    }
}

fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::config::Config;

    fn links(upstream: &str, peer: [u8; 4], major: Option<u16>) -> OdooLinks {
        let config = format!("[upstream]\n{upstream}\ndatabase = \"d\"\n");
        let config = Config::parse(&config, "gateway.toml".as_ref()).unwrap();
        OdooLinks::new(&config.upstream, Ipv4Addr::from(peer).into(), major)
    }

    #[test]
    fn a_record_is_linked_as_the_version_of_odoo_has_it() {
        let here = "url = \"http://127.0.0.1:8069\"";
        let href = |major| links(here, [127, 0, 0, 1], major).href("sale.order", 7).unwrap();
        assert_eq!(href(Some(19)), "http://127.0.0.1:8069/odoo/sale.order/7");
        assert_eq!(href(Some(14)), "http://127.0.0.1:8069/web#id=7&model=sale.order&view_type=form");
        assert_eq!(href(None), href(Some(17)));
        let links = links(here, [127, 0, 0, 1], Some(18));
        assert_eq!(links.href("x_thing", 7).unwrap(), "http://127.0.0.1:8069/odoo/m-x_thing/7");
        assert_eq!(links.href("\"><b>", 7).unwrap(), "http://127.0.0.1:8069/odoo/m-%22%3E%3Cb%3E/7");
        assert_eq!(links.record("sale.order", "res.partner", 3).words, "res.partner 3");
    }

    #[test]
    fn an_address_of_the_gateways_machine_is_no_link_elsewhere() {
        let here = "url = \"http://127.0.0.1:8069\"";
        assert_eq!(links(here, [10, 0, 0, 9], Some(19)).href("sale.order", 7), None);
        let public = format!("{here}\npublic_url = \"https://erp.example.com\"");
        let href = links(&public, [10, 0, 0, 9], Some(19)).href("sale.order", 7);
        assert_eq!(href.as_deref(), Some("https://erp.example.com/odoo/sale.order/7"));
    }
}
