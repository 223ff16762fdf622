//! What the rules alone say of a reply: a score for each class, and the signs that the model
//! learns from.

use std::collections::BTreeMap;

use super::fold;
use super::rules::{Mark, Rule};
use crate::model::{GoalType, Intent};

/// The guards that stop no rule which is firm.
const OPEN_QUESTION: &str = "g_open_question";
/// At or above, a class counts as found.
pub(super) const FOUND: f64 = 0.5;
/// The model's share from which one wide net is enough for an acknowledgement.
const ONE_NET: f64 = 0.75;
/// Rules of less weight are wide nets, and a person's words fall into them too.
const SURE_MACHINE: f64 = 0.8;
/// A text of so many words may be an agreement and nothing else.
const AGREEMENT: usize = 5;
/// So few words may be nothing but an answer to what our mail asked.
const FEW: usize = 6;
/// At or above, a class wins over those behind it in the labelling rule's order.
pub(super) const STRONG: f64 = 0.6;

/// What the last mail that we sent asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A step.
    Step,
    /// Whether to go on writing at all.
    Leave,
    /// Neither.
    Nothing,
}

#[derive(Debug, Default)]
pub(super) struct Scores {
    /// 1 - (1 - a)(1 - b)… over the distinct rules of a class.
    of: BTreeMap<&'static str, (Intent, f64)>,
    goals: BTreeMap<&'static str, (GoalType, f64)>,
    /// Words that only machines write.
    pub(super) machine: bool,
    pub(super) scheduling: bool,
    /// No mail may answer it.
    pub(super) veto: bool,
    /// It is no acceptance, whatever else it says.
    pub(super) refused: bool,
    pub(super) person: Vec<String>,
    pub(super) evidence: Vec<String>,
    /// A yes hit.
    yes: bool,
    /// A goal rule other than a yes hit, and no wide net.
    step: bool,
    /// A wide net for another step hit: "agreed", "let's".
    weak: bool,
    /// What of the goal rules stands in sentences that are about our step: the second key.
    key: Key,
    /// Goal rules that a guard took away.
    guarded: Vec<String>,
    /// Numbers of sentences, and of those that ask.
    sentences: (usize, usize),
}

/// See [`Scores::names_step`].
#[derive(Debug, Default)]
struct Key {
    counted: Vec<String>,
    score: f64,
    yes: bool,
}

impl Key {
    fn add(&mut self, rule: &Rule) {
        if self.counted.contains(&rule.name) {
            return;
        }
        self.counted.push(rule.name.clone());
        if rule.mark == Mark::Yes {
            self.yes = true;
        } else {
            self.score = 1.0 - (1.0 - self.score) * (1.0 - rule.weight);
        }
    }
}

impl Scores {
    /// Counts what hit a sentence; `ours` tells whether it names our step and nothing else.
    pub(super) fn add_sentence(&mut self, hits: &[&Rule], asked: Option<Asked>, ours: bool) {
        let guards = |rule: &&&Rule| rule.mark == Mark::Guard;
        let guarded = hits.iter().any(|rule| guards(&rule));
        let closed = hits
            .iter()
            .filter(guards)
            .any(|rule| !rule.name.starts_with(OPEN_QUESTION));
        for rule in hits {
            let goal = matches!(rule.mark, Mark::Yes | Mark::For(Intent::GoalReached, _));
            if goal && (closed || (guarded && !rule.firm)) {
                self.guarded.push(rule.name.clone());
                continue;
            }
            if matches!(rule.mark, Mark::AsksStep | Mark::AsksLeave) {
                continue;
            }
            if goal && ours {
                self.key.add(rule);
            }
            // A rule counts once, however many sentences it hits.
            if self.evidence.contains(&rule.name) {
                continue;
            }
            self.evidence.push(rule.name.clone());
            self.yes |= rule.mark == Mark::Yes;
            match rule.mark {
                Mark::For(intent, goal) => {
                    if intent == Intent::GoalReached && rule.weight >= FOUND {
                        self.step = true;
                    } else if goal == Some(GoalType::Other) {
                        self.weak = true;
                    }
                    self.add(intent, rule.weight);
                    if let Some(goal) = goal {
                        self.add_goal(goal, rule.weight);
                    }
                    // Words that only machines write; a person too says "I am away".
                    self.machine |= intent == Intent::OutOfOffice
                        && rule.weight >= SURE_MACHINE
                        && !matches!(rule.name.as_str(), "a_away" | "a_away_start" | "a_return");
                }
                Mark::Yes if asked == Some(Asked::Step) => {
                    self.add(Intent::GoalReached, rule.weight);
                    self.add_goal(GoalType::Other, 0.3);
                }
                // What we do not know to be an answer to nothing, a person looks at.
                Mark::Yes if matches!(asked, None | Some(Asked::Leave)) => {
                    self.add(Intent::Neutral, FOUND);
                }
                Mark::Yes => self.add(Intent::Neutral, STRONG),
                Mark::Person => self.person.push(rule.name.clone()),
                Mark::Schedule => self.scheduling = true,
                Mark::Veto => self.veto = true,
                Mark::Refuse => self.refused = true,
                Mark::Guard | Mark::AsksStep | Mark::AsksLeave => {}
            }
        }
    }

