//! What the pages find when they are run: an Odoo, a gateway before it, a client with a key, and addresses in the place of those
//! that stand in the documents.

use std::{
    collections::BTreeMap, fs, net::TcpListener, os::unix::fs::symlink, path::Path, process::Command, sync::LazyLock,
};

use tempfile::TempDir;

use super::{
    blocks::OWN_GATEWAY,
    pages::{Page, root},
};
use crate::support::{
    gateway::{Gateway, PROGRAM, new_client},
    odoo::Odoo,
};

/// What the client of the documents may do, so that their examples are about something else than its policy.
const WEBSHOP: &str = r#"
routes = ["create_data", "create_update_data", "update_data", "search_data", "call_function", "delete_data"]
models = { allow = ["*", "ir.attachment", "ir.model.data"] }
methods = ["sale.order.action_confirm"]
max_records = { write = 10 }
files_by_url = true

[docs]
public = true

[files]
allow = ["https://cdn.shop.example/*"]
"#;

/// One gateway and one Odoo for all pages.
pub(super) struct World {
    odoo: Odoo,
    gateway: Gateway,
    key: String,
    configuration: String,
}

impl World {
    pub(super) async fn start() -> Self {
        LazyLock::force(&PROGRAMS);
        // A database of its own: the pages name records of the demo data, which other tests make once more.
        let odoo = tokio::task::spawn_blocking(|| Odoo::up(&["--name", "documents"])).await.unwrap();
        let (key, entry) = new_client("webshop");
        let configuration = format!(
            "[upstream]\nurl = \"{}\"\ndatabase = \"{}\"\n{entry}odoo_login = \"{}\"\nodoo_key_env = \"WEBSHOP_ODOO_KEY\"\n{WEBSHOP}",
            odoo.url, odoo.database, odoo.login
        );
        let any_port = "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";
        let with_ports = format!("{any_port}{configuration}");
        let gateway = Gateway::with_configuration(&with_ports, &[("WEBSHOP_ODOO_KEY", &odoo.key)]);
        Self { odoo, gateway, key, configuration }
    }

    /// A place to run a page in.
    pub(super) fn place(&self, page: &Page) -> Place {
        let starts_its_own = page.text.contains(OWN_GATEWAY);
        let folder = tempfile::tempdir().unwrap();
        symlink(root().join("examples"), folder.path().join("examples")).unwrap();
        // Where no terminal is, curl would show its progress among the answers.
        fs::write(folder.path().join(".curlrc"), "silent\nshow-error\n").unwrap();
        let host = |url: &str| url.strip_prefix("http://").unwrap().to_owned();
        let (public, admin) = match starts_its_own {
            true => (free_address(), free_address()),
            false => (host(&self.gateway.url), host(&self.gateway.admin)),
        };
        if !starts_its_own {
            let log = self.gateway.log_folder();
            let store = log.with_file_name("delivery");
            for folder_of_it in [&log, &store] {
                symlink(folder_of_it, folder.path().join(folder_of_it.file_name().unwrap())).unwrap();
            }
            let ports = format!("[server]\nlisten = \"{public}\"\n[admin]\nlisten = \"{admin}\"\n");
            fs::write(folder.path().join("gateway.toml"), format!("{ports}{}", self.configuration)).unwrap();
        }
        let mut variables: BTreeMap<&'static str, String> = BTreeMap::from([
            ("PATH", format!("{}:{}", folder_of_the_program(), std::env::var("PATH").unwrap())),
            ("GATEWAY_URL", format!("http://{public}")),
            ("CURL_HOME", folder.path().display().to_string()),
            ("NO_PROXY", "127.0.0.1,localhost".to_owned()),
            ("no_proxy", "127.0.0.1,localhost".to_owned()),
            ("WEBSHOP_ODOO_KEY", self.odoo.key.clone()),
        ]);
        if !starts_its_own {
            variables.insert("KEY", self.key.clone());
            variables.insert("GATEWAY_KEY", self.key.clone());
        }
        let account = (self.odoo.login.clone(), self.odoo.key.clone());
        let instead = vec![
            ("127.0.0.1:8080", public.clone()),
            ("127.0.0.1:8081", admin.clone()),
            ("127.0.0.1:8069", host(&self.odoo.url)),
            // Two pages make the same first record.
            ("FIRST-", format!("FIRST-{}-", page.name.len())),
            ("database = \"odoo\"", format!("database = \"{}\"", self.odoo.database)),
            ("--database odoo", format!("--database {}", self.odoo.database)),
            ("you@example.com", account.0.clone()),
            ("webhooks@example.com", account.0.clone()),
            ("THE-API-KEY", account.1.clone()),
            // A terminal would ask for it.
            ("read -rs ODOO_API_KEY", format!("ODOO_API_KEY={}", account.1)),
            (
                "odoo-gateway init\n",
                format!(
                    "ODOO_API_KEY={} odoo-gateway init --url {} --database {} --login {} --listen {public} --admin {admin}\n",
                    account.1, self.odoo.url, self.odoo.database, account.0
                ),
            ),
        ];
        Place { folder, variables, account, instead, starts_its_own }
    }
}

/// The folder of one page, and what is there in the place of what the page says.
pub(super) struct Place {
    folder: TempDir,
    pub(super) variables: BTreeMap<&'static str, String>,
    /// Login and key of the Odoo user.
    pub(super) account: (String, String),
    instead: Vec<(&'static str, String)>,
    starts_its_own: bool,
}

impl Place {
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What the page says, with the addresses and the account that are there.
    pub(super) fn here(&self, text: &str) -> String {
        let mut text = self.instead.iter().fold(text.to_owned(), |text, (says, is)| text.replace(says, is));
        if self.starts_its_own && text.contains("[upstream]") && !text.contains("[server]") {
            let (public, admin) = (&self.instead[0].1, &self.instead[1].1);
            let ports = format!("[server]\nlisten = \"{public}\"\n\n[admin]\nlisten = \"{admin}\"\n\n[upstream]");
            text = text.replacen("[upstream]", &ports, 1);
        }
        text
    }

    /// What is there, as the page says it.
    pub(super) fn as_said(&self, text: &str) -> String {
        let addresses = self.instead.iter().take(4);
        let text = addresses.fold(text.to_owned(), |text, (says, is)| text.replace(is.as_str(), says));
        text.replace(&self.folder.path().display().to_string(), ".")
    }
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn folder_of_the_program() -> String {
    Path::new(PROGRAM).parent().unwrap().display().to_string()
}

static PROGRAMS: LazyLock<()> = LazyLock::new(|| {
    let made = Command::new(root().join("tests/programs")).args(["jq", "zstdcat"]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
});
