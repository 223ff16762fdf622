//! UID FETCH, one message at a time, to its own tagged OK.

use std::collections::{BTreeSet, VecDeque};

use async_imap::imap_proto::{AttributeValue, Response};
use chrono::DateTime;

use super::error::{ImapError, Step};
use super::limits::UIDS_PER_FETCH;
use super::quote::unescape;
use super::refusal::Refusal;
use super::session::{Session, note_hint};
use super::wire::{Deadline, Heard, Tagged};
use crate::model::Pipelining;
use crate::time::UtcMs;

/// How much of a message the first fetch takes.
pub const PREFIX_BYTES: u32 = 256 * 1024;
/// How much it takes of a message in a folder beside the idling mailbox: header and text, seldom
/// more. The spam of a day must not hold up a reply.
const START_BYTES: u32 = 64 * 1024;
/// How much a further fetch takes at most: what the guard lets through.
const MORE_BYTES: u32 = 1024 * 1024;
const _: () = assert!(MORE_BYTES as usize <= super::limits::LITERAL_BYTES);

/// What is asked of each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchWhat {
    /// UID, INTERNALDATE, RFC822.SIZE and the first 256 KiB.
    Prefix,
    /// As [`FetchWhat::Prefix`], but the first 64 KiB.
    Start,
    /// UID and INTERNALDATE.
    UidsAndDates,
}

impl FetchWhat {
    pub(super) fn items(self) -> String {
        match self {
            // BODY[], not RFC822: iCloud wants it so; PEEK: \Seen stays as it is.
            Self::Prefix => {
                format!("(UID INTERNALDATE RFC822.SIZE BODY.PEEK[]<0.{PREFIX_BYTES}>)")
            }
            Self::Start => {
                format!("(UID INTERNALDATE RFC822.SIZE BODY.PEEK[]<0.{START_BYTES}>)")
            }
            Self::UidsAndDates => "(UID INTERNALDATE)".to_owned(),
        }
    }
}

/// One message as the server sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Its UID.
    pub uid: u32,
    /// When the server received it; none when it sends nonsense.
    pub internal_date: Option<UtcMs>,
    /// RFC822.SIZE in bytes; servers are known to be off by some.
    pub size: Option<u32>,
    /// The bytes asked for; none: not asked for, or NIL (the message is gone).
    pub body: Option<Vec<u8>>,
}

/// Which FETCH responses are answers to us.
#[derive(Debug)]
pub(super) enum Wanted {
    /// `n:*` always answers with at least the last message, whatever its UID.
    Range(u32, u32),
    Set(BTreeSet<u32>),
}

impl Wanted {
    fn has(&self, uid: u32) -> bool {
        match self {
            Self::Range(from, to) => (*from..=*to).contains(&uid),
            Self::Set(set) => set.contains(&uid),
        }
    }
}

/// A FETCH that goes out together with DONE and IDLE.
#[derive(Debug)]
pub(super) struct Pipelined<'s> {
    /// The tag of the IDLE that DONE ends; none once it was answered.
    pub(super) ending: Option<String>,
    /// Whether anything of the FETCH's answer has come.
    pub(super) answered: bool,
    /// What is learned about the server.
    pub(super) learned: &'s mut Pipelining,
}

/// The answer to a UID FETCH, read message by message. Dropping it before it ended breaks the
/// session.
#[derive(Debug)]
pub struct Fetch<'s> {
    session: &'s mut Session,
    tag: String,
    wanted: Wanted,
    what: FetchWhat,
    /// Further sets to be asked for, one command each.
    more: VecDeque<String>,
    ended: bool,
    /// A NO or BAD: said again to whoever asks again, so that it never looks like the end.
    refusal: Option<ImapError>,
    pipelined: Option<Pipelined<'s>>,
}

