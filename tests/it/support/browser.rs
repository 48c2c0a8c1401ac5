//! A real Chromium without a window, driven through chromedriver by the WebDriver protocol.
//!
//! Whatever is done waits until the page lets it be done; what does not come in time fails the test with a picture of the
//! page. The browser is kept from every address outside this machine.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time;

use super::{client::http, net_log::NetLog};

/// Odoo makes its scripts and styles when the first page asks for them, which may take a busy machine minutes.
const DEADLINE: Duration = Duration::from_secs(240);
const PAUSE: Duration = Duration::from_millis(100);
/// What Chromium is given to end by itself.
const END: Duration = Duration::from_secs(20);

/// Keys without a sign (WebDriver, section 17.4.2).
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const SPACE: &str = " ";

const FLAGS: [&str; 13] = [
    "--headless=new",
    "--no-sandbox", // as root there is none
    "--disable-gpu",
    "--disable-dev-shm-usage", // containers have little of it
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--window-size=1400,1000",
    // It still asks its maker about passwords and forms: to no avail.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    // Over a pipe instead of a port: it ends when chromedriver does, however that comes.
    "--remote-debugging-pipe",
];

pub(crate) struct Browser {
    driver: Child,
    /// Chromedriver's output, which Chromium holds too: at its end both have ended.
    said: mpsc::Receiver<String>,
    /// Where the WebDriver session takes commands.
    session: String,
    /// Chromium's profile and whatever else it leaves.
    folder: TempDir,
}

