//! A person at a terminal: the program runs on one side of a pseudo-terminal, and a test reads and types at the other.

use std::{
    fs::File,
    io::{Read, Write},
    process::{Child, Command},
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

use rustix::{
    fs::OFlags,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Terminal {
    process: Child,
    keys: File,
    shown: Receiver<Vec<u8>>,
    /// All that was shown, without its styles.
    screen: Vec<u8>,
    /// What was looked at by now.
    read: usize,
}

impl Terminal {
    /// Runs a command on a terminal of 100 columns.
    pub(crate) fn run(command: &mut Command) -> Self {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keys).unwrap();
        unlockpt(&keys).unwrap();
        let name = ptsname(&keys, Vec::new()).unwrap().into_string().unwrap();
        let terminal = rustix::fs::open(&*name, OFlags::RDWR | OFlags::NOCTTY, rustix::fs::Mode::empty()).unwrap();
        tcsetwinsize(&terminal, Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let terminal = File::from(terminal);
        let side = || terminal.try_clone().unwrap();
        let process = command.stdin(side()).stdout(side()).stderr(side()).env("TERM", "xterm").spawn().unwrap();
        let keys = File::from(keys);
        let (send, shown) = mpsc::channel();
        let mut screen = keys.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Reading fails when no process has the other side any more.
            while let Ok(count) = screen.read(&mut bytes) {
                if count == 0 || send.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { process, keys, shown, screen: Vec::new(), read: 0 }
    }

    /// Waits until the text is shown, behind what was waited for before.
    pub(crate) fn see(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if let Some(at) = screen[self.read..].find(text) {
                self.read += at + text.len();
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.shown.recv_timeout(left) {
                Ok(bytes) => self.screen.extend(bytes),
                Err(_) => panic!("`{text}` was not shown, but:\n{}", &screen[self.read..]),
            }
        }
    }

    /// Types a line and Enter.
    pub(crate) fn enter(&mut self, line: &str) {
        self.keys.write_all(format!("{line}\r").as_bytes()).unwrap();
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the end of the program; gives its exit status and all that was shown.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.shown.recv_timeout(Duration::from_millis(20)) {
                Ok(bytes) => self.screen.extend(bytes),
                Err(_) => {
                    if let Some(status) = self.process.try_wait().unwrap() {
                        break status;
                    }
                }
            }
            assert!(Instant::now() < deadline, "the program does not end; it shows:\n{}", self.screen());
        };
        (status.code(), self.screen())
    }

    fn screen(&self) -> String {
        let text = String::from_utf8_lossy(&self.screen).replace('\r', "");
        anstream::adapter::strip_str(&text).to_string()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
