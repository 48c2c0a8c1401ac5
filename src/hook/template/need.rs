//! `need(f)`: the values of `f`, or an error that names the path of what is missing, where jq would go on with null.

use jaq_core::{Cv, ValT as _, ValX, ValXs};
use jaq_json::{Error, Val};

use super::{result::written, scene::Kind};

/// The values of the argument; an error at the first one that is missing, and where there are none.
pub(super) fn need(mut cv: Cv<'_, Kind>) -> ValXs<'_, Val> {
    let (f, context) = cv.0.pop_fun();
    let here = cv.1;
    let paths = f.paths((context.clone(), (here.clone(), Default::default())));
    // What is computed has no path: `need($vars.team)`, `need(.a | ascii_downcase)`.
    let has_paths =
        f.paths((context.clone(), (here.clone(), Default::default()))).next().is_some_and(|first| first.is_ok());
    if has_paths {
        let root = here;
        let values = paths.map(move |found| {
            let (value, path) = found?;
            let mut path: Vec<Val> = path.iter().cloned().collect();
            path.reverse();
            if matches!(value, Val::Null) { Err(missing(&root, &path).into()) } else { Ok(value) }
        });
        return Box::new(values);
    }
    let nothing = || ValX::Err(Error::str("`need` finds nothing where something must be").into());
    let mut values = f.run((context, here)).map(move |value| match value? {
        Val::Null => nothing(),
        value => Ok(value),
    });
    let first = values.next().unwrap_or_else(nothing);
    Box::new(std::iter::once(first).chain(values))
}

fn missing(root: &Val, path: &[Val]) -> Error {
    let parent =
        path.split_last().map(|(last, before)| (last, before.iter().try_fold(root.clone(), |at, key| at.index(key))));
    let is_there = match parent {
        Some((key, Ok(Val::Obj(object)))) => object.contains_key(key),
        _ => path.is_empty(),
    };
    Error::str(format_args!("{} is {}", written(path), if is_there { "null" } else { "missing" }))
}
