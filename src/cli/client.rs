//! `odoo-gateway client new`: a key for a caller, and what the configuration needs to know of it.

use std::process::ExitCode;

use anyhow::Context;

use crate::api::clients::{self, PREFIX};

const KEY_BYTES: usize = 32;

/// Prints the key, which is kept nowhere, and the entry for the configuration, which does not give it away.
pub(super) fn new(name: &str) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(!name.is_empty(), "a client needs a name");
    let mut bytes = [0; KEY_BYTES];
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    random.fill(&mut bytes).ok().context("this system gives no random numbers")?;
    let key = format!("{PREFIX}{}", hexadecimal(&bytes));
    println!(
        "The key of this client, shown this once; it goes to the caller, as `Authorization: Bearer KEY` or `x-api-key: KEY`:"
    );
    println!("\n{key}\n");
    println!("Its entry in gateway.toml; the Odoo API key of that user goes into the environment variable:");
    println!("\n[[client]]");
    println!("name = {}", toml::Value::from(name));
    println!("key_sha256 = \"{}\"", hexadecimal(&clients::digest(&key)));
    println!("odoo_login = \"\"");
    println!("odoo_key_env = \"\"");
    Ok(ExitCode::SUCCESS)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
