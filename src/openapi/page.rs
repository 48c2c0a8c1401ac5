//! The page of `/docs`: what the document says, for people.
//!
//! It is rendered from the same values as the document, so that both say the same. It works without script; the script narrows lists
//! while one types, and copies.

use askama::Template;
use http::StatusCode;

use super::{
    credentials,
    fields::name as name_of_kind,
    model::{Field, Model},
    parameters::{of_payload, of_vals},
    routes,
    trial::Tried,
};
use crate::{
    errors::{Code, Retry, Section},
    odoo::{Choice, Kept, Kind},
    plan::parameters,
    route::Route,
    web::{self, Form, Frame},
    wire::{Response, status::status},
};

/// Who is in front of the page.
#[derive(Debug, Clone, Copy)]
pub enum Reader<'r> {
    /// Somebody at the public listener, with a credential of its own.
    Caller,
    /// An operator, or one who may look only, who chooses a `[[client]]`.
    Operator { clients: &'r [String], may_act: bool },
}

/// What a page shows.
pub struct Shown<'s> {
    pub frame: Frame,
    pub reader: Reader<'s>,
    /// What was asked: `model`, `client`, `q` (fields), `errors`.
    pub query: &'s Form,
    pub model: Option<&'s Model>,
    /// The models that there are, with their names for people; empty where they are not known.
    pub models: &'s [(String, String)],
    /// Why the model is not shown.
    pub problem: Option<String>,
    /// What was sent by the form, and what came of it.
    pub tried: Option<&'s Tried>,
}

#[derive(Template)]
#[template(path = "docs.html")]
struct Page<'p> {
    frame: &'p Frame,
    is_public: bool,
    may_act: bool,
    clients: &'p [String],
    client: &'p str,
    model_name: &'p str,
    words: &'p str,
    error_words: &'p str,
    credentials: Vec<(String, String)>,
    routes: Vec<RouteOf>,
    errors: Vec<ErrorOf>,
    models: &'p [(String, String)],
    model: Option<ModelOf<'p>>,
    problem: Option<String>,
    tried: Option<&'p Tried>,
    trial: TrialOf,
}

/// A route with its parameters.
struct RouteOf {
    name: &'static str,
    summary: &'static str,
    description: &'static str,
    parameters: Vec<(String, String)>,
    example: String,
}

/// A row of the table of errors.
struct ErrorOf {
    code: &'static str,
    statuses: String,
    retries: String,
    cause: String,
    remedy: String,
}

struct ModelOf<'m> {
    name: &'m str,
    fields: Vec<FieldOf<'m>>,
    all: usize,
    examples: Vec<(&'static str, &'static str, String)>,
    document: String,
}

struct FieldOf<'m> {
    field: &'m Field,
    words: String,
    kind: &'static str,
    relation: Option<&'m str>,
    choices: Vec<&'m Choice>,
    lookup: Option<String>,
    lines: Vec<&'m Field>,
    form: String,
}

/// What the form has in it.
struct TrialOf {
    route: &'static str,
    model: String,
    vals: String,
}

/// The page.
pub fn page(shown: &Shown<'_>) -> Response {
    page_with(StatusCode::OK, shown)
}

/// The page with another status, where what was asked for is not shown.
pub fn page_with(status: StatusCode, shown: &Shown<'_>) -> Response {
    let (is_public, clients, may_act) = match shown.reader {
        Reader::Caller => (true, &[][..], true),
        Reader::Operator { clients, may_act } => (false, clients, may_act),
    };
    let words = shown.query.text("q");
    let page = Page {
        frame: &shown.frame,
        is_public,
        may_act,
        clients,
        client: shown.query.text("client"),
        model_name: shown.query.text("model"),
        words,
        error_words: shown.query.text("errors"),
        credentials: credentials::in_words(),
        routes: Route::ALL.into_iter().map(RouteOf::new).collect(),
        errors: errors(shown.query.text("errors")),
        models: shown.models,
        model: shown.model.map(|model| ModelOf::new(model, words, shown.query.text("client"))),
        problem: shown.problem.clone(),
        tried: shown.tried,
        trial: TrialOf::new(shown),
    };
    web::page(status, &page)
}

