//! The `[[client]]` entry of a new client, as it stands in the configuration.

use std::{
    env,
    fmt::Write,
    path::{Path, PathBuf},
};

use toml::Value;

use crate::config::Config;

/// What stands in the place of a login that was not given.
const LOGIN: &str = "LOGIN";
/// Enough for an entry to be read as a part of a configuration.
const UPSTREAM: &str = "[upstream]\nurl = \"http://127.0.0.1:8069\"\ndatabase = \"odoo\"\n";

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) odoo_login: Option<String>,
    pub(super) odoo_key: Place,
    pub(super) routes: Vec<String>,
    pub(super) models: Vec<String>,
    pub(super) shows: Shows,
}

/// Where a secret is.
#[derive(Debug)]
pub(super) enum Place {
    File(PathBuf),
    Variable(String),
}

/// What the client proves itself with.
#[derive(Debug)]
pub(super) enum Shows {
    /// A key with this SHA-256.
    Key(String),
    /// A signature: the name of the scheme, the place of its secret, and the lines that the scheme needs besides.
    Signature { scheme: String, secret: Place, more: &'static str },
}

impl Entry {
    pub(super) fn text(&self) -> String {
        let mut text = format!("[[client]]\nname = {}\n", quoted(&self.name));
        if let Shows::Key(sha256) = &self.shows {
            let _ = writeln!(text, "key_sha256 = {}", quoted(sha256));
        }
        let _ = writeln!(text, "odoo_login = {}", quoted(self.odoo_login.as_deref().unwrap_or(LOGIN)));
        text.push_str(&self.odoo_key.line("odoo_key"));
        text.push_str(&match &*self.routes {
            [] => "# routes = [\"create_update_data\", \"search_data\"]\n".to_owned(),
            routes => format!("routes = {}\n", list(routes)),
        });
        text.push_str(&match &*self.models {
            [] => "# models = { allow = [\"sale.order*\", \"res.partner\"] }\n".to_owned(),
            models => format!("models = {{ allow = {} }}\n", list(models)),
        });
        text.push_str("# expires = \"2030-12-31\"\n");
        if let Shows::Signature { scheme, secret, more } = &self.shows {
            let _ = write!(text, "[client.signature]\nscheme = {}\n{}{more}", quoted(scheme), secret.line("secret"));
        }
        text
    }

    /// What a person does with the entry.
    pub(super) fn words(&self) -> String {
        let login = match self.odoo_login {
            Some(_) => "",
            None => "LOGIN is the Odoo user that it acts as. ",
        };
        let key = match &self.odoo_key {
            Place::File(file) => format!("the file `{}`", file.display()),
            Place::Variable(variable) => format!("the environment variable {variable}"),
        };
        format!(
            "Its entry for gateway.toml. {login}An API key of that user goes into {key}.\nNarrow what it may do: docs/policy.md says how. \
             --append with --odoo-login writes the entry into the file."
        )
    }

    /// Whether the configuration can take it.
    ///
    /// # Errors
    /// A route or a model is refused.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let text = format!("{UPSTREAM}{}", self.text());
        Config::parse(&text, Path::new("the new entry"))?;
        Ok(())
    }
}

impl Place {
    /// The line that names it. `key` is the common part of the two keys.
    fn line(&self, key: &str) -> String {
        match self {
            Self::File(file) => format!("{key}_file = {}\n", quoted(&file.to_string_lossy())),
            Self::Variable(variable) => format!("{key}_env = {}\n", quoted(variable)),
        }
    }

    /// What is still to be done so that the secret is there.
    pub(super) fn lack(&self, config: &Path) -> Option<String> {
        match self {
            Self::File(file) => {
                let file = config.parent().unwrap_or(Path::new("")).join(file);
                let words = || {
                    format!(
                        "put an API key of the Odoo user into `{}`, which the gateway must be able to read",
                        file.display()
                    )
                };
                (!file.is_file()).then(words)
            }
            Self::Variable(variable) => {
                let words = || {
                    format!(
                        "set {variable} to an API key of the Odoo user in the gateway's environment, and start it again: a variable is read at the start alone. --odoo-key-file needs no restart"
                    )
                };
                env::var_os(variable).is_none().then(words)
            }
        }
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quoted(text.trim())).collect();
    format!("[{}]", quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            name: "webshop".to_owned(),
            odoo_login: Some("bot@example.com".to_owned()),
            odoo_key: Place::File("webshop.odoo".into()),
            routes: vec!["search_data".to_owned(), " create_data".to_owned()],
            models: vec!["sale.order*".to_owned()],
            shows: Shows::Key("2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae".to_owned()),
        }
    }

    #[test]
    fn an_entry_is_a_part_of_a_configuration() {
        let text = entry().text();
        assert!(
            text.contains("routes = [\"search_data\", \"create_data\"]\nmodels = { allow = [\"sale.order*\"] }"),
            "{text}"
        );
        entry().check().unwrap();
        let more = "header = \"X-Signature\"\n";
        let shows =
            Shows::Signature { scheme: "hmac".to_owned(), secret: Place::Variable("A_SECRET".to_owned()), more };
        Entry { shows, ..entry() }.check().unwrap();
    }

    #[test]
    fn a_route_or_model_that_is_none_is_named() {
        let wrong = Entry { routes: vec!["drop_data".to_owned()], ..entry() };
        assert!(wrong.check().unwrap_err().to_string().contains("drop_data"));
    }
}
