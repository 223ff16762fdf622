//! Waiting for news: IDLE or plain polling, never losing an announcement nor hiding a dead peer.
//!
//! One interface for all ways, so that NOTIFY (RFC 5465) can join without touching the listener.
//! The state of the protocol lies in the [`Session`]; here is the policy of one session. Only
//! reads stand in `select!`, as async-imap keeps partial input and a write that is dropped may
//! have sent half. What an IDLE that died means for later sessions is the caller's to decide.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::capabilities::Capabilities;
use super::error::ImapError;
use super::fetch::{Fetch, FetchWhat};
use super::idle::IdleHeard;
use super::limits::{CLOCK_CHECK, CLOCK_JUMP};
use super::refusal::Refusal;
use super::session::Session;
use crate::model::Pipelining;
use crate::time::{self, UtcMs};
use crate::wake::Doorbell;

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The server hinted at news.
    Announced {
        /// When the hint was first seen.
        at: Instant,
    },
    /// The time was up, or the machine slept: look by yourself.
    Due,
    /// The bell rang.
    Rung,
    /// The server ended or refused IDLE: see [`Watch::take_trouble`], and wait again.
    Trouble,
    /// The process stops.
    Stopped,
}

/// What a server did with IDLE instead of letting it run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It ended it by itself.
    Ended {
        /// After so long.
        life: Duration,
    },
    /// It refused it although it offers it.
    Refused,
}

/// How news are learned of in this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The server announces them.
    Idle,
    /// Only by looking: the server offers no IDLE, refuses it, or keeps ending it.
    Poll,
}

/// How to wait in one session.
#[derive(Debug)]
pub struct Watch {
    mode: Mode,
    pipelining: Pipelining,
    silence: Duration,
    /// Whether the server offers IDLE at all.
    offered: bool,
    /// Since when IDLE runs; none: it does not.
    idle_since: Option<Instant>,
    trouble: Option<Trouble>,
    wall: fn() -> UtcMs,
}

impl Watch {
    /// For a new session. `pipelining` is what an earlier one learned of this server; no byte for
    /// `silence` while idling makes it prove that it lives.
    #[must_use]
    pub fn new(caps: &Capabilities, pipelining: Pipelining, silence: Duration) -> Self {
        Self {
            mode: if caps.idle { Mode::Idle } else { Mode::Poll },
            pipelining,
            silence,
            offered: caps.idle,
            idle_since: None,
            trouble: None,
            wall: time::now,
        }
    }

    /// Polls from now on. An IDLE that runs is left by the next [`Watch::leave`].
    pub fn poll(&mut self) {
        self.mode = Mode::Poll;
    }

    /// Uses IDLE again, where the server offers it.
    pub fn idle_again(&mut self) {
        if self.offered {
            self.mode = Mode::Idle;
        }
    }

    /// Whether the server offers IDLE.
    #[must_use]
    pub fn is_idle_offered(&self) -> bool {
        self.offered
    }

    /// How long the IDLE has lived that runs, or that the end of the connection ended; none:
    /// there is none.
    #[must_use]
    pub fn idle_life(&self) -> Option<Duration> {
        self.idle_since.map(|since| since.elapsed())
    }

    /// What the server did with IDLE since this was last asked.
    pub fn take_trouble(&mut self) -> Option<Trouble> {
        self.trouble.take()
    }

    /// Whether the server takes DONE, UID FETCH and IDLE in one write, as far as known: to be
    /// kept for the next session.
    #[must_use]
    pub fn pipelining(&self) -> Pipelining {
        self.pipelining
    }

