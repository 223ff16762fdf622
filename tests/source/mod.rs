//! Reads the package's own sources for tests about them: code without comments and test
//! modules, string literals, and which modules a file names.

use std::path::{Path, PathBuf};

/// One `.rs` file.
pub(crate) struct Source {
    /// From the package's folder, with `/`: `src/store/mod.rs`.
    pub(crate) path: String,
    /// How many lines it has.
    pub(crate) lines: usize,
    /// Its modules from the crate's root: `["store"]`, `["reply", "policy"]`.
    pub(crate) module: Vec<String>,
    /// Identifiers and punctuation outside comments, literals and test modules.
    pub(crate) tokens: Vec<String>,
    /// String literals outside comments and test modules, unescaped.
    pub(crate) strings: Vec<String>,
}

/// All `.rs` files below `folder` (from the package's folder), sorted.
pub(crate) fn read_all(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|n| n != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(read(root, &path));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn read(root: &Path, file: &PathBuf) -> Source {
    let text = std::fs::read_to_string(file).unwrap();
    let path = file.strip_prefix(root).unwrap().to_str().unwrap();
    let path = path.replace('\\', "/");
    let (tokens, strings) = lex(&text);
    Source {
        lines: text.lines().count(),
        module: module_of(&path),
        path,
        tokens,
        strings,
    }
}

/// `src/reply/policy.rs` is `reply::policy`; `mod.rs`, `lib.rs` and `main.rs` are their folder.
fn module_of(path: &str) -> Vec<String> {
    let inside = path.split_once("src/").map_or(path, |(_, rest)| rest);
    let mut parts: Vec<String> = inside
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    if parts
        .last()
        .is_some_and(|p| ["mod", "lib", "main"].contains(&p.as_str()))
    {
        parts.pop();
    }
    parts
}

impl Source {
    /// Whether the file is a module of tests (`#[cfg(test)] mod tests;`), by its name.
    pub(crate) fn is_test(&self) -> bool {
        self.module
            .iter()
            .any(|m| m == "tests" || m.ends_with("_tests") || m == "fixture" || m == "testing")
    }

    /// Whether the file belongs to module `path`, such as `reply::policy`.
    pub(crate) fn is_in(&self, path: &str) -> bool {
        let wanted: Vec<&str> = path.split("::").collect();
        self.module.len() >= wanted.len() && self.module.iter().zip(&wanted).all(|(a, b)| a == b)
    }

    /// Whether these tokens stand there one after the other.
    pub(crate) fn has(&self, tokens: &[&str]) -> bool {
        self.tokens
            .windows(tokens.len())
            .any(|w| w.iter().zip(tokens).all(|(a, b)| a == b))
    }

    /// Every path into this crate that the file names, from the root: `store::StoreError`.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(token) = self.tokens.get(at) {
            let starts_path = at == 0 || self.tokens[at - 1] != "::";
            let base = match token.as_str() {
                "crate" | "replyd" if starts_path => Some(Vec::new()),
                "self" | "super" if starts_path => Some(self.module.clone()),
                _ => None,
            };
            if let Some(base) = base
                && self.tokens.get(at + 1).is_some_and(|t| t == "::")
            {
                let mut base = base;
                if token == "super" {
                    base.pop();
                }
                tree(&self.tokens, at + 1, &base, &mut found);
            }
            at += 1;
        }
        found
    }
}

