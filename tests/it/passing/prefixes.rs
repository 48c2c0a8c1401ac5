//! What `[proxy]` lets through, and what of it stops the start.

use super::wire::{Upstream, Wire};
use crate::support::gateway::{Gateway, configuration, run_in};

/// Asks for these paths: the upstream gets those that are passed, and only those.
async fn check(proxy: &str, passed: &[&str], refused: &[&str]) {
    let upstream = Upstream::start().await;
    let more = format!("public_url = \"http://gateway\"\n[proxy]\n{proxy}");
    let gateway = Gateway::before(&upstream.url, "none", &more);
    for path in passed {
        let mut caller = Wire::to(&gateway).await;
        caller.send(format!("GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n")).await;
        let (mut odoo, head) = upstream.request().await;
        assert_eq!(head.first, format!("GET {path} HTTP/1.1"), "{proxy}");
        odoo.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok").await;
        assert_eq!(caller.answer().await.1, b"ok");
    }
    for path in refused {
        let mut caller = Wire::to(&gateway).await;
        caller.send(format!("GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n")).await;
        let head = upstream.hears_nothing_of(caller.head()).await;
        assert_eq!(head.first, "HTTP/1.1 404 Not Found", "{proxy}: {path}");
    }
}

#[tokio::test]
async fn what_is_listed_passes_however_it_is_spelt_and_nothing_else_does() {
    check(
        "pass = [\"/web/session/\", \"/my\", \"/xmlrpc/2\"]",
        &["/web/session/check", "/web//session/check?x", "/my", "/my/", "/m%79/orders", "/xmlrpc/2/common?/web"],
        &["/", "/web", "/web/session", "/web/login", "/mystery", "/de/my", "/xmlrpc/2x", "/x?/my"],
    )
    .await;
    check("pass = []", &[], &["/", "/web/session/check", "/web/session/authenticate"]).await;
}

#[tokio::test]
async fn what_is_denied_does_not_pass_whatever_else_is_said() {
    let denied = [
        "/web/login",
        "/web/login?x",
        "/web/login/",
        "/web/l%6Fgin",
        "//web//login",
        "/de/web/login",
        "/xmlrpc/2/common",
    ];
    for pass in
        ["pass = \"all\"", "pass = [\"/\"]", "pass = [\"/web/login\", \"/de\", \"/xmlrpc\", \"/website\", \"/my\"]"]
    {
        let proxy = format!("{pass}\ndeny = [\"/web/login\", \"/xmlrpc/\"]");
        check(&proxy, &["/website", "/my?/web/login"], &denied).await;
    }
}

#[tokio::test]
async fn databases_are_managed_through_the_gateway_only_where_that_is_named() {
    let manager =
        ["/web/database/manager", "/web/database", "/web//database/drop", "/web/%64atabase/list", "/xmlrpc/db"];
    for pass in
        ["pass = \"all\"", "pass = [\"/\"]", "pass = [\"/web\", \"/xmlrpc\"]", "pass = [\"/web/\", \"/xmlrpc/\"]"]
    {
        check(pass, &["/web/databases"], &manager).await;
    }
    check("pass = [\"/web\", \"/xmlrpc\", \"/web/database\"]", &manager, &[]).await;
    check("pass = [\"/web/database\"]\ndeny = [\"/web/database/drop\"]", &manager[..2], &["/web/database/drop"]).await;
}

#[test]
fn a_configuration_that_says_it_wrong_names_the_key() {
    let path = "is no beginning of a path, such as \"/web/session/\"";
    for (proxy, words) in [
        ("pass = \"some\"", "[proxy] pass: `some`: give a list such as [\"/web/session/\"], or \"all\"".to_owned()),
        ("pass = true", "[proxy] pass: give a list of beginnings of paths, or \"all\"".to_owned()),
        ("pass = \"all\"", "[proxy] pass = \"all\" needs [upstream] public_url".to_owned()),
        ("pass = [\"web\"]", format!("[proxy] pass: `web` {path}")),
        ("pass = [\"/web\", \"/a/../b\"]", format!("[proxy] pass: `/a/../b` {path}")),
        ("pass = [\"/%77eb\"]", format!("[proxy] pass: `/%77eb` {path}")),
        ("deny = [\"\"]", format!("an element of [proxy] deny: `` {path}")),
        ("deny = \"/web\"", "gateway.toml:9:8".to_owned()),
        ("denied = []", "denied".to_owned()),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = configuration("http://127.0.0.1:9", "none", &format!("[proxy]\n{proxy}"));
        std::fs::write(folder.path().join("gateway.toml"), config).unwrap();
        let (status, out, said) = run_in(folder.path(), &["serve"]);
        assert_eq!((status, out.as_str()), (Some(1), ""), "{proxy}: {said}");
        assert!(said.contains(&words), "{words}: {said}");
    }
}
