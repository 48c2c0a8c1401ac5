//! `odoo-gateway hook new`: writes the entry, the template and a sample body of a preset, and says what is to be clicked at the
//! sender. Nothing that is there is changed or overwritten.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde_json::json;
use toml_edit::{DocumentMut, Item, Table, value};

use crate::{
    cli::{
        Configured,
        configuration::{replace, variable},
        shell::word,
    },
    config::Config,
    hook::presets::{PRESETS, Preset},
    operations::near::did_you_mean,
};

/// What stands in the place of the Odoo user where none is given.
const LOGIN: &str = "LOGIN";

#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// The sender; without one, all that there are presets for are listed
    preset: Option<String>,
    /// Where the sender sends to, if not to /hooks/ and the name of the client
    #[arg(long)]
    path: Option<String>,
    /// What the client is called in the configuration and in the log, if not as the sender
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// The Odoo user that it acts as
    #[arg(long, default_value = LOGIN)]
    login: String,
    #[command(flatten)]
    configured: Configured,
    /// As JSON: the presets, one object a line, or what was written
    #[arg(long)]
    json: bool,
}

/// A preset with names of its own.
struct Named {
    preset: &'static Preset,
    client: String,
    /// The part of the path behind `/hooks/`.
    hook: String,
    /// The beginning of its variables and of its files.
    variable: String,
    stem: String,
}

impl New {
    pub(in crate::cli) fn run(self) -> anyhow::Result<ExitCode> {
        let Some(name) = &self.preset else {
            let mut out = std::io::stdout().lock();
            for preset in &PRESETS {
                if self.json {
                    writeln!(out, "{}", json!({"preset": preset.name, "purpose": preset.purpose()}))?;
                    continue;
                }
                writeln!(out, "{:13}{}", preset.name, preset.purpose())?;
            }
            return Ok(ExitCode::SUCCESS);
        };
        let Some(preset) = Preset::named(name) else {
            bail!(
                "there is no preset `{name}`{}; `odoo-gateway hook new` lists them, and docs/hooks.md says how to do without",
                did_you_mean(name, PRESETS.iter().map(|preset| preset.name))
            );
        };
        let client = self.client.clone().unwrap_or_else(|| preset.name.to_owned());
        let path = self.path.as_deref().unwrap_or(&client);
        let hook = path.strip_prefix("/hooks/").unwrap_or(path).trim_end_matches("/{token}").to_owned();
        let named = Named { preset, variable: variable(&client), stem: hook.replace('/', "-"), client, hook };
        let file = &self.configured.path()?;
        let config = Config::load(file)?;
        ensure!(
            config.clients.iter().all(|client| client.name != named.client),
            "there is a [[client]] `{}` already; --client gives this one another name",
            named.client
        );
        ensure!(
            config.hooks.iter().all(|hook| hook.name() != named.hook),
            "there is a [[hook]] at /hooks/{} already; --path gives this one another",
            named.hook
        );
        let text = fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        let entry = named.entry(&self.login)?;
        let text = format!("{}\n\n{entry}", text.trim_end());
        let folder = file.parent().unwrap_or(Path::new(""));
        let (template, body) = (folder.join(named.template()), folder.join(named.body()));
        write_new(&template, preset.template)?;
        let written = write_new(&body, preset.body).and_then(|()| {
            let place = || format!("`{}` is not changed: the entry does not fit into it", file.display());
            replace(file, &text).with_context(place).inspect_err(|_| drop(fs::remove_file(&body)))
        });
        if let Err(error) = written {
            let _ = fs::remove_file(&template);
            return Err(error);
        }
        if self.json {
            let [file, template, body] = [&**file, &*template, &*body].map(|path| path.display().to_string());
            println!(
                "{}",
                json!({
                    "client": named.client, "hook": named.hook, "configuration": file, "template": template,
                    "body": body, "odoo_login": self.login, "odoo_key_env": format!("{}_ODOO_KEY", named.variable),
                })
            );
            return Ok(ExitCode::SUCCESS);
        }
        named.tell(file, &template, &body, &self.login)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Named {
    fn template(&self) -> String {
        format!("{}.jq", self.stem)
    }

    fn body(&self) -> String {
        format!("{}.{}", self.stem, self.preset.body_ending())
    }

    /// A text of the preset with these names: of paths, variables and files.
    fn renamed(&self, text: &str) -> String {
        let (name, hooks) = (self.preset.name, "/hooks/");
        text.replace(&format!("{hooks}{name}"), &format!("{hooks}{}", self.hook))
            .replace(&format!("{}_", variable(name)), &format!("{}_", self.variable))
            .replace(&format!("{name}.token"), &format!("{}.token", self.stem))
    }

    fn entry(&self, login: &str) -> anyhow::Result<String> {
        let mut entry: DocumentMut = self.renamed(self.preset.entry).parse()?;
        let client = table(&mut entry, "client")?;
        client.insert("name", value(&self.client));
        client.insert("odoo_login", value(login));
        let hook = table(&mut entry, "hook")?;
        hook.insert("client", value(&self.client));
        hook.insert("template", value(self.template()));
        Ok(entry.to_string())
    }

    /// What is to be done next.
    fn tell(&self, file: &Path, template: &Path, body: &Path, login: &str) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        let comment = self.renamed(self.preset.entry);
        let lines = comment.lines().map_while(|line| line.strip_prefix('#')).skip(1);
        writeln!(out, "`{}` has a new [[client]] and [[hook]] `{}`.", file.display(), self.hook)?;
        writeln!(out, "`{}` is its template, `{}` a body to try it with.", template.display(), body.display())?;
        for line in lines {
            writeln!(out, "{}", line.strip_prefix(' ').unwrap_or(line))?;
        }
        writeln!(out)?;
        if login == LOGIN {
            writeln!(out, "Put the Odoo user that the sender is to act as in the place of {LOGIN}, in `odoo_login`.")?;
        }
        writeln!(out, "{}_ODOO_KEY is an API key of that user. Then:\n", self.variable)?;
        let config = match file == Path::new("gateway.toml") {
            true => String::new(),
            false => format!(" --config {}", word(&file.display().to_string())),
        };
        let headers: String = self.preset.headers.iter().map(|header| format!(" --header {}", word(header))).collect();
        writeln!(out, "    odoo-gateway check{config}")?;
        let (hook, body) = (&self.hook, word(&body.display().to_string()));
        writeln!(out, "    odoo-gateway hook test {hook} --body {body}{headers}{config}")?;
        Ok(())
    }
}

/// The one entry of this kind.
fn table<'a>(entry: &'a mut DocumentMut, kind: &str) -> anyhow::Result<&'a mut Table> {
    let entries = entry.get_mut(kind).and_then(Item::as_array_of_tables_mut);
    entries.and_then(|entries| entries.get_mut(0)).with_context(|| format!("the preset has no [[{kind}]]"))
}

/// Writes a file that is not there yet.
fn write_new(path: &PathBuf, text: &str) -> anyhow::Result<()> {
    let cannot =
        || format!("`{}` cannot be written; is it there already? --path gives the hook another name", path.display());
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path).with_context(cannot)?;
    file.write_all(text.as_bytes()).with_context(cannot)
}
