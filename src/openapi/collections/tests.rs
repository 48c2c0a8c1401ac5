//! The collections in `examples/collections` are those that are made here: `ODOO_GATEWAY_WRITE_DOCS=1 cargo test --lib collections`.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{File, bruno, postman};
use crate::{
    openapi::{About, Document},
    route::Route,
};

fn document() -> Document {
    Document::new(About::default())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/collections")
}

fn is_written() -> bool {
    env::var_os("ODOO_GATEWAY_WRITE_DOCS").is_some()
}

#[test]
fn the_postman_collection_in_the_examples_is_the_one_that_is_made() {
    let path = folder().join("odoo-gateway.postman_collection.json");
    let made = format!("{:#}\n", postman(&document()));
    if is_written() {
        fs::create_dir_all(folder()).unwrap();
        fs::write(&path, &made).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == made, "{} is not what is made: run this test with ODOO_GATEWAY_WRITE_DOCS=1", path.display());
}

#[test]
fn the_bruno_collection_in_the_examples_is_the_one_that_is_made() {
    let root = folder().join("bruno");
    let made: BTreeMap<String, String> =
        bruno(&document()).into_iter().map(|File { path, text }| (path, text)).collect();
    if is_written() {
        let _ = fs::remove_dir_all(&root);
        for (path, text) in &made {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }
    let mut stored = BTreeMap::new();
    collect(&root, &root, &mut stored);
    assert!(stored == made, "{} is not what is made: run this test with ODOO_GATEWAY_WRITE_DOCS=1", root.display());
}

/// The files under a folder, by their path in it.
fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn each_route_is_in_the_collections_with_the_example_of_the_document() {
    let document = document();
    let (postman, bruno) = (postman(&document), bruno(&document));
    for route in Route::ALL {
        let path = format!("/paths/~1api~1{}/post/requestBody/content/application~1json/examples", route.name());
        let examples = document.as_json().pointer(&path).unwrap().as_object().unwrap();
        for example in examples.values() {
            let items =
                postman["item"].as_array().unwrap().iter().flat_map(|folder| folder["item"].as_array().unwrap());
            let mut bodies = items
                .filter(|item| item["request"]["url"]["path"] == json!(["api", route.name()]))
                .map(|item| serde_json::from_str::<Value>(item["request"]["body"]["raw"].as_str().unwrap()).unwrap());
            assert!(bodies.any(|body| body == example["value"]), "{}: Postman", route.name());
            let indented = format!("{:#}", example["value"]).replace('\n', "\n  ");
            let is_it = |file: &&File| file.path.contains(route.name()) && file.text.contains(&indented);
            assert!(bruno.iter().any(|file| is_it(&file)), "{}: Bruno", route.name());
        }
    }
}
