//! The conditions by which calls are selected, as texts: options of the command line, the query of a page, a form.
//!
//! Each condition has one name, which is the same in all three. A text that cannot be read is a [`Mistake`] at its name; the
//! others are read nevertheless, so that a person sees all mistakes at once. Nothing here reads the log.

use std::str::FromStr;

use jiff::{Timestamp, Zoned, civil::DateTime, tz::TimeZone};

use super::near::did_you_mean;
use crate::{
    config,
    errors::Code,
    log::{CallState, Filter, RecordedRoute},
    route::Route,
};

/// The names of all conditions, in the order in which a person thinks of them.
pub const NAMES: [&str; 13] = [
    "text", "state", "route", "model", "error", "caller", "since", "until", "record", "hook", "delivery", "in_doubt",
    "warnings",
];

/// The states that can be asked for, by the names of [`state`].
pub const STATES: [(&str, CallState); 7] = [
    ("done", CallState::Done),
    ("failed", CallState::Failed),
    ("in-doubt", CallState::InDoubt),
    ("running", CallState::Running),
    ("queued", CallState::Queued),
    ("ignored", CallState::Ignored),
    ("dry-run", CallState::DryRun),
];

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRead {
    #[error("the routes are {}{}", names_of_routes().join(", "), did_you_mean(.0, names_of_routes().iter().map(String::as_str)))]
    Route(String),
    #[error("a call is {}{}", names_of_states(), did_you_mean(.0, STATES.iter().map(|(name, _)| *name)))]
    State(String),
    #[error("`{code}` is no error code{}", near_codes(.code))]
    Code { code: String },
    #[error("`{0}` is no time; give 2h, 3d, 2026-11-23, 2026-11-23T09:30 or 2026-11-23T09:30:00Z")]
    Time(String),
    #[error("`{0}` is no id of a record; give a whole number")]
    Record(String),
    #[error("`{0}` is neither `on` nor `off`")]
    Switch(String),
}

/// A condition that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The condition's name.
    pub field: &'static str,
    pub words: NotRead,
}

fn names_of_routes() -> Vec<String> {
    routes().map(|route| route.to_string()).collect()
}

fn names_of_states() -> String {
    let names = STATES.map(|(name, _)| name);
    let (last, first) = names.split_last().unwrap_or((&"", &[]));
    format!("{} or {last}", first.join(", "))
}

/// Codes that may be meant, or where all of them stand.
fn near_codes(text: &str) -> String {
    match did_you_mean(text, Code::ALL.iter().map(|code| code.as_str())) {
        none if none.is_empty() => "; docs/errors.md has all of them".to_owned(),
        meant => meant,
    }
}

/// The routes that can be asked for.
pub fn routes() -> impl Iterator<Item = RecordedRoute> {
    Route::ALL.map(RecordedRoute::Api).into_iter().chain([RecordedRoute::Passed])
}

/// A route, by its name or its path.
///
/// # Errors
/// There is no such route.
pub fn route(text: &str) -> Result<RecordedRoute, NotRead> {
    match RecordedRoute::named(text.strip_prefix("/api/").unwrap_or(text)) {
        RecordedRoute::Unknown(_) => Err(NotRead::Route(text.to_owned())),
        known => Ok(known),
    }
}

/// A state, by its name.
///
/// # Errors
/// There is no such state.
pub fn state(text: &str) -> Result<CallState, NotRead> {
    let name = match text {
        "in_doubt" => "in-doubt",
        "dry_run" => "dry-run",
        name => name,
    };
    STATES
        .into_iter()
        .find(|(known, _)| *known == name)
        .map(|(_, state)| state)
        .ok_or_else(|| NotRead::State(text.to_owned()))
}

/// The name of a state, as [`state`] reads it.
pub fn state_name(state: CallState) -> &'static str {
    STATES.into_iter().find(|(_, known)| *known == state).map_or("", |(name, _)| name)
}

