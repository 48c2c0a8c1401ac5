//! The questions that the lookups of a payload ask, without duplicates.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{
    folding::{self, folded},
    query::Query,
};
use crate::{
    config::{CompanyFilter, Compat, Dialect, LookupKeys},
    odoo::{Archived, Comparison, ExternalId, Kind, LookupCriteria, Rpc},
    plan::{
        named_ids::{MAX_NAMED, NamedId},
        schema_view::{ModelView, SchemaView},
        wording::shown,
    },
    policy::{Denied, Name, Touch},
};

/// The key of a lookup that names a record by its external id, in models without a field of that name.
pub(in crate::plan) const XML_ID: &str = "xml_id";
/// The field that stands for a name in a plan.
const NAME: &str = "display_name";
/// What stands beside the keys of a lookup to find archived records too, in models without a field of that name.
pub(in crate::plan) const ARCHIVED: &str = "archived";

/// "Which records of `model` have `value` in `field`, and the values of `beside` in their fields?"
#[derive(Debug, Clone, PartialEq)]
pub(in crate::plan) struct Question {
    pub(in crate::plan) model: String,
    pub(in crate::plan) field: String,
    pub(in crate::plan) value: Value,
    /// The other keys, in the order of their names.
    pub(in crate::plan) beside: Vec<(String, Value)>,
    /// The company to search in, where the model has one and the lookup is filtered by it.
    pub(in crate::plan) company: Option<i64>,
    /// The value can be recognised in what `read` gives, so that several questions can share one query.
    pub(super) is_comparable: bool,
    pub(super) comparison: Comparison,
    /// The further fields whose texts are compared in whatever case.
    folded: Vec<String>,
    /// Archived records count.
    pub(in crate::plan) finds_archived: bool,
    /// The field that says whether a record is archived, where the model has one that the caller may read.
    pub(in crate::plan) active: Option<String>,
    /// The fields whose lookups ask the question, and for which a record may be created.
    pub(in crate::plan) asked_by: Vec<String>,
    /// The number of places that need the answer, and whether all of them accept a record that is created in their
    /// place.
    pub(in crate::plan) uses: usize,
    pub(in crate::plan) is_for_many: bool,
}

/// A lookup as it stands in a payload.
#[derive(Debug, Clone)]
pub(in crate::plan) struct Lookup<'p> {
    /// The relational field that the lookup stands in, and whether it leads to many records.
    pub(in crate::plan) field: &'p str,
    pub(in crate::plan) is_for_many: bool,
    /// The model that the field leads to.
    pub(in crate::plan) model: &'p str,
    /// The keys: at least one field, with the value that it must have.
    pub(in crate::plan) keys: Vec<(&'p str, &'p Value)>,
    pub(in crate::plan) company: Option<i64>,
}

/// How lookups are filtered by company, and which of their keys count.
#[derive(Debug, Clone, Copy)]
pub(in crate::plan) struct Filter<'c> {
    pub(in crate::plan) mode: CompanyFilter,
    pub(in crate::plan) skip: &'c [String],
    pub(in crate::plan) keys: LookupKeys,
    /// The fields whose texts are compared in whatever case.
    pub(in crate::plan) ignore_case: &'c [Name],
    /// The forms in which related records are named.
    pub(in crate::plan) dialect: Dialect,
}

impl<'c> Filter<'c> {
    pub(in crate::plan) fn of(compat: &'c Compat) -> Self {
        Self {
            mode: compat.company_filter,
            skip: &compat.company_filter_skip,
            keys: compat.lookup_keys,
            ignore_case: &compat.ignore_case,
            dialect: compat.dialect,
        }
    }

    /// Whether texts of the field are compared in whatever case.
    pub(in crate::plan) fn ignores_case(&self, model: &str, field: &str) -> bool {
        self.ignore_case.iter().any(|name| name.matches(model, field))
    }
}

