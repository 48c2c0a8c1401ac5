//! Bodies of all forms, and hostile ones.

use std::{io::Write, time::Instant};

use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use http::HeaderValue;

use super::*;

const BOUNDS: Bounds = Bounds { size: bytesize::ByteSize::mib(64), values: 100_000, depth: 100 };

fn read_as(form: BodyForm, content_type: &str, body: impl Into<Bytes>) -> Result<Value, String> {
    let mut headers = HeaderMap::new();
    if !content_type.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
    }
    read_with(form, &headers, body)
}

fn read_with(form: BodyForm, headers: &HeaderMap, body: impl Into<Bytes>) -> Result<Value, String> {
    match json(form, headers, &body.into(), &BOUNDS) {
        Ok(json) => Ok(serde_json::from_slice(&json).unwrap()),
        Err(Why::Unreadable(why)) => Err(why),
        Err(Why::NoRoom) => Err("no room".to_owned()),
    }
}

#[track_caller]
fn check(content_type: &str, body: impl Into<Bytes>, expected: Value) {
    assert_eq!(read_as(BodyForm::Auto, content_type, body), Ok(expected), "{content_type}");
}

/// It is refused in a moment, with these words.
#[track_caller]
fn check_refused(content_type: &str, body: impl Into<Bytes>, why: &str) {
    let began = Instant::now();
    let refused = read_as(BodyForm::Auto, content_type, body).unwrap_err();
    assert!(refused.contains(why), "{refused}");
    assert!(began.elapsed().as_secs() < 20, "{content_type}: {:?}", began.elapsed());
}

