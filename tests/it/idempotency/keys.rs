//! Where a key may stand, and what cannot be one.

use http::{HeaderMap, HeaderValue};
use serde_json::json;
use uuid::Uuid;

use super::{caller, contact, contacts_named, is_replay, shop, unique};
use crate::support::{
    client::{Client, outcome},
    odoo::odoo,
};

async fn send(client: &Client, headers: &[(&'static str, &[u8])], body: &str) -> (u16, String, bool) {
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        all.append(*name, HeaderValue::from_bytes(value).unwrap());
    }
    let answer = client.send("POST", "/api/create_data", all, Some(body.to_owned())).await;
    (answer.status, outcome(&answer), is_replay(&answer))
}

#[tokio::test]
async fn what_cannot_be_a_key_is_refused_and_nothing_is_sent() {
    let odoo = odoo().await;
    let more = "[client.idempotency]\nheader = \"X-Ref\"\npath = \"vals.payload.ref\"";
    let (gateway, key) = shop(odoo, &odoo.url, "", more);
    let (client, name) = (caller(&gateway, &key), unique());
    let long = [b'x'; 256];
    for headers in [
        &[("idempotency-key", &b""[..])][..],
        &[("idempotency-key", &long)],
        &[("idempotency-key", b"a"), ("idempotency-key", b"a")],
        &[("idempotency-key", b"a b")],
        &[("idempotency-key", b"\xe4\xf6")],
        &[("webhook-id", b"")],
        &[("x-ref", b"a"), ("x-ref", b"b")],
    ] {
        assert_eq!(
            send(&client, headers, &contact(&name)).await,
            (400, "invalid_key".to_owned(), false),
            "{headers:?}"
        );
    }
    for wrong in [json!(true), json!(["a"]), json!(""), json!("a b"), json!(1.5)] {
        let body = json!({"model": "res.partner", "vals": {"payload": {"name": name, "ref": wrong}}}).to_string();
        assert_eq!(send(&client, &[], &body).await.1, "invalid_key", "{wrong}");
    }
    assert_eq!(contacts_named(&name).await, 0);
    let longest = [b'x'; 255];
    assert_eq!(send(&client, &[("idempotency-key", &longest)], &contact(&name)).await.1, "ok");
}

#[tokio::test]
async fn a_key_stands_in_the_first_of_its_places() {
    let odoo = odoo().await;
    let more = "[client.idempotency]\nheader = \"X-Ref\"\npath = \"vals.payload.ref\"\nderived = true";
    let (gateway, key) = shop(odoo, &odoo.url, "", more);
    let client = caller(&gateway, &key);
    let (name, id) = (unique(), Uuid::new_v4().to_string());
    let body =
        json!({"model": "res.partner", "vals": {"payload": {"name": name, "ref": format!("r-{id}")}}}).to_string();
    let places = [&b"idempotency-key"[..], b"webhook-id", b"x-ref"];
    for place in places {
        let place: &'static str = std::str::from_utf8(place).unwrap();
        let key = format!("{place}-{id}").into_bytes();
        assert_eq!(send(&client, &[(place, &key)], &body).await.1, "ok");
        let before = [("idempotency-key", &key[..]), ("x-other", b"1")];
        let again = if place == "idempotency-key" { &before[..] } else { &[(place, &key[..])][..] };
        assert_eq!(send(&client, again, &body).await, (200, "ok".to_owned(), true), "{place}");
    }
    // The value of the body, and then what is asked.
    let without = contact(&name);
    for (body, is_replay) in [(&body, false), (&body, true), (&without, false), (&without, true)] {
        assert_eq!(send(&client, &[], body).await, (200, "ok".to_owned(), is_replay));
    }
    assert_eq!(contacts_named(&name).await, 5);
}
