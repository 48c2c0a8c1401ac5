//! Ends: which are kept, and what becomes of a key whose call ended without a word.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use futures_util::future;
use serde_json::json;
use sqlx::Connection;
use tokio::sync::Notify;

use super::{caller, contact, contacts_named, create, is_replay, shop, unique};
use crate::support::{
    client::{Client, outcome},
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    odoo::odoo,
    poll_for,
};

const AT_ONCE: &str = "retries = 0\n[delivery]\nlongest_request = \"1s\"\nlease = \"3s\"";

#[tokio::test]
async fn an_outcome_is_known_after_a_restart_and_after_a_kill() {
    let odoo = odoo().await;
    let (gateway, key) = shop(odoo, &odoo.url, "", "");
    let name = unique();
    let first = create(&caller(&gateway, &key), "k-1", &contact(&name)).await;
    let variables = [("ODOO_KEY", &*odoo.key)];
    let gateway = Gateway::again_with(gateway.stop(), &variables).unwrap();
    let again = create(&caller(&gateway, &key), "k-1", &contact(&name)).await;
    assert_eq!((&again.json, is_replay(&again)), (&first.json, true));
    let gateway = Gateway::again_with(gateway.kill(), &variables).unwrap();
    let again = create(&caller(&gateway, &key), "k-1", &contact(&name)).await;
    assert_eq!((&again.json, is_replay(&again)), (&first.json, true));
    assert_eq!(contacts_named(&name).await, 1);
}

#[tokio::test]
async fn a_refusal_for_good_is_kept_and_one_that_may_pass_frees_the_key() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let (gateway, key) = shop(odoo, &proxy.url, AT_ONCE, "");
    let (client, name) = (caller(&gateway, &key), unique());
    let conflict = r#"{"name": "psycopg2.errors.SerializationFailure", "message": "could not serialize", "debug": ""}"#;
    let refusal = r#"{"name": "odoo.exceptions.UserError", "message": "made to fail", "debug": ""}"#;
    for (fault, code, is_kept) in [
        (Fault::Answer { status: "409 CONFLICT", body: conflict.to_owned() }, "conflict", false),
        (Fault::Answer { status: "422 UNPROCESSABLE ENTITY", body: refusal.to_owned() }, "user_error", true),
    ] {
        proxy.run(move |_, rpc| if rpc == "res.partner/create" { fault.clone() } else { Fault::Pass });
        let refused = create(&client, code, &contact(&name)).await;
        assert_eq!((outcome(&refused), is_replay(&refused)), (code.to_owned(), false), "{refused:?}");
        proxy.run(|_, _| Fault::Pass);
        let again = create(&client, code, &contact(&name)).await;
        let expected = if is_kept { code } else { "ok" };
        assert_eq!((outcome(&again), is_replay(&again)), (expected.to_owned(), is_kept), "{again:?}");
        assert!(!is_kept || again.json == refused.json);
    }
    assert_eq!(contacts_named(&name).await, 1);
}

/// A proxy that holds the first create: `reached` when it is here, until `release`.
async fn holding() -> (FaultProxy, Arc<Notify>, Arc<Notify>) {
    let proxy = FaultProxy::before(odoo().await).await;
    let (reached, release) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let hold = Fault::Hold { reached: reached.clone(), release: release.clone() };
    let is_held = AtomicBool::new(false);
    proxy.run(move |_, rpc| {
        let is_first = rpc == "res.partner/create" && !is_held.swap(true, SeqCst);
        if is_first { hold.clone() } else { Fault::Pass }
    });
    (proxy, reached, release)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_repeats_a_key_waits_for_the_first_within_its_own_time() {
    let odoo = odoo().await;
    let (proxy, reached, release) = holding().await;
    let (gateway, key) = shop(odoo, &proxy.url, "[limits]\ncall_timeout = \"3s\"", "");
    let (client, name) = (caller(&gateway, &key), unique());
    let body = contact(&name);
    let meanwhile = async {
        reached.notified().await;
        let late = create(&client, "k-1", &body).await;
        assert_eq!((late.status, outcome(&late)), (409, "key_in_progress".to_owned()), "{late:?}");
        release.notify_one();
    };
    let (first, ()) = future::join(create(&client, "k-1", &body), meanwhile).await;
    assert!(["still_running", "odoo_timeout", "ok"].contains(&&*outcome(&first)), "{first:?}");
    poll_for(async || outcome(&create(&client, "k-1", &body).await) == "ok").await;
    assert_eq!(contacts_named(&name).await, 1);
}

/// A gateway is killed while Odoo has the create, which is done all the same; or while it never comes to Odoo.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_gateway_has_sent_is_found_when_its_caller_repeats_the_key() {
    let odoo = odoo().await;
    for reaches_odoo in [true, false] {
        let (proxy, reached, release) = holding().await;
        let (gateway, _) = shop(odoo, &proxy.url, AT_ONCE, "");
        let (client, name) = (Client::with_bearer(&gateway).await, unique());
        let body = contact(&name);
        let headers = http::HeaderMap::from_iter([("idempotency-key".parse().unwrap(), "k-1".parse().unwrap())]);
        let sent = tokio::spawn(async move { client.try_send_to("/api/create_data", headers, body).await.is_err() });
        reached.notified().await;
        let folder = gateway.kill();
        if reaches_odoo {
            release.notify_one();
            poll_for(async || contacts_named(&name).await == 1).await;
        }
        assert!(sent.await.unwrap());
        let gateway = Gateway::again_with(folder, &[("ODOO_KEY", &odoo.key)]).unwrap();
        let client = Client::with_bearer(&gateway).await;
        poll_for(async || {
            let answer = create(&client, "k-1", &contact(&name)).await;
            let is_done = outcome(&answer) == "ok";
            assert!(is_done || answer.json.to_string().contains("\"retry\":\"safe\""), "{answer:?}");
            is_done
        })
        .await;
        assert_eq!(contacts_named(&name).await, 1, "{reaches_odoo}");
    }
}

