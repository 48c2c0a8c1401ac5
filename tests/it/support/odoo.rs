//! The real Odoo of this test run, and a direct line to it, past the gateway.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::LazyLock,
};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// Brought up by the first test that asks, stopped when this process ends.
static ODOO: LazyLock<Odoo> = LazyLock::new(|| Odoo::up(&[]));
static ODOO_14: LazyLock<Odoo> = LazyLock::new(|| Odoo::up(&["--version", "14"]));

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Odoo {
    pub(crate) url: String,
    pub(crate) database: String,
    pub(crate) login: String,
    pub(crate) password: String,
    pub(crate) key: String,
    pub(crate) version: u16,
    /// The process, where it is one of ours.
    pub(crate) pid: Option<u32>,
    #[serde(skip)]
    uid: OnceCell<i64>,
    #[serde(skip)]
    is_prepared: OnceCell<()>,
}

/// The Odoo of this run; the first call takes a while.
pub(crate) async fn odoo() -> &'static Odoo {
    let odoo = tokio::task::spawn_blocking(|| LazyLock::force(&ODOO)).await.expect("an Odoo to test against");
    odoo.without_lock_out().await
}

/// The oldest Odoo that is supported.
pub(crate) async fn odoo_14() -> &'static Odoo {
    let odoo = tokio::task::spawn_blocking(|| LazyLock::force(&ODOO_14)).await.expect("an Odoo 14 to test against");
    odoo.without_lock_out().await
}

/// An Odoo 19 of its own with the module `project`, which the others lack. Its installation takes some 20 seconds.
pub(crate) async fn odoo_with_project() -> &'static Odoo {
    static PROJECT: OnceCell<Odoo> = OnceCell::const_new();
    let install = async || {
        let odoo =
            tokio::task::spawn_blocking(|| Odoo::up(&["--name", "project"])).await.expect("an Odoo to test against");
        let model = "ir.module.module";
        let module = odoo.call(model, "search", json!([[["name", "=", "project"]]]), json!({})).await.unwrap();
        odoo.call(model, "button_immediate_install", json!([module]), json!({})).await.expect("the module project");
        odoo
    };
    PROJECT.get_or_init(install).await
}

impl Odoo {
    /// With more arguments for `tests/odoo/up`.
    pub(crate) fn up(more: &[&str]) -> Self {
        let up = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/odoo/up");
        let run = Command::new(&up)
            .args(["--json", "--for-pid", &std::process::id().to_string()])
            .args(more)
            .stderr(Stdio::inherit())
            .output()
            .unwrap_or_else(|error| panic!("{} cannot be run: {error}", up.display()));
        assert!(run.status.success(), "tests/odoo/up failed; these tests need the real Odoo that it brings up");
        serde_json::from_slice(&run.stdout).expect("tests/odoo/up --json prints one object")
    }

    /// Wrong passwords of one test must not keep the logins of another from being looked at; to Odoo all come from here. An
    /// Odoo that is somebody's own stays as it is set.
    async fn without_lock_out(&self) -> &Self {
        if self.pid.is_none() {
            return self;
        }
        let never = json!(["base.login_cooldown_after", "0"]);
        let prepare = async || drop(self.call("ir.config_parameter", "set_param", never, json!({})).await.unwrap());
        self.is_prepared.get_or_init(prepare).await;
        self
    }

    /// Calls a method as the test's own user; an Odoo error is an `Err` with Odoo's words.
    pub(crate) async fn call(&self, model: &str, method: &str, args: Value, kwargs: Value) -> Result<Value, String> {
        let args = json!([self.database, self.uid().await, self.password, model, method, args, kwargs]);
        self.rpc("object", "execute_kw", args).await
    }

    async fn rpc(&self, service: &str, method: &str, args: Value) -> Result<Value, String> {
        let body = json!({"jsonrpc": "2.0", "params": {"service": service, "method": method, "args": args}});
        let request = super::client::http().post(format!("{}/jsonrpc", self.url)).json(&body);
        let mut answer: Value = request.send().await.expect("Odoo answers").json().await.expect("Odoo answers JSON");
        match answer.get("error") {
            Some(error) => Err(error["data"]["message"].as_str().unwrap_or_default().to_owned()),
            None => Ok(answer["result"].take()),
        }
    }

    pub(crate) async fn search_count(&self, model: &str, domain: Value) -> Value {
        self.call(model, "search_count", json!([domain]), json!({})).await.expect("a count")
    }

    /// An id of a new record.
    pub(crate) async fn create(&self, model: &str, values: Value) -> i64 {
        self.call(model, "create", json!([values]), json!({})).await.expect("a new record").as_i64().expect("an id")
    }

    /// The test's own user. Asked once: a login costs Odoo half a second of hashing.
    pub(crate) async fn uid(&self) -> i64 {
        let login = async || {
            let uid = self.rpc("common", "login", json!([self.database, self.login, self.password])).await;
            uid.expect("a login").as_i64().expect("the login and password of the test's own Odoo")
        };
        *self.uid.get_or_init(login).await
    }
}
