//! `odoo-gateway backup` and `restore`: a copy that is made under load is whole, and a gateway goes on from it elsewhere.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use futures_util::future;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    client::Client,
    gateway::{Gateway, configuration, new_client, run_in},
    odoo::{Odoo, odoo},
    poll_for,
};

/// So many call all the time.
const CALLERS: usize = 4;

async fn made(odoo: &Odoo, name: &str) -> u64 {
    let domain = json!([[["name", "=", name]]]);
    odoo.call("res.partner.category", "search_count", domain, json!({})).await.unwrap().as_u64().unwrap()
}

fn tag(name: &str) -> String {
    json!({"params": {"model": "res.partner.category", "vals": {"payload": {"name": name}}}}).to_string()
}

/// Makes a tag with the name as its key; gives the answer, and whether it is that of an earlier call.
async fn create(client: &Client, name: &str) -> (Value, bool) {
    let client = client.clone().and("idempotency-key", name);
    let answer = client.post("create_data", tag(name)).await;
    (answer.json, answer.headers.contains_key("idempotent-replay"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_whole_and_a_gateway_goes_on_from_it() {
    let odoo = odoo().await;
    let ((key, shop), (later_key, later)) = (new_client("shop"), new_client("later"));
    let account =
        format!("odoo_login = \"{}\"\nodoo_key_env = \"SHOP_KEY\"\nmodels = {{ allow = [\"*\"] }}\n", odoo.login);
    // Small segments, so that some are sealed while they are copied, and blobs.
    let more = format!(
        "[log]\nsegment_size = \"64 KiB\"\nblob_from = \"16 KiB\"\n{shop}{account}{later}{account}delivery = \"async\"\n"
    );
    let config = configuration(&odoo.url, &odoo.database, &more);
    let variables = [("SHOP_KEY", odoo.key.as_str())];
    let gateway = Gateway::with_configuration(&config, &variables);
    let client = Client::with_header(&gateway, "x-api-key", &key);
    let run = format!("backup-{}", Uuid::new_v4().simple());
    let known = format!("{run}-known");
    let first = create(&client, &known).await;
    assert_eq!((&first.0["result"]["is_success"], first.1), (&json!(true), false), "{first:?}");
    assert_eq!(gateway.run(&["queue", "pause", "later", "--why", "a test"]).0, Some(0));
    let waiting = format!("{run}-waiting");
    let accepted = Client::with_header(&gateway, "x-api-key", &later_key).post("create_data", tag(&waiting)).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");

    // Bodies that fill segments: reads are many, creates are few.
    let (is_over, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load = (0..CALLERS).map(|caller| {
        let (client, run, is_over, calls) = (client.clone(), run.clone(), is_over.clone(), calls.clone());
        async move {
            // Beside each other: what fills lines, and what becomes a blob.
            let fillings = ["x".repeat(8_000), format!("{caller}").repeat(20_000)];
            while !is_over.load(Relaxed) {
                let number = calls.fetch_add(1, Relaxed);
                if number.is_multiple_of(10) {
                    let (made, _) = create(&client, &format!("{run}-{caller}-{number}")).await;
                    assert_eq!(made["result"]["is_success"], true, "{made}");
                }
                let vals = json!({"payload": {"limit": 1, "search_domain": [["name", "!=", fillings[number % 2]]]}});
                client.call("search_data", "res.country", vals).await;
            }
        }
    });
    let into = tempfile::tempdir().unwrap();
    let (backup, backup_again) = (into.path().join("one"), into.path().join("two"));
    let config_file = gateway.config_file();
    let copies = async {
        poll_for(async || calls.load(Relaxed) > 40).await;
        let before = calls.load(Relaxed);
        for folder in [&backup, &backup_again] {
            let (home, folder) = (config_file.parent().unwrap().to_owned(), folder.display().to_string());
            let args = ["backup", "--into", &folder, "--configuration", "--json"].map(str::to_owned);
            let run = move || run_in(&home, &args.each_ref().map(String::as_str));
            let (status, out, said) = tokio::task::spawn_blocking(run).await.unwrap();
            assert_eq!(status, Some(0), "{said}");
            let made: Value = serde_json::from_str(&out).unwrap();
            assert_eq!((&made["backup"]["store"], &made["backup"]["form"]), (&json!("sqlite"), &json!(1)), "{made}");
            assert_eq!(made["backup"]["configuration"], json!(["gateway.toml"]));
        }
        poll_for(async || calls.load(Relaxed) > before + 20).await;
        is_over.store(true, Relaxed);
    };
    future::join(future::join_all(load), copies).await;
    let (status, _, said) = gateway.run(&["backup", "--into", backup.to_str().unwrap()]);
    assert!(status == Some(1) && said.contains("not empty"), "{said}");
    // The gateway of the backup is gone for good.
    drop(gateway.kill());

    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("gateway.toml"), &config).unwrap();
    let (status, out, said) =
        run_in(elsewhere.path(), &["restore", "--from", backup_again.to_str().unwrap(), "--json"]);
    assert_eq!(status, Some(0), "{said}");
    let restored: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(restored["paused"], json!([{"client": "later", "calls": 1}]), "{restored}");
    assert!(restored["lines"].as_u64().unwrap() > 100, "{restored}");
    assert!(restored["backup"]["segments"].as_u64().unwrap() > 1 && restored["backup"]["blobs"].as_u64().unwrap() > 0);
    let (status, out, _) = run_in(elsewhere.path(), &["log", "verify"]);
    assert!(status == Some(0) && out.starts_with("note") | out.starts_with("sound"), "{out}");
    let again = run_in(elsewhere.path(), &["restore", "--from", backup.to_str().unwrap()]);
    assert_eq!(again.0, Some(1), "nothing is put over what is there");

    let gateway = Gateway::again_with(elsewhere, &variables).unwrap();
    let client = Client::with_header(&gateway, "x-api-key", &key);
    assert_eq!(create(&client, &known).await, (first.0, true));
    assert_eq!(made(odoo, &known).await, 1);
    let new = create(&client, &format!("{run}-new")).await;
    assert_eq!((&new.0["result"]["is_success"], new.1), (&json!(true), false), "{new:?}");
    assert_eq!(made(odoo, &waiting).await, 0);
    assert_eq!(gateway.run(&["queue", "resume", "later"]).0, Some(0));
    poll_for(async || made(odoo, &waiting).await == 1).await;
    let (status, out, _) = gateway.run(&["log", "verify"]);
    assert_eq!(status, Some(0), "{out}");
}
