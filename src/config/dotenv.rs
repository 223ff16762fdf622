//! `.env` files, read as the predecessor's library (python-dotenv) reads them.
//!
//! The crate dotenvy is not used: it refuses `PASSWORD=abcd efgh` (the form in which Google
//! shows app passwords) and replaces `$word` inside a value, which breaks passwords with `$`.
//! Here an unquoted value goes to the end of the line or to ` #`, and only `${NAME}` and
//! `${NAME:-default}` are replaced, not in single quotes.

use std::collections::BTreeMap;

/// One variable.
#[derive(PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) value: String,
    /// Line of its name, from 1.
    pub(super) line: usize,
}

/// What a file says.
#[derive(Default)]
pub(super) struct Parsed {
    /// The variables; of two with one name the later.
    pub(super) variables: BTreeMap<String, Variable>,
    /// Lines that are not understood, or that set a name again. Never a value.
    pub(super) remarks: Vec<(usize, String)>,
}

/// Reads a file's text. `outer` gives variables of the environment for `${NAME}`.
pub(super) fn parse(text: &str, outer: &dyn Fn(&str) -> Option<String>) -> Parsed {
    let mut parsed = Parsed::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rest = text;
    let mut line = 1;
    while !rest.is_empty() {
        let (entry, after) = next_entry(rest);
        let consumed = rest.len() - after.len();
        let lines = rest
            .get(..consumed)
            .map_or(0, |used| used.matches('\n').count());
        match entry {
            Entry::Blank => {}
            Entry::Bad(why) => parsed.remarks.push((line, why)),
            Entry::Set {
                name,
                value,
                verbatim,
            } => {
                let value = if verbatim {
                    value
                } else {
                    expand(&value, &|n| {
                        outer(n).or_else(|| parsed.variables.get(n).map(|v| v.value.clone()))
                    })
                };
                let variable = Variable { value, line };
                if let Some(before) = parsed.variables.insert(name.clone(), variable) {
                    parsed.remarks.push((
                        line,
                        format!("{name} was set in line {} already", before.line),
                    ));
                }
            }
        }
        line += lines;
        rest = after;
    }
    parsed
}

enum Entry {
    Blank,
    Bad(String),
    Set {
        name: String,
        value: String,
        /// Single quotes: nothing is replaced in it.
        verbatim: bool,
    },
}

/// Takes one entry, and gives the text after its line.
fn next_entry(text: &str) -> (Entry, &str) {
    let (line, next) = split_line(text);
    let trimmed = line.trim_start();
    if trimmed.trim_end().is_empty() || trimmed.starts_with('#') {
        return (Entry::Blank, next);
    }
    let declared = trimmed
        .strip_prefix("export")
        .filter(|rest| rest.starts_with([' ', '\t']))
        .map_or(trimmed, str::trim_start);
    let Some((name, value)) = declared.split_once('=') else {
        return (
            Entry::Bad("it is passed over, because it is no NAME=value".to_owned()),
            next,
        );
    };
    let name = name.trim_end().trim_matches('\'');
    if name.is_empty() || name.contains(char::is_whitespace) || name.contains('#') {
        return (
            Entry::Bad("it is passed over, because it is no NAME=value".to_owned()),
            next,
        );
    }
    let value = value.trim_start_matches([' ', '\t']);
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            // A quoted value may go over several lines: look at the text, not at the line.
            let start = text.len() - next.len() - (line_end(text, next) + value.len());
            let body = text.get(start + 1..).unwrap_or_default();
            let Some((value, after)) = quoted(body, quote) else {
                return (
                    Entry::Bad(format!("{name}: a quotation mark is not closed")),
                    next,
                );
            };
            let (tail, next) = split_line(after);
            let tail = tail.trim();
            if !tail.is_empty() && !tail.starts_with('#') {
                let why = format!("{name}: text after the closing quotation mark");
                return (Entry::Bad(why), next);
            }
            let set = Entry::Set {
                name: name.to_owned(),
                value,
                verbatim: quote == '\'',
            };
            (set, next)
        }
        _ => {
            let set = Entry::Set {
                name: name.to_owned(),
                value: unquoted(value).to_owned(),
                verbatim: false,
            };
            (set, next)
        }
    }
}

/// The first line without its end, and what follows.
fn split_line(text: &str) -> (&str, &str) {
    match text.split_once('\n') {
        Some((line, rest)) => (line.strip_suffix('\r').unwrap_or(line), rest),
        None => (text, ""),
    }
}

/// Length of the line end between the first line of `text` and `next`.
fn line_end(text: &str, next: &str) -> usize {
    let consumed = text.get(..text.len() - next.len()).unwrap_or_default();
    if consumed.ends_with("\r\n") {
        2
    } else {
        usize::from(consumed.ends_with('\n'))
    }
}

