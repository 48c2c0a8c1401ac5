//! The Odoo user that callers will be: the credential is tried by a login, and what the user may do for a first call is looked at.
//! The credential is kept nowhere.

use std::{env, fs, path::PathBuf, sync::Arc};

use anyhow::{Context, bail, ensure};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, json};
use tokio::time::Instant;

use super::{
    ask::{Ask, Question},
    first_call, found_it, key_menu,
    reach::{self, Found},
    warn,
};
use crate::{
    cli::terminal::plain,
    config::Config,
    odoo::{Caller, Credential, Error, Odoo, Origin, Page, RotatedCookie, Rpc},
};

/// Odoo takes no logins from an address for a minute after five wrong ones (14-19).
const TRIES: usize = 3;
/// The version with `has_access`; before it is `check_access_rights`.
const HAS_ACCESS: u16 = 18;

const LOGIN: Question<'_> = Question {
    flag: "--login",
    words: "The login of an Odoo user:",
    help: "often an e-mail address; leave it empty to try no login now",
};
const SECRET: Question<'_> = Question {
    flag: "--key-file, --password-file or the variable ODOO_API_KEY",
    words: "Its API key:",
    help: "not shown, kept nowhere; a password works without two-factor authentication",
};

/// What was given by flags.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) login: Option<String>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) password_file: Option<PathBuf>,
    /// No credential is to be tried.
    pub(super) is_none: bool,
}

/// What was shown for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SecretKind {
    Key,
    Password,
}

/// A user that Odoo has accepted.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) login: String,
    pub(super) kind: SecretKind,
    /// What of the first call will not work, and why.
    pub(super) notes: Vec<String>,
}

/// The user that is given or asked for; none where none is wanted.
///
/// # Errors
/// Odoo refuses the credential, or does not answer.
pub(super) async fn find(ask: &Ask, found: &Found, database: &str, given: Given) -> anyhow::Result<Option<Account>> {
    if given.is_none {
        return Ok(None);
    }
    let config = reach::config(&found.url, found.ca.as_deref(), database).map_err(anyhow::Error::msg)?;
    let Some(login) = login(ask, found, &given)? else { return Ok(None) };
    if let Some((source, credential)) = shown(&given, &login)? {
        let account = tried(&config, found, credential).await;
        return Ok(Some(
            account.map_err(|error| anyhow::anyhow!("{source} with the login {login}: {}", why(&error, found)))?,
        ));
    }
    for _ in 0..TRIES {
        let secret = ask.secret(SECRET)?;
        if secret.expose_secret().is_empty() {
            continue;
        }
        match tried(&config, found, Credential::of_login(login.clone(), secret)).await {
            Ok(account) => return Ok(Some(account)),
            Err(error) => warn(&why(&error, found)),
        }
    }
    bail!("Odoo accepted none of {TRIES} tries; nothing was written. --no-login goes on without one")
}

fn login(ask: &Ask, found: &Found, given: &Given) -> anyhow::Result<Option<String>> {
    if let Some(login) = &given.login {
        ensure!(!login.is_empty(), "--login is empty");
        return Ok(Some(login.clone()));
    }
    if *ask == Ask::Person {
        anstream::eprintln!("\nEach call runs as an Odoo user, with the rights of that user.");
        anstream::eprintln!("{}\n", key_menu::how_to(found.release.major, found.url.host_str().unwrap_or_default()));
    }
    let login = ask.text(LOGIN, None)?;
    Ok(Some(login).filter(|login| !login.is_empty()))
}

/// The credential that was given by a file or the variable, and by which of them.
fn shown(given: &Given, login: &str) -> anyhow::Result<Option<(&'static str, Credential)>> {
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        ensure!(!text.trim().is_empty(), "`{}` is empty", path.display());
        Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
    };
    let login = login.to_owned();
    if let Some(path) = &given.password_file {
        return Ok(Some(("--password-file", Credential::Password { login, password: read(path)? })));
    }
    if let Some(path) = &given.key_file {
        let key = read(path)?.expose_secret().trim().into();
        return Ok(Some(("--key-file", Credential::LoginKey { login, key })));
    }
    let variable = env::var("ODOO_API_KEY").ok().filter(|key| !key.is_empty());
    Ok(variable.map(|key| ("ODOO_API_KEY", Credential::of_login(login, key.into()))))
}

