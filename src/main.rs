//! The `odoo-gateway` program: a thin shell around the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // One crypto provider for every TLS connection. Only a second call could fail.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    odoo_gateway::cli::run()
}
