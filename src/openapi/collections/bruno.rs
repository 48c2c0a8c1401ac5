//! A Bruno collection: a folder of `.bru` files, which Bruno opens, `bru run` runs, and a repository keeps line by line.

use std::fmt::Write;

use serde_json::json;

use super::{Document, Folder, Parameter, Request, address, folders, key_header, text};
use crate::wire::headers::CALL_ID;

/// A file of the collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it stands in the collection's folder.
    pub path: String,
    pub text: String,
}

/// The document's requests as the files of a Bruno collection.
pub fn bruno(document: &Document) -> Vec<File> {
    let document = document.as_json();
    let name = text(&document["info"]["title"]);
    let about = json!({"version": "1", "name": name, "type": "collection", "ignore": ["node_modules", ".git"]});
    let key = format!("key: {}\nvalue: {{{{key}}}}\nplacement: header", key_header(document));
    let collection = [
        block("meta", &format!("name: {name}")),
        block("auth", "mode: apikey"),
        block("auth:apikey", &key),
        block("docs", text(&document["info"]["description"])),
    ];
    // A secret is kept by Bruno outside the folder.
    let environment = [block("vars", &format!("url: {}", address(document))), "vars:secret [\n  key\n]\n".to_owned()];
    let mut files = vec![
        file("bruno.json", format!("{about:#}\n")),
        file("collection.bru", collection.join("\n")),
        file("environments/gateway.bru", environment.join("\n")),
    ];
    for (number, folder) in folders(document).iter().enumerate() {
        files.push(about_folder(folder, number + 1));
        let requests = folder.requests.iter().enumerate();
        files.extend(
            requests.map(|(number, request)| {
                file(&format!("{}/{}.bru", folder.name, request.id), asked(request, number + 1))
            }),
        );
    }
    files
}

fn file(path: &str, text: String) -> File {
    File { path: path.to_owned(), text }
}

fn about_folder(folder: &Folder<'_>, number: usize) -> File {
    let text = [
        block("meta", &format!("name: {}\nseq: {number}", folder.name)),
        block("auth", "mode: inherit"),
        block("docs", folder.description),
    ];
    file(&format!("{}/folder.bru", folder.name), text.join("\n"))
}

fn asked(request: &Request<'_>, number: usize) -> String {
    let path = request.path.replace('{', ":").replace('}', "");
    let kind =
        request.body.as_ref().map_or("none", |body| if body.kind == "application/json" { "json" } else { "text" });
    let auth = if request.is_open { "none" } else { "inherit" };
    let mut blocks = vec![
        block("meta", &format!("name: {}\ntype: http\nseq: {number}", request.name)),
        block(&request.method.to_lowercase(), &format!("url: {{{{url}}}}{path}\nbody: {kind}\nauth: {auth}")),
    ];
    if !request.in_path.is_empty() {
        blocks.push(block("params:path", &lines(request.in_path.iter().map(in_path))));
    }
    let mut headers: Vec<String> = request.headers.iter().map(header).collect();
    if let Some(body) = request.body.as_ref().filter(|_| kind != "json") {
        headers.insert(0, format!("Content-Type: {}", body.kind));
    }
    if !headers.is_empty() {
        blocks.push(block("headers", &lines(headers)));
    }
    if let Some(body) = &request.body {
        blocks.push(block(&format!("body:{kind}"), &body.text));
    }
    if request.is_call {
        blocks.push(block("vars:post-response", &format!("call: res.headers[{:?}]", CALL_ID.as_str())));
        blocks.push(block("assert", "res.body.result.is_success: eq true"));
    }
    blocks.push(block("docs", request.description));
    blocks.join("\n")
}

fn in_path(parameter: &Parameter<'_>) -> String {
    format!("{}: {}", parameter.name, if parameter.name == "id" { "{{call}}" } else { parameter.example })
}

/// One that is not required is switched off.
fn header(parameter: &Parameter<'_>) -> String {
    format!("{}{}: {}", if parameter.is_required { "" } else { "~" }, parameter.name, parameter.example)
}

fn lines(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

/// A block. Its lines are indented, so that no text ends it.
fn block(name: &str, text: &str) -> String {
    let mut block = format!("{name} {{\n");
    for line in text.lines() {
        let _ = match line {
            "" => writeln!(block),
            line => writeln!(block, "  {line}"),
        };
    }
    block + "}\n"
}
