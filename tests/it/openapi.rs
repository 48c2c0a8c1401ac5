//! The interface as the gateway describes it: the document, what of a model a caller is shown, and the page with its form.

use std::{path::Path, process::Command};

use http::header;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    client::{self, Client},
    console::{Console, console_user},
    gateway::{Gateway, new_client},
    odoo::{Odoo, odoo, odoo_14},
};

const PUBLIC: &str = "[docs]\npublic = true\n";
const MODELS: [&str; 8] = [
    "res.partner",
    "product.template",
    "sale.order",
    "account.move",
    "crm.lead",
    "stock.picking",
    "res.users",
    "product.product",
];

/// A gateway that describes itself, with a client of this policy; and the client's key.
fn described(odoo: &Odoo, policy: &str) -> (Gateway, String) {
    let (key, entry) = new_client("reader");
    let entry = format!("{PUBLIC}{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n{policy}\n", odoo.login);
    (Gateway::before_with(&odoo.url, &odoo.database, &entry, &[("ODOO_KEY", &odoo.key)]), key)
}

/// Everything that the examples need.
const WIDE: &str = "routes = [\"create_data\", \"update_data\", \"create_update_data\", \"search_data\", \"call_function\", \"delete_data\"]\nmodels = { allow = [\"*\", \"res.users\"] }\nmethods = [\"res.partner.action_archive\"]\n";

struct Got {
    status: u16,
    challenge: Option<String>,
    text: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

async fn get(gateway: &Gateway, path: &str, key: Option<&str>) -> Got {
    let mut request = client::http().get(format!("{}{path}", gateway.url));
    if let Some(key) = key {
        request = request.header("x-api-key", key);
    }
    let response = request.send().await.unwrap();
    let challenge = response.headers().get(header::WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned());
    Got { status: response.status().as_u16(), challenge, text: response.text().await.unwrap() }
}

/// The examples of a document: route, name, body.
fn examples(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let routes = paths.filter_map(|(path, item)| Some((path.strip_prefix("/api/")?, item.get("post")?)));
    let all = routes.flat_map(|(route, operation)| {
        let examples = operation["requestBody"]["content"]["application/json"]["examples"].as_object().unwrap();
        examples.iter().map(|(name, example)| (route.to_owned(), name.clone(), example["value"].clone()))
    });
    all.collect()
}

/// Whether a dry run takes each example; and how many there are.
async fn check_examples(gateway: &Gateway, key: &str, document: &Value) -> usize {
    let client = Client::with_header(gateway, "x-api-key", key);
    let examples = examples(document);
    for (route, name, body) in &examples {
        let answer = client.post(route, body.to_string()).await.json;
        let result = &answer["result"];
        assert_eq!(result["is_success"], true, "{route} of {name}: {body}\n{answer}");
        assert!(result["result"]["calls"].is_array(), "{route} of {name} is no dry run: {body}\n{answer}");
    }
    examples.len()
}

fn validate(document: &Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let found = Command::new(programs).arg("openapi-spec-validator").output().unwrap();
    let program = String::from_utf8(found.stdout).unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    let checked = Command::new(program.trim()).arg(&file).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert!(checked.status.success() && said.contains("OK"), "{said}");
}

async fn examples_of_models_are_taken(odoo: &Odoo) -> Value {
    let (gateway, key) = described(odoo, WIDE);
    let query: Vec<String> = MODELS.iter().map(|model| format!("model={model}")).collect();
    let got = get(&gateway, &format!("/docs/openapi.json?{}", query.join("&")), Some(&key)).await;
    assert_eq!(got.status, 200, "{}", got.text);
    let document = got.json();
    for model in MODELS {
        for route in ["create_data", "update_data", "search_data"] {
            let of_route = |(known, name, _): &(String, String, Value)| known == route && name == model;
            assert!(examples(&document).iter().any(of_route), "{route} has no example of {model}");
        }
    }
    // Those of eight models for three routes, and of three routes that have no model's.
    assert_eq!(check_examples(&gateway, &key, &document).await, 3 * MODELS.len() + 3);
    document
}

#[tokio::test]
async fn the_examples_of_eight_models_are_taken_by_dry_runs_and_the_document_is_valid() {
    let document = examples_of_models_are_taken(odoo().await).await;
    validate(&document);
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["sale.order.new"]["required"], json!(["partner_id"]));
    let order = &schemas["sale.order"]["properties"];
    assert_eq!(order["amount_total"]["readOnly"], Value::Null, "stored and computed: an update writes it");
    assert_eq!(order["partner_id"]["x-relation"], "res.partner");
    assert_eq!(order["create_date"]["readOnly"], true);
    assert_eq!(
        order["order_line"]["anyOf"][0]["items"]["anyOf"][0]["$ref"],
        "#/components/schemas/sale.order.line.new"
    );
    let states = order["state"]["anyOf"][0]["oneOf"].as_array().unwrap();
    assert!(states.contains(&json!({"const": "draft", "title": "Quotation"})), "{states:?}");
}

