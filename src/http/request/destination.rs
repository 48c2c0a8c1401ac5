//! From a method and a path to what is to be done with them.
//!
//! The routes and the hooks are known by their bytes; everything else is judged as Odoo will read it, and sent on as it came. `deny`
//! wins over `pass`.

use std::sync::Arc;

use bytesize::ByteSize;
use http::Method;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::{
    config::{DATABASE_MANAGER, Pass, Proxy},
    errors::Code,
    hook::{Hook, Hooks, Place},
    route::Route,
    wire::Path,
};

const API: &str = "/api/";
/// Before the id of a call that the store may have.
const CALLS: &str = "/api/calls/";
/// The same as Odoo's database manager by XML-RPC; by JSON-RPC it is a matter of the body (`proxy/databases.rs`).
const DATABASE_SERVICES: [&str; 2] = ["/xmlrpc/db", "/xmlrpc/2/db"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) enum Destination {
    /// One of the addon's routes.
    Api(Route),
    /// That of a sender with a payload of its own.
    Hook(ToHook),
    /// What became of a call.
    Call(Uuid),
    /// Passed on to Odoo.
    Passed(Path),
}

/// A hook, and the segment behind its path that is a secret of its sender.
#[derive(Debug, Clone)]
pub(in crate::http) struct ToHook {
    pub(in crate::http) hook: Arc<Hook>,
    pub(in crate::http) token: Option<SecretString>,
}

impl PartialEq for ToHook {
    fn eq(&self, other: &Self) -> bool {
        let token = |to: &Self| to.token.as_ref().map(|token| token.expose_secret().to_owned());
        self.hook == other.hook && token(self) == token(other)
    }
}

impl Eq for ToHook {}

/// Why a request is for nothing that the gateway serves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::http) enum Refusal {
    #[error("{}", served())]
    NotFound,
    /// A delivery to a path that none of the hooks has. Strangers read this, so it names none.
    #[error("no hook has this path")]
    NoHook,
    #[error("this route takes POST only")]
    OnlyPost,
    #[error("what became of a call is asked by GET")]
    OnlyGet,
    #[error("this hook takes {} only", .0.methods())]
    HookMethod(Arc<Hook>),
    /// A path that may lead elsewhere than it reads.
    #[error(
        "the path has `.` or `..` as a segment, a backslash or a control character, encoded or not; or no slash before it"
    )]
    Path,
    /// A tunnel, or an echo of what was sent.
    #[error("the gateway takes neither CONNECT nor TRACE")]
    Method,
    #[error("path and query are longer than the {0} that [limits] url_length allows")]
    UrlTooLong(ByteSize),
    /// No `Host`, several, or one that is none.
    #[error("a request has one `Host` header, with a host in it")]
    Host,
    /// More than one say on where the body ends.
    #[error("a body has a `Content-Length` or the `Transfer-Encoding` chunked, one of them and once")]
    Framing,
}

/// What there is instead of what was not found.
fn served() -> String {
    let [first @ .., last] = Route::ALL.map(Route::name);
    let routes = first.join(", ");
    format!(
        "the gateway serves POST {API}{routes} and {last} and GET {CALLS}ID, and passes on what its [proxy] section says; by default that is /web/session/"
    )
}

/// The path of the route that is meant, where the last part of a path is close to its name.
pub(in crate::http) fn near(path: &str) -> Option<String> {
    let last = path.trim_end_matches('/').rsplit('/').next()?;
    let distances = Route::ALL.map(|route| (strsim::osa_distance(route.name(), last), route.name()));
    let (distance, name) = distances.into_iter().min()?;
    // One letter in four may differ.
    (distance <= name.len() / 4).then(|| format!("{API}{name}"))
}

impl Refusal {
    pub(in crate::http) fn code(&self) -> Code {
        match self {
            Self::NotFound => Code::NotFound,
            Self::NoHook => Code::NoHook,
            Self::OnlyPost | Self::OnlyGet | Self::HookMethod(_) | Self::Method => Code::WrongHttpMethod,
            Self::Path => Code::InvalidPath,
            Self::UrlTooLong(_) => Code::UrlTooLong,
            Self::Host => Code::InvalidHost,
            Self::Framing => Code::InvalidFraming,
        }
    }
}

