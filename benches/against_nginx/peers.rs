//! What is measured: nginx and the gateway, as processes of their own, and the upstream itself.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{bare, tls};

const PROGRAM: &str = env!("CARGO_BIN_EXE_odoo-gateway");
/// Where Debian has it, which is not on everybody's PATH.
const NGINX: &str = "/usr/sbin/nginx";

/// Something that answers.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// The processes of it; none of the upstream.
    processes: Vec<u32>,
}

/// All that run, until they are dropped.
pub(crate) struct Peers {
    /// The upstream first, and nginx without a log before those that are held against it.
    pub(crate) all: Vec<Peer>,
    /// Those that speak TLS.
    pub(crate) tls: Vec<Peer>,
    running: Vec<Child>,
    /// What the gateways say, who must be able to say it.
    said: Vec<BufReader<ChildStdout>>,
    folder: TempDir,
}

impl Peers {
    pub(crate) fn start(upstream: SocketAddr) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        tls::certify(folder.path());
        let direct = Peer { name: "direct", address: upstream, processes: Vec::new() };
        let mut peers = Self { all: vec![direct], tls: Vec::new(), running: Vec::new(), said: Vec::new(), folder };
        peers.start_nginx("nginx", upstream, "off");
        peers.start_nginx("nginx, log", upstream, "access.log");
        let (process, address) = bare::start(upstream);
        peers.all.push(Peer { name: "bare hyper", address, processes: vec![process.id()] });
        peers.running.push(process);
        for (name, passed) in [("gateway", "false"), ("gateway, log", "true")] {
            let plain = peers.start_gateway(name, upstream, passed, "");
            let keys = format!(
                "[tls]\ncertificate = {:?}\nkey = {:?}\n",
                peers.folder().join(tls::CERTIFICATE),
                peers.folder().join(tls::KEY)
            );
            let with_tls = peers.start_gateway(name, upstream, passed, &keys);
            peers.all.push(plain);
            peers.tls.push(with_tls);
        }
        peers
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn versions(&self) -> String {
        let nginx = Command::new(NGINX).arg("-v").output().unwrap();
        String::from_utf8_lossy(&nginx.stderr).trim().to_owned()
    }

    fn start_nginx(&mut self, name: &'static str, upstream: SocketAddr, log: &str) {
        let (plain, encrypted) = (free_port(), free_port());
        let folder = self.folder().join(format!("nginx-{plain}"));
        fs::create_dir(&folder).unwrap();
        let log = if log == "off" { log.to_owned() } else { folder.join(log).display().to_string() };
        let certificates = self.folder().display();
        // Root's workers would be of another user, who may not read this folder.
        let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
        let forwarded = "proxy_set_header Host $host;\nproxy_set_header X-Forwarded-Host $host;\n\
                         proxy_set_header X-Forwarded-Proto $scheme;\nproxy_set_header X-Real-IP $remote_addr;\n\
                         proxy_set_header X-Forwarded-For $remote_addr;\n";
        let configuration = format!(
            "{user}daemon off;\nworker_processes auto;\nerror_log stderr;\npid nginx.pid;\n\
             events {{ worker_connections 8192; }}\n\
             http {{\naccess_log {log};\nkeepalive_requests 1000000000;\nkeepalive_timeout 600s;\nclient_max_body_size 0;\n\
             client_body_temp_path body;\nproxy_temp_path proxy;\nfastcgi_temp_path fastcgi;\nuwsgi_temp_path uwsgi;\n\
             scgi_temp_path scgi;\n\
             upstream odoo {{ server {upstream}; keepalive 512; keepalive_requests 1000000000; }}\n\
             server {{\nlisten {plain};\nlisten {encrypted} ssl;\nssl_certificate {certificates}/{};\n\
             ssl_certificate_key {certificates}/{};\nssl_protocols TLSv1.2 TLSv1.3;\n\
             proxy_http_version 1.1;\nproxy_request_buffering off;\nproxy_max_temp_file_size 0;\n\
             location / {{ proxy_pass http://odoo;\nproxy_set_header Connection \"\";\n{forwarded} }}\n\
             location /websocket {{ proxy_pass http://odoo;\nproxy_set_header Upgrade $http_upgrade;\n\
             proxy_set_header Connection upgrade;\n{forwarded} }}\n}}\n}}\n",
            tls::CERTIFICATE,
            tls::KEY,
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, configuration).unwrap();
        let messages = folder.join("messages");
        let started = Command::new(NGINX)
            .arg("-p")
            .arg(&folder)
            .arg("-c")
            .arg(&file)
            .stderr(File::create(&messages).unwrap())
            .spawn();
        let Ok(nginx) = started else { panic!("there is no {NGINX}: apt-get install nginx-light") };
        let (master, deadline) = (nginx.id(), Instant::now() + Duration::from_secs(10));
        self.running.push(nginx);
        let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        wait_for(address(encrypted), || format!("nginx: {}", fs::read_to_string(&messages).unwrap()));
        while children(master).is_empty() {
            assert!(Instant::now() < deadline, "nginx has no workers: {}", fs::read_to_string(&messages).unwrap());
            std::thread::yield_now();
        }
        let processes: Vec<u32> = children(master).into_iter().chain([master]).collect();
        self.all.push(Peer { name, address: address(plain), processes: processes.clone() });
        self.tls.push(Peer { name, address: address(encrypted), processes });
    }

