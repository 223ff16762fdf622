//! What the lead wants: nine classes by rules and a linear model together on the newly written
//! text (the strict labelling rule: a question about a visit is a question, a wish or acceptance
//! of one is the goal).
//!
//! The model weighs n-grams and rule hits and gives the class and its confidence; the rules alone
//! give the second key of an acknowledgement, the type of the step, the opt-outs that need no
//! model, the words for a person, and the evidence. Pure, bounded (4,000 characters,
//! 80 sentences): text alone does not send anything, see `policy`.

use std::sync::{Arc, LazyLock};

use super::about;
use super::fold::{self, Language};
use super::letter;
use super::linear::{self, CLASSES, Features, Weights, WeightsError, place};
use super::rules::{Mark, Rules, RulesError};
use super::scores::{Asked, FOUND, STRONG, Scores};
use crate::model::{GoalType, Intent, Nature};

/// No class is surer than this where the newly written text is not, or where rules and model
/// contradict each other.
const UNSURE_CONFIDENCE: f64 = 0.5;
/// Goal rules of this weight say that a person wants something, whatever else is said; rules of
/// absence of this weight, that it may be a notice.
const WISH: f64 = 0.8;
/// From this share on the model alone suppresses; below it a person looks.
const OPT_OUT: f64 = 0.42;
/// From this share on a text that else says nothing is not left to rest.
const OPT_OUT_PERHAPS: f64 = 0.12;
/// Where the rules surely see our step and nothing else, so much of the model is agreement enough
/// for [`AGREED`].
const AGREES: f64 = 0.55;
/// The confidence of both together.
const AGREED: f64 = 0.75;
/// Confidence of a guess on no text at all.
const GUESS: f64 = 0.3;
/// Opt-out words of an unsure text count only this far from its top: a quoted footer of our
/// own mail must not opt a lead out.
const SURE_TOP_CHARS: usize = 300;

/// Referral rules of this weight say that the step is somebody else's.
const SOMEBODY_ELSE: f64 = 0.8;
/// A text of so many words shows a word that we know, if it is in a language that we know.
const TELLING: usize = 4;

/// The rule for a machine that asks the sender to prove that it is a person.
const CHALLENGE: &str = "t_challenge";
/// The rule for a text that is a yes and nothing else, and what it is worth.
const BARE_YES: &str = "bare_yes";
/// The same of a time or a word of parting that takes the step as agreed.
const YES_THERE: &str = "yes_there";
const YES: f64 = 0.8;

static EMBEDDED: LazyLock<Result<Weights, WeightsError>> =
    LazyLock::new(|| Weights::from_bytes(include_bytes!("weights.bin")));

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
    /// 0 to 1: the model's share, lowered where something contradicts it; on the careful side.
    pub confidence: f64,
    /// The strongest other class.
    pub runner_up: Option<(Intent, f64)>,
    /// Which step, with [`Intent::GoalReached`] only.
    pub goal_type: Option<GoalType>,
    /// Whether a goal rule that names a step hit: the second key of an acknowledgement.
    pub goal_rule: bool,
    /// Whether a rule or the model sees an opt-out: suppress, whatever else the mail says.
    pub opt_out: bool,
    /// Whether opt-out words were seen where they may be a quoted footer: a person looks.
    pub opt_out_unsure: bool,
    /// Rules whose words always go to a person (`rules_person.txt`), and the operator's own words.
    pub person_words: Vec<String>,
    /// Whether it asks for a time of a viewing or call: sales are told.
    pub scheduling: bool,
    /// The text's language.
    pub language: Language,
    /// Names of the rules that hit, sorted.
    pub evidence: Vec<String>,
    /// Which weights were used.
    pub model_version: String,
    /// Where the model endpoint says otherwise in what matters: a person decides. See `second`.
    pub disagreement: Option<String>,
}

impl Verdict {
    /// Why the sender gets no more mail while a person reads this one: it threatens, or demands
    /// that data be erased.
    #[must_use]
    pub fn ends_all_mail(&self) -> Option<&'static str> {
        let topics = self.person_words.iter().map(|rule| topic(rule));
        [THREAT, ERASE]
            .into_iter()
            .find(|wanted| topics.clone().any(|topic| topic == *wanted))
    }

    /// What about the words for a person, for people.
    #[must_use]
    pub fn words_for_a_person(&self) -> String {
        let mut topics: Vec<&str> = self.person_words.iter().map(|rule| topic(rule)).collect();
        topics.sort_unstable();
        topics.dedup();
        format!("words for a person: {}", topics.join(", "))
    }
}

