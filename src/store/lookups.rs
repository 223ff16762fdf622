//! What the matcher may ask, answered for a whole batch at once.

use std::collections::{HashMap, HashSet};

use rusqlite::{CachedStatement, OptionalExtension, Params, Row, params};

use super::{Reader, StoreError};
use crate::model::{CampaignLeadId, SentId, SentRef};
use crate::time::UtcMs;

/// Mails to one address that are compared by their subject; a lead with more is nobody's one
/// thread.
const MAILS_TO_ADDRESS: u32 = 50;
/// Threads of leads to whom one address was attached.
const TAUGHT_THREADS: u32 = 100;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Canonical ids.
    pub ids: HashSet<String>,
    /// Local keys of ids ([`crate::msgid::local_key`]).
    pub local_keys: HashSet<String>,
    /// Random parts of our ids ([`crate::msgid::payload`]).
    pub payloads: HashSet<String>,
    /// Address keys.
    pub addresses: HashSet<String>,
    /// The beginning of the window for mails to an address.
    pub since: UtcMs,
}

/// The answers.
#[derive(Clone, Debug, Default)]
pub struct Lookups {
    /// Mails to leads by id key.
    pub sent: HashMap<String, SentRef>,
    /// Those of these ids that a person attached.
    pub taught_ids: HashSet<String>,
    /// The one mail with this local key; those with several are left out.
    pub by_local_key: HashMap<String, SentRef>,
    /// The one mail with this random part.
    pub by_payload: HashMap<String, SentRef>,
    /// Ids of our notices, digests and alerts among those asked for.
    pub notices: HashSet<String>,
    /// Address keys that belong to a lead, among those asked for.
    pub lead_addresses: HashSet<String>,
    /// Threads of the leads to whom an address was attached.
    pub taught: HashMap<String, HashSet<CampaignLeadId>>,
    /// Mails to leads with this address, own or attached, newest first: each with its subject
    /// and when it was sent.
    pub mails_to: HashMap<String, Vec<(SentRef, String, UtcMs)>>,
    /// Whom the List-Unsubscribe mails of the batch name, signature not yet checked.
    pub unsubscribes: Vec<super::UnsubscribeTarget>,
}

impl Reader<'_> {
    /// Answers the matcher's questions.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn lookups(&self, asked: &Asked) -> Result<Lookups, StoreError> {
        let mut found = Lookups::default();
        self.look_up_ids(asked, &mut found)?;
        self.look_up_addresses(asked, &mut found)?;
        Ok(found)
    }

    fn look_up_ids(&self, asked: &Asked, found: &mut Lookups) -> Result<(), StoreError> {
        let mut sent = self.conn.prepare_cached(
            "SELECT s.id, s.campaign_lead_id, l.email_key, s.known_at, i.source = 'taught' \
             FROM sent_ids i JOIN sent_messages s ON s.id = i.sent_id \
             JOIN campaign_leads c ON c.id = s.campaign_lead_id \
             JOIN leads l ON l.id = c.lead_id WHERE i.id_key = ?1",
        )?;
        let mut notice = self.conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM outbox WHERE rfc_message_id = ?1 \
             AND kind IN ('sales_notice', 'sales_digest', 'alert'))",
        )?;
        for id in &asked.ids {
            let hit = sent.query_row([id], |row| Ok((sent_ref(row)?, row.get(4)?)));
            if let Some((hit, taught)) = hit.optional()? {
                if taught {
                    found.taught_ids.insert(id.clone());
                }
                found.sent.insert(id.clone(), hit);
            } else if notice.query_row([id], |row| row.get(0))? {
                found.notices.insert(id.clone());
            }
        }
        let mut by_local = self.conn.prepare_cached(
            "SELECT s.id, s.campaign_lead_id, l.email_key, s.known_at FROM sent_ids i \
             JOIN sent_messages s ON s.id = i.sent_id \
             JOIN campaign_leads c ON c.id = s.campaign_lead_id \
             JOIN leads l ON l.id = c.lead_id \
             WHERE i.local_key = ?1 AND i.local_key <> '' LIMIT 20",
        )?;
        for key in &asked.local_keys {
            if let Some(hit) = the_one(&mut by_local, [key])? {
                found.by_local_key.insert(key.clone(), hit);
            }
        }
        // `/` follows `.`: all ids of ours with this random part, whatever key signed them.
        let mut by_payload = self.conn.prepare_cached(
            "SELECT s.id, s.campaign_lead_id, l.email_key, s.known_at FROM sent_ids i \
             JOIN sent_messages s ON s.id = i.sent_id \
             JOIN campaign_leads c ON c.id = s.campaign_lead_id \
             JOIN leads l ON l.id = c.lead_id \
             WHERE i.local_key >= 'r.' || ?1 || '.' AND i.local_key < 'r.' || ?1 || '/' \
             AND i.local_key <> '' LIMIT 20",
        )?;
        for payload in &asked.payloads {
            if let Some(hit) = the_one(&mut by_payload, [payload])? {
                found.by_payload.insert(payload.clone(), hit);
            }
        }
        Ok(())
    }

    fn look_up_addresses(&self, asked: &Asked, found: &mut Lookups) -> Result<(), StoreError> {
        let mut lead = self.conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM leads WHERE email_key = ?1 AND email_key <> '')",
        )?;
        let mut taught = self.conn.prepare_cached(
            "SELECT c.id FROM lead_addresses a JOIN campaign_leads c ON c.lead_id = a.lead_id \
             WHERE a.address_key = ?1 LIMIT ?2",
        )?;
        let mut mails = self.conn.prepare_cached(
            "SELECT s.id, s.campaign_lead_id, l.email_key, s.known_at, s.subject, s.sent_at \
             FROM leads l JOIN campaign_leads c ON c.lead_id = l.id \
             JOIN sent_messages s ON s.campaign_lead_id = c.id \
             WHERE l.id IN (SELECT id FROM leads WHERE email_key = ?1 AND email_key <> '' \
                            UNION SELECT lead_id FROM lead_addresses WHERE address_key = ?1) \
             AND s.sent_at >= ?2 ORDER BY s.sent_at DESC, s.id DESC LIMIT ?3",
        )?;
        for key in asked.addresses.iter().filter(|k| !k.is_empty()) {
            let threads: HashSet<CampaignLeadId> = taught
                .query_map(params![key, TAUGHT_THREADS], |row| {
                    Ok(CampaignLeadId(row.get(0)?))
                })?
                .collect::<Result<_, _>>()?;
            if threads.is_empty() && !lead.query_row([key], |row| row.get(0))? {
                continue;
            }
            let rows = mails.query_map(params![key, asked.since.0, MAILS_TO_ADDRESS], |row| {
                Ok((sent_ref(row)?, row.get(4)?, UtcMs(row.get(5)?)))
            })?;
            let rows = rows.collect::<Result<_, _>>()?;
            found.mails_to.insert(key.clone(), rows);
            found.lead_addresses.insert(key.clone());
            if !threads.is_empty() {
                found.taught.insert(key.clone(), threads);
            }
        }
        Ok(())
    }
}

