//! IDLE (RFC 2177): the one time when the server speaks first.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::read::MAX_LINE;
use super::{Session, Tagged};
use crate::faults::{AfterDone, IdleEvent, IdleMoment, ImapFault, Plan, raw};
use crate::stats::Count;
use crate::store::{Signal, User};
use crate::wire::{Stop, WireError};

/// Does the IDLE go on?
enum Flow {
    On,
    /// A tagged answer has ended it.
    Ended,
}

/// How this IDLE behaves.
struct Manner {
    mute: bool,
    keep_alive: Option<(Duration, String)>,
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

impl Session {
    pub(super) async fn idle(&mut self, tag: &str, mut plan: Plan) -> Result<(), Stop> {
        if !self.shared.options.idle || self.is_hidden("IDLE") {
            return self.answer(tag, Tagged::bad("Unknown command"), plan).await;
        }
        let Some(user) = self.user.clone() else {
            return self.answer(tag, Tagged::bad("Log in first"), plan).await;
        };
        if let Some(gate) = plan.hold.take() {
            gate.pass().await;
        }
        self.wire.set_hold(false);
        self.check_reset().await?;
        if self.has_news() && self.announces_before_plus() {
            self.sync(true).await?;
        }
        if let Flow::Ended = self.idle_moment(tag, IdleMoment::BeforePlus).await? {
            return Ok(());
        }
        self.pause().await;
        self.wire.line("+ idling");
        self.wire.flush().await?;
        {
            let _idling = user.idle();
            let _counted = self.shared.counters.hold(Count::Idling);
            if let Flow::Ended = self.idle_moment(tag, IdleMoment::AfterPlus).await? {
                return Ok(());
            }
            let manner = self.manner();
            if let Flow::Ended = self.wait_for_done(tag, &user, manner).await? {
                return Ok(());
            }
        }
        let sent_ahead = self.wire.buffered() > 0;
        if sent_ahead && let Some(refusal) = self.after_done() {
            self.wire.discard();
            if refusal == AfterDone::Bad {
                let bad = Tagged::bad("Expected DONE and nothing else");
                return self.answer(tag, bad, plan).await;
            }
        }
        if let Flow::Ended = self.idle_moment(tag, IdleMoment::AtDone).await? {
            return Ok(());
        }
        self.sync(true).await?;
        self.answer(tag, Tagged::ok("IDLE completed"), plan).await
    }

    fn has_news(&self) -> bool {
        self.selected.as_ref().is_some_and(|s| s.has_news())
    }

    fn announces_before_plus(&self) -> bool {
        let early = |fault: &ImapFault| matches!(fault, ImapFault::ExistsBeforePlus).then_some(());
        self.shared
            .faults
            .imap_first(self.address(), early)
            .is_some()
    }

    fn after_done(&self) -> Option<AfterDone> {
        let refusal = |fault: &ImapFault| match fault {
            ImapFault::AfterDone(refusal) => Some(*refusal),
            _ => None,
        };
        let fault = self.shared.faults.imap_first(self.address(), refusal);
        fault.or((!self.shared.options.pipelining).then_some(AfterDone::Drop))
    }

    fn manner(&self) -> Manner {
        let mute = |fault: &ImapFault| matches!(fault, ImapFault::MuteIdle).then_some(());
        let keep_alive = |fault: &ImapFault| match fault {
            ImapFault::KeepAlive { every, line } => Some((*every, line.clone())),
            _ => None,
        };
        let faults = &self.shared.faults;
        Manner {
            mute: faults.imap_first(self.address(), mute).is_some(),
            keep_alive: faults.imap_first(self.address(), keep_alive),
        }
    }

