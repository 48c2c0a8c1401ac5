//! What a client may do and how it calls, in words.

use std::collections::BTreeMap;

use crate::{
    config::{Client, Idempotency, Mode, Ordering, Rules, WhenDown},
    policy::{Most, Policy},
    web::show,
};

/// A rule: its name, what it says, and the names that it lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) label: &'static str,
    pub(super) words: String,
    pub(super) names: Vec<String>,
}

impl Rule {
    fn says(label: &'static str, words: impl Into<String>) -> Self {
        Self { label, words: words.into(), names: Vec::new() }
    }

    /// The names, or these words where there are none.
    fn lists<T: ToString>(label: &'static str, names: &[T], none: &str) -> Self {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let words = if names.is_empty() { none.to_owned() } else { String::new() };
        Self { label, words, names }
    }
}

/// What a caller may do.
pub(super) fn rules(rules: &Rules) -> Vec<Rule> {
    let policy = &rules.policy;
    let routes: Vec<&str> = policy.routes.iter().map(|route| route.name()).collect();
    let mut all = vec![Rule::lists("Routes", &routes, "None"), allowed(policy)];
    if !policy.deny.is_empty() {
        all.push(Rule::lists("Models it may not use", &policy.deny, ""));
    }
    all.push(Rule::lists("Methods", &policy.methods, "None"));
    all.push(Rule::says("Records of one call", most(policy.most)));
    all.extend(only_within(policy));
    if !policy.never_read.is_empty() {
        all.push(Rule::lists("Fields it may not read", &policy.never_read, ""));
    }
    if !policy.never_write.is_empty() {
        all.push(Rule::lists("Fields it may not write", &policy.never_write, ""));
    }
    all.extend(by_name(&policy.name_search));
    if !policy.context_flags.is_empty() {
        all.push(Rule::lists("Flags of a context it may send", &policy.context_flags, ""));
    }
    let files = if policy.files_by_url { "Fetched by the gateway" } else { "Not fetched" };
    all.push(Rule::says("Files named by their URL", files));
    all.push(Rule::lists("Addresses it may call from", &rules.addresses, "Any"));
    all
}

