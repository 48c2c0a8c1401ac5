//! The console as a browser meets it, without a browser: pages, forms and streams of events of the admin listener.

mod accessible;
mod calls;
mod clients_and_hooks;
mod lively;
mod overview;
mod screenshots;
mod sign_in;
mod story;
