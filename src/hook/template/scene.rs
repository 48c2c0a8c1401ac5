//! What a run of a filter has beside its values: the filter's program, and the reason where it ends with `ignore`.

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
        Self { program, ignored: RefCell::new(None) }
    }

    /// Ends the filter since the delivery is to be ignored. What halts is no error to jaq, so that neither `try` nor `?` nor
    /// `//` of a template continues after it, and no error of a template, whatever a sender has written into it, is taken for it.
    pub(super) fn ignore(&self, why: String) -> Exn<'a, Val> {
        self.ignored.borrow_mut().get_or_insert(why);
        Exn::halt(0)
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