#[tokio::test]
async fn the_examples_of_eight_models_are_taken_by_dry_runs_on_odoo_14() {
    let document = examples_of_models_are_taken(odoo_14().await).await;
    let required = &document["components"]["schemas"]["sale.order.new"]["required"];
    assert!(required.as_array().unwrap().contains(&json!("pricelist_id")), "{required}");
}

#[tokio::test]
async fn the_document_of_the_routes_needs_no_credential_and_its_examples_are_taken() {
    let (gateway, key) = described(odoo().await, WIDE);
    let got = get(&gateway, "/docs/openapi.json", None).await;
    assert_eq!(got.status, 200, "{}", got.text);
    validate(&got.json());
    assert_eq!(check_examples(&gateway, &key, &got.json()).await, 6);
    let unknown = get(&gateway, "/docs/openapi.json?model=no.model", Some(&key)).await;
    assert_eq!((unknown.status, unknown.json()["error"]["code"].as_str()), (422, Some("unknown_model")));
    let many = format!("/docs/openapi.json?{}", ["model=res.bank"; 11].join("&"));
    assert_eq!(get(&gateway, &many, Some(&key)).await.status, 422);
    let (code, printed, said) = gateway.run(&["openapi"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), got.json());
    let (code, printed, said) = gateway.run(&["openapi", "--model", "res.bank", "--as-client", "nobody"]);
    assert_eq!((code, printed.as_str()), (Some(1), ""), "{said}");
    assert!(said.contains("no [[client]] named `nobody`"), "{said}");
}

#[tokio::test]
async fn a_model_is_described_to_its_caller_alone_and_as_far_as_its_policy_goes() {
    let odoo = odoo().await;
    let policy = "routes = [\"create_data\"]\nmodels = { allow = [\"res.partner\", \"res.country\"] }\nnever_read = [\"res.partner.vat\"]\nnever_write = [\"res.partner.vat\", \"res.partner.comment\"]\n";
    let (gateway, key) = described(odoo, policy);
    let nobody = get(&gateway, "/docs/openapi.json?model=res.partner", None).await;
    assert_eq!((nobody.status, nobody.json()["error"]["code"].as_str()), (401, Some("no_credentials")));
    assert_eq!(nobody.challenge.as_deref(), Some("Basic realm=\"odoo-gateway\""));
    let wrong = get(&gateway, "/docs/openapi.json?model=res.partner", Some("gw_wrong")).await;
    assert_eq!((wrong.status, wrong.json()["error"]["code"].as_str()), (401, Some("unknown_client")));
    let other = get(&gateway, "/docs/openapi.json?model=sale.order", Some(&key)).await;
    assert_eq!(
        (other.status, other.json()["error"]["code"].as_str()),
        (403, Some("model_not_allowed")),
        "{}",
        other.text
    );
    let unknown = get(&gateway, "/docs/openapi.json?model=no.model", Some(&key)).await;
    assert_eq!(unknown.status, 403, "what is not allowed is not told to be there or not: {}", unknown.text);

    let document = get(&gateway, "/docs/openapi.json?model=res.partner", Some(&key)).await.json();
    let fields = &document["components"]["schemas"]["res.partner"]["properties"];
    assert_eq!(fields["vat"], Value::Null);
    assert_eq!(fields["comment"]["readOnly"], true);
    assert_eq!(fields["country_id"]["readOnly"], Value::Null);
    assert_eq!(fields["user_id"]["readOnly"], true, "what leads to a model that may not be touched cannot be written");
    let example = &document["paths"]["/api/update_data"]["post"]["requestBody"]["content"]["application/json"]["examples"]
        ["res.partner"];
    let key_of_example = &example["value"]["vals"]["search_key"];
    assert!(key_of_example["id"].is_i64(), "one who may not search is shown no name of a record: {example}");
    // The page says the same.
    let page = get(&gateway, "/docs?model=res.partner", Some(&key)).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("id=\"field-comment\"") && !page.text.contains("id=\"field-vat\""), "{}", page.text);
    let filtered = get(&gateway, "/docs?model=res.partner&q=country", Some(&key)).await.text;
    assert!(filtered.contains("id=\"field-country_id\"") && !filtered.contains("id=\"field-comment\""), "{filtered}");
    let nobody = get(&gateway, "/docs?model=res.partner", None).await;
    assert_eq!((nobody.status, nobody.challenge.is_some()), (401, true));
    assert!(!nobody.text.contains("field-name"), "{}", nobody.text);
}

