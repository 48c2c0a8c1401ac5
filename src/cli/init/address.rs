//! What a person gives as Odoo's address, and the URLs that it may mean.

use std::net::IpAddr;

use reqwest::Url;

/// The first segments of Odoo's own paths (14-20): an address that was copied from a browser ends with one of them.
const OWN_PATHS: [&str; 9] = ["web", "odoo", "my", "jsonrpc", "xmlrpc", "json", "scoped_app", "app", "website"];
/// The port of HTTPS.
const TLS_PORT: u16 = 443;

/// The URLs to try, in this order. Without a scheme, TLS comes first, but not for this machine, an address of a local network or
/// a port of its own, where Odoo usually speaks plain HTTP.
///
/// # Errors
/// The text cannot be an address of Odoo. The message is a sentence.
pub(super) fn candidates(text: &str) -> Result<Vec<Url>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("an address is needed, such as https://erp.example.com".to_owned());
    }
    let schemes = match text.split_once("://") {
        Some(("http" | "https", _)) => return Ok(vec![base(text)?]),
        Some((scheme, _)) => {
            return Err(format!("`{scheme}` is not a scheme of Odoo's addresses; write https:// or http://"));
        }
        None => {
            let url = base(&format!("http://{text}"))?;
            if is_plain(&url) { ["http", "https"] } else { ["https", "http"] }
        }
    };
    schemes.iter().map(|scheme| base(&format!("{scheme}://{text}"))).collect()
}

/// As it is written into the configuration.
pub(super) fn shown(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// The URL up to where Odoo's own paths begin.
///
/// # Errors
/// As [`candidates`].
pub(super) fn base(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text).map_err(|error| format!("`{text}` is not an address: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("give the address without a user and password: the login is asked for separately".to_owned());
    }
    if url.host_str().is_none() {
        return Err(format!("`{text}` names no host"));
    }
    url.set_query(None);
    url.set_fragment(None);
    let before = |segment: &&str| !segment.is_empty() && !OWN_PATHS.contains(segment);
    let prefix: Vec<&str> = url.path().split('/').skip(1).take_while(before).collect();
    let prefix = prefix.join("/");
    url.set_path(&prefix);
    Ok(url)
}

/// Whether plain HTTP is likely.
fn is_plain(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let is_near = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unique_local(),
        Err(_) => host == "localhost" || !host.contains('.'),
    };
    is_near || url.port().is_some_and(|port| port != TLS_PORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(text: &str) -> Vec<String> {
        candidates(text).unwrap().iter().map(shown).collect()
    }

    #[test]
    fn an_address_without_a_scheme_is_tried_with_both_the_likely_one_first() {
        assert_eq!(tried("erp.example.com"), ["https://erp.example.com", "http://erp.example.com"]);
        assert_eq!(tried(" 127.0.0.1:8069 "), ["http://127.0.0.1:8069", "https://127.0.0.1:8069"]);
        assert_eq!(tried("odoo"), ["http://odoo", "https://odoo"]);
        assert_eq!(tried("http://erp.example.com"), ["http://erp.example.com"]);
    }

    #[test]
    fn what_was_copied_from_a_browser_is_cut_where_odoos_paths_begin() {
        for (text, expected) in [
            ("https://erp.example.com/web#action=1", "https://erp.example.com"),
            ("https://erp.example.com/odoo/sales?debug=1", "https://erp.example.com"),
            ("https://erp.example.com/shop/erp/web/login", "https://erp.example.com/shop/erp"),
            ("https://erp.example.com/", "https://erp.example.com"),
            ("https://erp.example.com/jsonrpc", "https://erp.example.com"),
        ] {
            assert_eq!(tried(text), [expected]);
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused_by_a_sentence() {
        for (text, why) in [
            ("", "an address is needed"),
            ("ftp://erp.example.com", "`ftp` is not a scheme"),
            ("https://anna:secret@erp.example.com", "without a user and password"),
            ("https://", "is not an address"),
        ] {
            let said = candidates(text).unwrap_err();
            assert!(said.contains(why) && !said.contains("secret"), "{text}: {said}");
        }
    }
}