/// The earliest time; a date alone means its first moment.
///
/// # Errors
/// The text is neither an age nor a time.
pub fn earliest(text: &str) -> Result<Timestamp, NotRead> {
    time(text, false)
}

/// The latest time; a date alone means its last moment.
///
/// # Errors
/// The text is neither an age nor a time.
pub fn latest(text: &str) -> Result<Timestamp, NotRead> {
    time(text, true)
}

fn time(text: &str, is_end: bool) -> Result<Timestamp, NotRead> {
    let wrong = || NotRead::Time(text.to_owned());
    if let Ok(ago) = config::days(text) {
        return Timestamp::now().checked_sub(ago).map_err(|_| wrong());
    }
    if let Ok(time) = Timestamp::from_str(text) {
        return Ok(time);
    }
    let local = DateTime::from_str(text).map_err(|_| wrong())?;
    let is_date = !text.contains(['T', ' ', 't']);
    let zoned = local.to_zoned(TimeZone::system()).map_err(|_| wrong())?;
    let end = |day: Zoned| day.end_of_day().map_err(|_| wrong());
    Ok(if is_date && is_end { end(zoned)? } else { zoned }.timestamp())
}

/// An error code.
///
/// # Errors
/// This version has no such code.
pub fn error(text: &str) -> Result<String, NotRead> {
    let is_known = Code::ALL.iter().any(|code| code.as_str() == text);
    if is_known { Ok(text.to_owned()) } else { Err(NotRead::Code { code: text.to_owned() }) }
}

/// A hook's name, by its name or its path.
pub fn hook(text: &str) -> String {
    let mut name = text.trim();
    while let Some(behind) = name.strip_prefix("/hooks/") {
        name = behind.trim();
    }
    name.to_owned()
}

fn record(text: &str) -> Result<i64, NotRead> {
    text.parse().map_err(|_| NotRead::Record(text.to_owned()))
}

fn switch(text: &str) -> Result<bool, NotRead> {
    match text {
        "on" | "true" | "yes" | "1" => Ok(true),
        "off" | "false" | "no" | "0" => Ok(false),
        _ => Err(NotRead::Switch(text.to_owned())),
    }
}

/// The filter of these texts, which `named` gives by the names of [`NAMES`]. A text that is empty or blank is no condition.
///
/// # Errors
/// Some texts cannot be read: all of them, in the order of [`NAMES`].
pub fn filter_of<'t>(named: impl Fn(&'static str) -> Option<&'t str>) -> Result<Filter, Vec<Mistake>> {
    let (mut filter, mut mistakes) = (Filter::default(), Vec::new());
    for field in NAMES {
        let Some(text) = named(field).map(str::trim).filter(|text| !text.is_empty()) else { continue };
        if let Err(words) = set(&mut filter, field, text) {
            mistakes.push(Mistake { field, words });
        }
    }
    if mistakes.is_empty() { Ok(filter) } else { Err(mistakes) }
}

fn set(filter: &mut Filter, field: &str, text: &str) -> Result<(), NotRead> {
    match field {
        "text" => filter.text = Some(text.to_owned()),
        "state" => filter.state = Some(state(text)?),
        "route" => filter.route = Some(route(text)?),
        "model" => filter.model = Some(text.to_owned()),
        "error" => filter.error = Some(error(text)?),
        "caller" => filter.caller = Some(text.to_owned()),
        "since" => filter.since = Some(earliest(text)?),
        "until" => filter.until = Some(latest(text)?),
        "record" => filter.record = Some(record(text)?),
        "hook" => filter.hook = Some(hook(text)).filter(|name| !name.is_empty()),
        "delivery" => filter.delivery = Some(text.to_owned()),
        "in_doubt" => filter.in_doubt = switch(text)?,
        "warnings" => filter.warnings = switch(text)?,
        _ => {}
    }
    Ok(())
}