    /// How news are learned of.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Enters IDLE unless in it or polling, and waits. A hint noted before or between IDLE and
    /// its "+" returns at once. Whatever the server sends in the meantime, it does not last
    /// longer than `until`. IDLE is left running when this returns, to be picked up by the next
    /// call. Not to be dropped while it runs, as it also writes: `bell` and `stop` end it.
    ///
    /// # Errors
    /// What ended the connection; [`ImapError::PipelineRefused`] when IDLE behind a FETCH was
    /// refused. The session must then be dropped.
    pub async fn wait(
        &mut self,
        s: &mut Session,
        until: Instant,
        bell: &Doorbell,
        stop: &CancellationToken,
    ) -> Result<News, ImapError> {
        let clock = Clocks::new(self.wall);
        let mut quiet_since = Instant::now().max(s.last_byte_at());
        s.idle_grace();
        loop {
            if stop.is_cancelled() {
                return Ok(News::Stopped);
            }
            if let Some(at) = s.take_hint() {
                return Ok(News::Announced { at });
            }
            if self.trouble.is_some() {
                return Ok(News::Trouble);
            }
            if Instant::now() >= until || clock.jumped(self.wall) {
                return Ok(News::Due);
            }
            if self.mode == Mode::Idle && !s.is_idling() {
                s.enter_idle().await?;
                quiet_since = Instant::now();
                self.idle_since = Some(quiet_since);
            }
            let unanswered = s.idle_deadline();
            let quiet = quiet_since.max(s.last_byte_at());
            let silent = s.is_idling().then(|| quiet + self.silence);
            let check = Instant::now() + CLOCK_CHECK;
            let wake = [Some(until), unanswered, silent, Some(check)];
            let wake = wake.into_iter().flatten().min().unwrap_or(until);
            // Biased: what has arrived comes before a timer that ran out meanwhile.
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(News::Stopped),
                heard = s.hear() => self.heard(heard?)?,
                () = bell.rung() => return Ok(News::Rung),
                () = sleep_until(wake) => {
                    let now = Instant::now();
                    if unanswered.is_some_and(|at| now >= at) {
                        return Err(self.unanswered(s));
                    }
                    if silent.is_some_and(|at| now >= at) {
                        // It must answer DONE within 15 s; then the loop enters IDLE anew.
                        s.leave_idle().await?;
                        self.idle_since = None;
                    }
                }
            }
        }
    }

    /// Asks whether there is news, in one round trip where the server takes commands behind DONE.
    /// IDLE is left; the next [`Watch::wait`] enters it anew.
    ///
    /// # Errors
    /// As every command.
    pub async fn ask(&mut self, s: &mut Session) -> Result<Option<Instant>, ImapError> {
        if s.is_idling() {
            match s.settle_idle().await {
                Ok(Some(over)) => self.heard(over)?,
                Ok(None) => {}
                Err(e) => return Err(self.learn(e)),
            }
        }
        self.idle_since = None;
        if s.is_idling() && self.pipelining != Pipelining::No {
            s.noop_in_idle().await?;
        } else {
            s.noop().await?;
        }
        Ok(s.take_hint())
    }

    /// Fetches from UID `from_uid` on, after [`News::Announced`] (or at any time). In IDLE, and
    /// unless the server is known not to take it, DONE, UID FETCH and IDLE go out in one write;
    /// else DONE is confirmed first.
    ///
    /// # Errors
    /// As every command. [`ImapError::PipelineRefused`], also from [`Fetch::next`]: reconnect; the
    /// next time it goes in two steps.
    pub async fn fetch_news<'s>(
        &'s mut self,
        s: &'s mut Session,
        from_uid: u32,
    ) -> Result<Fetch<'s>, ImapError> {
        if s.is_idling() {
            // DONE may only follow the "+".
            match s.settle_idle().await {
                Ok(Some(over)) => self.heard(over)?,
                Ok(None) => {}
                Err(e) => return Err(self.learn(e)),
            }
        }
        if s.is_idling() && self.mode == Mode::Idle && self.pipelining != Pipelining::No {
            self.idle_since = Some(Instant::now());
            return s.fetch_in_idle(from_uid, &mut self.pipelining).await;
        }
        self.idle_since = None;
        s.fetch(from_uid, None, FetchWhat::Prefix).await
    }

    /// Leaves IDLE if in it: DONE, and its tagged reply within 15 s.
    ///
    /// # Errors
    /// What ended the connection.
    pub async fn leave(&mut self, s: &mut Session) -> Result<(), ImapError> {
        let left = s.leave_idle().await;
        left.map_err(|e| self.learn(e))?;
        self.idle_since = None;
        Ok(())
    }

    fn heard(&mut self, heard: IdleHeard) -> Result<(), ImapError> {
        match heard {
            IdleHeard::Going => {}
            IdleHeard::Ended => {
                let life = self.idle_life().unwrap_or_default();
                self.trouble = Some(Trouble::Ended { life });
                self.idle_since = None;
            }
            IdleHeard::Refused {
                kind: Refusal::Bad,
                pipelined: true,
            } => return Err(self.learn(ImapError::PipelineRefused)),
            IdleHeard::Refused { kind, .. } => {
                tracing::info!(?kind, "Server refuses IDLE: polling");
                self.trouble = Some(Trouble::Refused);
                self.idle_since = None;
                self.mode = Mode::Poll;
            }
        }
        Ok(())
    }

    fn unanswered(&mut self, s: &mut Session) -> ImapError {
        let e = s.idle_unanswered();
        self.learn(e)
    }

    fn learn(&mut self, e: ImapError) -> ImapError {
        if e == ImapError::PipelineRefused {
            self.pipelining = Pipelining::No;
        }
        e
    }
}

/// The wall clock runs on while the machine sleeps, the monotonic one does not (Linux).
#[derive(Debug)]
struct Clocks {
    wall: UtcMs,
    monotonic: Instant,
}

impl Clocks {
    fn new(wall: fn() -> UtcMs) -> Self {
        Self {
            wall: wall(),
            monotonic: Instant::now(),
        }
    }

    fn jumped(&self, wall: fn() -> UtcMs) -> bool {
        let passed = wall().since(self.wall);
        passed.saturating_sub(self.monotonic.elapsed()) > CLOCK_JUMP
    }
}

#[cfg(test)]
impl Watch {
    /// Replaces the wall clock.
    pub(super) fn with_wall_clock(mut self, wall: fn() -> UtcMs) -> Self {
        self.wall = wall;
        self
    }
}
