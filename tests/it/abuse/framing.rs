//! Where a request ends: what one server reads as a body and another as the next request.

use super::{BODY, Case, OWN, PASSED, SMUGGLED, wire::Act};

const SECOND: &str = "GET /web/session/second HTTP/1.1\r\nHost: gateway\r\nX-Case: CASE\r\nX-Mark: second\r\n\r\n";

/// Framing headers, what follows the head, and what is expected. A refusal must close the connection: nobody knows where
/// the next request begins. Where both framings are there, hyper goes by the chunks and closes the connection behind them,
/// which RFC 9112 (section 6.1) permits.
fn framings() -> Vec<(&'static str, String, String, &'static str)> {
    let refused = "400 closed";
    let both = "400 closed | 200 closed";
    let chunked = "Transfer-Encoding: chunked";
    let chunk = format!("5\r\n{BODY}\r\n0\r\n\r\n");
    // Read by its length, all of it is body; read by its chunks, it ends before the smuggled request.
    let cl_te = format!("0\r\n\r\n{SMUGGLED}");
    let cl = format!("Content-Length: {}", cl_te.len());
    let te_cl = format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len());
    let mut cases = vec![
        ("CL, then TE", format!("{cl}\r\n{chunked}"), cl_te.clone(), both),
        ("TE, then CL", format!("{chunked}\r\n{cl}"), cl_te.clone(), both),
        ("CL of the chunk's size line, TE", format!("Content-Length: 4\r\n{chunked}"), te_cl.clone(), both),
        ("TE, CL 5, a right chunk", format!("{chunked}\r\nContent-Length: 5"), chunk.clone(), both),
        ("TE, CL that is no number", format!("{chunked}\r\nContent-Length: x"), chunk.clone(), both),
        ("two equal CLs", "Content-Length: 5\r\nContent-Length: 5".into(), BODY.into(), "400 closed | 200 open"),
        (
            "two different CLs",
            format!("Content-Length: 5\r\nContent-Length: {}", 5 + SMUGGLED.len()),
            format!("{BODY}{SMUGGLED}"),
            refused,
        ),
    ];
    for length in
        ["+5", "5 5", "5, 6", "-1", "0x5", "5.0", "5;", "", "\"5\"", "5\u{b}", "\u{665}", "99999999999999999999"]
    {
        cases.push(("CL", format!("Content-Length: {length}"), BODY.into(), refused));
    }
    cases.push(("CL", "Content-Length: 5, 5".into(), BODY.into(), "400 closed | 200 open"));
    cases.push((
        "CL",
        "Content-Length: 18446744073709551615".into(),
        BODY.into(),
        "400 closed | 413 closed | 431 closed",
    ));
    cases.push(("CL", "Content-Length: 9223372036854775807".into(), BODY.into(), "413:body_too_large closed"));
    cases.push(("CL with zeros", "Content-Length: 0000000005".into(), BODY.into(), "400 closed | 200 open"));
    for coding in [
        "chunked, identity",
        "identity",
        "xchunked",
        "chunked;q=1",
        "\"chunked\"",
        "chunked, chunked",
        "\u{b}chunked",
        "chunked\u{b}",
        "",
    ] {
        cases.push(("TE", format!("Transfer-Encoding: {coding}"), chunk.clone(), refused));
    }
    for coding in ["gzip, chunked", "identity, chunked", "smuggled, chunked"] {
        cases.push(("TE", format!("Transfer-Encoding: {coding}"), chunk.clone(), "400 closed | 501 closed"));
    }
    let lines: [(&str, String, &str); 9] = [
        ("TE in capitals", "TRANSFER-ENCODING: CHUNKED".into(), "200 open"),
        ("TE with a comma before it", "Transfer-Encoding: , chunked".into(), "400 closed | 200 open"),
        ("TE with a space before the colon", "Transfer-Encoding : chunked".into(), refused),
        ("TE with a tab before the colon", "Transfer-Encoding\t: chunked".into(), refused),
        ("TE twice", format!("{chunked}\r\n{chunked}"), refused),
        ("TE chunked, TE identity", format!("{chunked}\r\nTransfer-Encoding: identity"), refused),
        ("TE identity, TE chunked", format!("Transfer-Encoding: identity\r\n{chunked}"), refused),
        ("TE on a folded line", "Transfer-Encoding:\r\n chunked".into(), refused),
        ("TE behind a header with a bare CR", format!("X: y\r{chunked}"), refused),
    ];
    cases.extend(lines.map(|(name, line, expected)| (name, line, chunk.clone(), expected)));
    let chunks: [(&str, String, &str); 22] = [
        ("chunks", "2\r\n{}\r\n3\r\n   \r\n0\r\n\r\n".into(), "200 open"),
        ("chunk size beyond 64 bits", format!("fffffffffffffffff\r\n{BODY}"), refused),
        ("chunk size of 64 bits", format!("ffffffffffffffff\r\n{BODY}"), "400 closed | 408 closed | 413 closed"),
        ("chunk size that wraps to 5", format!("10000000000000005\r\n{BODY}\r\n0\r\n\r\n"), refused),
        ("chunk size -5", format!("-5\r\n{BODY}\r\n0\r\n\r\n"), refused),
        ("chunk size +5", format!("+5\r\n{BODY}\r\n0\r\n\r\n"), refused),
        ("chunk size 0x5", format!("0x5\r\n{BODY}\r\n0\r\n\r\n"), refused),
        ("chunk size g", format!("g\r\n{BODY}\r\n0\r\n\r\n"), refused),
        ("chunk size 5_", format!("5_\r\n{BODY}\r\n0\r\n\r\n"), refused),
        ("no chunk size", format!("\r\n{BODY}\r\n0\r\n\r\n"), refused),
        ("a space before the chunk size", format!(" 5\r\n{BODY}\r\n0\r\n\r\n"), refused),
        ("a space behind the chunk size", format!("5 \r\n{BODY}\r\n0\r\n\r\n"), "400 closed | 200 open"),
        ("chunk size ended by a bare LF", format!("5\n{BODY}\r\n0\r\n\r\n"), refused),
        ("chunk size ended by a bare CR", format!("5\r{BODY}\r\n0\r\n\r\n"), refused),
        ("chunk extension", format!("5;a=b\r\n{BODY}\r\n0\r\n\r\n"), "400 closed | 200 open"),
        ("chunk extension with a bare LF", format!("5;a\n{BODY}\r\n0\r\n\r\n"), refused),
        ("chunk extension of 100 KiB", format!("5;{}\r\n{BODY}\r\n0\r\n\r\n", "a".repeat(100 << 10)), refused),
        ("no CRLF behind the chunk", format!("5\r\n{BODY}XX0\r\n\r\n"), refused),
        ("a bare LF behind the chunk", format!("5\r\n{BODY}\n0\r\n\r\n"), refused),
        ("trailers", format!("5\r\n{BODY}\r\n0\r\nX-Smuggled: 1\r\nContent-Length: 9\r\n\r\n"), "200 open"),
        ("a trailer without a colon", format!("5\r\n{BODY}\r\n0\r\nX\r\n\r\n"), refused),
        (
            "trailers of 1 MiB",
            format!("5\r\n{BODY}\r\n0\r\n{}", "X-Smuggled: 1\r\n".repeat(70_000)),
            "400 closed | 431 closed",
        ),
    ];
    cases.extend(chunks.map(|(name, body, expected)| (name, chunked.to_owned(), body, expected)));
    cases
}