const THREAT: &str = "a threat";
const ERASE: &str = "data to be erased";

/// What a rule of `rules_person.txt` is about, by the last word of its name; an operator's own word
/// stands for itself.
fn topic(rule: &str) -> &str {
    if !rule.starts_with("p_") {
        return rule;
    }
    match rule.rsplit('_').next().unwrap_or_default() {
        "threat" => THREAT,
        "erase" => ERASE,
        "legal" | "court" => "law",
        "data" | "source" => "data protection",
        "complaint" => "complaint, refund, discrimination or press",
        "bot" => "asks whether a machine writes",
        "tenant" => "a tenant, or a repair",
        _ => rule,
    }
}

/// Why nothing could be classified.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClassifyError {
    /// The embedded rules do not compile, which a test rules out.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The embedded weights do not fit, which a test rules out.
    #[error("Embedded weights: {0}")]
    Weights(#[from] WeightsError),
}

/// Rules and weights. Cheap to copy; rules and embedded weights are made ready at the first use,
/// which takes some 0.2 s: make it off the async threads.
#[derive(Clone, Debug, Default)]
pub struct Classifier {
    own: Option<Arc<Weights>>,
}

impl Classifier {
    /// With the operator's own weights instead of the embedded ones.
    #[must_use]
    pub fn with_weights(weights: Weights) -> Self {
        Self {
            own: Some(Arc::new(weights)),
        }
    }

    fn weights(&self) -> Result<&Weights, WeightsError> {
        match &self.own {
            Some(own) => Ok(own),
            None => EMBEDDED.as_ref().map_err(Clone::clone),
        }
    }

    /// Which weights are used.
    ///
    /// # Errors
    /// As [`Self::classify`].
    pub fn model_version(&self) -> Result<&str, ClassifyError> {
        Ok(self.weights()?.version())
    }

    /// Rules that the embedded weights weigh and these do not, and rules that these weigh and the
    /// program no longer has: they were trained with other rules, or on too few texts.
    ///
    /// # Errors
    /// As [`Self::classify`].
    pub fn unknown_rules(&self) -> Result<Vec<String>, ClassifyError> {
        let Some(own) = &self.own else {
            return Ok(Vec::new());
        };
        let embedded = EMBEDDED.as_ref().map_err(Clone::clone)?;
        let mut other: Vec<String> = own.signs_beside(embedded).map(str::to_owned).collect();
        other.extend(embedded.signs_beside(own).map(str::to_owned));
        other.retain(|sign| sign.starts_with("rule "));
        other.sort();
        Ok(other)
    }

    fn warm_up(&self) {
        let input = ReplyInput {
            new_text: "Yes, please call me.",
            sure: true,
            subject: "",
            nature: None,
            last_outbound: None,
        };
        if let Err(error) = self.classify(&input) {
            tracing::error!(%error, "the classifier is not ready");
        }
    }

