//! What is asked for and of whom: request lines, paths, hosts and header lines.

use super::Case;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (expected, paths) in paths() {
        cases.extend(paths.iter().map(|path| get(path, expected)));
    }
    cases.extend(lines());
    cases.extend(heads());
    cases.extend(others());
    cases
}

fn get(path: &str, expected: &'static str) -> Case {
    Case::new(format!("GET {path}"), format!("GET {path} HTTP/1.1\r\nHost: gateway\r\nX-Case: CASE\r\n\r\n"), expected)
}

/// Paths by what is expected of them.
fn paths() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("200 open", &["/web/session/check", "/web/session/check?a=%2e%2e/&b=//"]),
        (
            "400",
            &[
                "/web/session/../database/manager",
                "/web/session/..",
                "/web/session/./check",
                "/web/session/%2e%2e/database/manager",
                "/web/session/%2E%2e/database/manager",
                "/web/session/.%2e/database/manager",
                "/web/session/%2e/check",
                "//web//session/../database/manager",
                "/web/session//../check",
                "/web/session/..%2fdatabase%2fmanager",
                "/web/session/..%2F..%2Fjsonrpc",
                "/web/session/%2e%2e%2fdatabase",
                "/web/session/x%2f..%2f..%2fdatabase",
                "/web/session/..\\database",
                "/web/session/..%5cdatabase",
                "/web\\database\\manager",
                "/web%5cdatabase",
                "/web/session/check%00",
                "/web/session/check%0d%0aX-Smuggled:%201",
                "/web/session/check%0a",
                "/web/session/check%7f",
                "/web/session/check%1f",
                "/nowhere/../web/session/check",
                "/nowhere/%2e%2e/web/database",
                "/..",
                "/api/../web/database/manager",
                "/api/create_data/..",
            ],
        ),
        (
            "404",
            &[
                "/web/database",
                "/web/database/",
                "/web/database/manager",
                "/web/database/list?x=1",
                "/web/%64atabase/manager",
                "/%77eb/database",
                "/%77%65%62/%64%61%74%61%62%61%73%65/manager",
                "//web/database",
                "/web//database/manager",
                "//web///database//manager",
                "//web//database",
                "http://gateway/web/database/manager",
                "http://gateway//web/%64atabase",
                // With a language in front: a POST of these opens Odoo 19's database manager as the plain path does.
                "/en/web/database/list",
                "/en_US//web/%64atabase/drop",
            ],
        ),
        // What an encoded slash hides is a dot segment or a part of the name, but never another path.
        ("400 | 404", &["/web%2fdatabase/manager", "/web/database%2fmanager", "/web%2Fdatabase", "/web/%64atabase%2f"]),
        // Harmless, and no path of ours.
        (
            "400 | 404 | 200",
            &[
                "/WEB/DATABASE/manager",
                "/web/session/%252e%252e/x",
                "/web/session/%zz",
                "/web/session/%",
                "/web/session/..;/x",
                "/web/session/%c0%ae%c0%ae/x",
                "/web/session/check#fragment",
                "/web/session/\u{e9}",
            ],
        ),
        // Not for the eyes of an HTTP parser.
        (
            "400 closed",
            &[
                "/web/session/a b",
                "/web/session/\u{1}",
                "/web/session/\u{7f}",
                "/web/session/\0",
                "",
                "web/session/check",
                "?x",
                "http://",
                "http:///web/session/check",
            ],
        ),
    ]
}

/// Request lines as a whole.
fn lines() -> Vec<Case> {
    let line = |line: &str, expected| {
        Case::new(line.escape_debug().to_string(), format!("{line}\r\nHost: gateway\r\nX-Case: CASE\r\n\r\n"), expected)
    };
    let gone = "400 closed | 505 closed | closed";
    let no_such_method = "400 | 404 | 405 | 501";
    vec![
        line("GET http://gateway/web/session/check HTTP/1.1", "200 open"),
        line("GET http://other.example/web/session/check HTTP/1.1", "200 open | 400"),
        line("GET https://smuggled.example:99/web/session/check HTTP/1.1", "200 open | 400"),
        line("GET http://user:pass@gateway/web/session/check HTTP/1.1", "200 open | 400"),
        line("GET ftp://gateway/web/session/check HTTP/1.1", "200 open | 400"),
        line("CONNECT smuggled.example:443 HTTP/1.1", no_such_method),
        line("CONNECT /web/session/check HTTP/1.1", no_such_method),
        line("OPTIONS * HTTP/1.1", "200 | 204 | 400 | 404 | 405").own(),
        line("GET * HTTP/1.1", "400 | 404"),
        line("TRACE /web/session/check HTTP/1.1", "405 | 501"),
        line("TRACK /web/session/check HTTP/1.1", "405 | 501 | 200 open"),
        line("TRACE /api/create_data HTTP/1.1", "405 | 501"),
        line("get /web/session/check HTTP/1.1", "400 | 405 | 501 | 200 open"),
        line("G\u{1}T /web/session/check HTTP/1.1", "400 closed"),
        line(" GET /web/session/check HTTP/1.1", "400 closed"),
        line("GET  /web/session/check HTTP/1.1", "400 closed"),
        line("GET /web/session/check  HTTP/1.1", "400 closed"),
        line("GET\t/web/session/check\tHTTP/1.1", "400 closed"),
        line("GET /web/session/check HTTP/1.1 ", "400 closed"),
        line("\r\n\r\nGET /web/session/check HTTP/1.1", "200 open | 400 closed"),
        line("GET /web/session/check HTTP/1.0", "200 closed"),
        line("GET /web/session/check HTTP/1.0\r\nConnection: keep-alive", "200"),
        line("GET /web/session/check HTTP/1.2", "400 closed | 505 closed | 200"),
        line("GET /web/session/check HTTP/2.0", gone),
        line("GET /web/session/check http/1.1", "400 closed"),
        line("GET /web/session/check HTTP/1.1.1", "400 closed"),
        line("GET /web/session/check HTTP/01.1", "400 closed"),
        line("GET /web/session/check", gone),
        line("PRI * HTTP/2.0\r\n\r\nSM\r\n", gone),
        line("PROXY TCP4 192.0.2.1 192.0.2.2 1 2", gone),
    ]
}

