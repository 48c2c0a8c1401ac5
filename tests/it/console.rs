//! The console as a browser meets it, without a browser: pages, forms and streams of events of the admin listener.

mod again;
mod calls;
mod queue;
