//! What comes after the configuration: how to start, the first call, and where to go from there.

use std::{io::Write, path::Path};

use super::{account::Account, file::Settings, first_call};
use crate::cli::terminal::style::{STRONG, out, styled};

/// # Errors
/// Standard output is closed.
pub(super) fn print(path: &Path, settings: &Settings, account: Option<&Account>) -> std::io::Result<()> {
    let config = match path == Path::new("gateway.toml") {
        true => String::new(),
        false => format!(" --config {}", quoted(&path.display().to_string())),
    };
    let login = account.map_or("LOGIN", |account| &account.login);
    let secret = match account {
        Some(Account { kind: "password", .. }) => "the password",
        _ => "the API key",
    };
    let mut out = out();
    let title = |number: u8, text: &str| styled(STRONG, &format!("{number}. {text}"));
    writeln!(out, "\n{}\n", title(1, "Start the gateway; it runs until Ctrl-C"))?;
    writeln!(out, "odoo-gateway serve{config}")?;
    writeln!(
        out,
        "\n{}\n",
        title(2, &format!("Send the first call from another terminal; paste {secret} when the second line waits"))
    )?;
    writeln!(out, "export ODOO_LOGIN={}", quoted(login))?;
    writeln!(out, "read -rs ODOO_API_KEY; export ODOO_API_KEY")?;
    writeln!(out, "{}", first_call::curl(settings.server))?;
    writeln!(out, "\nIt makes a contact in Odoo. Sent again, it changes that one and makes no second one.")?;
    writeln!(out, "\n{}\n", title(3, "Go on"))?;
    let steps = [
        ("odoo-gateway log ls", "what was called, and how it ended"),
        ("odoo-gateway console token", "what one signs in to the console with"),
        ("odoo-gateway client new webshop --append …", "a key of the gateway's for a system without an Odoo user"),
        ("odoo-gateway hook new", "webhooks of Shopify, Stripe and 19 others"),
    ];
    for (command, what) in steps {
        writeln!(out, "{command:<44}{what}")?;
    }
    writeln!(out, "{:<44}every model and field as this gateway takes them", format!("http://{}/docs", settings.admin))?;
    writeln!(out, "{:<44}the console", format!("http://{}/", settings.admin))
}

/// A text as a shell takes it for one word.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-' | '_' | '@' | '+');
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
