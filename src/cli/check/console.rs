//! What `check` says of the console: who may sign in, and what is risky about it.

use std::{fs, path::Path};

use super::finding::Finding;
use crate::config::{Config, ConsoleToken, LEAST_TOKEN, Role};

const AREA: &str = "console";

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let console = &config.console;
    let operators = console.users.iter().filter(|user| user.role == Role::Operator).count();
    let mut findings = vec![Finding::ok(
        AREA,
        match console.users.len() {
            0 => "one signs in with the token of `odoo-gateway console token`".to_owned(),
            users => format!("{users} people have a token, {operators} of them as operators"),
        },
    )];
    for user in &console.users {
        let ConsoleToken::File(file) = &user.token else { continue };
        if let Err(why) = readable(file) {
            let message = format!("`{}` cannot sign in: {} {why}", user.name, file.display());
            findings.push(Finding::warning(AREA, message, "`odoo-gateway console token NAME` makes a token"));
        }
    }
    let is_loopback = config.admin.listen.ip().is_loopback();
    if !is_loopback {
        findings.push(Finding::warning(
            AREA,
            "[admin] listen is no loopback address: tokens and payloads cross the network as plain text",
            "listen on 127.0.0.1, or put a proxy with TLS before it",
        ));
    }
    if console.loopback && is_loopback {
        findings.push(Finding::warning(
            AREA,
            "[console] loopback: every user and program of this machine is an operator",
            "take it out where others work on this machine",
        ));
    }
    if console.loopback && !is_loopback {
        findings.push(Finding::warning(
            AREA,
            "[console] loopback has no effect: [admin] listen is no loopback address",
            "take it out",
        ));
    }
    findings
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
