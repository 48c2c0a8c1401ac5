//! Puts the commit into `odoo-gateway --version`.
//!
//! Only a release build asks git, so that a commit does not have everything compiled again while one develops. A build out of an
//! archive without git takes `ODOO_GATEWAY_COMMIT` from the environment, and says nothing of a commit where that is not set.

use std::{env, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=ODOO_GATEWAY_COMMIT");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = env::var("ODOO_GATEWAY_COMMIT")
        .ok()
        .filter(|commit| !commit.is_empty())
        .or_else(|| is_release.then(commit).flatten());
    let long = match commit {
        Some(commit) => format!("{version} ({commit})"),
        None if is_release => version,
        None => format!("{version} (a build for development)"),
    };
    println!("cargo:rustc-env=ODOO_GATEWAY_VERSION={long}");
}

/// The short name of the commit, with a mark where files differ from it.
fn commit() -> Option<String> {
    for file in ["HEAD", "index"] {
        println!("cargo:rerun-if-changed={}", git(&["rev-parse", "--git-path", file])?);
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() { commit } else { format!("{commit}, changed since") })
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
