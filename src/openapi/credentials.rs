//! The credentials that the routes take, as security schemes. `call/auth/headers` reads them.

use serde_json::{Value, json};

use crate::call::auth::{API_KEY, LOGIN, SESSION};

/// The schemes by name.
pub(super) fn schemes() -> Value {
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": format!(
                "A key of the gateway's (`gw_…`) or an API key of an Odoo user. Before Odoo 19 an API key of Odoo's needs the login of \
                 its user beside it, in the header `{LOGIN}` or as Basic."
            ),
        },
        "apiKey": {
            "type": "apiKey",
            "in": "header",
            "name": API_KEY.as_str(),
            "description": "The same keys as those of `bearer`, in a header of their own.",
        },
        "login": {
            "type": "apiKey",
            "in": "header",
            "name": LOGIN.as_str(),
            "description": "The login of the Odoo user whose API key is sent. It is no credential by itself.",
        },
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": "The login of an Odoo user with its API key or password; or any name with a key of the gateway's as password.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": SESSION,
            "description": "The session of `POST /web/session/authenticate`, which the gateway passes on to Odoo.",
        },
    })
}

/// One of these is required.
pub(super) fn required() -> Value {
    json!([{"bearer": []}, {"apiKey": []}, {"bearer": [], "login": []}, {"apiKey": [], "login": []}, {"basic": []}, {"session": []}])
}

/// The ways to show a credential, each with a sentence, for people.
pub(super) fn in_words() -> Vec<(String, String)> {
    let name = |name: &str, scheme: &Value| match (scheme["scheme"].as_str(), scheme["in"].as_str()) {
        (Some("bearer"), _) => "Authorization: Bearer KEY".to_owned(),
        (Some(_), _) => "Authorization: Basic LOGIN:KEY".to_owned(),
        (None, Some("cookie")) => format!("Cookie: {SESSION}"),
        (None, _) => format!("{}: …", scheme["name"].as_str().unwrap_or(name)),
    };
    let schemes = schemes();
    let schemes = schemes.as_object().into_iter().flatten();
    let told = |scheme: &Value| scheme["description"].as_str().unwrap_or_default().replace('`', "");
    schemes.map(|(key, scheme)| (name(key, scheme), told(scheme))).collect()
}
