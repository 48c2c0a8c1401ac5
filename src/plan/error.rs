//! Why a call cannot be planned, with the place of the mistake in what was sent.
//!
//! Every question about an error is an exhaustive match, so that a new variant has to answer all of them.

mod ambiguous;
mod no_match;
mod refusal;
mod told;

use serde_json::{Map, Value};

use super::{
    Warning, WarningCode, field_list,
    hints::{Meant, Unknown},
};
use crate::{
    errors::Code,
    fetch, literal,
    odoo::{self, Caller},
    policy::Denied,
};

pub use self::{ambiguous::Ambiguous, no_match::NoMatch, refusal::Refusal};
pub(super) use self::{ambiguous::listed, refusal::Mistakes};

/// Why a call cannot be carried out as it was sent. Nothing was written.
///
/// Where the addon has a sentence for it, the sentence is the addon's, since integrations match on it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    NoMatch(Box<NoMatch>),
    #[error(transparent)]
    Ambiguous(Box<Ambiguous>),
    #[error(
        "`{field}` got {there} lines in Odoo where {sent} were sent, so it is not known which file belongs to which"
    )]
    LinesDiffer { field: String, sent: usize, there: usize },
    #[error("the lookup of `{field}` '{value}' does not find the `{model}` that `auto_create` made for it")]
    NotFoundAfterwards { model: String, field: String, value: String },
    #[error("`auto_create` of '{field}': '{value}' needs itself")]
    Circular { field: String, value: String },
    #[error("'{field}': the model `{model}` has no field `{}` to look up by{}", lookup.name, lookup.meant)]
    UnknownLookupField { path: String, field: String, model: String, lookup: Box<Unknown> },
    #[error("many2many field '{field}': 'mode' must be 'add' or 'replace', or 'remove'")]
    BadMode { path: String, field: String },
    #[error("`{path}` {problem}")]
    WrongKind { path: String, problem: String },
    /// A value that is no choice of a selection.
    #[error("`{path}` {problem}{meant}")]
    NoChoice { path: String, problem: String, meant: Meant },
    #[error("the model `{model}` has no field `{name}` (`{parameter}`){meant}")]
    UnknownField { parameter: &'static str, model: String, name: String, meant: Meant },
    #[error("`{parameter}`: the field `{name}` of `{model}` leads to no records, so nothing can be taken within it")]
    NotRelational { parameter: &'static str, model: String, name: String },
    #[error("Parameter 'search_key' in 'vals' not found!")]
    NoSearchKey,
    #[error("{} of `{model}` does not match `when`, so that nothing was changed", records(ids))]
    NotWhen { model: String, ids: Vec<i64> },
    #[error(
        "`search_key.xml_id` cannot be given to a new record: Odoo does not let this user make external ids, which its \
         administrator can (group Access Rights)"
    )]
    NoExternalIds,
    #[error("Missing 'method' in payload")]
    NoMethod,
    #[error("`payload` is missing in `vals`{}{}", if .0.is_empty() { "" } else { "; " }, places(.0))]
    NoPayload(Vec<Misplaced>),
    #[error("{}", places(.0))]
    Misplaced(Vec<Misplaced>),
    /// `load` of a model answers what it refused, and has rolled it back by itself (14-19).
    #[error("Odoo loaded no row: {}", loaded(messages))]
    NotLoaded { messages: Vec<Value> },
    #[error(
        "the search finds {found} of `{model}`, where [limits] rows allows {most} without `limit`; read them in pages, by `limit` and `offset`"
    )]
    TooManyRows { model: String, found: String, most: u64 },
    #[error("`{model}.{method}` is a private method: Odoo lets nobody call it from outside")]
    PrivateMethod { model: String, method: String },
    #[error("`{path}` is no domain: {source}")]
    Domain { path: String, source: literal::Error },
    #[error("`{parameter}` {source}")]
    FieldList { parameter: &'static str, source: field_list::Error },
    #[error("`{path}` {source}")]
    File { path: String, source: fetch::Error },
    #[error("{source}")]
    Denied { path: String, source: Denied },
    #[error("{} (strict)", .0.message)]
    Strict(Warning),
    /// Refused twice, each time for a reason that a change by others explains.
    #[error(
        "{0} (other calls, or users of Odoo, are changing the same records at the same time; nothing was written, send it again)"
    )]
    Overtaken(Box<Self>),
    /// Several mistakes that planning has met.
    #[error("{}", .0.first())]
    Several(Box<Refusal>),
    #[error(transparent)]
    Odoo(#[from] odoo::Error),
}

impl odoo::LookupError for Error {
    fn odoo_error(&self) -> Option<&odoo::Error> {
        if let Self::Odoo(error) = self { Some(error) } else { None }
    }
}

