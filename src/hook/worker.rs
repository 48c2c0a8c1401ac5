//! Worker processes for templates. A filter can ask for any amount of memory, time or stack; if it does, the worker
//! ends and not the gateway.
//!
//! A worker is this program, started again. It limits its own address space, has an empty environment, and runs one
//! template at a time. Requests and answers are frames: a length of four bytes, big-endian, and as many bytes. A
//! request is three frames (the code and the variables as JSON, the body), an answer is a byte for its kind and one frame, and of a
//! failure another one. Idle workers are kept for the next call, with the templates that they have compiled.

mod frame;

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, setrlimit};

use self::InThread::{BrokenDown, Made, StillRuns};
use self::frame::{read_frame, write_frame};
use super::{
    Error,
    input::Input,
    template::{Code, Ran, Template, with_place},
};

/// The subcommand that starts a worker.
pub const COMMAND: &str = "hook-worker";
/// The time that a template may take.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(10);
/// The memory that a template may take, with its body and all that it makes of it.
pub(super) const MEMORY_MIB: u64 = 256;
/// The largest result that is read.
const MAX_RESULT: usize = 64 << 20;
/// The stack of a template. Endless recursion ends with it.
const STACK_SIZE: usize = 16 << 20;
/// The stack of a template that is run once more for the place where it failed, and the time for that.
const TRACED_STACK_SIZE: usize = 2 * STACK_SIZE;
const TRACED_TIME_LIMIT: Duration = Duration::from_secs(2);
/// The number of idle workers that are kept.
const MAX_IDLE: usize = 4;
/// The number of templates that a worker keeps compiled, of this configuration and of earlier ones.
const MAX_COMPILED: usize = 64;
/// The number of SIGTERM, which a service manager may send to all processes of the gateway.
const TERMINATED: i32 = 15;

/// The idle workers.
static IDLE: Mutex<Vec<Worker>> = Mutex::new(Vec::new());

/// The kinds of answers.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    /// The results, one JSON value a line.
    Results = b'r',
    /// The delivery is to be ignored, with the reason.
    Ignored = b'i',
    /// The template failed, with its message. Another frame has the message with the place, or nothing. Where that frame does not
    /// come, the worker has ended.
    Failed = b'f',
    /// The template did not end in time, and the worker ends.
    Endless = b'e',
    /// The template does not compile, with the place. Those of the configuration were compiled before.
    Mistaken = b'm',
}

/// A worker process. It is killed when this is dropped.
struct Worker {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A run of a template, by which another thread can end the worker that the run waits for.
#[derive(Debug, Default)]
pub(super) struct Run(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    /// No worker runs the template now.
    #[default]
    Apart,
    /// This process runs the template. It is waited for only after this state has been left, so its number cannot be
    /// that of another process.
    In(Pid),
    Ended,
}

impl Run {
    /// Ends the run by killing its worker. The thread that waits for the worker continues at once.
    pub(super) fn end(&self) {
        let mut state = self.0.lock();
        if let State::In(worker) = *state
            && let Err(error) = kill_process(worker, Signal::KILL)
        {
            tracing::error!(%error, "a process for a hook's template cannot be ended");
        }
        *state = State::Ended;
    }

    /// Notes the worker that runs the template; `false` where the run has been ended.
    fn enter(&self, worker: &Worker) -> bool {
        let mut state = self.0.lock();
        if matches!(*state, State::Ended) {
            return false;
        }
        *state = State::In(Pid::from_child(&worker.child));
        true
    }

