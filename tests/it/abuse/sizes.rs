//! Too much of everything: long, many, deep, packed, slow.

use std::time::Duration;

use super::{BODY, Case, OWN, PASSED, wire::Act};

const BOMB: usize = 10 << 20;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = heads();
    cases.extend(bodies());
    cases.extend(trickles());
    cases
}

fn heads() -> Vec<Case> {
    let get = |name: &str, path: &str, lines: &str, expected| {
        let bytes = format!("GET {path} HTTP/1.1\r\nHost: gateway\r\nX-Case: CASE\r\n{lines}\r\n");
        Case::new(name, bytes, expected)
    };
    let long = |length: usize| format!("{PASSED}?{}", "a".repeat(length));
    let line = |length: usize| format!("X-Long: {}\r\n", "a".repeat(length));
    let too_long = "414";
    let too_large = "431 closed";
    vec![
        get("URL of 8000", &long(8000 - PASSED.len() - 1), "", "200 open"),
        get("URL of 8 KiB and one", &long((8 << 10) + 1 - PASSED.len() - 1), "", too_long),
        get("URL of 60 KiB", &long(60 << 10), "", too_long),
        get("URL of 1 MiB", &long(1 << 20), "", "414 | 431 closed"),
        get("API URL of 9 KiB", &format!("{OWN}?{}", "a".repeat(9 << 10)), "", too_long),
        get("a header of 60 KiB", PASSED, &line(60 << 10), "200 open"),
        get("a header of 70 KiB", PASSED, &line(70 << 10), too_large),
        get("a header of 1 MiB", PASSED, &line(1 << 20), too_large),
        get("a header that never ends", PASSED, "", too_large).without_end(&line(8 << 20)),
        get("a header name of 70 KiB", PASSED, &format!("{}: 1\r\n", "a".repeat(70 << 10)), "400 closed | 431 closed"),
        get("a cookie of 70 KiB", PASSED, &format!("Cookie: session_id={}\r\n", "a".repeat(70 << 10)), too_large),
        get("90 headers", PASSED, &"X-Many: 1\r\n".repeat(90), "200 open"),
        get("1000 headers", PASSED, &"X-Many: 1\r\n".repeat(1000), too_large),
        get("100,000 headers", PASSED, &"X-Many: 1\r\n".repeat(100_000), too_large),
        get("1000 Connection options", PASSED, &format!("Connection: {}x\r\n", "x,".repeat(1000)), "400 | 200 open"),
        Case::new(
            "a method of 10 KiB",
            format!("{} / HTTP/1.1\r\nHost: gateway\r\n\r\n", "A".repeat(10 << 10)),
            "400 | 404 | 405 | 431 closed | 501",
        ),
        Case::new("a method of 1 MiB", "A".repeat(1 << 20), "400 closed | 431 closed"),
    ]
}

