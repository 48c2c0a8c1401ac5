//! The forms in which the document is put out: itself, or a collection of requests that is made of it.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::openapi::{
    Document,
    collections::{File, bruno, postman},
};

#[derive(Debug, clap::Args)]
pub(super) struct Output {
    /// What is made of the document
    #[arg(long = "as", value_name = "FORM", default_value = "openapi")]
    form: Form,
    /// The folder that gets the files of a Bruno collection
    #[arg(long, value_name = "FOLDER", required_if_eq("form", "bruno"))]
    into: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Form {
    /// The document itself
    Openapi,
    /// A Postman collection 2.1
    Postman,
    /// A Bruno collection: a folder of files, by --into
    Bruno,
}

impl Output {
    /// Prints the document or the collection, or writes its files.
    pub(super) fn put(&self, document: &Document) -> anyhow::Result<()> {
        match (self.form, &self.into) {
            (Form::Openapi, None) => print(document.as_json()),
            (Form::Postman, None) => print(&postman(document)),
            (Form::Bruno, Some(folder)) => write(folder, &bruno(document)),
            (Form::Bruno, None) => bail!("--as bruno needs --into FOLDER"),
            (_, Some(_)) => bail!("--into goes with --as bruno; everything else is printed"),
        }
    }
}

fn print(json: &Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, json)?;
    writeln!(out)?;
    Ok(())
}

fn write(folder: &Path, files: &[File]) -> anyhow::Result<()> {
    for file in files {
        let path = folder.join(&file.path);
        let within = path.parent().unwrap_or(folder);
        fs::create_dir_all(within).with_context(|| format!("{} cannot be made", within.display()))?;
        fs::write(&path, &file.text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}