    /// A gateway that passes all on, and gives the upstream as much at a time as nginx does.
    fn start_gateway(&mut self, name: &'static str, upstream: SocketAddr, passed: &str, more: &str) -> Peer {
        let folder = self.folder().join(format!("gateway-{}", self.running.len()));
        fs::create_dir(&folder).unwrap();
        let configuration = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [upstream]\nurl = \"http://{upstream}\"\ndatabase = \"bench\"\nmax_in_flight = 1024\nqueue = 4096\n\
             [proxy]\npass = [\"/\"]\n\
             [limits]\nconnections_per_address = 4096\nrequests = 4096\nrequests_per_address = 4096\nbody = \"1 GiB\"\n\
             [log]\npassed = {passed}\n{more}"
        );
        let file = folder.join("gateway.toml");
        fs::write(&file, configuration).unwrap();
        let messages = folder.join("messages");
        let mut process = Command::new(PROGRAM)
            .args(["serve", "--config"])
            .arg(file)
            .stdout(Stdio::piped())
            .stderr(File::create(&messages).unwrap())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut first = String::new();
        said.read_line(&mut first).unwrap();
        let Some((_, address)) = first.trim_end().split_once("://") else {
            panic!("the gateway did not start: {}", fs::read_to_string(messages).unwrap());
        };
        let peer = Peer { name, address: address.parse().unwrap(), processes: vec![process.id()] };
        self.running.push(process);
        self.said.push(said);
        peer
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        for process in &mut self.running {
            let _ = kill_process(Pid::from_child(process), Signal::TERM);
            let _ = process.wait();
        }
    }
}

impl Peer {
    /// The time that it has had of all processors.
    pub(crate) fn cpu(&self) -> Duration {
        self.processes.iter().map(|process| cpu(*process)).sum()
    }

    /// Forgets the most memory that it had; gives what it has now, in bytes.
    pub(crate) fn reset_peak(&self) -> f64 {
        for process in &self.processes {
            fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
        }
        self.memory("VmRSS:")
    }

    /// The most memory that it had since, in bytes.
    pub(crate) fn peak(&self) -> f64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, field: &str) -> f64 {
        let of = |process: &u32| -> f64 {
            let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
            let line = status.lines().find(|line| line.starts_with(field)).unwrap();
            line.split_ascii_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
        };
        self.processes.iter().map(of).sum()
    }
}

fn cpu(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // Behind the program's name, in which anything may stand: the 12th and 13th field, in the program and in the kernel.
    let fields = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().skip(11).take(2);
    // Linux counts in hundredths of a second.
    Duration::from_millis(10 * fields.map(|field| field.parse::<u64>().unwrap()).sum::<u64>())
}

fn children(process: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    listed.split_ascii_whitespace().map(|child| child.parse().unwrap()).collect()
}

/// Comes back when something listens.
pub(crate) fn wait_for(address: SocketAddr, failed: impl Fn() -> String) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "{}", failed());
        std::thread::yield_now();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
