//! A page as one shell session: its commands and payloads in their order, and what the page says that comes of them.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use super::{
    Counts,
    answers::{as_shown, differs},
    blocks::{Block, Kind, Payload},
    known_blocks,
    pages::Page,
    world::{Place, World},
};

const DEADLINE: Duration = Duration::from_secs(120);

/// Something that is run, and what must come of it.
struct Step {
    place: String,
    script: String,
    fails: bool,
    expected: Expected,
    /// What the page shows as its output.
    shown: Option<Shown>,
}

enum Expected {
    Anything,
    /// The answer to a call
    Answer(Payload),
}

enum Shown {
    Text(String),
    Json(Value),
}

/// Runs a page; gives what was done, and what is not as the page says.
pub(super) fn run(page: &Page, world: &World) -> (Counts, Vec<String>) {
    let place = world.place(page);
    let (mut counts, mut steps) = (Counts::default(), Vec::new());
    for block in known_blocks(page) {
        add(block, &place, &mut steps, &mut counts);
    }
    let mistakes = if steps.is_empty() { Vec::new() } else { mistakes(&steps, &place) };
    (counts, mistakes)
}

fn add(block: Block, place: &Place, steps: &mut Vec<Step>, counts: &mut Counts) {
    let Block { kind, text, place: at } = block;
    let step = |script, fails, expected| Step { place: at.clone(), script, fails, expected, shown: None };
    match kind {
        Kind::Script { fails } => {
            counts.commands += commands(&text);
            steps.push(step(place.here(&text), fails, Expected::Anything));
        }
        Kind::Hidden => steps.push(step(place.here(&text), false, Expected::Anything)),
        Kind::Console => {
            for (command, output) in typed(&text) {
                counts.commands += 1;
                counts.answers += usize::from(!output.is_empty());
                let mut step = step(place.here(&command), false, Expected::Anything);
                step.shown = (!output.is_empty()).then_some(Shown::Text(output));
                steps.push(step);
            }
        }
        Kind::Payload(payload) => {
            counts.payloads += 1;
            let script = request(&payload, &json(&place.here(&text), &at), place, steps.len());
            steps.push(step(script, false, Expected::Answer(payload)));
        }
        Kind::File { name } => {
            let file = place.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file.with_added_extension("page"), place.here(&text)).unwrap();
            // It is put there when the page has come to it.
            let name = file.display();
            steps.push(step(format!("mv '{name}.page' '{name}'"), false, Expected::Anything));
        }
        Kind::Output { is_json } => {
            counts.answers += 1;
            let shown = if is_json { Shown::Json(json(&text, &at)) } else { Shown::Text(text) };
            steps.last_mut().unwrap_or_else(|| panic!("{at}: nothing was run before")).shown = Some(shown);
        }
        Kind::NotRun => counts.not_run += 1,
        Kind::Configuration { .. } | Kind::Template | Kind::Shown => {}
    }
}

fn json(text: &str, at: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{at}: {error}"))
}

/// The commands of a script: its lines, but for those that go on with one, comments and what is in a here-document.
fn commands(script: &str) -> usize {
    let (mut count, mut goes_on, mut ends_with) = (0, false, None::<String>);
    for line in script.lines() {
        if let Some(end) = &ends_with {
            if line == end {
                ends_with = None;
            }
            continue;
        }
        let is_one =
            !line.trim().is_empty() && !line.starts_with('#') && !line.starts_with(' ') && !line.starts_with('}');
        count += usize::from(is_one && !goes_on);
        goes_on = line.ends_with('\\');
        let here = line.split_once("<<").map(|(_, word)| word.trim_start_matches('-').trim().trim_matches('\''));
        ends_with = here.map(|word| word.split_whitespace().next().unwrap_or_default().trim_matches('\'').to_owned());
    }
    count
}

/// The commands of a console block, each with its output.
fn typed(text: &str) -> Vec<(String, String)> {
    let mut typed: Vec<(String, String)> = Vec::new();
    let mut goes_on = false;
    for line in text.lines() {
        match (line.strip_prefix("$ "), typed.last_mut()) {
            (Some(command), _) => typed.push((command.to_owned(), String::new())),
            (None, Some((command, _))) if goes_on => *command += &format!("\n{line}"),
            (None, Some((_, output))) => *output += &format!("{line}\n"),
            (None, None) => panic!("a console block begins with `$ `: {text}"),
        }
        // A command goes on behind a backslash.
        goes_on = (line.starts_with("$ ") || goes_on) && line.ends_with('\\');
    }
    typed
}

