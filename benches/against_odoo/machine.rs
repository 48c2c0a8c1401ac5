//! Where the machine's time went while it was measured: into the load itself, which must be little, and into what has nothing
//! to do with it, which must be less.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::servers::Odoo;

/// As /proc counts processor time, on every Linux that there is.
const TICKS_A_SECOND: f64 = 100.0;
/// With more than this of the machine elsewhere, figures are not worth much.
const ELSEWHERE: f64 = 0.05;

pub(crate) struct Watch<'a> {
    odoo: &'a Odoo,
    started: Instant,
    before: Usage,
}

/// Ticks since the machine, or a process, was started.
struct Usage {
    machine: f64,
    load: f64,
    measured: f64,
}

impl<'a> Watch<'a> {
    pub(crate) fn start(odoo: &'a Odoo) -> Self {
        Self { odoo, started: Instant::now(), before: usage(odoo) }
    }

    pub(crate) fn report(&self, calls: usize) {
        let (took, after) = (self.started.elapsed(), usage(self.odoo));
        let cores = std::thread::available_parallelism().unwrap().get() as f64;
        let whole = Duration::as_secs_f64(&took) * TICKS_A_SECOND * cores;
        let (load, measured) = (after.load - self.before.load, after.measured - self.before.measured);
        let elsewhere = (after.machine - self.before.machine - load - measured).max(0.0) / whole;
        let each = load / TICKS_A_SECOND * 1e3 / calls as f64;
        println!(
            "\n{calls} calls in {:.0} s on {cores} cores: {:.0} % of these for Odoo, its database and the gateways, {:.1} % for \
             making the calls and checking the answers ({each:.2} ms each), {:.0} % for other programs.",
            took.as_secs_f64(),
            measured / whole * 100.0,
            load / whole * 100.0,
            elsewhere * 100.0
        );
        if elsewhere > ELSEWHERE {
            println!("The machine was not free: ratios may hold, the other figures do not.");
        }
    }
}

fn usage(odoo: &Odoo) -> Usage {
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
        } else if number(1) == me || number(2) == odoo.pid || read("cmdline").contains(&odoo.database) {
            measured += ticks;
        }
    }
    let stat = fs::read_to_string("/proc/stat").unwrap();
    let all: Vec<f64> = stat.lines().next().unwrap().split_ascii_whitespace().filter_map(|n| n.parse().ok()).collect();
    // User, nice, system; idle and waiting for disks are none; interrupts twice, and what the host took.
    let machine = all[0] + all[1] + all[2] + all[5] + all[6] + all[7];
    Usage { machine, load, measured }
}