/// Why a lookup cannot be asked.
#[derive(Debug)]
pub(in crate::plan) enum LookupError {
    Denied(Denied),
    /// The related model has no such field.
    NoField(String),
    /// The value of a key is none that the key can have: the key, and what is wrong.
    BadKey(&'static str, String),
    /// No field is named to look up by.
    NoKey,
}

impl From<Denied> for LookupError {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

/// Identifies a [`Question`] within its [`Questions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::plan) struct QuestionId(pub(super) usize);

/// The different questions of one payload.
#[derive(Debug, Default, Clone)]
pub(in crate::plan) struct Questions {
    asked: Vec<Question>,
    index: HashMap<String, QuestionId>,
    /// Records that are named by id: they are asked for only where Odoo refuses the call.
    named_ids: Vec<NamedId>,
    creates_nothing: bool,
}

impl Questions {
    /// Adds a lookup, which reads the related model, and returns the id of its question.
    ///
    /// A lookup that names an id or a company is not filtered by company. A dotted path leads through other models and
    /// is left for Odoo to judge.
    ///
    /// # Errors
    /// The policy does not let the caller read a key, or the model has no such field.
    pub(in crate::plan) fn add(
        &mut self,
        schemas: &SchemaView<'_>,
        filter: Filter<'_>,
        lookup: Lookup<'_>,
    ) -> Result<QuestionId, LookupError> {
        let Lookup { model, mut keys, .. } = lookup;
        // Lookups with the same keys are the same question, in any order.
        keys.sort_unstable_by_key(|(key, _)| *key);
        let view = schemas.model(model)?;
        let active = view.as_ref().and_then(ModelView::active).map(str::to_owned);
        let is_pseudo = |name: &str| view.as_ref().is_some_and(|view| view.kind(name).is_none());
        let mut finds_archived = take_archived(&mut keys, active.is_some() && is_pseudo(ARCHIVED))?;
        let external = keys.iter().position(|(key, _)| *key == XML_ID).filter(|_| is_pseudo(XML_ID));
        // The position of a key whose values can be asked for together.
        let mut comparable = external;
        for (place, (key, value)) in keys.iter().enumerate() {
            schemas.policy().decide(Touch::Read { model, field: key })?;
            let is_comparable = match *key {
                XML_ID if external == Some(place) => is_external_id(schemas, model, value)?,
                "id" => value.is_i64(),
                key => is_comparable(schemas, model, key, value)?,
            };
            if is_comparable && comparable.is_none() {
                comparable = Some(place);
            }
        }
        if keys.is_empty() {
            return Err(LookupError::NoKey);
        }
        let is_named = |key: &str| key == "id" || (external.is_some() && key == XML_ID);
        // What is named surely is meant, archived or not.
        finds_archived |= keys.iter().all(|(key, _)| is_named(key));
        let names_its_record = keys.iter().any(|(key, _)| is_named(key) || *key == "company_id");
        let company = if names_its_record { None } else { company_of(schemas, filter, model, lookup.company)? };
        let ignores_case = |key: &str, value: &Value| value.is_string() && filter.ignores_case(model, key);
        // Where no key is comparable, the first one is looked up by.
        let (field, value) = keys.remove(comparable.unwrap_or(0));
        let comparison = match field {
            XML_ID if external.is_some() => Comparison::ExternalId,
            field if ignores_case(field, value) => Comparison::IgnoringCase,
            _ => Comparison::Equal,
        };
        let value = if comparison == Comparison::IgnoringCase { folded(value) } else { value.clone() };
        let is_folded = keys.iter().filter(|(key, value)| ignores_case(key, value));
        let folded_fields = is_folded.map(|(key, _)| (*key).to_owned()).collect();
        let beside: Vec<_> = keys.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
        let question = Question {
            model: model.to_owned(),
            field: field.to_owned(),
            value,
            beside,
            company,
            is_comparable: comparable.is_some(),
            comparison,
            folded: folded_fields,
            finds_archived,
            active,
            asked_by: Vec::new(),
            uses: 0,
            is_for_many: true,
        };
        Ok(self.use_question(question, lookup.field, lookup.is_for_many))
    }