impl Browser {
    pub(crate) async fn start() -> Self {
        let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
        assert!(Command::new(programs).args(["chromium", "chromedriver"]).status().unwrap().success());
        let folder = tempfile::tempdir().unwrap();
        // A test run that is killed takes the browser with it.
        let mut driver = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "chromedriver", "--port=0"])
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let (sender, said) = mpsc::channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut browser = Self { driver, said, session: String::new(), folder };
        browser.session = browser.new_session().await;
        browser
    }

    async fn new_session(&self) -> String {
        let port = std::iter::from_fn(|| self.said.recv_timeout(END).ok())
            .find_map(|line| {
                line.split_once("successfully on port ").map(|(_, port)| port.trim_end_matches('.').to_owned())
            })
            .expect("chromedriver says its port");
        let address = format!("http://127.0.0.1:{port}/session");
        let own = [
            format!("--user-data-dir={}", self.folder.path().join("profile").display()),
            format!("--log-net-log={}", self.folder.path().join("net.json").display()),
        ];
        let flags: Vec<&str> = FLAGS.into_iter().chain(own.iter().map(String::as_str)).collect();
        let logs = json!({"browser": "ALL"});
        let capabilities = json!({"alwaysMatch": {"goog:chromeOptions": {"args": flags}, "goog:loggingPrefs": logs}});
        let made = ask("POST", &address, json!({"capabilities": capabilities})).await.expect("a browser");
        format!("{address}/{}", made["sessionId"].as_str().unwrap())
    }

    /// Goes to an address and waits until its page is loaded; what its scripts make of it may come later.
    pub(crate) async fn open(&self, url: &str) {
        if let Err(error) = self.command("POST", "url", json!({"url": url})).await {
            self.fail(url, &error).await;
        }
    }

    /// Waits until such an element is there.
    pub(crate) async fn see(&self, css: &str) {
        self.until(css, async || self.element(css).await.map(drop)).await;
    }

    pub(crate) async fn click(&self, css: &str) {
        self.act(css, "click", json!({})).await;
    }

    /// Types into an element; of a file input this is the path of the file.
    pub(crate) async fn type_into(&self, css: &str, text: &str) {
        self.act(css, "value", json!({"text": text})).await;
    }

    /// Types into an element in the place of what it holds.
    pub(crate) async fn replace(&self, css: &str, text: &str) {
        self.act(css, "clear", json!({})).await;
        self.type_into(css, text).await;
    }

    /// Waits until what an element shows, or an input holds, has this in it.
    pub(crate) async fn read(&self, css: &str, text: &str) {
        let look = async || {
            let element = self.element(css).await?;
            let shown = self.command("GET", &format!("element/{element}/text"), Value::Null).await?;
            let held = self.command("GET", &format!("element/{element}/property/value"), Value::Null).await?;
            let has = |value: &Value| value.as_str().is_some_and(|value| value.contains(text));
            if has(&shown) || has(&held) { Ok(()) } else { Err(format!("it shows {shown} and holds {held}")) }
        };
        self.until(&format!("{text:?} in {css}"), look).await;
    }

    /// Waits until an attempt succeeds, whether at the page or at what has become of it elsewhere.
    pub(crate) async fn until<T>(&self, what: &str, attempt: impl AsyncFn() -> Result<T, String>) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match attempt().await {
                Ok(got) => return got,
                Err(error) if Instant::now() > deadline => self.fail(what, &error).await,
                Err(_) => time::sleep(PAUSE).await,
            }
        }
    }

    /// What a script returns; of a promise, what comes of it.
    pub(crate) async fn script(&self, script: &str) -> Value {
        match self.command("POST", "execute/sync", json!({"script": script, "args": []})).await {
            Ok(value) => value,
            Err(error) => self.fail(script, &error).await,
        }
    }

    /// All cookies that would be sent to where the browser is, those that scripts cannot see too.
    pub(crate) async fn cookies(&self) -> Vec<Value> {
        let cookies = self.command("GET", "cookie", Value::Null).await.unwrap();
        cookies.as_array().unwrap().clone()
    }

    /// Types keys into what holds the focus: text, and [`TAB`], [`ENTER`] and the like.
    pub(crate) async fn press(&self, keys: &str) {
        let each = keys.chars().flat_map(|key| {
            let key = key.to_string();
            [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})]
        });
        let actions = json!([{"type": "key", "id": "keyboard", "actions": each.collect::<Vec<_>>()}]);
        if let Err(error) = self.command("POST", "actions", json!({"actions": actions})).await {
            self.fail(keys, &error).await;
        }
    }

    /// Presses the tabulator until this element holds the focus, as a person without a mouse does.
    pub(crate) async fn tab_to(&self, css: &str) {
        let is_there = format!("return document.activeElement.matches({})", json!(css));
        for _ in 0..100 {
            if self.script(&is_there).await == true {
                return;
            }
            self.press(TAB).await;
        }
        self.fail(css, "the tabulator does not lead there").await;
    }

    /// Shows the page so wide, and in the light or dark theme.
    pub(crate) async fn look(&self, width: u32, is_dark: bool) {
        let metrics = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        self.devtools("Emulation.setScrollbarsHidden", json!({"hidden": true})).await;
        let theme = if is_dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": theme}]});
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// A picture of the page as WebP, from its top on, so many pixels high at most.
    pub(crate) async fn picture(&self, most: u32) -> Vec<u8> {
        let size = self.script("return [innerWidth, document.documentElement.scrollHeight]").await;
        let height = size[1].as_u64().unwrap().min(u64::from(most));
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": height, "scale": 1});
        let taken = json!({"format": "webp", "quality": 60, "captureBeyondViewport": true, "clip": clip});
        let taken = self.devtools("Page.captureScreenshot", taken).await;
        STANDARD.decode(taken["data"].as_str().unwrap()).unwrap()
    }

    /// What the browser has reported of pages since the last time: errors of scripts, requests that failed, and what the
    /// policy of a page forbade.
    pub(crate) async fn reports(&self) -> Vec<String> {
        let entries = self.command("POST", "se/log", json!({"type": "browser"})).await.unwrap();
        entries.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        match self.command("POST", "goog/cdp/execute", json!({"cmd": command, "params": parameters})).await {
            Ok(answer) => answer,
            Err(error) => self.fail(command, &error).await,
        }
    }

    /// From now on no request of the page goes out; a worker that it shares with other pages keeps what it has open.
    pub(crate) async fn block_requests(&self) {
        for (command, parameters) in [("Network.enable", json!({})), ("Network.setBlockedURLs", json!({"urls": ["*"]}))]
        {
            let command = json!({"cmd": command, "params": parameters});
            self.command("POST", "goog/cdp/execute", command).await.unwrap();
        }
    }

    /// Ends it in order; gives all that it did on the network.
    pub(crate) async fn quit(mut self) -> NetLog {
        ask("DELETE", &self.session, Value::Null).await.unwrap();
        self.end();
        NetLog::read(&self.folder.path().join("net.json"))
    }

    async fn act(&self, css: &str, action: &str, body: Value) {
        let attempt = async || {
            let element = self.element(css).await?;
            self.command("POST", &format!("element/{element}/{action}"), body.clone()).await.map(drop)
        };
        self.until(&format!("{action} of {css}"), attempt).await;
    }

    async fn element(&self, css: &str) -> Result<String, String> {
        let found = self.command("POST", "element", json!({"using": "css selector", "value": css})).await?;
        // The one entry's key is the same for all elements.
        Ok(found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned())
    }

    async fn command(&self, method: &str, name: &str, body: Value) -> Result<Value, String> {
        ask(method, &format!("{}/{name}", self.session), body).await
    }

    async fn fail(&self, what: &str, error: &str) -> ! {
        let picture = self.command("GET", "screenshot", Value::Null).await.unwrap_or_default();
        let (_, file) = tempfile::Builder::new().prefix("browser-").suffix(".png").tempfile().unwrap().keep().unwrap();
        std::fs::write(&file, STANDARD.decode(picture.as_str().unwrap_or_default()).unwrap()).unwrap();
        let at = self.command("GET", "url", Value::Null).await;
        let console = self.command("POST", "se/log", json!({"type": "browser"})).await;
        panic!("{what}: {error}\nat {at:?}, see {}\nits console: {console:?}", file.display());
    }

    fn end(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        // Chromium writes into its folder until it has ended.
        let deadline = Instant::now() + END;
        while self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok() {}
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.end();
    }
}

/// What chromedriver answers to one command; an `Err` says why it could not be done.
async fn ask(method: &str, url: &str, body: Value) -> Result<Value, String> {
    let mut request = http().request(method.parse().unwrap(), url).timeout(DEADLINE);
    if method == "POST" {
        request = request.json(&body);
    }
    let response = request.send().await.map_err(|error| format!("chromedriver: {error}"))?;
    let is_done = response.status().is_success();
    let value = response.json::<Value>().await.map_err(|error| format!("chromedriver: {error}"))?["value"].take();
    if is_done { Ok(value) } else { Err(format!("{}: {}", value["error"], value["message"])) }
}
