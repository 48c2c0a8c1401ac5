//! The parser of Python literals, held against Python's own `ast.literal_eval`: the same values, the same refusals.
//!
//! What JSON cannot hold exactly (bytes, complex numbers, integers beyond 64 bits, lone surrogates, keys that are no text)
//! must be refused here though Python takes it.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use odoo_gateway::literal;
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngSeed, TestRunner},
};
use serde_json::{Value, json};

/// Reads JSON texts, one a line, and writes what `literal_eval` makes of each: `{"is": value}`, `"beyond JSON"` or null.
const ORACLE: &str = r#"
import ast, json, math, sys, warnings
warnings.simplefilter("ignore")

class Beyond(Exception):
    pass

def plain(v):
    if v is None or isinstance(v, bool):
        return v
    if isinstance(v, int):
        if not -2**63 <= v < 2**64:
            raise Beyond
        return v
    if isinstance(v, float):
        if not math.isfinite(v):
            raise Beyond
        return v
    if isinstance(v, str):
        if any(0xD800 <= ord(c) <= 0xDFFF for c in v):
            raise Beyond
        return v
    if isinstance(v, (list, tuple, set)):
        return [plain(x) for x in v]
    if isinstance(v, dict):
        if not all(isinstance(k, str) for k in v):
            raise Beyond
        return {plain(k): plain(x) for k, x in v.items()}
    raise Beyond

class Sets(ast.NodeTransformer):
    """Sets as lists, in the order in which they were written, each value once."""
    def visit_Set(self, node):
        items = {ast.dump(item): item for item in self.generic_visit(node).elts}
        return ast.List(list(items.values()), ast.Load())

def read(text):
    ast.literal_eval(text)
    tree = ast.parse(text.lstrip(" \t"), mode="eval")
    # A value whose key comes again is lost in Python; here it is read, and so must be one that JSON can hold.
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and not isinstance(node.value, (list, tuple)):
            plain(node.value)
    return plain(ast.literal_eval(Sets().visit(tree)))

for line in sys.stdin:
    try:
        out = {"is": read(json.loads(line))}
    except Beyond:
        out = "beyond JSON"
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        out = None
    print(json.dumps(out))
"#;

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u32>().prop_map(|n| format!("0x{n:X}")),
        any::<u16>().prop_map(|n| format!("0O{n:o}")),
        any::<u8>().prop_map(|n| format!("-0b{n:b}")),
        "[+-]? ?[1-9](_?[0-9]){0,22}",
        "-?[0-9](_?[0-9]){0,5}\\.([0-9](_?[0-9]){0,8})?([eE][+-]?[0-9]{1,3})?",
        "\\.[0-9]{1,12}",
        "[0-9]{1,3}[eE][+-]?[0-9]{1,2}",
        "00?_?0",
        "[+-]?\\([0-9]{1,4}\\)",
        "[0-9]{1,3}j",
    ]
}

fn text() -> impl Strategy<Value = String> {
    let plain = "[a-zA-Z0-9 _.,%äß€😀\\t#\\[\\](){}:-]{0,12}";
    let escaped = "([a-z ]|\\\\[abfnrtv\\\\'\"0-7]|\\\\[0-3][0-7][0-7]|\\\\x[0-9a-f]{2}|\\\\u[0-9a-cef][0-9a-f]{3}|\\\\U0001[0-9a-f]{4}|\\\\[dqwz]|\\\\\n){0,8}";
    let prefix =
        prop_oneof![8 => Just(""), 1 => Just("u"), 1 => Just("r"), 1 => Just("R"), 1 => Just("U"), 1 => Just("b")];
    let long = "([a-z'\"\n ]{0,6}[a-z\n ])?";
    let one = prop_oneof![
        (prefix, prop_oneof![plain.prop_map(String::from), escaped], prop_oneof![Just('\''), Just('"')])
            .prop_map(|(prefix, inside, quote)| format!("{prefix}{quote}{inside}{quote}")),
        (long, prop_oneof![Just("'''"), Just("\"\"\"")]).prop_map(|(inside, quote)| format!("{quote}{inside}{quote}")),
    ];
    prop::collection::vec(one, 1..3).prop_map(|strings| strings.join(" "))
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 3 => Just(" "), 1 => Just("\n  "), 1 => Just(" # a ( comment\n"), 1 => Just("\\\n"), 1 => Just("\t")]
}

fn a_literal() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![3 => number(), 4 => text(), 1 => Just("True".to_owned()), 1 => Just("False".to_owned()), 1 => Just("None".to_owned()), 1 => Just("set()".to_owned())];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let item = (space(), inner.clone(), space())
            .prop_map(|(before, item, after)| format!("{before}{item}{after}"))
            .boxed();
        let items = (prop::collection::vec(item.clone(), 0..4), any::<bool>()).prop_map(|(items, trailing)| {
            (items.len(), items.join(",") + if trailing && !items.is_empty() { "," } else { "" })
        });
        let entry = (text(), item.clone()).prop_map(|(key, value)| format!("{key}:{value}"));
        prop_oneof![
            4 => items.clone().prop_map(|(_, items)| format!("[{items}]")),
            3 => items.prop_map(|(_, items)| format!("({items})")),
            1 => item.prop_map(|item| format!("{{{item}}}")),
            1 => prop::collection::vec(entry, 0..3).prop_map(|entries| format!("{{{}}}", entries.join(", "))),
        ]
    })
}

/// A literal, as it is or with one character changed, so that most of these are just not literals.
fn nearly_a_literal() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), 0..3_u8, "[\\[\\](){},:'\"\\\\0-9_+.eEjxXbrun #\n-]");
    (a_literal(), prop::option::weighted(0.4, change)).prop_map(|(literal, change)| {
        let Some((index, kind, other)) = change else { return literal };
        let mut chars: Vec<char> = literal.chars().collect();
        let at = index.index(chars.len());
        let other = other.chars().next().unwrap();
        match kind {
            0 => chars[at] = other,
            1 => chars.insert(at, other),
            _ => drop(chars.remove(at)),
        }
        chars.into_iter().collect()
    })
}

fn ask_python(literals: &[String]) -> Vec<Value> {
    let mut python =
        Command::new("python3").args(["-c", ORACLE]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = python.stdin.take().unwrap();
    let lines: String = literals.iter().map(|literal| json!(literal).to_string() + "\n").collect();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_hundred_thousand_literals_are_read_as_python_reads_them() {
    let seed = RngSeed::Fixed(20_261_123);
    let mut runner = TestRunner::new(Config { rng_seed: seed, ..Config::default() });
    let strategy = nearly_a_literal();
    let literals: Vec<String> = (0..100_000).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let answers = ask_python(&literals);
    assert_eq!(answers.len(), literals.len());
    let (mut taken, mut refused, mut wrong) = (0, 0, Vec::new());
    for (literal, answer) in literals.iter().zip(answers) {
        let ours = literal::parse(literal);
        match (&ours, answer.get("is")) {
            (Ok(value), Some(python)) if value == python => taken += 1,
            (Err(_), None) => refused += 1,
            _ => wrong.push(format!("{literal:?}: {ours:?}, Python {answer}")),
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    assert!(taken > 40_000 && refused > 10_000, "{taken} taken, {refused} refused: too few of one kind to prove much");
}
