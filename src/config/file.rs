//! replyd.toml: from text to slots, by the table of keys. Every unknown key, every value of a
//! wrong shape and every error of syntax is reported with its line.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, Key};
use super::layers::{Found, Layers, Scope};
use super::nearest::nearest;
use super::problem::{Origin, Problem};
use super::sources::Text;
use super::values::Raw;

/// Reads the file into the layers. False when it is not TOML: then nothing is taken from it.
pub(super) fn read(file: &Text, layers: &mut Layers, problems: &mut Vec<Problem>) -> bool {
    let (root, errors) = DeTable::parse_recoverable(&file.text);
    let mut walk = Walk {
        file,
        layers,
        problems,
    };
    let valid = errors.is_empty();
    for error in errors {
        // `message` only: the error's Display shows the line, which may hold a secret.
        walk.problem(
            error.span().unwrap_or(0..0),
            "",
            format!("not valid TOML: {}", error.message()),
            "Mend this line; the format is that of https://toml.io",
        );
    }
    if valid {
        walk.table("", Scope::All, root.get_ref());
    }
    valid
}

struct Walk<'a> {
    file: &'a Text,
    layers: &'a mut Layers,
    problems: &'a mut Vec<Problem>,
}

impl Walk<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self
            .file
            .text
            .as_bytes()
            .get(..span.start)
            .unwrap_or_default();
        1 + before.iter().filter(|b| **b == b'\n').count()
    }

    fn origin(&self, span: &Range<usize>) -> Origin {
        Origin::File {
            path: self.file.path.clone(),
            line: self.line(span),
        }
    }

    fn problem(&mut self, span: Range<usize>, key: &str, what: String, remedy: &str) {
        let place = self.origin(&span).to_string();
        self.problems.push(Problem {
            place,
            key: key.to_owned(),
            what,
            remedy: remedy.to_owned(),
        });
    }

    fn table(&mut self, path: &str, scope: Scope, table: &DeTable<'_>) {
        // The table is sorted by name; problems read better in the order of the file.
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            let here = if path.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{path}.{}", name.get_ref())
            };
            if let Some(key) = keys::ALL.iter().copied().find(|k| k.path == here) {
                self.value(key, scope, name.span(), value);
            } else if here == "accounts" || here == "webhooks" {
                self.tables(&here, name.span(), value);
            } else if keys::ALL.iter().any(|k| k.table() == here) {
                match value.get_ref() {
                    DeValue::Table(inner) => self.table(&here, scope, inner),
                    other => self.problem(
                        name.span(),
                        &here,
                        format!("a table is wanted, not {}", shape(other)),
                        &format!("Write [{here}] and its keys below"),
                    ),
                }
            } else {
                self.unknown(path, &here, name);
            }
        }
    }

    fn unknown(&mut self, path: &str, here: &str, name: &Spanned<toml::de::DeString<'_>>) {
        let siblings: Vec<&str> = keys::ALL
            .iter()
            .filter_map(|k| {
                let rest = if path.is_empty() {
                    Some(k.path)
                } else {
                    k.path.strip_prefix(path).and_then(|r| r.strip_prefix('.'))
                };
                rest.map(|r| r.split_once('.').map_or(r, |(first, _)| first))
            })
            .collect();
        let near = nearest(name.get_ref(), siblings.iter().copied());
        // A key in the wrong table is the other common mistake.
        let elsewhere = keys::ALL
            .iter()
            .find(|k| k.name() == name.get_ref().as_ref());
        let remedy = match (near, elsewhere) {
            (Some(near), _) => format!("Did you mean {near}?"),
            (None, Some(key)) => format!("Did you mean {}?", key.path),
            (None, None) => "Remove it; `replyd config reference` lists every key".to_owned(),
        };
        self.problem(name.span(), here, "unknown key".to_owned(), &remedy);
    }

    /// `[[accounts]]` or `[[webhooks]]`.
    fn tables(&mut self, list: &str, span: Range<usize>, value: &Spanned<DeValue<'_>>) {
        let DeValue::Array(items) = value.get_ref() else {
            let what = format!("a list of tables is wanted, not {}", shape(value.get_ref()));
            self.problem(
                span,
                list,
                what,
                &format!("Write [[{list}]] with two brackets"),
            );
            return;
        };
        for item in items.iter() {
            let DeValue::Table(table) = item.get_ref() else {
                let what = format!("a table is wanted, not {}", shape(item.get_ref()));
                self.problem(
                    item.span(),
                    list,
                    what,
                    &format!("Write [[{list}]] with its keys"),
                );
                continue;
            };
            let origin = self.origin(&item.span());
            let scope = if list == "accounts" {
                Scope::Account(self.layers.add_account(origin))
            } else {
                Scope::Webhook(self.layers.add_webhook(origin))
            };
            self.table(list, scope, table);
        }
    }

    fn value(
        &mut self,
        key: &'static Key,
        scope: Scope,
        span: Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let raw = match value.get_ref() {
            DeValue::String(s) => Raw::Str(s.to_string()),
            DeValue::Boolean(b) => Raw::Bool(*b),
            DeValue::Integer(n) => {
                let digits = n.as_str().replace('_', "");
                match i64::from_str_radix(&digits, n.radix()) {
                    Ok(n) => Raw::Int(n),
                    Err(_) => {
                        let what = "the number is too large".to_owned();
                        return self.problem(span, key.path, what, "Write a smaller one");
                    }
                }
            }
            DeValue::Float(x) => match x.as_str().replace('_', "").parse() {
                Ok(x) => Raw::Float(x),
                Err(_) => {
                    let what = "the number is not understood".to_owned();
                    return self.problem(span, key.path, what, "Write it as 0.7");
                }
            },
            DeValue::Array(items) => {
                let texts: Option<Vec<String>> = items
                    .iter()
                    .map(|i| i.get_ref().as_str().map(str::to_owned))
                    .collect();
                match texts {
                    Some(texts) => Raw::List(texts),
                    None => {
                        let what = "a list of texts is wanted".to_owned();
                        return self.problem(span, key.path, what, "Write [\"…\", \"…\"]");
                    }
                }
            }
            other @ (DeValue::Datetime(_) | DeValue::Table(_)) => {
                let what = format!("a single value is wanted, not {}", shape(other));
                return self.problem(span, key.path, what, "See `replyd config reference`");
            }
        };
        let origin = self.origin(&span);
        self.layers.offer(
            scope,
            key,
            Found {
                raw,
                origin,
                rank: super::layers::RANK_FILE,
            },
        );
    }
}

fn shape(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