/// The gateway has the account of a client, so its workers find out what became of the call; who repeats it waits for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_gateway_has_sent_for_a_client_is_found_by_its_workers() {
    let odoo = odoo().await;
    let (proxy, reached, release) = holding().await;
    let (gateway, key) = shop(odoo, &proxy.url, AT_ONCE, "");
    let (client, name) = (caller(&gateway, &key), unique());
    let body = contact(&name);
    let headers = http::HeaderMap::from_iter([("idempotency-key".parse().unwrap(), "k-1".parse().unwrap())]);
    let sent = tokio::spawn(async move { client.try_send_to("/api/create_data", headers, body).await.is_err() });
    reached.notified().await;
    let folder = gateway.kill();
    release.notify_one();
    poll_for(async || contacts_named(&name).await == 1).await;
    assert!(sent.await.unwrap());
    let gateway = Gateway::again_with(folder, &[("ODOO_KEY", &odoo.key)]).unwrap();
    let client = caller(&gateway, &key);
    poll_for(async || {
        let answer = create(&client, "k-1", &contact(&name)).await;
        assert!(answer.json.to_string().contains("\"retry\":\"safe\"") || outcome(&answer) == "ok", "{answer:?}");
        outcome(&answer) == "ok"
    })
    .await;
    let known = create(&client, "k-1", &contact(&name)).await;
    assert!(is_replay(&known), "{known:?}");
    assert_eq!(contacts_named(&name).await, 1);
}

/// A gateway is killed after the end of a call is in its log, and before it is in its store: the next gateway makes the call once more, and
/// knows by then that Odoo has the record. So it goes on, over several kills, whether a worker or the caller takes the call over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_end_is_in_the_log_and_not_in_the_store_is_not_made_twice() {
    let odoo = odoo().await;
    for by_worker in [true, false] {
        let (mut gateway, key) = shop(odoo, &odoo.url, AT_ONCE, "");
        let name = unique();
        let mut made = Vec::new();
        for kill in 0..3 {
            let client = if by_worker { caller(&gateway, &key) } else { Client::with_bearer(&gateway).await };
            poll_for(async || {
                let answer = create(&client, "k-1", &contact(&name)).await;
                let is_done = outcome(&answer) == "ok";
                assert!(is_done || answer.json.to_string().contains("\"retry\":\"safe\""), "{answer:?}");
                made.extend(is_done.then(|| answer.json["result"]["result"]["id"].clone()));
                is_done
            })
            .await;
            assert_eq!(contacts_named(&name).await, 1, "by a worker: {by_worker}, kill {kill}");
            let folder = gateway.kill();
            forget_ends(&folder.path().join("delivery/store.sqlite")).await;
            gateway = Gateway::again_with(folder, &[("ODOO_KEY", &odoo.key)]).unwrap();
        }
        assert!(made.iter().all(|id| *id == made[0]), "{made:?}");
        let lines = gateway.lines();
        let first = lines.iter().find(|line| line["event"] == "call.received").unwrap();
        let second = lines.iter().find(|line| line["event"] == "call.finished" && line["attempt"] == 2).unwrap();
        assert_eq!(second["attempt_of"], first["id"], "by a worker: {by_worker}");
    }
}

/// Makes the calls of a store those of a gateway that was killed before it could write their ends.
async fn forget_ends(file: &Path) {
    sqlx::any::install_default_drivers();
    let mut store = sqlx::AnyConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let forget = "UPDATE calls SET state = 'running', outcome = NULL, closed = NULL, expires = NULL, lease_until = 0, \
                  unfinished = attempts";
    let changed = sqlx::raw_sql(forget).execute(&mut store).await.unwrap();
    assert_eq!(changed.rows_affected(), 1);
}

#[tokio::test]
async fn a_store_that_cannot_be_written_refuses_calls_with_a_key_and_no_others() {
    let odoo = odoo().await;
    let (gateway, key) = shop(odoo, &odoo.url, "", "");
    let (client, name) = (caller(&gateway, &key), unique());
    assert_eq!(outcome(&create(&client, "k-1", &contact(&name)).await), "ok");
    let file = gateway.log_folder().with_file_name("delivery").join("store.sqlite");
    // Another process has it, for longer than the gateway waits for that.
    sqlx::any::install_default_drivers();
    let mut other = sqlx::AnyConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let (away, plain) =
        future::join(create(&client, "k-2", &contact(&name)), client.post("create_data", contact(&name))).await;
    assert_eq!((away.status, outcome(&away)), (503, "store_unavailable".to_owned()), "{away:?}");
    assert_eq!(outcome(&plain), "ok");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    poll_for(async || outcome(&create(&client, "k-2", &contact(&name)).await) == "ok").await;
    assert_eq!(contacts_named(&name).await, json!(3));
}
