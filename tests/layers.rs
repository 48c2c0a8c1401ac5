//! The layers of the source: what each top module may import. The list stands in ARCHITECTURE.md, top to bottom, and here
//! it is read from there. Fast, and without an Odoo.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

/// An import: the file and the line that it stands in, and the path that it names, from the crate's root.
#[derive(Debug)]
struct Import {
    file: String,
    line: usize,
    /// The module of the file, such as `["odoo", "caller"]`.
    of: Vec<String>,
    path: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The layers of ARCHITECTURE.md, the lowest first. A line is a layer; what stands behind two blanks explains it.
fn layers() -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let list = text.split("<!-- layers -->").nth(1).expect("ARCHITECTURE.md has the list between `<!-- layers -->`");
    let lines = list.lines().filter(|line| line.starts_with("    "));
    let names = |line: &str| {
        let names = line.trim().split("  ").next().unwrap_or_default();
        names.split(" · ").map(str::to_owned).collect()
    };
    lines.map(names).rev().collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The module that a file is, such as `["odoo", "caller"]`.
fn module(file: &Path) -> Vec<String> {
    let path = file.strip_prefix(root().join("src")).unwrap().with_extension("");
    path.iter().map(|part| part.to_str().unwrap().to_owned()).collect()
}

/// The modules that are there for tests alone: those behind `#[cfg(test)]`, with what is in them.
fn test_modules(files: &[PathBuf]) -> BTreeSet<Vec<String>> {
    let declared = Regex::new(r"#\[cfg\(test\)\]\s*mod (\w+);").unwrap();
    let mut modules = BTreeSet::new();
    for file in files {
        for found in declared.captures_iter(&fs::read_to_string(file).unwrap()) {
            let mut module = module(file);
            module.push(found[1].to_owned());
            modules.insert(module);
        }
    }
    modules
}

/// The text of a file without comments and without what is compiled for tests alone. Lines stay where they are.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The paths of a tree of imports, such as `crate::{a::B, c}`.
fn paths(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let Some((before, inner)) = tree.split_once('{') else {
        let name = |part: &str| part.split(" as ").next().unwrap_or_default().trim().to_owned();
        return vec![tree.split("::").map(name).collect()];
    };
    let before: Vec<String> =
        before.split("::").filter(|part| !part.is_empty()).map(|part| part.trim().to_owned()).collect();
    let inner = &inner[..inner.rfind('}').unwrap()];
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let parts = parts.into_iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(paths).map(|path| before.iter().cloned().chain(path).collect()).collect()
}

/// Everything that the files import from the crate itself.
fn imports() -> Vec<Import> {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let tests = test_modules(&files);
    let (used, inline) = (
        Regex::new(r"(?sm)^\s*(?:pub(?:\([^)]*\))? )?use ([^;]+);").unwrap(),
        Regex::new(r"\bcrate(?:::\w+)+").unwrap(),
    );
    let mut imports = Vec::new();
    for file in files {
        let of = module(&file);
        if (1..=of.len()).any(|length| tests.contains(&of[..length])) {
            continue;
        }
        let code = code(&file);
        let mut add = |at: usize, path: Vec<String>| {
            let up = path.iter().take_while(|part| *part == "super").count();
            let path = match path[0].as_str() {
                "crate" => path[1..].to_vec(),
                "self" => of.iter().cloned().chain(path[1..].to_vec()).collect(),
                "super" if up <= of.len() => of[..of.len() - up].iter().cloned().chain(path[up..].to_vec()).collect(),
                _ => return,
            };
            let line = code[..at].matches('\n').count() + 1;
            let file = file.strip_prefix(root()).unwrap().display().to_string();
            imports.push(Import { file, line, of: of.clone(), path });
        };
        for found in used.captures_iter(&code) {
            let tree = found.get(1).unwrap();
            paths(tree.as_str()).into_iter().for_each(|path| add(tree.start(), path));
        }
        let rest = used.replace_all(&code, |found: &regex::Captures<'_>| {
            found[0].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect::<String>()
        });
        for found in inline.find_iter(&rest) {
            add(found.start(), found.as_str().split("::").map(str::to_owned).collect());
        }
    }
    imports
}