/// The matches below name every variant, so that a new one has to say what it is in each respect.
impl Error {
    /// The stable code that callers may branch on.
    pub fn code(&self) -> Code {
        match self {
            Self::NoMatch(_) => Code::NoMatch,
            Self::Ambiguous(_) => Code::AmbiguousMatch,
            Self::LinesDiffer { .. } => Code::LinesDiffer,
            Self::NotFoundAfterwards { .. } => Code::NotFoundAfterwards,
            Self::Circular { .. } => Code::CircularAutoCreate,
            Self::UnknownLookupField { .. } => Code::UnknownLookupField,
            Self::BadMode { .. } => Code::InvalidValue,
            Self::WrongKind { .. } | Self::NoChoice { .. } => Code::InvalidValue,
            Self::UnknownField { .. } => Code::UnknownField,
            Self::NotRelational { .. } => Code::NotRelational,
            Self::NoSearchKey => Code::MissingParameter,
            Self::NotWhen { .. } => Code::NotWhen,
            Self::NoExternalIds => Code::AccessError,
            Self::NoMethod => Code::MissingParameter,
            Self::NoPayload(_) => Code::MissingParameter,
            Self::Misplaced(_) => Code::MisplacedParameter,
            Self::NotLoaded { .. } => Code::ValidationError,
            Self::TooManyRows { .. } => Code::TooManyRows,
            Self::PrivateMethod { .. } => Code::PrivateMethod,
            Self::Domain { .. } => Code::InvalidDomain,
            Self::FieldList { .. } => Code::InvalidFields,
            Self::File { source, .. } if source.is_passing() => Code::FileNotFetched,
            Self::File { .. } => Code::UrlRefused,
            Self::Denied { source, .. } => source.code(),
            Self::Strict(warning) => warning.code.code(),
            Self::Overtaken(error) => error.code(),
            Self::Several(refusal) => refusal.first().code(),
            Self::Odoo(error) => error.code(),
        }
    }

