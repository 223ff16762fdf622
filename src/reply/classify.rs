//! What the lead wants: nine classes by rules on the newly written text (the strict labelling
//! rule: a question about a visit is a question, a wish or acceptance of one is the goal).
//!
//! Pure, bounded (4,000 characters, 80 sentences), and never surer than its rules: text alone
//! does not send anything, see `policy`.

use std::collections::BTreeMap;

use super::fold::{self, Language};
use super::rules::{Mark, Rule, Rules, RulesError};
use crate::model::{GoalType, Intent, Nature};

/// At or above, a class counts as found.
const FOUND: f64 = 0.5;
/// At or above, a class wins over those behind it in the labelling rule's order.
const STRONG: f64 = 0.6;
/// No class is surer than this where the newly written text is not.
const UNSURE_CONFIDENCE: f64 = 0.5;
/// Confidence of a guess without any rule hit.
const GUESS: f64 = 0.3;
/// Opt-out words of an unsure text count only this far from its top: a quoted footer of our
/// own mail must not opt a lead out.
const SURE_TOP_CHARS: usize = 300;

/// What the classifier looks at.
#[derive(Clone, Copy, Debug)]
pub struct ReplyInput<'a> {
    /// The newly written text.
    pub new_text: &'a str,
    /// Whether quotes and signature were surely cut off.
    pub sure: bool,
    /// Subject, decoded.
    pub subject: &'a str,
    /// What kind of mail it is by its headers.
    pub nature: Option<Nature>,
    /// The text of the last mail that we sent in the thread; none: we do not know it.
    pub last_outbound: Option<&'a str>,
}

/// What the classifier found.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The class.
    pub intent: Intent,
    /// 0 to 1; not calibrated, on the careful side.
    pub confidence: f64,
    /// The strongest other class.
    pub runner_up: Option<(Intent, f64)>,
    /// Which step, with [`Intent::GoalReached`] only.
    pub goal_type: Option<GoalType>,
    /// Whether a goal rule hit: the second key of an acknowledgement.
    pub goal_rule: bool,
    /// Whether any opt-out rule hit: suppress, whatever else the mail says.
    pub opt_out: bool,
    /// Whether opt-out words were seen where they may be a quoted footer: a person looks.
    pub opt_out_unsure: bool,
    /// Rules whose words always go to a person (legal, data, complaint, "are you a bot").
    pub person_words: Vec<String>,
    /// Whether it asks for a time of a viewing or call: sales are told.
    pub scheduling: bool,
    /// The text's language.
    pub language: Language,
    /// Names of the rules that hit, sorted.
    pub evidence: Vec<String>,
}

/// Whether a mail of ours asks for a step, so that a bare "yes" accepts it.
///
/// # Errors
/// As [`classify`].
pub fn asks_for_step(text: &str) -> Result<bool, RulesError> {
    let rules = Rules::embedded()?;
    let folded = fold::fold(text);
    Ok(fold::sentences(&folded).iter().any(|sentence| {
        rules
            .hits(sentence, false)
            .iter()
            .any(|rule| rule.mark == Mark::AsksStep)
    }))
}

/// Compiles the rules, which takes some 0.2 s. Blocking.
pub fn warm_up() {
    if let Err(error) = Rules::embedded() {
        tracing::error!(%error, "classifier rules do not compile");
    }
}

/// Classifies one reply. The first call compiles the rules: make it off the async threads.
///
/// # Errors
/// Only when the embedded rules do not compile, which a test rules out.
pub fn classify(input: &ReplyInput<'_>) -> Result<Verdict, RulesError> {
    let rules = Rules::embedded()?;
    let asked = input.last_outbound.map(asks_for_step).transpose()?;
    let folded = fold::fold(input.new_text);
    let mut scores = Scores::default();
    for sentence in fold::sentences(&folded) {
        scores.add_sentence(&rules.hits(&sentence, false), asked);
    }
    let whole = fold::one_line(&folded);
    scores.add_sentence(&rules.hits(&whole, true), asked);
    if input.nature == Some(Nature::Calendar) {
        scores.add_calendar(input.subject);
    }
    let mut verdict = scores.verdict(fold::language(&folded));
    if !input.sure {
        verdict.confidence = verdict.confidence.min(UNSURE_CONFIDENCE);
    }
    if verdict.opt_out && !input.sure {
        let top: String = input.new_text.chars().take(SURE_TOP_CHARS).collect();
        let above = classify(&ReplyInput {
            new_text: &top,
            sure: true,
            ..*input
        })?;
        if !above.opt_out {
            verdict.opt_out = false;
            verdict.opt_out_unsure = true;
        }
    }
    Ok(verdict)
}

#[derive(Default)]
struct Scores {
    /// 1 - (1 - a)(1 - b)… over the distinct rules of a class.
    of: BTreeMap<&'static str, (Intent, f64)>,
    goals: BTreeMap<&'static str, (GoalType, f64)>,
    machine: bool,
    scheduling: bool,
    person: Vec<String>,
    evidence: Vec<String>,
}

