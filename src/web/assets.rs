//! The style sheet, the script and the icon, compiled in. Their paths have a hash of their content, so that browsers keep them
//! until a new version has others.

use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use super::page::with_type;
use crate::wire::Response;

/// The folder of all of them.
pub const FOLDER: &str = "/assets/";

const STYLE: &str = include_str!("assets/style.css");
const SCRIPT: &str = include_str!("assets/script.js");
const ICON: &str = include_str!("assets/icon.svg");

static STYLE_PATH: LazyLock<String> = LazyLock::new(|| path("style", STYLE, "css"));
static SCRIPT_PATH: LazyLock<String> = LazyLock::new(|| path("script", SCRIPT, "js"));
static ICON_PATH: LazyLock<String> = LazyLock::new(|| path("icon", ICON, "svg"));

fn path(name: &str, content: &str, extension: &str) -> String {
    format!("{FOLDER}{name}-{}.{extension}", &const_hex::encode(Sha256::digest(content))[..12])
}

pub fn style() -> &'static str {
    &STYLE_PATH
}

pub fn script() -> &'static str {
    &SCRIPT_PATH
}

pub fn icon() -> &'static str {
    &ICON_PATH
}

/// The file at this path, whichever version of it is asked for; none where there is no such file.
pub fn answer(path: &str) -> Option<Response> {
    let name = path.strip_prefix(FOLDER)?;
    let (own, content, content_type) = match name.split('-').next()? {
        "style" => (style(), STYLE, "text/css; charset=utf-8"),
        "script" => (script(), SCRIPT, "text/javascript; charset=utf-8"),
        "icon" => (icon(), ICON, "image/svg+xml"),
        _ => return None,
    };
    let mut response = with_type(StatusCode::OK, content_type, Bytes::from_static(content.as_bytes()));
    let keep = if path == own { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    Some(response)
}
