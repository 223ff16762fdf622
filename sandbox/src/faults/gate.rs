//! A gate that a session waits at until a test opens it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::stats::Timeout;

#[derive(Clone, Copy, Debug, Default)]
struct State {
    reached: u32,
    open: bool,
}

/// Holds a session at one moment. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<State>>);

impl Gate {
    /// A closed gate that nobody has reached.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }

    /// Opens the gate for good.
    pub fn release(&self) {
        self.0.send_modify(|state| state.open = true);
    }

    /// Waits until a session has come to the gate.
    ///
    /// # Errors
    /// [`Timeout`] when none has before the deadline.
    pub async fn reached(&self, deadline: Duration) -> Result<(), Timeout> {
        let mut changes = self.0.subscribe();
        let reached = changes.wait_for(|state| state.reached > 0);
        match tokio::time::timeout(deadline, reached).await {
            Ok(Ok(_)) => Ok(()),
            // The sender lives in `self`, so a closed channel cannot be.
            Ok(Err(_)) | Err(_) => Err(Timeout {
                what: "a session to reach the gate".to_owned(),
                waited: deadline,
            }),
        }
    }

    /// The session's side: returns when the gate is open.
    pub(crate) async fn pass(&self) {
        let mut changes = self.0.subscribe();
        self.0
            .send_modify(|state| state.reached = state.reached.saturating_add(1));
        // An error would mean that the sender is gone, which `self` holds.
        if changes.wait_for(|state| state.open).await.is_err() {
            tracing::debug!("Gate without a sender");
        }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
