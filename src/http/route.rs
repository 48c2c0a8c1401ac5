//! From a method and a path to what is to be done with them.
//!
//! Nothing is decoded or normalised: a path is one of those that are known, byte for byte, or it is refused. So the path
//! that was checked is the path that is sent on to Odoo.

use http::Method;

use crate::api;

const API: &str = "/api/";
const SESSION: &str = "/web/session/";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// One of the addon's routes.
    Api(api::Route),
    /// Odoo's own session routes, passed through.
    Session,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    NotFound,
    OnlyPost,
    /// A path that may lead elsewhere than it reads.
    Path,
}

pub fn route(method: &Method, path: &str) -> Result<Route, Refusal> {
    if let Some(name) = path.strip_prefix(API) {
        let route = api::Route::ALL.into_iter().find(|route| route.name() == name).ok_or(Refusal::NotFound)?;
        return if method == Method::POST { Ok(Route::Api(route)) } else { Err(Refusal::OnlyPost) };
    }
    match path.strip_prefix(SESSION) {
        // Names of Odoo's session routes are plain words; anything else may be a way out of the folder.
        Some(rest) if rest.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'/')) => {
            Ok(Route::Session)
        }
        Some(_) => Err(Refusal::Path),
        None => Err(Refusal::NotFound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: Method, path: &str, expected: Result<Route, Refusal>) {
        assert_eq!(route(&method, path), expected, "{method} {path}");
    }

    #[test]
    fn the_five_routes_take_posts_only() {
        check(Method::POST, "/api/create_data", Ok(Route::Api(api::Route::CreateData)));
        check(Method::POST, "/api/call_function", Ok(Route::Api(api::Route::CallFunction)));
        check(Method::GET, "/api/create_data", Err(Refusal::OnlyPost));
        check(Method::POST, "/api/no_such_route", Err(Refusal::NotFound));
        check(Method::POST, "/api/create_data/", Err(Refusal::NotFound));
        check(Method::POST, "/API/create_data", Err(Refusal::NotFound));
    }

    #[test]
    fn session_routes_pass_and_nothing_else_of_odoo_does() {
        check(Method::POST, "/web/session/authenticate", Ok(Route::Session));
        check(Method::GET, "/web/session/logout", Ok(Route::Session));
        check(Method::GET, "/web/database/manager", Err(Refusal::NotFound));
        check(Method::GET, "/", Err(Refusal::NotFound));
    }

    #[test]
    fn a_path_that_may_lead_elsewhere_is_refused() {
        for path in [
            "../database/manager",
            "%2e%2e/database/manager",
            "..%2fdatabase",
            "..\\database",
            "a/../../database",
            ";x",
            "%00",
        ] {
            check(Method::GET, &format!("/web/session/{path}"), Err(Refusal::Path));
        }
    }
}
