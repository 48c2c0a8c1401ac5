//! The list of calls, searchable by all filters of `log ls`, live at its top.
//!
//! The state of the page is its address: the conditions by their names, and the cursor of an older page as `after`.

pub(super) mod fields;
pub(super) mod records;
pub(super) mod row;

use askama::Template;
use http::StatusCode;

use self::{fields::Fields, records::OdooLinks, row::Row};
use super::visit::{Place, Shown, Visit};
use crate::{
    log::{Cursor, Filter, Page},
    operations::{
        calls::Query,
        filter::{NAMES, filter_of},
    },
    web::{Form, Frame, Problem, page as whole},
};

/// Calls of a page.
const ROWS: usize = 50;

/// The list of one state.
struct Tab {
    label: &'static str,
    href: String,
    is_here: bool,
}

#[derive(Template)]
#[template(path = "calls.html")]
struct Calls {
    frame: Frame,
    tabs: Vec<Tab>,
    fields: Fields,
    rows: Vec<Row>,
    is_filtered: bool,
    has_mistakes: bool,
    /// The way to the page that runs these calls again.
    again: Option<String>,
    /// Where what is new comes from.
    live: Option<String>,
    latest: Option<String>,
    earlier: Option<String>,
}

pub(super) async fn page(visit: &Visit<'_>) -> Shown {
    let conditions = conditions(&visit.query);
    let (filter, mistakes) = match filter_of(|name| visit.query.given(name)) {
        Ok(filter) => (Some(filter), Vec::new()),
        Err(mistakes) => (None, mistakes),
    };
    let cursor = match visit.query.given("after").map(str::parse::<Cursor>) {
        None => None,
        Some(Ok(cursor)) => Some(cursor),
        Some(Err(_)) => {
            let words = "`after` is not the cursor of a page. Begin again at the latest calls.";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "Not a page of the list", words));
        }
    };
    let mut live = None;
    let Page { calls, next } = match filter {
        None => Page { calls: Vec::new(), next: None },
        Some(filter) => {
            let log = visit.calls()?;
            // Before the list is read, so that nothing falls between the two.
            let is_live = cursor.is_none() && filter.until.is_none();
            let place = if is_live { log.place().await.ok() } else { None };
            let page = read(visit, filter, cursor).await?;
            live = place.map(|place| href("/live", &conditions.clone().with("at", place.to_string())));
            page
        }
    };
    let links = OdooLinks::of(visit);
    let shown = Calls {
        frame: visit.frame("Calls", Place::Calls),
        tabs: tabs(&conditions),
        fields: Fields::of(&visit.query, &mistakes),
        rows: calls.iter().map(|call| Row::of(call, &links)).collect(),
        is_filtered: conditions.pairs().next().is_some(),
        has_mistakes: !mistakes.is_empty(),
        again: (visit.is_operator() && !calls.is_empty()).then(|| href("/again", &conditions)),
        live,
        latest: cursor.map(|_| href("/calls", &conditions)),
        earlier: next.map(|next| href("/calls", &conditions.clone().with("after", next.to_string()))),
    };
    let status = if shown.has_mistakes { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    Ok(whole(status, &shown))
}

async fn read(visit: &Visit<'_>, filter: Filter, cursor: Option<Cursor>) -> Result<Page, Problem> {
    let query = Query { filter, limit: Some(ROWS), cursor };
    visit.calls()?.page(query).await.map_err(super::visit::unreadable)
}

/// What of a query is a condition, in one order.
fn conditions(query: &Form) -> Form {
    let given = NAMES.into_iter().filter_map(|name| Some((name, query.given(name)?)));
    given.fold(Form::default(), |form, (name, value)| form.with(name, value))
}

fn href(path: &str, query: &Form) -> String {
    match query.to_query() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// The lists of one state each, with all other conditions as they are.
fn tabs(conditions: &Form) -> Vec<Tab> {
    const TABS: [(&str, &str, &str); 5] = [
        ("All", "", ""),
        ("Failed", "failed", ""),
        ("In doubt", "", "on"),
        ("Queued", "queued", ""),
        ("Running", "running", ""),
    ];
    let (state, in_doubt) = (conditions.text("state"), conditions.is_ticked("in_doubt"));
    let tab = |(label, of, doubt): (&'static str, &str, &str)| {
        let query = conditions.clone().with("state", of).with("in_doubt", doubt);
        Tab { label, href: href("/calls", &query), is_here: state == of && in_doubt == (doubt == "on") }
    };
    TABS.map(tab).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tab_changes_the_state_and_keeps_the_other_conditions() {
        let query = Form::parse(b"model=sale.order&state=failed&after=9.4&other=x");
        let conditions = conditions(&query);
        assert_eq!(conditions.to_query(), "state=failed&model=sale.order");
        let tabs = tabs(&conditions);
        let hrefs: Vec<_> = tabs.iter().map(|tab| tab.href.as_str()).collect();
        assert_eq!(hrefs[0], "/calls?model=sale.order");
        assert_eq!(hrefs[2], "/calls?model=sale.order&in_doubt=on");
        assert_eq!(tabs.iter().map(|tab| tab.is_here).collect::<Vec<_>>(), [false, true, false, false, false]);
        assert!(super::tabs(&Form::default())[0].is_here);
    }
}
