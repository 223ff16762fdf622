//! Bytes of mail in flight over all accounts: one bound for the whole process (invariant I8).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::limits::LITERAL_BYTES;

/// A count of bytes that all connections share; clones are the same budget.
#[derive(Clone, Debug)]
pub struct ByteBudget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: usize,
    used: AtomicUsize,
}

impl ByteBudget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let used = AtomicUsize::new(0);
        Self(Arc::new(Inner { limit, used }))
    }

    /// Bytes that are reserved at this moment.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Whether one more response of full size might not fit.
    pub(super) fn is_tight(&self) -> bool {
        let used = self.used();
        used > 0 && used.saturating_add(LITERAL_BYTES) > self.0.limit
    }

    /// An empty reservation, to be grown.
    pub(super) fn reservation(&self) -> Reservation {
        Reservation {
            budget: self.clone(),
            bytes: 0,
        }
    }
}

/// Bytes taken out of a budget until this is dropped or cleared.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: ByteBudget,
    bytes: usize,
}

impl Reservation {
    /// Takes `more` bytes; false, and nothing taken, when the budget does not hold them.
    pub(super) fn grow(&mut self, more: usize) -> bool {
        let limit = self.budget.0.limit;
        let taken = self
            .budget
            .0
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(more).filter(|sum| *sum <= limit)
            })
            .is_ok();
        if taken {
            self.bytes = self.bytes.saturating_add(more);
        }
        taken
    }

    /// Whether it holds nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Gives everything back.
    pub(super) fn clear(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.budget.0.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_share_one_limit_and_give_back_when_dropped() {
        let budget = ByteBudget::new(100);
        let (mut a, mut b) = (budget.reservation(), budget.reservation());
        assert!(a.grow(60));
        assert!(!b.grow(41));
        assert!(b.grow(40));
        assert_eq!(budget.used(), 100);
        drop(a);
        assert_eq!(budget.used(), 40);
        b.clear();
        assert!(b.grow(100));
        assert!(!b.grow(usize::MAX));
    }
}