/// Whether a text has all of these words, in any case.
fn has_words(text: &str, words: &str) -> bool {
    let text = text.to_lowercase();
    words.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

fn errors(words: &str) -> Vec<ErrorOf> {
    let codes = Code::ALL.iter().filter(|code| code.row().section != Section::Warnings);
    let rows = codes.map(|code| {
        let row = code.row();
        let mut statuses: Vec<String> = row.classes.iter().map(|class| status(*class).as_str().to_owned()).collect();
        statuses.dedup();
        ErrorOf {
            code: row.text,
            statuses: statuses.join(", "),
            retries: row.retries.iter().map(|retry| Retry::as_str(*retry)).collect::<Vec<_>>().join(", "),
            cause: row.cause.replace('`', ""),
            remedy: row.remedy.replace('`', ""),
        }
    });
    rows.filter(|row| has_words(&row.words(), words)).collect()
}

impl ErrorOf {
    fn words(&self) -> String {
        format!("{} {} {} {}", self.code, self.statuses, self.retries, self.cause)
    }
}

impl RouteOf {
    fn new(route: Route) -> Self {
        let (summary, description) = routes::words(route);
        let read = parameters(route);
        let told = |name: String, schema: Option<serde_json::Value>| {
            let text = schema.as_ref().and_then(|schema| schema["description"].as_str()).unwrap_or_default();
            (name, text.replace('`', ""))
        };
        let vals = read.vals.iter().map(|name| told((*name).to_owned(), of_vals(route, name)));
        let payload = read.payload.iter().map(|name| told(format!("payload.{name}"), of_payload(name)));
        Self {
            name: route.name(),
            summary,
            description,
            parameters: vals.chain(payload).filter(|(_, text)| !text.is_empty()).collect(),
            example: web::show::json(&routes::example(route)),
        }
    }
}

impl<'m> ModelOf<'m> {
    fn new(model: &'m Model, words: &str, client: &str) -> Self {
        let mut fields: Vec<FieldOf<'m>> = model.fields.iter().map(|field| FieldOf::new(model, field)).collect();
        let all = fields.len();
        fields.retain(|field| has_words(&field.words, words));
        // What a new record needs comes first, and then what the example of one has besides.
        let example = model.example(Route::CreateData).map(|example| &example["vals"]["payload"]);
        let is_in_example = |field: &Field| example.is_some_and(|payload| payload.get(field.name()).is_some());
        fields.sort_by_key(|FieldOf { field, .. }| (!field.is_required, !is_in_example(field), !field.is_kept()));
        let example = |(route, example): &(Route, serde_json::Value)| {
            (route.name(), routes::words(*route).0, web::show::json(example))
        };
        let query = Form::default().with("model", &*model.name).with("client", client).to_query();
        Self {
            name: &model.name,
            fields,
            all,
            examples: model.examples.iter().map(example).collect(),
            document: format!("/docs/openapi.json?{query}"),
        }
    }
}

impl<'m> FieldOf<'m> {
    fn new(model: &'m Model, field: &'m Field) -> Self {
        let (kind, name) = (field.kind(), field.name());
        let relation = kind.relation();
        let choices = match kind {
            Kind::Selection(Some(choices)) => choices.iter().collect(),
            _ => Vec::new(),
        };
        let lines = model.lines.get(name);
        let lines = lines.map_or_else(Vec::new, |lines| {
            let mut fields: Vec<&Field> = lines.fields.iter().filter(|field| field.is_kept()).collect();
            fields.sort_by_key(|field| !field.is_required);
            fields
        });
        let lookup = match kind {
            Kind::Many2one(_) => Some(format!("{{\"{name}\": {{\"name\": \"…\"}}}}")),
            Kind::Many2many(_) => {
                Some(format!("{{\"{name}\": {{\"mode\": \"add\", \"records\": [{{\"name\": \"…\"}}]}}}}"))
            }
            Kind::One2many(_) => Some(format!("{{\"{name}\": [{{…}}, {{…}}]}}")),
            _ => None,
        };
        let kind = name_of_kind(kind);
        let words = format!("{name} {} {} {kind} {}", field.label, field.help, relation.unwrap_or_default());
        Self { field, words, kind, relation, choices, lookup, lines, form: form_of(field) }
    }
}

/// What is taken for a field, in a sentence.
fn form_of(field: &Field) -> String {
    let form = match field.kind() {
        Kind::Text => match field.usable.field.size {
            Some(size) => format!("A text of at most {size} characters."),
            None => "A text.".to_owned(),
        },
        Kind::Html => "A text with HTML.".to_owned(),
        Kind::Boolean => "true or false.".to_owned(),
        Kind::Integer => "A whole number, also in a text.".to_owned(),
        Kind::Float => "A number, also in a text with a point: \"12.50\".".to_owned(),
        Kind::Date => "A date: \"2026-03-04\".".to_owned(),
        Kind::Datetime => "A time in UTC, or with an offset: \"2026-03-04T10:00:00+02:00\".".to_owned(),
        Kind::Selection(_) => "One of the values below, or its label.".to_owned(),
        Kind::Binary => "Base64, a data: URI, or {\"url\": \"https://…\"}.".to_owned(),
        Kind::Reference => "A model and an id: \"res.partner,7\".".to_owned(),
        Kind::Many2one(_) => {
            "A lookup by any fields of the record, its external id ({\"xml_id\": \"base.be\"}), or its id.".to_owned()
        }
        Kind::Many2many(_) => "Lookups or ids, with the mode \"replace\", \"add\" or \"remove\".".to_owned(),
        Kind::One2many(_) => {
            "A list of lines, or {\"mode\": \"merge\", \"key\": \"…\", \"records\": [{…}]}.".to_owned()
        }
        Kind::Free => "Any JSON value.".to_owned(),
    };
    let kept = match field.usable.field.kept {
        Kept::UntilComputed => " Odoo computes it in a new record.",
        Kept::No => " Odoo ignores a value that is sent.",
        Kept::Yes => "",
    };
    let translated = if field.usable.field.is_translated { " It has a text for each language." } else { "" };
    form + kept + translated
}

impl TrialOf {
    fn new(shown: &Shown<'_>) -> Self {
        if let Some(tried) = shown.tried {
            return Self { route: tried.route.name(), model: tried.model.clone(), vals: tried.vals.clone() };
        }
        let wanted = Route::named(shown.query.text("route")).unwrap_or(Route::CreateData);
        let example = match shown.model {
            Some(model) => model.example(wanted).cloned(),
            None => Some(routes::example(wanted)),
        };
        let model = shown.model.map_or("res.partner", |model| &model.name).to_owned();
        let vals = example.map_or_else(
            || "{\n  \"payload\": {}\n}".to_owned(),
            |example| {
                let mut vals = example["vals"].clone();
                if let Some(vals) = vals.as_object_mut() {
                    vals.remove("dry_run");
                }
                web::show::json(&vals)
            },
        );
        Self { route: wanted.name(), model, vals }
    }
}
