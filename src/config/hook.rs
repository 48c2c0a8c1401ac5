//! `[[hook]]`: paths for senders with a payload of their own, and the calls that it is converted to.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    time::Duration,
};

use bytesize::ByteSize;
use http::Method;
use ipnet::IpNet;
use jiff::fmt::serde::unsigned_duration::friendly::compact::optional as optional_duration;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};

use super::{
    client::Client, delivery::WhenDown, faults::Faults, files::UrlPattern, reading::nearest, signature::Signature,
    source::Source,
};
use crate::route::Route;

const PREFIX: &str = "/hooks/";
/// The segment of a path that is a secret of its sender.
const TOKEN: &str = "{token}";
const LONGEST_CAPTURE: Duration = Duration::from_secs(7 * 86_400);
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
const LARGEST_FETCH: ByteSize = ByteSize::mib(1);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// The path behind `/hooks/`, of any depth.
    #[serde(deserialize_with = "path")]
    pub path: HookPath,
    /// The `[[client]]` that the sender is.
    pub client: String,
    /// The route and model of calls that name none of their own.
    pub route: Route,
    pub model: String,
    /// A file with a jq filter. A relative path is resolved against the configuration's folder.
    pub template: PathBuf,
    /// When the sender is answered.
    #[serde(default)]
    pub accept: Accept,
    /// Of a hook that answers when the call has ended: whether the delivery is queued where Odoo is away.
    pub when_down: Option<WhenDown>,
    #[serde(default = "post", deserialize_with = "methods")]
    pub methods: Vec<Method>,
    /// The form of the bodies.
    #[serde(default)]
    pub body: BodyForm,
    /// Whether calls are strict that do not say so themselves: nobody reads warnings here.
    #[serde(default = "yes")]
    pub strict: bool,
    /// A jq expression over what came: its identity, the same in all attempts of its sender.
    pub delivery_id: Option<String>,
    /// What a delivery without an identity is that has the signed content of an earlier one.
    #[serde(default)]
    pub same_content: SameContent,
    /// A jq expression over what came: deliveries with the same value go one after another. Without one, model and search key.
    pub key: Option<String>,
    /// A jq expression over what came: a number or a time. An event that is older than one that was done is ignored.
    pub only_if_newer: Option<String>,
    /// A domain that a record which is found must match to be changed.
    pub when: Option<Value>,
    /// A jq expression over a request that nobody has signed: an answer, or null where it is none of a handshake.
    pub handshake: Option<String>,
    /// A jq expression over a delivery: the answer that its sender expects, or null for the usual one.
    pub respond: Option<String>,
    /// Constants of the expressions, as `$vars`.
    #[serde(default)]
    pub vars: Map<String, Value>,
    /// What is fetched before the template is run.
    pub fetch: Option<Fetch>,
    /// For how long after a start or reload all that comes is kept for a look, also what is not signed.
    #[serde(default, with = "optional_duration")]
    pub capture: Option<Duration>,
}

/// Where a hook is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HookPath {
    /// What stands behind `/hooks/`, without the token.
    pub name: String,
    /// Whether another segment follows, which is a secret.
    pub has_token: bool,
}

/// When the sender of a delivery is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accept {
    /// As soon as it is stored. Then it is done, tried again, and parked where it is refused.
    #[default]
    Store,
    /// When its calls have ended.
    Answer,
}

/// The form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BodyForm {
    /// As its content type says; JSON where that says nothing.
    #[default]
    Auto,
    Json,
    Form,
    Multipart,
    Xml,
    Csv,
    Ndjson,
    Text,
}

/// What a delivery without an identity is that has the signed content of an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SameContent {
    /// The same delivery, within the tolerance of its signature.
    #[default]
    Repeat,
    /// Another one: a sensor may read the same twice.
    New,
}

/// `[hook.fetch]`: one GET before the template, for senders that send no more than an id.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "WrittenFetch")]
pub struct Fetch {
    /// A jq expression over what came: the URL, or null where nothing is to be fetched.
    pub url: String,
    /// The URLs that may be fetched, redirects too.
    pub allow: Vec<UrlPattern>,
    /// Addresses that are not public and may be reached all the same.
    pub allow_private: Vec<IpNet>,
    /// The header with the credential and what stands before it there.
    pub header: http::HeaderName,
    pub prefix: String,
    pub secret: Option<Source>,
    pub timeout: Duration,
    pub max_size: ByteSize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFetch {
    url: String,
    allow: Vec<UrlPattern>,
    #[serde(default)]
    allow_private: Vec<IpNet>,
    header: Option<String>,
    prefix: Option<String>,
    secret_env: Option<String>,
    secret_file: Option<PathBuf>,
    #[serde(default, with = "optional_duration")]
    timeout: Option<Duration>,
    max_size: Option<ByteSize>,
}

impl TryFrom<WrittenFetch> for Fetch {
    type Error = String;