/// Logs in, and looks whether the user can make the first call.
async fn tried(config: &Config, found: &Found, credential: Credential) -> Result<Account, Error> {
    let odoo = Odoo::build(&config.upstream, &config.lookup_cache, Arc::default());
    let odoo = odoo.map(Arc::new).map_err(|error| Error::Unsendable { reason: error.to_string() })?;
    let (kind, words) = match credential {
        Credential::Password { .. } => (SecretKind::Password, "password"),
        _ => (SecretKind::Key, "key"),
    };
    let policy = Arc::new(config.policy.rules.policy.clone());
    let until = Instant::now() + config.limits.call_timeout;
    let (trace, cookie) = (Arc::default(), RotatedCookie::default());
    let caller = Caller::identify(&odoo, credential, policy, trace, cookie, Origin::default(), until).await?;
    let login = caller.identity().login.clone();
    found_it(&format!("the login of `{login}` works, with its {words} (user {})", caller.identity().uid));
    let notes = notes(&caller, found.release.major).await?;
    Ok(Account { login, kind, notes })
}

/// What of the first call this user may not do.
async fn notes(caller: &Caller, major: u16) -> Result<Vec<String>, Error> {
    let mut notes = Vec::new();
    let country = json!([["code", "=", first_call::COUNTRY]]);
    let page = Page { limit: Some(1), ..Page::default() };
    match caller.call(&Rpc::search_read("res.country", country, json!(["code"]), page)).await {
        Ok(found) if found.as_array().is_some_and(Vec::is_empty) => {
            notes.push(format!(
                "there is no country with the code {} in this Odoo, which the first call names",
                first_call::COUNTRY
            ));
        }
        Ok(_) => {}
        Err(Error::Fault(fault)) if fault.is_access_error() => {
            notes.push("this user may not read countries (res.country), which the first call looks up".to_owned());
        }
        Err(error) => return Err(error),
    }
    for (operation, what) in [("read", "read"), ("create", "make"), ("write", "change")] {
        let is_allowed = match caller.call(&may(operation, major)).await {
            Ok(answer) => answer.as_bool().unwrap_or(true),
            Err(Error::Fault(fault)) if fault.is_access_error() => false,
            // Where it cannot be asked, the first call tells.
            Err(Error::Fault(_)) => true,
            Err(error) => return Err(error),
        };
        if !is_allowed {
            notes.push(format!("this user may not {what} contacts (res.partner), as the first call does: the first call needs a user who may"));
        }
    }
    Ok(notes)
}

/// Asks whether the user may do this to contacts.
fn may(operation: &str, major: u16) -> Rpc {
    let mut named = Map::from_iter([("operation".to_owned(), json!(operation))]);
    if major >= HAS_ACCESS {
        return Rpc::method("res.partner", "has_access", Some(Vec::new()), named).reads();
    }
    named.insert("raise_exception".to_owned(), json!(false));
    Rpc::method("res.partner", "check_access_rights", None, named).reads()
}

/// Why a login failed, and what may be wrong.
fn why(error: &Error, found: &Found) -> String {
    let said = plain(&error.for_operator()).into_owned();
    match error {
        Error::WrongKey | Error::WrongLogin { .. } => format!(
            "{said}. Is the key copied whole (40 characters), is it of this user and of this database, and still valid? \
             Is it this user's login, as Odoo's list of users shows it?{}",
            match found.release.major {
                18.. => " A key of Odoo 18 and later has an end of its validity.",
                _ => "",
            }
        ),
        _ => said,
    }
}