    /// Notes that the worker has answered or ended; `false` where the run has been ended.
    fn leave(&self) -> bool {
        let mut state = self.0.lock();
        if matches!(*state, State::Ended) {
            return false;
        }
        *state = State::Apart;
        true
    }
}

/// Runs a template in a worker and returns its results as JSON, two at most. It blocks for about [`TIME_LIMIT`] at
/// most, and [`Run::end`] ends it in any case. A worker that took too long has ended when this returns.
///
/// # Errors
/// The template fails, or takes more than it may; or no worker can be started.
pub(super) fn run(code: &Code, input: &Input, run: &Run) -> Result<Ran, Error> {
    let no_worker = |error: io::Error| {
        tracing::error!(%error, "no process can be started for a hook's template");
        Error::Busy
    };
    let mut tries = 0;
    loop {
        let idle = IDLE.lock().pop();
        let mut worker = idle.map_or_else(Worker::start, Ok).map_err(no_worker)?;
        if !run.enter(&worker) {
            return Err(Error::Endless);
        }
        let answer = worker.call(code, input);
        if !run.leave() {
            return Err(Error::Endless);
        }
        match answer {
            Ok((Kind::Results, results)) => {
                worker.keep();
                return Ok(Ran::Results(results.lines().map(str::to_owned).collect()));
            }
            Ok((Kind::Ignored, why)) => {
                worker.keep();
                return Ok(Ran::Ignored(why));
            }
            Ok((Kind::Failed, words)) => {
                let Ok(placed) = worker.read_text() else { return Err(Error::Failed(words)) };
                worker.keep();
                return Err(Error::Failed(if placed.is_empty() { words } else { placed }));
            }
            Ok((Kind::Endless, _)) => return Err(Error::Endless),
            Ok((Kind::Mistaken, words)) => {
                worker.keep();
                return Err(Error::Mistaken(words));
            }
            Err(error) => {
                // A worker that was stopped from outside, or that ended by itself, says nothing about the template: what asks for too
                // much memory or stack is killed.
                let ended = worker.child.wait();
                let is_innocent = ended.is_ok_and(|how| how.signal().is_none_or(|signal| signal == TERMINATED));
                tries += 1;
                if !is_innocent || tries > MAX_IDLE {
                    tracing::warn!(%error, "a hook's template took more than it may");
                    return Err(Error::TooMuch);
                }
            }
        }
    }
}

impl Worker {
    fn start() -> io::Result<Self> {
        // This path leads to the program even after another version was installed in its place.
        let mut command = Command::new("/proc/self/exe");
        command.arg(COMMAND).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // The allocator would reserve a gigabyte of address space.
        command.env("MIMALLOC_ARENA_RESERVE", "16384");
        // And that of C 64 MiB for each thread.
        command.env("MALLOC_ARENA_MAX", "1");
        // An interrupt from the terminal is meant for the gateway, which lets its calls end.
        let mut child = command.process_group(0).spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(to), Some(from)) => Ok(Self { child, to, from }),
            _ => Err(io::Error::other("a process without pipes")),
        }
    }

    /// Keeps the worker for the next call, unless enough are idle.
    fn keep(self) {
        let mut idle = IDLE.lock();
        if idle.len() < MAX_IDLE {
            idle.push(self);
        }
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// The worker ends before it has answered.
    fn call(&mut self, code: &Code, input: &Input) -> io::Result<(Kind, String)> {
        write_frame(&mut self.to, &serde_json::to_vec(code)?)?;
        write_frame(&mut self.to, &serde_json::to_vec(&input.variables)?)?;
        write_frame(&mut self.to, &input.body)?;
        self.to.flush()?;
        let mut kind = [0];
        self.from.read_exact(&mut kind)?;
        let kind = match kind[0] {
            b'r' => Kind::Results,
            b'i' => Kind::Ignored,
            b'f' => Kind::Failed,
            b'e' => Kind::Endless,
            b'm' => Kind::Mistaken,
            other => return Err(io::Error::other(format!("an answer of the kind {other}"))),
        };
        Ok((kind, self.read_text()?))
    }

    fn read_text(&mut self) -> io::Result<String> {
        String::from_utf8(read_frame(&mut self.from, MAX_RESULT)?).map_err(io::Error::other)
    }
}

