//! The guard and imap-proto must see the same responses: where they differ, an attacker hides
//! from one what the other acts on.

use std::panic::catch_unwind;

use async_imap::imap_proto::Response;

use crate::imap::scan::{Holdings, Scanner};
use crate::imap::testing::budget;

/// Splits what the guard lets through into its responses; the rest is refused or incomplete.
fn blocks(input: &[u8]) -> Vec<Vec<u8>> {
    let mut scanner = Scanner::new();
    let mut holdings = Holdings::new(&budget());
    let (mut blocks, mut block) = (Vec::new(), Vec::new());
    for byte in input {
        let mut byte = [*byte];
        if scanner.scan(&mut byte, &mut holdings).fault.is_some() {
            break;
        }
        block.extend_from_slice(&byte);
        if scanner.between_responses() {
            blocks.push(std::mem::take(&mut block));
        }
    }
    blocks
}

/// How the two differ about a block, if they do. That imap-proto fails is no difference: the
/// session ends there.
fn difference(block: &[u8]) -> Option<&'static str> {
    let owned = block.to_vec();
    let parsed = catch_unwind(move || match Response::parse(&owned) {
        Ok(([], _)) => None,
        Ok(_) => Some("the parser ends its response earlier"),
        Err(e) if e.is_incomplete() => Some("the parser wants to read on"),
        Err(_) => None,
    });
    match parsed {
        Ok(difference) => difference,
        // The one panic that is left to `catch_unwind` in the session.
        Err(_) if block.starts_with(b"* METADATA") => None,
        Err(_) => Some("the parser panics"),
    }
}

fn check(input: &[u8]) -> usize {
    let blocks = blocks(input);
    for block in &blocks {
        let text = String::from_utf8_lossy(block).into_owned();
        assert_eq!(difference(block), None, "{text:?}");
    }
    blocks.len()
}

const ATTRIBUTES: &[&str] = &[
    "UID 5",
    "FLAGS (\\Seen $a)",
    "FLAGS ($x{y %)",
    "INTERNALDATE \" 7-Feb-1994 21:52:25 -0800\"",
    "INTERNALDATE NIL",
    "RFC822.SIZE 44",
    "BODY[]<0> {6}\r\n) (\"\r\n",
    "BODY[] \"q \\\" \\\\ ) (\"",
    "BODY[] NIL",
    "FOO (a b)",
    "FOO (a (b) c)",
    "FOO \"x\"",
    "FOO {3}\r\n)\"(",
    "FOO bar",
    "FOO a\"b",
    "FOO (\"a)b\")",
    "FOO (\"",
    "FOO ({3}\r\na)b)",
    "FOO {x}\r\n",
    "FOO {3+}\r\nabc",
    "FOO ~{3}\r\nabc",
    "FOO \"\\x",
    "X-GM-LABELS (\"\\\\Inbox\" \"a)b\")",
    "ENVELOPE (\"d\" \"s\" NIL NIL NIL NIL NIL NIL NIL \"<i>\")",
    "BODYSTRUCTURE (\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 1 1)",
    "BODYSTRUCTURE ((((",
    "EMAILID (a)",
    "THREADID NIL",
    "(",
    ")",
    "\"",
    "{4}\r\n",
    "\r\n",
    "\n",
    " ",
    "\\",
];

const LINES: &[&str] = &[
    "* 3 EXISTS\r\n",
    "* OK [ALERT] x \"y (z {\r\n",
    "* OK [BADCHARSET (\"a]b\" c)] text\r\n",
    "* OK [BADCHARSET ({3}\r\na]b)] text\r\n",
    "* OK [PERMANENTFLAGS (\\* a]b)] text\r\n",
    "* NO\r\n",
    "* NOT a status \"\r\n",
    "R1 OK done {5}\r\n",
    "+ {5}\r\n",
    "* LIST (\\HasNoChildren) \"/\" {5}\r\nIN(\"X\r\n",
    "* LIST () NIL \"a)b(\"\r\n",
    "* STATUS \"x\" (MESSAGES 1) \r\n",
    "* ID (\"a\" \"b)\")\r\n",
    "* SEARCH 1 2 \r\n",
    "* METADATA \"\" (/shared/comment {2}\r\n\"()\r\n",
    "* VANISHED 1:3\r\n",
    "* CAPABILITY IMAP4rev1\r\n",
    "\r\n",
];

#[test]
fn every_pair_of_attributes_is_read_alike() {
    let mut seen = 0;
    for a in ATTRIBUTES {
        for b in ATTRIBUTES {
            for end in [")\r\n", "))\r\n", "\")\r\n"] {
                seen += check(format!("* 1 FETCH ({a} {b}{end}R1 OK\r\n").as_bytes());
            }
        }
    }
    assert!(seen > 500, "{seen}");
}

#[test]
fn random_mixtures_are_read_alike() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut seen = 0;
    for _ in 0..60_000 {
        let mut input = String::new();
        for _ in 0..random.usize(1..4) {
            if random.u8(..3) == 0 {
                input.push_str(LINES[random.usize(..LINES.len())]);
                continue;
            }
            let many = random.usize(1..6);
            let list: Vec<&str> = (0..many)
                .map(|_| ATTRIBUTES[random.usize(..ATTRIBUTES.len())])
                .collect();
            input.push_str(&format!("* 1 FETCH ({})\r\n", list.join(" ")));
        }
        // A byte lost, doubled or changed, as a broken or clever server would.
        let mut input = input.into_bytes();
        for _ in 0..random.usize(..3) {
            let at = random.usize(..input.len());
            match random.u8(..3) {
                0 => drop(input.remove(at)),
                1 => input.insert(at, input[at]),
                _ => input[at] = b"()\"{}\\ \r\n3\xe9"[random.usize(..11)],
            }
            if input.is_empty() {
                input.push(b'*');
            }
        }
        seen += check(&input);
    }
    assert!(seen > 20_000, "{seen}");
}