    /// Announces what comes until the client says DONE.
    async fn wait_for_done(
        &mut self,
        tag: &str,
        user: &Arc<User>,
        manner: Manner,
    ) -> Result<Flow, Stop> {
        let mailbox = self.selected.as_ref().map(|s| Arc::clone(&s.mailbox));
        let nothing = Notify::new();
        let news = mailbox.as_ref().map_or(&nothing, |m| &m.changed);
        let logout = self.wire.autologout.map(|d| Instant::now() + d);
        let mut next_keep_alive = manner
            .keep_alive
            .as_ref()
            .map(|(every, _)| Instant::now() + *every);
        let mut announce_at: Option<Instant> = None;
        loop {
            // Listen before looking.
            let mut changed = std::pin::pin!(news.notified());
            changed.as_mut().enable();
            let mut signalled = std::pin::pin!(user.signalled.notified());
            signalled.as_mut().enable();
            match user.signal_since(&mut self.signal_seen) {
                Some(Signal::Disconnect) => return Err(Stop::Abort),
                Some(Signal::Idle(event)) => {
                    if let Flow::Ended = self.happen(tag, event).await? {
                        return Ok(Flow::Ended);
                    }
                }
                None => {}
            }
            if !manner.mute && self.is_due(&mut announce_at) {
                if self.has_news()
                    && let Flow::Ended = self.idle_moment(tag, IdleMoment::AtNews).await?
                {
                    return Ok(Flow::Ended);
                }
                self.sync(true).await?;
            }
            self.wire.flush().await?;
            tokio::select! {
                biased;
                line = self.wire.next_line(MAX_LINE) => match line {
                    Ok(line) if line.eq_ignore_ascii_case(b"DONE") => return Ok(Flow::On),
                    Ok(_) | Err(WireError::BareLf) => {
                        let bad = Tagged::bad("Expected DONE");
                        self.answer(tag, bad, Plan::default()).await?;
                        return Ok(Flow::Ended);
                    }
                    Err(error) => return Err(error.into()),
                },
                () = changed => {}
                () = signalled => {}
                () = at(announce_at) => {}
                () = at(next_keep_alive) => {
                    if let Some((every, line)) = &manner.keep_alive {
                        self.wire.line(line);
                        next_keep_alive = Some(Instant::now() + *every);
                    }
                }
                () = at(logout) => return Err(self.bye("Autologout; idle for too long").await),
            }
        }
    }

    /// May news be announced now? With a delay, only when it has passed since the news came.
    fn is_due(&self, announce_at: &mut Option<Instant>) -> bool {
        let delay = self.shared.options.announce_delay;
        if delay.is_zero() || !self.has_news() {
            *announce_at = None;
            return true;
        }
        let now = Instant::now();
        match announce_at {
            Some(due) if *due <= now => {
                *announce_at = None;
                true
            }
            Some(_) => false,
            None => {
                *announce_at = Some(now + delay);
                false
            }
        }
    }

    async fn idle_moment(&mut self, tag: &str, moment: IdleMoment) -> Result<Flow, Stop> {
        let event = |fault: &ImapFault| match fault {
            ImapFault::Idle { moment: m, event } if *m == moment => Some(event.clone()),
            _ => None,
        };
        match self.shared.faults.imap_first(self.address(), event) {
            Some(event) => self.happen(tag, event).await,
            None => Ok(Flow::On),
        }
    }

    async fn happen(&mut self, tag: &str, event: IdleEvent) -> Result<Flow, Stop> {
        match event {
            IdleEvent::Close => {
                self.wire.flush().await?;
                Err(Stop::Close)
            }
            IdleEvent::Abort => Err(Stop::Abort),
            IdleEvent::Bye(text) => Err(self.bye(&text).await),
            IdleEvent::Tagged(status, text) => {
                let tagged = Tagged(status, text);
                self.answer(tag, tagged, Plan::default()).await?;
                Ok(Flow::Ended)
            }
            IdleEvent::Raw(bytes) => {
                self.wire.push(bytes);
                self.wire.flush().await?;
                Ok(Flow::On)
            }
            IdleEvent::Burst(lines) => {
                self.wire.push(raw::burst(lines));
                self.wire.flush().await?;
                Ok(Flow::On)
            }
            IdleEvent::BlackHole => {
                self.black_hole().await?;
                Ok(Flow::Ended)
            }
        }
    }
}
