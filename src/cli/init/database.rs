//! Which database: the only one, one of several, or one that is named.

use anyhow::bail;

use super::{
    ask::{Ask, Question},
    found_it,
    reach::{self, Found},
    warn,
};
use crate::{cli::terminal::plain, odoo::Odoo};

const TRIES: usize = 3;

const ONE_OF: Question<'_> = Question { flag: "--database", words: "Which database?", help: "arrows and Enter" };
const NAME: Question<'_> =
    Question { flag: "--database", words: "The name of the database:", help: "upper and lower case count" };

/// The database that is given, found or asked for, and that Odoo serves as far as it tells.
///
/// # Errors
/// Odoo serves none, or not the one that is given.
pub(super) async fn find(ask: &Ask, found: &Found, given: Option<&str>) -> anyhow::Result<String> {
    let odoo = open(found, "odoo")?;
    let listed =
        odoo.list_databases().await.map_err(|error| anyhow::anyhow!(plain(&error.for_operator()).into_owned()))?;
    // They are shown as a menu, and the server is not known yet.
    let is_plain = |name: &String| !name.contains(char::is_control);
    let listed: Option<Vec<String>> = listed.map(|names| names.into_iter().filter(is_plain).collect());
    if let Some(name) = given {
        if let Err(why) = check(found, listed.as_deref(), name).await? {
            bail!("--database {name}: {why}");
        }
        return Ok(name.to_owned());
    }
    match listed.as_deref() {
        Some([]) => {
            bail!(
                "this Odoo has no database yet; make one at {}/web/database/manager",
                super::address::shown(&found.url)
            )
        }
        Some([only]) => {
            found_it(&format!("its only database is `{only}`"));
            Ok(only.clone())
        }
        Some(several) => ask.one_of(ONE_OF, several.to_vec()),
        None => named(ask, found).await,
    }
}

/// Where Odoo lists none, the name is asked for until it is right.
async fn named(ask: &Ask, found: &Found) -> anyhow::Result<String> {
    anstream::eprintln!(
        "This Odoo does not list its databases. Odoo shows the name beside yours, top right, in the\n\
         developer mode: put ?debug=1 behind /web in the browser's address. On the server, it is\n\
         db_name in odoo.conf."
    );
    let likely = likely(found.url.host_str().unwrap_or_default());
    for _ in 0..TRIES {
        let name = ask.text(NAME, likely.as_deref())?;
        match check(found, None, &name).await? {
            Ok(()) => return Ok(name),
            Err(why) => warn(&why),
        }
    }
    bail!("no database was found; nothing was written")
}

/// Whether Odoo serves it, as far as it tells without a login; or why not.
async fn check(found: &Found, listed: Option<&[String]>, name: &str) -> anyhow::Result<Result<(), String>> {
    if name.is_empty() {
        return Ok(Err("a name is needed".to_owned()));
    }
    if let Some(listed) = listed.filter(|listed| !listed.iter().any(|listed| listed == name)) {
        return Ok(Err(format!("Odoo serves no such database; it serves {}", listed.join(", "))));
    }
    let served = open(found, name)?.serves_database().await;
    Ok(match served.map_err(|error| anyhow::anyhow!(plain(&error.for_operator()).into_owned()))? {
        Some(false) => Err(format!("Odoo serves no database `{name}` at this address")),
        Some(true) | None => Ok(()),
    })
}

fn open(found: &Found, database: &str) -> anyhow::Result<std::sync::Arc<Odoo>> {
    reach::open(&found.url, found.ca.as_deref(), database).map_err(anyhow::Error::msg)
}

/// On Odoo Online, the database is called as the first part of the host.
fn likely(host: &str) -> Option<String> {
    host.strip_suffix(".odoo.com").filter(|name| !name.contains('.')).map(str::to_owned)
}