/// Runs as a worker: serves requests until the standard input ends.
///
/// # Errors
/// The process that started it is gone, or its memory cannot be limited.
pub fn serve() -> io::Result<()> {
    limit_memory()?;
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut compiled: HashMap<Arc<Code>, Arc<Template>> = HashMap::new();
    loop {
        let code: Arc<Code> = match read_frame(&mut input, MAX_RESULT) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            code => Arc::new(serde_json::from_slice(&code?)?),
        };
        let variables = serde_json::from_slice(&read_frame(&mut input, MAX_RESULT)?)?;
        let asked = Input { body: read_frame(&mut input, usize::MAX)?.into(), variables };
        let template = match compiled.get(&code) {
            Some(template) => template.clone(),
            None => {
                if compiled.len() >= MAX_COMPILED {
                    compiled.clear();
                }
                match Template::compile(&code) {
                    Ok(template) => compiled.entry(code.clone()).or_insert(Arc::new(template)).clone(),
                    Err(mistake) => {
                        output.write_all(&[Kind::Mistaken as u8])?;
                        write_frame(&mut output, mistake.to_string().as_bytes())?;
                        output.flush()?;
                        continue;
                    }
                }
            }
        };
        let asked = Arc::new(asked);
        let (kind, text) = match answer(&template, &asked)? {
            Ok(Ran::Results(results)) => (Kind::Results, results.join("\n")),
            Ok(Ran::Ignored(why)) => (Kind::Ignored, why),
            Err(NotRun::Failed(words)) => (Kind::Failed, words),
            Err(NotRun::StillRuns) => (Kind::Endless, String::new()),
        };
        output.write_all(&[kind as u8])?;
        write_frame(&mut output, text.as_bytes())?;
        output.flush()?;
        // What still runs ends with this process. Looking for the place takes more than the template did, and so comes after the
        // answer, which is there even where that is too much.
        match kind {
            Kind::Endless => return Ok(()),
            Kind::Failed => {
                let Some(placed) = place(&code, &asked, &text) else { return Ok(()) };
                write_frame(&mut output, placed.as_bytes())?;
                output.flush()?;
            }
            Kind::Results | Kind::Ignored | Kind::Mistaken => {}
        }
    }
}

/// Why a template gave nothing.
enum NotRun {
    Failed(String),
    StillRuns,
}

/// Runs the template in a thread of its own.
///
/// # Errors
/// This process can start no thread.
fn answer(template: &Arc<Template>, asked: &Arc<Input>) -> io::Result<Result<Ran, NotRun>> {
    let (template, asked) = (template.clone(), asked.clone());
    Ok(match within(TIME_LIMIT, STACK_SIZE, move || template.run(&asked))? {
        Made(Ok(ran)) => Ok(ran),
        Made(Err(Error::Failed(words))) => Err(NotRun::Failed(words)),
        Made(Err(error)) => Err(NotRun::Failed(error.to_string())),
        BrokenDown => Err(NotRun::Failed("it broke down".to_owned())),
        StillRuns => Err(NotRun::StillRuns),
    })
}

/// The words with the place where the filter failed, where that can be found; none where it is still looked for.
fn place(code: &Arc<Code>, asked: &Arc<Input>, words: &str) -> Option<String> {
    let (code, asked, words) = (code.clone(), asked.clone(), words.to_owned());
    match within(TRACED_TIME_LIMIT, TRACED_STACK_SIZE, move || with_place(&code, &asked, &words)) {
        Ok(Made(placed)) => Some(placed.unwrap_or_default()),
        Ok(StillRuns) => None,
        Ok(BrokenDown) | Err(_) => Some(String::new()),
    }
}

/// What came of a thread.
enum InThread<T> {
    Made(T),
    BrokenDown,
    StillRuns,
}

/// What a thread of its own makes. The thread has ended when this returns, so that its stack is there for the next one, unless it
/// does not end in time.
fn within<T: Send + 'static>(
    limit: Duration,
    stack_size: usize,
    make: impl FnOnce() -> T + Send + 'static,
) -> io::Result<InThread<T>> {
    let (made, to_come) = mpsc::channel();
    let thread = thread::Builder::new().stack_size(stack_size).spawn(move || drop(made.send(make())))?;
    match to_come.recv_timeout(limit) {
        Err(mpsc::RecvTimeoutError::Timeout) => Ok(StillRuns),
        made => Ok(match (made, thread.join()) {
            (Ok(made), Ok(())) => Made(made),
            _ => BrokenDown,
        }),
    }
}

/// Limits the address space. What the program itself takes is not counted as a template's.
fn limit_memory() -> io::Result<()> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let own = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let own = own.and_then(|size| size.split_ascii_whitespace().next()?.parse::<u64>().ok());
    let own = own.ok_or_else(|| io::Error::other("/proc/self/status has no VmSize"))? << 10;
    let most = Some(own + STACK_SIZE as u64 + (MEMORY_MIB << 20));
    setrlimit(Resource::As, Rlimit { current: most, maximum: most })?;
    // A core dump would hold what a sender sent.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(())
}
