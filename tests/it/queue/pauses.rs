//! A client whose account or entry is not in order has its queue paused, and loses nothing.

use std::fs;

use odoo_gateway::store::State;

use super::{Shop, folder_with, with_shop};
use crate::support::{gateway::Gateway, odoo::odoo, poll_for};

const PARTNER: &str = "res.partner";

async fn paused(shop: &Shop) -> Option<String> {
    let depths = shop.store.depths().await.unwrap();
    depths.into_iter().find(|depth| depth.client == "shop").and_then(|depth| depth.paused)
}

#[tokio::test]
async fn an_account_that_odoo_does_not_accept_pauses_the_queue_until_it_is_renewed() {
    let odoo = odoo().await;
    let (config, key) = with_shop(odoo, &odoo.url, "", "");
    let folder = folder_with(&config, &"0".repeat(40));
    let secret = folder.path().join("shop.key");
    let mut shop = Shop::with(Gateway::again(folder).unwrap(), key).await;
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.push(shop.queue(&format!("lane {number}"), PARTNER, &number.to_string()).await);
    }
    poll_for(async || paused(&shop).await.as_deref() == Some("client_account")).await;
    poll_for(async || shop.metric("odoo_gateway_queue_paused{client=\"shop\"}").await == 1.0).await;
    let series = "odoo_gateway_queue_stops_total{why=\"client_account\"}";
    assert_eq!(shop.metric(series).await, 1.0);

    fs::write(&secret, &odoo.key).unwrap();
    assert!(shop.until_closed(&ids).await.iter().all(|state| *state == State::Done));
    assert_eq!((paused(&shop).await, shop.metric(series).await), (None, 1.0));
    let gateway = shop.gateway.take().unwrap();
    gateway.terminate();
    let (_, said, _folder) = gateway.ended().await;
    assert_eq!(said.matches("the queue of a client is paused").count(), 1, "{said}");
}

#[tokio::test]
async fn the_queue_of_a_client_that_is_revoked_or_gone_waits_for_it() {
    let odoo = odoo().await;
    let shop = Shop::before(odoo, &odoo.url, "", "").await;
    let file = shop.gateway().config_file();
    let whole = fs::read_to_string(&file).unwrap();
    let gone = whole.split("[[client]]").next().unwrap().to_owned();
    let revoked = format!("{whole}revoked = true\n");
    for (config, why) in [(revoked, "client_revoked"), (gone, "unknown_client")] {
        let reloads = "odoo_gateway_reloads_total{outcome=\"done\"}";
        let before = shop.metric(reloads).await;
        fs::write(&file, config).unwrap();
        poll_for(async || shop.metric(reloads).await > before).await;
        let id = shop.queue("k", PARTNER, why).await;
        poll_for(async || paused(&shop).await.as_deref() == Some(why)).await;
        assert_eq!(shop.state(id).await, State::Queued);
        fs::write(&file, &whole).unwrap();
        shop.until(id, State::Done).await;
    }
    assert_eq!(shop.made(odoo, PARTNER).await, ["client_revoked", "unknown_client"]);
}

#[tokio::test]
async fn what_a_person_has_paused_waits_for_a_person() {
    let odoo = odoo().await;
    let shop = Shop::before(odoo, &odoo.url, "", "").await;
    assert!(shop.store.pause("shop", Some("stocktaking")).await.unwrap());
    let id = shop.queue("k", PARTNER, "1").await;
    poll_for(async || shop.metric("odoo_gateway_queue_paused{client=\"shop\"}").await == 1.0).await;
    assert_eq!(shop.find(id).await.attempts, 0);
    assert!(shop.store.pause("shop", None).await.unwrap());
    shop.until(id, State::Done).await;
}
