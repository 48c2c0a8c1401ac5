//! What `check` says of the console: who may sign in, and what is risky about it.

use std::{fs, path::Path};

use crate::config::{Config, Console, ConsoleToken, LEAST_TOKEN, Role};

/// Whether everyone who is configured can sign in.
///
/// # Errors
/// A token's file cannot be read, or its token is too short.
pub(super) fn line(config: &Console) -> Result<String, String> {
    for user in &config.users {
        let ConsoleToken::File(file) = &user.token else { continue };
        readable(file).map_err(|why| format!("[[console.user]] `{}`: {} {why}", user.name, file.display()))?;
    }
    let operators = config.users.iter().filter(|user| user.role == Role::Operator).count();
    Ok(match config.users.len() {
        0 => "one signs in with the token of `odoo-gateway console token`".to_owned(),
        users => format!("{users} people have a token, {operators} of them as operators"),
    })
}

fn readable(file: &Path) -> Result<(), String> {
    match fs::read_to_string(file) {
        Ok(token) if token.trim().len() < LEAST_TOKEN => {
            Err(format!("has a token of fewer than {LEAST_TOKEN} characters, which is not taken"))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

/// What may be meant, and may be a mistake.
pub(super) fn notes(config: &Config) -> Vec<&'static str> {
    let is_loopback = config.admin.listen.ip().is_loopback();
    let mut notes = Vec::new();
    if !is_loopback {
        notes.push("[admin] listen is no loopback address: tokens and payloads cross the network as plain text, unless a proxy with TLS stands before it");
    }
    if config.console.loopback && is_loopback {
        notes.push("[console] loopback: every user and program of this machine is an operator");
    }
    if config.console.loopback && !is_loopback {
        notes.push("[console] loopback has no effect: [admin] listen is no loopback address");
    }
    notes
}