    /// Where in `vals` the mistake is.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Ambiguous(ambiguous) => Some(&ambiguous.path),
            Self::NoMatch(no_match) => Some(&no_match.path),
            Self::UnknownLookupField { path, .. }
            | Self::BadMode { path, .. }
            | Self::WrongKind { path, .. }
            | Self::NoChoice { path, .. }
            | Self::Denied { path, .. }
            | Self::File { path, .. }
            | Self::Domain { path, .. } => Some(path),
            Self::UnknownField { parameter, .. }
            | Self::NotRelational { parameter, .. }
            | Self::FieldList { parameter, .. } => Some(parameter),
            Self::Circular { .. } | Self::NotFoundAfterwards { .. } => Some("auto_create"),
            Self::LinesDiffer { .. } => Some("payload"),
            Self::NoSearchKey => Some("search_key"),
            Self::NotWhen { .. } => Some("when"),
            Self::NoExternalIds => Some("search_key.xml_id"),
            Self::NoMethod | Self::PrivateMethod { .. } => Some("payload.method"),
            Self::NoPayload(_) => Some("payload"),
            Self::Misplaced(misplaced) => misplaced.first().map(|misplaced| misplaced.path.as_str()),
            Self::NotLoaded { .. } => Some("payload.parameter"),
            Self::TooManyRows { .. } => Some("payload.limit"),
            Self::Strict(warning) => Some(&warning.path),
            Self::Overtaken(error) => error.path(),
            Self::Several(refusal) => refusal.first().path(),
            Self::Odoo(_) => None,
        }
    }

    /// The rule of the policy that refused.
    pub fn rule(&self) -> Option<&str> {
        match self {
            Self::Denied { source, .. } | Self::Odoo(odoo::Error::Denied(source)) => Some(source.rule()),
            Self::Several(refusal) => refusal.first().rule(),
            // Odoo's own refusals alone are overtaken.
            Self::Overtaken(_)
            | Self::NoMatch(_)
            | Self::Ambiguous(_)
            | Self::LinesDiffer { .. }
            | Self::NotFoundAfterwards { .. }
            | Self::Circular { .. }
            | Self::UnknownLookupField { .. }
            | Self::BadMode { .. }
            | Self::WrongKind { .. }
            | Self::NoChoice { .. }
            | Self::UnknownField { .. }
            | Self::NotRelational { .. }
            | Self::NoSearchKey
            | Self::NotWhen { .. }
            | Self::NoExternalIds
            | Self::NoMethod
            | Self::NoPayload(_)
            | Self::Misplaced(_)
            | Self::NotLoaded { .. }
            | Self::TooManyRows { .. }
            | Self::PrivateMethod { .. }
            | Self::Domain { .. }
            | Self::FieldList { .. }
            | Self::File { .. }
            | Self::Strict(_)
            | Self::Odoo(_) => None,
        }
    }

    /// The field that the mistake is about.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Ambiguous(ambiguous) => Some(&ambiguous.field),
            Self::NoMatch(no_match) => Some(&no_match.field),
            Self::UnknownLookupField { field, .. }
            | Self::BadMode { field, .. }
            | Self::Circular { field, .. }
            | Self::LinesDiffer { field, .. } => Some(field),
            Self::UnknownField { name, .. } | Self::NotRelational { name, .. } => Some(name),
            Self::Overtaken(error) => error.field(),
            Self::Several(refusal) => refusal.first().field(),
            Self::NotFoundAfterwards { .. }
            | Self::WrongKind { .. }
            | Self::NoChoice { .. }
            | Self::NoSearchKey
            | Self::NotWhen { .. }
            | Self::NoExternalIds
            | Self::NoMethod
            | Self::NoPayload(_)
            | Self::Misplaced(_)
            | Self::NotLoaded { .. }
            | Self::TooManyRows { .. }
            | Self::PrivateMethod { .. }
            | Self::Domain { .. }
            | Self::FieldList { .. }
            | Self::File { .. }
            | Self::Denied { .. }
            | Self::Strict(_)
            | Self::Odoo(_) => None,
        }
    }

    /// Whether remembered schemas that are out of date may explain it: the call names a field that they lack, or Odoo does not
    /// let its user read what they have.
    pub fn may_come_of_old_schemas(&self) -> bool {
        match self {
            Self::UnknownField { .. } | Self::UnknownLookupField { .. } | Self::NotRelational { .. } => true,
            Self::Strict(warning) => warning.code == WarningCode::UnknownField,
            Self::Odoo(odoo::Error::Fault(fault)) => fault.doubts_schema(),
            Self::Overtaken(error) => error.may_come_of_old_schemas(),
            Self::Several(refusal) => refusal.listed().iter().any(Self::may_come_of_old_schemas),
            Self::NoMatch(_)
            | Self::Ambiguous(_)
            | Self::LinesDiffer { .. }
            | Self::NotFoundAfterwards { .. }
            | Self::Circular { .. }
            | Self::BadMode { .. }
            | Self::WrongKind { .. }
            | Self::NoChoice { .. }
            | Self::NoSearchKey
            | Self::NotWhen { .. }
            | Self::NoExternalIds
            | Self::NoMethod
            | Self::NoPayload(_)
            | Self::Misplaced(_)
            | Self::NotLoaded { .. }
            | Self::TooManyRows { .. }
            | Self::PrivateMethod { .. }
            | Self::Domain { .. }
            | Self::FieldList { .. }
            | Self::File { .. }
            | Self::Denied { .. }
            | Self::Odoo(_) => false,
        }
    }

    /// Whether what others have changed since the call was planned may explain it.
    pub fn may_come_of_a_change(&self) -> bool {
        match self {
            Self::Odoo(odoo::Error::Fault(fault)) => fault.may_come_of_a_change(),
            Self::NotFoundAfterwards { .. } => true,
            // It has been considered already.
            Self::Overtaken(_)
            | Self::Several(_)
            | Self::NoMatch(_)
            | Self::Ambiguous(_)
            | Self::LinesDiffer { .. }
            | Self::Circular { .. }
            | Self::UnknownLookupField { .. }
            | Self::BadMode { .. }
            | Self::WrongKind { .. }
            | Self::NoChoice { .. }
            | Self::UnknownField { .. }
            | Self::NotRelational { .. }
            | Self::NoSearchKey
            | Self::NotWhen { .. }
            | Self::NoExternalIds
            | Self::NoMethod
            | Self::NoPayload(_)
            | Self::Misplaced(_)
            | Self::NotLoaded { .. }
            | Self::TooManyRows { .. }
            | Self::PrivateMethod { .. }
            | Self::Domain { .. }
            | Self::FieldList { .. }
            | Self::File { .. }
            | Self::Denied { .. }
            | Self::Strict(_)
            | Self::Odoo(_) => false,
        }
    }

    /// The same error, of one of several records: its path names which.
    pub(super) fn of_record(mut self, number: usize) -> Self {
        match &mut self {
            Self::Ambiguous(ambiguous) => place(&mut ambiguous.path, number),
            Self::NoMatch(no_match) => place(&mut no_match.path, number),
            Self::Several(refusal) => {
                for mistake in refusal.listed_mut() {
                    *mistake = mistake.clone().of_record(number);
                }
            }
            Self::UnknownLookupField { path, .. }
            | Self::BadMode { path, .. }
            | Self::WrongKind { path, .. }
            | Self::NoChoice { path, .. }
            | Self::File { path, .. }
            | Self::Denied { path, .. }
            | Self::Domain { path, .. } => place(path, number),
            Self::Strict(warning) => place(&mut warning.path, number),
            Self::UnknownField { .. }
            | Self::NotRelational { .. }
            | Self::FieldList { .. }
            | Self::Circular { .. }
            | Self::NotFoundAfterwards { .. }
            | Self::LinesDiffer { .. }
            | Self::NoSearchKey
            | Self::NotWhen { .. }
            | Self::NoExternalIds
            | Self::NoMethod
            | Self::NoPayload(_)
            | Self::Misplaced(_)
            | Self::NotLoaded { .. }
            | Self::TooManyRows { .. }
            | Self::PrivateMethod { .. }
            | Self::Overtaken(_)
            | Self::Odoo(_) => {}
        }
        self
    }

    /// The same refusal, marked as worth another try by the caller.
    #[must_use]
    pub fn overtaken(self) -> Self {
        Self::Overtaken(Box::new(self))
    }

    /// All mistakes: several, or this one.
    pub fn each(&self) -> &[Self] {
        match self {
            Self::Several(refusal) => refusal.listed(),
            error => std::slice::from_ref(error),
        }
    }

    /// Whether the mistake that is told is a denial of the policy's.
    pub(super) fn is_denial(&self) -> bool {
        match self {
            Self::Several(refusal) => refusal.first().is_denial(),
            error => matches!(error, Self::Denied { .. }),
        }
    }

    /// The number of mistakes that are not among [`Self::each`].
    pub fn more(&self) -> usize {
        if let Self::Several(refusal) = self { refusal.more() } else { 0 }
    }

    /// The same error with its mistakes in the order of what was sent.
    #[must_use]
    pub fn in_order(mut self, vals: &Map<String, Value>) -> Self {
        if let Self::Several(refusal) = &mut self {
            refusal.put_in_order(vals);
        }
        self
    }

    /// Adds the names of records that an ambiguous lookup matched, or what is near one that found nothing, where Odoo tells
    /// it. Of several mistakes, some are explained.
    pub(crate) async fn with_candidates(mut self, caller: &Caller) -> Self {
        let explained: &mut [Self] = match &mut self {
            Self::Several(refusal) => refusal.listed_mut(),
            error => std::slice::from_mut(error),
        };
        let is_explained = |error: &&mut Self| matches!(error, Self::Ambiguous(_) | Self::NoMatch(_));
        for error in explained.iter_mut().filter(is_explained).take(EXPLAINED) {
            match error {
                Self::Ambiguous(ambiguous) => ambiguous.ask_names(caller).await,
                Self::NoMatch(no_match) => {
                    no_match.nearby = std::mem::take(&mut no_match.nearby).found(caller).await;
                }
                _ => {}
            }
        }
        self
    }
}