impl Session {
    /// Asks for the messages from UID `from` to `to` (none: to the end). Nothing is sent when the
    /// range is empty.
    ///
    /// # Errors
    /// As every command; a NO or BAD comes from [`Fetch::next`].
    pub async fn fetch(
        &mut self,
        from: u32,
        to: Option<u32>,
        what: FetchWhat,
    ) -> Result<Fetch<'_>, ImapError> {
        let from = from.max(1);
        let wanted = Wanted::Range(from, to.unwrap_or(u32::MAX));
        let sets = match to {
            None => VecDeque::from([format!("{from}:*")]),
            Some(to) if to < from => VecDeque::new(),
            Some(to) => VecDeque::from([format!("{from}:{to}")]),
        };
        Fetch::start(self, wanted, sets, what).await
    }

    /// Asks for single messages, 50 to a command. What the server no longer has is left out.
    ///
    /// # Errors
    /// As [`Session::fetch`].
    pub async fn fetch_list(
        &mut self,
        uids: &[u32],
        what: FetchWhat,
    ) -> Result<Fetch<'_>, ImapError> {
        let uids: BTreeSet<u32> = uids.iter().copied().filter(|u| *u > 0).collect();
        let ordered: Vec<u32> = uids.iter().copied().collect();
        let sets = ordered.chunks(UIDS_PER_FETCH).map(|chunk| {
            let words: Vec<String> = chunk.iter().map(u32::to_string).collect();
            words.join(",")
        });
        let sets = sets.collect();
        Fetch::start(self, Wanted::Set(uids), sets, what).await
    }

    /// The bytes of message `uid` from `offset` on, at most `len`: empty at the message's end, or
    /// when the message is gone. `len` beyond 1 MiB is cut to it.
    ///
    /// # Errors
    /// As every command.
    pub async fn fetch_more(
        &mut self,
        uid: u32,
        offset: u32,
        len: u32,
    ) -> Result<Vec<u8>, ImapError> {
        let len = len.min(MORE_BYTES);
        let text = format!("UID FETCH {uid} (UID BODY.PEEK[]<{offset}.{len}>)");
        self.begin().await?;
        self.busy = true;
        let tag = self.wire.tag();
        let line = format!("{tag} {text}\r\n");
        self.wire.send(Step::Fetch, line.as_bytes()).await?;
        let mut part = Vec::new();
        loop {
            let hint = &mut self.hint;
            let heard = self.wire.next(Step::Fetch, Deadline::flowing(), |r, raw| {
                note_hint(hint, r);
                if let Some((index, body)) = body_of(r, raw, uid) {
                    // A server that knows no partial fetch sends the whole message.
                    let skip = offset.saturating_sub(index.unwrap_or(0)) as usize;
                    part = body.get(skip..).unwrap_or_default().to_vec();
                    part.truncate(len as usize);
                }
            });
            match heard.await? {
                Heard::Tagged(reply) if reply.tag == tag => {
                    self.busy = false;
                    return reply.ok(Step::Fetch).map(|_| part);
                }
                Heard::Continue | Heard::Tagged(_) | Heard::Untagged => {}
            }
        }
    }
}

impl<'s> Fetch<'s> {
    async fn start(
        session: &'s mut Session,
        wanted: Wanted,
        more: VecDeque<String>,
        what: FetchWhat,
    ) -> Result<Self, ImapError> {
        session.begin().await?;
        let mut fetch = Self {
            session,
            tag: String::new(),
            wanted,
            what,
            more,
            ended: false,
            refusal: None,
            pipelined: None,
        };
        fetch.ask().await?;
        Ok(fetch)
    }

    /// Takes over a FETCH whose command is written already.
    pub(super) fn running(
        session: &'s mut Session,
        tag: String,
        from: u32,
        pipelined: Pipelined<'s>,
    ) -> Self {
        Self {
            session,
            tag,
            wanted: Wanted::Range(from, u32::MAX),
            what: FetchWhat::Prefix,
            more: VecDeque::new(),
            ended: false,
            refusal: None,
            pipelined: Some(pipelined),
        }
    }

    /// Sends the next command, or ends.
    async fn ask(&mut self) -> Result<(), ImapError> {
        let Some(set) = self.more.pop_front() else {
            self.ended = true;
            return Ok(());
        };
        self.session.busy = true;
        self.tag = self.session.wire.tag();
        let line = format!("{} UID FETCH {set} {}\r\n", self.tag, self.what.items());
        self.session.wire.send(Step::Fetch, line.as_bytes()).await
    }

