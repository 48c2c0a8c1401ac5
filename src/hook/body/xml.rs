//! XML as an object: an element is a member by its name, with its prefix as it stands; attributes are `@name`, the text beside
//! them `#text`. An element with text alone is that text, an empty one is null, and one that stands several times is a list.
//!
//! It is the form of Python's xmltodict. No document type is taken, so no entity can be declared, and nothing grows.

use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesRef, BytesStart, Event},
};
use serde_json::{Map, Value};

use super::{
    add,
    bounds::{Budget, Why},
    charset::{decoded_by, shortened},
    kind::ContentType,
};

/// Where the declaration of an encoding is looked for.
const DECLARATION: usize = 200;

/// An element whose end has not come.
struct Open {
    name: String,
    members: Map<String, Value>,
    text: String,
}

/// Reads a document.
pub(super) fn read(
    body: &[u8],
    content_type: &ContentType,
    depth: usize,
    budget: &mut Budget<'_>,
) -> Result<Value, Why> {
    let charset = content_type.parameter("charset").or_else(|| declared_encoding(body));
    let text = decoded_by(body, charset.as_deref(), budget)?;
    let mut reader = Reader::from_str(&text);
    let mut open: Vec<Open> = Vec::new();
    let mut root = Map::new();
    loop {
        let event = reader.read_event();
        let at = || text.get(..usize::try_from(reader.error_position()).unwrap_or_default()).unwrap_or_default();
        let broken = |what: String| {
            let line = at().matches('\n').count() + 1;
            Why::unreadable(format!("it is not XML: line {line}: {what}"))
        };
        match event.map_err(|error| broken(error.to_string()))? {
            Event::Start(_) if open.len() >= depth => {
                return Err(Why::unreadable(format!(
                    "its elements are nested deeper than the {depth} levels that [limits] json_depth allows"
                )));
            }
            Event::Start(_) | Event::Empty(_) if open.is_empty() && !root.is_empty() => {
                return Err(broken("a document has one root".to_owned()));
            }
            Event::Start(start) => open.push(opened(&start, budget).map_err(|what| what.told(broken))?),
            Event::Empty(start) => {
                let element = opened(&start, budget).map_err(|what| what.told(broken))?;
                close(element, open.last_mut().map_or(&mut root, |parent| &mut parent.members));
            }
            Event::End(_) => {
                let Some(element) = open.pop() else { return Err(broken("an end without a beginning".to_owned())) };
                close(element, open.last_mut().map_or(&mut root, |parent| &mut parent.members));
            }
            Event::Text(content) => put(&mut open, &content.xml10_content(), budget, broken)?,
            Event::CData(content) => put(&mut open, &content.xml10_content(), budget, broken)?,
            Event::GeneralRef(reference) => {
                let character = character(&reference).map_err(broken)?;
                put(&mut open, &character, budget, broken)?;
            }
            Event::DocType(_) => {
                return Err(broken("a document type is not taken, nor are entities that it declares".to_owned()));
            }
            Event::Eof if !open.is_empty() || root.is_empty() => {
                return Err(broken("it ends before its root does".to_owned()));
            }
            Event::Eof => return Ok(Value::Object(root)),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
}

/// Why an element is not taken.
enum Wrong {
    Why(Why),
    Xml(String),
}

impl Wrong {
    fn told(self, broken: impl Fn(String) -> Why) -> Why {
        match self {
            Self::Why(why) => why,
            Self::Xml(what) => broken(what),
        }
    }
}

fn opened(start: &BytesStart<'_>, budget: &mut Budget<'_>) -> Result<Open, Wrong> {
    let name = start.name().as_ref().to_owned();
    budget.value(name.len()).map_err(Wrong::Why)?;
    let mut members = Map::new();
    // One that stands twice is found by the map.
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| Wrong::Xml(error.to_string()))?;
        let value =
            attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| Wrong::Xml(error.to_string()))?;
        let key = format!("@{}", attribute.key.as_ref());
        budget.value(key.len() + value.len()).map_err(Wrong::Why)?;
        if members.insert(key, Value::from(value.into_owned())).is_some() {
            return Err(Wrong::Xml(format!("an attribute of `{}` stands twice", shortened(&name))));
        }
    }
    Ok(Open { name, members, text: String::new() })
}

/// Adds text to the element that is open.
fn put(open: &mut [Open], text: &str, budget: &mut Budget<'_>, broken: impl Fn(String) -> Why) -> Result<(), Why> {
    match open.last_mut() {
        Some(element) => {
            budget.take(text.len())?;
            element.text.push_str(text);
            Ok(())
        }
        None if text.trim().is_empty() => Ok(()),
        None => Err(broken("text outside of the root".to_owned())),
    }
}

fn character(reference: &BytesRef<'_>) -> Result<String, String> {
    match reference.resolve_char_ref() {
        Ok(Some(character)) => Ok(character.to_string()),
        Ok(None) => match resolve_predefined_entity(reference) {
            Some(text) => Ok(text.to_owned()),
            None => Err(format!("the entity `&{};` is not known", shortened(reference))),
        },
        Err(error) => Err(error.to_string()),
    }
}

fn close(element: Open, parent: &mut Map<String, Value>) {
    let Open { name, mut members, text } = element;
    let text = text.trim();
    let value = match (members.is_empty(), text.is_empty()) {
        (true, true) => Value::Null,
        (true, false) => Value::from(text),
        (false, is_empty) => {
            if !is_empty {
                members.insert("#text".to_owned(), Value::from(text));
            }
            Value::Object(members)
        }
    };
    add(parent, &name, value);
}

/// The encoding that an XML declaration names. The declaration itself is ASCII in all that may be declared there.
fn declared_encoding(body: &[u8]) -> Option<String> {
    let head = body.get(..body.len().min(DECLARATION))?;
    let head = String::from_utf8_lossy(head);
    let (declaration, _) = head.strip_prefix("<?xml")?.split_once("?>")?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value.get(1..)?.split_once(quote).map(|(name, _)| name.to_owned())
}