fn sent_ref(row: &Row<'_>) -> rusqlite::Result<SentRef> {
    Ok(SentRef {
        sent_id: SentId(row.get(0)?),
        campaign_lead_id: CampaignLeadId(row.get(1)?),
        lead_email_key: row.get(2)?,
        known_at: UtcMs(row.get(3)?),
    })
}

/// The mail that all rows are about, if it is one.
fn the_one(
    statement: &mut CachedStatement<'_>,
    key: impl Params,
) -> Result<Option<SentRef>, StoreError> {
    let rows: Vec<SentRef> = statement
        .query_map(key, sent_ref)?
        .collect::<Result<_, _>>()?;
    let mut rows = rows.into_iter();
    let first = rows.next();
    Ok(first.filter(|f| rows.all(|r| r.sent_id == f.sent_id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{Fixture, NOW};

    fn asked(local: &str, payload: &str, address: &str) -> Asked {
        let one = |word: &str| HashSet::from([word.to_owned()]);
        Asked {
            ids: one("first@example.com"),
            local_keys: one(local),
            payloads: one(payload),
            addresses: one(address),
            since: UtcMs(NOW).minus(std::time::Duration::from_secs(90 * 86_400)),
        }
    }

    #[tokio::test]
    async fn answers_are_unique_or_none() {
        let f = Fixture::new();
        f.lead(2, "Bob", "bob@lead.example", 1);
        let payload = "abcdefghijklmnopqrstuvwxyz";
        f.sql(&format!(
            "INSERT INTO sent_messages (id, campaign_lead_id, kind, subject, sent_at, known_at)
                 VALUES (2, 2, 'campaign', 'Riverside', {NOW}, {NOW});
             INSERT INTO sent_ids (id_key, sent_id, source, local_key) VALUES
                 ('r.{payload}.k.m@a', 2, 'own', 'r.{payload}.k.m'),
                 ('r.{payload}.k.m@b', 2, 'provider', 'r.{payload}.k.m'),
                 ('u@a', 1, 'import', 'shared'), ('u@b', 2, 'import', 'shared');
             INSERT INTO lead_addresses (address_key, lead_id, created_at)
                 VALUES ('ann@home.example', 1, 0);"
        ));
        let get = async |a: Asked| f.store.read(move |r| r.lookups(&a)).await.unwrap();
        let found = get(asked("shared", payload, "ann@home.example")).await;
        assert_eq!(found.sent["first@example.com"].sent_id, SentId(1));
        assert!(found.by_local_key.is_empty(), "two mails have it");
        assert_eq!(found.by_payload[payload].sent_id, SentId(2));
        assert!(found.lead_addresses.contains("ann@home.example"));
        assert!(found.taught["ann@home.example"].contains(&CampaignLeadId(1)));
        let mails = &found.mails_to["ann@home.example"];
        assert_eq!((mails.len(), mails[0].1.as_str()), (1, "Riverside"));

        let found = get(asked(&format!("r.{payload}.k.m"), "zzz", "eve@x.example")).await;
        assert_eq!(found.by_local_key.len(), 1, "two ids of one mail are one");
        assert!(found.by_payload.is_empty() && found.lead_addresses.is_empty());
        assert!(found.mails_to.is_empty() && found.taught.is_empty());
    }
}
