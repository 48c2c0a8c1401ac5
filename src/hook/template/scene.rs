//! What a run of a filter has beside its values: the filter's program, the reason where it ends with `ignore`, and where it failed
//! where it is traced.

use std::cell::RefCell;

use jaq_core::{DataT, Error, Exn, Lut, ValX, data::HasLut};
use jaq_json::Val;

/// The kind of values that filters work on.
pub(super) struct Kind;

impl DataT for Kind {
    type V<'a> = Val;
    type Data<'a> = &'a Scene<'a>;
}

/// One run of a filter.
pub(super) struct Scene<'a> {
    program: &'a Lut<Kind>,
    ignored: RefCell<Option<String>>,
    /// The last error and the number of its place, of a traced filter.
    failed_at: RefCell<Option<(Error<Val>, usize)>>,
}

impl<'a> HasLut<'a, Kind> for &'a Scene<'a> {
    fn lut(&self) -> &'a Lut<Kind> {
        self.program
    }
}

/// How a filter ended before its end.
#[derive(Debug)]
pub(super) enum End {
    Failed(Error<Val>),
    Ignored(String),
}

impl<'a> Scene<'a> {
    pub(super) fn new(program: &'a Lut<Kind>) -> Self {
        Self { program, ignored: RefCell::new(None), failed_at: RefCell::new(None) }
    }

    /// Ends the filter since the delivery is to be ignored. What halts is no error to jaq, so that neither `try` nor `?` nor
    /// `//` of a template continues after it, and no error of a template, whatever a sender has written into it, is taken for it.
    pub(super) fn ignore(&self, why: String) -> Exn<'a, Val> {
        self.ignored.borrow_mut().get_or_insert(why);
        Exn::halt(0)
    }

    /// What came of a part of a traced filter. The innermost part that an error comes from is its place.
    pub(super) fn passing<T>(&self, place: usize, result: ValX<'a, T, Val>) -> ValX<'a, T, Val> {
        let exception = match result {
            Ok(value) => return Ok(value),
            Err(exception) => exception,
        };
        let error = exception.get_err()?;
        let mut failed_at = self.failed_at.borrow_mut();
        if failed_at.as_ref().is_none_or(|(known, _)| *known != error) {
            *failed_at = Some((error.clone(), place));
        }
        Err(error.into())
    }

    /// An error was caught: an equal one later is another.
    pub(super) fn caught(&self) {
        self.failed_at.take();
    }

    /// The number of the place of an error.
    pub(super) fn place_of(&self, error: &Error<Val>) -> Option<usize> {
        self.failed_at.take().filter(|(known, _)| known == error).map(|(_, place)| place)
    }

    /// A result of the whole filter, or how it ended.
    pub(super) fn result(&self, result: ValX<'a, Val>) -> Result<Val, End> {
        result.map_err(|exception| match (exception.get_err(), self.ignored.take()) {
            (Ok(error), _) => End::Failed(error),
            (Err(_), Some(why)) => End::Ignored(why),
            (Err(_), None) => End::Failed(Error::str("it ended before its end")),
        })
    }
}
