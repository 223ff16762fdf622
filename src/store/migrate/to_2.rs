//! Fills the derived columns of version 2, some rows at a time.

use rusqlite::{Transaction, params};

use super::super::StoreError;
use crate::msgid;

/// Rows in memory at once.
const ROWS: u32 = 1000;

pub(super) fn fill(tx: &Transaction<'_>) -> Result<(), StoreError> {
    local_keys(tx)?;
    tokens(tx)
}

/// `sent_ids.local_key`, by which an id is found whose domain or case was changed on the way.
fn local_keys(tx: &Transaction<'_>) -> Result<(), StoreError> {
    let mut last = String::new();
    loop {
        let ids: Vec<String> = tx
            .prepare_cached(
                "SELECT id_key FROM sent_ids WHERE id_key > ?1 ORDER BY id_key LIMIT ?2",
            )?
            .query_map(params![last, ROWS], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for id_key in &ids {
            let local = msgid::local_key(id_key);
            if !local.is_empty() {
                tx.prepare_cached("UPDATE sent_ids SET local_key = ?2 WHERE id_key = ?1")?
                    .execute([id_key, &local])?;
            }
        }
        match ids.into_iter().next_back() {
            Some(id_key) => last = id_key,
            None => return Ok(()),
        }
    }
}

/// `messages.carries_token`: whether a message refers to an id that we gave to a mail of its
/// conversation. The local part of such an id is our signed token, so that its being there is the
/// same proof as the signature. What only a raw mail tells (Thread-Index) is left to `replay`.
fn tokens(tx: &Transaction<'_>) -> Result<(), StoreError> {
    let mut last = 0_i64;
    loop {
        let rows: Vec<(i64, i64, String)> = tx
            .prepare_cached(
                "SELECT id, campaign_lead_id, in_reply_to || ' ' || reference_ids FROM messages
                 WHERE id > ?1 AND campaign_lead_id IS NOT NULL ORDER BY id LIMIT ?2",
            )?
            .query_map(params![last, ROWS], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<Result<_, _>>()?;
        for (id, campaign_lead, refers) in &rows {
            let mut carries = false;
            for word in refers.split_whitespace() {
                carries = carries || is_own(tx, &msgid::local_key(word), *campaign_lead)?;
            }
            if carries {
                tx.prepare_cached("UPDATE messages SET carries_token = 1 WHERE id = ?1")?
                    .execute([id])?;
            }
        }
        match rows.last() {
            Some((id, ..)) => last = *id,
            None => return Ok(()),
        }
    }
}

fn is_own(tx: &Transaction<'_>, local_key: &str, campaign_lead: i64) -> Result<bool, StoreError> {
    Ok(!local_key.is_empty()
        && tx
            .prepare_cached(
                "SELECT 1 FROM sent_ids i JOIN sent_messages s ON s.id = i.sent_id
                 WHERE i.local_key = ?1 AND i.local_key <> '' AND i.source = 'own'
                   AND s.campaign_lead_id = ?2",
            )?
            .exists(params![local_key, campaign_lead])?)
}