#[tokio::test]
async fn nothing_is_described_on_the_public_listener_where_the_configuration_does_not_say_so() {
    let odoo = odoo().await;
    let closed = Gateway::before(&odoo.url, &odoo.database, "");
    for path in ["/docs", "/docs/openapi.json", "/docs/openapi.json?model=res.partner"] {
        assert_eq!(get(&closed, path, None).await.status, 404, "{path}");
    }
    let sent = client::http().post(format!("{}/docs/try", closed.url)).body("model=res.partner&vals={}").send().await;
    assert_eq!(sent.unwrap().status().as_u16(), 404);
}

/// Sends the form of the public page, with what a browser may send by itself.
async fn try_it(gateway: &Gateway, fields: &[(&str, &str)], ambient: &str) -> String {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = client::http().post(format!("{}/docs/try", gateway.url)).body(body);
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let response = request.header("x-api-key", ambient).send().await.unwrap();
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{policy}");
    response.text().await.unwrap()
}

#[tokio::test]
async fn the_form_shows_a_plan_first_and_writes_when_it_is_confirmed_with_the_key_in_it() {
    let odoo = odoo().await;
    let (gateway, key) = described(odoo, WIDE);
    let name = format!("<b>Tried {}", Uuid::new_v4());
    let vals = json!({"payload": {"name": name}}).to_string();
    let fields = [("route", "create_data"), ("model", "res.partner"), ("vals", vals.as_str())];
    let count = async || odoo.search_count("res.partner", json!([["name", "=", name]])).await;

    let refused = try_it(&gateway, &fields, &key).await;
    assert!(refused.contains("Give a key"), "a credential that a browser sends by itself is not used: {refused}");
    let with = |more: &[(&'static str, &str)]| {
        let more: Vec<(&str, String)> = more.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let own = fields.iter().map(|(name, value)| (*name, (*value).to_owned()));
        own.chain(more).collect::<Vec<(&str, String)>>()
    };
    let send = async |fields: Vec<(&str, String)>| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        try_it(&gateway, &fields, "").await
    };
    let plan = send(with(&[("key", &key), ("step", "dry")])).await;
    assert!(plan.contains("creates 1 record of res.partner"), "{plan}");
    assert!(plan.contains("&#60;b&#62;Tried") && !plan.contains("<b>Tried"), "{plan}");
    assert!(!plan.contains(&key), "the key is in the page");
    let unsure = send(with(&[("key", &key), ("step", "real")])).await;
    assert!(unsure.contains("Confirm that this is not a dry run"), "{unsure}");
    assert_eq!(count().await, 0);
    let done = send(with(&[("key", &key), ("step", "real"), ("sure", "yes")])).await;
    assert!(done.contains("Record created successfully"), "{done}");
    assert_eq!(count().await, 1);
    let wrong = send(with(&[("key", "gw_wrong"), ("step", "dry")])).await;
    assert!(wrong.contains("unknown_client"), "{wrong}");
    let is_recorded = |line: &Value| line["client"] == "reader" && line["state"] == "done";
    assert!(gateway.log().iter().any(is_recorded), "a call of the form is in the log like any other");
}

#[tokio::test]
async fn an_operator_sees_the_api_as_a_client_and_one_who_may_read_sends_nothing() {
    let odoo = odoo().await;
    let (key, entry) = new_client("shop");
    let (token, user) = console_user("rita", "read");
    let entry = format!("{user}{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n{WIDE}", odoo.login);
    let gateway = Gateway::before_with(&odoo.url, &odoo.database, &entry, &[("ODOO_KEY", &odoo.key)]);
    let (operator, reader) = (Console::operator(&gateway).await, Console::with_token(&gateway, &token).await);
    let page = reader.get("/docs?model=res.partner&client=shop").await;
    page.assert_has("id=\"field-name\"");
    page.assert_has("An operator can try calls here");
    page.assert_lacks(&key);
    let document = reader.get("/docs/openapi.json?model=res.partner&client=shop").await;
    assert!(document.text.contains("\"res.partner.new\""), "{}", document.text);
    let name = format!("Tried {}", Uuid::new_v4());
    let vals = json!({"payload": {"name": name}}).to_string();
    let fields = [("route", "create_data"), ("model", "res.partner"), ("vals", vals.as_str()), ("client", "shop")];
    assert_eq!(reader.post("/docs/try", &fields).await.status, 403);
    let plan = operator.post("/docs/try", &fields).await;
    plan.assert_has("creates 1 record of res.partner");
    let done = operator.post("/docs/try", &[&fields[..], &[("step", "real"), ("sure", "yes")]].concat()).await;
    done.assert_has("Record created successfully");
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 1);
    let stranger = Console::nobody(&gateway).get("/docs").await;
    assert!(stranger.status == 303 || stranger.text.contains("token"), "{stranger:?}");
}