fn bodies() -> Vec<Case> {
    let post = |name: &str, target: &str, lines: &str, body: &[u8], expected| {
        let head = format!("POST {target} HTTP/1.1\r\nHost: gateway\r\nX-Case: CASE\r\n{lines}\r\n");
        let case = Case::new(name, [head.as_bytes(), body].concat(), expected);
        if target == OWN { case.own() } else { case }
    };
    let sized = |body: &[u8]| format!("Content-Length: {}\r\n", body.len());
    let too_large = "413:body_too_large closed";
    let large = vec![b' '; 3 << 20];
    let chunks = [format!("{:x}\r\n", large.len()).as_bytes(), &large, b"\r\n0\r\n\r\n"].concat();
    // Slow to take apart as well: twelve times as long as what it carries.
    let small_chunks = b"1\r\n \r\n".repeat(2 << 20);
    let mut cases = Vec::new();
    for (kind, target) in [("pass", PASSED), ("api", OWN)] {
        let chunked = "Transfer-Encoding: chunked\r\n";
        cases.push(post(&format!("{kind}: 3 MiB"), target, &sized(&large), &large, too_large));
        cases.push(post(&format!("{kind}: 3 MiB in one chunk"), target, chunked, &chunks, too_large));
        cases.push(post(
            &format!("{kind}: 2 MiB in chunks of a byte"),
            target,
            chunked,
            &small_chunks,
            "413:body_too_large closed | 408:body_timeout closed",
        ));
        cases.push(post(
            &format!("{kind}: 1 TiB announced"),
            target,
            "Content-Length: 1099511627776\r\n",
            BODY.as_bytes(),
            too_large,
        ));
    }
    let bomb = bomb();
    for coding in ["gzip", "deflate", "br", "zstd", "x-gzip", "gzip, gzip", "identity, gzip"] {
        let lines = format!("Content-Type: application/json\r\nContent-Encoding: {coding}\r\n{}", sized(&bomb));
        let name = format!("api: {} MiB of zeros, Content-Encoding: {coding}", BOMB >> 20);
        cases.push(post(&name, OWN, &lines, &bomb, "415:unsupported_encoding"));
    }
    let identity = format!("Content-Encoding: identity\r\n{}", sized(BODY.as_bytes()));
    cases.push(post("api: Content-Encoding: identity", OWN, &identity, BODY.as_bytes(), "200 open"));
    // With a key, so that the body is read to its depth; Odoo sees nothing of it.
    for (depth, expected) in [(90, "200 open"), (110, "400"), (200, "400"), (100_000, "400")] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!("{}1{}", open.repeat(depth - 4), close.repeat(depth - 4));
            let body = format!(r#"{{"params":{{"model":"res.partner","vals":{{"payload":{{"name":{deep}}}}}}}}}"#);
            let lines = format!("X-API-Key: KEY\r\n{}", sized(body.as_bytes()));
            cases.push(post(&format!("api: {depth} deep, of {open}"), OWN, &lines, body.as_bytes(), expected));
        }
        let open = "[".repeat(depth * 2);
        let lines = format!("X-API-Key: KEY\r\n{}", sized(open.as_bytes()));
        cases.push(post(&format!("api: {} opened, none closed", depth * 2), OWN, &lines, open.as_bytes(), "400"));
    }
    cases
}

/// Peers that are never silent, and never done.
fn trickles() -> Vec<Case> {
    let pause = Duration::from_millis(250);
    let head = format!("POST {OWN} HTTP/1.1\r\nHost: gateway\r\nX-Case: CASE\r\nContent-Length: 100\r\n\r\n");
    vec![
        Case::new("a head that trickles", "GET / HT", "408 closed | closed").then(Act::Trickle(vec![b'x'; 60], pause)),
        Case::new("a body that trickles", head, "408:body_timeout closed")
            .then(Act::Trickle(vec![b' '; 60], pause))
            .own(),
    ]
}

impl Case {
    /// Without the empty line at the end of its head; this follows instead, but for its own line's end.
    fn without_end(mut self, behind: &str) -> Self {
        if let Some(Act::Send(bytes)) = self.acts.first_mut() {
            bytes.truncate(bytes.len() - 2);
            bytes.extend_from_slice(behind.trim_end().as_bytes());
        }
        self
    }
}

/// So many zeros in gzip, a thousandth of their size: a zero, and then that it be repeated, 258 times with each 13 bits.
fn bomb() -> Vec<u8> {
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut bits, mut filled) = (0_u64, 0);
    let mut put = |value: u64, count: u32| {
        bits |= value << filled;
        filled += count;
        while filled >= 8 {
            packed.push(bits.to_le_bytes()[0]);
            bits >>= 8;
            filled -= 8;
        }
    };
    // The last block, with the fixed codes, which go out from their highest bit.
    put(0b011, 3);
    put(0b0000_1100, 8);
    let repeats = (BOMB - 1) / 258;
    for _ in 0..repeats {
        put(0b1010_0011, 8);
        put(0, 5);
    }
    put(0, 7);
    put(0, 7);
    let zeros = vec![0; 1 + repeats * 258];
    packed.extend(crc32fast::hash(&zeros).to_le_bytes());
    packed.extend(u32::try_from(zeros.len()).unwrap().to_le_bytes());
    packed
}
