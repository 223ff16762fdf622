use super::*;

fn row(refreshed_at: i64, life_s: i64) -> OAuthRow {
    OAuthRow {
        id: 1,
        account: "sales".into(),
        sealed: Vec::new(),
        version: 1,
        client_id: "c".into(),
        token_url: "u".into(),
        state: OAuthState::Good,
        error: String::new(),
        error_at: None,
        obtained_at: UtcMs(refreshed_at),
        refreshed_at: UtcMs(refreshed_at),
        expires_at: UtcMs(refreshed_at + life_s * 1000),
        forced_at: UtcMs(0),
        booked_at: None,
        failures: 0,
        next_attempt_at: UtcMs(0),
        client_hash: String::new(),
    }
}

/// Whether it is good, and whether it is due, so many seconds after it was got.
fn after(life_s: i64, age_s: i64) -> (bool, bool) {
    let now = UtcMs(1_000_000_000 + age_s * 1000);
    let age = Age::of(&row(1_000_000_000, life_s), now);
    (age.good, age.due(now))
}

#[test]
fn a_token_is_due_after_three_quarters_and_not_used_in_its_last_minute() {
    assert_eq!(after(3600, 0), (true, false));
    assert_eq!(after(3600, 2699), (true, false));
    assert_eq!(after(3600, 2700), (true, true));
    assert_eq!(after(3600, 3539), (true, true));
    assert_eq!(after(3600, 3540), (false, true));
    // A short one: the last tenth.
    assert_eq!(after(10, 8), (true, true));
    assert_eq!(after(10, 9), (false, true));
}

#[test]
fn a_token_from_the_future_is_due_and_a_pause_from_there_is_not_obeyed() {
    assert_eq!(after(3600, -61), (true, true));
    assert_eq!(after(3600, -59), (true, false), "clocks differ a little");
    let mut row = row(0, 3600);
    let now = UtcMs(1_000_000);
    row.next_attempt_at = now.plus(Duration::from_secs(3600));
    assert_eq!(row.pause("", now), Some(row.next_attempt_at));
    assert_eq!(row.pause("another client", now), None);
    row.next_attempt_at = now.plus(Duration::from_secs(3 * 3600));
    assert_eq!(row.pause("", now), None);
}
