//! Campaigns' pieces, prepared for comparison, kept between questions.
//!
//! The full-text index lies in the database and outlives the process. What the other retriever
//! needs is made of it on the first question and kept until the stamp of the documents changes,
//! which also another process may do (`replyd documents check` beside a running service).

use std::sync::{Arc, Mutex, PoisonError};

use super::rank::Index;
use super::words::Tongue;
use crate::model::CampaignId;
use crate::store::{DocumentsStamp, Reader, StoreError};

/// Passages that are kept prepared, over all campaigns; the least lately used go first.
pub const MAX_HELD: usize = 10_000;

/// One campaign's pieces, by language.
#[derive(Debug)]
pub struct Shelf {
    campaign: CampaignId,
    stamp: DocumentsStamp,
    pieces: usize,
    by_language: Vec<(String, Index)>,
}

impl Shelf {
    /// The languages that its documents are in, as ISO 639-1 codes; pieces in no known language
    /// are with each.
    #[must_use]
    pub fn languages(&self) -> Vec<&str> {
        let all = self.by_language.iter().map(|(code, _)| code.as_str());
        all.filter(|code| !code.is_empty()).collect()
    }

    /// Whether there is anything on it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces == 0
    }

    /// The pieces that answer a mail in this language.
    #[must_use]
    pub fn index(&self, code: &str) -> Option<&Index> {
        let mut all = self.by_language.iter();
        all.find(|(c, _)| c == code).map(|(_, index)| index)
    }

    fn read(
        r: &Reader<'_>,
        campaign: CampaignId,
        stamp: DocumentsStamp,
    ) -> Result<Self, StoreError> {
        let chunks = r.doc_chunks(campaign)?;
        let folder = r.documents_folder(campaign)?;
        let synonyms = folder.map(|f| f.synonyms).unwrap_or_default();
        let mut codes: Vec<String> = chunks.iter().map(|(_, c)| c.language.clone()).collect();
        codes.sort_unstable();
        codes.dedup();
        let pieces = chunks.len();
        let by_language = codes
            .into_iter()
            .map(|code| {
                let mine = chunks
                    .iter()
                    .filter(|(_, c)| c.language == code || c.language.is_empty());
                let index = Index::new(mine.cloned().collect(), Tongue::of(&code), &synonyms);
                (code, index)
            })
            .collect();
        Ok(Self {
            campaign,
            stamp,
            pieces,
            by_language,
        })
    }
}

/// The shelves that are kept, the latest used last.
#[derive(Clone, Debug, Default)]
pub struct Shelves(Arc<Mutex<Vec<Arc<Shelf>>>>);

impl Shelves {
    /// A campaign's shelf as its documents stand. Blocking.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn get(&self, r: &Reader<'_>, campaign: CampaignId) -> Result<Arc<Shelf>, StoreError> {
        let stamp = r.documents_stamp(campaign)?;
        if let Some(shelf) = self.held(campaign, &stamp) {
            return Ok(shelf);
        }
        // Without the lock: another campaign's question need not wait for this.
        let shelf = Arc::new(Shelf::read(r, campaign, stamp)?);
        self.keep(&shelf);
        Ok(shelf)
    }

    fn held(&self, campaign: CampaignId, stamp: &DocumentsStamp) -> Option<Arc<Shelf>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|s| s.campaign == campaign)?;
        let shelf = all.remove(at);
        if shelf.stamp != *stamp {
            return None;
        }
        all.push(Arc::clone(&shelf));
        Some(shelf)
    }

    fn keep(&self, shelf: &Arc<Shelf>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|s| s.campaign != shelf.campaign);
        all.push(Arc::clone(shelf));
        let mut held: usize = all.iter().map(|s| s.pieces).sum();
        while held > MAX_HELD && all.len() > 1 {
            held = held.saturating_sub(all.remove(0).pieces);
        }
    }
}
