//! How one session waits: by push or by poll, what a server's doings with IDLE mean for the next
//! half hour, and when a session is replaced by a new one.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::push::{self, MUTE_PERIOD};
use super::{Ended, Listener};
use crate::fault::Fault;
use crate::imap::{Capabilities, ImapError, Mode, Session, Trouble, Watch};
use crate::model::{AccountState, Epoch, Lease, Pipelining};
use crate::status::LookWay;
use crate::store::{PushHealth, StoreError};
use crate::time::{self, UtcMs};

/// When the new session could not be opened: the old one is kept, and it is tried again so much
/// later.
const RENEW_AGAIN: Duration = Duration::from_secs(600);
/// A session is replaced so long before its token ends, or an eighth of its life.
const TOKEN_MARGIN: Duration = Duration::from_secs(300);
/// What is left of a token that ends sooner is not worth a second session.
const SHORTEST_TOKEN: Duration = Duration::from_secs(300);

/// How old a session is, and how old it may become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Age {
    pub(super) since: Instant,
    /// When the access token ends that opened it.
    pub(super) token_ends: Option<UtcMs>,
    pub(super) renew_at: Instant,
}

impl Listener {
    /// How a new session waits, by what earlier ones learned.
    pub(super) async fn watch(
        &self,
        caps: &Capabilities,
    ) -> Result<(Watch, PushHealth), StoreError> {
        let id = self.id;
        let (pipelining, push) = self
            .shared
            .store
            .read(move |r| {
                let pipelining = r.account(id)?.pipelining;
                Ok::<_, StoreError>((pipelining, r.push_health(id)?))
            })
            .await?;
        let silence = self.shared.settings.listen.silence;
        let mut watch = Watch::new(caps, pipelining, silence);
        if push.polls(time::now()) {
            watch.poll();
        }
        Ok((watch, push))
    }

    /// A session that begins now.
    pub(super) fn age(&self, token_ends: Option<UtcMs>) -> Age {
        let now = Instant::now();
        let longest = self.shared.settings.listen.session_max;
        // Gmail and Microsoft 365 end a session with its token. The next token is there well
        // before (at three quarters of its life).
        let token = token_ends
            .map(|at| at.since(time::now()))
            .filter(|left| *left >= SHORTEST_TOKEN)
            .map(|left| left.saturating_sub((left / 8).min(TOKEN_MARGIN)));
        Age {
            since: now,
            token_ends,
            renew_at: now + token.map_or(longest, |token| token.min(longest)),
        }
    }

    /// Opens a session before the old one is ended by the server's rule, or with its token, then
    /// lets the old one go: nothing is missed in between.
    pub(super) async fn renew(
        &self,
        session: &mut Session,
        watch: &mut Watch,
        push: &PushHealth,
        age: &mut Age,
    ) {
        let account = self.account.name.as_str();
        let (mut new, token_ends) = match self.connect().await {
            Ok(connected) => connected,
            Err(e) => {
                // The old one still hears. What is wrong is told when that one ends.
                info!(account, "no second session yet, the old one goes on: {e:#}");
                age.renew_at = Instant::now() + RENEW_AGAIN;
                return;
            }
        };
        let old_s = age.since.elapsed().as_secs();
        *age = self.age(token_ends);
        std::mem::swap(session, &mut new);
        let (pipelining, silence) = (watch.pipelining(), self.shared.settings.listen.silence);
        *watch = Watch::new(session.capabilities(), pipelining, silence);
        if push.polls(time::now()) {
            watch.poll();
        }
        info!(account, old_s, "a new session has replaced the old one");
        new.logout().await;
    }

    /// Keeps what was learned of the server's pipelining.
    pub(super) async fn keep_pipelining(
        &self,
        known: Pipelining,
        watch: &Watch,
    ) -> Result<Pipelining, StoreError> {
        let (id, learned) = (self.id, watch.pipelining());
        if learned != known {
            self.shared
                .store
                .write(move |tx| tx.set_pipelining(id, learned))
                .await?;
        }
        Ok(learned)
    }

    /// The backoff starts anew.
    pub(super) async fn forget_failures(&self) -> Result<(), StoreError> {
        let id = self.id;
        self.shared
            .store
            .write(move |tx| tx.reset_failures(id))
            .await
    }

    /// How often the account is polled.
    pub(super) fn period(&self, push: &PushHealth) -> Duration {
        let period = self.shared.settings.listen.period();
        if push.is_mute() {
            period.min(MUTE_PERIOD)
        } else {
            period
        }
    }

    /// Mail from before this moment should have been announced by now; none: IDLE was not up
    /// long enough for such a promise.
    pub(super) fn should_be_announced(&self, watch: &Watch, push: &PushHealth) -> Option<UtcMs> {
        let now = time::now();
        let due = push::due_before(now, self.period(push));
        (watch.mode() == Mode::Idle && watch.idle_life()? >= now.since(due)).then_some(due)
    }

