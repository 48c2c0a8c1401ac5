//! A person who is signed in to the console, without a browser.

use std::time::Duration;

use http::{HeaderMap, header};
use reqwest::redirect::Policy;
use sha2::{Digest, Sha256};

use super::{client, gateway::Gateway};

/// A token for a `[[console.user]]`, and the entry that knows it.
pub(crate) fn console_user(name: &str, role: &str) -> (String, String) {
    let token = format!("the token of {name}");
    let digest = const_hex::encode(Sha256::digest(&token));
    (token, format!("[[console.user]]\nname = \"{name}\"\nrole = \"{role}\"\ntoken_sha256 = \"{digest}\"\n"))
}

/// A page that was answered.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Page {
    async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    #[track_caller]
    pub(crate) fn assert_has(&self, words: &str) {
        assert!(self.text.contains(words), "`{words}` is not in this page ({}):\n{}", self.status, self.text);
    }

    #[track_caller]
    pub(crate) fn assert_lacks(&self, words: &str) {
        assert!(!self.text.contains(words), "`{words}` is in this page:\n{}", self.text);
    }

    /// Where it leads, without the origin; empty where it is no redirect.
    pub(crate) fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |to| to.to_str().unwrap())
    }
}

/// A session of the console.
#[derive(Debug, Clone)]
pub(crate) struct Console {
    pub(crate) url: String,
    http: reqwest::Client,
    pub(crate) cookie: String,
    pub(crate) csrf: String,
}

impl Console {
    /// Signed in as the operator, by the token beside the log.
    pub(crate) async fn operator(gateway: &Gateway) -> Self {
        let control = std::fs::read(gateway.log_folder().join("control.json")).unwrap();
        let control: serde_json::Value = serde_json::from_slice(&control).unwrap();
        Self::with_token(gateway, control["token"].as_str().unwrap()).await
    }

    /// Signed in with the token of a `[[console.user]]`.
    pub(crate) async fn with_token(gateway: &Gateway, token: &str) -> Self {
        let mut console = Self::nobody(gateway);
        let page = console.send_form("/signin", &[("token", token)]).await;
        assert_eq!(page.status, 303, "{page:?}");
        let cookie = page.headers[header::SET_COOKIE].to_str().unwrap();
        console.cookie = cookie.split(';').next().unwrap().to_owned();
        let page = console.get("/calls").await;
        assert_eq!(page.status, 200, "{page:?}");
        let (_, csrf) = page.text.split_once("name=\"csrf\" value=\"").unwrap();
        console.csrf = csrf.split('"').next().unwrap().to_owned();
        console
    }

    /// Not signed in.
    pub(crate) fn nobody(gateway: &Gateway) -> Self {
        let builder = client::builder().redirect(Policy::none());
        Self { url: gateway.admin.clone(), http: builder.build().unwrap(), cookie: String::new(), csrf: String::new() }
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        self.get_with(path, &[]).await
    }

    /// The same with more headers.
    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Page {
        let mut request = self.http.get(format!("{}{path}", self.url)).header(header::COOKIE, &self.cookie);
        request = request.header(header::ACCEPT, "text/html,application/xhtml+xml");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Page::of(request.send().await.unwrap()).await
    }

    /// Sends a form of a page, with the token of this session.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.send_form(path, &[fields, &[("csrf", &self.csrf)]].concat()).await
    }

    /// Sends a form as it is.
    pub(crate) async fn send_form(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(format!("{}{path}", self.url)).header(header::COOKIE, &self.cookie);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        Page::of(request.send().await.unwrap()).await
    }

    /// Opens a stream of events.
    pub(crate) async fn events(&self, path: &str) -> Events {
        let request = self.http.get(format!("{}{path}", self.url)).header(header::COOKIE, &self.cookie);
        let request = request.header(header::ACCEPT, "text/event-stream");
        Events { response: request.send().await.unwrap(), text: String::new() }
    }
}

/// A stream of server-sent events.
#[derive(Debug)]
pub(crate) struct Events {
    pub(crate) response: reqwest::Response,
    text: String,
}

impl Events {
    /// Reads on until a text has come; gives all that has come so far. Fails when it does not come for long, or the stream ends.
    pub(crate) async fn until(&mut self, words: &str) -> &str {
        let read = async {
            while !self.text.contains(words) {
                let chunk = self.response.chunk().await.unwrap();
                let chunk = chunk.unwrap_or_else(|| panic!("the stream has ended without `{words}`: {}", self.text));
                self.text.push_str(&String::from_utf8_lossy(&chunk));
            }
        };
        let came = tokio::time::timeout(Duration::from_secs(30), read).await;
        assert!(came.is_ok(), "`{words}` has not come: {}", self.text);
        &self.text
    }

    /// Reads to the end of the stream; whether it has ended in order.
    pub(crate) async fn ended(&mut self) -> bool {
        let read = async {
            loop {
                match self.response.chunk().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return true,
                    Err(_) => return false,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), read).await.expect("the stream does not end")
    }
}
