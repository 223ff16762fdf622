//! Documents of campaigns: folders, files, pieces with their full-text index, and what answers
//! quoted of them.

use rusqlite::{OptionalExtension, TransactionBehavior, params};

use super::{Reader, StoreError, Tx};
use crate::model::{CampaignId, ChunkKind, Citation, DocChunk, DraftId, JobId};
use crate::time::UtcMs;

/// Hits of the full-text search that are looked at, over all campaigns of a database.
const SEARCH_LIMIT: u32 = 300;

/// A campaign's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentsFolder {
    /// Absolute path.
    pub folder: String,
    /// Why it cannot be read; empty: it can.
    pub trouble: String,
    /// The operator's synonyms.
    pub synonyms: String,
    /// That file's time of change in nanoseconds; 0: there is none.
    pub synonyms_at: i64,
    /// The last look that found something new.
    pub looked_at: Option<UtcMs>,
}

/// A file as it was indexed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentRow {
    /// Path inside the folder.
    pub file: String,
    /// Time of the last change, in nanoseconds.
    pub mtime_ns: i64,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub hash: String,
    /// ISO 639-1 code; empty: not known.
    pub language: String,
    /// Why it could not be read now.
    pub trouble: String,
    /// What a person should mend.
    pub notes: Vec<String>,
    /// When its pieces were made.
    pub indexed_at: UtcMs,
    /// How many pieces it has.
    pub chunks: u32,
}

/// Changes whenever what a campaign's documents hold does: a file that is read anew gets a new row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentsStamp {
    newest: i64,
    files: i64,
    synonyms_at: i64,
    synonyms_bytes: i64,
}

/// A file to be indexed.
#[derive(Clone, Debug)]
pub struct NewDocument {
    /// Path inside the folder.
    pub file: String,
    /// Time of the last change, in nanoseconds.
    pub mtime_ns: i64,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub hash: String,
    /// ISO 639-1 code; empty: not known.
    pub language: String,
    /// What a person should mend.
    pub notes: Vec<String>,
    /// Its pieces, each with its heading, body and aliases as the search compares them.
    pub chunks: Vec<(DocChunk, [String; 3])>,
}

