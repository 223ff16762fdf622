//! One mail understood: what it holds, what kind it is, what was newly written. Pure. Capture,
//! `replyd parse` and `replyd evaluate` use these functions and no others.

mod record;
mod spelling;

pub use record::{AutomaticFacts, BounceFacts, ComplaintFacts, FAILED, NatureFacts, Record};

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::keys::Keys;
use crate::mime::{self, Mail, Page};
use crate::nature::{self, Judged, Ours};
use crate::visible::{self, Visible};

/// A mail, before anything is known of the mail that it answers.
#[derive(Clone, Debug)]
pub struct Understanding {
    /// What it holds.
    pub mail: Mail,
    /// What kind of mail it is.
    pub judged: Judged,
    /// What its sender newly wrote.
    pub visible: Visible,
    /// Our own code failed on it; then it is as an empty mail. A panic on one mail must not
    /// stop a mailbox (invariant I8).
    pub failed: bool,
}

impl Understanding {
    /// What an automatic answer says of the absence. The mail's own date stands for its receipt,
    /// else that of the last server which took it; UTC stands for the person's zone.
    #[must_use]
    pub fn absence(&self) -> nature::Absence {
        let mail = &self.mail;
        let stamped = || {
            let (_, stamp) = mail.header("received")?.rsplit_once(';')?;
            mime::read_date(stamp)
        };
        let senders = mail.from.iter().chain(&mail.reply_to);
        nature::Notice {
            subject: &mail.subject,
            text: &self.visible.new_text,
            received: mail.date.or_else(stamped),
            country: "",
            own: senders.map(|a| a.addr.as_str()).collect(),
        }
        .read()
    }
}

/// Reads a raw message, whole or a prefix of it. `ours` and `keys` tell our own mail from that
/// of others. Never panics.
#[must_use]
pub fn message(raw: &[u8], ours: &Ours, keys: &Keys) -> Understanding {
    match catch_unwind(AssertUnwindSafe(|| read(raw, ours, keys))) {
        Ok(understood) => understood,
        Err(_) => Understanding {
            failed: true,
            ..read(b"", ours, keys)
        },
    }
}

fn read(raw: &[u8], ours: &Ours, keys: &Keys) -> Understanding {
    let mail = mime::parse(raw);
    let judged = nature::judge(&mail, ours, keys);
    let visible = visible::of_mail(&mail);
    Understanding {
        mail,
        judged,
        visible,
        failed: false,
    }
}

/// What kind of body a bare text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// Decoded plain text.
    Text,
    /// HTML.
    Html,
}

/// Splits a bare body: its readable text, and what was newly written in it.
#[must_use]
pub fn body(kind: BodyKind, body: &str) -> (String, Visible) {
    match kind {
        BodyKind::Text => {
            let text = mime::tidy_text(body);
            let visible = visible::split(&text);
            (text, visible)
        }
        BodyKind::Html => {
            let page = Page::read(body);
            (page.text(), visible::split_page(&page))
        }
    }
}

/// The bytes of a bare body as text: UTF-8, or what they are guessed to be.
#[must_use]
pub fn body_in_utf8(bytes: &[u8]) -> String {
    mime::guessed_text(bytes)
}
