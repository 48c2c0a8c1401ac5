//! The first call: a command that works as it is printed, on every version of Odoo and for every kind of credential. README shows
//! the same one.

use std::net::SocketAddr;

/// The country of the first record.
pub(super) const COUNTRY: &str = "BE";

/// A contact with a country by its code. Its search key sees to it that a repetition makes no second one.
pub(super) fn curl(server: SocketAddr) -> String {
    let ip = server.ip();
    let host = match ip.is_unspecified() {
        true => format!("127.0.0.1:{}", server.port()),
        false => server.to_string(),
    };
    format!(
        r#"curl http://{host}/api/create_update_data \
  -u "$ODOO_LOGIN:$ODOO_API_KEY" -H 'Content-Type: application/json' -d '{{
    "model": "res.partner",
    "vals": {{
      "search_key": {{"ref": "FIRST-1"}},
      "payload": {{"name": "Brasserie du Parc", "city": "Brussels", "country_id": {{"code": "{COUNTRY}"}}}},
      "result_field": ["name", "city", "country_id{{name}}"]
    }}
  }}'"#
    )
}
