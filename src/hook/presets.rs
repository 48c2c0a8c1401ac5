//! Presets: what `hook new` writes for a sender that many have. Each is a folder of `examples/hooks`, compiled in.
//!
//! What must stay true: a preset works as it is but for the Odoo user and the secrets, and its client may do no more than its
//! template needs. `tests/it/senders` delivers to each of them what its sender sends.

/// What there is for a sender.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    pub name: &'static str,
    /// Its `[[client]]` and `[[hook]]`. The comment before them says what it is for in its first line, and then what is to be
    /// clicked at the sender.
    pub entry: &'static str,
    pub template: &'static str,
    /// A body as the sender publishes it.
    pub body: &'static str,
    /// Whether the body is JSON.
    pub is_json: bool,
    /// The headers of that body which its template sees, for `hook test`.
    pub headers: &'static [&'static str],
}

macro_rules! preset {
    ($name:literal, $body:literal, $headers:expr) => {
        Preset {
            name: $name,
            entry: include_str!(concat!("../../examples/hooks/", $name, "/hook.toml")),
            template: include_str!(concat!("../../examples/hooks/", $name, "/template.jq")),
            body: include_str!(concat!("../../examples/hooks/", $name, "/", $body)),
            is_json: matches!($body.as_bytes(), b"body.json"),
            headers: &$headers,
        }
    };
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// All presets, in the order of their names.
pub const PRESETS: [Preset; 21] = [
    preset!("adyen", "body.json", []),
    preset!("calendly", "body.json", []),
    preset!("form", "body.txt", [FORM]),
    preset!(
        "github",
        "body.json",
        ["X-GitHub-Event: issues", "X-GitHub-Delivery: 72d3162e-cc78-11e3-81ab-4c9367dc0958"]
    ),
    preset!(
        "gitlab",
        "body.json",
        ["X-Gitlab-Event: Issue Hook", "Idempotency-Key: f5e5f430-f57b-4e6e-9fac-d9128cd7232f"]
    ),
    preset!("hubspot", "body.json", []),
    preset!("mailgun", "body.txt", ["Content-Type: multipart/form-data; boundary=boundary-of-the-example"]),
    preset!("meta", "body.json", []),
    preset!("mollie", "body.txt", [FORM]),
    preset!("postmark", "body.json", []),
    preset!("razorpay", "body.json", ["X-Razorpay-Event-Id: EventXZ0000001"]),
    preset!(
        "shopify",
        "body.json",
        ["X-Shopify-Topic: orders/create", "X-Shopify-Event-Id: 98880550-7158-44d4-b7cd-2c97c8a091b5"]
    ),
    preset!("slack", "body.json", []),
    preset!("square", "body.json", []),
    preset!("stripe", "body.json", []),
    preset!("twilio", "body.txt", [FORM]),
    preset!("typeform", "body.json", []),
    preset!(
        "woocommerce",
        "body.json",
        ["X-WC-Webhook-Topic: order.created", "X-WC-Webhook-Delivery-ID: 6a8c9a3e2f1b4d5c8e7f"]
    ),
    preset!("xero", "body.json", []),
    preset!("zendesk", "body.json", []),
    preset!("zoom", "body.json", []),
];

impl Preset {
    /// The preset of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// What it is for, in one line.
    pub fn purpose(&self) -> &'static str {
        self.entry.lines().next().unwrap_or_default().trim_start_matches("# ")
    }

    /// How the body's file ends.
    pub fn body_ending(&self) -> &'static str {
        if self.is_json { "json" } else { "txt" }
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use std::path::Path;

    use bytes::Bytes;
    use http::{HeaderMap, HeaderName, HeaderValue};
    use serde_json::Value;

    use super::*;
    use crate::{
        config::{self, Config},
        hook::{
            Hidden, Hook, Input, RequestLine, Sent, SentBody,
            template::{Code, Ran, Template},
        },
    };

    fn run(what: &str, code: &str, input: &Input) -> Ran {
        let code = Code::compiled(code, Path::new(".")).unwrap_or_else(|error| panic!("{what}: {error}"));
        Template::compile(&code).unwrap().run(input).unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    #[test]
    fn each_preset_makes_calls_of_its_body_and_its_expressions_hold() {
        let limits =
            Config::parse("[upstream]\nurl = \"http://odoo\"\ndatabase = \"odoo\"", Path::new("x")).unwrap().limits;
        for preset in &PRESETS {
            let name = preset.name;
            let entry: toml::Table = preset.entry.parse().unwrap();
            let entry: config::Hook = entry["hook"][0].clone().try_into().unwrap();
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("template.jq"), preset.template).unwrap();
            let template = folder.path().join("template.jq");
            // Its credential is not here.
            let fetch = entry.fetch.clone();
            let hook =
                Hook::load(&config::Hook { template, fetch: None, ..entry }).unwrap_or_else(|error| panic!("{error}"));
            let pairs = preset.headers.iter().map(|header| header.split_once(": ").unwrap());
            let pairs =
                pairs.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_static(value)));
            let headers: HeaderMap = pairs.collect();
            let body = hook.read(&headers, &Bytes::from_static(preset.body.as_bytes()), &limits).unwrap();
            assert!(matches!(body, SentBody::Json(_)), "{name}: {body:?}");
            let sent =
                Sent::new(hook.entry.path.written(), &RequestLine::post("/hooks/x"), &headers, Hidden::default(), body);
            let input = hook.input(&sent).with("secret", Value::from("the secret"));

            let made = run(name, preset.template, &input);
            // As it is published, Stripe's payment is for nothing that Odoo knows; two send ids only, and nothing is fetched here.
            let is_made = matches!(&made, Ran::Results(results) if results.len() == 1);
            assert_eq!(is_made, !matches!(name, "stripe" | "mollie" | "xero"), "{name}: {made:?}");
            let entry = &hook.entry;
            for (key, code, may_be_null) in [
                ("delivery_id", entry.delivery_id.as_ref(), false),
                ("key", entry.key.as_ref(), false),
                ("only_if_newer", entry.only_if_newer.as_ref(), false),
                ("respond", entry.respond.as_ref(), false),
                ("handshake", entry.handshake.as_ref(), true),
                ("fetch.url", fetch.as_ref().map(|fetch| &fetch.url), false),
            ] {
                let Some(code) = code else { continue };
                let ran = run(&format!("{name} {key}"), code, &input);
                let Ran::Results(results) = &ran else { panic!("{name} {key}: {ran:?}") };
                assert!(results.len() == 1 && (results[0] == "null") == may_be_null, "{name} {key}: {results:?}");
            }
        }
    }
}
