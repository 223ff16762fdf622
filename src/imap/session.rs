//! The commands that we use, each read to its own tagged reply under a deadline (invariant I2).
//!
//! After an I/O error, a parse error, a time-out, a BYE, or a command whose future or
//! [`Fetch`](super::Fetch) was dropped half-way, every later call returns
//! [`ImapError::Broken`]: nobody can know what the next bytes belong to.

use std::collections::VecDeque;
use std::time::Duration;

use async_imap::imap_proto::{MailboxDatum, Response, ResponseCode, StatusAttribute};
use chrono::DateTime;
use tokio::time::Instant;

use super::capabilities::Capabilities;
use super::error::{ImapError, Step};
use super::idle::Idle;
use super::limits::{COMMAND, LOGOUT};
use super::quote::{can_be_quoted, mailbox, quoted};
use super::wire::{Tagged, Wire};
use crate::time::UtcMs;

/// What EXAMINE says of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Examined {
    /// A UID means something only together with this (RFC 3501 §2.3.1.1).
    pub uid_validity: u32,
    /// The next UID; mail.163.com and Winmail say none.
    pub uid_next: Option<u32>,
    /// Number of messages.
    pub exists: u32,
}

/// What STATUS says of a mailbox that need not be selected; what the server left out is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The next UID.
    pub uid_next: Option<u32>,
    /// UIDVALIDITY.
    pub uid_validity: Option<u32>,
    /// Number of messages.
    pub messages: Option<u32>,
}

/// A signed-in connection.
#[derive(Debug)]
pub struct Session {
    pub(super) wire: Wire,
    caps: Capabilities,
    /// When news were first hinted at since the last [`Session::take_hint`].
    pub(super) hint: Option<Instant>,
    /// A command is under way, or was dropped.
    pub(super) busy: bool,
    /// IDLE is under way (or asked for).
    pub(super) idle: Option<Idle>,
}

impl Session {
    pub(super) fn new(wire: Wire, caps: Capabilities) -> Self {
        Self {
            wire,
            caps,
            hint: None,
            busy: false,
            idle: None,
        }
    }

