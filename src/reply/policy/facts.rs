//! What a decision is made of: the facts about one reply, which the store counted in the same
//! transaction, and what can come of them.

use crate::config::ReplySettings;
use crate::hours::WorkingHours;
use crate::model::Newer;
use crate::model::{CampaignMode, CaptureSource, Disposition, Intent, MessageRowId, SenderAuth};
use crate::time::UtcMs;
use crate::zone::Zone;

/// How many automatic mails went out, counted over what is queued, sent or unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrakeCounts {
    /// For this incoming mail.
    pub for_message: u32,
    /// To this lead (by address) within [`super::LEAD_GAP`].
    pub lead_in_gap: u32,
    /// In this thread, ever.
    pub in_thread: u32,
    /// To this lead (by address) within [`super::DAY`].
    pub lead_in_day: u32,
    /// Through this account within [`super::DAY`].
    pub account_in_day: u32,
    /// To the lead's domain within [`super::DAY`]; 0 where everybody can have an address.
    pub domain_in_day: u32,
    /// Sales notices within [`super::HOUR`], all accounts.
    pub notices_in_hour: u32,
}

/// What the campaign's documents say to a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Grounds {
    /// The campaign has none, or it is no question.
    #[default]
    None,
    /// Not enough to send, and why.
    Below(Vec<String>),
    /// Every question of the mail has an answer that passes; where they stand.
    Passed(Vec<String>),
}

/// From where on a class is believed; the campaign's own, else those of the settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Confidence below which nothing is acknowledged.
    pub goal: f64,
    /// Confidence below which no question is answered.
    pub question: f64,
    /// A refusal as close as this to what was found: a person decides.
    pub margin: f64,
}

impl Thresholds {
    /// Those of the settings.
    #[must_use]
    pub fn of(settings: &ReplySettings) -> Self {
        Self {
            goal: settings.goal_threshold,
            question: settings.question_threshold,
            margin: settings.margin,
        }
    }
}

/// The facts about one reply.
#[derive(Clone, Debug)]
pub struct Situation {
    /// What the message is.
    pub disposition: Disposition,
    /// Whether it belongs to a campaign's lead.
    pub matched: bool,
    /// Whether the sender is the lead.
    pub sender_verified: bool,
    /// How sure the match is, 0 to 1.
    pub match_confidence: f64,
    /// Whether quotes were surely cut off.
    pub visible_sure: bool,
    /// Whether there is any newly written text.
    pub has_text: bool,
    /// Whether another mail has the same Message-ID with other content.
    pub duplicate_id: bool,
    /// How it was captured.
    pub source: CaptureSource,
    /// Whether the capture already knows that it is old.
    pub old_mail: bool,
    /// The server's INTERNALDATE.
    pub internal_date: UtcMs,
    /// When the mail that it answers was known here.
    pub parent_known_at: Option<UtcMs>,
    /// The first start of its account.
    pub first_started_at: UtcMs,
    /// The time of the decision.
    pub now: UtcMs,
    /// The campaign's mode.
    pub mode: CampaignMode,
    /// From where on a class is believed.
    pub thresholds: Thresholds,
    /// Whether the campaign runs.
    pub campaign_active: bool,
    /// Whether the lead's address, or the sender's, gets no mail.
    pub suppressed: bool,
    /// Whether that was so before this very mail opted out.
    pub suppressed_before: bool,
    /// Whether the lead's address bounced for good.
    pub dead_address: bool,
    /// What a person switched off for this lead, in words; none: automation is on.
    pub automation_off: Option<String>,
    /// Counts of the brakes.
    pub counts: BrakeCounts,
    /// Whether the same text went out in this thread before.
    pub equal_text_before: bool,
    /// Whether the lead sent the same text in this thread before.
    pub equal_reply_before: bool,
    /// Whether a person wrote in the thread.
    pub person_wrote: bool,
    /// Whether a person has answered this very reply.
    pub person_answered_it: bool,
    /// Whether sales were told, or will be, of an earlier reply of this thread that wanted the step.
    pub sales_told: bool,
    /// Whether it lay in the spam folder.
    pub from_spam: bool,
    /// What our own server says of its sender.
    pub sender_auth: SenderAuth,
    /// Whether there is a template in the text's language.
    pub language_known: bool,
    /// What the documents say to it.
    pub grounds: Grounds,
    /// Until when it asks to be left alone, or its writer is away, where it names a day.
    pub until: Option<UtcMs>,
    /// When automatic mails leave; none: at any time.
    pub hours: Option<WorkingHours>,
    /// Where those hours are counted.
    pub zone: Zone,
    /// What a person has decided of this reply, in words.
    pub decided_by_person: Option<String>,
    /// What was decided of newer replies of the lead.
    pub newer: Newer,
    /// The same mail in another mailbox, which was read first.
    pub copy_of: Option<MessageRowId>,
    /// Whether a person asked for a second mail (`process --force --resend`).
    pub resend: bool,
}