    /// Classifies one reply.
    ///
    /// # Errors
    /// Only when what is embedded does not fit, which a test rules out.
    pub fn classify(&self, input: &ReplyInput<'_>) -> Result<Verdict, ClassifyError> {
        let weights = self.weights()?;
        let read = Read::of(input)?;
        let mut verdict = read.verdict(weights, input);
        if !input.sure {
            verdict.confidence = verdict.confidence.min(UNSURE_CONFIDENCE);
        }
        if verdict.opt_out && !input.sure {
            let top: String = input.new_text.chars().take(SURE_TOP_CHARS).collect();
            let above = self.classify(&ReplyInput {
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
}

/// Makes the rules and the embedded weights ready, which takes some 0.2 s. Blocking.
pub fn warm_up() {
    Classifier::default().warm_up();
}

/// What the model sees of a reply; for training.
///
/// # Errors
/// As [`Classifier::classify`].
pub fn features(input: &ReplyInput<'_>) -> Result<Features, ClassifyError> {
    Ok(Read::of(input)?.features)
}

/// What a mail of ours asks for: a step before all, whatever a footer says of leaving.
fn asked_for(text: &str) -> Result<Asked, RulesError> {
    let rules = Rules::embedded()?;
    let folded = fold::fold(text);
    let mut asked = Asked::Nothing;
    for sentence in fold::sentences(&folded) {
        let hits = rules.hits(&sentence, false, &[]);
        let marked = |mark| hits.iter().any(|rule| rule.mark == mark);
        // "Shall we stop writing to you about viewings?" names a step and asks for none.
        if marked(Mark::AsksLeave) {
            asked = Asked::Leave;
        } else if marked(Mark::AsksStep) {
            return Ok(Asked::Step);
        }
    }
    Ok(asked)
}

/// A reply, read by the rules and cut into features.
struct Read {
    scores: Scores,
    features: Features,
    words: usize,
    asked: Option<Asked>,
    language: Language,
}

impl Read {
    fn of(input: &ReplyInput<'_>) -> Result<Self, RulesError> {
        let rules = Rules::embedded()?;
        let asked = input.last_outbound.map(asked_for).transpose()?;
        let folded = fold::unquoted(&fold::fold(input.new_text));
        let folded = fold::bare(&folded);
        let mut language = fold::language_of(input.new_text, folded);
        let letter = letter::read(folded);
        let folded = letter.text;
        let mut scores = Scores::default();
        let languages = fold::likely_languages(folded);
        let hits = |sentence: &str, whole| rules.hits(sentence, whole, &languages);
        let mail = input.last_outbound.map(fold::fold).unwrap_or_default();
        let mail = about::words_of_mail(&mail);
        for sentence in fold::sentences(folded) {
            scores.count_sentence(sentence.ends_with('?'));
            let hits = hits(&sentence, false);
            // Looked at only where something hit: most sentences wish for nothing.
            let ours = !hits.is_empty() && about::ours(&sentence, &mail);
            scores.add_sentence(&hits, asked, ours);
        }
        let whole = fold::one_line(folded);
        scores.add_sentence(&hits(&whole, true), asked, true);
        for around in [letter.before, letter.behind] {
            for sentence in fold::sentences(around) {
                scores.add_around(&hits(&sentence, false));
            }
        }
        if input.nature == Some(Nature::Calendar) {
            scores.add_calendar(input.subject);
        }
        let (mut features, words) = linear::of_text(folded);
        features.signs = scores.signs(words, asked);
        if language == Language::Unknown && words >= TELLING && scores.evidence.is_empty() {
            // No stop word and no rule of any language that we know.
            language = Language::Other;
        } else if scores.evidence.is_empty()
            && language != Language::Other
            && fold::most_stop_words(folded) == 1
            && !input.new_text.is_ascii()
        {
            // One stop word may be chance, and no rule knows the text.
            language = Language::Unknown;
        }
        Ok(Self {
            scores,
            features,
            words,
            asked,
            language,
        })
    }

    fn verdict(mut self, weights: &Weights, input: &ReplyInput<'_>) -> Verdict {
        let calendar = input.nature == Some(Nature::Calendar);
        let mut shares = if calendar || self.words == 0 {
            self.by_rules_alone()
        } else {
            weights.shares(&self.features)
        };
        let mut cap: f64 = 1.0;
        let asked = self.asked == Some(Asked::Step);
        let yes = |e: &String| e == BARE_YES || e == YES_THERE;
        if asked && self.scores.evidence.iter().any(yes) {
            // Nothing but a yes, to a mail that asked for the step.
            let goal = place(Intent::GoalReached);
            for (n, share) in shares.iter_mut().enumerate() {
                *share = if n == goal {
                    share.max(YES)
                } else {
                    share.min(1.0 - YES)
                };
            }
        }
        if self.scores.evidence.iter().any(|rule| rule == CHALLENGE) {
            // A machine that wants to know who writes takes nobody off a list.
            let [leave, neutral] = [Intent::Unsubscribe, Intent::Neutral].map(place);
            shares[neutral] += shares[leave];
            shares[leave] = 0.0;
        }
        let to_nothing = self.scores.yes_alone(self.words) && !asked;
        if to_nothing {
            // A yes to nothing that we asked. What we do not know, a person looks at.
            let [goal, neutral] = [Intent::GoalReached, Intent::Neutral].map(place);
            shares[neutral] += shares[goal];
            shares[goal] = 0.0;
            if self.asked == Some(Asked::Nothing) {
                // Nor does a yes take anybody off a list that we did not speak of.
                let leave = place(Intent::Unsubscribe);
                shares[neutral] += shares[leave];
                shares[leave] = 0.0;
            }
            cap = if self.asked.is_none() {
                UNSURE_CONFIDENCE
            } else {
                cap
            };
        }
        let (mut intent, mut confidence, mut runner_up) = ranking(&shares);
        let by_rule = self.scores.get(Intent::Unsubscribe) >= STRONG;
        let machine = matches!(intent, Intent::Bounce | Intent::OutOfOffice);
        let of_opt_out = shares[place(Intent::Unsubscribe)];
        let by_model = of_opt_out >= OPT_OUT;
        let opt_out = by_model || (by_rule && !machine);
        if opt_out && intent != Intent::Unsubscribe {
            runner_up = Some((intent, confidence));
            confidence = self
                .scores
                .get(Intent::Unsubscribe)
                .min(1.0 - confidence / 2.0);
            intent = Intent::Unsubscribe;
        }
        // Words of a machine in what reads like a person's wish, or the other way round.
        let person_wishes = matches!(intent, Intent::GoalReached | Intent::Question);
        let speaks = self.scores.get(Intent::GoalReached) >= WISH;
        let away = self.scores.get(Intent::OutOfOffice) >= WISH;
        if ((self.scores.machine || away) && person_wishes)
            || (intent == Intent::OutOfOffice && speaks && !self.scores.machine)
        {
            cap = cap.min(UNSURE_CONFIDENCE);
        }
        // A pitch, a machine, an instruction to us; or no acceptance, whatever else it says.
        // Nor is a step of whom it names instead.
        let stopped = self.scores.veto
            || self.scores.refused
            || self.scores.get(Intent::Referral) >= SOMEBODY_ELSE;
        if (self.scores.veto && person_wishes) || (stopped && intent == Intent::GoalReached) {
            cap = cap.min(UNSURE_CONFIDENCE);
        }
        if intent == Intent::Question
            && (self.scores.refused || self.scores.get(Intent::NotInterested) >= FOUND)
        {
            // A refusal that asks is not for the documents to answer.
            cap = cap.min(UNSURE_CONFIDENCE);
        }
        let wishes = self.scores.refused && self.scores.get(Intent::GoalReached) >= STRONG;
        let unread = wishes || of_opt_out >= OPT_OUT_PERHAPS || self.scores.asks_for_another_step();
        if intent == Intent::Neutral && unread {
            // Somebody wishes for a step, but not for ours, or wants no more mail: not to rest.
            cap = cap.min(UNSURE_CONFIDENCE);
        }
        if intent == Intent::GoalReached && confidence >= AGREES && self.scores.surely_names_step()
        {
            confidence = confidence.max(AGREED);
        }
        let goal_type = (intent == Intent::GoalReached)
            .then(|| self.scores.goal_type().unwrap_or(GoalType::Other));
        self.scores.evidence.sort();
        Verdict {
            intent,
            confidence: confidence.min(cap).clamp(0.0, 1.0),
            runner_up,
            goal_type,
            goal_rule: self.scores.names_step(asked, confidence) && !to_nothing && !stopped,
            opt_out,
            opt_out_unsure: false,
            person_words: self.scores.person,
            scheduling: self.scores.scheduling,
            language: self.language,
            evidence: self.scores.evidence,
            model_version: weights.version().to_owned(),
            disagreement: None,
        }
    }

    /// Where there is no text that the model could weigh.
    fn by_rules_alone(&self) -> [f64; CLASSES] {
        let mut shares = [0.0; CLASSES];
        let winner = self.scores.winner();
        let score = self.scores.get(winner);
        shares[place(winner)] = if score > 0.0 { score } else { GUESS };
        shares
    }
}

/// The strongest class, its share, and the next.
fn ranking(shares: &[f64; CLASSES]) -> (Intent, f64, Option<(Intent, f64)>) {
    let mut ranked: Vec<(Intent, f64)> = Intent::ALL.iter().copied().zip(*shares).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (intent, confidence) = ranked.first().copied().unwrap_or((Intent::Neutral, GUESS));
    let next = ranked.get(1).copied().filter(|(_, share)| *share > 0.0);
    (intent, confidence, next)
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