/// Runs `f` on an empty database in memory: to try documents without touching the real one.
///
/// # Errors
/// What `f` or SQLite says.
pub fn scratch<T, E, F>(f: F) -> Result<T, E>
where
    E: From<StoreError>,
    F: FnOnce(&Tx<'_>) -> Result<T, E>,
{
    let mut conn = rusqlite::Connection::open_in_memory().map_err(StoreError::from)?;
    conn.execute_batch(include_str!("../../schema.sql"))
        .map_err(StoreError::from)?;
    let transaction = conn
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(StoreError::from)?;
    f(&Tx {
        reader: Reader { conn: &transaction },
    })
}

impl Reader<'_> {
    /// A campaign's folder; `None`: it has none.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn documents_folder(
        &self,
        campaign: CampaignId,
    ) -> Result<Option<DocumentsFolder>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT folder, trouble, synonyms, synonyms_at, looked_at
                 FROM campaign_documents WHERE campaign_id = ?1",
            )?
            .query_row([campaign.0], |row| {
                Ok(DocumentsFolder {
                    folder: row.get(0)?,
                    trouble: row.get(1)?,
                    synonyms: row.get(2)?,
                    synonyms_at: row.get(3)?,
                    looked_at: row.get::<_, Option<i64>>(4)?.map(UtcMs),
                })
            })
            .optional()?)
    }

    /// The campaigns that have a folder.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn campaigns_with_documents(&self) -> Result<Vec<(CampaignId, String)>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT c.id, c.name FROM campaign_documents d JOIN campaigns c ON c.id = d.campaign_id
             ORDER BY c.name",
        )?;
        let rows = statement.query_map([], |r| Ok((CampaignId(r.get(0)?), r.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The stamp of a campaign's documents.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn documents_stamp(&self, campaign: CampaignId) -> Result<DocumentsStamp, StoreError> {
        let (newest, files) = self
            .conn
            .prepare_cached(
                "SELECT coalesce(max(id), 0), count(*) FROM documents WHERE campaign_id = ?1",
            )?
            .query_row([campaign.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let synonyms = self
            .conn
            .prepare_cached(
                "SELECT synonyms_at, length(synonyms) FROM campaign_documents
                 WHERE campaign_id = ?1",
            )?
            .query_row([campaign.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (synonyms_at, synonyms_bytes) = synonyms.unwrap_or_default();
        Ok(DocumentsStamp {
            newest,
            files,
            synonyms_at,
            synonyms_bytes,
        })
    }

    /// The indexed files of a campaign, by name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn documents(&self, campaign: CampaignId) -> Result<Vec<DocumentRow>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT d.file, d.mtime_ns, d.size_bytes, d.hash, d.language, d.trouble, d.notes,
                    d.indexed_at, (SELECT count(*) FROM doc_chunks c WHERE c.document_id = d.id)
             FROM documents d WHERE d.campaign_id = ?1 ORDER BY d.file",
        )?;
        let rows = statement.query_map([campaign.0], |row| {
            Ok(DocumentRow {
                file: row.get(0)?,
                mtime_ns: row.get(1)?,
                size: u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
                hash: row.get(3)?,
                language: row.get(4)?,
                trouble: row.get(5)?,
                notes: serde_json::from_str(&row.get::<_, String>(6)?).unwrap_or_default(),
                indexed_at: UtcMs(row.get(7)?),
                chunks: row.get(8)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The pieces of a campaign with their rows.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn doc_chunks(&self, campaign: CampaignId) -> Result<Vec<(i64, DocChunk)>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT c.id, c.kind, d.file, c.heading, c.aliases, c.line, c.body, d.language, c.hash
             FROM doc_chunks c JOIN documents d ON d.id = c.document_id
             WHERE c.campaign_id = ?1 ORDER BY c.id",
        )?;
        let mut rows = statement.query([campaign.0])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let kind: String = row.get(1)?;
            found.push((
                row.get(0)?,
                DocChunk {
                    kind: kind.parse::<ChunkKind>()?,
                    file: row.get(2)?,
                    heading: row.get(3)?,
                    aliases: row.get(4)?,
                    line: row.get(5)?,
                    body: row.get(6)?,
                    language: row.get(7)?,
                    hash: row.get(8)?,
                },
            ));
        }
        Ok(found)
    }

    /// The pieces of a campaign that hold any of these words, by BM25, best first; a higher
    /// score is better. Headings count three times, other wordings of a question twice.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn search_documents(
        &self,
        campaign: CampaignId,
        terms: &[String],
    ) -> Result<Vec<(i64, f64)>, StoreError> {
        // Quoted: a word is never an operator of the search.
        let quoted: Vec<String> = terms
            .iter()
            .filter(|t| t.chars().any(char::is_alphanumeric))
            .map(|t| format!("\"{}\"", t.replace('"', "")))
            .collect();
        if quoted.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = self.conn.prepare_cached(
            "SELECT f.rowid, -bm25(doc_fts, 3.0, 1.0, 2.0) AS score
             FROM doc_fts f JOIN doc_chunks c ON c.id = f.rowid
             WHERE doc_fts MATCH ?1 AND c.campaign_id = ?2
             ORDER BY score DESC, f.rowid LIMIT ?3",
        )?;
        let rows = statement.query_map(
            params![quoted.join(" OR "), campaign.0, SEARCH_LIMIT],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// As [`Reader::citations`], of the job that made a draft.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn draft_citations(&self, draft: DraftId) -> Result<Vec<Citation>, StoreError> {
        let job: Option<i64> = self
            .conn
            .prepare_cached("SELECT job_id FROM drafts WHERE id = ?1")?
            .query_row([draft.0], |row| row.get(0))
            .optional()?;
        job.map_or_else(|| Ok(Vec::new()), |job| self.citations(JobId(job)))
    }

    /// What a job's answer or draft quotes, and what came near.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn citations(&self, job: JobId) -> Result<Vec<Citation>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT part, question, used, file, heading, line, hash, quote, score
             FROM answer_sources WHERE job_id = ?1 ORDER BY id",
        )?;
        let rows = statement.query_map([job.0], |row| {
            Ok(Citation {
                part: row.get(0)?,
                question: row.get(1)?,
                used: row.get(2)?,
                file: row.get(3)?,
                heading: row.get(4)?,
                line: row.get(5)?,
                hash: row.get(6)?,
                quote: row.get(7)?,
                score: row.get(8)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// Gives a campaign a folder, another one, or none; what was indexed of the old one goes.
    /// Again with the same folder changes nothing.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_documents_folder(
        &self,
        campaign: CampaignId,
        folder: Option<&str>,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        let before = self.documents_folder(campaign)?.map(|f| f.folder);
        if before.as_deref() == folder {
            return Ok(());
        }
        for document in self.documents(campaign)? {
            self.remove_document(campaign, &document.file)?;
        }
        self.conn
            .prepare_cached("DELETE FROM campaign_documents WHERE campaign_id = ?1")?
            .execute([campaign.0])?;
        if let Some(folder) = folder {
            self.conn
                .prepare_cached(
                    "INSERT INTO campaign_documents (campaign_id, folder, created_at)
                     VALUES (?1, ?2, ?3)",
                )?
                .execute(params![campaign.0, folder, now.0])?;
        }
        Ok(())
    }

    /// Notes how the folder itself was found.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_documents_folder(
        &self,
        campaign: CampaignId,
        found: &DocumentsFolder,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE campaign_documents
                 SET trouble = ?3, synonyms = ?4, synonyms_at = ?5, looked_at = ?6
                 WHERE campaign_id = ?1 AND folder = ?2",
            )?
            .execute(params![
                campaign.0,
                found.folder,
                found.trouble,
                found.synonyms,
                found.synonyms_at,
                now.0
            ])?;
        Ok(())
    }

    /// Indexes a file, in place of what was indexed of it before.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_document(
        &self,
        campaign: CampaignId,
        new: &NewDocument,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.remove_document(campaign, &new.file)?;
        let notes =
            serde_json::to_string(&new.notes).map_err(|e| StoreError::Invalid(e.to_string()))?;
        self.conn
            .prepare_cached(
                "INSERT INTO documents (campaign_id, file, mtime_ns, size_bytes, hash, language,
                     notes, indexed_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                campaign.0,
                new.file,
                new.mtime_ns,
                i64::try_from(new.size).unwrap_or(i64::MAX),
                new.hash,
                new.language,
                notes,
                now.0
            ])?;
        let document = self.conn.last_insert_rowid();
        let mut chunk = self.conn.prepare_cached(
            "INSERT INTO doc_chunks (document_id, campaign_id, kind, heading, aliases, line, body,
                 hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        let mut words = self.conn.prepare_cached(
            "INSERT INTO doc_fts (rowid, title, body, aliases) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for (c, [title, body, aliases]) in &new.chunks {
            chunk.execute(params![
                document,
                campaign.0,
                c.kind.as_str(),
                c.heading,
                c.aliases,
                c.line,
                c.body,
                c.hash
            ])?;
            words.execute(params![self.conn.last_insert_rowid(), title, body, aliases])?;
        }
        Ok(())
    }

    /// The file was found unchanged by content, or cannot be read now: its pieces stay.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn touch_document(
        &self,
        campaign: CampaignId,
        row: &DocumentRow,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO documents (campaign_id, file, mtime_ns, size_bytes, trouble, indexed_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (campaign_id, file) DO UPDATE SET mtime_ns = excluded.mtime_ns,
                     size_bytes = excluded.size_bytes, trouble = excluded.trouble,
                     indexed_at = excluded.indexed_at",
            )?
            .execute(params![
                campaign.0,
                row.file,
                row.mtime_ns,
                i64::try_from(row.size).unwrap_or(i64::MAX),
                row.trouble,
                row.indexed_at.0
            ])?;
        Ok(())
    }

    /// Takes a file out of the index.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn remove_document(&self, campaign: CampaignId, file: &str) -> Result<(), StoreError> {
        let id: Option<i64> = self
            .conn
            .prepare_cached("SELECT id FROM documents WHERE campaign_id = ?1 AND file = ?2")?
            .query_row(params![campaign.0, file], |row| row.get(0))
            .optional()?;
        let Some(id) = id else {
            return Ok(());
        };
        self.conn
            .prepare_cached(
                "DELETE FROM doc_fts WHERE rowid IN
                     (SELECT id FROM doc_chunks WHERE document_id = ?1)",
            )?
            .execute([id])?;
        self.conn
            .prepare_cached("DELETE FROM doc_chunks WHERE document_id = ?1")?
            .execute([id])?;
        self.conn
            .prepare_cached("DELETE FROM documents WHERE id = ?1")?
            .execute([id])?;
        Ok(())
    }

    /// Keeps what a job quotes and what came near, in place of what was kept of it before.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_citations(&self, job: JobId, citations: &[Citation]) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("DELETE FROM answer_sources WHERE job_id = ?1")?
            .execute([job.0])?;
        let mut statement = self.conn.prepare_cached(
            "INSERT INTO answer_sources (job_id, part, question, used, file, heading, line, hash,
                 quote, score)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        for c in citations {
            statement.execute(params![
                job.0, c.part, c.question, c.used, c.file, c.heading, c.line, c.hash, c.quote,
                c.score
            ])?;
        }
        Ok(())
    }
}
