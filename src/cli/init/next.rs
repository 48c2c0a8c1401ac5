//! What comes after the configuration: how to start, the first call, and where to go from there.

use std::io::Write;

use super::{
    account::{Account, SecretKind},
    file::{self, Settings},
    first_call,
};
use crate::cli::{
    Configured,
    shell::word,
    terminal::style::{STRONG, out, styled},
};

/// # Errors
/// Standard output is closed.
pub(super) fn print(configured: &Configured, settings: &Settings, account: Option<&Account>) -> std::io::Result<()> {
    let (path, config) = (configured.target(), configured.as_option());
    let login = account.map_or("LOGIN", |account| &account.login);
    let secret = match account {
        Some(Account { kind: SecretKind::Password, .. }) => "the password",
        _ => "the API key",
    };
    let mut out = out();
    let title = |number: u8, text: &str| styled(STRONG, &format!("{number}. {text}"));
    writeln!(out, "\n{}\n", title(1, "Start the gateway; it runs until Ctrl-C"))?;
    writeln!(out, "odoo-gateway serve{config}")?;
    if file::is_of_service(&path) {
        writeln!(out, "\nor, as a service of this machine:\n\nsystemctl enable --now odoo-gateway")?;
    }
    writeln!(
        out,
        "\n{}\n",
        title(2, &format!("Send the first call from another terminal; paste {secret} when the second line waits"))
    )?;
    writeln!(out, "export ODOO_LOGIN={}", word(login))?;
    writeln!(out, "read -rs ODOO_API_KEY; export ODOO_API_KEY")?;
    writeln!(out, "{}", first_call::curl(settings.server))?;
    writeln!(out, "\nIt makes a contact in Odoo. Sent again, it changes that one and makes no second one.")?;
    writeln!(out, "\n{}\n", title(3, "Go on"))?;
    let steps = [
        ("log ls", "what was called, and how it ended"),
        ("console token", "what one signs in to the console with"),
        ("client new webshop --append …", "a key of the gateway's for a system without an Odoo user"),
        ("hook new", "webhooks of Shopify, Stripe and 19 others"),
    ];
    for (command, what) in steps {
        writeln!(out, "{:<44} {what}", format!("odoo-gateway {command}{config}"))?;
    }
    writeln!(
        out,
        "{:<44} every model and field as this gateway takes them",
        format!("http://{}/docs", settings.admin)
    )?;
    writeln!(out, "{:<44} the console", format!("http://{}/", settings.admin))
}
