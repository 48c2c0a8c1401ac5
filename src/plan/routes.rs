//! The routes, each a function from what a caller sent to a [`super::Plan`].
//!
//! `write` plans `create_data`, `update_data` and `create_update_data` of one record, `many` those of a list, `search` plans `search_data` (with `group`), `method` plans
//! `call_function` (with `then` and `message`), `delete` plans `delete_data`. All of them take the parameters apart in `vals`; `context`
//! is for all of them, `misplaced` checks that parameters stand where they are read, `existing` finds records, `company` the one that a
//! payload names, `locked` answers a write's questions under its locks, and `new_record` puts a search key into the record that an upsert
//! makes. These files import everything else of planning, and nothing
//! of it imports them. Planning only reads from Odoo.

mod company;
mod context;
mod delete;
mod existing;
mod group;
mod locked;
mod many;
mod message;
mod method;
mod misplaced;
mod new_record;
mod search;
mod then;
mod vals;
mod write;

pub(crate) use self::existing::lines_of;
pub use self::{
    context::take_context,
    delete::delete_data,
    group::{FUNCTIONS, Grouping, MOST_TERMS, PERIODS},
    many::{MAX_RECORDS, create_data, create_update_data, update_data},
    method::call_function,
    misplaced::check_places,
    search::search_data,
    then::{MOST as MOST_THEN, PARAMETERS as OF_THEN, Then, Wizard},
    vals::parameters,
};
