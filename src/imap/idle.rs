//! IDLE (RFC 2177), as the session sees it; when to enter and leave it is `watch`'s business.

use std::time::Duration;

use tokio::time::Instant;

use super::error::{ImapError, Step};
use super::fetch::{Fetch, FetchWhat, Pipelined};
use super::limits::DONE;
use super::refusal::Refusal;
use super::session::{Session, note_hint};
use super::wire::{Deadline, Heard, Tagged};
use crate::model::Pipelining;

/// Even past its deadline, what lies in the socket is read.
const GRACE: Duration = Duration::from_secs(1);

/// An IDLE that was asked for.
#[derive(Debug)]
pub(super) struct Idle {
    tag: String,
    /// "+" has come: the server listens for DONE.
    accepted: bool,
    /// When it must have been accepted or refused.
    deadline: Instant,
    /// Written behind a FETCH, in one write with DONE.
    pipelined: bool,
    /// Its tagged reply came while something else was being read.
    answered: Option<Tagged>,
}

/// What became of IDLE with one response.
#[derive(Debug)]
pub(super) enum IdleHeard {
    /// It goes on; a hint may have been noted.
    Going,
    /// The server ended it with a tagged OK.
    Ended,
    /// The server refused it.
    Refused {
        /// NO or BAD.
        kind: Refusal,
        /// Whether it was behind a FETCH in one write.
        pipelined: bool,
    },
}

impl Session {
    /// Whether IDLE is under way or asked for.
    pub(super) fn is_idling(&self) -> bool {
        self.idle.is_some()
    }

    /// When the server must have answered an IDLE that it has not accepted yet.
    pub(super) fn idle_deadline(&self) -> Option<Instant> {
        let waiting = self.idle.as_ref().filter(|i| !i.accepted);
        waiting.map(|i| i.deadline)
    }

    /// The error of an IDLE that was neither accepted nor refused in time.
    pub(super) fn idle_unanswered(&mut self) -> ImapError {
        self.busy = true;
        match &self.idle {
            Some(Idle {
                pipelined: true, ..
            }) => ImapError::PipelineRefused,
            _ => ImapError::Timeout { step: Step::Idle },
        }
    }

    /// "+" came.
    pub(super) fn idle_accepted(&mut self) {
        if let Some(idle) = &mut self.idle {
            idle.accepted = true;
        }
    }

    /// A tagged reply that may be IDLE's came while something else was being read.
    pub(super) fn idle_answered(&mut self, reply: &Tagged) {
        if let Some(idle) = self.idle.as_mut().filter(|i| i.tag == reply.tag) {
            idle.answered = Some(reply.clone());
        }
    }

    /// Sends IDLE; does not wait for "+", as news may come before it.
    pub(super) async fn enter_idle(&mut self) -> Result<(), ImapError> {
        self.begin().await?;
        let tag = self.wire.tag();
        let line = format!("{tag} IDLE\r\n");
        self.wire.send(Step::Idle, line.as_bytes()).await?;
        self.idle = Some(Idle::new(tag, false));
        Ok(())
    }

    /// Reads one response while idling, or while merely waiting. Safe to cancel; no deadline of
    /// its own.
    pub(super) async fn hear(&mut self) -> Result<IdleHeard, ImapError> {
        if self.is_broken() {
            return Err(ImapError::Broken);
        }
        if let Some(reply) = self.idle.as_mut().and_then(|i| i.answered.take()) {
            return Ok(self.idle_over(&reply));
        }
        self.hear_by(Step::Wait, Deadline::none()).await
    }

    async fn hear_by(&mut self, step: Step, by: Deadline) -> Result<IdleHeard, ImapError> {
        let hint = &mut self.hint;
        let heard = self.wire.next(step, by, |r, _| note_hint(hint, r)).await?;
        Ok(match heard {
            Heard::Continue => {
                self.idle_accepted();
                IdleHeard::Going
            }
            Heard::Tagged(reply) if self.idle.as_ref().is_some_and(|i| i.tag == reply.tag) => {
                self.idle_over(&reply)
            }
            Heard::Tagged(_) | Heard::Untagged => IdleHeard::Going,
        })
    }

    fn idle_over(&mut self, reply: &Tagged) -> IdleHeard {
        let pipelined = self.idle.take().is_some_and(|i| i.pipelined);
        match reply.refused {
            None => IdleHeard::Ended,
            Some(kind) => IdleHeard::Refused { kind, pipelined },
        }
    }