    /// What the server can do, as of the sign-in.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.caps
    }

    /// Changes what the server can do, in tests.
    #[cfg(test)]
    pub(super) fn offer(&mut self, change: impl FnOnce(&mut Capabilities)) {
        change(&mut self.caps);
    }

    /// Whether every later call returns [`ImapError::Broken`].
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.busy || self.wire.is_dead()
    }

    /// When EXISTS, EXPUNGE or a new UIDVALIDITY was first seen, wherever it stood, since this
    /// was last called. It is a hint only: the cursor is the truth.
    pub fn take_hint(&mut self) -> Option<Instant> {
        self.hint.take()
    }

    /// Bytes received since the connection was opened.
    #[must_use]
    pub fn bytes_received(&self) -> u64 {
        self.wire.bytes_received()
    }

    /// When the last byte came.
    #[must_use]
    pub fn last_byte_at(&self) -> Instant {
        self.wire.last_byte_at()
    }

    /// Opens `name` (UTF-8) for reading only.
    ///
    /// # Errors
    /// [`ImapError::NoUidValidity`] when the server does not say it; and as every command.
    pub async fn examine(&mut self, name: &str) -> Result<Examined, ImapError> {
        let (mut exists, mut uid_next, mut uid_validity) = (0, None, None);
        let text = format!("EXAMINE {}", mailbox(name));
        let reply = self.command(Step::Examine, &text, COMMAND, false, |r| match r {
            Response::MailboxData(MailboxDatum::Exists(n)) => exists = *n,
            Response::Data { outcome, .. } | Response::Done { outcome, .. } => match outcome.code {
                Some(ResponseCode::UidValidity(v)) => uid_validity = Some(v),
                Some(ResponseCode::UidNext(n)) => uid_next = Some(n),
                _ => {}
            },
            _ => {}
        });
        reply.await?;
        // What was hinted at before belongs to the mailbox that was open then; the caller
        // fetches from its cursor on now.
        self.hint = None;
        let uid_validity = uid_validity
            .filter(|v| *v > 0)
            .ok_or(ImapError::NoUidValidity)?;
        Ok(Examined {
            uid_validity,
            uid_next,
            exists,
        })
    }

    /// Asks for a mailbox that need not be selected. Some servers are slow at it: not for every
    /// minute of many mailboxes.
    ///
    /// # Errors
    /// As every command.
    pub async fn status(&mut self, name: &str) -> Result<Status, ImapError> {
        let mut found = Status::default();
        // Only classic items: imap-proto fails on the whole response otherwise.
        let text = format!("STATUS {} (MESSAGES UIDNEXT UIDVALIDITY)", mailbox(name));
        let reply = self.command(Step::Status, &text, COMMAND, true, |r| {
            let Response::MailboxData(MailboxDatum::Status { status, .. }) = r else {
                return;
            };
            for item in status {
                match item {
                    StatusAttribute::UidNext(n) => found.uid_next = Some(*n),
                    StatusAttribute::UidValidity(v) => found.uid_validity = Some(*v),
                    StatusAttribute::Messages(n) => found.messages = Some(*n),
                    _ => {}
                }
            }
        });
        reply.await?;
        Ok(found)
    }

    /// The UIDs of the open mailbox whose INTERNALDATE is not before the day of `since` (UTC),
    /// as the server counts days: SINCE disregards time and zone (RFC 3501 §6.4.4), so ask for a
    /// day more than you need and filter. For a window of days, not for a whole mailbox: the
    /// answer is one line, and a line is parsed anew at each read.
    ///
    /// # Errors
    /// As every command.
    pub async fn search_since(&mut self, since: UtcMs) -> Result<Vec<u32>, ImapError> {
        let day = DateTime::from_timestamp_millis(since.0).unwrap_or_default();
        let text = format!("UID SEARCH SINCE {}", day.format("%-d-%b-%Y"));
        let mut uids = Vec::new();
        let reply = self.command(Step::Search, &text, COMMAND, true, |r| {
            if let Response::MailboxData(MailboxDatum::Search(found)) = r {
                uids.extend_from_slice(found);
            }
        });
        reply.await?;
        Ok(uids)
    }

    /// As [`Session::search_since`], of the UIDs `first` to `last` alone: the answer is no longer
    /// than that range.
    ///
    /// # Errors
    /// As every command.
    pub async fn search_between(
        &mut self,
        first: u32,
        last: u32,
        since: UtcMs,
    ) -> Result<Vec<u32>, ImapError> {
        let day = DateTime::from_timestamp_millis(since.0).unwrap_or_default();
        let day = day.format("%-d-%b-%Y");
        let text = format!("UID SEARCH UID {first}:{last} SINCE {day}");
        let mut uids = Vec::new();
        let reply = self.command(Step::Search, &text, COMMAND, true, |r| {
            if let Response::MailboxData(MailboxDatum::Search(found)) = r {
                uids.extend_from_slice(found);
            }
        });
        reply.await?;
        Ok(uids)
    }

    /// The UIDs of the open mailbox whose Message-ID field contains `id` (without brackets),
    /// whatever its case (RFC 3501 §6.4.4): the caller compares. Nothing is asked where the id
    /// cannot stand in a quoted string.
    ///
    /// # Errors
    /// As every command.
    pub async fn search_message_id(&mut self, id: &str) -> Result<Vec<u32>, ImapError> {
        let mut uids = Vec::new();
        if id.is_empty() || !can_be_quoted(id) {
            return Ok(uids);
        }
        let text = format!("UID SEARCH HEADER Message-ID {}", quoted(id));
        let reply = self.command(Step::Search, &text, COMMAND, true, |r| {
            if let Response::MailboxData(MailboxDatum::Search(found)) = r {
                uids.extend_from_slice(found);
            }
        });
        reply.await?;
        Ok(uids)
    }

    /// Lets the server say what is new; see [`Session::take_hint`].
    ///
    /// # Errors
    /// As every command.
    pub async fn noop(&mut self) -> Result<(), ImapError> {
        let reply = self.command(Step::Noop, "NOOP", COMMAND, true, |_| ());
        reply.await.map(|_| ())
    }

    /// Says good-bye, within 5 s in all; the connection is of no use afterwards. Servers count
    /// connections that were merely dropped against their limit for a while.
    pub async fn logout(&mut self) {
        let goodbye = async {
            self.leave_idle().await?;
            self.command(Step::Logout, "LOGOUT", LOGOUT, false, |_| ())
                .await
        };
        match tokio::time::timeout(LOGOUT, goodbye).await {
            Ok(Ok(_)) => {}
            Ok(Err(e)) => tracing::debug!(error = %e, "Logout failed"),
            Err(_) => tracing::debug!("Logout was not answered in time"),
        }
        self.busy = true;
    }

    /// Refuses to go on after a failure or a dropped command, and leaves IDLE.
    pub(super) async fn begin(&mut self) -> Result<(), ImapError> {
        if self.is_broken() {
            return Err(ImapError::Broken);
        }
        self.leave_idle().await
    }

    /// Runs one command to its own tagged reply. `hints`: whether EXISTS and the like are news.
    pub(super) async fn command(
        &mut self,
        step: Step,
        text: &str,
        limit: Duration,
        hints: bool,
        mut see: impl FnMut(&Response<'_>),
    ) -> Result<Tagged, ImapError> {
        self.begin().await?;
        self.busy = true;
        let tag = self.wire.tag();
        let line = format!("{tag} {text}\r\n");
        let hint = &mut self.hint;
        let see = |r: &Response<'_>| {
            if hints {
                note_hint(hint, r);
            }
            see(r);
        };
        let mut none = VecDeque::new();
        let reply = self
            .wire
            .exchange(step, &tag, line.as_bytes(), &mut none, limit, see)
            .await?;
        self.busy = false;
        reply.ok(step)
    }
}

/// Keeps the moment of the first sign of news.
pub(super) fn note_hint(hint: &mut Option<Instant>, response: &Response<'_>) {
    let news = match response {
        Response::MailboxData(MailboxDatum::Exists(_))
        | Response::Expunge(_)
        | Response::Vanished { .. } => true,
        Response::Data { outcome, .. } => {
            matches!(outcome.code, Some(ResponseCode::UidValidity(_)))
        }
        _ => false,
    };
    if news {
        hint.get_or_insert_with(Instant::now);
    }
}