    /// Counts what hit a greeting or a closing: only what must not be overlooked.
    pub(super) fn add_around(&mut self, hits: &[&Rule]) {
        let kept: Vec<&Rule> = hits
            .iter()
            .filter(|rule| {
                matches!(
                    rule.mark,
                    Mark::Person | Mark::Veto | Mark::For(Intent::Unsubscribe, _)
                )
            })
            .copied()
            .collect();
        self.add_sentence(&kept, None, false);
    }

    /// A calendar answer says in its subject what it is (RFC 5546 leaves the text to the
    /// client). Its score stays below the gate: a person confirms a date.
    pub(super) fn add_calendar(&mut self, subject: &str) {
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

    pub(super) fn get(&self, intent: Intent) -> f64 {
        self.of
            .get(intent.as_str())
            .map_or(0.0, |(_, score)| *score)
    }

    /// The labelling rule's order: bounce, machine, unsubscribe, goal, referral, question, not
    /// now, not interested, neutral; a refusal beside a step or a question weighs in.
    pub(super) fn winner(&self) -> Intent {
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

    /// Counts a sentence of the text.
    pub(super) fn count_sentence(&mut self, asks: bool) {
        self.sentences.0 += 1;
        self.sentences.1 += usize::from(asks);
    }

    /// Whether a yes, or a few words of agreement, are all that speaks for a step.
    pub(super) fn yes_alone(&self, words: usize) -> bool {
        (self.yes || (self.weak && words <= AGREEMENT)) && !self.step
    }

    /// Whether a rule that names a step hit, or several wide nets ("my … phone"), or a yes to a mail of
    /// ours that asked for one, in a sentence that is about our step. One wide net needs
    /// a surer model, and a day alone is none.
    pub(super) fn names_step(&self, asked: bool, share: f64) -> bool {
        let day_alone = self.key.counted.iter().all(|rule| rule == "k_time");
        let net = self.key.score > 0.0 && share >= ONE_NET;
        (!day_alone && (net || self.key.score >= FOUND)) || (self.key.yes && asked)
    }

    /// Whether the rules surely see our step, and nothing in the text against it.
    pub(super) fn surely_names_step(&self) -> bool {
        // Wide nets are in ordinary mail too.
        let named = self.key.counted.iter().any(|rule| !rule.starts_with("k_"));
        named
            && self.key.score >= STRONG
            && self.winner() == Intent::GoalReached
            && self.guarded.is_empty()
            && self.person.is_empty()
            && [
                Intent::NotNow,
                Intent::NotInterested,
                Intent::Referral,
                Intent::OutOfOffice,
            ]
            .iter()
            .all(|other| self.get(*other) < FOUND)
    }

    /// Whether it asks, and a step that it names was taken for somebody else's.
    pub(super) fn asks_for_another_step(&self) -> bool {
        !self.guarded.is_empty() && self.sentences.1 > 0
    }

    /// Which step, by the rules with the most weight.
    pub(super) fn goal_type(&self) -> Option<GoalType> {
        let best = self.goals.values().max_by(|a, b| a.1.total_cmp(&b.1));
        best.map(|(goal, _)| *goal)
    }

    /// The signs for the model: each rule that hit, what the rules together say and how surely,
    /// whether the text asks, how long it is, and what our mail before it asked for, none that no
    /// mail is known.
    pub(super) fn signs(&self, words: usize, asked: Option<Asked>) -> Vec<String> {
        let mut signs: Vec<String> = self.evidence.iter().map(|e| format!("rule {e}")).collect();
        let mut guarded = self.guarded.clone();
        guarded.sort();
        guarded.dedup();
        if !guarded.is_empty() {
            signs.push("guarded".into());
        }
        if !self.of.is_empty() {
            let winner = self.winner();
            signs.push(format!("winner {winner}"));
            if self.get(winner) >= 0.85 {
                signs.push(format!("surely {winner}"));
            }
        }
        let (all, asking) = self.sentences;
        if asking > 0 {
            signs.push("asks".into());
            if asking == all {
                signs.push("only asks".into());
            }
        }
        signs.push(
            match words {
                0..=2 => "words 1-2",
                3..=6 => "words 3-6",
                7..=15 => "words 7-15",
                16..=40 => "words 16-40",
                _ => "words 41-",
            }
            .into(),
        );
        if let Some(asked) = asked {
            let what = match asked {
                Asked::Step => "asked",
                Asked::Leave => "asked to leave",
                Asked::Nothing => "not asked",
            };
            signs.push(what.into());
            if words <= FEW {
                signs.push(format!("{what}, few words"));
            }
        }
        signs
    }
}
