//! Where hooks are: paths of any depth, with a slash at the end, with a secret in them, and the methods that they take.

use http::{HeaderMap, header};
use serde_json::json;

use super::{CONTACT, SECRET, answers::Hooks, by_github, contact, contacts_named};

#[tokio::test]
async fn a_hook_is_at_its_path_of_any_depth_with_a_slash_at_its_end_or_not() {
    let answer = "accept = \"answer\"";
    let hooks = Hooks::start(CONTACT, &[("eu/shop/orders", answer), ("eu/shop", answer)]).await;
    for path in ["eu/shop/orders", "eu/shop/orders/", "eu/shop", "eu/shop/"] {
        let (body, name) = contact();
        let told = hooks.deliver(path, "application/json", &body).await;
        assert_eq!((told.status, contacts_named(&name).await), (200, json!(1)), "{path}: {}", told.text);
    }
    for path in ["eu", "eu/shop/order", "eu/shop/orders/x", "eu//shop", "eu%2Fshop", "eu/shop//", "%zz", "eu/shop/%00"]
    {
        let (body, _) = contact();
        let told = hooks.deliver(path, "application/json", &body).await;
        assert!(matches!(told.status, 400 | 404), "{path}: {}", told.status);
    }
}

#[tokio::test]
async fn a_secret_in_a_path_is_logged_nowhere() {
    let scheme = "scheme = \"token\"\npath = true";
    let hooks = Hooks::of_sender(scheme, CONTACT, &[("erp/{token}", "accept = \"answer\"")]).await;
    let secret = SECRET.replace(' ', "%20");
    for (path, status) in [
        (format!("erp/{secret}"), 200),
        (format!("erp/{secret}/"), 200),
        ("erp".to_owned(), 404),
        ("erp/".to_owned(), 404),
        ("erp/tops3cret-1".to_owned(), 401),
        (format!("erp/{secret}/more"), 404),
        (format!("epr/{secret}"), 404),
        (format!("erp/{secret}%2F"), 401),
    ] {
        let (body, _) = contact();
        let told = hooks.deliver(&path, "application/json", &body).await;
        assert_eq!(told.status, status, "{path}: {}", told.text);
    }
    let (body, _) = contact();
    let told = hooks.ask("PUT", &format!("erp/{secret}"), HeaderMap::new(), body.clone()).await;
    assert_eq!((told.status, told.header(header::ALLOW)), (405, "POST"));
    let told = hooks.ask("POST", "erp/tops3cret-2?token=tops3cret-3", HeaderMap::new(), body).await;
    assert_eq!(told.status, 401);
    let log = hooks.gateway.log_text();
    assert!(log.contains("/hooks/erp/***") && log.contains("/hooks/epr/***"), "{log}");
    for secret in ["ops3cret", SECRET, &*secret] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[tokio::test]
async fn a_hook_takes_the_methods_that_it_lists_and_a_query_is_the_body_of_a_get() {
    let keys = "accept = \"answer\"\nmethods = [\"GET\", \"PUT\"]";
    let hooks = Hooks::start(CONTACT, &[("sms", keys)]).await;
    let (_, name) = contact();
    let query = name.replace(' ', "+");
    let told = hooks.ask("GET", &format!("sms?name={query}"), by_github(SECRET, ""), "").await;
    assert_eq!((told.status, contacts_named(&name).await), (200, json!(1)), "{}", told.text);
    let (body, name) = contact();
    let told = hooks.ask("PUT", "sms", by_github(SECRET, &body), body.clone()).await;
    assert_eq!((told.status, contacts_named(&name).await), (200, json!(1)), "{}", told.text);
    for method in ["POST", "DELETE", "OPTIONS", "HEAD"] {
        let told = hooks.ask(method, "sms", by_github(SECRET, &body), body.clone()).await;
        assert_eq!((told.status, told.header(header::ALLOW)), (405, "GET, PUT"), "{method}");
    }
    let refused = hooks.gateway.lines().into_iter().filter(|line| line["event"] == "request.refused");
    assert_eq!(refused.count(), 4, "a refused method is no call");
}
