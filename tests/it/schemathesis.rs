//! schemathesis makes calls of the OpenAPI document, right and wrong ones, and holds every answer against it.
//!
//! The Odoo is one of its own, since the calls create, change and delete whatever they meet. The document is that of two small
//! models, as a client sees it: calls for large ones take long to make up. What is asked of it is narrowed to these models and to a
//! few methods: a text of chance is the name of no model, and such a call goes no further than its first lookup. A longer run:
//!
//!     SCHEMATHESIS_EXAMPLES=1000 SCHEMATHESIS_SECONDS=600 SCHEMATHESIS_SEED=7 cargo test --test it -- schemathesis --nocapture

use std::{env, path::Path, process::Command};

use serde_json::{Value, json};

use crate::support::{
    client,
    gateway::{Gateway, configuration, new_client},
    odoo::Odoo,
};

const MODELS: [&str; 2] = ["res.bank", "res.partner.category"];
const METHODS: [&str; 8] = [
    "action_archive",
    "action_unarchive",
    "copy",
    "name_search",
    "read",
    "search_count",
    "message_post",
    "no_such_method",
];
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";
/// Its own way of making up credentials would have most calls refused for these.
const SETTINGS: &str = "[generation]\nwith-security-parameters = false\n";

#[tokio::test]
async fn no_call_of_the_document_is_answered_by_anything_that_is_not_in_it() {
    let odoo = tokio::task::spawn_blocking(|| Odoo::up(&["--name", "schemathesis"])).await.unwrap();
    let (key, entry) = new_client("schemathesis");
    let entry = format!(
        "[docs]\npublic = true\n{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\nmethods = [\"*\"]\n\
         routes = [\"create_data\", \"update_data\", \"create_update_data\", \"search_data\", \"call_function\", \"delete_data\"]\n\
         max_records = {{ write = 1000 }}\n",
        odoo.login
    );
    let config = configuration(&odoo.url, &odoo.database, &entry);
    let gateway = Gateway::with_configuration(&config, &[("ODOO_KEY", &odoo.key)]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("openapi.json"), document(&gateway, &key).await.to_string()).unwrap();
    std::fs::write(folder.path().join("schemathesis.toml"), SETTINGS).unwrap();

    let said = run(folder.path().to_owned(), &gateway, &key).await;
    println!("{said}");
    let (made, passed) = counted(&said);
    assert_eq!((made, made > 100), (passed, true), "{said}");
    // Not everything was refused for its form.
    let log = gateway.log();
    let is_done = |call: &&Value| call["event"] == "call.finished" && call["error"].is_null();
    let done = log.iter().filter(is_done).count();
    println!("{done} of {} calls were carried out", log.len());
    assert!(done > 20, "{done} of {}", log.len());
}

/// The document as the client sees it, narrowed.
async fn document(gateway: &Gateway, key: &str) -> Value {
    let models = MODELS.map(|model| format!("model={model}")).join("&");
    let url = format!("{}/docs/openapi.json?{models}", gateway.url);
    let mut document: Value =
        client::http().get(url).header("x-api-key", key).send().await.unwrap().json().await.unwrap();
    let schemas = document["components"]["schemas"].as_object_mut().unwrap();
    for (_, call) in
        schemas.iter_mut().filter(|(name, _)| name.ends_with("_data.call") || *name == "call_function.call")
    {
        call["properties"]["model"]["enum"] = json!(MODELS);
    }
    schemas["call_function.payload"]["properties"]["method"]["enum"] = json!(METHODS);
    document
}

/// What it says at its end, where it found nothing.
async fn run(folder: std::path::PathBuf, gateway: &Gateway, key: &str) -> String {
    let given = |name: &str, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let seconds = given("SCHEMATHESIS_SECONDS", "60");
    let limit = seconds.parse::<u64>().unwrap() + 120;
    let mut command = Command::new("timeout");
    command
        .current_dir(&folder)
        .arg(limit.to_string())
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs"))
        .args([
            "--run",
            "schemathesis",
            "run",
            "openapi.json",
            "--url",
            &gateway.url,
            "-H",
            &format!("x-api-key: {key}"),
        ])
        .args([
            "--checks",
            CHECKS,
            "--phases",
            "fuzzing",
            "--no-shrink",
            "--continue-on-failure",
            "--suppress-health-check",
            "all",
        ])
        .args([
            "--max-examples",
            &given("SCHEMATHESIS_EXAMPLES", "25"),
            "--max-time",
            &seconds,
            "--seed",
            &given("SCHEMATHESIS_SEED", "19"),
        ])
        .env("no_proxy", "127.0.0.1");
    let run = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}");
    said
}

/// `1979 generated, 1979 passed`.
fn counted(said: &str) -> (usize, usize) {
    let line = said.lines().find(|line| line.contains(" generated, ")).unwrap_or_else(|| panic!("no count: {said}"));
    let mut numbers = line.split_ascii_whitespace().filter_map(|word| word.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap())
}
