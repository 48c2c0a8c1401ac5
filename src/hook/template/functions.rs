//! The functions that filters have: those of jq, but for what concerns this machine, and the gateway's own.
//!
//! What must stay true: a function gives one result or an error, where jq's own would give nothing or several for a text that
//! cannot be read. Nothing here reads or changes anything outside of the filter's values.

use jaq_core::{
    Bind, Ctx, Error, Native, RunPtr, ValX, load,
    native::{self, Fun, bome, v},
};
use jaq_json::Val;
use jaq_std::ValT;

use super::{digests, need, numbers, scene::Kind, times, traced};

/// Functions of jq that would reveal something of this machine, or act on this process.
const FORBIDDEN: [&str; 7] = ["env", "halt", "halt_error", "debug", "debug_empty", "stderr", "stderr_empty"];
/// Functions of jq that are the gateway's own here. Those of `functions.jq` stand behind jq's, and so before them.
const REPLACED: [&str; 3] = ["fromjson", "toboolean", "tonumber"];
/// Those of the gateway's own that are written in jq.
const DEFINITIONS: &str = include_str!("functions.jq");
/// The longest reason of `ignore`.
const MAX_REASON: usize = 300;

/// The functions that are written in jq.
pub(super) fn defs() -> impl Iterator<Item = load::parse::Def<&'static str>> {
    let own = load::parse(DEFINITIONS, |parser| parser.defs()).unwrap_or_default();
    let of_jq = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    of_jq.filter(|def| is_of_jq(def.name)).chain(own)
}

/// The functions that are written in Rust.
pub(super) fn funs() -> impl Iterator<Item = Fun<Kind>> {
    let of_jq = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    of_jq.filter(|fun| is_of_jq(fun.0)).chain(own())
}

fn is_of_jq(name: &str) -> bool {
    !FORBIDDEN.contains(&name) && !REPLACED.contains(&name)
}

fn own() -> impl Iterator<Item = Fun<Kind>> {
    let plain: [native::Filter<RunPtr<Kind>>; 10] = [
        ("tonumber", v(0), |cv| bome(numbers::to_number(cv.1))),
        ("toboolean", v(0), |cv| bome(numbers::to_boolean(cv.1))),
        ("fromjson", v(0), |cv| bome(numbers::from_json(&cv.1))),
        ("fromiso", v(0), |cv| bome(times::from_iso(&cv.1))),
        ("odoo_datetime", v(0), |cv| bome(times::odoo_datetime(&cv.1))),
        ("need", [Bind::Fun(())].into(), need::need),
        // The last argument is taken first.
        ("hmac", v(3), |mut cv| {
            let (text, key, algorithm) = (cv.0.pop_var(), cv.0.pop_var(), cv.0.pop_var());
            bome(digests::hmac(&algorithm, &key, &text, &digests::hex()))
        }),
        ("hmac", v(4), |mut cv| {
            let (encoding, text, key, algorithm) = (cv.0.pop_var(), cv.0.pop_var(), cv.0.pop_var(), cv.0.pop_var());
            bome(digests::hmac(&algorithm, &key, &text, &encoding))
        }),
        ("digest", v(2), |mut cv| {
            let (text, algorithm) = (cv.0.pop_var(), cv.0.pop_var());
            bome(digests::digest(&algorithm, &text, &digests::hex()))
        }),
        ("digest", v(3), |mut cv| {
            let (encoding, text, algorithm) = (cv.0.pop_var(), cv.0.pop_var(), cv.0.pop_var());
            bome(digests::digest(&algorithm, &text, &encoding))
        }),
    ];
    // `ignore` ends a filter wherever it stands, so also within the path of an assignment.
    let ignore = Native::<Kind>::new(|mut cv| {
        let why = cv.0.pop_var();
        Box::new(std::iter::once(ignored(&cv.0, &why)))
    })
    .with_paths(|mut cv| {
        let why = cv.0.pop_var();
        Box::new(std::iter::once(ignored(&cv.0, &why).map(|value| (value, cv.1.1))))
    })
    .with_update(|mut cv, _| {
        let why = cv.0.pop_var();
        Box::new(std::iter::once(ignored(&cv.0, &why)))
    });
    plain.into_iter().map(|(name, args, run)| (name, args, Native::<Kind>::new(run))).chain([("ignore", v(1), ignore)])
}

/// The functions of a traced filter.
pub(super) fn of_traced() -> impl Iterator<Item = Fun<Kind>> {
    let at = Native::<Kind>::new(|mut cv| {
        let ((f, context), place, scene) = (cv.0.pop_fun(), place(&cv.0.pop_var()), *cv.0.data());
        Box::new(f.run((context, cv.1)).map(move |value| scene.passing(place, value)))
    })
    .with_paths(|mut cv| {
        let ((f, context), place, scene) = (cv.0.pop_fun(), place(&cv.0.pop_var()), *cv.0.data());
        Box::new(f.paths((context, cv.1)).map(move |found| scene.passing(place, found)))
    })
    .with_update(|mut cv, update| {
        // The first part of a path that is assigned to would be told in the place of the one that fails. The assignment is told.
        let (f, context) = cv.0.pop_fun();
        f.update((context, cv.1), update)
    });
    let caught = Native::<Kind>::new(|cv| {
        cv.0.data().caught();
        bome(Ok(cv.1))
    });
    [(traced::AT, [Bind::Var(()), Bind::Fun(())].into(), at), (traced::CAUGHT, v(0), caught)].into_iter()
}

fn place(number: &Val) -> usize {
    number.as_isize().and_then(|number| usize::try_from(number).ok()).unwrap_or_default()
}

fn ignored<'a>(context: &Ctx<'a, Kind>, why: &Val) -> ValX<'a, Val> {
    let text = match why.as_utf8_bytes() {
        Some(text) => String::from_utf8_lossy(text).into_owned(),
        None => return Err(Error::str(format_args!("`ignore` needs a text that says why, not {why}")).into()),
    };
    match text.trim() {
        "" => Err(Error::str("`ignore` needs a text that says why").into()),
        text => Err(context.data().ignore(text.chars().take(MAX_REASON).collect())),
    }
}
