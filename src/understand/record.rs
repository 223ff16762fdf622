//! What `replyd parse` prints of a message: the schema of docs/PARSE.md.

use serde::Serialize;

use super::spelling::Spellings;
use super::{BodyKind, Understanding};
use crate::mime::Attachment;
use crate::model::{Address, Nature};
use crate::msgid::MsgId;
use crate::nature::{self, Automatic, BounceClass};
use crate::time::UtcMs;
use crate::visible::Visible;

/// In `malformed`: replyd itself failed on the message.
pub const FAILED: &str = "replyd_failed";

/// One message, or one bare body. Absent values are null, absent lists are empty.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// The file's name as it was given.
    pub file: String,
    /// What kind of mail it is; null for a bare body.
    pub nature: Option<NatureFacts>,
    /// Message-ID, without angle brackets, as it was written.
    pub message_id: Option<String>,
    /// In-Reply-To, in order.
    pub in_reply_to: Vec<String>,
    /// References, in order.
    pub references: Vec<String>,
    /// Address of the first From.
    pub from: Option<String>,
    /// Addresses of To.
    pub to: Vec<String>,
    /// Subject, decoded.
    pub subject: Option<String>,
    /// Date, in UTC: the sender's claim.
    pub date: Option<UtcMs>,
    /// What a person would read, quotes and signature included.
    pub text: Option<String>,
    /// What the sender newly wrote, without the signature.
    pub visible_text: Option<String>,
    /// What is quoted.
    pub quoted_text: Option<String>,
    /// Signature and disclaimer.
    pub signature: Option<String>,
    /// Parts that are not shown as text.
    pub attachments: Vec<Attachment>,
    /// What is odd about the message, as fixed words.
    pub malformed: Vec<String>,
}

/// What kind of mail it is, and why.
#[derive(Clone, Debug, Serialize)]
pub struct NatureFacts {
    /// The one kind.
    pub kind: Nature,
    /// What a bounce says; null for every other kind.
    pub bounce: Option<BounceFacts>,
    /// What an automatic mail says; null for every other kind.
    pub automatic: Option<AutomaticFacts>,
    /// What an abuse report says; null for every other kind.
    pub complaint: Option<ComplaintFacts>,
    /// The signs that decided.
    pub evidence: Vec<String>,
}

/// What a delivery report says.
#[derive(Clone, Debug, Serialize)]
pub struct BounceFacts {
    /// Failed, delayed or delivered.
    pub class: BounceClass,
    /// Enhanced status code (RFC 3463).
    pub status: Option<String>,
    /// Whether the address is gone.
    pub address_dead: Option<bool>,
    /// The failed addresses.
    pub recipients: Vec<String>,
    /// Message-ID of the mail that it is about.
    pub original_message_id: Option<String>,
}

/// What an abuse report says.
#[derive(Clone, Debug, Serialize)]
pub struct ComplaintFacts {
    /// Who complains, as far as the report says.
    pub recipients: Vec<String>,
    /// Message-ID of the mail that it is about.
    pub original_message_id: Option<String>,
}

/// What an automatic mail says.
#[derive(Clone, Debug, Serialize)]
pub struct AutomaticFacts {
    /// Vacation, acknowledgement, challenge, report or other. Who has left for good is away too.
    pub subtype: Automatic,
    /// The person has left for good, or the address is used no more.
    pub departed: bool,
    /// When the person is back: `YYYY-MM-DD`.
    pub return_date: Option<String>,
    /// Whom to turn to meanwhile.
    pub stand_in: Option<String>,
}

impl Record {
    /// The record of a message; `raw` are its bytes, for the spelling of ids.
    #[must_use]
    pub fn of_message(file: &str, raw: &[u8], u: &Understanding) -> Self {
        let mail = &u.mail;
        let ids = mail.message_id.iter().chain(&mail.in_reply_to);
        let ids = ids.chain(&mail.references);
        let spellings = Spellings::of(raw, ids.chain(&u.judged.original_message_id));
        let id = |id: &MsgId| spellings.get(id);
        let original = || u.judged.original_message_id.as_ref().map(id);
        let bounce = u.judged.bounce.as_ref().map(|b| BounceFacts {
            class: b.class,
            status: b.status.clone(),
            address_dead: b.address_dead,
            recipients: b.recipients.clone(),
            original_message_id: original(),
        });
        let complaint = (u.judged.nature == Nature::Complaint).then(|| ComplaintFacts {
            recipients: nature::complained_of(mail, &u.judged),
            original_message_id: original(),
        });
        let automatic = u.judged.automatic.map(|kind| {
            let absence = u.absence();
            let departed = kind == Automatic::Departed;
            AutomaticFacts {
                subtype: if departed { Automatic::Vacation } else { kind },
                departed,
                return_date: absence.return_date.map(|d| d.to_string()),
                stand_in: absence.stand_in.map(|s| s.to_string()),
            }
        });
        let address = |a: &Address| a.addr.clone();
        let mut malformed = mail.malformed.clone();
        if u.failed {
            malformed.push(FAILED.to_owned());
        }
        Self {
            nature: Some(NatureFacts {
                kind: u.judged.nature,
                bounce,
                automatic,
                complaint,
                evidence: u.judged.evidence.clone(),
            }),
            message_id: mail.message_id.as_ref().map(id),
            in_reply_to: mail.in_reply_to.iter().map(id).collect(),
            references: mail.references.iter().map(id).collect(),
            from: mail.from.as_ref().map(address),
            to: mail.to.iter().map(address).collect(),
            subject: some(&mail.subject),
            date: mail.date,
            attachments: mail.attachments.clone(),
            malformed,
            ..Self::of_text(file, &mail.text, &u.visible)
        }
    }

    /// The record of a bare body.
    #[must_use]
    pub fn of_body(file: &str, kind: BodyKind, body: &str) -> Self {
        let (text, visible) = super::body(kind, body);
        Self::of_text(file, &text, &visible)
    }

    fn of_text(file: &str, text: &str, visible: &Visible) -> Self {
        Self {
            file: file.to_owned(),
            nature: None,
            message_id: None,
            in_reply_to: Vec::new(),
            references: Vec::new(),
            from: None,
            to: Vec::new(),
            subject: None,
            date: None,
            text: some(text),
            visible_text: some(&visible.new_text),
            quoted_text: some(&visible.quoted),
            signature: some(&visible.signature_and_disclaimer()),
            attachments: Vec::new(),
            malformed: Vec::new(),
        }
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
