//! An Odoo that answers at once: what a gateway needs of one to find out who calls, to search, to create, and to see which of
//! the records that it created together is which.
//!
//! The record that a search for the `ref` R12345678 finds, or that is made with it, has the id 12345678. So every answer
//! shows whether it belongs to its question, also where several records were made by one call.

use std::{
    fmt::{Display, Write},
    io,
};

use memchr::memmem;
use serde::{Deserialize, de::IgnoredAny};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

use super::message::{GAP, Incoming, Message, Template};

pub(crate) const DATABASE: &str = "bench";
pub(crate) const MODEL: &str = "res.partner";

const HEAD: &str = "HTTP/1.1 200 OK\r\nServer: Werkzeug/3.0.1 Python/3.12.3\r\nContent-Type: application/json; charset=utf-8\r\n\
                    Date: Mon, 05 Jan 2026 08:00:00 GMT\r\n";
const VERSION: &str = r#"{"server_version": "19.0", "server_version_info": [19, 0, 0, "final", 0, ""]}"#;
const SESSION: &str = r#"{"uid": 2, "db": "bench", "username": "webshop", "user_companies": {"current_company": 1}, "user_context": {"lang": "en_US", "tz": "Europe/Brussels"}}"#;
/// Behind the first line of the answer to a login.
const LOGIN: &str = "\r\nSet-Cookie: session_id=0123456789abcdef0123456789abcdef01234567; Path=/; HttpOnly\r\n";
/// A row, as long as one that is asked for with a few fields.
const ROW: &str = r#"[{"id": ########, "name": "Customer ########", "ref": "R########", "email": "customer########@example.com", "phone": "+32 2 555 01 23", "city": "Brussels"}]"#;
const FIELDS: [(&str, &str); 12] = [
    ("id", "integer"),
    ("name", "char"),
    ("ref", "char"),
    ("email", "char"),
    ("phone", "char"),
    ("street", "char"),
    ("zip", "char"),
    ("city", "char"),
    ("comment", "html"),
    ("is_company", "boolean"),
    ("credit_limit", "float"),
    ("date", "date"),
];

const NOT_FOUND: &[u8] = b"HTTP/1.1 404 NOT FOUND\r\nContent-Length: 0\r\n\r\n";

/// How it ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// It does not, as a proxy before Odoo.
    Open,
    /// With every answer, as Odoo itself does.
    Closing,
}

/// Serves for as long as the runtime; gives the address.
pub(crate) async fn start(keeping: Keeping) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let answers = Answers::new(keeping);
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let answers = answers.clone();
            // The gateway hangs up when it is stopped.
            tokio::spawn(async move { drop(serve(stream, keeping, answers).await) });
        }
    });
    url
}

async fn serve(mut stream: TcpStream, keeping: Keeping, mut answers: Answers) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut incoming = Incoming::default();
    while let Some(request) = incoming.next(&mut stream).await? {
        stream.write_all(answers.to(&request)).await?;
        if keeping == Keeping::Closing {
            return stream.shutdown().await;
        }
    }
    Ok(())
}

/// Answers with all that does not depend on the question made beforehand.
#[derive(Clone)]
struct Answers {
    keeping: Keeping,
    version: Vec<u8>,
    session: Vec<u8>,
    login: Vec<u8>,
    fields: Vec<u8>,
    found: Template,
    made: String,
}

/// A call, of which the arguments by position matter.
#[derive(Deserialize)]
struct Body<A> {
    params: Params<A>,
}

#[derive(Deserialize)]
struct Params<A> {
    args: A,
}

#[derive(Deserialize)]
struct Record<'b> {
    #[serde(rename = "ref")]
    reference: &'b str,
}

impl Record<'_> {
    /// The number in its reference.
    fn id(&self) -> &str {
        self.reference.strip_prefix('R').unwrap()
    }
}

/// A record, as it is read.
fn row(id: impl Display) -> String {
    format!(r#"{{"id": {id}, "name": "Customer {id}", "ref": "R{id}"}}"#)
}

impl Answers {
    fn new(keeping: Keeping) -> Self {
        let fields: Vec<String> = FIELDS
            .iter()
            .map(|(name, kind)| format!(r#""{name}": {{"type": "{kind}", "store": true, "searchable": true}}"#))
            .collect();
        let bytes = |result: &str| answer(keeping, result).into_bytes();
        Self {
            keeping,
            version: bytes(VERSION),
            session: bytes(SESSION),
            login: answer(keeping, SESSION).replacen("\r\n", LOGIN, 1).into_bytes(),
            fields: bytes(&format!("{{{}}}", fields.join(", "))),
            found: Template::new(&answer(keeping, ROW)),
            made: String::new(),
        }
    }

    fn to(&mut self, request: &Message<'_>) -> &[u8] {
        let path = request.head.split(|byte| *byte == b' ').nth(1).unwrap();
        match path.rsplit(|byte| *byte == b'/').next().unwrap() {
            b"search_read" => {
                let at = memmem::find(request.body, b"\"R").expect("a search names what it is for") + 2;
                let digits = std::str::from_utf8(&request.body[at..][..GAP.len()]).unwrap();
                self.found.with(digits.parse().unwrap())
            }
            b"create" => {
                let Body { params: Params { args: (records,) } } =
                    serde_json::from_slice::<Body<(Vec<Record<'_>>,)>>(request.body).unwrap();
                let ids: Vec<&str> = records.iter().map(Record::id).collect();
                self.made = answer(self.keeping, &format!("[{}]", ids.join(", ")));
                self.made.as_bytes()
            }
            // Records that are made together, with what tells them apart.
            b"web_save" => {
                let Body { params: Params { args: ([], records, _) } } =
                    serde_json::from_slice::<Body<([(); 0], Vec<Record<'_>>, IgnoredAny)>>(request.body).unwrap();
                let rows: Vec<String> = records.iter().map(|record| row(record.id())).collect();
                self.made = answer(self.keeping, &format!("[{}]", rows.join(", ")));
                self.made.as_bytes()
            }
            b"read" => {
                let Body { params: Params { args: (ids, _) } } =
                    serde_json::from_slice::<Body<(Vec<u32>, Vec<&str>)>>(request.body).unwrap();
                let rows: Vec<String> = ids.iter().map(row).collect();
                self.made = answer(self.keeping, &format!("[{}]", rows.join(", ")));
                self.made.as_bytes()
            }
            // The gateway looks whether Odoo is in proxy mode.
            b"" => NOT_FOUND,
            b"version_info" => &self.version,
            b"get_session_info" => &self.session,
            b"authenticate" => &self.login,
            b"fields_get" => &self.fields,
            _ => panic!("the stub does not know {}", String::from_utf8_lossy(path)),
        }
    }
}

/// As Odoo answers.
fn answer(keeping: Keeping, result: &str) -> String {
    let body = format!(r#"{{"jsonrpc": "2.0", "id": null, "result": {result}}}"#);
    let mut answer = HEAD.to_owned();
    if keeping == Keeping::Closing {
        answer.push_str("Connection: close\r\n");
    }
    write!(answer, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    answer
}