/// The models in a cell of a table.
pub(super) fn models(rules: &Rules) -> String {
    let policy = &rules.policy;
    let allowed = match &policy.allow[..] {
        [all] if all.as_str() == "*" => "all but privileged ones".to_owned(),
        [] => "none".to_owned(),
        [all, others @ ..] if all.as_str() == "*" => {
            format!("all, also {}", others.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
        allowed => allowed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    match policy.deny.len() {
        0 => allowed,
        1 => format!("{allowed}, not {}", policy.deny[0]),
        denied => format!("{allowed}, not {denied} others"),
    }
}

fn allowed(policy: &Policy) -> Rule {
    match &policy.allow[..] {
        [all] if all.as_str() == "*" => Rule::says(
            "Models",
            "All, but not those that give rights, run code or hold secrets, such as ir.* and res.users",
        ),
        allowed => Rule::lists("Models", allowed, "None"),
    }
}

fn most(Most { read, write }: Most) -> String {
    let read = read.map_or("Any number is read".to_owned(), |most| format!("At most {} read", show::count(&most)));
    let write =
        write.map_or("any number is changed".to_owned(), |most| format!("at most {} changed", show::count(&most)));
    format!("{read}, {write}")
}

fn only_within(policy: &Policy) -> Option<Rule> {
    let names: Vec<String> =
        policy.domains.iter().map(|(model, domain)| format!("{model}: {}", domain.to_value())).collect();
    (!names.is_empty()).then(|| Rule::lists("Only records that match", &names, ""))
}

fn by_name(searched: &BTreeMap<String, Vec<String>>) -> Option<Rule> {
    let names: Vec<String> = searched.iter().map(|(model, fields)| format!("{model}: {}", fields.join(", "))).collect();
    (!names.is_empty()).then(|| Rule::lists("Fields that a search by name reads", &names, ""))
}

/// How a client proves who it is.
pub(super) fn proof(client: &Client) -> String {
    let key = client.key_sha256.map(|_| "key".to_owned());
    let signature = client.signature.as_ref().map(|signature| format!("signature ({})", signature.name));
    key.into_iter().chain(signature).collect::<Vec<_>>().join(", ")
}

/// How a client calls.
pub(super) fn facts(client: &Client) -> Vec<Rule> {
    let account = if client.is_password { "password" } else { "API key" };
    let mut all = Vec::new();
    if client.key_sha256.is_some() {
        all.push(Rule::says("Key", "In Authorization: Bearer or x-api-key"));
    }
    if let Some(signature) = &client.signature {
        let secrets = match signature.secrets.len() {
            2.. => ", also with the previous secret",
            _ => "",
        };
        let tolerance = show::milliseconds(&(signature.tolerance.as_secs_f64() * 1000.0));
        all.push(Rule::says("Signature", format!("{}, valid for {tolerance}{secrets}", signature.name)));
    }
    all.push(Rule::says("Odoo account", format!("{}, with {account}", client.odoo_login)));
    all.push(Rule::says("Idempotency key", key_of(&client.idempotency)));
    all.push(Rule::says(
        "Answer",
        match client.delivery {
            Mode::Sync => "When the call has ended in Odoo",
            Mode::Async => "As soon as the call is stored",
        },
    ));
    all.push(Rule::says(
        "While Odoo is away",
        match client.when_down {
            WhenDown::Fail => "Calls are refused",
            WhenDown::Queue => "Calls are queued",
        },
    ));
    all.push(Rule::says(
        "Order of queued calls",
        match client.ordering {
            Ordering::Strict => "Later calls of the same record wait for the earlier one",
            Ordering::None => "Calls do not wait for each other",
        },
    ));
    if let Some(callback) = &client.callback {
        let host = callback.url.host_str().unwrap_or_default();
        all.push(Rule::says("Callback", format!("To {host}, signed")));
    }
    if !client.safe_methods.is_empty() {
        all.push(Rule::lists("Methods that may be repeated", &client.safe_methods, ""));
    }
    all
}

fn key_of(idempotency: &Idempotency) -> String {
    let header = idempotency.header.as_ref().map(|header| format!("Idempotency-Key, webhook-id or {header}"));
    let mut words = header.unwrap_or_else(|| "Idempotency-Key or webhook-id".to_owned());
    if let Some(path) = &idempotency.path {
        words += &format!(", or {path} in the body");
    }
    if idempotency.derived {
        words += ", else made of the content";
    }
    if idempotency.required {
        words += "; calls that write need one";
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "name = \"shop\"\n\
        key_sha256 = \"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\"\nodoo_login = \"bot\"\n\
        odoo_key_env = \"SHOP_ODOO_KEY\"\nroutes = [\"create_data\"]\nmodels = { allow = [\"sale.*\"], deny = [\"sale.report\"] }\n\
        never_read = [\"*.wage\"]\ndomains = { \"sale.order\" = [[\"team_id\", \"=\", 3]] }\naddresses = [\"10.0.0.0/8\"]\n\
        callback_url = \"https://shop.example/hook?key=s3cret\"\ncallback_secret_env = \"CALLBACK\"\n\
        [idempotency]\npath = \"vals.ref\"\nrequired = true\n";

    #[test]
    fn a_client_is_told_in_words_and_none_of_its_secrets() {
        let client: Client = toml::from_str(CLIENT).unwrap();
        let all = [rules(&client.rules), facts(&client)].concat();
        let of = |label: &str| {
            let rule = all.iter().find(|rule| rule.label == label).unwrap();
            format!("{}{}", rule.words, rule.names.join(" "))
        };
        assert_eq!(of("Routes"), "create_data");
        assert_eq!((of("Models"), of("Models it may not use")), ("sale.*".to_owned(), "sale.report".to_owned()));
        assert_eq!(of("Records of one call"), "Any number is read, at most 1 changed");
        assert_eq!(of("Only records that match"), r#"sale.order: [["team_id","=",3]]"#);
        assert_eq!(of("Fields it may not read"), "*.wage");
        assert_eq!(of("Callback"), "To shop.example, signed");
        assert_eq!(of("Odoo account"), "bot, with API key");
        assert!(of("Idempotency key").ends_with("vals.ref in the body; calls that write need one"));
        let told = format!("{all:?}");
        for secret in ["2c26", "s3cret", "SHOP_ODOO_KEY", "CALLBACK"] {
            assert!(!told.contains(secret), "{secret}");
        }
        assert_eq!(models(&client.rules), "sale.*, not sale.report");
        assert_eq!(proof(&client), "key");
    }
}
