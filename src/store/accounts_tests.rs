//! Tests of `accounts`.

use super::*;
use crate::store::{AccountIs, Store};

const TTL: Duration = Duration::from_secs(45);
const MINUTE: Duration = Duration::from_secs(60);

async fn store() -> (tempfile::TempDir, Store, AccountId) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("r.db")).await.unwrap();
    let id = store
        .write(|tx| tx.ensure_account("sales", UtcMs(1000)).map(|a| a.id))
        .await
        .unwrap();
    (dir, store, id)
}

#[tokio::test]
async fn a_lease_is_held_by_one_until_it_expires_and_the_loser_cannot_write() {
    let (_dir, store, id) = store().await;
    store
        .write(move |tx| {
            let a = tx.take_lease(id, "a", UtcMs(1_000), TTL)?.unwrap();
            assert_eq!(tx.take_lease(id, "b", UtcMs(2_000), TTL)?, None);
            assert_eq!(
                tx.take_lease(id, "a", UtcMs(3_000), TTL)?.unwrap().epoch,
                a.epoch
            );
            tx.check_lease(&a)?;
            let b = tx
                .take_lease(id, "b", UtcMs(3_000).plus(TTL), TTL)?
                .unwrap();
            assert!(b.epoch > a.epoch);
            assert!(matches!(tx.check_lease(&a), Err(StoreError::LeaseLost(_))));
            tx.release_lease(&a)?; // no longer its own: nothing happens
            tx.check_lease(&b)
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_lease_from_a_clock_that_was_set_back_does_not_block() {
    let (_dir, store, id) = store().await;
    store
        .write(move |tx| {
            tx.take_lease(id, "a", UtcMs(10_000_000), TTL)?.unwrap();
            assert!(tx.take_lease(id, "b", UtcMs(1_000), TTL)?.is_some());
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn logins_are_one_a_minute_with_a_burst_of_two() {
    let (_dir, store, id) = store().await;
    store
        .write(move |tx| {
            let at = |s: i64| UtcMs(1000 + s * 1000);
            assert_eq!(tx.book_login(id, at(0), MINUTE)?, LoginPermit::Granted);
            assert_eq!(tx.book_login(id, at(1), MINUTE)?, LoginPermit::Granted);
            assert_eq!(
                tx.book_login(id, at(2), MINUTE)?,
                LoginPermit::NotBefore(at(60))
            );
            assert_eq!(tx.book_login(id, at(60), MINUTE)?, LoginPermit::Granted);
            assert_eq!(
                tx.book_login(id, at(61), MINUTE)?,
                LoginPermit::NotBefore(at(120))
            );
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_sign_in_that_was_not_made_is_given_back_and_no_more_than_two_in_a_row_are_kept() {
    let (_dir, store, id) = store().await;
    store
        .write(move |tx| {
            let at = UtcMs(1000);
            for _ in 0..5 {
                assert_eq!(tx.book_login(id, at, MINUTE)?, LoginPermit::Granted);
                tx.return_login(id, MINUTE)?;
            }
            tx.return_login(id, MINUTE)?;
            for _ in 0..2 {
                assert_eq!(tx.book_login(id, at, MINUTE)?, LoginPermit::Granted);
            }
            let third = tx.book_login(id, at, MINUTE)?;
            assert!(matches!(third, LoginPermit::NotBefore(_)), "{third:?}");
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_backoff_is_obeyed_by_the_next_process_unless_the_clock_was_set_back() {
    let (_dir, store, id) = store().await;
    store
        .write(move |tx| {
            let lease = tx.take_lease(id, "a", UtcMs(5_000), TTL)?.unwrap();
            tx.note_failure(&lease, true, UtcMs(900_000))?;
            assert_eq!(
                tx.book_login(id, UtcMs(5_000), MINUTE)?,
                LoginPermit::NotBefore(UtcMs(900_000))
            );
            assert_eq!(tx.account(id)?.auth_refusals, 1);
            tx.note_failure(&lease, true, UtcMs(90_000_000_000))?;
            assert_eq!(
                tx.book_login(id, UtcMs(5_000), MINUTE)?,
                LoginPermit::Granted
            );
            tx.note_signed_in(id)?;
            assert_eq!(tx.account(id)?.auth_refusals, 0);
            assert_eq!(
                tx.account(id)?.failures,
                2,
                "only a long life resets the backoff"
            );
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn cursor_and_window_only_widen() {
    let (_dir, store, id) = store().await;
    store
        .write(move |tx| {
            let mailbox = tx.ensure_mailbox(id, "INBOX")?;
            let new = NewEpoch {
                mailbox_id: mailbox,
                uid_validity: 7,
                first_until: 10,
                first_source: CaptureSource::FirstRun,
                window_from: UtcMs(500),
            };
            let epoch = tx.start_epoch(&new, UtcMs(1000))?;
            assert_eq!((epoch.cursor_uid, epoch.first_until), (1, 10));
            tx.advance_cursor(epoch.id, 20)?;
            tx.advance_cursor(epoch.id, 15)?;
            tx.widen_window(epoch.id, UtcMs(400))?;
            tx.widen_window(epoch.id, UtcMs(450))?;
            let epoch = tx.epoch(mailbox, 7)?.unwrap();
            assert_eq!((epoch.cursor_uid, epoch.window_from), (20, UtcMs(400)));
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn state_since_moves_only_with_the_state() {
    let (_dir, store, id) = store().await;
    store
        .write(move |tx| {
            let lease = tx.take_lease(id, "a", UtcMs(4), TTL)?.unwrap();
            let is = |state, reason: &str| AccountIs {
                state,
                reason: reason.to_owned(),
                fault: "",
            };
            assert!(tx.set_account_state(&lease, &is(AccountState::Live, ""), UtcMs(5))?);
            assert!(!tx.set_account_state(&lease, &is(AccountState::Live, "still"), UtcMs(9))?);
            tx.take_lease(id, "b", UtcMs(9).plus(TTL), TTL)?.unwrap();
            let lost = tx.set_account_state(&lease, &is(AccountState::Down, ""), UtcMs(99));
            assert!(
                matches!(lost, Err(StoreError::LeaseLost(_))),
                "only the holder says so"
            );
            assert_eq!(tx.account(id)?.state_since, UtcMs(5));
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_mended_password_is_tried_at_once_but_other_failures_are_waited_out() {
    let (_dir, store, id) = store().await;
    store
        .write(move |tx| {
            assert!(tx.note_credentials(id, "first")?);
            let lease = tx.take_lease(id, "a", UtcMs(2_000), TTL)?.unwrap();
            tx.note_failure(&lease, true, UtcMs(900_000))?;
            assert!(!tx.note_credentials(id, "first")?);
            let held = tx.book_login(id, UtcMs(5_000), MINUTE)?;
            assert_eq!(held, LoginPermit::NotBefore(UtcMs(900_000)));
            assert!(tx.note_credentials(id, "mended")?);
            assert_eq!(tx.account(id)?.auth_refusals, 0);
            let again = tx.book_login(id, UtcMs(5_000), MINUTE)?;
            assert_eq!(again, LoginPermit::Granted);
            tx.note_failure(&lease, false, UtcMs(700_000))?;
            tx.note_credentials(id, "mended again")?;
            let held = tx.book_login(id, UtcMs(70_000), MINUTE)?;
            assert_eq!(
                held,
                LoginPermit::NotBefore(UtcMs(700_000)),
                "not a refusal"
            );
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
}