    /// Draws the conclusions of a poll: pushes that were missed, a server that is trusted again,
    /// IDLE that may be tried again.
    pub(super) async fn judge_pushes(
        &self,
        watch: &mut Watch,
        push: &mut PushHealth,
        missed: u64,
    ) -> Result<(), StoreError> {
        let (account, now) = (self.account.name.as_str(), time::now());
        let before = push.clone();
        if missed > 0 {
            let mute = push.missed(missed, now);
            info!(
                account,
                missed,
                total = push.push_missed,
                "a poll found mail that no push announced"
            );
            if mute {
                warn!(
                    account,
                    "this server does not push: it is polled more often"
                );
            }
        }
        if push.trust_again(now) {
            info!(
                account,
                "no push was missed for hours: the server is trusted again"
            );
        }
        if watch.mode() == Mode::Poll && push.poll_until > 0 && !push.polls(now) {
            push.poll_until = 0;
            watch.idle_again();
            info!(
                account,
                "half an hour of polling is over: IDLE is tried again"
            );
        }
        self.keep_push(&before, push).await
    }

    /// A push brought mail.
    pub(super) async fn pushed(&self, push: &mut PushHealth) -> Result<(), StoreError> {
        let before = push.clone();
        if push.pushed(time::now()) {
            self.keep_push(&before, push).await?;
        }
        Ok(())
    }

    /// Whether the bell was rung for a viewer, and one mailbox that idles is all there is to look
    /// at: then one write tells. Otherwise the whole look is due.
    pub(super) fn is_viewed(&self, watch: &Watch) -> bool {
        self.shared.board.is_asked(self.id)
            && watch.mode() == Mode::Idle
            && self.account.mailboxes.len() == 1
    }

    /// A viewer's look at the idling mailbox: DONE and NOOP in one write, where the server takes it,
    /// and a FETCH when there is news.
    pub(super) async fn view(
        &self,
        session: &mut Session,
        watch: &mut Watch,
        lease: &Lease,
        epoch: &mut Epoch,
    ) -> Result<(), Ended> {
        let (began, at) = (Instant::now(), time::now());
        self.shared.board.begin(self.id);
        if watch.ask(session).await?.is_some() {
            self.take_news(session, watch, lease, epoch, at).await?;
        }
        self.shared
            .board
            .verified(self.id, began, at, LookWay::View);
        debug!(account = %self.account.name, "looked for viewers");
        self.heard(lease).await?;
        Ok(())
    }

    /// The server ended or refused IDLE. Says whether the account is polled from now on.
    pub(super) async fn idle_troubled(
        &self,
        watch: &mut Watch,
        push: &mut PushHealth,
    ) -> Result<bool, StoreError> {
        let before = push.clone();
        let polls = match watch.take_trouble() {
            None => false,
            Some(Trouble::Refused) => {
                push.refused(time::now());
                true
            }
            Some(Trouble::Ended { life }) => push.died(life, time::now()),
        };
        if polls {
            watch.poll();
            self.say_polls(push);
        }
        self.keep_push(&before, push).await?;
        Ok(polls)
    }

    /// The connection ended. When that was an IDLE's death it counts, for the next sessions.
    pub(super) async fn idle_ended(
        &self,
        e: &ImapError,
        watch: &Watch,
        push: &mut PushHealth,
    ) -> Result<(), StoreError> {
        let Some(life) = watch.idle_life().filter(|_| e.ended_idle()) else {
            return Ok(());
        };
        let before = push.clone();
        if push.died(life, time::now()) {
            self.say_polls(push);
        }
        self.keep_push(&before, push).await
    }

    fn say_polls(&self, push: &PushHealth) {
        warn!(
            account = %self.account.name,
            until = %UtcMs(push.poll_until).rfc3339(),
            why = push.poll_reason,
            "polling instead of IDLE for half an hour"
        );
    }

    async fn keep_push(&self, before: &PushHealth, push: &PushHealth) -> Result<(), StoreError> {
        if before == push {
            return Ok(());
        }
        let (id, push) = (self.id, push.clone());
        debug!(account = %self.account.name, "what is known of its pushes has changed");
        self.shared
            .store
            .write(move |tx| tx.set_push_health(id, &push))
            .await
    }

    /// How the account hears: state, words, and the code of what is missing.
    pub(super) fn way(
        &self,
        watch: &Watch,
        push: &PushHealth,
    ) -> (AccountState, String, &'static str) {
        let every = self.period(push).as_secs();
        let now = time::now();
        if push.polls(now) {
            let (until, why) = (UtcMs(push.poll_until).rfc3339(), &push.poll_reason);
            let text = format!("polls every {every} s instead of IDLE until {until}: {why}");
            return (AccountState::Degraded, text, Fault::IdleBroken.code());
        }
        if !watch.is_idle_offered() {
            let text = format!("polls every {every} s: this server offers no IDLE");
            return (AccountState::Live, text, Fault::IdleMissing.code());
        }
        if push.is_mute() {
            let text = format!(
                "this server does not push: polled every {every} s; {} mails were found by polls alone",
                push.push_missed
            );
            return (AccountState::Degraded, text, Fault::IdleBroken.code());
        }
        let text = "hears by push, and polls besides".to_owned();
        (AccountState::Live, text, "")
    }
}