#[test]
fn json_is_taken_by_any_content_type_with_a_mark_and_without_one() {
    for content_type in
        ["application/json; charset=utf-8", "", "text/plain", "application/x-www-form-urlencoded", "x/y"]
    {
        check(content_type, r#"{"a": "é"}"#, json!({"a": "é"}));
        check(content_type, "\u{feff}[1]", json!([1]));
    }
    check("application/cloudevents+json", "1", json!(1));
    let utf_16: Vec<u8> = "\u{feff}{\"a\": 1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    check("application/json", utf_16, json!({"a": 1}));
    check("application/json; charset=iso-8859-1", b"{\"a\": \"\xe9\"}".to_vec(), json!({"a": "é"}));
    check_refused("application/json", "{bad", "it is not JSON: key must be a string at line 1 column 2");
    check_refused("text/plain", "{bad", "it is not JSON");
    check_refused("application/json", b"{\"a\": \"\xe9\"}".to_vec(), "not UTF-8");
    check_refused("application/json", "[".repeat(1_000_000), "deeper than the 100");
    check_refused("application/json", format!("[{}0]", "0,".repeat(200_000)), "more than the 100000 values");
}

#[test]
fn an_empty_body_is_no_json_and_an_empty_one_of_any_other_form() {
    check_refused("", "", "it is empty");
    check_refused("application/json", " \n", "it is empty");
    for (content_type, expected) in [
        ("application/x-www-form-urlencoded", json!({})),
        ("multipart/form-data; boundary=x", json!({})),
        ("text/csv", json!([])),
        ("application/x-ndjson", json!([])),
        ("text/plain", json!("")),
    ] {
        check(content_type, "", expected);
    }
}

#[test]
fn a_form_is_an_object_of_texts_and_a_name_that_stands_twice_a_list() {
    let form = "application/x-www-form-urlencoded";
    check(
        form,
        "id=tr_7&a%5Bb%5D=x+y%2B&n=1&n=2&n=3&empty=&alone",
        json!({
            "id": "tr_7", "a[b]": "x y+", "n": ["1", "2", "3"], "empty": "", "alone": ""
        }),
    );
    check(form, "payload=%7B%22a%22%3A1%7D", json!({"payload": "{\"a\":1}"}));
    check(form, "%=%zz&%e9=%FF", json!({"%": "%zz", "\u{fffd}": "\u{fffd}"}));
    check("application/x-www-form-urlencoded; charset=windows-1252", "n=%e9", json!({"n": "é"}));
    check_refused(form, "a&".repeat(2_000_000), "more than the 100000 values");
    assert_eq!(read_as(BodyForm::Form, "text/plain", "{a=1"), Ok(json!({"{a": "1"})));
}

#[test]
fn a_multipart_form_has_texts_and_files() {
    let body = "--B\r\nContent-Disposition: form-data; name=\"subject\"\r\n\r\nHéllo\r\n\
        --B\r\nContent-Disposition: form-data; name=\"tag\"\r\n\r\na\r\n\
        --B\r\nContent-Disposition: form-data; name=\"tag\"\r\n\r\nb\r\n\
        --B\r\nContent-Disposition: form-data; name=\"attachment-1\"; filename=\"a b.txt\"\r\nContent-Type: text/plain\r\n\r\nHi\r\n--B--\r\n";
    let expected = json!({
        "subject": "Héllo", "tag": ["a", "b"],
        "attachment-1": {"filename": "a b.txt", "content_type": "text/plain", "base64": "SGk="}
    });
    check("multipart/form-data; boundary=\"B\"", body, expected);
    let binary = b"--B\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\xff\r\n--B--\r\n".to_vec();
    check(
        "multipart/form-data; boundary=B",
        binary,
        json!({"x": {"content_type": "application/octet-stream", "base64": "/w=="}}),
    );
    check_refused("multipart/form-data", "x", "names no boundary");
    check_refused(
        "multipart/form-data; boundary=B",
        "--B\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nhalf",
        "it",
    );
    check_refused("multipart/form-data; boundary=B", "nothing of it", "it");
}

#[test]
fn a_multipart_form_of_a_million_parts_is_given_up_early() {
    let part = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n";
    check_refused("multipart/form-data; boundary=B", part.repeat(1_000_000), "more than 10000 parts");
    let headers = format!("--B\r\n{}\r\n\r\n", "X-A: 1\r\n".repeat(1_000_000));
    check_refused("multipart/form-data; boundary=B", headers, "it is no multipart form");
}

#[test]
fn xml_has_attributes_texts_and_lists() {
    let body = r#"<?xml version="1.0"?><!-- c --><Order id="7" xmlns="urn:x"><Name>A &amp; B&#x20AC;</Name>
        <Line qty="1">x</Line><Line>y</Line><Empty/><Empty2></Empty2><ns:Code><![CDATA[<1>]]></ns:Code></Order>"#;
    let expected = json!({"Order": {"@id": "7", "@xmlns": "urn:x", "Name": "A & B€", "Line": [{"@qty": "1", "#text": "x"}, "y"],
        "Empty": null, "Empty2": null, "ns:Code": "<1>"}});
    check("text/xml; charset=utf-8", body, expected.clone());
    check("application/vnd.x+xml", format!("\u{feff}{body}"), expected);
    check("application/xml", b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>".to_vec(), json!({"a": "é"}));
    assert_eq!(read_as(BodyForm::Xml, "", "<a>1<b/>2</a>"), Ok(json!({"a": {"b": null, "#text": "12"}})));
}

#[test]
fn xml_that_is_none_or_would_grow_is_refused() {
    let laughs = "<?xml version=\"1.0\"?>\n<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;\">]><lolz>&lol2;</lolz>";
    check_refused("text/xml", laughs, "a document type is not taken");
    check_refused("text/xml", "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", "a document type is not taken");
    check_refused("text/xml", "<a>&lol;</a>", "the entity `&lol;` is not known");
    check_refused("text/xml", "<a b=\"&lol;\"/>", "lol");
    check_refused("text/xml", "<a b='1' b='2'/>", "stands twice");
    check_refused("text/xml", "<a>".repeat(2_000_000), "deeper than the 100 levels");
    check_refused("text/xml", format!("<a>{}</a>", "<b/>".repeat(2_000_000)), "more than the 100000 values");
    for broken in ["", "x", "<a>", "<a></b>", "<a/><b/>", "<a/>x", "</a>", "<a", "<a b=></a>"] {
        check_refused("text/xml", broken, "it is not XML: line 1: ");
    }
    let attributes: String = (0..200_000).map(|number| format!(" a{number}=\"\"")).collect();
    check_refused("text/xml", format!("<a{attributes}/>"), "more than the 100000 values");
}

#[test]
fn a_table_is_a_list_of_objects_by_its_header_row() {
    let expected = json!([{"sku": "A,1", "qty": "2"}, {"sku": "B\n\"2\"", "qty": ""}]);
    check("text/csv", "sku,qty\r\n\"A,1\",2\r\n\"B\n\"\"2\"\"\",", expected.clone());
    check("text/csv", "\u{feff}sku;qty\nA,1;2\n\n\"B\n\"\"2\"\"\";\n", expected.clone());
    check("text/tab-separated-values", "sku\tqty\nA,1\t2\n\"B\n\"\"2\"\"\"\t\n", expected);
    check("text/csv", "name\nCaf\u{e9}\n", json!([{"name": "Café"}]));
    check("text/csv", b"name\nCaf\xe9\n".to_vec(), json!([{"name": "Café"}]));
    check("text/csv", "a,a\n1,2\n", json!([{"a": ["1", "2"]}]));
    check("text/csv", "a,b\n", json!([]));
    check_refused("text/csv", "a,b\n1\n", "fewer columns than the 2");
    check_refused("text/csv", "a,b\n1,2,3\n", "more columns than the 2");
}

#[test]
fn a_table_with_columns_or_names_without_end_is_given_up_early() {
    check_refused("text/csv", format!("a{}", ",a".repeat(1_000_000)), "more than 10000 columns");
    check_refused("text/csv", format!("a\n{}", "1,".repeat(10_000_000)), "more columns than the 1");
    let long = format!("{}\n{}", "n".repeat(1_000_000), "1\n".repeat(90_000));
    check_refused("text/csv", long, "larger than the 64.0 MiB that [limits] body allows");
    check_refused("text/csv", format!("a\n{}", "1\n".repeat(1_000_000)), "more than the 100000 values");
}

#[test]
fn lines_of_json_are_a_list() {
    let expected = json!([{"a": 1}, [2], "x"]);
    for content_type in ["application/x-ndjson", "application/jsonl"] {
        check(content_type, "{\"a\": 1}\n\n[2]\r\n\"x\"", expected.clone());
    }
    check("application/json-seq", "\u{1e}{\"a\": 1}\n\u{1e}[2]\n\u{1e}\"x\"\n", expected);
    check_refused("application/x-ndjson", "1\n{bad}\n", "line 2 is not JSON");
    check_refused("application/x-ndjson", "1\n".repeat(1_000_000), "more than the 100000 values");
    check_refused("application/x-ndjson", "1\n".to_owned() + &"[".repeat(1_000_000), "deeper");
}

#[test]
fn a_text_is_a_text_and_bytes_are_base64() {
    check("text/plain; charset=utf-8", "UNH+1+ORDERS:D'", json!("UNH+1+ORDERS:D'"));
    check("application/EDIFACT", "UNH+1'", json!("UNH+1'"));
    assert_eq!(read_as(BodyForm::Text, "application/json", "{\"a\": 1}"), Ok(json!("{\"a\": 1}")));
    let binary = read_as(BodyForm::Text, "application/pdf", b"%PDF\xff".to_vec());
    assert_eq!(binary, Ok(json!({"content_type": "application/pdf", "base64": "JVBERv8="})));
    check("text/plain; charset=utf-16le", "h\0i\0", json!("hi"));
    check_refused("application/octet-stream", b"\xff\xff".to_vec(), "not UTF-8");
}

#[test]
fn a_packed_body_is_unpacked_and_a_bomb_is_not() {
    fn finished<W: Write>(mut to: W, body: &[u8], finish: impl FnOnce(W) -> Vec<u8>) -> Vec<u8> {
        to.write_all(body).unwrap();
        finish(to)
    }
    let gzip = |body: &[u8]| finished(GzEncoder::new(Vec::new(), Compression::best()), body, |to| to.finish().unwrap());
    let zlib = finished(ZlibEncoder::new(Vec::new(), Compression::fast()), b"[1]", |to| to.finish().unwrap());
    let raw = finished(DeflateEncoder::new(Vec::new(), Compression::fast()), b"[1]", |to| to.finish().unwrap());
    let packed = |coding: &str, body: Vec<u8>| {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, coding.parse().unwrap());
        read_with(BodyForm::Auto, &headers, body)
    };
    for (coding, body) in [("gzip", gzip(b"[1]")), ("x-gzip", gzip(b"[1]")), ("deflate", zlib), ("Deflate", raw)] {
        assert_eq!(packed(coding, body), Ok(json!([1])), "{coding}");
    }
    let bomb = gzip(&vec![b' '; 200 << 20]);
    assert!(bomb.len() < 300_000, "{}", bomb.len());
    assert!(packed("gzip", bomb).unwrap_err().contains("larger than the 64.0 MiB"));
    assert!(packed("gzip", b"nothing".to_vec()).unwrap_err().contains("cannot be unpacked"));
    assert!(packed("br", b"x".to_vec()).unwrap_err().contains("packed as `br`"));
    assert!(packed("gzip, gzip", gzip(&gzip(b"[1]"))).unwrap_err().contains("once"));
}
