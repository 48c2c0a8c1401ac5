//! What needs a person, the most urgent first.

use jiff::{SignedDuration, Timestamp};

use super::facts::{Facts, MOST_IN_DOUBT, in_words};
use crate::{config::Config, operations::overview::Overview, web::show};

/// A key is named so long before it expires.
const EXPIRES_SOON: SignedDuration = SignedDuration::from_hours(14 * 24);
/// So many refusals within an hour are worth a look, where they are twice as many as in the hours before.
const REFUSALS: u64 = 5;
/// So many slots of a day are an hour.
const HOUR: usize = 3;

/// One thing to be looked at.
#[derive(Debug, PartialEq, Eq)]
pub struct Need {
    /// `bad` or `doubt`.
    pub class: &'static str,
    pub title: String,
    pub words: String,
    /// The page of the console where it is seen, if there is one.
    pub link: String,
}

/// `day` is the overview of the last 24 hours.
pub fn of(facts: &Facts, day: &Overview, config: &Config) -> Vec<Need> {
    let mut needs = Vec::new();
    machinery(facts, &mut needs);
    calls(facts, day, &mut needs);
    keys(config, day.until, &mut needs);
    needs
}

fn need(class: &'static str, title: impl Into<String>, words: impl Into<String>, link: impl Into<String>) -> Need {
    Need { class, title: title.into(), words: words.into(), link: link.into() }
}

fn machinery(facts: &Facts, needs: &mut Vec<Need>) {
    if let Some(failure) = &facts.log.failure {
        needs.push(need("bad", "The log takes no lines, so no call is taken", failure, ""));
    } else if let Some(free) = facts.log.free.filter(|free| *free < facts.log.min_free.saturating_mul(2)) {
        let words = format!(
            "{} are free. Below {} ([log] min_free) no call is taken.",
            show::bytes(&free),
            show::bytes(&facts.log.min_free)
        );
        needs.push(need("doubt", "The disk of the log is nearly full", words, ""));
    }
    if let Some(failure) = &facts.store.failure {
        needs.push(need("bad", "The store of keys and queued calls does not answer", failure, ""));
    }
    if let Err(why) = &facts.odoo.version {
        needs.push(need("bad", "Odoo does not answer", why, ""));
    }
    if facts.odoo.has_database == Some(false) {
        let words = format!(
            "Every call fails. Look at [upstream] database (`{}`) and at --db-filter of Odoo.",
            facts.odoo.database
        );
        needs.push(need("bad", "Odoo does not serve the configured database", words, ""));
    }
    for missing in &facts.missing {
        needs.push(need("bad", missing.degraded.clone(), missing.why.clone(), "/clients"));
    }
}

fn calls(facts: &Facts, day: &Overview, needs: &mut Vec<Need>) {
    if facts.in_doubt > 0 {
        let more = if facts.in_doubt >= MOST_IN_DOUBT as u64 { " or more" } else { "" };
        let title =
            format!("{}{more} {} in doubt", show::count(&facts.in_doubt), plural(facts.in_doubt, "call", "calls"));
        let words = "It is not known whether Odoo did it. Look in Odoo, then settle the call or run it again.";
        needs.push(need("doubt", title, words, "/calls?in_doubt=on"));
    }
    let dead = facts.sum(|queue| queue.dead);
    if dead > 0 {
        let title = format!("{} dead", show::counted(&dead, "queued call is", "queued calls are"));
        let words = "They are not tried again by themselves. Mend the cause, then revive or drop them.";
        needs.push(need("bad", title, words, "/queue"));
    }
    for queue in &facts.queues {
        if let Some(why) = &queue.paused {
            let title = format!("The queue of {} is paused", queue.client);
            needs.push(need("doubt", title, why.clone(), "/queue"));
        }
    }
    let (earlier, hour) = day.slots.split_at(day.slots.len().saturating_sub(HOUR));
    let refused = |slots: &[crate::operations::overview::Slot]| slots.iter().map(|slot| slot.calls.denied).sum::<u64>();
    let (before, now) = (refused(earlier), refused(hour));
    let hours = (earlier.len() / HOUR).max(1) as u64;
    if now >= REFUSALS && now.saturating_mul(hours) > before.saturating_mul(2) {
        let title = format!("{} refused by a policy in the last hour", show::counted(&now, "call", "calls"));
        let words = format!("In the {hours} hours before, there were {}.", show::count(&before));
        needs.push(need("doubt", title, words, "/calls?state=failed&since=1h"));
    }
}

fn keys(config: &Config, now: Timestamp, needs: &mut Vec<Need>) {
    for client in config.clients.iter().filter(|client| !client.is_revoked) {
        let Some(left) = client.expires.map(|expires| expires.duration_since(now)) else { continue };
        let path = percent_encoding::utf8_percent_encode(&client.name, percent_encoding::NON_ALPHANUMERIC);
        let link = format!("/clients/{path}");
        if !left.is_positive() {
            let words = "Its calls are refused. Set a later `expires`, or revoke or remove it.";
            needs.push(need("doubt", format!("The client {} has expired", client.name), words, link));
        } else if left < EXPIRES_SOON {
            let title = format!("The client {} expires in {}", client.name, in_words(left));
            needs.push(need("doubt", title, "Its calls are refused from then on.", link));
        }
    }
}

fn plural<'w>(number: u64, one: &'w str, several: &'w str) -> &'w str {
    if number == 1 { one } else { several }
}
