//! Every rule at a moment that is an argument: no clock runs here.

use super::*;
use crate::model::Pipelining;

const START: UtcMs = UtcMs(1_700_000_000_000);
const INTERVAL: Duration = Duration::from_secs(60);
const FRESH: Duration = Duration::from_secs(180);
const LOST: Duration = Duration::from_secs(60);
const LATE: Duration = Duration::from_secs(600);

fn at(seconds: u64) -> UtcMs {
    START.plus(Duration::from_secs(seconds))
}

fn row(state: AccountState, verified: u64) -> AccountRow {
    AccountRow {
        id: AccountId(1),
        name: "sales".into(),
        first_started_at: START,
        state,
        state_reason: "the reason".into(),
        state_since: at(verified),
        state_fault: String::new(),
        looked_at: Some(at(verified)),
        verified_at: Some(at(verified)),
        failures: 0,
        auth_refusals: 0,
        next_attempt_at: UtcMs(0),
        pipelining: Pipelining::Untried,
        lease_owner: None,
        lease_until: UtcMs(0),
    }
}

fn running() -> Watch {
    Watch::Running {
        since: START,
        fresh: FRESH,
        lost: LOST,
    }
}

fn state_of(health: &Health) -> Option<AccountState> {
    match health {
        Health::Bad { state, .. } => Some(*state),
        _ => None,
    }
}

#[test]
fn an_account_is_down_three_intervals_after_its_last_ok_whatever_it_says_of_itself() {
    for state in [
        AccountState::Live,
        AccountState::Degraded,
        AccountState::Down,
    ] {
        let mut a = row(state, 1000);
        // It has come and gone: no loss of a connection has lasted.
        a.state_since = at(1150);
        assert_eq!(
            state_of(&hearing(&a, running(), at(1000 + 180))),
            None,
            "{state}: not yet"
        );
        let bad = hearing(&a, running(), at(1000 + 181));
        assert_eq!(state_of(&bad), Some(AccountState::Down), "{state}");
        let Health::Bad { reason, since, .. } = bad else {
            panic!("{bad:?}");
        };
        assert_eq!(since, at(1000));
        if state == AccountState::Live {
            assert!(reason.contains("hangs"), "{reason}");
        } else {
            assert!(reason.contains("the reason"), "{reason}");
        }
    }
}

#[test]
fn a_connection_that_is_lost_for_a_second_is_nobodys_alarm() {
    assert_eq!(
        hearing(&row(AccountState::Down, 1000), running(), at(1001)),
        Health::Unsure
    );
}

#[test]
fn a_connection_that_is_lost_is_told_after_a_minute_and_not_after_three_intervals() {
    let mut a = row(AccountState::Down, 1000);
    a.state_since = at(1010);
    assert_eq!(hearing(&a, running(), at(1070)), Health::Unsure);
    let bad = hearing(&a, running(), at(1071));
    let Health::Bad { state, since, .. } = bad else {
        panic!("{bad:?}");
    };
    assert_eq!((state, since), (AccountState::Down, at(1000)));
    // Of a loss from before the start, the minute begins with the start.
    let watch = Watch::Running {
        since: at(2000),
        fresh: FRESH,
        lost: LOST,
    };
    assert_eq!(hearing(&a, watch, at(2060)), Health::Unsure);
    assert_eq!(
        state_of(&hearing(&a, watch, at(2061))),
        Some(AccountState::Down)
    );
}

#[test]
fn a_refused_sign_in_is_told_at_once() {
    let bad = hearing(&row(AccountState::NeedsSignIn, 1000), running(), at(1001));
    assert_eq!(state_of(&bad), Some(AccountState::NeedsSignIn));
}

#[test]
fn what_happened_while_nobody_watched_is_no_alarm_and_what_goes_on_is() {
    // replyd was stopped over night.
    let a = row(AccountState::Live, 0);
    let watch = Watch::Running {
        since: at(36_000),
        fresh: FRESH,
        lost: LOST,
    };
    assert_eq!(hearing(&a, watch, at(36_100)), Health::Unsure);
    assert_eq!(
        state_of(&hearing(&a, watch, at(36_181))),
        Some(AccountState::Down)
    );
}

#[test]
fn an_account_that_never_answered_is_down_three_intervals_after_it_was_first_known() {
    let mut a = row(AccountState::Down, 0);
    (a.verified_at, a.looked_at) = (None, None);
    a.state_since = at(100);
    assert_eq!(hearing(&a, running(), at(100)), Health::Unsure);
    assert_eq!(
        state_of(&hearing(&a, running(), at(181))),
        Some(AccountState::Down)
    );
}

#[test]
fn a_time_from_a_clock_that_was_set_back_proves_nothing() {
    let a = row(AccountState::Live, 86_400);
    let watch = Watch::Running {
        since: START,
        fresh: FRESH,
        lost: LOST,
    };
    assert_eq!(
        state_of(&hearing(&a, watch, at(200))),
        Some(AccountState::Down)
    );
}

#[test]
fn an_account_that_still_catches_up_is_not_well_yet() {
    let mut a = row(AccountState::Degraded, 1000);
    a.looked_at = Some(at(100));
    assert_eq!(hearing(&a, running(), at(1001)), Health::Unsure);
    a.looked_at = Some(at(1000));
    assert_eq!(hearing(&a, running(), at(1001)), Health::Well);
}