/// Where a request goes by its method and path.
pub(in crate::http) fn of(method: &Method, raw: &str, proxy: &Proxy, hooks: &Hooks) -> Result<Destination, Refusal> {
    if matches!(*method, Method::CONNECT | Method::TRACE) {
        return Err(Refusal::Method);
    }
    if let Some(Place { hook, token }) = hooks.at(raw) {
        let to = ToHook { hook: hook.clone(), token };
        return if hook.takes(method) { Ok(Destination::Hook(to)) } else { Err(Refusal::HookMethod(hook.clone())) };
    }
    if let Some(route) = raw.strip_prefix(API).and_then(Route::named) {
        return if method == Method::POST { Ok(Destination::Api(route)) } else { Err(Refusal::OnlyPost) };
    }
    if let Some(id) = raw.strip_prefix(CALLS) {
        let id = hyphenated(id).ok_or(Refusal::NotFound)?;
        return if matches!(*method, Method::GET | Method::HEAD) {
            Ok(Destination::Call(id))
        } else {
            Err(Refusal::OnlyGet)
        };
    }
    let path = Path::read(raw).ok_or(Refusal::Path)?;
    // With hooks, their paths are the gateway's: a sender that is pointed at a wrong one must not get a page of Odoo's.
    if *method == Method::POST && Hooks::owns(path.as_str()) && !(hooks.are_none() || is_named(&path, proxy)) {
        return Err(Refusal::NoHook);
    }
    // An Odoo that still has the addon would take a call that is spelt otherwise, past this gateway's log.
    let readings = [Some(path.trimmed()), path.behind_language().map(|path| path.trim_end_matches('/'))];
    let is_ours = |path: &str| path.strip_prefix(API).and_then(Route::named).is_some() || hooks.at(path).is_some();
    let is_call = readings.into_iter().flatten().any(is_ours);
    if is_call || is_denied(&path, proxy) || !is_passed(&path, proxy) {
        return Err(Refusal::NotFound);
    }
    Ok(Destination::Passed(path))
}

/// An id in the form in which the gateway says one, and in no other.
fn hyphenated(text: &str) -> Option<Uuid> {
    Uuid::parse_str(text).ok().filter(|id| id.to_string() == text)
}

fn is_passed(path: &Path, proxy: &Proxy) -> bool {
    proxy.pass == Pass::All || is_named(path, proxy)
}

/// Whether `pass` names the path, or what it begins with.
fn is_named(path: &Path, proxy: &Proxy) -> bool {
    match &proxy.pass {
        Pass::All => false,
        Pass::Prefixes(prefixes) => prefixes.iter().any(|prefix| prefix.holds(path.as_str())),
    }
}

