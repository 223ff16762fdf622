//! The parts of a running process: each has a name, none may end before the stop, and the
//! watchdog hears of those that make no progress.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tracing::{error, info, warn};

/// Everything must have ended this long after a stop.
const SHUTDOWN: Duration = Duration::from_secs(9);
/// While stopping: say what is still waited for.
const SHUTDOWN_SAY: Duration = Duration::from_secs(3);
/// A part that did nothing for so long hangs: each sleeps for a minute at most, and each of its
/// awaits has a deadline shorter than this.
pub(super) const SILENCE: Duration = Duration::from_secs(300);

/// A part as a future.
pub(super) type Part = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// When each watched part last made progress; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Pulse(Arc<Mutex<HashMap<String, Instant>>>);

impl Pulse {
    /// The part made progress just now.
    pub(super) fn beat(&self, name: &str) {
        let mut beats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match beats.get_mut(name) {
            Some(at) => *at = Instant::now(),
            None => drop(beats.insert(name.to_owned(), Instant::now())),
        }
    }

    /// The parts that made none for [`SILENCE`], in order.
    pub(super) fn silent(&self) -> Vec<String> {
        let now = Instant::now();
        let beats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut silent: Vec<String> = beats
            .iter()
            .filter(|(_, at)| now.saturating_duration_since(**at) > SILENCE)
            .map(|(name, _)| name.clone())
            .collect();
        silent.sort();
        silent
    }

    /// Whenever the part is run it makes progress: one that waits for something that never comes
    /// is not run, and neither is one that blocks its thread.
    fn watch(&self, name: &str, mut part: Part) -> Part {
        let (pulse, name) = (self.clone(), name.to_owned());
        pulse.beat(&name);
        Box::pin(poll_fn(move |cx| {
            pulse.beat(&name);
            part.as_mut().poll(cx)
        }))
    }
}

/// The parts that run, by name.
#[derive(Debug, Default)]
pub(super) struct Parts {
    tasks: JoinSet<anyhow::Result<()>>,
    names: HashMap<Id, String>,
    /// Of those that are watched.
    pub(super) pulse: Pulse,
}

impl Parts {
    /// Starts a part.
    pub(super) fn spawn(&mut self, name: &str, part: Part) {
        let task = self.tasks.spawn(part);
        self.names.insert(task.id(), name.to_owned());
    }

    /// Starts a part that never sleeps longer than a minute: the watchdog hears when it hangs.
    pub(super) fn spawn_watched(&mut self, name: &str, part: Part) {
        let part = self.pulse.watch(name, part);
        self.spawn(name, part);
    }

    /// Waits for the first part that ends, which none may: why. Safe to cancel.
    pub(super) async fn first_end(&mut self) -> anyhow::Error {
        match self.next().await {
            Some((name, Ok(Ok(())))) => anyhow!("The {name} ended by itself"),
            Some((name, Ok(Err(e)))) => e.context(format!("The {name} ended")),
            Some((name, Err(join))) => anyhow!("The {name} failed: {join}"),
            None => anyhow!("There is nothing left to run"),
        }
    }

    async fn next(&mut self) -> Option<(String, Result<anyhow::Result<()>, JoinError>)> {
        let (id, ended) = match self.tasks.join_next_with_id().await? {
            Ok((id, ended)) => (id, Ok(ended)),
            Err(join) => (join.id(), Err(join)),
        };
        let name = self.names.remove(&id).unwrap_or_else(|| "task".into());
        Some((name, ended))
    }

    fn waiting(&self) -> String {
        let mut names: Vec<&str> = self.names.values().map(String::as_str).collect();
        names.sort_unstable();
        names.join(", ")
    }

    /// After the stop: waits for all parts, naming what it still waits for, then aborts and awaits
    /// the rest. Gives the names of those that had to be aborted.
    pub(super) async fn drain(mut self) -> String {
        let deadline = Instant::now() + SHUTDOWN;
        let mut say = Instant::now() + SHUTDOWN_SAY;
        loop {
            match tokio::time::timeout_at(say.min(deadline), self.next()).await {
                Ok(Some((_, Ok(Ok(()))))) => {}
                Ok(Some((name, Ok(Err(e))))) => error!("The {name} ended with an error: {e:#}"),
                Ok(Some((name, Err(join)))) => error!("The {name} failed while stopping: {join}"),
                Ok(None) => return String::new(),
                Err(_) if Instant::now() < deadline => {
                    info!("stopping, still waiting for: {}", self.waiting());
                    say = Instant::now() + SHUTDOWN_SAY;
                }
                Err(_) => {
                    let left = self.waiting();
                    warn!("stopping without: {left}");
                    self.tasks.shutdown().await;
                    return left;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn ends(parts: &mut Parts, name: &str, result: anyhow::Result<()>) {
        parts.spawn(name, Box::pin(async move { result }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_ends_fails_or_panics_is_named() {
        for name in ["outbox", "reply actor", "web server", "lease keeper"] {
            let mut parts = Parts::default();
            parts.spawn("other", Box::pin(pending()));
            ends(&mut parts, name, Ok(()));
            let why = format!("{:#}", parts.first_end().await);
            assert_eq!(why, format!("The {name} ended by itself"));
            ends(&mut parts, name, Err(anyhow!("disk")));
            let why = format!("{:#}", parts.first_end().await);
            assert_eq!(why, format!("The {name} ended: disk"));
            parts.spawn(name, Box::pin(async { panic!("on purpose") }));
            let why = format!("{:#}", parts.first_end().await);
            assert!(why.starts_with(&format!("The {name} failed: ")), "{why}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_within_its_deadline_and_says_without_whom() {
        let mut parts = Parts::default();
        parts.spawn("outbox", Box::pin(pending()));
        parts.spawn("account desk", Box::pin(pending()));
        ends(&mut parts, "web server", Ok(()));
        let began = Instant::now();
        assert_eq!(parts.drain().await, "account desk, outbox");
        assert_eq!(began.elapsed(), SHUTDOWN);
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_hangs_is_silent_and_one_that_wakes_is_not() {
        let mut parts = Parts::default();
        parts.spawn_watched("outbox", Box::pin(pending()));
        parts.spawn_watched(
            "reply actor",
            Box::pin(async {
                loop {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
            }),
        );
        tokio::time::sleep(SILENCE / 2).await;
        assert_eq!(parts.pulse.silent(), Vec::<String>::new());
        tokio::time::sleep(SILENCE).await;
        assert_eq!(parts.pulse.silent(), ["outbox"]);
    }
}
