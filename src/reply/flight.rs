//! The actor's loop with a model endpoint: replies that wait for it do not stand in the way of
//! those that need it not. At most [`AT_ONCE`] are under way, of which [`ASKING`] ask it: an opt-out
//! that our own rules see is decided at once, however many wait for their turn. Their order of ending does not
//! matter, because each is decided on the facts of its own transaction.

use anyhow::anyhow;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{ERROR_SLEEP, JobReport, ReplyActor, is_hopeless};
use crate::time;
use crate::wake::{Doorbell, Woken};

/// Replies that are worked on at the same time.
const AT_ONCE: usize = 32;
/// Those of them that ask the endpoint; the others wait for their turn, each job booked meanwhile.
pub(super) const ASKING: usize = 4;

type Flying = JoinSet<anyhow::Result<JobReport>>;

impl ReplyActor {
    /// As [`ReplyActor::run`].
    pub(super) async fn run_with_endpoint(
        &self,
        stop: CancellationToken,
        bell: Doorbell,
    ) -> anyhow::Result<()> {
        let mut flying = Flying::new();
        loop {
            let sleep = match self.launch(&mut flying, &stop).await {
                Ok(()) if flying.is_empty() => self.sleep_until_due().await,
                // Something else may be due before the slow ones are done; a bell says so.
                Ok(()) => Ok(super::LONGEST_SLEEP),
                Err(error) => Err(error),
            };
            let sleep = match sleep {
                Ok(sleep) => sleep,
                Err(error) if is_hopeless(&error) => return Err(error),
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "reply actor: store failed");
                    ERROR_SLEEP
                }
            };
            let landed = tokio::select! {
                biased;
                woken = bell.sleep(sleep, &stop) => {
                    if woken == Woken::Stopped {
                        return self.land(flying).await;
                    }
                    None
                }
                Some(landed) = flying.join_next() => Some(landed),
            };
            if let Some(landed) = landed {
                match ended(landed) {
                    Ok(()) => {}
                    Err(error) if is_hopeless(&error) => return Err(error),
                    Err(error) => {
                        tracing::error!(error = format!("{error:#}"), "reply actor: store failed");
                    }
                }
            }
        }
    }

    /// Claims what is due, as far as there is room.
    async fn launch(&self, flying: &mut Flying, stop: &CancellationToken) -> anyhow::Result<()> {
        while flying.len() < AT_ONCE && !stop.is_cancelled() {
            let now = time::now();
            let Some(job) = self.claim(now).await? else {
                return Ok(());
            };
            let actor = self.clone();
            flying.spawn(async move { actor.work(job, now, false).await });
        }
        Ok(())
    }

    /// Ends the waiting for the endpoint, and waits for what is then decided.
    async fn land(&self, mut flying: Flying) -> anyhow::Result<()> {
        self.closing.cancel();
        while let Some(landed) = flying.join_next().await {
            if let Err(error) = ended(landed) {
                tracing::error!(error = format!("{error:#}"), "reply actor: store failed");
            }
        }
        Ok(())
    }
}

fn ended(landed: Result<anyhow::Result<JobReport>, tokio::task::JoinError>) -> anyhow::Result<()> {
    match landed {
        Ok(result) => result.map(drop),
        // Its job comes back by itself when its lease has ended.
        Err(join) => Err(anyhow!("A reply was not handled: {join}")),
    }
}