/// Each framing to a route that is passed on and to one that is not, and what is of one of them only.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (kind, target) in [("pass", PASSED), ("api", OWN)] {
        let of = |case: Case| if target == OWN { case.own() } else { case };
        let head = |lines: &str| format!("POST {target} HTTP/1.1\r\nHost: gateway\r\nX-Case: CASE\r\n{lines}\r\n\r\n");
        for (name, lines, body, expected) in framings() {
            let name = if name == "CL" || name == "TE" { lines.clone() } else { name.to_owned() };
            cases.push(of(Case::new(format!("{kind}: {name}"), head(&lines) + &body, expected)));
        }
        let short =
            || of(Case::new(format!("{kind}: half a body, silence"), head("Content-Length: 10") + BODY, "408 closed"));
        cases.push(short());
        let hung_up = "400 closed | closed";
        let mut case = short().then(Act::HangUp);
        (case.name, case.expected) = (format!("{kind}: half a body, hung up"), hung_up);
        cases.push(case);
        let half = head("Transfer-Encoding: chunked") + &format!("5\r\n{BODY}\r\n");
        cases.push(of(Case::new(format!("{kind}: no last chunk, hung up"), half, hung_up).then(Act::HangUp)));
        let head = head("Transfer-Encoding: chunked").replace("HTTP/1.1", "HTTP/1.0");
        cases.push(of(Case::new(
            format!("{kind}: TE in HTTP/1.0"),
            head + &format!("5\r\n{BODY}\r\n0\r\n\r\n"),
            "400 closed",
        )));
        let head = |lines: &str| format!("POST {target} HTTP/1.1\r\nHost: gateway\r\nX-Case: CASE\r\n{lines}\r\n\r\n");
        let expecting = Case::new(
            format!("{kind}: Expect: 100-continue"),
            head("Expect: 100-continue\r\nContent-Length: 5"),
            "100 200 open",
        );
        cases.push(of(expecting.then(Act::Await).then(Act::Send(BODY.into()))));
        let unknown = head("Expect: something-else\r\nContent-Length: 5") + BODY;
        cases.push(of(Case::new(format!("{kind}: Expect: something-else"), unknown, "417 | 200 open")));
        let too_large = head("Expect: 100-continue\r\nContent-Length: 99999999");
        cases.push(of(Case::new(
            format!("{kind}: Expect: 100-continue, too large"),
            too_large,
            "413:body_too_large closed",
        )));
    }
    cases.extend(pipelines());
    cases
}