    /// The next message; none only after the command's own tagged OK. Responses that are no
    /// answer to us (flag changes, UIDs outside the range) are passed over.
    ///
    /// # Errors
    /// A NO or BAD, and whatever ends the connection. [`ImapError::PipelineRefused`]: the server
    /// did not take a command behind DONE.
    pub async fn next(&mut self) -> Result<Option<Fetched>, ImapError> {
        // A fresh deadline for each message: the caller's own work in between does not count.
        let flowing = Deadline::flowing();
        let trial = Deadline::trial();
        if let Some(e) = &self.refusal {
            return Err(e.clone());
        }
        while !self.ended {
            let mut found = None;
            let deadline = if self.on_trial() { trial } else { flowing };
            let (session, wanted, what) = (&mut *self.session, &self.wanted, self.what);
            let hint = &mut session.hint;
            let heard = session.wire.next(Step::Fetch, deadline, |r, raw| {
                note_hint(hint, r);
                found = fetched(r, raw, what).filter(|m| wanted.has(m.uid));
            });
            match heard.await {
                Ok(Heard::Tagged(reply)) => self.tagged(reply).await?,
                Ok(Heard::Continue) => self.session.idle_accepted(),
                Ok(Heard::Untagged) => {}
                Err(e) => return Err(self.failed(e)),
            }
            if found.is_some() {
                if let Some(p) = &mut self.pipelined {
                    p.answered = true;
                }
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Whether the server has yet to show that it takes what follows DONE: then it has 15 s, not
    /// a minute.
    fn on_trial(&self) -> bool {
        self.pipelined
            .as_ref()
            .is_some_and(|p| p.ending.is_some() || (!p.answered && *p.learned != Pipelining::Yes))
    }

    async fn tagged(&mut self, reply: Tagged) -> Result<(), ImapError> {
        if let Some(p) = &mut self.pipelined {
            if p.ending.as_deref() == Some(reply.tag.as_str()) {
                p.ending = None;
                if reply.refused.is_some() {
                    // "BAD Expected DONE": it took the whole write for one line.
                    return Err(self.refused());
                }
                return Ok(());
            }
            if reply.tag == self.tag {
                match reply.refused {
                    None => *p.learned = Pipelining::Yes,
                    Some(Refusal::Bad | Refusal::Bye) => return Err(self.refused()),
                    Some(Refusal::No) => {}
                }
            } else {
                self.session.idle_answered(&reply);
            }
        }
        if reply.tag != self.tag {
            return Ok(());
        }
        self.session.busy = false;
        self.session.idle_due();
        self.ended = true;
        if let Err(e) = reply.ok(Step::Fetch) {
            self.refusal = Some(e.clone());
            return Err(e);
        }
        if !self.more.is_empty() {
            self.ended = false;
            self.ask().await?;
        }
        Ok(())
    }

    fn refused(&mut self) -> ImapError {
        if let Some(p) = &mut self.pipelined {
            *p.learned = Pipelining::No;
        }
        self.session.busy = true;
        ImapError::PipelineRefused
    }

    /// A server that confirmed DONE and then never answered the FETCH behind it has thrown it
    /// away; one that was silent altogether is merely dead.
    fn failed(&mut self, e: ImapError) -> ImapError {
        let swallowed = self
            .pipelined
            .as_ref()
            .is_some_and(|p| p.ending.is_none() && !p.answered);
        if swallowed && matches!(e, ImapError::Timeout { .. }) {
            return self.refused();
        }
        e
    }
}

/// The message in a FETCH response, when it has what `what` asks for; a flag change has not.
fn fetched(response: &Response<'_>, raw: &[u8], what: FetchWhat) -> Option<Fetched> {
    let Response::Fetch(_, attributes) = response else {
        return None;
    };
    let (mut message, mut has_uid, mut has_date, mut has_body) =
        (Fetched::default(), false, false, false);
    for attribute in attributes {
        match attribute {
            AttributeValue::Uid(uid) => {
                message.uid = *uid;
                has_uid = true;
            }
            AttributeValue::InternalDate(date) => {
                message.internal_date = internal_date(date);
                has_date = true;
            }
            AttributeValue::Rfc822Size(size) => message.size = Some(*size),
            AttributeValue::BodySection {
                section: None,
                data,
                ..
            } => {
                message.body = data.as_deref().map(|d| plain(d, raw));
                has_body = true;
            }
            _ => {}
        }
    }
    let ours = match what {
        FetchWhat::Prefix | FetchWhat::Start => has_body || message.size.is_some() || has_date,
        FetchWhat::UidsAndDates => has_date,
    };
    (has_uid && ours).then_some(message)
}

/// The body, and the offset at which the server says that it begins, of a response about `uid`.
fn body_of(response: &Response<'_>, raw: &[u8], uid: u32) -> Option<(Option<u32>, Vec<u8>)> {
    let Response::Fetch(_, attributes) = response else {
        return None;
    };
    let ours = |a: &AttributeValue<'_>| matches!(a, AttributeValue::Uid(u) if *u == uid);
    if !attributes.iter().any(ours) {
        return None;
    }
    attributes.iter().find_map(|a| match a {
        AttributeValue::BodySection {
            section: None,
            index,
            data: Some(data),
        } => Some((*index, plain(data, raw))),
        _ => None,
    })
}

/// A body sent as a quoted string keeps its backslashes in imap-proto, and only the raw block
/// tells which form it was: a quoted one stands behind a `"`, a literal behind a line end.
fn plain(data: &[u8], raw: &[u8]) -> Vec<u8> {
    let at = (data.as_ptr() as usize).wrapping_sub(raw.as_ptr() as usize);
    match at.checked_sub(1).and_then(|before| raw.get(before)) {
        Some(b'"') => unescape(data),
        _ => data.to_vec(),
    }
}

/// RFC 3501 §9 date-time: `dd-Mon-yyyy hh:mm:ss +zzzz`, the day padded with a blank.
fn internal_date(text: &str) -> Option<UtcMs> {
    DateTime::parse_from_str(text.trim(), "%d-%b-%Y %H:%M:%S %z")
        .ok()
        .map(|t| UtcMs(t.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_dates_are_read_to_the_second_with_their_zone_and_nonsense_is_none() {
        for (text, ms) in [
            (" 7-Feb-1994 21:52:25 -0800", Some(760_686_745_000)),
            ("07-Feb-1994 21:52:25 -0800", Some(760_686_745_000)),
            ("1-Jan-1970 00:00:00 +0000", Some(0)),
            (" ", None),
            ("", None),
            ("32-Feb-1994 21:52:25 -0800", None),
            ("yesterday", None),
        ] {
            assert_eq!(internal_date(text).map(|t| t.0), ms, "{text:?}");
        }
    }
}
