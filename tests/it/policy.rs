//! What a policy denies never reaches Odoo: every rule, held against every way to a model or a field.
//!
//! Behind the gateway is an Odoo that keeps every request. Its models and fields have names that stand for nothing else, so
//! that what reached it is a matter of looking for words, whatever the gateway makes of a payload.
//! `cargo test --test it -- policy --nocapture` prints how many rows there were, and each that is a hole.

mod attacks;
mod callers;
mod counts;
mod domains;
mod left_out;
mod methods;
mod random;
mod recorder;
mod seen;
mod table;
mod world;
