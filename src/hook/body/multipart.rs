//! `multipart/form-data` (RFC 7578): an object of texts and files.

use bytes::Bytes;
use futures_util::{FutureExt, stream};
use multer::{Field, Multipart};
use serde_json::{Map, Value};

use super::{
    add,
    bounds::{Budget, Why},
    file,
    kind::ContentType,
};

/// The most parts.
const MOST: usize = 10_000;

/// Reads the parts. One with a file name is a file; one without is a text, or bytes where it is none.
pub(super) fn read(
    body: &Bytes,
    content_type: &ContentType,
    budget: &mut Budget<'_>,
) -> Result<Map<String, Value>, Why> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    let boundary = content_type.parameter("boundary").filter(|boundary| !boundary.is_empty());
    let Some(boundary) = boundary else {
        return Err(Why::unreadable(format!(
            "it is to be a multipart form, and its content type `{}` names no boundary",
            super::charset::shortened(content_type.as_str())
        )));
    };
    // The reader copies the body once.
    budget.take(body.len())?;
    let whole = body.clone();
    let parts = Multipart::new(stream::once(async move { Ok::<_, std::convert::Infallible>(whole) }), boundary);
    // All of the body is there, so nothing is waited for.
    let read = members(parts, budget).now_or_never();
    read.unwrap_or_else(|| Err(Why::unreadable("it ends within a part")))
}

async fn members(mut parts: Multipart<'_>, budget: &mut Budget<'_>) -> Result<Map<String, Value>, Why> {
    let broken = |error: multer::Error| Why::unreadable(format!("it is no multipart form: {error}"));
    let mut members = Map::new();
    let mut count = 0;
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        count += 1;
        if count > MOST {
            return Err(Why::unreadable(format!("it has more than {MOST} parts")));
        }
        let (name, filename, content_type) = named(&part);
        let content = part.bytes().await.map_err(broken)?;
        let value = match (&filename, std::str::from_utf8(&content)) {
            (None, Ok(text)) => {
                budget.value(name.len() + text.len())?;
                Value::from(text)
            }
            (filename, _) => {
                budget.value(name.len())?;
                file(filename.as_deref(), &content_type, &content, budget)?
            }
        };
        add(&mut members, &name, value);
    }
    Ok(members)
}

fn named(part: &Field<'_>) -> (String, Option<String>, String) {
    let content_type = part.content_type().map_or("application/octet-stream", |content_type| content_type.as_ref());
    (part.name().unwrap_or_default().to_owned(), part.file_name().map(str::to_owned), content_type.to_owned())
}
