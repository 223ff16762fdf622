//! The words of the domain as types: no I/O, no clock.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::UtcMs;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub i64);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+ };
}

ids! {
    /// A row of `accounts`.
    AccountId,
    /// A row of `mailboxes`.
    MailboxId,
    /// A row of `mailbox_epochs`.
    EpochId,
    /// A row of `messages`.
    MessageRowId,
    /// A row of `leads` (its integer id, not the operator's `lead_id`).
    LeadRowId,
    /// A row of `campaigns`.
    CampaignId,
    /// A row of `campaign_leads`: one lead in one campaign, the unit of a conversation.
    CampaignLeadId,
    /// A row of `conversations`.
    ConversationId,
    /// A row of `sent_messages`.
    SentId,
    /// A row of `reply_jobs`.
    JobId,
    /// A row of `outbox`.
    OutboxId,
    /// A row of `drafts`.
    DraftId,
    /// A row of `events`; in the order of their commits.
    EventId,
}

/// A word that is not in the list of an enumeration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Unknown {what} {word:?}")]
pub struct UnknownWord {
    /// Which enumeration.
    pub what: &'static str,
    /// The word that was found.
    pub word: String,
}

/// An enumeration whose variants are stored and shown as fixed words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident => $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }
        impl $name {
            /// Every variant, in the order of the declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The word that stands for it in the store and in reports.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::schema::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .enum_values(Some([$($word),+]))
                    .into()
            }
        }
        impl utoipa::ToSchema for $name {}
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(s: &str) -> Result<Self, UnknownWord> {
                match s {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { what: $what, word: s.to_owned() }),
                }
            }
        }
    };
}

mod access;
mod alert;
mod documents;
mod draft;
mod event;
mod newer;
mod server;

pub use access::{Access, Scope};
pub use alert::{AlertEvent, AlertTopic, AlertWay};
pub use documents::{ChunkKind, Citation, DocChunk};
pub use draft::{DraftState, HOLE, has_hole};
pub use event::{EventKind, HookKind};
pub use newer::Newer;
pub use server::Pipelining;

words! {
    /// What kind of mail a message is, by itself (before it is matched).
    Nature, "nature" {
        /// From one of our own addresses, or with one of our own Message-IDs or X- headers.
        Own => "own",
        /// A delivery status report (RFC 3464) or a mail that says the same.
        Bounce => "bounce",
        /// A disposition notification (RFC 8098).
        Receipt => "receipt",
        /// An abuse report (RFC 5965).
        Complaint => "complaint",
        /// A vacation notice, a ticket receipt or another machine's answer (RFC 3834).
        Automatic => "automatic",
        /// Weak signs of bulk mail only: stops an automatic answer, never the capture.
        Bulk => "bulk",
        /// A calendar answer or invitation (RFC 5546).
        Calendar => "calendar",
        /// Encrypted, or TNEF only: nothing that we can read.
        Unreadable => "unreadable",
        /// A person's mail.
        Human => "human",
    }
}

words! {
    /// What became of a captured message: exactly one for each UID (invariant I1).
    Disposition, "disposition" {
        /// Matched, sender verified.
        Reply => "reply",
        /// Matched, but from an address that is not the lead's: never answered.
        ReplyUnverified => "reply_unverified",
        /// Matched, with weak signs of a machine: never answered, sales told.
        HumanUncertain => "human_uncertain",
        /// From a lead, but answering nothing that we know.
        Unmatched => "unmatched",
        /// Concerns nobody we know.
        Ignored => "ignored",
        /// The lead wants no more mail: suppressed.
        OptOut => "opt_out",
        /// A machine's answer.
        AutoReply => "auto_reply",
        /// A delivery report.
        Bounce => "bounce",
        /// A read receipt.
        Receipt => "receipt",
        /// An abuse report: suppressed.
        Complaint => "complaint",
        /// Our own mail come back.
        OwnMail => "own_mail",
        /// From sales or the operator, or answering one of our notices.
        Internal => "internal",
        /// Encrypted, TNEF only, or not parsable.
        Unreadable => "unreadable",
        /// The same mail in another folder, or again under a new UIDVALIDITY.
        Duplicate => "duplicate",
        /// Announced, but never delivered after five tries.
        Vanished => "vanished",
        /// Could not be taken in; kept for a person.
        Quarantined => "quarantined",
    }
}

impl Disposition {
    /// Whether the message counts as a reply of the lead (docs/DECISIONS.md, decision table).
    #[must_use]
    pub fn counts_as_reply(self) -> bool {
        matches!(
            self,
            Self::Reply
                | Self::ReplyUnverified
                | Self::HumanUncertain
                | Self::OptOut
                | Self::Unreadable
        )
    }
}