impl Scores {
    fn add_sentence(&mut self, hits: &[&Rule], asked: Option<bool>) {
        let guarded = hits.iter().any(|rule| rule.mark == Mark::Guard);
        for rule in hits {
            let goal = matches!(rule.mark, Mark::Yes | Mark::For(Intent::GoalReached, _));
            if (guarded && goal) || rule.mark == Mark::AsksStep {
                continue;
            }
            // A rule counts once, however many sentences it hits.
            if self.evidence.contains(&rule.name) {
                continue;
            }
            self.evidence.push(rule.name.clone());
            match rule.mark {
                Mark::For(intent, goal) => {
                    self.add(intent, rule.weight);
                    if let Some(goal) = goal {
                        self.add_goal(goal, rule.weight);
                    }
                    // Words that only machines write; a person too says "I am away".
                    self.machine |= intent == Intent::OutOfOffice
                        && !matches!(rule.name.as_str(), "a_away" | "a_away_start" | "a_return");
                }
                Mark::Yes if asked == Some(true) => {
                    self.add(Intent::GoalReached, rule.weight);
                    self.add_goal(GoalType::Other, 0.3);
                }
                // What we do not know to be an answer to nothing, a person looks at.
                Mark::Yes if asked.is_none() => self.add(Intent::Neutral, FOUND),
                Mark::Yes => self.add(Intent::Neutral, STRONG),
                Mark::Person => self.person.push(rule.name.clone()),
                Mark::Schedule => self.scheduling = true,
                Mark::Guard | Mark::AsksStep => {}
            }
        }
    }

    /// A calendar answer says in its subject what it is (RFC 5546 leaves the text to the
    /// client). Its score stays below the gate: a person confirms a date.
    fn add_calendar(&mut self, subject: &str) {
        let subject = fold::fold(subject);
        let declined = [
            "declin",
            "abgelehnt",
            "refus",
            "rechaz",
            "rifiut",
            "geweigerd",
            "abgesagt",
        ]
        .iter()
        .any(|word| subject.contains(word));
        if declined {
            self.add(Intent::NotInterested, STRONG);
            self.evidence.push("calendar_declined".into());
        } else {
            self.add(Intent::GoalReached, 0.65);
            self.add_goal(GoalType::SalesCall, 0.65);
            self.evidence.push("calendar".into());
        }
    }

    fn add(&mut self, intent: Intent, weight: f64) {
        let entry = self.of.entry(intent.as_str()).or_insert((intent, 0.0));
        entry.1 = 1.0 - (1.0 - entry.1) * (1.0 - weight);
    }

    fn add_goal(&mut self, goal: GoalType, weight: f64) {
        self.goals.entry(goal.as_str()).or_insert((goal, 0.0)).1 += weight;
    }

    fn get(&self, intent: Intent) -> f64 {
        self.of
            .get(intent.as_str())
            .map_or(0.0, |(_, score)| *score)
    }

    /// The labelling rule's order: bounce, machine, unsubscribe, goal, referral, question, not
    /// now, not interested, neutral; a refusal beside a step or a question weighs in.
    fn winner(&self) -> Intent {
        let [
            bounce,
            away,
            unsubscribe,
            goal,
            referral,
            question,
            later,
            refusal,
            neutral,
        ] = [
            Intent::Bounce,
            Intent::OutOfOffice,
            Intent::Unsubscribe,
            Intent::GoalReached,
            Intent::Referral,
            Intent::Question,
            Intent::NotNow,
            Intent::NotInterested,
            Intent::Neutral,
        ]
        .map(|intent| self.get(intent));
        let person_speaks = !self.machine && (goal >= 0.7 || question >= 0.7);
        if bounce >= STRONG && unsubscribe < STRONG {
            Intent::Bounce
        } else if away >= STRONG && unsubscribe < STRONG && !person_speaks {
            Intent::OutOfOffice
        } else if unsubscribe >= STRONG {
            Intent::Unsubscribe
        } else if goal >= FOUND && later < FOUND && (refusal < 0.7 || goal >= 0.9) {
            Intent::GoalReached
        } else if referral >= STRONG {
            Intent::Referral
        } else if question >= 0.45 && later < 0.8 {
            Intent::Question
        } else if later >= FOUND {
            Intent::NotNow
        } else if refusal >= FOUND {
            Intent::NotInterested
        } else if question >= 0.45 {
            Intent::Question
        } else if neutral >= FOUND || self.of.is_empty() {
            Intent::Neutral
        } else {
            self.of
                .values()
                .max_by(|a, b| a.1.total_cmp(&b.1))
                .map_or(Intent::Neutral, |(intent, _)| *intent)
        }
    }

    fn verdict(mut self, language: Language) -> Verdict {
        let intent = self.winner();
        // A step plus a question is the step; opting out outweighs whatever it is said with.
        let harmless: &[Intent] = match intent {
            Intent::GoalReached => &[Intent::Question, Intent::Neutral],
            Intent::Unsubscribe => &[
                Intent::NotInterested,
                Intent::NotNow,
                Intent::GoalReached,
                Intent::Question,
                Intent::Neutral,
            ],
            _ => &[Intent::Neutral],
        };
        let runner_up = self
            .of
            .values()
            .filter(|(other, _)| *other != intent)
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .copied();
        let rival = self
            .of
            .values()
            .filter(|(other, _)| *other != intent && !harmless.contains(other))
            .map(|(_, score)| *score)
            .fold(0.0, f64::max);
        let score = self.get(intent);
        let confidence = if score > 0.0 {
            score * (1.0 - 0.5 * rival)
        } else {
            GUESS
        };
        let goal_type = (intent == Intent::GoalReached).then(|| {
            self.goals
                .values()
                .max_by(|a, b| a.1.total_cmp(&b.1))
                .map_or(GoalType::Other, |(goal, _)| *goal)
        });
        self.evidence.sort();
        Verdict {
            intent,
            confidence: confidence.clamp(0.0, 1.0),
            runner_up,
            goal_type,
            goal_rule: self.get(Intent::GoalReached) > 0.0,
            opt_out: self.get(Intent::Unsubscribe) >= STRONG
                && !matches!(intent, Intent::Bounce | Intent::OutOfOffice),
            opt_out_unsure: false,
            person_words: self.person,
            scheduling: self.scheduling,
            language,
            evidence: self.evidence,
        }
    }
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
