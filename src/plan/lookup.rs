//! Lookups: which record does `{"code": "TH"}` mean?
//!
//! Where a lookup has several keys, all must match: one of them is looked up by, the others narrow the search. All
//! lookups of a payload are first collected as questions, each different one once, and then asked together: one query
//! for all the values of one field of one model, batched with those of concurrent calls. Values are asked for together
//! only where `read` gives the value that `search` compares; every other question is asked by itself.
//!
//! The files, each importing only those before it: `folding` (texts in whatever case), `query` (one RPC), `question` (what is looked up), `ask` (asking all
//! of it), `auto_create` (what to create where nothing is found), `record_locks` (which calls may create the same
//! record). They import the schemas and the policy, and know nothing of drafts.

mod ask;
mod auto_create;
mod folding;
mod query;
mod question;
pub(super) mod record_locks;

pub use self::ask::LookupResult;
pub(super) use self::{
    ask::Matches,
    auto_create::{AutoCreate, Fit},
    folding::{fold, folded, pattern, terms as folded_terms},
    query::{MAX_MATCHES, any_activity},
    question::{
        ARCHIVED, Filter, Lookup, LookupError, NO_EXTERNAL_ID, Question, QuestionId, Questions, XML_ID, is_comparable,
        no_id,
    },
};
