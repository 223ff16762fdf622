//! The rules of the classifier: `rules.txt`, embedded, compiled once on first need.
//!
//! One [`RegexSet`] over all rules tells with one pass over a sentence which of them hit. Its
//! lazy DFA needs more than the default cache, or it thrashes (measured: p95 of 17 ms at 2 MiB).
//! Word boundaries and classes are ASCII ones: the text is folded to ASCII letters first, and
//! a Unicode `\b` would push every non-ASCII sentence to the slow engine.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{RegexSet, RegexSetBuilder};

use crate::model::{GoalType, Intent};

/// Cache of the lazy DFA.
const DFA_BYTES: usize = 32 << 20;
/// Limit of the compiled program; the rules take a few MiB.
const PROGRAM_BYTES: usize = 64 << 20;

static EMBEDDED: LazyLock<Result<Rules, RulesError>> =
    LazyLock::new(|| Rules::parse(include_str!("rules.txt")));

/// What is wrong with a file of rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Rule in line {line}: {what}")]
pub struct RulesError {
    /// Line of the file, counted from 1; 0 for the set as a whole.
    pub line: usize,
    /// What.
    pub what: String,
}

/// What a rule stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Speaks for a class.
    For(Intent, Option<GoalType>),
    /// A yes: a goal if our last mail asked for the step, else nothing to do.
    Yes,
    /// Takes away the goal hits of its sentence.
    Guard,
    /// A word that always goes to a person.
    Person,
    /// Asks for a time.
    Schedule,
    /// In a mail of ours: it asks for a step.
    AsksStep,
}

/// To what a rule is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Any sentence.
    Any,
    /// A sentence that ends in a question mark.
    Ask,
    /// One that does not.
    Tell,
    /// The text as a whole.
    Text,
}

#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) mark: Mark,
    pub(super) weight: f64,
    pub(super) scope: Scope,
    pub(super) name: String,
}

/// The compiled rules.
#[derive(Debug)]
pub(super) struct Rules {
    rules: Vec<Rule>,
    set: RegexSet,
}

impl Rules {
    /// The embedded rules. The first call compiles them (some 0.2 s): make it off the async
    /// threads.
    pub(super) fn embedded() -> Result<&'static Self, RulesError> {
        EMBEDDED.as_ref().map_err(Clone::clone)
    }

    fn parse(text: &str) -> Result<Self, RulesError> {
        let mut lets: HashMap<&str, String> = HashMap::new();
        let mut rules = Vec::new();
        let mut patterns = Vec::new();
        for (n, line) in text.lines().enumerate() {
            let fail = |what: String| RulesError {
                line: n.saturating_add(1),
                what,
            };
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(rest) = line.strip_prefix("let ") {
                let (name, pattern) = rest
                    .split_once(' ')
                    .ok_or_else(|| fail("`let` without a pattern".into()))?;
                let pattern = expand(pattern, &lets).map_err(fail)?;
                lets.insert(name, pattern);
                continue;
            }
            let fields: Vec<&str> = line.splitn(5, ' ').collect();
            let [mark, weight, scope, name, pattern] = fields.as_slice() else {
                return Err(fail("not five fields".into()));
            };
            patterns.push(ascii_classes(&expand(pattern, &lets).map_err(fail)?));
            rules.push(Rule {
                mark: parse_mark(mark).map_err(fail)?,
                weight: weight
                    .parse()
                    .map_err(|_| fail(format!("weight {weight:?}")))?,
                scope: match *scope {
                    "any" => Scope::Any,
                    "ask" => Scope::Ask,
                    "tell" => Scope::Tell,
                    "text" => Scope::Text,
                    other => return Err(fail(format!("unknown scope {other:?}"))),
                },
                name: (*name).to_owned(),
            });
        }
        let set = RegexSetBuilder::new(&patterns)
            .dfa_size_limit(DFA_BYTES)
            .size_limit(PROGRAM_BYTES)
            .build()
            .map_err(|e| RulesError {
                line: 0,
                what: e.to_string(),
            })?;
        Ok(Self { rules, set })
    }

    /// The names of all rules.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|r| r.name.as_str())
    }

    /// The rules that hit `sentence`; `whole` tells whether it is the text as a whole.
    pub(super) fn hits(&self, sentence: &str, whole: bool) -> Vec<&Rule> {
        let asks = sentence.ends_with('?');
        self.set
            .matches(sentence)
            .iter()
            .filter_map(|i| self.rules.get(i))
            .filter(|rule| match rule.scope {
                Scope::Any => !whole,
                Scope::Ask => !whole && asks,
                Scope::Tell => !whole && !asks,
                Scope::Text => whole,
            })
            .collect()
    }
}

fn parse_mark(word: &str) -> Result<Mark, String> {
    let (class, goal) = match word.split_once('/') {
        Some((class, goal)) => (class, Some(goal)),
        None => (word, None),
    };
    Ok(match class {
        "yes" => Mark::Yes,
        "guard" => Mark::Guard,
        "person" => Mark::Person,
        "schedule" => Mark::Schedule,
        "asks" => Mark::AsksStep,
        class => Mark::For(
            class.parse::<Intent>().map_err(|e| e.to_string())?,
            goal.map(str::parse::<GoalType>)
                .transpose()
                .map_err(|e| e.to_string())?,
        ),
    })
}

/// Replaces `{name}` by its pattern. Counted repetitions such as `{0,5}` are left alone.
fn expand(pattern: &str, lets: &HashMap<&str, String>) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            return Err("`{` without `}`".into());
        };
        if name.starts_with(|c: char| c.is_ascii_lowercase()) {
            out.push_str(
                lets.get(name)
                    .ok_or_else(|| format!("unknown {{{name}}}"))?,
            );
        } else {
            out.push('{');
            out.push_str(name);
            out.push('}');
        }
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

fn ascii_classes(pattern: &str) -> String {
    pattern
        .replace(r"\b", r"(?-u:\b)")
        .replace(r"\w", "[0-9a-z_]")
        .replace(r"\d", "[0-9]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_rules_compile_and_their_names_are_unique() {
        let rules = Rules::embedded().unwrap();
        let names: std::collections::HashSet<_> = rules.rules.iter().map(|r| &r.name).collect();
        assert_eq!(names.len(), rules.rules.len());
        assert!(rules.rules.len() > 150);
        assert!(
            rules
                .rules
                .iter()
                .all(|r| r.weight > 0.0 && r.weight <= 1.0)
        );
    }

    #[test]
    fn a_bad_rule_names_its_line() {
        for (text, what) in [
            ("# x\nquestion 0.5 ask q", "not five fields"),
            ("\nnonsense 0.5 any q x", "nonsense"),
            ("\nquestion heavy any q x", "weight"),
            ("\nquestion 0.5 never q x", "scope"),
            ("\nquestion 0.5 any q {nobody}", "nobody"),
        ] {
            let error = Rules::parse(text).unwrap_err();
            assert_eq!(error.line, 2, "{error}");
            assert!(error.to_string().contains(what), "{error}");
        }
        assert_eq!(Rules::parse("question 0.5 any q (").unwrap_err().line, 0);
    }
}