/// Sends the payload as a call of the Odoo user.
fn request(payload: &Payload, shown: &Value, place: &Place, number: usize) -> String {
    let mut body = match (&payload.model, payload.is_bare) {
        (Some(model), true) => json!({"model": model, "vals": {"payload": shown}}),
        (Some(model), false) => json!({"model": model, "vals": shown}),
        (None, _) => shown.clone(),
    };
    if payload.is_dry {
        body["vals"]["dry_run"] = json!(true);
    }
    let file = place.path().join(format!("{number}.body"));
    fs::write(&file, body.to_string()).unwrap();
    format!("call {} @{}", payload.route, file.display())
}

/// Runs the steps in one shell and says what did not come out as the page has it.
fn mistakes(steps: &[Step], place: &Place) -> Vec<String> {
    let folder = place.path();
    let (login, key) = &place.account;
    let mut script = String::from("set -e\n");
    if place.variables.contains_key("KEY") {
        script += &format!("export ODOO_LOGIN='{login}' ODOO_API_KEY='{key}'\n");
    }
    script += &format!(
        "call() {{ curl -sS -u '{login}:{key}' -H 'Content-Type: application/json' --data-binary \"$2\" \"$GATEWAY_URL/api/$1\"; }}\n"
    );
    for (number, step) in steps.iter().enumerate() {
        fs::write(folder.join(format!("{number}.sh")), &step.script).unwrap();
        let run = format!(". '{0}/{number}.sh'", folder.display());
        let into = format!("> '{0}/{number}.out' 2>&1 < /dev/null", folder.display());
        script += &match step.fails {
            true => format!("if ( {run} ) {into}; then echo {number} > '{0}/held'; exit 1; fi\n", folder.display()),
            false => format!("{{ {run}; }} {into}\n"),
        };
        script += &format!("echo {number} > '{}/done'\n", folder.display());
    }
    let ended = in_shell(&script, place);
    let done =
        fs::read_to_string(folder.join("done")).ok().map_or(0, |number| 1 + number.trim().parse::<usize>().unwrap());
    let mut mistakes: Vec<String> = (steps.iter().enumerate().take(done))
        .filter_map(|(number, step)| wrong_with(step, &output(folder, number), place))
        .collect();
    if done < steps.len() {
        let why = match (ended, folder.join("held").exists()) {
            (false, _) => "does not end",
            (true, true) => "succeeds, and the page says that it fails",
            (true, false) => "fails",
        };
        mistakes.push(format!("{}: {why}: {}\n{}", steps[done].place, steps[done].script.trim(), output(folder, done)));
    }
    mistakes
}

fn output(folder: &Path, number: usize) -> String {
    let bytes = fs::read(folder.join(format!("{number}.out"))).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A shell and all that it has started; ended with the page.
struct Shell(Child);

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

/// Whether the script came to its end, well or not.
#[expect(clippy::disallowed_methods, reason = "a poll with a deadline, in a thread of its own")]
fn in_shell(script: &str, place: &Place) -> bool {
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(place.path()).process_group(0).envs(&place.variables);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut shell = Shell(command.spawn().unwrap());
    let deadline = Instant::now() + DEADLINE;
    while shell.0.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

fn wrong_with(step: &Step, output: &str, place: &Place) -> Option<String> {
    let said = place.as_said(output);
    let wrong = match &step.expected {
        Expected::Anything => None,
        Expected::Answer(payload) => wrong_with_answer(payload, &said),
    };
    let wrong = wrong.or_else(|| match step.shown.as_ref()? {
        Shown::Text(text) => differs(text, &said),
        Shown::Json(shown) => match serde_json::from_str(&said) {
            Ok(answer) => as_shown(shown, &answer),
            Err(error) => Some(format!("the output is not JSON: {error}")),
        },
    });
    wrong.map(|wrong| format!("{}: {wrong}\n--- {}\n--- said:\n{said}", step.place, step.script.trim()))
}

fn wrong_with_answer(payload: &Payload, said: &str) -> Option<String> {
    let Ok(answer) = serde_json::from_str::<Value>(said) else { return Some("no JSON was answered".to_owned()) };
    let result = &answer["result"];
    let code = result["error"]["code"].as_str().or(answer["error"]["data"]["code"].as_str());
    if code != payload.refused.as_deref() {
        return Some(format!("refused with {code:?}, and the page says {:?}", payload.refused));
    }
    let warnings = result["warnings"].as_array().map_or(&[][..], Vec::as_slice);
    let codes: Vec<&str> = warnings.iter().filter_map(|warning| warning["code"].as_str()).collect();
    let differ = codes.iter().any(|code| !payload.warns.iter().any(|known| known == code))
        || payload.warns.iter().any(|known| !codes.contains(&known.as_str()));
    differ.then(|| format!("the warnings are {codes:?}, and the page says {:?}", payload.warns))
}