/// The number of a call's lookups that are explained, with two searches each at most.
const EXPLAINED: usize = 5;

/// A parameter that stands where nothing reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misplaced {
    /// Where in `vals` it stands.
    pub path: String,
    /// Where it is read.
    pub home: &'static str,
}

fn places(misplaced: &[Misplaced]) -> String {
    let place = |Misplaced { path, home }: &Misplaced| format!("`{path}` belongs in `{home}`");
    misplaced.iter().map(place).collect::<Vec<_>>().join(", ")
}

/// The number of messages of `load` that the sentence repeats; the error has all of them.
const TOLD: usize = 3;

fn loaded(messages: &[Value]) -> String {
    let told = messages.iter().filter(|message| message["type"] != "warning").take(TOLD).map(|message| {
        let text = message["message"].as_str().unwrap_or_default();
        match message["record"].as_u64() {
            Some(row) => format!("row {}: {text}", row + 1),
            None => text.to_owned(),
        }
    });
    told.collect::<Vec<_>>().join("; ")
}

/// Puts the number of the record into a path: `payload.name` is `payload[3].name`. A path that has it stays.
pub(super) fn place(path: &mut String, number: usize) {
    for parameter in ["payload", "search_key"] {
        if let Some(rest) = path.strip_prefix(parameter)
            && (rest.is_empty() || rest.starts_with('.'))
        {
            *path = format!("{parameter}[{number}]{rest}");
            return;
        }
    }
}

/// `record 7`, or `records 7, 8`.
fn records(ids: &[i64]) -> String {
    let listed: Vec<String> = ids.iter().take(10).map(i64::to_string).collect();
    format!("record{} {}", if ids.len() == 1 { "" } else { "s" }, listed.join(", "))
}
