//! What goes into capture and what comes out: messages as they arrived, where they come from, and
//! the report of what became of them.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{AccountId, CaptureSource, Epoch, FolderRole, Lease};
use crate::time::UtcMs;
#[cfg(test)]
use crate::time::millis;

/// The server's clock may differ from ours, and a mail may take its time from receipt to UID.
const MOVED_GRACE: Duration = Duration::from_secs(600);

/// A message as it came from the server.
#[derive(Debug)]
pub struct Arrived {
    /// Its UID.
    pub uid: u32,
    /// The server's INTERNALDATE; none if it sent nonsense: the time of the fetch counts.
    pub internal_date: Option<UtcMs>,
    /// RFC822.SIZE in bytes.
    pub size: u32,
    /// The first bytes of the mail, all of them when it is small.
    pub bytes: Vec<u8>,
    /// When EXISTS was seen.
    pub announced_at: Option<UtcMs>,
    /// When its bytes were here.
    pub fetched_at: UtcMs,
}

/// Where a batch comes from and how far it moves the cursor.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Whose mailbox.
    pub account_id: AccountId,
    /// Which epoch.
    pub epoch: Epoch,
    /// The lease under which it is read; none for a `check` beside a running listener, which
    /// only adds rows behind the cursor.
    pub lease: Option<Lease>,
    /// How it came.
    pub source: CaptureSource,
    /// The cursor after this batch; none leaves it.
    pub cursor_uid: Option<u32>,
    /// When the mailbox was last known to be looked at whole: what the server received well
    /// before was moved in since.
    pub seen_until: Option<UtcMs>,
    /// Names under which the account's server writes Authentication-Results (RFC 8601).
    pub authserv_ids: Vec<String>,
    /// What the mailbox is watched for.
    pub role: FolderRole,
    /// The account's SMTP server.
    pub smtp_host: Arc<str>,
}

impl Origin {
    /// Whether a message is never answered automatically for the way in which it came
    /// (docs/DECISIONS.md): in a first look, by `check`, by a late match, without a date of the
    /// server's own, or moved into the mailbox after the server had received it elsewhere.
    pub(super) fn is_old(&self, arrived: &Arrived) -> bool {
        let Some(date) = arrived.internal_date else {
            return true;
        };
        let moved_in = self
            .seen_until
            .is_some_and(|seen| date < seen.minus(MOVED_GRACE));
        moved_in || !matches!(self.source, CaptureSource::Live | CaptureSource::CatchUp)
    }
}

/// What a check did, in the predecessor's words (M9), and more.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Messages that got a row in this check.
    pub processed: u64,
    /// Replies among them.
    pub new_replies: u64,
    /// Messages beyond the cursor that the process which reads the account has not stored yet.
    pub ahead: u64,
    /// Without In-Reply-To and References, and not matched.
    pub skipped_no_reply_header: u64,
    /// With such headers, but answering nothing known.
    pub skipped_no_match: u64,
    /// The same mail again, in another folder or epoch.
    pub duplicates: u64,
    /// Mails of the Sent folder that got a row.
    pub sent_seen: u64,
    /// Those of them that a person wrote in a thread.
    pub persons_mails: u64,
    /// Messages of the window that `check` found to have their row already.
    pub known: u64,
    /// What went wrong; the first ten.
    pub errors: Vec<String>,
}

impl Report {
    /// Adds another report to this one.
    pub fn add(&mut self, other: &Self) {
        self.processed = self.processed.saturating_add(other.processed);
        self.new_replies = self.new_replies.saturating_add(other.new_replies);
        self.ahead = self.ahead.saturating_add(other.ahead);
        self.skipped_no_reply_header = self
            .skipped_no_reply_header
            .saturating_add(other.skipped_no_reply_header);
        self.skipped_no_match = self.skipped_no_match.saturating_add(other.skipped_no_match);
        self.duplicates = self.duplicates.saturating_add(other.duplicates);
        self.sent_seen = self.sent_seen.saturating_add(other.sent_seen);
        self.persons_mails = self.persons_mails.saturating_add(other.persons_mails);
        self.known = self.known.saturating_add(other.known);
        for e in &other.errors {
            self.error(e.clone());
        }
    }

    /// Notes what went wrong; the first ten are kept.
    pub fn error(&mut self, what: String) {
        if self.errors.len() < 10 {
            self.errors.push(what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EpochId, MailboxId};

    fn origin(source: CaptureSource, seen_until: Option<i64>) -> Origin {
        Origin {
            account_id: AccountId(1),
            epoch: Epoch {
                id: EpochId(1),
                mailbox_id: MailboxId(1),
                uid_validity: 1,
                floor_uid: 1,
                cursor_uid: 1,
                window_from: UtcMs(0),
                first_until: 1,
                first_source: CaptureSource::FirstRun,
            },
            lease: None,
            source,
            cursor_uid: None,
            seen_until: seen_until.map(UtcMs),
            authserv_ids: Vec::new(),
            role: FolderRole::Watched,
            smtp_host: "".into(),
        }
    }

    fn arrived(internal_date: Option<i64>) -> Arrived {
        Arrived {
            uid: 1,
            internal_date: internal_date.map(UtcMs),
            size: 0,
            bytes: Vec::new(),
            announced_at: None,
            fetched_at: UtcMs(0),
        }
    }

    #[test]
    fn mail_that_was_moved_in_or_has_no_date_of_the_server_is_old() {
        let looked = Some(3_600_000);
        let grace = millis(MOVED_GRACE);
        for (source, seen_until, date, old) in [
            (CaptureSource::Live, looked, Some(3_600_001), false),
            (CaptureSource::Live, looked, Some(3_600_000 - grace), false),
            (CaptureSource::Live, looked, Some(3_599_999 - grace), true),
            (CaptureSource::CatchUp, looked, Some(7_000_000), false),
            (CaptureSource::CatchUp, looked, Some(1), true),
            (CaptureSource::Live, None, Some(1), false),
            (CaptureSource::Live, looked, None, true),
            (CaptureSource::FirstRun, None, Some(9_000_000), true),
            (CaptureSource::Check, None, Some(9_000_000), true),
            (CaptureSource::NewEpoch, None, Some(9_000_000), true),
            (CaptureSource::LateMatch, None, Some(9_000_000), true),
        ] {
            let found = origin(source, seen_until).is_old(&arrived(date));
            assert_eq!(found, old, "{source} {seen_until:?} {date:?}");
        }
    }
}