/// Up to ` #`, without blanks at the end.
fn unquoted(value: &str) -> &str {
    let mut end = value.len();
    if value.starts_with('#') {
        end = 0;
    }
    for (at, _) in value.match_indices('#') {
        if value.get(..at).is_some_and(|v| v.ends_with([' ', '\t'])) {
            end = end.min(at);
            break;
        }
    }
    value.get(..end).unwrap_or_default().trim_end()
}

/// The text up to the closing quotation mark with its escapes resolved, and what follows.
fn quoted(body: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return Some((value, body.get(at + c.len_utf8()..)?));
        }
        if c != '\\' {
            value.push(c);
            continue;
        }
        let (_, escaped) = chars.next()?;
        match (quote, escaped) {
            (_, '\\') => value.push('\\'),
            (_, q) if q == quote => value.push(q),
            ('"', 'n') => value.push('\n'),
            ('"', 'r') => value.push('\r'),
            ('"', 't') => value.push('\t'),
            (_, other) => {
                value.push('\\');
                value.push(other);
            }
        }
    }
    None
}

/// Replaces `${NAME}` and `${NAME:-default}`; anything else with a `$` stays as it is.
fn expand(value: &str, lookup: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((inside, tail)) = after.split_once('}') else {
            out.push_str("${");
            rest = after;
            continue;
        };
        let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
        out.push_str(&lookup(name).unwrap_or_else(|| default.to_owned()));
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Option<String> {
        let outer = |n: &str| (n == "OUTER").then(|| "from outside".to_owned());
        parse(text, &outer).variables.remove("A").map(|v| v.value)
    }

    #[test]
    fn values_are_read_as_the_predecessors_library_reads_them() {
        for (text, value) in [
            ("A=xxxx yyyy zzzz", "xxxx yyyy zzzz"),
            ("A=b # comment", "b"),
            ("A=b#c", "b#c"),
            ("A=#only a comment", ""),
            ("A=", ""),
            ("A = b ", "b"),
            ("export A=b", "b"),
            ("export\tA=b\r\n", "b"),
            ("A=pa$word", "pa$word"),
            ("A=pa$$word", "pa$$word"),
            ("A=${OUTER}!", "from outside!"),
            ("A=${NONE:-x}y", "xy"),
            ("A='${OUTER}'", "${OUTER}"),
            ("A='it\\'s'", "it's"),
            ("A='a\\nb'", "a\\nb"),
            ("A=\"a\\nb\"", "a\nb"),
            ("A=\"b # no comment\" # comment", "b # no comment"),
            ("A=\"two\nlines\"\nB=1", "two\nlines"),
            ("\u{feff}A=b", "b"),
            ("A=Name <a@b.example>", "Name <a@b.example>"),
            ("A=${", "${"),
            ("A=a=b", "a=b"),
        ] {
            assert_eq!(one(text).as_deref(), Some(value), "{text:?}");
        }
    }

    #[test]
    fn a_variable_may_use_an_earlier_one() {
        assert_eq!(one("B=x\nA=${B}y").as_deref(), Some("xy"));
    }

    #[test]
    fn lines_are_counted_also_over_quoted_values_and_the_last_of_two_wins() {
        let parsed = parse("A=1\r\n\r\nB=\"x\r\ny\"\r\n# c\r\nA=2\r\njunk", &|_| None);
        assert_eq!(parsed.variables.get("B").map(|v| v.line), Some(3));
        assert_eq!(
            parsed.variables.get("B").map(|v| v.value.as_str()),
            Some("x\r\ny")
        );
        let a = parsed.variables.get("A").unwrap();
        assert_eq!((a.value.as_str(), a.line), ("2", 6));
        let lines: Vec<usize> = parsed.remarks.iter().map(|(l, _)| *l).collect();
        assert_eq!(lines, [6, 7]);
    }

    #[test]
    fn what_is_not_understood_is_remarked_without_its_text() {
        for text in ["A=\"secret", "A='secret' x", "SECRET", "SEC RET=1"] {
            let parsed = parse(text, &|_| None);
            assert!(parsed.variables.is_empty(), "{text:?}");
            assert_eq!(parsed.remarks.len(), 1, "{text:?}");
            let remark = &parsed.remarks[0].1;
            assert!(!remark.to_lowercase().contains("secret"), "{remark}");
        }
    }

    #[test]
    fn no_text_makes_it_panic() {
        let alphabet = [
            "A", "=", "\"", "'", "\\", "#", " ", "\n", "\r\n", "${", "}", ":-", "é", "export ",
        ];
        fastrand::seed(7);
        for _ in 0..20_000 {
            let text: String = (0..fastrand::usize(..12))
                .filter_map(|_| alphabet.get(fastrand::usize(..alphabet.len())))
                .copied()
                .collect();
            let parsed = parse(&text, &|_| None);
            let lines = 1 + text.matches('\n').count();
            assert!(
                parsed.variables.values().all(|v| v.line <= lines),
                "{text:?}"
            );
        }
    }
}
