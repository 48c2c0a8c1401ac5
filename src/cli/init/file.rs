//! The file that `init` writes: the least configuration, with comments, and no secret in it. It is there whole or not at all.

use std::{
    fs,
    io::Write,
    net::SocketAddr,
    os::unix::fs::{PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};

use crate::{
    cli::{configuration, terminal::plain},
    config::Config,
};

/// The folder of configurations of the system, where the packaged service reads its own.
const SYSTEM: &str = "/etc";
/// Where the packaged service keeps its log.
const SYSTEM_LOG: &str = "/var/lib/odoo-gateway/log";
/// The configuration of the packaged service, and its unit.
const SERVICES: &str = "/etc/odoo-gateway/gateway.toml";
const UNIT: &str = "/usr/lib/systemd/system/odoo-gateway.service";
/// The group of the packaged service.
const GROUP: &str = "odoo-gateway";

/// What is known by now.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) url: String,
    pub(super) release: String,
    pub(super) database: String,
    pub(super) ca: Option<PathBuf>,
    pub(super) server: SocketAddr,
    pub(super) admin: SocketAddr,
}

/// Refuses a file that exists, before anything is asked.
///
/// # Errors
/// It exists, and may not be overwritten.
pub(super) fn check_is_free(path: &Path, is_forced: bool) -> anyhow::Result<()> {
    ensure!(
        is_forced || fs::symlink_metadata(path).is_err(),
        "`{}` is there already and is not overwritten; write another file with --config FILE, or this one with --force",
        path.display()
    );
    Ok(())
}

/// Writes the file; gives its mode.
///
/// # Errors
/// The folder cannot be made or written, or the file has appeared meanwhile.
pub(super) fn write(path: &Path, settings: &Settings, is_forced: bool) -> anyhow::Result<u32> {
    let text = text(settings, is_of_system(path));
    Config::parse(&text, path)?;
    if is_forced && path.exists() {
        configuration::replace(path, &text).with_context(|| format!("cannot overwrite `{}`", path.display()))?;
        return mode(path);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let cannot = || format!("cannot write `{}`", path.display());
    fs::create_dir_all(folder).with_context(cannot)?;
    // Only its owner can read a file that is made in this way.
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(cannot)?;
    file.write_all(text.as_bytes()).with_context(cannot)?;
    if let (true, Some(group)) = (is_of_system(path), service_group()) {
        file.as_file().set_permissions(fs::Permissions::from_mode(0o640)).with_context(cannot)?;
        fchown(file.as_file(), None, Some(group)).with_context(cannot)?;
    }
    file.as_file().sync_all().with_context(cannot)?;
    file.persist_noclobber(path).with_context(cannot)?;
    mode(path)
}

/// The section of Odoo.
pub(super) fn upstream(url: &str, ca: Option<&Path>, database: &str) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let ca = ca.map(|ca| format!("ca = {}\n", quoted(&ca.to_string_lossy()))).unwrap_or_default();
    format!("[upstream]\nurl = {}\n{ca}database = {}\n", quoted(url), quoted(database))
}

fn text(settings: &Settings, is_of_system: bool) -> String {
    let Settings { url, release, database, ca, server, admin } = settings;
    let log = if is_of_system { SYSTEM_LOG } else { "log" };
    let upstream = upstream(url, ca.as_deref(), database);
    let upstream = upstream.trim_start_matches("[upstream]\n");
    // A comment ends with its line, whatever the server calls itself.
    let release = plain(release);
    format!(
        "# The configuration of odoo-gateway, made by `odoo-gateway init`. What is left out has its default: the example
# gateway.toml of odoo-gateway has every key, its default and what it does. No secret belongs into this file.
# A change is in use within seconds; [server] listen, [admin] and [log] wait for a restart.

[server]
# Where other systems send their calls. 127.0.0.1 is for this machine alone, 0.0.0.0 for all.
listen = \"{server}\"

[admin]
# Health, metrics and the console, for this machine and its operators; never a public address.
listen = \"{admin}\"

[upstream]
# Odoo {release}. Every call goes to this database.
{upstream}
[log]
# The record of every call. Nobody but the user that runs the gateway can read the folder.
directory = \"{log}\"

# A system that should not have an Odoo credential gets a key of the gateway's own. This adds its entry here:
#   odoo-gateway client new webshop --append --key-file webshop.key --odoo-login LOGIN --odoo-key-file webshop.odoo
"
    )
}

fn is_of_system(path: &Path) -> bool {
    std::path::absolute(path).is_ok_and(|path| path.starts_with(SYSTEM))
}

/// Whether the packaged service reads this file, and is installed.
pub(super) fn is_of_service(path: &Path) -> bool {
    path == Path::new(SERVICES) && Path::new(UNIT).exists()
}

fn mode(path: &Path) -> anyhow::Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

/// The group that the packaged service runs as, where it is installed and this process may give files to it.
fn service_group() -> Option<u32> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    // name:password:gid:members
    let groups = fs::read_to_string("/etc/group").ok()?;
    let mut groups = groups.lines().map(|line| line.split(':'));
    groups.find_map(|mut group| (group.next()? == GROUP).then(|| group.nth(1)?.parse().ok())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            url: "https://erp.example.com".to_owned(),
            release: "19.0\n[tls]\ncertificate = \"x\" community".to_owned(),
            database: "a \"quoted\" name".to_owned(),
            ca: None,
            server: "127.0.0.1:8080".parse().unwrap(),
            admin: "127.0.0.1:8081".parse().unwrap(),
        }
    }

    #[test]
    fn what_is_written_is_a_configuration_that_only_its_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/gateway.toml");
        assert_eq!(write(&path, &settings(), false).unwrap(), 0o600);
        let config = Config::load(&path).unwrap();
        assert_eq!(config.upstream.database, "a \"quoted\" name");
        assert_eq!(config.upstream.url.as_str(), "https://erp.example.com/");
        assert!(config.tls.certificate.is_none());
        assert_eq!(config.log.directory, folder.path().join("new/log"));
    }

    #[test]
    fn a_file_that_is_there_stays_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.toml");
        fs::write(&path, "mine").unwrap();
        assert!(check_is_free(&path, false).unwrap_err().to_string().contains("--force"));
        assert!(write(&path, &settings(), false).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(write(&path, &settings(), true).unwrap(), 0o644);
        assert!(Config::load(&path).is_ok());
    }
}