    /// Adds the question which record of a model has a name. What counts as a name is the model's own, so Odoo is asked for each
    /// name by itself.
    ///
    /// # Errors
    /// The policy does not let the caller search the model by name.
    pub(in crate::plan) fn add_name(
        &mut self,
        schemas: &SchemaView<'_>,
        filter: Filter<'_>,
        (field, model, company): (&str, &str, Option<i64>),
        name: &str,
    ) -> Result<QuestionId, Denied> {
        schemas.by_name(model)?;
        let question = Question {
            model: model.to_owned(),
            field: NAME.to_owned(),
            value: json!(name),
            beside: Vec::new(),
            company: company_of(schemas, filter, model, company)?,
            is_comparable: false,
            comparison: Comparison::Name,
            folded: Vec::new(),
            finds_archived: false,
            active: None,
            asked_by: Vec::new(),
            uses: 0,
            is_for_many: true,
        };
        Ok(self.use_question(question, field, false))
    }

    /// The id of the question, which is asked once however often it is needed: here by a field.
    fn use_question(&mut self, question: Question, field: &str, is_for_many: bool) -> QuestionId {
        let Question { model, field: by, value, beside, company, finds_archived, comparison, .. } = &question;
        let is_name = *comparison == Comparison::Name;
        let key = json!([model, by, value, beside, company, finds_archived, is_name]).to_string();
        let id = *self.index.entry(key).or_insert_with(|| {
            self.asked.push(question);
            QuestionId(self.asked.len() - 1)
        });
        let question = &mut self.asked[id.0];
        question.uses += 1;
        question.is_for_many &= is_for_many;
        if !self.creates_nothing && !question.asked_by.iter().any(|known| known == field) {
            question.asked_by.push(field.to_owned());
        }
        id
    }

    /// Notes a record that is named by id.
    pub(in crate::plan) fn name_id(&mut self, model: &str, id: i64, path: &str) {
        if self.named_ids.len() < MAX_NAMED {
            self.named_ids.push(NamedId { model: model.to_owned(), id, path: path.to_owned() });
        }
    }

    /// Takes the records that are named by id: the plan keeps them.
    pub(in crate::plan) fn take_named_ids(&mut self) -> Vec<NamedId> {
        std::mem::take(&mut self.named_ids)
    }

    /// With `true`, lookups that are added from now on create no record where they find none.
    pub(in crate::plan) fn create_nothing(&mut self, creates_nothing: bool) {
        self.creates_nothing = creates_nothing;
    }

    pub(in crate::plan) fn get(&self, id: QuestionId) -> &Question {
        &self.asked[id.0]
    }

    /// The questions with their ids, in order.
    pub(in crate::plan) fn iter(&self) -> impl Iterator<Item = (QuestionId, &Question)> {
        self.asked.iter().enumerate().map(|(index, question)| (QuestionId(index), question))
    }