/// Header lines behind a right request line.
fn heads() -> Vec<Case> {
    let host = |hosts: &str, expected| {
        let bytes = format!("GET /web/session/check HTTP/1.1\r\n{hosts}X-Case: CASE\r\n\r\n");
        Case::new(format!("host: {}", hosts.escape_debug()), bytes, expected)
    };
    let header = |line: &str, expected| {
        let bytes = format!("GET /web/session/check HTTP/1.1\r\nHost: gateway\r\n{line}\r\nX-Case: CASE\r\n\r\n");
        Case::new(format!("header: {}", line.escape_debug()), bytes, expected)
    };
    vec![
        host("", "400"),
        host("Host: gateway\r\nHost: other\r\n", "400"),
        host("Host: gateway\r\nHost: gateway\r\n", "400"),
        host("Host: a b\r\n", "400"),
        host("Host: gateway, other\r\n", "400"),
        host("Host: user@gateway\r\n", "400"),
        host("Host: gateway/web\r\n", "400"),
        host("Host: gateway:99999\r\n", "400"),
        host("Host: gateway:x\r\n", "400"),
        host("Host: [::1\r\n", "400"),
        host("Host: http://gateway\r\n", "400"),
        host("Host: \u{e9}\r\n", "400"),
        host("Host:\r\n", "400 | 200 open"),
        host("Host : gateway\r\n", "400 closed"),
        host("Host: [::1]:8080\r\n", "200 open"),
        host("Host: smuggled.example\r\n", "200 open | 400"),
        header("X-Folded: a\r\n X-Smuggled: 1", "400 closed"),
        header("X-Folded: a\r\n\tb", "400 closed"),
        header(" X-First: a", "400 closed"),
        header("X-Lf: a\nX-Other: b", "400 closed | 200 open"),
        header("X-Cr: a\rX-Smuggled: 1", "400 closed"),
        header("X-Nul: a\0b", "400 closed"),
        header("X-Bell: a\u{7}b", "400 closed"),
        header("X-Del: a\u{7f}b", "400 closed"),
        header("no colon", "400 closed"),
        header("nocolon", "400 closed"),
        header(": no name", "400 closed"),
        header("X Space: a", "400 closed"),
        header("X-Space : a", "400 closed"),
        header("X-(Odd): a", "400 closed"),
        header("X-\u{e9}: a", "400 closed"),
        header("X-Latin: \u{e9}", "400 | 200 open"),
        // To a WSGI server these are the headers with dashes, which the gateway does not let through.
        header("X_Forwarded_Host: smuggled", "400 | 200 open"),
        header("X_Odoo_Database: smuggled", "400 | 200 open"),
        header("Transfer_Encoding: chunked-smuggled", "400 | 200 open"),
        header("X-Forwarded-Host: smuggled", "400 | 200 open"),
        header("Forwarded: for=smuggled", "400 | 200 open"),
        header("X-Forwarded-For: smuggled", "400 | 200 open"),
        header("Connection: X-Hop\r\nX-Hop: smuggled", "400 | 200 open"),
        header("Connection: Host, Content-Length, Transfer-Encoding", "400 | 200 open"),
        header("Connection: Upgrade\r\nUpgrade: websocket", "400 | 200 | 501"),
        header("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__", "200"),
        header("HTTP2-Settings: AAMAAABkAAQAAP__", "200 open"),
        header("TE: trailers, deflate", "200 open"),
        header("Trailer: X-Smuggled", "400 | 200 open"),
        header("Range: bytes=0-0,1-1,2-2,3-3", "200 open"),
    ]
}

/// Peers that speak something else, or nothing to the end.
fn others() -> Vec<Case> {
    let bare = "GET /web/session/check HTTP/1.1\nHost: gateway\nX-Case: CASE\n\n";
    let client_hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n\r\n".to_vec();
    vec![
        Case::new("bare LFs only", bare, "400 closed | 200 open"),
        Case::new("bare CRs only", bare.replace('\n', "\r"), "400 closed | closed | 408 closed"),
        Case::new("a TLS ClientHello", client_hello, "400 closed | closed"),
        Case::new("an SSH banner", "SSH-2.0-OpenSSH_9.6\r\n\r\n", "400 closed | closed"),
        Case::new("zeros", vec![0; 4096], "400 closed | closed"),
        Case::new("CRLFs only", "\r\n".repeat(1000), "400 closed | 408 closed | closed"),
        Case::new("nothing", "", "408 closed | closed"),
        Case::new("half a request line", "GET /web/sess", "408 closed | closed"),
        Case::new("half a head", "GET /web/session/check HTTP/1.1\r\nHost: ", "408 closed | closed"),
    ]
}
