//! The `odoo-gateway` program: a thin shell around the library.

use std::process::ExitCode;

/// A call makes some hundred small allocations on several threads, which the system's allocator takes a fifth of its time for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // mimalloc asks for huge pages, of which one byte takes 2 MiB: a third of what the gateway holds at rest. Where the kernel cannot
    // leave them out, more memory is all that follows.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    // One crypto provider for every TLS connection. Only a second call could fail.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    odoo_gateway::cli::run()
}
