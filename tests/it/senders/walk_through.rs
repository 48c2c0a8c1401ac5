//! docs/hooks.md, "From a sender's settings page to the first order in Odoo", as a newcomer types it.

use std::{
    fs,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use crate::support::{
    gateway::{PROGRAM, run_in},
    odoo::odoo,
    poll_for,
};

/// A shell and all that it has started; ended with the test.
struct Shell(Child);

impl Drop for Shell {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.0);
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.0.wait();
    }
}

/// The commands of the walk-through, block by block.
fn blocks() -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/hooks.md")).unwrap();
    let (_, section) = text.split_once("\n## From a sender's settings page to the first order in Odoo\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let blocks = section.split("```sh\n").skip(1).map(|block| block.split_once("\n```").unwrap().0.to_owned());
    blocks.collect()
}

#[tokio::test]
async fn the_walk_through_of_the_documentation_leads_to_an_order() {
    let odoo = odoo().await;
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let number = format!("9{}", &free[free.len() - 4..]);
    let here = |text: &str| {
        let text = text
            .replace("http://127.0.0.1:8069", &odoo.url)
            .replace("database = \"odoo\"", &format!("database = \"{}\"", odoo.database))
            .replace("webhooks@example.com", &odoo.login)
            .replace("THE-API-KEY", &odoo.key)
            .replace("127.0.0.1:8080", &free)
            .replace("727", &format!("{number}1"))
            .replace("728", &format!("{number}2"));
        // What a newcomer finds in the folder from the first step on: a port that is free here, and an order of this test's own.
        let server = format!("[server]\nlisten = \"{free}\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[upstream]");
        text.replace("[upstream]", &server)
    };
    let blocks: Vec<String> = blocks().iter().map(|block| here(block)).collect();
    assert_eq!(blocks.len(), 9, "{blocks:#?}");
    let (last, first) = blocks.split_last().unwrap();
    // The sample is one of all tests: its number is this test's own.
    let own = format!("sed -i 's/727/{number}1/g' woocommerce.json\n");
    let script = format!("set -e\n{}\n{own}{}\ntouch over\n", first[0], first[1..].join("\n"));
    let programs = Path::new(PROGRAM).parent().unwrap().display();
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(folder.path()).process_group(0).stdin(Stdio::null());
    command.env("PATH", format!("{programs}:{}", std::env::var("PATH").unwrap()));
    let said = fs::File::create(folder.path().join("said")).unwrap();
    command.stdout(said.try_clone().unwrap()).stderr(said);
    let mut shell = Shell(command.spawn().unwrap());
    poll_for(async || folder.path().join("over").exists() || shell.0.try_wait().unwrap().is_some()).await;
    let said = || fs::read_to_string(folder.path().join("said")).unwrap();
    assert!(folder.path().join("over").exists(), "{}", said());

    let orders = async |number: &str| {
        let of_it = json!([["client_order_ref", "=", format!("WooCommerce {number}")]]);
        let fields = json!({"fields": ["partner_id", "order_line"]});
        odoo.call("sale.order", "search_read", json!([of_it]), fields).await.unwrap().as_array().unwrap().clone()
    };
    poll_for(async || !orders(&format!("{number}1")).await.is_empty()).await;
    let [order] = &orders(&format!("{number}1")).await[..] else { panic!("one order") };
    assert!(order["partner_id"][1].as_str().unwrap().contains("John Doe"), "{order}");
    assert_eq!(order["order_line"].as_array().map(Vec::len), Some(2));

    // The order without an address waits until its template is mended and taken.
    assert!(orders(&format!("{number}2")).await.is_empty());
    assert!(said().contains("unknown@shop.example"), "{}", said());
    let retry: Vec<&str> = last.strip_prefix("odoo-gateway ").unwrap().split(' ').collect();
    poll_for(async || {
        let (status, _, told) = run_in(folder.path(), &retry);
        assert_eq!(status, Some(0), "{told}");
        !orders(&format!("{number}2")).await.is_empty()
    })
    .await;
    let (_, out, _) = run_in(folder.path(), &["queue", "ls", "--json"]);
    let states: Vec<Value> =
        out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["state"].clone()).collect();
    assert!(states.iter().all(|state| state == "done"), "{states:?}");
}