words! {
    /// How a message came to be captured; only `live` and recent `catch_up` may be answered.
    CaptureSource, "capture source" {
        /// While the listener was up, by push or poll.
        Live => "live",
        /// After an outage, from the cursor on.
        CatchUp => "catch_up",
        /// In the window of an account's first run.
        FirstRun => "first_run",
        /// By `check`, behind the cursor.
        Check => "check",
        /// After a new UIDVALIDITY.
        NewEpoch => "new_epoch",
        /// Fetched again because a later import made it matchable.
        LateMatch => "late_match",
    }
}

words! {
    /// What the lead wants (nine classes).
    Intent, "intent" {
        /// Wants, accepts or confirms a next step.
        GoalReached => "goal_reached",
        /// Asks for information or material.
        Question => "question",
        /// Declines.
        NotInterested => "not_interested",
        /// Declines at this time, perhaps not later.
        NotNow => "not_now",
        /// Wants no more mail, erasure of data, or threatens.
        Unsubscribe => "unsubscribe",
        /// A machine's answer.
        OutOfOffice => "out_of_office",
        /// A delivery failure.
        Bounce => "bounce",
        /// Wrong person, names somebody else.
        Referral => "referral",
        /// Nothing to do.
        Neutral => "neutral",
    }
}

words! {
    /// Which step a lead wants, set only with [`Intent::GoalReached`].
    GoalType, "goal type" {
        /// A visit, tour or inspection.
        Viewing => "viewing",
        /// A call, meeting or demo.
        SalesCall => "sales_call",
        /// Reserve, sign, pay, or a bare yes.
        Other => "other",
    }
}

words! {
    /// How far a campaign's automatic mails go.
    CampaignMode, "campaign mode" {
        /// No answers and no notices.
        Off => "off",
        /// Answers become drafts.
        Draft => "draft",
        /// Acknowledgements are sent, answers become drafts.
        AutoAck => "auto-ack",
        /// Acknowledgements and grounded answers are sent.
        Auto => "auto",
    }
}

words! {
    /// What kind of mail an outbox row is.
    MailKind, "mail kind" {
        /// Tells the lead that the request was received.
        Acknowledgment => "acknowledgment",
        /// Answers a question from documents.
        Answer => "answer",
        /// The one plain confirmation of an opt-out (by setting).
        OptoutConfirmation => "optout_confirmation",
        /// Tells sales of one reply.
        SalesNotice => "sales_notice",
        /// Tells sales of several.
        SalesDigest => "sales_digest",
        /// A campaign's first mail.
        Campaign => "campaign",
        /// Written or approved by a person.
        Manual => "manual",
        /// Tells the operator that an account does not hear or send, or does again.
        Alert => "alert",
    }
}

words! {
    /// Where a mail to a lead stands in our records (`sent_messages.kind`).
    SentKind, "sent kind" {
        /// A campaign's first mail.
        Campaign => "campaign",
        /// An acknowledgement.
        Acknowledgment => "acknowledgment",
        /// An answer.
        Answer => "answer",
        /// A confirmation of an opt-out.
        OptoutConfirmation => "optout_confirmation",
        /// Written or approved by a person.
        Manual => "manual",
    }
}

words! {
    /// How we learned of a Message-ID of a sent mail.
    IdSource, "id source" {
        /// We made it.
        Own => "own",
        /// It was imported.
        Import => "import",
        /// The provider named it in its 250 text.
        Provider => "provider",
        /// A person attached a reply to it.
        Taught => "taught",
        /// It stood on a mail in the Sent folder.
        SentFolder => "sent_folder",
    }
}

words! {
    /// Where an outbox row stands.
    OutboxState, "outbox state" {
        /// Waits for its time.
        Queued => "queued",
        /// An attempt is booked.
        Sending => "sending",
        /// Accepted by the server.
        Sent => "sent",
        /// To be tried again.
        Deferred => "deferred",
        /// Refused for good.
        Rejected => "rejected",
        /// Handed over without an answer: a person decides.
        Unknown => "unknown",
        /// Withdrawn before it left.
        Cancelled => "cancelled",
    }
}

words! {
    /// Whether an account hears its mailbox.
    AccountState, "account state" {
        /// Verified within the last intervals.
        Live => "live",
        /// Hears, with a defect.
        Degraded => "degraded",
        /// Does not hear.
        Down => "down",
        /// The server refuses the credentials: a person is needed.
        NeedsSignIn => "needs_sign_in",
    }
}

mod endpoint;
mod folders;
mod oauth;
pub use endpoint::{Dialect, EndpointState};
pub use folders::{Filed, FilesSent, FolderRole, SenderAuth};
pub use oauth::OAuthState;

