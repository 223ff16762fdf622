//! When an endpoint is left alone: after three failures in a row for a minute, then one request
//! tries it. Pure.

use std::time::Duration;

use crate::model::EndpointState;
use crate::time::UtcMs;

/// Failures in a row.
const FAILURES: u32 = 3;
/// How long it is left alone.
const REST: Duration = Duration::from_secs(60);
/// Longest wait that a Retry-After of the server brings about.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Whether a request may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Yes.
    Free,
    /// Yes, as the one that tries whether it is back.
    Probe,
    /// Not before this.
    Wait(UtcMs),
}

/// May a request be made at `now`? `probing`: one is under way that tries it.
#[must_use]
pub fn turn(state: &EndpointState, probing: bool, now: UtcMs) -> Turn {
    match state.open_until {
        None => Turn::Free,
        // A time further ahead met a clock that was set back.
        Some(until) if until > now && until.since(now) <= LONGEST => Turn::Wait(until),
        Some(_) if probing => Turn::Wait(now.plus(Duration::from_secs(1))),
        Some(_) => Turn::Probe,
    }
}

/// Notes an answer that could be used; whether the endpoint is back by it.
pub fn answered(state: &mut EndpointState, now: UtcMs) -> bool {
    state.failures = 0;
    state.last_ok_at = Some(now);
    state.open_until.take().is_some()
}

/// Notes a failure; whether the endpoint is left alone from now on. `retry_after`: what the server
/// asks for.
pub fn failed(
    state: &mut EndpointState,
    why: &str,
    probe: bool,
    retry_after: Option<Duration>,
    now: UtcMs,
) -> bool {
    state.failures = state.failures.saturating_add(1);
    state.last_error_at = Some(now);
    why.clone_into(&mut state.last_error);
    let rest = retry_after.map_or(REST, |wait| wait.clamp(REST, LONGEST));
    if probe || state.failures >= FAILURES || retry_after.is_some_and(|wait| wait > REST) {
        let was_open = state.open_until.is_some();
        state.open_until = Some(now.plus(rest));
        return !was_open;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UtcMs = UtcMs(1_700_000_000_000);

    fn at(seconds: u64) -> UtcMs {
        T.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn three_failures_in_a_row_close_it_for_a_minute_and_one_request_tries_it() {
        let mut s = EndpointState::new("x".into());
        assert!(!failed(&mut s, "time-out", false, None, at(0)));
        assert!(!failed(&mut s, "time-out", false, None, at(1)));
        assert_eq!(turn(&s, false, at(1)), Turn::Free);
        assert!(failed(&mut s, "time-out", false, None, at(2)));
        assert_eq!(turn(&s, false, at(3)), Turn::Wait(at(62)));
        assert_eq!(turn(&s, false, at(61)), Turn::Wait(at(62)));
        assert_eq!(turn(&s, false, at(62)), Turn::Probe);
        assert_eq!(turn(&s, true, at(62)), Turn::Wait(at(63)), "one at a time");
        assert!(!failed(&mut s, "time-out", true, None, at(70)), "told once");
        assert_eq!(turn(&s, false, at(129)), Turn::Wait(at(130)));
        assert_eq!(turn(&s, false, at(130)), Turn::Probe);
        assert!(answered(&mut s, at(131)), "back");
        assert_eq!(turn(&s, false, at(131)), Turn::Free);
        assert!(!answered(&mut s, at(132)), "told once");
    }

    #[test]
    fn an_answer_in_between_counts_anew() {
        let mut s = EndpointState::new("x".into());
        for n in 0..10 {
            assert!(!failed(&mut s, "x", false, None, at(n)));
            if n % 2 == 1 {
                answered(&mut s, at(n));
            }
        }
        assert_eq!(turn(&s, false, at(11)), Turn::Free);
    }

    #[test]
    fn a_retry_after_beyond_the_rest_is_kept_within_a_bound() {
        let mut s = EndpointState::new("x".into());
        assert!(!failed(
            &mut s,
            "429",
            false,
            Some(Duration::from_secs(5)),
            at(0)
        ));
        assert!(failed(
            &mut s,
            "429",
            false,
            Some(Duration::from_secs(100)),
            at(1)
        ));
        assert_eq!(turn(&s, false, at(2)), Turn::Wait(at(101)));
        let mut s = EndpointState::new("x".into());
        let year = Duration::from_secs(365 * 86_400);
        failed(&mut s, "429", false, Some(year), at(0));
        assert_eq!(turn(&s, false, at(0)), Turn::Wait(at(900)));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_keep_it_closed() {
        let mut s = EndpointState::new("x".into());
        s.open_until = Some(at(86_400));
        assert_eq!(turn(&s, false, at(0)), Turn::Probe);
    }
}
