//! What an author of a hook and an operator see of deliveries: the log, and `hook test`.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{SECRET, by_github, contact, contacts_named, deliver, headers, is, outcome};
use crate::support::{
    client::Answer,
    gateway::Gateway,
    odoo::{Odoo, odoo},
};

/// A gateway with the hook `shop`, which takes what is signed as by GitHub and makes contacts. Its secrets are in files, so that
/// the commands have them, too.
struct Bench {
    gateway: Gateway,
    folder: TempDir,
}

impl Bench {
    async fn start(template: &str, more: &str) -> Self {
        let odoo = odoo().await;
        Self::before(odoo, &odoo.url, template, more)
    }

    fn before(odoo: &Odoo, url: &str, template: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("shop.jq", template), ("secret", SECRET), ("odoo_key", &odoo.key)] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let at = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            "[[client]]\nname = \"shop\"\nodoo_login = \"{}\"\nodoo_key_file = \"{}\"\n\
             routes = [\"create_data\", \"create_update_data\"]\nmodels = {{ allow = [\"res.partner\"] }}\n\
             [client.signature]\nscheme = \"github\"\nsecret_file = \"{}\"\n\
             [[hook]]\npath = \"/hooks/shop\"\nclient = \"shop\"\nroute = \"create_data\"\nmodel = \"res.partner\"\n\
             accept = \"answer\"\ndelivery_id = '$headers[\"x-event-id\"]'\ntemplate = \"{}\"\n{more}\n",
            odoo.login,
            at("odoo_key"),
            at("secret"),
            at("shop.jq"),
        );
        Self { gateway: Gateway::before_with(url, &odoo.database, &config, &[]), folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self, name: &str, text: &str) -> String {
        let file = self.path().join(name);
        fs::write(&file, text).unwrap();
        file.display().to_string()
    }

    /// A signed body with this id of its sender's.
    async fn deliver(&self, id: &str, body: &str) -> Answer {
        let mut sent = by_github(SECRET, body);
        sent.extend(headers(&[("X-Event-Id", id), ("X-Topic", "contacts/create")]));
        deliver(&self.gateway, "/hooks/shop?source=web&token=s3cret", sent, body).await
    }

    fn shown(&self, args: &[&str]) -> String {
        let (status, out, said) = self.gateway.run(args);
        assert_eq!(status, Some(0), "{args:?}: {out}{said}");
        out
    }
}

fn id(answer: &Answer) -> String {
    answer.headers["gateway-call-id"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_log_shows_the_hook_and_what_was_sent_to_it_without_its_secrets() {
    let bench = Bench::start("{payload: {name}}", "").await;
    let (body, name) = contact();
    let done = bench.deliver("evt_1", &body).await;
    assert_eq!(outcome(&done), is(200, "ok"));
    let listed = bench.shown(&["log", "ls", "--hook", "/hooks/shop"]);
    let (head, row) = listed.split_once('\n').unwrap();
    assert!(head.ends_with("DELIVERY") && head.contains("  HOOK") && row.contains("  shop"), "{listed}");
    assert!(bench.gateway.run_json(&["log", "ls", "--hook", "sho", "--json"]).is_empty());

    let shown = bench.shown(&["log", "show", &id(&done)]);
    let sent = "\nsent\nPOST /hooks/shop\n?source=web\n";
    for part in ["\nhook        shop\n", sent, "\nx-topic: contacts/create\n", &format!("\"name\": \"{name}\"")] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("s3cret") && !shown.contains("x-hub-signature"), "{shown}");
}