words! {
    /// How a reply was matched to the mail that it answers.
    MatchMethod, "match method" {
        /// By In-Reply-To.
        InReplyTo => "in_reply_to",
        /// By References, from the right.
        References => "references",
        /// By the original Message-ID in a delivery or abuse report.
        Report => "report",
        /// By the local part of an id whose domain was changed: our token, or a UUID.
        Token => "token",
        /// By our token in the address at which the mail arrived.
        ReplyAddress => "reply_address",
        /// By our token in Thread-Index, and the sender.
        ThreadIndex => "thread_index",
        /// By the subject, and the sender.
        Subject => "subject",
        /// By the recipient that a delivery report names.
        Recipient => "recipient",
        /// A person attached it.
        Attached => "attached",
        /// By the signed word of our List-Unsubscribe header in its subject.
        Unsubscribe => "unsubscribe",
    }
}

/// The matched sent mail, as the store knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct SentRef {
    /// The sent mail.
    pub sent_id: SentId,
    /// Whose conversation it is.
    pub campaign_lead_id: CampaignLeadId,
    /// The lead's address key.
    pub lead_email_key: String,
    /// When this database learned of the sent mail.
    pub known_at: UtcMs,
}

/// An address of a mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Display name, decoded; empty when there is none.
    pub name: String,
    /// `local@domain` as written.
    pub addr: String,
}

impl Address {
    /// The key by which addresses compare.
    #[must_use]
    pub fn key(&self) -> String {
        address_key(&self.addr)
    }
}

/// The key by which addresses compare: domain lowered and IDNA mapped, local part lowered
/// (docs/DECISIONS.md "Identity"). Empty when there is no `@` with something on both sides.
#[must_use]
pub fn address_key(addr: &str) -> String {
    let addr = addr.trim().trim_start_matches('<').trim_end_matches('>');
    let Some((local, domain)) = addr.rsplit_once('@') else {
        return String::new();
    };
    let domain = domain.trim_end_matches('.');
    if local.is_empty() || domain.is_empty() {
        return String::new();
    }
    let domain = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_lowercase());
    format!("{}@{domain}", local.to_lowercase())
}

/// Which process holds an account, and since which change of owner. The capture transaction
/// checks the epoch: a process that lost its lease cannot write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The account.
    pub account_id: AccountId,
    /// The epoch at which it was taken.
    pub epoch: i64,
    /// The owner's name (host, process id and a random part).
    pub owner: String,
}

/// Where an epoch of a mailbox stands (a row of `mailbox_epochs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// The row.
    pub id: EpochId,
    /// Whose.
    pub mailbox_id: MailboxId,
    /// The server's UIDVALIDITY.
    pub uid_validity: u32,
    /// Lowest covered UID.
    pub floor_uid: u32,
    /// The next UID to look at.
    pub cursor_uid: u32,
    /// Earliest covered INTERNALDATE.
    pub window_from: UtcMs,
    /// UIDs below were there at the first look: never answered automatically.
    pub first_until: u32,
    /// What that first look was: `first_run`, or `new_epoch` when the server changed UIDVALIDITY.
    pub first_source: CaptureSource,
}

/// A mail to be put into the outbox; composed whole, with its Message-ID, before it is stored
/// (invariant I3).
#[derive(Clone, Debug)]
pub struct NewMail {
    /// The reply job that it answers; none for digests, campaign mails and manual ones.
    pub job_id: Option<JobId>,
    /// The account through whose SMTP server it leaves.
    pub account_id: AccountId,
    /// What it is; unique for a job and round.
    pub kind: MailKind,
    /// 0, or how often `process --force --resend` asked again.
    pub round: i64,
    /// The conversation it belongs to.
    pub campaign_lead_id: Option<CampaignLeadId>,
    /// Whether it counts for the brakes: sent to a lead without a person's decision.
    pub automatic: bool,
    /// Canonical Message-ID, without brackets.
    pub rfc_message_id: String,
    /// Envelope sender.
    pub envelope_from: String,
    /// Envelope recipient: one.
    pub envelope_to: String,
    /// Subject, decoded.
    pub subject: String,
    /// The text.
    pub body: String,
    /// Digest of the text: the same twice in a thread stops.
    pub body_digest: String,
    /// The whole RFC 5322 message with CRLF line ends.
    pub raw: Vec<u8>,
    /// Not before.
    pub next_attempt_at: UtcMs,
}

/// What an insert that may meet its own earlier self found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted<T> {
    /// It is new.
    New(T),
    /// It was there already.
    Duplicate(T),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_compare_with_domain_mapped_and_local_part_lowered() {
        assert_eq!(
            address_key("Ann.Lee@BÜCHER.example"),
            "ann.lee@xn--bcher-kva.example"
        );
        assert_eq!(address_key("<a@b.example.>"), "a@b.example");
        assert_eq!(address_key("a@b@c.example"), "a@b@c.example");
        for none in ["", "nobody", "@x.example", "x@"] {
            assert_eq!(address_key(none), "");
        }
    }

    #[test]
    fn words_go_there_and_back() {
        for d in Disposition::ALL {
            assert_eq!(d.as_str().parse::<Disposition>().as_ref(), Ok(d));
        }
        assert!("nonsense".parse::<Intent>().is_err());
    }
}
