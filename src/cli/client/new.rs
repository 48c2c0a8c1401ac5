//! `odoo-gateway client new`: makes a key or a secret for signatures, and the entry for the configuration.

use std::process::ExitCode;

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, ValueEnum};

use crate::{call::auth::clients, cli::configuration::variable, key_texts::PREFIX};

const KEY_BYTES: usize = 32;

#[derive(Debug, Args)]
pub(crate) struct New {
    /// What the client is called in the configuration and in the log
    name: String,
    /// It shows no key but signs its requests, in this way
    #[arg(long, value_name = "SCHEME")]
    signed: Option<Scheme>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scheme {
    StandardWebhooks,
    Shopify,
    Github,
    Stripe,
    Hmac,
}

impl New {
    /// Prints the secret, which is kept nowhere, and the entry for the configuration, which does not give it away.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let name = self.name.as_str();
        anyhow::ensure!(!name.is_empty() && !name.contains(char::is_control), "a client needs a name of plain text");
        let mut bytes = [0; KEY_BYTES];
        let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
        random.fill(&mut bytes).ok().context("this system gives no random numbers")?;
        let variable = variable(name);
        let shown = match self.signed {
            None => {
                let key = format!("{PREFIX}{}", const_hex::encode(bytes));
                eprintln!(
                    "The client's key, shown this once. The caller sends it as `Authorization: Bearer KEY` or `x-api-key: KEY`:\n"
                );
                println!("{key}\n");
                format!("key_sha256 = \"{}\"\n", const_hex::encode(clients::digest(&key)))
            }
            Some(scheme) => {
                scheme.tell_secret(&bytes, &variable);
                String::new()
            }
        };
        eprintln!(
            "Its entry for gateway.toml. LOGIN is the Odoo user that it acts as; an API key of that user goes into the"
        );
        eprintln!("environment variable. Narrow what it may do: docs/policy.md says how.\n");
        println!("[[client]]");
        println!("name = {}", toml::Value::from(name));
        print!("{shown}");
        println!("odoo_login = \"LOGIN\"");
        println!("odoo_key_env = \"{variable}_ODOO_KEY\"");
        println!("# routes = [\"create_update_data\", \"search_data\"]");
        println!("# models = {{ allow = [\"sale.order*\", \"res.partner\"] }}");
        println!("# expires = \"2030-12-31\"");
        if let Some(scheme) = self.signed {
            println!("[client.signature]");
            println!("scheme = \"{}\"", scheme.name());
            println!("secret_env = \"{variable}_SECRET\"");
            if matches!(scheme, Scheme::Hmac) {
                println!("header = \"X-Signature\"");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Scheme {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Where the secret comes from: some senders have one of their own.
    fn tell_secret(self, bytes: &[u8], variable: &str) {
        let secret = match self {
            Self::Shopify => "the client secret of your Shopify app",
            Self::Stripe => "the signing secret (whsec_…) that Stripe shows for the endpoint",
            Self::StandardWebhooks | Self::Github | Self::Hmac => {
                let secret = match self {
                    Self::StandardWebhooks => format!("whsec_{}", STANDARD.encode(bytes)),
                    _ => const_hex::encode(bytes),
                };
                eprintln!(
                    "The secret that the client signs with, shown this once. It goes to the sender, and into the"
                );
                eprintln!("environment variable {variable}_SECRET of the gateway:\n");
                println!("{secret}\n");
                return;
            }
        };
        eprintln!("Put {secret} into the environment variable {variable}_SECRET of the gateway.\n");
    }
}