#[test]
fn a_pass_from_cron_tells_after_three_failed_ones_in_a_row() {
    let pass = Watch::Pass { fresh: FRESH };
    let mut a = row(AccountState::Down, 0);
    for failures in 0..3 {
        a.failures = failures;
        assert_eq!(hearing(&a, pass, at(3600)), Health::Unsure, "{failures}");
    }
    a.failures = 3;
    assert_eq!(
        state_of(&hearing(&a, pass, at(3600))),
        Some(AccountState::Down)
    );
    assert_eq!(
        hearing(&row(AccountState::Live, 3599), pass, at(3600)),
        Health::Well
    );
}

fn view(pause: Option<(AccountState, u64)>, waiting: bool, overdue: Option<u64>) -> WatchView {
    WatchView {
        accounts: Vec::new(),
        pauses: pause
            .map(|(state, since)| SmtpPause {
                account_id: AccountId(1),
                account: "sales".into(),
                fault: String::new(),
                state,
                reason: "refused".into(),
                since: at(since),
                failures: 1,
                retry_at: at(since),
            })
            .into_iter()
            .collect(),
        waiting: if waiting {
            vec![AccountId(1)]
        } else {
            Vec::new()
        },
        overdue: overdue
            .map(|due| (AccountId(1), at(due)))
            .into_iter()
            .collect(),
        open: Vec::new(),
    }
}

#[test]
fn mails_that_do_not_leave_are_told_at_once_for_credentials_and_after_a_while_else() {
    use AccountState::{Down, NeedsSignIn};
    for (pause, waiting, overdue, want) in [
        (None, false, None, None),
        (Some((NeedsSignIn, 999)), true, None, Some(NeedsSignIn)),
        (Some((Down, 999)), true, None, None),
        (Some((Down, 100)), true, None, Some(Down)),
        // Nothing waits for the server that is down.
        (Some((Down, 100)), false, None, None),
        (None, true, Some(300), Some(Down)),
    ] {
        let health = sending(AccountId(1), &view(pause, waiting, overdue), LATE, at(1000));
        assert_eq!(state_of(&health), want, "{pause:?} {waiting} {overdue:?}");
    }
    let well = sending(AccountId(2), &view(None, true, Some(1)), LATE, at(1000));
    assert_eq!(well, Health::Well, "another account's mails");
}

fn open(state: AccountState, well_since: Option<u64>) -> Incident {
    Incident {
        id: 7,
        account_id: AccountId(1),
        topic: AlertTopic::Hearing,
        state,
        reason: "before".into(),
        began_at: START,
        raised_at: at(180),
        after_message: 0,
        well_since: well_since.map(at),
    }
}

fn bad(state: AccountState) -> Health {
    Health::Bad {
        state,
        reason: "now".into(),
        since: START,
    }
}

#[test]
fn an_incident_is_told_once_grows_worse_once_and_ends_after_an_interval_of_calm() {
    let decide = |open: Option<&Incident>, health: &Health, now| {
        super::decide(open, health, 1, INTERVAL, at(now))
    };
    let down = bad(AccountState::Down);
    let sign_in = bad(AccountState::NeedsSignIn);
    assert!(matches!(decide(None, &down, 200), Some(Step::Raise { .. })));
    let told = open(AccountState::Down, None);
    assert_eq!(decide(Some(&told), &down, 300), None, "once");
    let worse = decide(Some(&told), &sign_in, 300);
    assert_eq!(
        worse,
        Some(Step::Worsen {
            reason: "now".into()
        })
    );
    let worst = open(AccountState::NeedsSignIn, None);
    assert_eq!(decide(Some(&worst), &sign_in, 300), None, "once");
    assert_eq!(decide(Some(&worst), &down, 300), None, "no new alarm");
    assert_eq!(decide(Some(&told), &Health::Unsure, 300), None);
    assert_eq!(decide(Some(&told), &Health::Well, 300), Some(Step::Calm));
    let calm = open(AccountState::Down, Some(300));
    assert_eq!(decide(Some(&calm), &Health::Well, 359), None);
    assert_eq!(decide(Some(&calm), &Health::Well, 360), Some(Step::End));
    for relapse in [&Health::Unsure, &down] {
        assert_eq!(decide(Some(&calm), relapse, 320), Some(Step::Relapse));
    }
    assert_eq!(decide(None, &Health::Unsure, 1), None);
    assert_eq!(decide(None, &Health::Well, 1), None);
}

#[test]
fn an_account_that_comes_and_goes_is_told_of_less_and_less_often() {
    let secs: Vec<u64> = (0..9).map(|n| calm(INTERVAL, n).as_secs()).collect();
    assert_eq!(secs, [60, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
    assert_eq!(calm(Duration::from_secs(1), 1), LEAST_CALM);
    assert_eq!(calm(INTERVAL, u32::MAX), LONGEST_CALM);
}

/// Four minutes down, one minute up, for a day: the whole of it is simulated.
#[test]
fn a_day_of_flapping_makes_a_handful_of_alerts_and_not_hundreds() {
    let mut incident: Option<Incident> = None;
    let (mut told, mut ended) = (Vec::new(), 0);
    for second in (0..86_400).step_by(5) {
        let health = if second % 300 < 240 {
            bad(AccountState::Down)
        } else {
            Health::Well
        };
        let recent = u32::try_from(told.len()).unwrap();
        match super::decide(incident.as_ref(), &health, recent, INTERVAL, at(second)) {
            Some(Step::Raise { .. }) => {
                told.push(second);
                incident = Some(open(AccountState::Down, None));
            }
            Some(Step::Calm) => incident.as_mut().unwrap().well_since = Some(at(second)),
            Some(Step::Relapse) => incident.as_mut().unwrap().well_since = None,
            Some(Step::End) => {
                ended += 1;
                incident = None;
            }
            other => assert_eq!(other, None),
        }
    }
    assert_eq!((told.len(), ended), (1, 0), "{told:?}");
}
