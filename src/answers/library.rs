//! Keeps the index of a campaign's documents in step with its folder, and answers from it.
//!
//! Before every question the folder is looked at: names, times and sizes only. What changed is
//! read and put into the index in one transaction, so a process that dies on the way leaves the
//! old index or the new one. A file or a folder that cannot be read keeps the pieces it had, for
//! drafts: no mail is sent from them until it can be read again.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::document;
use super::folder::{self, Listing, SYNONYMS, Seen};
use super::gate::{self, Answered};
use super::rank;
use super::shelf::Shelves;
use super::words::Tongue;
use crate::faultpoint;
use crate::model::CampaignId;
use crate::reply::fold::{self, Language};
use crate::store::{DocumentRow, DocumentsFolder, NewDocument, Reader, Store, StoreError, Tx};
use crate::time::{self, UtcMs};

/// A file that was changed this shortly before it was read may change again within the same tick
/// of its file system's clock: it is read once more.
const UNSETTLED_NS: i64 = 2_000_000_000;
/// Bytes of all files of one folder.
const MAX_TOTAL_BYTES: u64 = 8 << 20;
/// Passages of one folder; the file that passes it is the last.
const MAX_PASSAGES: usize = 5_000;

/// Why there is no answer at all.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a look at a folder changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// Files that were read anew.
    pub indexed: u32,
    /// Files that are gone.
    pub removed: u32,
    /// What is wrong: file (empty: the folder itself) and why.
    pub troubles: Vec<(String, String)>,
}

/// What the documents say to a mail.
#[derive(Clone, Debug)]
pub struct Found {
    /// The answer, and whether it passes.
    pub answered: Answered,
    /// The documents' language, for the template.
    pub language: Language,
}

/// Answers from the documents of campaigns.
#[derive(Clone, Debug)]
pub struct Library {
    store: Store,
    shelves: Shelves,
}

/// What was read from a folder, to be written in one transaction.
#[derive(Debug)]
struct Changes {
    found: DocumentsFolder,
    new: Vec<NewDocument>,
    kept: Vec<DocumentRow>,
    gone: Vec<String>,
}

impl Library {
    /// On this store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            shelves: Shelves::default(),
        }
    }

    /// Looks at a campaign's folder and indexes what changed. `None`: it has no folder.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn refresh(&self, campaign: CampaignId) -> Result<Option<Refreshed>, LibraryError> {
        // Reading the folder blocks; a reader's closure runs where that is allowed.
        let changes = self
            .store
            .read(move |r| -> Result<_, LibraryError> {
                let Some(folder) = r.documents_folder(campaign)? else {
                    return Ok(None);
                };
                let rows = r.documents(campaign)?;
                Ok(Some((
                    changes(folder.clone(), &rows, time::now()),
                    folder,
                    rows,
                )))
            })
            .await?;
        let Some((changes, before, rows)) = changes else {
            return Ok(None);
        };
        let refreshed = summary(&changes, &rows);
        let nothing = changes.new.is_empty()
            && changes.gone.is_empty()
            && changes.kept.is_empty()
            && changes.found == before;
        if !nothing {
            for (file, why) in &refreshed.troubles {
                tracing::warn!(campaign = campaign.0, file, why, "document not indexed");
            }
            self.store
                .write(move |tx| -> Result<(), LibraryError> {
                    write(tx, campaign, &changes, time::now())?;
                    faultpoint::hit("documents.before_commit");
                    Ok(())
                })
                .await?;
            faultpoint::hit("documents.committed");
            tracing::info!(
                campaign = campaign.0,
                indexed = refreshed.indexed,
                removed = refreshed.removed,
                "documents indexed"
            );
        }
        Ok(Some(refreshed))
    }

    /// What a campaign's documents say to the newly written text of a mail. `None`: it has no
    /// folder.
    ///
    /// # Errors
    /// As [`Library::refresh`].
    pub async fn answer(
        &self,
        campaign: CampaignId,
        text: String,
        language: Language,
    ) -> Result<Option<Found>, LibraryError> {
        let Some(refreshed) = self.refresh(campaign).await? else {
            return Ok(None);
        };
        let shelves = self.shelves.clone();
        let mut found = self
            .store
            .read(move |r| answer_from(&shelves, r, campaign, &text, language))
            .await?;
        doubt(&mut found.answered, &refreshed.troubles);
        Ok(Some(found))
    }
}

/// What was indexed of a file or folder that cannot be read now may be out of date: it makes a
/// draft, no mail.
fn doubt(answered: &mut Answered, troubles: &[(String, String)]) {
    for (file, why) in troubles {
        if file.is_empty() {
            answered
                .against
                .push(format!("the documents' folder: {why}"));
        } else if answered
            .citations()
            .iter()
            .any(|c| c.used && c.file == *file)
        {
            answered.against.push(format!("{file} {why}"));
        }
    }
}

/// As [`Library::answer`], from the index as it stands.
///
/// # Errors
/// What SQLite says.
pub fn answer(
    r: &Reader<'_>,
    campaign: CampaignId,
    text: &str,
    language: Language,
) -> Result<Found, StoreError> {
    answer_from(&Shelves::default(), r, campaign, text, language)
}