/// The conditions of a filter as texts, which [`filter_of`] reads back. Ages have become moments.
pub fn to_pairs(filter: &Filter) -> Vec<(&'static str, String)> {
    let Filter { route, model, state, caller, error, hook, delivery, record, since, until, text, in_doubt, warnings } =
        filter;
    let pairs = [
        ("text", text.clone()),
        ("state", state.map(|state| state_name(state).to_owned())),
        ("route", route.as_ref().map(ToString::to_string)),
        ("model", model.clone()),
        ("error", error.clone()),
        ("caller", caller.clone()),
        ("since", since.as_ref().map(ToString::to_string)),
        ("until", until.as_ref().map(ToString::to_string)),
        ("record", record.as_ref().map(ToString::to_string)),
        ("hook", hook.clone()),
        ("delivery", delivery.clone()),
        ("in_doubt", in_doubt.then(|| "on".to_owned())),
        ("warnings", warnings.then(|| "on".to_owned())),
    ];
    pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Filter, Vec<Mistake>> {
        filter_of(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| *value))
    }

    #[test]
    fn times_are_ages_dates_and_moments() {
        let hours = |time: Timestamp| Timestamp::now().duration_since(time).as_secs_f64() / 3600.0;
        assert!((1.9..2.1).contains(&hours(earliest("2h").unwrap())));
        assert_eq!(earliest("2026-11-23T09:30:00Z").unwrap().to_string(), "2026-11-23T09:30:00Z");
        let (first, last) = (earliest("2026-11-23").unwrap(), latest("2026-11-23").unwrap());
        assert_eq!(last.duration_since(first).as_secs(), 86_399);
        assert!(earliest("yesterday").unwrap_err().to_string().contains("is no time"));
    }

    #[test]
    fn a_hook_is_known_by_its_name_and_its_path_with_blanks_around_it() {
        for text in ["shop", "/hooks/shop", " /hooks/ shop ", "/hooks//hooks/shop"] {
            assert_eq!(read(&[("hook", text)]).unwrap().hook.as_deref(), Some("shop"), "{text}");
        }
        assert_eq!(read(&[("hook", "/hooks/")]).unwrap().hook, None);
    }

    #[test]
    fn every_condition_is_written_as_it_is_read() {
        let pairs = [
            ("text", "Jane & Co"),
            ("state", "in-doubt"),
            ("route", "create_data"),
            ("model", "sale.order"),
            ("error", "no_match"),
            ("caller", "webshop"),
            ("since", "2026-11-23T09:30:00Z"),
            ("until", "2026-11-24T09:30:00.5Z"),
            ("record", "42"),
            ("hook", "shop"),
            ("delivery", "evt_1"),
            ("in_doubt", "on"),
            ("warnings", "on"),
        ];
        let written = to_pairs(&read(&pairs).unwrap());
        assert_eq!(written, pairs.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(written.iter().map(|(name, _)| *name).collect::<Vec<_>>(), NAMES);
        assert!(to_pairs(&read(&[("text", "  "), ("state", ""), ("in_doubt", "off")]).unwrap()).is_empty());
        let paths = read(&[("route", "/api/create_data"), ("hook", "/hooks/shop"), ("state", "in_doubt")]).unwrap();
        assert_eq!((paths.hook.as_deref(), paths.state), (Some("shop"), Some(CallState::InDoubt)));
    }

    #[test]
    fn all_mistakes_are_told_each_at_its_condition() {
        let pairs =
            [("state", "broken"), ("since", "soon"), ("record", "x"), ("model", "sale.order"), ("route", "drop")];
        let mistakes = read(&pairs).unwrap_err();
        assert_eq!(
            mistakes.iter().map(|mistake| mistake.field).collect::<Vec<_>>(),
            ["state", "route", "since", "record"]
        );
        assert!(mistakes[1].words.to_string().contains("create_data"));
    }
}
