//! The rules of the classifier: `rules.txt` and `rules_person.txt`, embedded, compiled once on first need.
//!
//! A few [`RegexSet`]s tell with one pass each over a sentence which rules hit. Their lazy DFAs
//! need more than the default cache, or they thrash (measured: p95 of 17 ms at 2 MiB).
//! Word boundaries and classes are ASCII ones: the text is folded to ASCII letters first, and
//! a Unicode `\b` would push every non-ASCII sentence to the slow engine.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use regex::{RegexSet, RegexSetBuilder};

use super::fold::Language;
use crate::model::{GoalType, Intent};

/// Cache of the lazy DFA of the larger groups.
const DFA_BYTES: usize = 5 << 18;
/// The same of one language's rules.
const DFA_BYTES_LANGUAGE: usize = 3 << 18;
/// So many rules are matched together. The states of a set are combinations of its patterns'
/// states: with fewer patterns they come again sooner, so that a new sentence makes fewer new
/// ones.
const GROUP: usize = 24;
/// Limit of the compiled program; the rules take a few MiB.
const PROGRAM_BYTES: usize = 64 << 20;

static EMBEDDED: LazyLock<Result<Rules, RulesError>> = LazyLock::new(|| {
    Rules::parse(concat!(
        include_str!("rules.txt"),
        "\n",
        include_str!("rules_person.txt")
    ))
});

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
    /// No mail may answer the whole text: a pitch, a machine, an instruction to us.
    Veto,
    /// The whole text is no acceptance: a refusal beside it, sarcasm.
    Refuse,
    /// A word that always goes to a person.
    Person,
    /// Asks for a time.
    Schedule,
    /// In a mail of ours: it asks for a step.
    AsksStep,
    /// In a mail of ours: it asks whether to go on writing.
    AsksLeave,
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
    /// A wish even where it stands in an open question: that guard does not stop it.
    pub(super) firm: bool,
    pub(super) name: String,
}

/// The compiled rules.
#[derive(Debug)]
pub(super) struct Rules {
    rules: Vec<Rule>,
    groups: Vec<Group>,
}

/// Patterns that are matched together. The lazy DFA of all rules at once would have more states
/// than any cache: those of one language, and those with gaps of several words, have their own.
#[derive(Debug)]
struct Group {
    of: GroupKey,
    /// For each pattern of the set, the rule and its term (see `rules.txt`).
    parts: Vec<Part>,
    set: RegexSet,
}

/// What the patterns of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum GroupKey {
    /// Words only; in groups, see [`GROUP`].
    Words(usize),
    /// With gaps of several words; likewise.
    Gaps(usize),
    /// Words for a person.
    Person,
    /// For one language.
    Language(String),
}

/// Which part of which rule a pattern is.
#[derive(Clone, Copy, Debug)]
struct Part {
    rule: usize,
    /// Number of the term among all terms of all rules.
    term: usize,
    /// How many parts the term has: all of them must be found.
    of: u8,
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
        let mut groups: BTreeMap<GroupKey, (Vec<String>, Vec<Part>)> = BTreeMap::new();
        let mut terms = 0;
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
            let pattern = expand(pattern, &lets).map_err(fail)?;
            let (patterns, parts) = groups
                .entry(group_of(name, &pattern, rules.len()))
                .or_default();
            for term in pattern.split(" || ") {
                let needed: Vec<&str> = term.split(" && ").collect();
                for part in &needed {
                    patterns.push(ascii_classes(part));
                    parts.push(Part {
                        rule: rules.len(),
                        term: terms,
                        of: u8::try_from(needed.len()).unwrap_or(u8::MAX),
                    });
                }
                terms += 1;
            }
            let firm = mark.contains('!');
            rules.push(Rule {
                mark: parse_mark(&mark.replace('!', "")).map_err(fail)?,
                firm,
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
        let groups = groups
            .into_iter()
            .map(|(of, (patterns, parts))| {
                let set = RegexSetBuilder::new(&patterns)
                    .dfa_size_limit(match of {
                        GroupKey::Language(_) => DFA_BYTES_LANGUAGE,
                        GroupKey::Words(_) | GroupKey::Gaps(_) | GroupKey::Person => DFA_BYTES,
                    })
                    .size_limit(PROGRAM_BYTES)
                    .build()?;
                Ok(Group { of, parts, set })
            })
            .collect::<Result<_, regex::Error>>()
            .map_err(|e| RulesError {
                line: 0,
                what: e.to_string(),
            })?;
        Ok(Self { rules, groups })
    }

    /// The rules that hit `sentence`, of those for all languages and for `languages`; `whole`
    /// tells whether it is the text as a whole.
    pub(super) fn hits(&self, sentence: &str, whole: bool, languages: &[&str]) -> Vec<&Rule> {
        let asks = sentence.ends_with('?');
        let mut hits: Vec<usize> = Vec::new();
        for group in &self.groups {
            if let GroupKey::Language(code) = &group.of
                && !languages.contains(&code.as_str())
            {
                continue;
            }
            // The parts of a term follow each other.
            let mut term = usize::MAX;
            let mut found = 0_u8;
            for part in group
                .set
                .matches(sentence)
                .iter()
                .filter_map(|i| group.parts.get(i))
            {
                found = if part.term == term { found + 1 } else { 1 };
                term = part.term;
                if found == part.of && hits.last() != Some(&part.rule) {
                    hits.push(part.rule);
                }
            }
        }
        hits.sort_unstable();
        hits.into_iter()
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

/// With what a rule is matched together, by its name (`de_…`, `k_de_…`) and its pattern.
fn group_of(name: &str, pattern: &str, n: usize) -> GroupKey {
    let code = Language::CODES.iter().find(|code| {
        let mut pieces = name.split('_').take(2);
        pieces.any(|piece| piece == **code)
    });
    match code {
        Some(code) => GroupKey::Language((*code).to_owned()),
        None if name.starts_with("p_") => GroupKey::Person,
        None if pattern.contains("{0,") => GroupKey::Gaps(n / GROUP),
        None => GroupKey::Words(n / GROUP),
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
        "veto" => Mark::Veto,
        "refuse" => Mark::Refuse,
        "person" => Mark::Person,
        "schedule" => Mark::Schedule,
        "asks" => Mark::AsksStep,
        "leave" => Mark::AsksLeave,
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
