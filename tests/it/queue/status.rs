//! `GET /api/calls/ID`: a caller sees what became of its own calls, and of nobody else's.

use http::HeaderMap;
use odoo_gateway::store::State;
use serde_json::json;
use uuid::Uuid;

use super::Shop;
use crate::support::{
    client::{Answer, Client},
    gateway::new_client,
    odoo::odoo,
    poll_for,
};

const PARTNER: &str = "res.partner";
const TAG: &str = "res.partner.category";

async fn ask(client: &Client, method: &str, path: &str) -> Answer {
    client.send(method, path, HeaderMap::new(), None::<String>).await
}

async fn state(client: &Client, id: Uuid) -> Answer {
    ask(client, "GET", &format!("/api/calls/{id}")).await
}

#[tokio::test]
async fn a_caller_sees_what_became_of_its_own_call() {
    let odoo = odoo().await;
    let (other_key, other) = new_client("other");
    let other = format!("{other}odoo_login = \"{}\"\nodoo_key_file = \"shop.key\"\n", odoo.login);
    let more = format!("never_write = [\"res.partner.category.*\"]\n{other}");
    let shop = Shop::before(odoo, &odoo.url, "", &more).await;
    let client = Client::with_header(shop.gateway(), "x-api-key", &shop.key);

    assert!(shop.store.pause("shop", Some("stocktaking")).await.unwrap());
    let [done, dead] = [shop.queue("a", PARTNER, "done").await, shop.queue("b", TAG, "dead").await];
    let answer = state(&client, done).await;
    assert_eq!((answer.status, &answer.json["state"], &answer.json["attempts"]), (200, &json!("queued"), &json!(0)));
    assert!(answer.json.get("answer").is_none() && answer.json["due"].is_string(), "{answer:?}");
    assert!(shop.store.pause("shop", None).await.unwrap());
    shop.until_closed(&[done, dead]).await;

    let answer = state(&client, done).await;
    assert_eq!((answer.status, &answer.json["state"], &answer.json["status"]), (200, &json!("done"), &json!(200)));
    let result = &answer.json["answer"]["result"];
    assert_eq!((&result["is_success"], &answer.json["attempts"]), (&json!(true), &json!(1)), "{answer:?}");
    assert!(answer.json["closed"].is_string() && answer.json.get("due").is_none(), "{answer:?}");
    let answer = state(&client, dead).await;
    assert_eq!((&answer.json["state"], &answer.json["error"]), (&json!("dead"), &json!("field_not_writable")));
    assert_eq!(answer.json["answer"]["result"]["error"]["code"], "field_not_writable", "{answer:?}");
    let head = ask(&client, "HEAD", &format!("/api/calls/{done}")).await;
    assert_eq!((head.status, head.json), (200, json!(null)));
    let posted = ask(&client, "POST", &format!("/api/calls/{done}")).await;
    assert_eq!((posted.status, posted.headers["allow"].to_str().unwrap()), (405, "GET, HEAD"));

    let code = |answer: &Answer| (answer.status, answer.json["error"]["code"].as_str().unwrap().to_owned());
    let others = [
        Client::with_header(shop.gateway(), "x-api-key", &other_key),
        // The same user of Odoo, but not by the client's key.
        Client::with_header(shop.gateway(), "x-api-key", &odoo.key),
    ];
    for other in &others {
        assert_eq!(code(&state(other, done).await), (404, "unknown_call".to_owned()));
    }
    assert_eq!(code(&state(&client, Uuid::now_v7()).await), (404, "unknown_call".to_owned()));
    assert_eq!(code(&ask(&client, "GET", "/api/calls/7").await), (404, "not_found".to_owned()));
    let nobody = Client::nobody(shop.gateway());
    assert_eq!(code(&state(&nobody, done).await), (401, "no_credentials".to_owned()));
    let wrong = Client::with_header(shop.gateway(), "x-api-key", &"0".repeat(40));
    assert_eq!(code(&state(&wrong, done).await), (401, "wrong_key".to_owned()));
    assert_eq!(shop.state(done).await, State::Done);
}

#[tokio::test]
async fn a_call_that_is_accepted_for_later_is_followed_to_its_answer() {
    let odoo = odoo().await;
    let shop = Shop::before(odoo, &odoo.url, "", "").await;
    let client = Client::with_header(shop.gateway(), "x-api-key", &shop.key);
    let body = json!({"model": PARTNER, "vals": {"payload": {"name": format!("{} later", shop.run)}}}).to_string();
    let accepted = client.clone().and("prefer", "respond-async").post("create_data", body).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let location = accepted.headers["location"].to_str().unwrap().to_owned();
    poll_for(async || ask(&client, "GET", &location).await.json["state"] == "done").await;
    let answer = ask(&client, "GET", &location).await;
    assert_eq!(answer.json["answer"]["result"]["is_success"], true, "{answer:?}");
    assert_eq!(shop.made(odoo, PARTNER).await, ["later"]);
}

#[tokio::test]
async fn a_caller_with_an_odoo_credential_sees_its_calls_with_a_key() {
    let odoo = odoo().await;
    let shop = Shop::before(odoo, &odoo.url, "", "").await;
    let key = Uuid::new_v4().to_string();
    let client = Client::with_header(shop.gateway(), "x-api-key", &odoo.key);
    let body = json!({"model": PARTNER, "vals": {"payload": {"name": format!("{} own", shop.run)}}}).to_string();
    let answer = client.clone().and("idempotency-key", &key).post("create_data", body).await;
    assert_eq!(answer.json["result"]["is_success"], true, "{answer:?}");
    let id = answer.headers["gateway-call-id"].to_str().unwrap().parse().unwrap();
    let seen = state(&client, id).await;
    assert_eq!((seen.status, &seen.json["state"]), (200, &json!("done")), "{seen:?}");
    assert_eq!(seen.json["answer"]["result"], answer.json["result"]);
    let shops = Client::with_header(shop.gateway(), "x-api-key", &shop.key);
    assert_eq!(state(&shops, id).await.status, 404);
}
