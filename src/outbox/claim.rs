//! Keeps the claim of a mail while it is worked on: a living process keeps it however slow the
//! server is, and that of a dead one ends within a minute (invariant I5).

use std::convert::Infallible;

use tokio::time::{Instant, sleep};

use super::{Handled, Inner};
use crate::store::{Attempt, CLAIM_RENEW, ClaimedMail, StoreError};
use crate::time::UtcMs;

impl Inner {
    /// Sends a claimed mail and records the outcome, and keeps the claim meanwhile. `None` when
    /// it was not ours any more.
    pub(super) async fn deliver(
        &self,
        mail: ClaimedMail,
        now: UtcMs,
    ) -> anyhow::Result<Option<Handled>> {
        let attempt = mail.attempt;
        tokio::select! {
            biased;
            handled = self.deliver_held(mail, now) => handled,
            never = self.keep_claim(attempt, now) => match never {},
        }
    }

    /// Prolongs the claim until it is dropped. A claim that another process has settled is not
    /// taken back: the handover or the record finds that out.
    async fn keep_claim(&self, attempt: Attempt, now: UtcMs) -> Infallible {
        let began = Instant::now();
        loop {
            sleep(CLAIM_RENEW).await;
            let at = now.plus(began.elapsed());
            // A lease is about living processes: it does not wait for the disk.
            let renewed: Result<bool, StoreError> = self
                .store
                .book(move |tx| tx.renew_claim(&attempt, at))
                .await;
            match renewed {
                Ok(true) => {}
                Ok(false) => tracing::debug!(mail = %attempt.id, "The claim of a mail was settled"),
                Err(e) => {
                    tracing::warn!(mail = %attempt.id, error = %e, "Could not prolong a claim");
                }
            }
        }
    }
}
