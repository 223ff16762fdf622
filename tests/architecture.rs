//! Who may know whom (docs/ARCHITECTURE.md): reads the sources and fails when an edge is there
//! that must not be.

#![expect(clippy::unwrap_used, reason = "a failing set-up fails the test")]

mod source;

use std::collections::BTreeSet;
use std::path::Path;

use source::{Source, read_all};

/// Stop; 600 is the same without a reason in [`LONG_WITH_REASON`].
const MAX_LINES: usize = 800;
const LONG_LINES: usize = 600;

/// Files over 600 lines, each with the reason why it is one file.
const LONG_WITH_REASON: &[(&str, &str)] = &[];

/// The three edges of the process.
const EDGES: &[&str] = &["imap", "store", "smtp"];

/// The tasks; `app` gives them doorbells.
const TASKS: &[&str] = &["listener", "reply", "outbox", "web"];

/// No async, no store, no clock, no I/O.
const PURE: &[&str] = &[
    "auth_results",
    "understand",
    "mime",
    "msgid",
    "unsubscribe",
    "visible",
    "nature",
    "matcher",
    "disposition",
    "reply::classify",
    "reply::gate",
    "reply::linear",
    "reply::scores",
    "reply::policy",
    "reply::second",
    "reply::wording",
    "assistant::breaker",
    "assistant::opinion",
    "assistant::wire",
    "assistant::words",
    "reply::compose",
    "campaign::pace",
    "campaign::template",
    "answers::document",
    "answers::words",
    "answers::stop",
    "answers::lexicon",
    "answers::split",
    "answers::given",
    "answers::kind",
    "answers::rank",
    "answers::gate",
    "answers::grammar",
    "answers::asking",
    "answers::terms",
    "answers::cover",
];

/// Crates with one home.
const HOMES: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("r2d2", &["store"]),
    ("r2d2_sqlite", &["store"]),
    ("backoff", &["retry"]),
    ("async_imap", &["imap"]),
    ("mail_parser", &["mime"]),
    ("clap", &["cli"]),
];

fn product() -> Vec<Source> {
    let mut sources = read_all("src");
    sources.retain(|s| !s.is_test());
    assert!(sources.len() > 30, "the sources were not found");
    sources
}

/// Fails with all that was found.
fn none(what: &str, found: &BTreeSet<String>) {
    let list: Vec<&str> = found.iter().map(String::as_str).collect();
    assert!(list.is_empty(), "{what}:\n  {}", list.join("\n  "));
}

/// Which of `modules` (top level) `source` names, other than its own.
fn strangers<'m>(source: &Source, modules: &[&'m str]) -> Vec<&'m str> {
    let names = source.names();
    let own = source.module.first().map_or("", String::as_str);
    modules
        .iter()
        .copied()
        .filter(|m| *m != own && names.iter().any(|n| n.split("::").next() == Some(m)))
        .collect()
}

/// No file of one of `modules` names another of them.
fn apart(modules: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in product() {
        if modules.iter().any(|m| source.is_in(m)) {
            for name in strangers(&source, modules) {
                found.insert(format!("{} names {name}", source.path));
            }
        }
    }
    found
}

#[test]
fn the_edges_imap_store_and_smtp_never_name_each_other() {
    none("An edge names another edge", &apart(EDGES));
}

#[test]
fn the_tasks_listener_reply_outbox_and_web_never_name_each_other() {
    none("A task names another task", &apart(TASKS));
}

#[test]
fn the_store_knows_no_module_that_does_things() {
    let above = [
        "app", "campaign", "capture", "cli", "listener", "outbox", "reply", "status", "web",
    ];
    let mut found = BTreeSet::new();
    for source in product() {
        if EDGES.iter().any(|m| source.is_in(m)) {
            for name in strangers(&source, &above) {
                found.insert(format!("{} names {name}", source.path));
            }
        }
    }
    none("An edge names what stands above it", &found);
}

#[test]
fn what_must_be_pure_has_no_async_no_store_and_no_clock() {
    let forbidden: &[&[&str]] = &[
        &["tokio"],
        &["async"],
        &["await"],
        &["rusqlite"],
        &["SystemTime", "::", "now"],
        &["Instant", "::", "now"],
        &["time", "::", "now"],
        &["std", "::", "fs"],
        &["std", "::", "net"],
        &["std", "::", "env"],
        &["getrandom"],
        &["fastrand"],
    ];
    let mut found = BTreeSet::new();
    for source in product() {
        if !PURE.iter().any(|m| source.is_in(m)) {
            continue;
        }
        for tokens in forbidden {
            if source.has(tokens) {
                found.insert(format!("{} uses {}", source.path, tokens.concat()));
            }
        }
        for name in source.names() {
            let top = name.split("::").next().unwrap_or_default();
            if name == "time::now" || EDGES.contains(&top) || top == "faultpoint" {
                found.insert(format!("{} names {name}", source.path));
            }
        }
    }
    none("Pure code is not pure", &found);
    for module in PURE {
        assert!(
            product().iter().any(|s| s.is_in(module)),
            "{module} is gone: correct the list"
        );
    }
}

