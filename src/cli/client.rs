//! `odoo-gateway client new`: a key for a caller, and what the configuration needs to know of it.

use std::process::ExitCode;

use anyhow::Context;

use crate::api::clients::{self, PREFIX};

const KEY_BYTES: usize = 32;
/// So much of a client's name goes into that of its variable.
const VARIABLE: usize = 20;

/// Prints the key, which is kept nowhere, and the entry for the configuration, which does not give it away.
pub(super) fn new(name: &str) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(!name.is_empty() && !name.contains(char::is_control), "a client needs a name of plain text");
    let mut bytes = [0; KEY_BYTES];
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    random.fill(&mut bytes).ok().context("this system gives no random numbers")?;
    let key = format!("{PREFIX}{}", hexadecimal(&bytes));
    eprintln!(
        "The client's key, shown this once. The caller sends it as `Authorization: Bearer KEY` or `x-api-key: KEY`:\n"
    );
    println!("{key}\n");
    eprintln!(
        "Its entry for gateway.toml. LOGIN is the Odoo user that it acts as; an API key of that user goes into the"
    );
    eprintln!("environment variable. Both are read when the gateway starts:\n");
    println!("[[client]]");
    println!("name = {}", toml::Value::from(name));
    println!("key_sha256 = \"{}\"", hexadecimal(&clients::digest(&key)));
    println!("odoo_login = \"LOGIN\"");
    println!("odoo_key_env = \"{}_ODOO_KEY\"", variable(name));
    Ok(ExitCode::SUCCESS)
}

/// The name as a part of that of an environment variable.
fn variable(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let name: String = name.chars().take(VARIABLE).map(letter).collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) { format!("_{name}") } else { name }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