fn pipelines() -> Vec<Case> {
    let post = |lines: &str, behind: &str| {
        format!("POST {PASSED} HTTP/1.1\r\nHost: gateway\r\nX-Case: CASE\r\nX-Mark: first\r\n{lines}\r\n{behind}")
    };
    let length = "Content-Length: 5\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    let old = post(length, &format!("{BODY}{SECOND}")).replacen("HTTP/1.1", "HTTP/1.0", 1);
    let refused = "GET /nowhere/../x HTTP/1.1\r\nHost: gateway\r\nX-Case: CASE\r\n\r\n";
    vec![
        Case::new(
            "a second request behind a body",
            post(length, &format!("{BODY}{SECOND}")),
            "200:first 200:second open | 200:first closed",
        ),
        Case::new(
            "a second request behind chunks",
            post(chunked, &format!("5\r\n{BODY}\r\n0\r\n\r\n{SECOND}")),
            "200:first 200:second open | 200:first closed",
        ),
        Case::new(
            "a second request where no body is announced",
            post("", SECOND),
            "200:first 200:second open | 200:first closed",
        ),
        Case::new(
            "a second request behind Connection: close",
            post("Connection: close\r\nContent-Length: 5\r\n", &format!("{BODY}{SMUGGLED}")),
            "200:first closed",
        ),
        Case::new("a second request behind HTTP/1.0", old.replace("second", "smuggled"), "200:first closed"),
        Case::new(
            "three requests, the second refused",
            post(length, &format!("{BODY}{refused}{SECOND}")),
            "200:first 400 200:second open | 200:first 400 closed",
        ),
        Case::new(
            "garbage behind a body",
            post(length, &format!("{BODY}\u{1}\u{2}GARBAGE\r\n\r\n")),
            "200:first 400 closed | 200:first closed",
        ),
        Case::new(
            "a longer body than announced",
            post(length, &format!("{BODY}X-Smuggled: 1\r\n\r\n")),
            "200:first 400 closed | 200:first closed",
        ),
        Case::new("GET with a body", post(length, BODY).replacen("POST", "GET", 1), "400 closed | 200:first open"),
        Case::new(
            "GET with chunks",
            post(chunked, &format!("5\r\n{BODY}\r\n0\r\n\r\n")).replacen("POST", "GET", 1),
            "400 closed | 200:first open",
        ),
        Case::new("a hundred requests", SECOND.repeat(100), ["200:second "; 100].concat().leak().trim_end()),
    ]
}