/// Follows a path or use tree from the `::` at `at`; returns where it ends.
fn tree(tokens: &[String], mut at: usize, base: &[String], found: &mut Vec<String>) -> usize {
    let mut path = base.to_vec();
    let word = |at: usize| tokens.get(at).map_or("", String::as_str);
    while word(at) == "::" {
        at += 1;
        match word(at) {
            "{" => {
                at += 1;
                while !["}", ""].contains(&word(at)) {
                    if word(at) == "," {
                        at += 1;
                        continue;
                    }
                    // An item of the group: `a`, `a::b`, `a::{..}`, `self`, `a as b`.
                    let mut inner = path.clone();
                    if !["self", "*"].contains(&word(at)) {
                        inner.push(word(at).to_owned());
                    }
                    at += 1;
                    if word(at) == "::" {
                        at = tree(tokens, at, &inner, found);
                    } else {
                        found.push(inner.join("::"));
                    }
                    while !["}", ",", ""].contains(&word(at)) {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "super" => {
                path.pop();
                at += 1;
            }
            "*" | "<" | "" => {
                at += 1;
                break;
            }
            name => {
                path.push(name.to_owned());
                at += 1;
            }
        }
    }
    found.push(path.join("::"));
    at
}

/// Cuts Rust text into tokens; `#[cfg(test)]` items are left out.
fn lex(text: &str) -> (Vec<String>, Vec<String>) {
    let chars: Vec<char> = text.chars().collect();
    let peek = |at: usize| chars.get(at).copied().unwrap_or('\0');
    let mut tokens: Vec<String> = Vec::new();
    let mut strings: Vec<(usize, String)> = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = peek(at);
        if c.is_whitespace() {
            at += 1;
        } else if c == '/' && peek(at + 1) == '/' {
            while at < chars.len() && peek(at) != '\n' {
                at += 1;
            }
        } else if c == '/' && peek(at + 1) == '*' {
            at += 2;
            while at < chars.len() && !(peek(at) == '*' && peek(at + 1) == '/') {
                at += 1;
            }
            at += 2;
        } else if let Some((hashes, open)) = raw_string(&chars, at) {
            let close: String = std::iter::once('"')
                .chain("#".repeat(hashes).chars())
                .collect();
            let rest: String = chars[open..].iter().collect();
            let inner = rest.split(&close).next().unwrap_or_default();
            strings.push((tokens.len(), inner.to_owned()));
            tokens.push("\"\"".into());
            at = open + inner.chars().count() + close.len();
        } else if c == '"' || (c == 'b' && peek(at + 1) == '"') {
            at += if c == 'b' { 2 } else { 1 };
            let mut inner = String::new();
            while at < chars.len() && peek(at) != '"' {
                if peek(at) == '\\' {
                    at += 1;
                    match peek(at) {
                        'n' => inner.push('\n'),
                        '\n' => {
                            while peek(at + 1).is_whitespace() {
                                at += 1;
                            }
                        }
                        other => inner.push(other),
                    }
                } else {
                    inner.push(peek(at));
                }
                at += 1;
            }
            at += 1;
            strings.push((tokens.len(), inner));
            tokens.push("\"\"".into());
        } else if c == '\'' {
            // A character, or a lifetime.
            if peek(at + 1) == '\\' {
                at += 3;
                while at < chars.len() && peek(at) != '\'' {
                    at += 1;
                }
                at += 1;
            } else if peek(at + 2) == '\'' {
                at += 3;
            } else {
                at += 1;
            }
        } else if c.is_alphanumeric() || c == '_' {
            let mut word = String::new();
            while peek(at).is_alphanumeric() || peek(at) == '_' {
                word.push(peek(at));
                at += 1;
            }
            tokens.push(word);
        } else if c == ':' && peek(at + 1) == ':' {
            tokens.push("::".into());
            at += 2;
        } else {
            tokens.push(c.to_string());
            at += 1;
        }
    }
    without_tests(&tokens, strings)
}

/// `r"`, `r#"`, `br"`: how many hashes, and where the contents start.
fn raw_string(chars: &[char], at: usize) -> Option<(usize, usize)> {
    let mut i = at;
    if chars.get(i) == Some(&'b') {
        i += 1;
    }
    if chars.get(i) != Some(&'r') {
        return None;
    }
    i += 1;
    let hashes = chars[i..].iter().take_while(|c| **c == '#').count();
    (chars.get(i + hashes) == Some(&'"')).then_some((hashes, i + hashes + 1))
}

fn without_tests(tokens: &[String], strings: Vec<(usize, String)>) -> (Vec<String>, Vec<String>) {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut cut = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        if rest.len() < mark.len() || !rest.iter().zip(mark).all(|(a, b)| a == b) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let start = at;
        at += mark.len();
        let mut depth = 0_usize;
        while at < tokens.len() {
            match tokens[at].as_str() {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth = depth.saturating_sub(1),
                _ => {}
            }
            let over = depth == 0 && ["}", ";", ","].contains(&tokens[at].as_str());
            at += 1;
            if over {
                break;
            }
        }
        cut.push(start..at);
    }
    let strings = strings
        .into_iter()
        .filter(|(at, _)| !cut.iter().any(|range| range.contains(at)))
        .map(|(_, s)| s)
        .collect();
    (kept, strings)
}

#[test]
fn paths_are_found_in_use_trees_and_in_code() {
    let text = r##"
        use crate::{model::{self, LeadRowId}, store::Store as S, time::now};
        use super::table::{Column, Row};
        // use crate::smtp::Comment;
        const NOT: &str = "crate::web::Text"; const RAW: &str = r#"crate::x "quoted""#;
        fn f<'a>(c: char) { if c == '"' { crate::wake::ring::<u8>(); super::super::outbox::go() } }
        #[cfg(test)]
        mod tests { use crate::imap::Session; }
        fn g() { self::inner::h() }
    "##;
    let (tokens, strings) = lex(text);
    let source = Source {
        path: "src/campaign/sent.rs".into(),
        lines: 0,
        module: vec!["campaign".into(), "sent".into()],
        tokens,
        strings,
    };
    assert_eq!(
        source.names(),
        [
            "model",
            "model::LeadRowId",
            "store::Store",
            "time::now",
            "campaign::table::Column",
            "campaign::table::Row",
            "wake::ring",
            "outbox::go",
            "campaign::sent::inner::h",
        ]
    );
    assert_eq!(source.strings, ["crate::web::Text", "crate::x \"quoted\""]);
    assert!(source.is_in("campaign::sent") && !source.is_in("campaign::leads"));
    assert_eq!(read_all("tests/source")[0].path, "tests/source/mod.rs");
    assert!(read_all("tests/source")[0].lines > 100);
    assert!(source.has(&["fn", "g"]) && !source.has(&["Session"]));
}