    /// The RPC that asks this question alone.
    pub(in crate::plan) fn question(&self, filter: Filter<'_>, id: QuestionId) -> Rpc {
        let question = self.get(id);
        question.query(filter, false).rpc(std::slice::from_ref(&question.value))
    }
}

/// Takes `archived` out of the keys, where it is none of the model's fields; whether archived records count.
fn take_archived(keys: &mut Vec<(&str, &Value)>, is_pseudo: bool) -> Result<bool, LookupError> {
    let Some(place) = keys.iter().position(|(key, _)| *key == ARCHIVED).filter(|_| is_pseudo) else {
        return Ok(false);
    };
    match keys.remove(place).1 {
        Value::Bool(counts) => Ok(*counts),
        _ => Err(LookupError::BadKey(ARCHIVED, "must be true or false".to_owned())),
    }
}

/// What is wrong with a text in the place of an id.
pub(in crate::plan) fn no_id(text: &str) -> String {
    let said = "must be a number";
    match ExternalId::parse(text) {
        Some(_) => format!("{said}; an external id is looked up by `{XML_ID}`: {}", json!({ XML_ID: text })),
        None => said.to_owned(),
    }
}

/// Checks an external id; whether the model can be read, which is known once its schema is there.
fn is_external_id(schemas: &SchemaView<'_>, model: &str, value: &Value) -> Result<bool, LookupError> {
    schemas.policy().decide(Touch::Read { model, field: "id" })?;
    match value.as_str().and_then(ExternalId::parse) {
        Some(_) => Ok(true),
        None => Err(LookupError::BadKey(XML_ID, NO_EXTERNAL_ID.to_owned())),
    }
}

/// What is wrong with a value that is no external id.
pub(in crate::plan) const NO_EXTERNAL_ID: &str = "must be an external id with its module, such as `base.be`";

/// Whether the value can be recognised in what `read` gives of the field.
pub(in crate::plan) fn is_comparable(
    schemas: &SchemaView<'_>,
    model: &str,
    key: &str,
    value: &Value,
) -> Result<bool, LookupError> {
    let Some(view) = schemas.model(model)? else { return Ok(false) };
    let described = view.read(key)?;
    if described.is_none() && !key.contains('.') {
        return Err(LookupError::NoField(key.to_owned()));
    }
    Ok(described.is_some_and(|field| match field.kind {
        Kind::Text | Kind::Selection(_) => field.is_column && value.is_string(),
        Kind::Integer => field.is_column && value.is_i64(),
        _ => false,
    }))
}

/// The company that lookups in the model are restricted to, if any.
fn company_of(
    schemas: &SchemaView<'_>,
    filter: Filter<'_>,
    model: &str,
    company: Option<i64>,
) -> Result<Option<i64>, Denied> {
    let Some(view) = schemas.model(model)? else { return Ok(None) };
    let is_filtered =
        filter.mode != CompanyFilter::Off && view.has_company() && !filter.skip.iter().any(|skip| skip == model);
    Ok(company.filter(|_| is_filtered))
}

impl Question {
    /// The query that asks the question. With `tells`, archived records are told apart.
    pub(super) fn query(&self, filter: Filter<'_>, tells: bool) -> Query {
        let Self { model, field, company, beside, comparison, .. } = self;
        let archived = match &self.active {
            Some(active) if self.finds_archived => Archived::Counted(active.clone()),
            Some(active) if tells => Archived::Told(active.clone()),
            _ => Archived::Hidden,
        };
        let by = LookupCriteria {
            model: model.clone(),
            field: field.clone(),
            company: *company,
            beside: beside.clone(),
            comparison: *comparison,
            archived,
        };
        Query { by, mode: filter.mode, folded: self.folded.clone() }
    }

    /// Whether two values of a key are compared as equal.
    pub(super) fn is_equal(&self, field: &str, one: &Value, other: &Value) -> bool {
        self.compared(field, one) == self.compared(field, other)
    }

    /// A value of a key in the form in which it is compared.
    pub(super) fn compared(&self, field: &str, value: &Value) -> Value {
        if self.ignores_case(field) { folded(value) } else { value.clone() }
    }

    fn ignores_case(&self, field: &str) -> bool {
        let is_primary = field == self.field && self.comparison == Comparison::IgnoringCase;
        is_primary || self.folded.iter().any(|folded| folded == field)
    }

    /// Whether the records are found by their fields, rather than by an external id or a name.
    pub(in crate::plan) fn is_by_fields(&self) -> bool {
        matches!(self.comparison, Comparison::Equal | Comparison::IgnoringCase)
    }

    /// The terms for the keys, in whatever company.
    pub(in crate::plan) fn terms(&self) -> Vec<Value> {
        let mut terms = Vec::new();
        for (field, value) in self.keys() {
            if self.ignores_case(field) {
                terms.extend(folding::terms(field, std::slice::from_ref(value)));
            } else {
                terms.push(json!([field, "=", value]));
            }
        }
        terms
    }

    /// All keys with their values.
    pub(in crate::plan) fn keys(&self) -> impl Iterator<Item = (&str, &Value)> + Clone {
        let beside = self.beside.iter().map(|(field, value)| (field.as_str(), value));
        std::iter::once((self.field.as_str(), &self.value)).chain(beside)
    }

    /// The names of all keys, for a sentence.
    pub(in crate::plan) fn fields(&self) -> String {
        self.keys().map(|(field, _)| field).collect::<Vec<_>>().join(", ")
    }

    /// What is looked up, for a sentence: the value, or `name = A, company_id = 2` where there are several.
    pub(in crate::plan) fn shown(&self) -> String {
        if self.beside.is_empty() {
            return shown(&self.value);
        }
        self.keys().map(|(field, value)| format!("{field} = {}", shown(value))).collect::<Vec<_>>().join(", ")
    }
}
