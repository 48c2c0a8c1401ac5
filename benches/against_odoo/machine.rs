//! Whether the machine was free, and where its time went: into the load itself, which must be little, and into what has
//! nothing to do with it, which must be less.

use std::{
    cell::Cell,
    fs,
    time::{Duration, Instant},
};

use tokio::time;

use crate::servers::Odoo;

/// As /proc counts processor time, on every Linux that there is.
const TICKS_A_SECOND: f64 = 100.0;
/// With more than this of the machine elsewhere, figures are not worth much.
const ELSEWHERE: f64 = 0.05;
const LOOK: Duration = Duration::from_millis(500);

pub(crate) struct Machine {
    database: String,
    odoo: u32,
    /// How long may yet be spent on waiting for others to finish, and on rounds that they disturbed.
    patience: Cell<Duration>,
}

/// From its start until now.
pub(crate) struct Span {
    started: Instant,
    before: Usage,
}

/// Ticks since the machine, or a process, was started.
struct Usage {
    machine: f64,
    load: f64,
    measured: f64,
}

/// Shares of the machine's time.
struct Shares {
    load: f64,
    measured: f64,
    elsewhere: f64,
}

impl Machine {
    pub(crate) fn new(odoo: &Odoo, patience: Duration) -> Self {
        Self { database: odoo.database.clone(), odoo: odoo.pid, patience: Cell::new(patience) }
    }

    pub(crate) fn span(&self) -> Span {
        Span { started: Instant::now(), before: self.usage() }
    }

    /// Does it while nothing else runs: again where something did, as long as there is patience. Whether what came out counts
    /// depends on others alone, never on itself.
    pub(crate) async fn alone<T>(&self, work: impl AsyncFn() -> T) -> T {
        loop {
            self.until_free().await;
            let span = self.span();
            let done = work().await;
            if self.shares(&span).elsewhere <= ELSEWHERE || !self.is_patient(span.started.elapsed()) {
                return done;
            }
        }
    }

    async fn until_free(&self) {
        while !self.patience.get().is_zero() {
            let span = self.span();
            time::sleep(LOOK).await;
            if self.shares(&span).elsewhere <= ELSEWHERE {
                return;
            }
            self.is_patient(LOOK);
        }
    }

    fn is_patient(&self, spent: Duration) -> bool {
        self.patience.set(self.patience.get().saturating_sub(spent));
        !self.patience.get().is_zero()
    }

    pub(crate) fn report(&self, span: &Span, calls: usize) {
        let Shares { load, measured, elsewhere } = self.shares(span);
        let seconds = span.started.elapsed().as_secs_f64();
        let each = load * seconds * cores() * 1e3 / calls as f64;
        println!(
            "\n{calls} calls in {seconds:.0} s on {} cores: {:.0} % of these for Odoo, its database and the gateways, {:.1} % \
             for making the calls and checking the answers ({each:.2} ms each), {:.0} % for other programs.",
            cores(),
            measured * 100.0,
            load * 100.0,
            elsewhere * 100.0
        );
        if elsewhere > ELSEWHERE {
            println!(
                "The machine was not free; where rounds were not repeated for that, ratios may hold, but nothing else."
            );
        }
    }

    fn shares(&self, span: &Span) -> Shares {
        let (whole, after) = (span.started.elapsed().as_secs_f64() * TICKS_A_SECOND * cores(), self.usage());
        let (load, measured) = (after.load - span.before.load, after.measured - span.before.measured);
        let elsewhere = (after.machine - span.before.machine - load - measured).max(0.0);
        Shares { load: load / whole, measured: measured / whole, elsewhere: elsewhere / whole }
    }

    fn usage(&self) -> Usage {
        let me = std::process::id();
        let (mut load, mut measured) = (0.0, 0.0);
        for process in fs::read_dir("/proc").unwrap().map_while(Result::ok) {
            let Ok(pid) = process.file_name().to_string_lossy().parse::<u32>() else { continue };
            let read = |file: &str| fs::read_to_string(process.path().join(file)).unwrap_or_default();
            // After the name, which may have blanks in it: state, parent, group … user time, system time.
            let stat = read("stat");
            let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
            let number = |field: usize| fields.get(field).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
            let ticks = f64::from(number(11)) + f64::from(number(12));
            // PostgreSQL's processes have the database's name in their titles.
            if pid == me {
                load += ticks;
            } else if number(1) == me || number(2) == self.odoo || read("cmdline").contains(&self.database) {
                measured += ticks;
            }
        }
        let stat = fs::read_to_string("/proc/stat").unwrap();
        let all: Vec<f64> =
            stat.lines().next().unwrap().split_ascii_whitespace().filter_map(|n| n.parse().ok()).collect();
        // User, nice, system; idle and waiting for disks are none; interrupts twice, and what the host took.
        let machine = all[0] + all[1] + all[2] + all[5] + all[6] + all[7];
        Usage { machine, load, measured }
    }
}

fn cores() -> f64 {
    std::thread::available_parallelism().unwrap().get() as f64
}
