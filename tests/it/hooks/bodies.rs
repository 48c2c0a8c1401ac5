//! Bodies of all forms on their way to records, and hostile ones.

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use uuid::Uuid;

use super::{SECRET, answers::Hooks, by_github, contacts_named, hexadecimal, shop::Shop};
use crate::support::odoo::odoo;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// The names of contacts of a run of a test begin so.
fn unique() -> String {
    format!("body {}", Uuid::new_v4().simple())
}

const ANSWER: &str = "accept = \"answer\"";

#[tokio::test]
async fn forms_xml_tables_and_lines_make_records() {
    let template = "if type == \"array\" then [.[] | {vals: {payload: {name, ref: .ref}}}] else {payload: {name: (.name // .Contact.Name), ref: (.ref // .Contact.\"@ref\" // null)}} end";
    let hooks = Hooks::start(template, &[("any", ANSWER), ("csv", "accept = \"answer\"\nbody = \"csv\"")]).await;
    let name = unique();
    let multipart = format!(
        "--B\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n{name}\r\n--B\r\nContent-Disposition: form-data; name=\"ref\"\r\n\r\n2\r\n--B--\r\n"
    );
    for (hook, content_type, body, made) in [
        ("any", "application/x-www-form-urlencoded", format!("name={}&ref=1", name.replace(' ', "+")), 1),
        ("any", "multipart/form-data; boundary=B", multipart, 1),
        ("any", "text/xml", format!("<?xml version=\"1.0\"?><Contact ref=\"3\"><Name>{name}</Name></Contact>"), 1),
        ("any", "text/csv", format!("name;ref\r\n{name};4\r\n\"{name}\";5\r\n"), 2),
        ("csv", "text/plain", format!("name,ref\n{name},6\n"), 1),
        (
            "any",
            "application/x-ndjson",
            format!("{{\"name\": \"{name}\", \"ref\": \"7\"}}\n{{\"name\": \"{name}\", \"ref\": \"8\"}}\n"),
            2,
        ),
        ("any", "", format!("\u{feff}{{\"name\": \"{name}\", \"ref\": \"9\"}}"), 1),
    ] {
        let before = contacts_named(&name).await.as_i64().unwrap();
        let mut signed = by_github(SECRET, &body);
        if !content_type.is_empty() {
            signed.insert("content-type", content_type.parse().unwrap());
        }
        let told = hooks.ask("POST", hook, signed, body).await;
        assert_eq!((told.status, &*told.code()), (200, "ok"), "{content_type}: {}", told.text);
        assert_eq!(contacts_named(&name).await, before + made, "{content_type}");
    }
    let found = json!([[["name", "=", name]], ["ref"]]);
    let refs = odoo().await.call("res.partner", "search_read", found, json!({"order": "ref"})).await.unwrap();
    let refs: Vec<&str> = refs.as_array().unwrap().iter().map(|row| row["ref"].as_str().unwrap()).collect();
    assert_eq!(refs, ["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
}

#[tokio::test]
async fn a_file_of_a_form_becomes_an_image_of_a_record() {
    let hooks =
        Hooks::start("{payload: {name, image_1920: .photo.base64, comment: .photo.filename}}", &[("form", ANSWER)])
            .await;
    let name = unique();
    let png = STANDARD
        .decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
        .unwrap();
    let mut body = format!("--B\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n{name}\r\n--B\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"p.png\"\r\nContent-Type: image/png\r\n\r\n").into_bytes();
    body.extend_from_slice(&png);
    body.extend_from_slice(b"\r\n--B--\r\n");
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = format!("sha256={}", hexadecimal(aws_lc_rs::hmac::sign(&key, &body).as_ref()));
    let sent =
        super::headers(&[("x-hub-signature-256", &signature), ("content-type", "multipart/form-data; boundary=B")]);
    let told = hooks.ask("POST", "form", sent, body).await;
    assert_eq!((told.status, &*told.code()), (200, "ok"), "{}", told.text);
    let found = json!([[["name", "=", name], ["image_1920", "!=", false]]]);
    assert_eq!(odoo().await.call("res.partner", "search_count", found, json!({})).await.unwrap(), 1);
}

#[tokio::test]
async fn a_packed_body_is_signed_as_it_came_and_only_hooks_unpack() {
    let hooks = Hooks::start("{payload: {name}}", &[("gzip", ANSWER)]).await;
    let name = unique();
    let packed = gzip(json!({"name": name}).to_string().as_bytes());
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = format!("sha256={}", hexadecimal(aws_lc_rs::hmac::sign(&key, &packed).as_ref()));
    let sent = |coding: &str| super::headers(&[("x-hub-signature-256", &signature), ("content-encoding", coding)]);
    let told = hooks.ask("POST", "gzip", sent("br"), packed.clone()).await;
    assert_eq!((told.status, &*told.code()), (415, "unsupported_encoding"));
    let told = hooks.ask("POST", "../api/create_data?client=signed", sent("gzip"), packed.clone()).await;
    assert_eq!((told.status, &*told.code()), (415, "unsupported_encoding"));
    let told = hooks.ask("POST", "gzip", sent("gzip"), packed).await;
    assert_eq!((told.status, contacts_named(&name).await), (200, json!(1)), "{}", told.text);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_kept_with_the_reason_and_a_hostile_one_holds_nothing_up() {
    let hooks = Hooks::start("{payload: {name}}", &[("any", ANSWER)]).await;
    let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><l>&b;</l>";
    let deep = format!("<a>{}", "<a>".repeat(100_000));
    let parts = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n".repeat(100_000);
    let columns = format!("a{}\n", ",a".repeat(100_000));
    for (content_type, body, why) in [
        ("application/json", "{bad", "it is not JSON"),
        ("text/xml", laughs, "a document type is not taken"),
        ("text/xml", &deep, "nested deeper"),
        ("multipart/form-data; boundary=B", &parts, "more than 10000 parts"),
        ("text/csv", &columns, "more than 10000 columns"),
        ("text/csv", "a,b\n1\n", "fewer columns"),
        ("application/json", &"[".repeat(100_000), "nested deeper"),
    ] {
        let told = hooks.deliver("any", content_type, body).await;
        assert_eq!((told.status, &*told.code()), (422, "hook_body"), "{content_type}: {}", told.text);
        assert!(told.text.contains(why), "{}", told.text);
    }
    assert!(hooks.gateway.log_text().contains("ENTITY"), "what came is in the log");
    // More than the 128 MiB of a body.
    let bomb = gzip(&vec![b' '; 160 << 20]);
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = format!("sha256={}", hexadecimal(aws_lc_rs::hmac::sign(&key, &bomb).as_ref()));
    let sent = super::headers(&[("x-hub-signature-256", &signature), ("content-encoding", "gzip")]);
    let told = hooks.ask("POST", "any", sent, bomb).await;
    assert_eq!((told.status, &*told.code()), (422, "hook_body"), "{}", told.text);
    let name = unique();
    let told = hooks.deliver("any", "application/json", &json!({"name": name}).to_string()).await;
    assert_eq!((told.status, contacts_named(&name).await), (200, json!(1)), "{}", told.text);
}

#[tokio::test]
async fn a_parked_body_is_read_as_its_hook_says_by_then() {
    let template = "{route: \"create_data\", model: \"res.partner\", vals: {payload: {name: .Contact.Name}}}";
    let shop = Shop::start(template, "body = \"json\"").await;
    let name = format!("{} \u{e9}", unique());
    // As an old program writes it.
    let body = format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><Contact><Name>{name}</Name></Contact>");
    let body: Vec<u8> = body.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let answer = shop.client.send("POST", "/hooks/shop", super::headers(&[]), Some(body)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(shop.ended().await, ["dead"]);
    assert_eq!(shop.stored("error").await, [["hook_body"]]);
    let config = std::fs::read_to_string(shop.gateway.config_file()).unwrap();
    std::fs::write(shop.gateway.config_file(), config.replace("body = \"json\"", "body = \"xml\"")).unwrap();
    shop.gateway.signal("HUP");
    shop.retried().await;
    assert_eq!(contacts_named(&name).await, 1);
}
