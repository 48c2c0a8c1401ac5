//! The form of the list's filters: one field for each condition of [`crate::operations::filter`].

use crate::{
    operations::filter::{self, Mistake},
    web::Form,
};

/// A field of the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::console) struct Field {
    pub(in crate::console) name: &'static str,
    pub(in crate::console) label: &'static str,
    pub(in crate::console) hint: &'static str,
    pub(in crate::console) value: String,
    pub(in crate::console) kind: Kind,
    /// Why what was written there cannot be read.
    pub(in crate::console) mistake: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::console) enum Kind {
    Text,
    Number,
    Switch { is_on: bool },
    Choice(Vec<Choice>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::console) struct Choice {
    pub(in crate::console) value: String,
    pub(in crate::console) label: String,
    pub(in crate::console) is_chosen: bool,
}

/// Fields that are needed often: name, label, hint.
const COMMON: [(&str, &str, &str); 5] = [
    ("text", "Text", "in its lines, exactly"),
    ("state", "State", ""),
    ("route", "Route", ""),
    ("model", "Model", "such as sale.order"),
    ("since", "Since", "2h, 3d or a date"),
];

/// Fields that are needed rarely.
const RARE: [(&str, &str, &str); 8] = [
    ("until", "Until", "a date, or date and time"),
    ("error", "Error code", "such as no_match"),
    ("caller", "Caller", "part of client or login"),
    ("record", "Record", "id, such as 42"),
    ("hook", "Hook", "its name"),
    ("delivery", "Delivery", "the sender's or a call's id"),
    ("in_doubt", "Only those in doubt that nobody has settled", ""),
    ("warnings", "Only those with warnings", ""),
];

/// The fields of the form with what a query has, and the mistakes in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::console) struct Fields {
    pub(in crate::console) common: Vec<Field>,
    pub(in crate::console) rare: Vec<Field>,
}

impl Fields {
    pub(in crate::console) fn of(query: &Form, mistakes: &[Mistake]) -> Self {
        let fields = |named: &[(&'static str, &'static str, &'static str)]| {
            named.iter().map(|(name, label, hint)| field(query, mistakes, name, label, hint)).collect()
        };
        Self { common: fields(&COMMON), rare: fields(&RARE) }
    }

    /// Whether a field that is needed rarely has something, but for what a tab above the form says already.
    pub(in crate::console) fn has_rare(&self) -> bool {
        self.rare.iter().any(|field| !field.value.is_empty() && field.name != "in_doubt")
    }
}

fn field(query: &Form, mistakes: &[Mistake], name: &'static str, label: &'static str, hint: &'static str) -> Field {
    let value = query.text(name).to_owned();
    let choice = |value: &str, label: &str, chosen: &str| Choice {
        value: value.to_owned(),
        label: label.to_owned(),
        is_chosen: value == chosen,
    };
    let kind = match name {
        "state" => {
            let chosen = filter::state(&value).map_or("", filter::state_name);
            let states = filter::STATES.iter().map(|(name, state)| choice(name, state.as_str(), chosen));
            Kind::Choice([choice("", "any", chosen)].into_iter().chain(states).collect())
        }
        "route" => {
            let chosen = filter::route(&value).map(|route| route.to_string()).unwrap_or_default();
            let routes = filter::routes().map(|route| match route.name() {
                "proxy" => choice("proxy", "passed on or refused requests", &chosen),
                name => choice(name, name, &chosen),
            });
            Kind::Choice([choice("", "all routes", &chosen)].into_iter().chain(routes).collect())
        }
        "in_doubt" | "warnings" => Kind::Switch { is_on: query.is_ticked(name) },
        "record" => Kind::Number,
        _ => Kind::Text,
    };
    let mistake = mistakes.iter().find(|mistake| mistake.field == name).map(|mistake| mistake.words.to_string());
    Field { name, label, hint, value, kind, mistake }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::filter::{NAMES, filter_of};

    #[test]
    fn every_condition_has_a_field_and_a_mistake_stands_at_its_own() {
        let query = Form::parse(b"state=in_doubt&since=soon&record=7");
        let mistakes = filter_of(|name| query.given(name)).unwrap_err();
        let fields = Fields::of(&query, &mistakes);
        let mut names: Vec<_> = fields.common.iter().chain(&fields.rare).map(|field| field.name).collect();
        let mut known = NAMES.to_vec();
        names.sort_unstable();
        known.sort_unstable();
        assert_eq!(names, known);
        assert!(fields.has_rare());
        let field = |name| fields.common.iter().find(|field| field.name == name).unwrap();
        assert!(field("since").mistake.as_ref().unwrap().contains("`soon` is no time"));
        assert_eq!((field("since").value.as_str(), &field("model").mistake), ("soon", &None));
        let is_chosen = |state: &Choice| state.is_chosen && state.value == "in-doubt";
        assert!(matches!(&field("state").kind, Kind::Choice(states) if states.iter().any(is_chosen)));
        assert!(!Fields::of(&Form::parse(b"model=sale.order&in_doubt=on"), &[]).has_rare());
    }
}