fn is_denied(path: &Path, proxy: &Proxy) -> bool {
    let holds = |prefix: &str, path: &str| {
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    [Some(path.as_str()), path.behind_language()].into_iter().flatten().any(|path| {
        let is_closed = (holds(DATABASE_MANAGER, path) && !proxy.names_database_page(path))
            || (DATABASE_SERVICES.iter().any(|service| holds(service, path)) && !proxy.names_databases());
        is_closed || proxy.deny.iter().any(|prefix| prefix.covers(path))
    })
}

#[cfg(test)]
mod tests {
    use crate::{config::Config, http::request::destination::*};

    fn proxy(section: &str) -> Proxy {
        let upstream = "[upstream]\nurl = \"http://o\"\ndatabase = \"d\"\npublic_url = \"http://p\"\n";
        Config::parse(&format!("{upstream}[proxy]\n{section}"), "gateway.toml".as_ref()).unwrap().proxy
    }

    fn routed(proxy: &Proxy, path: &str) -> Result<Destination, Refusal> {
        of(&Method::GET, path, proxy, &Hooks::default())
    }

    #[track_caller]
    fn check(method: Method, path: &str, expected: Result<Destination, Refusal>) {
        for proxy in [proxy(""), proxy("pass = \"all\"")] {
            assert_eq!(of(&method, path, &proxy, &Hooks::default()), expected, "{method} {path}");
        }
    }

    #[track_caller]
    fn passes(proxy: &Proxy, passed: &[&str], refused: &[&str]) {
        for path in passed {
            assert!(matches!(routed(proxy, path), Ok(Destination::Passed(_))), "{path}");
        }
        for path in refused {
            assert_eq!(routed(proxy, path), Err(Refusal::NotFound), "{path}");
        }
    }

    #[test]
    fn the_routes_take_posts_only_and_are_never_passed_on() {
        check(Method::POST, "/api/create_data", Ok(Destination::Api(Route::CreateData)));
        check(Method::POST, "/api/call_function", Ok(Destination::Api(Route::CallFunction)));
        check(Method::GET, "/api/create_data", Err(Refusal::OnlyPost));
        for spelling in [
            "/api/create_data/",
            "//api/create_data",
            "/api/%63reate_data",
            "/api%2Fcreate_data",
            "/de/api/create_data",
        ] {
            check(Method::POST, spelling, Err(Refusal::NotFound));
        }
        check(Method::CONNECT, "/", Err(Refusal::Method));
        check(Method::TRACE, "/web/session/check", Err(Refusal::Method));
    }

    #[test]
    fn the_state_of_a_call_is_asked_by_get_with_its_id_as_it_was_told() {
        let id = "018f0000-0000-7000-8000-00000000000a";
        let call = || Ok(Destination::Call(id.parse().unwrap()));
        check(Method::GET, &format!("/api/calls/{id}"), call());
        check(Method::HEAD, &format!("/api/calls/{id}"), call());
        check(Method::POST, &format!("/api/calls/{id}"), Err(Refusal::OnlyGet));
        check(Method::DELETE, &format!("/api/calls/{id}"), Err(Refusal::OnlyGet));
        for other in [id.replace('-', ""), id.to_uppercase(), format!("{id}/"), "7".to_owned(), String::new()] {
            check(Method::GET, &format!("/api/calls/{other}"), Err(Refusal::NotFound));
        }
    }

    #[test]
    fn without_a_word_the_session_routes_pass_and_nothing_else_of_odoo_does() {
        let refused = ["/web/database/manager", "/", "/web/session", "/web/sessions/x", "/web/login", "/api/other"];
        passes(&proxy(""), &["/web/session/authenticate", "/web/session/logout", "/web/session/%63heck"], &refused);
    }

    #[test]
    fn all_of_odoo_passes_but_what_is_denied_however_it_is_spelt() {
        let all = proxy("pass = \"all\"\ndeny = [\"/web/login\"]");
        let manager = [
            "/web/database",
            "/web/database/manager",
            "/web/%64atabase/manager",
            "//web/database",
            "/fr/web/database",
            "/xmlrpc/2/db",
        ];
        passes(&all, &["/", "/web", "/web/database_x", "/websocket"], &manager);
        passes(&all, &["/web/login_successful"], &["/web/login", "/web/login/totp", "/web/l%6Fgin", "/web//login"]);
    }

    #[test]
    fn the_database_manager_passes_where_it_is_named() {
        passes(&proxy("pass = [\"/\", \"/web/database\"]"), &["/web/database/manager", "/x"], &[]);
        passes(&proxy("pass = [\"/\"]"), &["/x"], &["/web/database/manager"]);
        let page = proxy("pass = [\"/\", \"/web/database/selector\"]");
        passes(
            &page,
            &["/web/database/selector", "/fr/web/database/selector"],
            &["/web/database/drop", "/xmlrpc/2/db"],
        );
        passes(&proxy("pass = [\"/web/database\"]"), &["/web/database"], &["/xmlrpc/2/db"]);
    }

    #[test]
    fn a_path_that_may_lead_elsewhere_is_refused() {
        for path in ["../database/manager", "%2e%2e/database/manager", "..%2fdatabase", "..\\database", "%00"] {
            check(Method::GET, &format!("/web/session/{path}"), Err(Refusal::Path));
        }
    }

    #[test]
    fn a_path_that_is_misspelt_is_near_a_route() {
        for path in ["/api/create-data", "/create_data/", "/api/v1/creat_data", "/api/createdata"] {
            assert_eq!(near(path).as_deref(), Some("/api/create_data"), "{path}");
        }
        for path in ["/", "/api/", "/web/dataset", "/api/drop"] {
            assert_eq!(near(path), None, "{path}");
        }
    }
}