/// The same with what is kept prepared.
///
/// # Errors
/// What SQLite says.
pub fn answer_from(
    shelves: &Shelves,
    r: &Reader<'_>,
    campaign: CampaignId,
    text: &str,
    language: Language,
) -> Result<Found, StoreError> {
    let shelf = shelves.get(r, campaign)?;
    let code = language_for(text, &shelf.languages(), language);
    let Some((code, index)) = code.and_then(|c| shelf.index(&c).map(|i| (c, i))) else {
        let mut answered = Answered::default();
        answered.against.push(if shelf.is_empty() {
            "the campaign's folder holds no document".to_owned()
        } else {
            "no document is in its language".to_owned()
        });
        return Ok(Found { answered, language });
    };
    let search = |terms: &[String]| -> Result<Vec<(i64, f64)>, StoreError> {
        let mut hits = r.search_documents(campaign, terms)?;
        hits.retain(|(id, _)| index.chunk(*id).is_some());
        hits.truncate(gate::DEPTH);
        Ok(hits)
    };
    let answered = gate::answer(text, index, &search)?;
    Ok(Found {
        answered,
        language: fold::known(&code).unwrap_or(language),
    })
}

/// The documents' language that answers a mail; `None`: there is none. A mail that is too short
/// to tell is taken for the documents' only language.
fn language_for(text: &str, all: &[&str], mail: Language) -> Option<String> {
    let mut known: Vec<&str> = all.iter().copied().filter(|c| !c.is_empty()).collect();
    known.sort_unstable();
    known.dedup();
    match (mail, known.as_slice()) {
        (Language::Known(code), _) if known.contains(&code) => Some(code.to_owned()),
        (Language::Unknown, [only]) => Some((*only).to_owned()),
        // One stop word can be that of a neighbour ("do" is Portuguese too): of a short mail more
        // words are asked.
        (Language::Known(_), _) => known
            .into_iter()
            .find(|code| sounds(text, code))
            .map(str::to_owned),
        _ => None,
    }
}

/// Whether many of a short text's words are such as every text of the language has.
fn sounds(text: &str, code: &str) -> bool {
    let tongue = Tongue::of(code);
    if tongue == Tongue::Other {
        return false;
    }
    let list = super::words::words(text, tongue);
    let common = list
        .iter()
        .filter(|w| super::stop::is_stop(&w.form, tongue))
        .count();
    list.len() <= 12 && common >= 2 && common.saturating_mul(5) >= list.len().saturating_mul(2)
}

/// Looks at a folder and reads what changed. Blocking.
fn changes(before: DocumentsFolder, rows: &[DocumentRow], now: UtcMs) -> Changes {
    let root = Path::new(&before.folder).to_owned();
    let mut changes = Changes {
        found: before.clone(),
        new: Vec::new(),
        kept: Vec::new(),
        gone: Vec::new(),
    };
    let listing = match folder::look(&root) {
        Ok(listing) => listing,
        Err(e) => {
            changes.found.trouble = format!("The folder cannot be read: {e}");
            return changes;
        }
    };
    changes.found.trouble = String::new();
    read_synonyms(&root, &listing, &mut changes.found);
    let form = format!("-{}", rank::FORM);
    let mut total = 0_u64;
    let mut passages = 0_usize;
    for seen in &listing.files {
        if seen.file == SYNONYMS {
            continue;
        }
        total = total.saturating_add(seen.size);
        let row = rows.iter().find(|r| r.file == seen.file);
        let unchanged = row.is_some_and(|r| {
            r.mtime_ns == seen.mtime_ns
                && r.size == seen.size
                && r.trouble.is_empty()
                && settled(r)
                && r.hash.ends_with(&form)
        });
        if unchanged {
            let chunks = row.map_or(0, |r| r.chunks);
            passages = passages.saturating_add(usize::try_from(chunks).unwrap_or(usize::MAX));
            continue;
        }
        let text = if total > MAX_TOTAL_BYTES {
            Err(format!(
                "the folder holds more than {MAX_TOTAL_BYTES} bytes"
            ))
        } else if passages >= MAX_PASSAGES {
            Err(format!(
                "the folder holds more than {MAX_PASSAGES} passages"
            ))
        } else {
            folder::read(&root, seen)
        };
        changes.add(seen, row, text, now);
        let new = changes.new.last().filter(|n| n.file == seen.file);
        let kept = || row.map_or(0, |r| usize::try_from(r.chunks).unwrap_or(usize::MAX));
        passages = passages.saturating_add(new.map_or_else(kept, |n| n.chunks.len()));
    }
    changes.gone = rows
        .iter()
        .filter(|r| !listing.files.iter().any(|s| s.file == r.file))
        .map(|r| r.file.clone())
        .collect();
    changes
}

fn settled(row: &DocumentRow) -> bool {
    let indexed_ns = row.indexed_at.0.saturating_mul(1_000_000);
    indexed_ns.saturating_sub(row.mtime_ns) > UNSETTLED_NS
}