    /// Waits for "+": DONE may only follow it (RFC 2177). What else may come is returned.
    pub(super) async fn settle_idle(&mut self) -> Result<Option<IdleHeard>, ImapError> {
        loop {
            let Some(idle) = &mut self.idle else {
                return Ok(None);
            };
            if let Some(reply) = idle.answered.take() {
                return Ok(Some(self.idle_over(&reply)));
            }
            if idle.accepted {
                return Ok(None);
            }
            let left = idle.deadline.saturating_duration_since(Instant::now());
            let left = left.max(GRACE);
            match self.hear_by(Step::Idle, Deadline::after(left)).await {
                Ok(IdleHeard::Going) => {}
                Ok(over) => return Ok(Some(over)),
                Err(ImapError::Timeout { .. }) => return Err(self.idle_unanswered()),
                Err(e) => return Err(e),
            }
        }
    }

    /// Leaves IDLE if it is under way: DONE, and its tagged reply within 15 s. Not to be
    /// cancelled: a dropped call breaks the session.
    pub(super) async fn leave_idle(&mut self) -> Result<(), ImapError> {
        if self.idle.is_none() {
            return Ok(());
        }
        if self.is_broken() {
            return Err(ImapError::Broken);
        }
        self.busy = true;
        if self.settle_idle().await?.is_none() && self.idle.is_some() {
            self.wire.send(Step::Done, b"DONE\r\n").await?;
            let by = Deadline::after(DONE);
            // However it is answered, it is over; a server that had ended it at the same moment
            // takes DONE for a command of its own, whose BAD carries no tag of ours.
            while let IdleHeard::Going = self.hear_by(Step::Done, by).await? {}
        }
        self.busy = false;
        Ok(())
    }

    /// DONE, UID FETCH `from`:* and IDLE in one write: one round trip, and IDLE is up again at
    /// once. The caller has made sure that IDLE was accepted.
    pub(super) async fn fetch_in_idle<'s>(
        &'s mut self,
        from: u32,
        learned: &'s mut Pipelining,
    ) -> Result<Fetch<'s>, ImapError> {
        if self.is_broken() {
            return Err(ImapError::Broken);
        }
        self.busy = true;
        let ending = self.idle.take().map(|i| i.tag);
        let (fetch, idle) = (self.wire.tag(), self.wire.tag());
        let from = from.max(1);
        let items = FetchWhat::Prefix.items();
        let lines = format!("DONE\r\n{fetch} UID FETCH {from}:* {items}\r\n{idle} IDLE\r\n");
        self.wire.send(Step::Fetch, lines.as_bytes()).await?;
        self.idle = Some(Idle::new(idle, true));
        let pipelined = Pipelined {
            ending,
            answered: false,
            learned,
        };
        Ok(Fetch::running(self, fetch, from, pipelined))
    }

    /// DONE and NOOP in one write: one round trip, after which everything that the server has is
    /// announced ([`Session::take_hint`]). A FETCH behind DONE would not do: Dovecot takes new mail
    /// into account between commands only when no other one waits. The caller has made sure that
    /// IDLE was accepted.
    pub(super) async fn noop_in_idle(&mut self) -> Result<(), ImapError> {
        if self.is_broken() {
            return Err(ImapError::Broken);
        }
        self.busy = true;
        self.idle = None;
        let tag = self.wire.tag();
        let lines = format!("DONE\r\n{tag} NOOP\r\n");
        self.wire.send(Step::Noop, lines.as_bytes()).await?;
        let by = Deadline::after(DONE);
        loop {
            let hint = &mut self.hint;
            let heard = self.wire.next(Step::Noop, by, |r, _| note_hint(hint, r));
            if let Heard::Tagged(reply) = heard.await?
                && reply.tag == tag
            {
                self.busy = false;
                return reply.ok(Step::Noop).map(|_| ());
            }
        }
    }

    /// The FETCH before a pipelined IDLE has ended: the time to accept it begins now.
    pub(super) fn idle_due(&mut self) {
        if let Some(idle) = &mut self.idle {
            idle.deadline = Instant::now() + DONE;
        }
    }

    /// The caller was busy elsewhere; the "+" may lie unread in the socket.
    pub(super) fn idle_grace(&mut self) {
        if let Some(idle) = &mut self.idle {
            idle.deadline = idle.deadline.max(Instant::now() + GRACE);
        }
    }
}

impl Idle {
    fn new(tag: String, pipelined: bool) -> Self {
        Self {
            tag,
            accepted: false,
            deadline: Instant::now() + DONE,
            pipelined,
            answered: None,
        }
    }
}