#[test]
fn crates_with_one_home_are_named_there_only() {
    let mut found = BTreeSet::new();
    for source in product() {
        for (name, homes) in HOMES {
            if source.has(&[name, "::"]) && !homes.iter().any(|m| source.is_in(m)) {
                found.insert(format!("{} uses {name}", source.path));
            }
        }
    }
    none("A crate is used outside its home", &found);
}

#[test]
fn only_time_reads_the_wall_clock() {
    let mut found = BTreeSet::new();
    for source in product() {
        let reads = [
            ["SystemTime", "::", "now"],
            ["Utc", "::", "now"],
            ["Local", "::", "now"],
        ];
        if !source.is_in("time") && reads.iter().any(|r| source.has(r)) {
            found.insert(source.path);
        }
    }
    none(
        "The wall clock is read outside time.rs (invariant I6)",
        &found,
    );
}

#[test]
fn the_sandbox_is_known_to_the_demo_only() {
    let mut found = BTreeSet::new();
    for source in product() {
        let demo = source.module.iter().any(|m| m.starts_with("demo"));
        if source.has(&["replyd_sandbox"]) && !demo && !source.module.is_empty() {
            found.insert(source.path);
        }
    }
    none("The sandbox is known outside the demo", &found);
}

#[test]
fn no_file_is_longer_than_it_should_be() {
    let mut found = BTreeSet::new();
    for folder in ["src", "tests", "sandbox", "benches"] {
        if !Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).is_dir() {
            continue;
        }
        for source in read_all(folder) {
            let reason = LONG_WITH_REASON
                .iter()
                .any(|(path, _)| *path == source.path);
            if source.lines > MAX_LINES || (source.lines > LONG_LINES && !reason) {
                found.insert(format!("{}: {} lines", source.path, source.lines));
            }
        }
    }
    none("Split by concept", &found);
}

#[test]
fn the_tests_that_the_documents_name_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut functions = BTreeSet::new();
    let mut files = BTreeSet::new();
    for folder in ["src", "tests", "sandbox"] {
        let mut folders = vec![root.join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let words = text.split("fn ").skip(1);
                    functions.extend(words.filter_map(|w| {
                        let end = w.find(|c: char| !c.is_alphanumeric() && c != '_')?;
                        w.get(..end).map(str::to_owned)
                    }));
                    let inside = path.strip_prefix(root).unwrap();
                    files.insert(inside.to_str().unwrap().to_owned());
                }
            }
        }
    }
    let text = std::fs::read_to_string(root.join("docs/ARCHITECTURE.md")).unwrap();
    let mut found = BTreeSet::new();
    for quoted in text.split('`').skip(1).step_by(2) {
        let name = quoted
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let is_test = name && quoted.matches('_').count() >= 4;
        if is_test && !functions.contains(quoted) {
            found.insert(format!("test {quoted}"));
        }
        let is_file =
            (quoted.starts_with("src/") || quoted.starts_with("tests/")) && quoted.ends_with(".rs");
        if is_file && !files.contains(quoted) {
            found.insert(format!("file {quoted}"));
        }
    }
    none("docs/ARCHITECTURE.md names what is not there", &found);
}

#[test]
fn each_dependency_says_why_it_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for manifest in ["Cargo.toml", "sandbox/Cargo.toml"] {
        let text = std::fs::read_to_string(root.join(manifest)).unwrap();
        let mut inside = false;
        let mut before = "";
        let mut seen = 0;
        for line in text.lines() {
            if line.starts_with('[') {
                inside = line.contains("dependencies");
            } else if inside && line.contains(" = ") && !line.starts_with('#') {
                seen += 1;
                let own = line.contains("path = ");
                let why = own || line.contains(" # ") || before.starts_with("# ");
                assert!(why, "{manifest}: {line}");
            }
            before = line;
        }
        assert!(seen > 3, "{manifest}");
    }
}

/// docs/LIMITS.md says what the code does: each constant has this value, each setting this default.
#[test]
fn the_table_of_limits_is_that_of_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (page, settings) = (read("docs/LIMITS.md"), read("docs/CONFIGURATION.md"));
    let (mut constants, mut keys) = (0, 0);
    for row in page.lines().filter(|line| line.contains('`')) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [_, value, third, _] = cells.as_slice() else {
            continue;
        };
        let third = third.trim_matches('`');
        if let Some((name, value)) = value.split_once("` = `") {
            let (name, value) = (name.trim_matches('`'), value.trim_matches('`'));
            let code = squeezed(&read(third));
            let declared = code
                .split(&format!("const {name}: "))
                .nth(1)
                .and_then(|rest| rest.split(';').next())
                .and_then(|rest| rest.split_once("= "));
            assert_eq!(declared.map(|(_, is)| is), Some(value), "{third}: {name}");
            constants += 1;
        } else {
            let (table, key) = value.trim_matches('`').split_once('.').unwrap();
            let section = settings.split(&format!("`[{table}]`")).nth(1);
            let section = section.unwrap_or(&settings);
            let line = section
                .lines()
                .find(|line| line.starts_with(&format!("| `{key}` |")));
            let default = format!("| `{third}` |");
            assert!(line.is_some_and(|l| l.contains(&default)), "{table}.{key}");
            keys += 1;
        }
    }
    assert!(constants >= 30 && keys >= 3, "{constants} {keys}");
}