impl Changes {
    fn add(
        &mut self,
        seen: &Seen,
        row: Option<&DocumentRow>,
        text: Result<String, String>,
        now: UtcMs,
    ) {
        match text {
            Ok(text) => {
                let new = indexed(seen, &text);
                match row {
                    Some(row) if row.hash == new.hash => self.kept.push(DocumentRow {
                        mtime_ns: seen.mtime_ns,
                        size: seen.size,
                        trouble: String::new(),
                        indexed_at: now,
                        ..row.clone()
                    }),
                    _ => self.new.push(new),
                }
            }
            Err(why) => {
                let same = row.is_some_and(|r| {
                    r.trouble == why && r.mtime_ns == seen.mtime_ns && r.size == seen.size
                });
                if !same {
                    self.kept.push(DocumentRow {
                        file: seen.file.clone(),
                        mtime_ns: seen.mtime_ns,
                        size: seen.size,
                        hash: String::new(),
                        language: String::new(),
                        trouble: why,
                        notes: Vec::new(),
                        indexed_at: row.map_or(now, |r| r.indexed_at),
                        chunks: 0,
                    });
                }
            }
        }
    }
}

fn read_synonyms(root: &Path, listing: &Listing, found: &mut DocumentsFolder) {
    match listing.files.iter().find(|s| s.file == SYNONYMS) {
        None => {
            found.synonyms = String::new();
            found.synonyms_at = 0;
        }
        Some(seen) if seen.mtime_ns == found.synonyms_at => {}
        Some(seen) => match folder::read(root, seen) {
            Ok(text) => {
                found.synonyms = text;
                found.synonyms_at = seen.mtime_ns;
            }
            Err(why) => found.trouble = format!("{SYNONYMS} {why}"),
        },
    }
}

/// A file as it goes into the index.
#[must_use]
pub fn indexed(seen: &Seen, text: &str) -> NewDocument {
    let parsed = document::parse(&seen.file, text);
    let tongue = Tongue::of(&parsed.language);
    let digest = Sha256::digest(text.as_bytes());
    NewDocument {
        file: seen.file.clone(),
        mtime_ns: seen.mtime_ns,
        size: seen.size,
        hash: format!(
            "{}-{}",
            digest.iter().fold(String::with_capacity(64), |mut hex, b| {
                hex.push_str(&format!("{b:02x}"));
                hex
            }),
            rank::FORM
        ),
        language: parsed.language,
        notes: parsed.notes,
        chunks: parsed
            .chunks
            .into_iter()
            .map(|c| {
                let words = [&c.heading, &c.body, &c.aliases].map(|t| rank::search_text(t, tongue));
                (c, words)
            })
            .collect(),
    }
}

fn write(
    tx: &Tx<'_>,
    campaign: CampaignId,
    changes: &Changes,
    now: UtcMs,
) -> Result<(), StoreError> {
    // Another folder was set meanwhile: what was read is of no use.
    if tx.documents_folder(campaign)?.map(|f| f.folder).as_ref() != Some(&changes.found.folder) {
        return Ok(());
    }
    for file in &changes.gone {
        tx.remove_document(campaign, file)?;
    }
    for row in &changes.kept {
        tx.touch_document(campaign, row)?;
    }
    for new in &changes.new {
        tx.put_document(campaign, new, now)?;
    }
    tx.note_documents_folder(campaign, &changes.found, now)
}

fn summary(changes: &Changes, rows: &[DocumentRow]) -> Refreshed {
    let mut troubles = Vec::new();
    if !changes.found.trouble.is_empty() {
        troubles.push((String::new(), changes.found.trouble.clone()));
    }
    let mended = |file: &str| {
        changes.new.iter().any(|n| n.file == file) || changes.gone.iter().any(|g| g == file)
    };
    let standing = rows
        .iter()
        .filter(|r| !mended(&r.file) && !changes.kept.iter().any(|k| k.file == r.file));
    for row in changes.kept.iter().chain(standing) {
        if !row.trouble.is_empty() {
            troubles.push((row.file.clone(), row.trouble.clone()));
        }
    }
    Refreshed {
        indexed: u32::try_from(changes.new.len()).unwrap_or(u32::MAX),
        removed: u32::try_from(changes.gone.len()).unwrap_or(u32::MAX),
        troubles,
    }
}

/// Indexes a folder into an open transaction: for a trial without a campaign.
///
/// # Errors
/// What SQLite says.
pub fn index_folder(
    tx: &Tx<'_>,
    campaign: CampaignId,
    root: &Path,
    now: UtcMs,
) -> Result<Refreshed, StoreError> {
    tx.set_documents_folder(campaign, Some(&root.to_string_lossy()), now)?;
    let Some(folder) = tx.documents_folder(campaign)? else {
        return Ok(Refreshed::default());
    };
    let changes = changes(folder, &[], now);
    write(tx, campaign, &changes, now)?;
    Ok(summary(&changes, &[]))
}

#[cfg(test)]
#[path = "library_tests.rs"]
mod tests;