/// The imports that climb, each with its place: into a layer above, or into a module of the same layer.
fn climbing(layers: &[Vec<String>], imports: &[Import]) -> Vec<String> {
    let level = |module: &str| layers.iter().position(|layer| layer.iter().any(|name| name == module));
    let mut climbing = Vec::new();
    for Import { file, line, of, path } in imports {
        let (Some(from), Some(to)) = (of.first(), path.first()) else { continue };
        if matches!(from.as_str(), "lib" | "main") || from == to {
            continue;
        }
        match (level(from), level(to)) {
            (Some(above), Some(below)) if above > below => {}
            (Some(_), Some(_)) => {
                climbing.push(format!("{file}:{line}: `{from}` imports `{to}`, which is not below it"))
            }
            // A path such as `super::Name` of the crate's root.
            (Some(_), None) => climbing.push(format!("{file}:{line}: `{to}` stands in no layer of ARCHITECTURE.md")),
            (None, _) => climbing.push(format!("{file}:{line}: `{from}` stands in no layer of ARCHITECTURE.md")),
        }
    }
    climbing
}

#[test]
fn every_import_goes_down_the_layers() {
    let (layers, imports) = (layers(), imports());
    assert!(layers.len() > 8 && imports.len() > 500, "{layers:?}, {} imports", imports.len());
    let climbing = climbing(&layers, &imports);
    assert!(climbing.is_empty(), "\n{}", climbing.join("\n"));
}

#[test]
fn an_import_that_climbs_is_named_with_its_file_and_line() {
    let layers = vec![vec!["route".to_owned()], vec!["plan".to_owned(), "hook".to_owned()]];
    let import = |of: &str, line, path: &str| Import {
        file: format!("src/{of}.rs"),
        line,
        of: vec![of.to_owned()],
        path: path.split("::").map(str::to_owned).collect(),
    };
    let down = import("plan", 3, "route::Route");
    let (up, beside, nowhere) =
        (import("route", 7, "plan::Plan"), import("plan", 8, "hook::Hook"), import("plan", 9, "other::X"));
    let found = climbing(&layers, &[down, up, beside, nowhere]);
    assert_eq!(
        found,
        [
            "src/route.rs:7: `route` imports `plan`, which is not below it",
            "src/plan.rs:8: `plan` imports `hook`, which is not below it",
            "src/plan.rs:9: `other` stands in no layer of ARCHITECTURE.md",
        ]
    );
    assert_eq!(paths("crate::{a::{self, B as C}, d}").len(), 3);
}

/// Circles between the files of one folder that are left, each with its reason.
const CIRCLES: [(&str, &str); 1] =
    [("odoo/auth", "a login and a look at the user are methods of the authenticator, in files of their own")];

/// The modules of one folder that reach each other by their imports.
fn circle(edges: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<String> {
    let reached = |from: &str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(module) = next.pop() {
            for to in edges.get(module.as_str()).into_iter().flatten() {
                if seen.insert((*to).to_owned()) {
                    next.push((*to).to_owned());
                }
            }
        }
        seen
    };
    edges.keys().filter(|module| reached(module).contains(**module)).map(|module| (*module).to_owned()).collect()
}

#[test]
fn the_files_of_a_folder_import_each_other_in_no_circle() {
    let imports = imports();
    // By folder: which of its files imports which other one.
    let mut folders = BTreeMap::<Vec<String>, BTreeMap<&str, BTreeSet<&str>>>::new();
    let modules: BTreeSet<Vec<String>> = imports.iter().map(|import| import.of.clone()).collect();
    let is_module = |path: &[String]| modules.iter().any(|module| module.starts_with(path));
    for Import { of, path, .. } in &imports {
        let shared = of.iter().zip(path).take_while(|(one, other)| one == other).count();
        if shared < of.len() && shared < path.len() && is_module(&path[..=shared]) {
            let folder = folders.entry(of[..shared].to_vec()).or_default();
            folder.entry(of[shared].as_str()).or_default().insert(path[shared].as_str());
        }
    }
    let circles = folders.iter().map(|(folder, edges)| (folder.join("/"), circle(edges)));
    let circles: BTreeMap<String, Vec<String>> = circles.filter(|(_, circle)| !circle.is_empty()).collect();
    let known: BTreeSet<&str> = CIRCLES.iter().map(|(folder, _)| *folder).collect();
    let new: Vec<_> = circles.iter().filter(|(folder, _)| !known.contains(folder.as_str())).collect();
    assert!(new.is_empty(), "{new:#?}");
    let gone: Vec<_> = known.iter().filter(|folder| !circles.contains_key(**folder)).collect();
    assert!(gone.is_empty(), "no longer a circle: {gone:?}");
}
