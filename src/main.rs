//! The `odoo-gateway` program: a thin shell around the library.

use std::process::ExitCode;

/// A call makes some hundred small allocations on several threads, which the system's allocator takes a fifth of its time for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // One crypto provider for every TLS connection. Only a second call could fail.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    odoo_gateway::cli::run()
}
