//! What people and programs do with the real Odoo, through the gateway.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{StatusCode, header};
use reqwest::{RequestBuilder, Response, Url, redirect::Policy};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    client::http,
    gateway::Gateway,
    odoo::{Odoo, odoo},
};

/// Keeps cookies as a browser does, and goes to where it is sent by itself, so that each step can be looked at.
struct Person {
    base: String,
    cookies: BTreeMap<String, String>,
}

impl Person {
    async fn send(
        &mut self,
        method: &str,
        path: &str,
        build: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Response {
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = http.request(method.parse().unwrap(), format!("{}{path}", self.base));
        let response = build(request.header(header::COOKIE, cookies.join("; "))).send().await.unwrap();
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        response
    }

    async fn get(&mut self, path: &str) -> Response {
        self.send("GET", path, |request| request).await
    }

    /// Opens a page, following redirects, none of which leads away from the gateway.
    async fn open(&mut self, path: &str) -> String {
        let mut path = path.to_owned();
        for _ in 0..5 {
            let response = self.get(&path).await;
            if !response.status().is_redirection() {
                assert_eq!(response.status(), StatusCode::OK, "{path}");
                return response.text().await.unwrap();
            }
            path = self.path_of(&response);
        }
        panic!("redirects without end");
    }

    /// The path that a redirect leads to.
    fn path_of(&self, response: &Response) -> String {
        let base: Url = self.base.parse().unwrap();
        let to = base.join(response.headers()[header::LOCATION].to_str().unwrap()).unwrap();
        assert_eq!(to.origin(), base.origin(), "{to}");
        format!("{}?{}", to.path(), to.query().unwrap_or_default())
    }

    /// Fills in Odoo's own form; gives the token that later ones need.
    async fn log_in(gateway: &Gateway, odoo: &Odoo) -> (Self, String) {
        let mut person = Self { base: gateway.url.clone(), cookies: BTreeMap::new() };
        let form = person.open("/web/login").await;
        let token = between(&form, "name=\"csrf_token\" value=\"", "\"");
        let fields = [("csrf_token", token.as_str()), ("login", &odoo.login), ("password", &odoo.password)];
        let mut body = Url::parse("form:").unwrap();
        body.query_pairs_mut().extend_pairs(fields);
        let body = body.query().unwrap().to_owned();
        let form = (header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let sent = person.send("POST", "/web/login", |request| request.header(form.0, form.1).body(body)).await;
        assert_eq!(sent.status(), StatusCode::SEE_OTHER);
        let page = person.open(&person.path_of(&sent)).await;
        let token = between(&page, "csrf_token: \"", "\"");
        (person, token)
    }
}

fn between(text: &str, before: &str, behind: &str) -> String {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before}: {text}"));
    rest.split_once(behind).unwrap().0.to_owned()
}

/// A form with fields and one file.
fn multipart(fields: &[(&str, &str)], name: &str, file: &[u8]) -> (String, Vec<u8>) {
    let boundary = Uuid::new_v4().simple().to_string();
    let mut body = Vec::new();
    for (field, value) in fields {
        body.extend(
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n").bytes(),
        );
    }
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"ufile\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    body.extend(head.bytes());
    body.extend(file);
    body.extend(format!("\r\n--{boundary}--\r\n").bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

#[tokio::test]
async fn a_form_logs_in_and_files_go_up_and_come_down_byte_for_byte() {
    let odoo = odoo().await;
    let gateway = Gateway::before_all_of(odoo);
    let (mut person, token) = Person::log_in(&gateway, odoo).await;
    let partner = odoo.create("res.partner", json!({"name": "has files"})).await.to_string();
    let file: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(5 << 20).collect();
    let old = [("csrf_token", token.as_str()), ("model", "res.partner"), ("id", &partner)];
    let new = [("csrf_token", token.as_str()), ("thread_model", "res.partner"), ("thread_id", &partner)];
    for (path, fields) in [("/web/binary/upload_attachment", old), ("/mail/attachment/upload", new)] {
        let (kind, body) = multipart(&fields, "it's \u{e4} file.bin", &file);
        let sent = person.send("POST", path, |request| request.header(header::CONTENT_TYPE, kind).body(body)).await;
        let (status, said) = (sent.status(), sent.text().await.unwrap());
        assert_eq!(status, StatusCode::OK, "{path}: {said}");
        let of_partner = json!([[["res_model", "=", "res.partner"], ["res_id", "=", partner.parse::<i64>().unwrap()]]]);
        let order = json!({"fields": ["name", "datas"], "order": "id desc", "limit": 1});
        let found = odoo.call("ir.attachment", "search_read", of_partner, order).await.unwrap();
        assert_eq!(found[0]["name"], "it's \u{e4} file.bin", "{path}");
        assert!(STANDARD.decode(found[0]["datas"].as_str().unwrap()).unwrap() == file, "{path}");

        let content = format!("/web/content/{}?download=true", found[0]["id"]);
        let whole = person.get(&content).await;
        assert_eq!((whole.status(), whole.content_length()), (StatusCode::OK, Some(5 << 20)));
        assert!(whole.headers()[header::CONTENT_DISPOSITION].to_str().unwrap().starts_with("attachment"));
        let etag = whole.headers()[header::ETAG].clone();
        assert!(whole.bytes().await.unwrap() == file, "{path}");
        let part = person.send("GET", &content, |request| request.header(header::RANGE, "bytes=1000000-1000099")).await;
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.headers()[header::CONTENT_RANGE], "bytes 1000000-1000099/5242880");
        assert!(part.bytes().await.unwrap() == file[1_000_000..1_000_100]);
        let same = person.send("GET", &content, |request| request.header(header::IF_NONE_MATCH, etag)).await;
        assert_eq!((same.status(), same.bytes().await.unwrap().len()), (StatusCode::NOT_MODIFIED, 0));
    }
}

#[tokio::test]
async fn a_page_that_needs_a_login_leads_to_the_form_within_the_gateway() {
    let gateway = Gateway::before_all_of(odoo().await);
    let mut person = Person { base: gateway.url.clone(), cookies: BTreeMap::new() };
    let sent = person.get("/odoo").await;
    assert!(sent.status().is_redirection());
    assert!(person.path_of(&sent).starts_with("/web/login?redirect="), "{sent:?}");
}

#[tokio::test]
async fn a_file_of_odoos_own_comes_whole_in_part_and_not_at_all() {
    let odoo = odoo().await;
    let gateway = Gateway::before_all_of(odoo);
    let mut person = Person { base: gateway.url.clone(), cookies: BTreeMap::new() };
    let path = "/web/static/img/favicon.ico";
    let direct = http().get(format!("{}{path}", odoo.url)).send().await.unwrap().bytes().await.unwrap();
    let whole = person.get(path).await;
    let etag = whole.headers()[header::ETAG].clone();
    assert!(whole.bytes().await.unwrap() == direct);
    let part = person.send("GET", path, |request| request.header(header::RANGE, "bytes=-10")).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert!(part.bytes().await.unwrap() == direct[direct.len() - 10..]);
    let same = person.send("GET", path, |request| request.header(header::IF_NONE_MATCH, etag)).await;
    assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
    let head = person.send("HEAD", path, |request| request).await;
    assert_eq!(head.headers()[header::CONTENT_LENGTH], direct.len().to_string());
}

#[tokio::test]
async fn odoos_own_interfaces_are_called_as_they_are() {
    let odoo = odoo().await;
    let gateway = Gateway::before_all_of(odoo);
    let (mut person, _) = Person::log_in(&gateway, odoo).await;
    let call = json!({"params": {"model": "res.users", "method": "read", "args": [[odoo.uid().await], ["login"]], "kwargs": {}}});
    let read = person.send("POST", "/web/dataset/call_kw/res.users/read", |request| request.json(&call)).await;
    assert_eq!(read.json::<Value>().await.unwrap()["result"][0]["login"], odoo.login);

    let login = json!({"service": "common", "method": "login", "args": [odoo.database, odoo.login, odoo.password]});
    let said = person.send("POST", "/jsonrpc", |request| request.json(&json!({"params": login}))).await;
    assert_eq!(said.json::<Value>().await.unwrap()["result"], odoo.uid().await);

    let version = "<?xml version='1.0'?><methodCall><methodName>version</methodName><params/></methodCall>";
    let ask = |request: RequestBuilder| request.header(header::CONTENT_TYPE, "text/xml").body(version);
    let said = person.send("POST", "/xmlrpc/2/common", ask).await.text().await.unwrap();
    assert!(said.contains("server_version") && said.contains(&format!("{}.", odoo.version)), "{said}");

    let uid = odoo.uid().await;
    let search = |request: RequestBuilder| request.bearer_auth(&odoo.key).json(&json!({"domain": [["id", "=", uid]]}));
    let found = person.send("POST", "/json/2/res.users/search_count", search).await;
    assert_eq!(found.json::<Value>().await.unwrap(), 1);
}
