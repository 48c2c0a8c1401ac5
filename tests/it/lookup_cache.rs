//! What lookups find in models that the configuration names is remembered, and forgotten when it may be wrong.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    client::{Client, outcome},
    fault::FaultProxy,
    gateway::Gateway,
    odoo::{Odoo, odoo},
    poll_for,
};

const TAG: &str = "res.partner.category";

/// A gateway that remembers tags, and a tag.
struct Remembering {
    proxy: FaultProxy,
    gateway: Gateway,
    client: Client,
    tag: String,
}

impl Remembering {
    async fn before(odoo: &Odoo, keep: &str) -> Self {
        let proxy = FaultProxy::before(odoo).await;
        let more = format!("[lookup_cache]\n\"{TAG}\" = \"{keep}\"");
        let gateway = Gateway::before(&proxy.url, &odoo.database, &more);
        let client = Client::with_header(&gateway, "x-api-key", &odoo.key);
        let tag = format!("tag {}", Uuid::new_v4());
        Self { proxy, gateway, client, tag }
    }

    /// A partner with the tag, made by this client: its tags, or the code of the error.
    async fn create(&self, odoo: &Odoo, client: &Client) -> Result<Value, String> {
        let payload = json!({"name": format!("of {}", self.tag), "category_id": {"records": [{"name": self.tag}]}});
        let body = json!({"model": "res.partner", "vals": {"payload": payload, "strict": true}});
        let answer = client.post("create_data", body.to_string()).await;
        let Some(id) = answer.json["result"]["result"]["id"].as_i64() else { return Err(outcome(&answer)) };
        let read = json!([[id], ["category_id"]]);
        Ok(odoo.call("res.partner", "read", read, json!({})).await.unwrap()[0]["category_id"].take())
    }

    fn lookups(&self) -> usize {
        self.proxy.requests(&format!("/{TAG}/search_read"))
    }
}

#[tokio::test]
async fn what_was_found_is_asked_for_once_by_each_user_and_what_was_not_found_every_time() {
    let odoo = odoo().await;
    let remembering = Remembering::before(odoo, "1h").await;
    let (admin, demo) = (&remembering.client, Client::with_login(&remembering.gateway, &odoo.login, &odoo.password));
    // The lookup, and what is near to it.
    assert!(remembering.create(odoo, admin).await.is_err());
    let each = remembering.lookups();
    assert!((2..=3).contains(&each), "{each}");
    assert!(remembering.create(odoo, admin).await.is_err());
    let missed = remembering.lookups();
    assert_eq!(missed, 2 * each);
    let tag = odoo.create(TAG, json!({"name": remembering.tag})).await;
    for _ in 0..3 {
        assert_eq!(remembering.create(odoo, admin).await, Ok(json!([tag])));
    }
    assert_eq!(remembering.lookups(), missed + 1);
    // Another credential may see something else.
    assert_eq!(remembering.create(odoo, &demo).await, Ok(json!([tag])));
    assert_eq!(remembering.lookups(), missed + 2);
}

#[tokio::test]
async fn what_was_found_is_forgotten_when_the_model_is_written_and_when_its_time_is_over() {
    let odoo = odoo().await;
    let remembering = Remembering::before(odoo, "1h").await;
    let tag = odoo.create(TAG, json!({"name": remembering.tag})).await;
    let client = &remembering.client;
    assert_eq!(remembering.create(odoo, client).await, Ok(json!([tag])));
    // By a call of its own, and as a line of another record.
    let renamed = json!({"payload": {"color": 3}, "search_key": {"id": tag}});
    assert_eq!(client.call("update_data", TAG, renamed).await["is_success"], true);
    assert_eq!(remembering.create(odoo, client).await, Ok(json!([tag])));
    // The update has searched, too.
    assert_eq!(remembering.lookups(), 3);
    let other = json!({"name": format!("beside {}", remembering.tag)});
    let payload = json!({"name": "x", "category_id": {"records": [other]}});
    let beside = json!({"payload": payload, "auto_create": {"category_id": [other]}});
    assert_eq!(client.call("create_data", "res.partner", beside).await["is_success"], true);
    assert_eq!(remembering.create(odoo, client).await, Ok(json!([tag])));
    // The other one was looked for, too.
    assert_eq!(remembering.lookups(), 5);

    let brief = Remembering::before(odoo, "100ms").await;
    odoo.create(TAG, json!({"name": brief.tag})).await;
    poll_for(async || {
        assert!(brief.create(odoo, &brief.client).await.is_ok());
        brief.lookups() > 1
    })
    .await;
}

#[tokio::test]
async fn when_odoo_refuses_an_id_that_was_remembered_the_call_is_made_with_what_is_there_now() {
    let odoo = odoo().await;
    let remembering = Remembering::before(odoo, "1h").await;
    let gone = odoo.create(TAG, json!({"name": remembering.tag})).await;
    let client = &remembering.client;
    assert_eq!(remembering.create(odoo, client).await, Ok(json!([gone])));
    odoo.call(TAG, "unlink", json!([[gone]]), json!({})).await.unwrap();
    let tag = odoo.create(TAG, json!({"name": remembering.tag})).await;
    assert_eq!(remembering.create(odoo, client).await, Ok(json!([tag])));
    assert_eq!(remembering.lookups(), 2);
    // It was tried with the old one.
    let line = remembering.gateway.log().pop().unwrap();
    let creates = line["odoo"].as_array().unwrap().iter().filter(|rpc| rpc["method"] == "create").count();
    assert_eq!((creates, &line["state"]), (2, &json!("done")), "{line}");
}