    fn try_from(written: WrittenFetch) -> Result<Self, String> {
        let header = written.header.unwrap_or_else(|| "authorization".to_owned());
        let is_bearer = header.eq_ignore_ascii_case("authorization");
        let prefix = written.prefix.unwrap_or_else(|| if is_bearer { "Bearer " } else { "" }.to_owned());
        let timeout = written.timeout.unwrap_or(FETCH_TIMEOUT);
        if written.allow.is_empty() {
            return Err("`allow` must name the URLs that may be fetched".to_owned());
        }
        if timeout.is_zero() || timeout > Duration::from_secs(60) {
            return Err("`timeout` must be longer than nothing and not longer than a minute".to_owned());
        }
        Ok(Self {
            url: written.url,
            allow: written.allow,
            allow_private: written.allow_private,
            header: header.parse().map_err(|_| format!("`{header}` is no name of a header"))?,
            prefix,
            secret: Source::one_of(written.secret_env, written.secret_file, "secret")?,
            timeout,
            max_size: written.max_size.unwrap_or(LARGEST_FETCH),
        })
    }
}

impl HookPath {
    /// As it stands in the configuration.
    pub fn written(&self) -> String {
        let token = if self.has_token { format!("/{TOKEN}") } else { String::new() };
        format!("{PREFIX}{}{token}", self.name)
    }
}

impl Hook {
    /// The name of the hook: its path behind `/hooks/`, without a token.
    pub fn name(&self) -> &str {
        &self.path.name
    }

    /// The files of a relative path are those of the configuration's folder.
    pub(super) fn relative_to(&mut self, folder: &Path) {
        self.template = folder.join(&self.template);
        if let Some(Fetch { secret: Some(Source::File(file)), .. }) = &mut self.fetch {
            *file = folder.join(&file);
        }
    }

    pub(super) fn files(&self) -> Vec<PathBuf> {
        let secret = match &self.fetch {
            Some(Fetch { secret: Some(Source::File(file)), .. }) => Some(file.clone()),
            _ => None,
        };
        [Some(self.template.clone()), secret].into_iter().flatten().collect()
    }
}

/// Checks what concerns several sections together.
pub(super) fn check(hooks: &[Hook], clients: &[Client], faults: &mut Faults) {
    let mut names = HashSet::new();
    for (place, hook) in hooks.iter().enumerate() {
        let path = hook.path.written();
        let mut fault =
            |key: &str, why: String| faults.entry(&["hook"], place, key, format!("[[hook]] `{path}`: {why}"));
        if !names.insert(hook.name()) {
            fault("path", "another [[hook]] has this path".to_owned());
        }
        if hook.model.is_empty() {
            fault("model", "`model` must not be empty".to_owned());
        }
        if hook.capture.is_some_and(|span| span > LONGEST_CAPTURE) {
            fault("capture", "`capture` must not be longer than 7 days".to_owned());
        }
        if hook.when.as_ref().is_some_and(|when| !when.is_array()) {
            fault("when", "`when` must be a domain, such as [[\"state\", \"=\", \"draft\"]]".to_owned());
        }
        if hook.accept == Accept::Store && hook.route == Route::SearchData {
            fault("route", "the answer of `search_data` needs accept = \"answer\"".to_owned());
        }
        if hook.accept == Accept::Store && hook.when_down.is_some() {
            let why = "`when_down` belongs to accept = \"answer\": with \"store\", every delivery is queued";
            fault("when_down", why.to_owned());
        }
        let Some(client) = clients.iter().find(|client| client.name == hook.client) else {
            let names: Vec<&str> = clients.iter().map(|client| &*client.name).collect();
            let meant = nearest(&hook.client, &names).map(|near| format!("; did you mean `{near}`?"));
            fault("client", format!("there is no [[client]] named `{}`{}", hook.client, meant.unwrap_or_default()));
            // The entry of that name may have been taken out for its own mistakes.
            faults.because_of(&["client"]);
            continue;
        };
        if !client.rules.policy.routes.contains(&hook.route) {
            let (client, route) = (&client.name, hook.route.name());
            fault("route", format!("the client `{client}` may not call `{route}`: it is not in its `routes`"));
        }
        let is_in_path = client.signature.as_ref().is_some_and(Signature::is_in_path);
        match (is_in_path, hook.path.has_token) {
            (true, false) => fault(
                "path",
                format!(
                    "the client `{}` has its token in the path, so that the path must end with /{TOKEN}",
                    client.name
                ),
            ),
            (false, true) => fault(
                "path",
                format!(
                    "nothing compares its {TOKEN}: the client `{}` needs a [client.signature] with scheme = \"token\" and path = true",
                    client.name
                ),
            ),
            _ => {}
        }
    }
}

fn post() -> Vec<Method> {
    vec![Method::POST]
}

fn yes() -> bool {
    true
}

fn methods<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Method>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let known = |name: &String| match &**name {
        "POST" => Ok(Method::POST),
        "PUT" => Ok(Method::PUT),
        "PATCH" => Ok(Method::PATCH),
        "GET" => Ok(Method::GET),
        "HEAD" => Ok(Method::HEAD),
        "DELETE" => Ok(Method::DELETE),
        other => {
            Err(D::Error::custom(format!("`methods`: `{other}` is none of POST, PUT, PATCH, GET, HEAD and DELETE")))
        }
    };
    if names.is_empty() {
        return Err(D::Error::custom("`methods` must name one at least"));
    }
    names.iter().map(known).collect()
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HookPath, D::Error> {
    let path = String::deserialize(deserializer)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let is_segment = |segment: &str| !segment.is_empty() && segment.chars().all(is_plain);
    let behind = path.strip_prefix(PREFIX).map(|behind| match behind.strip_suffix(TOKEN) {
        Some(before) => (before.strip_suffix('/').unwrap_or_default(), true),
        None => (behind, false),
    });
    match behind {
        Some((name, has_token)) if name.split('/').all(is_segment) => Ok(HookPath { name: name.to_owned(), has_token }),
        _ => Err(D::Error::custom(format!(
            "`{path}` must be {PREFIX} and segments of letters, digits, dashes and underscores; the last one may be {TOKEN}"
        ))),
    }
}