/// What is to be sent to the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToLead {
    /// Nothing.
    Nothing,
    /// The acknowledgement, now.
    Acknowledge,
    /// The acknowledgement as a draft for a person.
    DraftAcknowledgement,
    /// The answer out of the documents, now.
    Answer,
    /// A greeting as a draft, with what passed the gate; a person writes the answer.
    DraftAnswer,
    /// The plain confirmation of an opt-out.
    ConfirmOptOut,
}

/// How sales are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToSales {
    /// Not at all.
    Nothing,
    /// A notice of its own.
    Notice(NoticeKind),
    /// A line of the next digest, for the reason.
    Digest(DigestReason),
}

/// What a notice is about; each has its template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// The lead wants the step (A6).
    Goal,
    /// The lead asks something; a draft waits.
    Question,
    /// The lead opted out, or complained.
    OptOut,
    /// A person has to look.
    Person,
}

/// Why something stands in a digest; the word in `digest_items.reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestReason {
    /// Captured, but too old for a notice of its own.
    OldMail,
    /// From a lead, but answering nothing that we know.
    Unmatched,
    /// Over the hourly cap of notices.
    Overflow,
    /// The server refused its automatic mail; the outbox writes the word.
    Refused,
}

impl DigestReason {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OldMail => "old_mail",
            Self::Unmatched => "unmatched",
            Self::Overflow => "overflow",
            Self::Refused => "refused",
        }
    }
}

/// How long a lead is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// No campaign mail before.
    pub until: UtcMs,
    /// `asked for later`, `said no` or `away`; the word in `leads.pause_reason`.
    pub why: &'static str,
}

/// What to do about one reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// For the lead.
    pub lead: ToLead,
    /// For sales.
    pub sales: ToSales,
    /// Whether the lead's and the sender's address get no more mail, and why.
    pub suppress: Option<&'static str>,
    /// Whether an answer from the campaign's documents may leave without a person, if one is
    /// found that its own gate lets through.
    pub answerable: bool,
    /// No campaign mail to the lead before, and why.
    pub pause: Option<Pause>,
    /// Whether a pause of the lead ends: it wants something again.
    pub resumes: bool,
    /// Whether the same text came or would go twice: shown to people until one has looked.
    pub flagged: bool,
    /// The automatic mail does not leave before; none: at once.
    pub leave_at: Option<UtcMs>,
    /// What the reply counts as, for the conversation; the classifier's, or the headers'.
    pub intent: Intent,
    /// Why, in the order in which it was found.
    pub reasons: Vec<String>,
}

impl Decision {
    /// What was to leave by itself is a draft: this reply's mail was queued before and taken back, and
    /// is not queued a second time.
    pub fn left_to_a_person(&mut self) {
        let draft = match self.lead {
            ToLead::Acknowledge => ToLead::DraftAcknowledgement,
            ToLead::Answer => ToLead::DraftAnswer,
            _ => return,
        };
        self.lead = draft;
        self.leave_at = None;
        self.reasons
            .push("its automatic mail was taken back before: a person sends it".into());
    }
}
