//! Leads, campaigns and the mails that were sent to them: imports from CSV files, single
//! entries, and the campaign mails that replyd sends itself (`template`, `recipients`, `send`,
//! `pace`).
//!
//! An import is one pass over the file: a blocking task reads and checks rows, this one writes
//! them in transactions of `ROWS_A_TRANSACTION`, so that a long file never holds the write
//! lock for long. A bad row is reported with its line, the others go in; the same file again is
//! an update. Learning of a lead or a Message-ID puts stored messages that it makes matchable
//! into `refetch`, in the same transaction.

mod cells;
mod django;
mod django_dump;
mod leads;
pub mod pace;
mod recipients;
mod reported;
mod send;
mod sent;
mod table;
pub mod template;

use std::fmt;
use std::io::Read;
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;
use tokio::sync::mpsc;

pub use django::{DjangoReport, ModelCount, RecordError, import_django};
pub use django_dump::DumpError;
pub use leads::{import_leads, lead_hash};
pub use recipients::{Standing, Tally};
pub use reported::{ReportRefused, SentReport, SentReportLead, report_sent};
pub use send::{LeadFault, Sample, SendOptions, SendReport, compile, lead_count, send};
pub use sent::{AddedSent, SentEntry, add_sent, import_sent};
pub use table::RowError;

use crate::keys::Keys;
use crate::store::{Change, Store, StoreError, Tx};
use table::{Column, Next, Row, Table};

/// Some milliseconds of writing; a listener's capture waits no longer than that.
const ROWS_A_TRANSACTION: usize = 500;
/// Rows with long texts make a transaction sooner.
const BYTES_A_TRANSACTION: u64 = 4 * 1024 * 1024;
/// Bad rows that are kept for the report; the rest are counted.
const MAX_ERRORS: usize = 1000;
/// New campaigns that are told by name.
const MAX_CAMPAIGNS: usize = 100;

/// How an import is to be done.
#[derive(Clone, Default)]
pub struct ImportOptions {
    /// The campaign of rows that name none.
    pub campaign: Option<String>,
    /// Leads that were erased come back; their addresses get no mail all the same.
    pub erased_too: bool,
    /// Called after each transaction.
    pub progress: Option<Arc<dyn Fn(ImportProgress) + Send + Sync>>,
}

impl fmt::Debug for ImportOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportOptions")
            .field("campaign", &self.campaign)
            .finish_non_exhaustive()
    }
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportProgress {
    /// Rows read, bad ones too.
    pub rows: u64,
    /// Bytes of the file read.
    pub bytes: u64,
}

/// What became of a file's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Rows that were not known before.
    pub new: u64,
    /// Rows that changed what was known.
    pub updated: u64,
    /// Rows that said what was known.
    pub unchanged: u64,
    /// Rows that did not go in.
    pub failed: u64,
    /// The first 1000 of them, in the order of the file.
    pub errors: Vec<RowError>,
    /// Columns of the file that were passed over.
    pub unknown_columns: Vec<String>,
    /// The first 100 campaigns that were made because a row named them first.
    pub new_campaigns: Vec<String>,
    /// Stored messages that became matchable: each account's listener fetches them again.
    pub refetch: u64,
}

impl ImportReport {
    /// Rows that went in, changed or not.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.new + self.updated + self.unchanged
    }

    /// Rows that did not go in, also those that [`ImportReport::errors`] has no room for.
    #[must_use]
    pub fn error_count(&self) -> u64 {
        self.failed
    }

    fn fail(&mut self, error: RowError) {
        self.failed += 1;
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(error);
        }
    }

    fn count(&mut self, done: Done) {
        match done.change {
            Change::New => self.new += 1,
            Change::Updated => self.updated += 1,
            Change::Unchanged => self.unchanged += 1,
        }
        self.refetch += u64::try_from(done.refetch).unwrap_or(0);
        if let Some(name) = done.new_campaign
            && self.new_campaigns.len() < MAX_CAMPAIGNS
        {
            self.new_campaigns.push(name);
        }
    }
}

/// What one row did.
#[derive(Debug)]
struct Done {
    change: Change,
    refetch: usize,
    new_campaign: Option<String>,
}

/// One kind of import: which columns, what a row means, and how it is written.
trait Import: Send + Sync + 'static {
    /// A checked row.
    type Entry: Send + 'static;
    const COLUMNS: &'static [Column];
    /// Groups of columns, of each of which one must be there.
    const REQUIRED: &'static [&'static [usize]];

    /// Checks a row; the error is the reason why it cannot go in.
    fn read(&self, row: &Row) -> Result<Self::Entry, String>;
    /// What the store knows this entry's sender or id by in messages that concern nobody.
    fn hashes(entry: &Self::Entry, keys: &Keys) -> Vec<String>;
    /// Writes a row. [`StoreError::Invalid`] and [`StoreError::NotFound`] concern this row only.
    fn write(
        &self,
        tx: &Tx<'_>,
        entry: &Self::Entry,
        hashes: &[String],
    ) -> Result<Done, StoreError>;
}

/// Rows on their way from the file to the store.
struct Chunk<E> {
    rows: Vec<(u64, E)>,
    bad: Vec<RowError>,
    so_far: ImportProgress,
}

/// Runs an import to the end of the file.
async fn run<I: Import>(
    store: &Store,
    keys: &crate::keys::Keys,
    reader: impl Read + Send + 'static,
    import: Arc<I>,
    options: &ImportOptions,
) -> anyhow::Result<ImportReport> {
    let (chunks, mut arrived) = mpsc::channel(1);
    let reading = {
        let import = Arc::clone(&import);
        tokio::task::spawn_blocking(move || read_all(&*import, reader, &chunks))
    };
    let mut report = ImportReport::default();
    while let Some(Chunk { rows, bad, so_far }) = arrived.recv().await {
        let rows: Vec<(u64, I::Entry, Vec<String>)> = rows
            .into_iter()
            .map(|(line, entry)| {
                let hashes = I::hashes(&entry, keys);
                (line, entry, hashes)
            })
            .collect();
        let written = if rows.is_empty() {
            Vec::new()
        } else {
            let import = Arc::clone(&import);
            store
                .write(move |tx| write_rows(&*import, tx, &rows))
                .await
                .with_context(|| {
                    format!(
                        "Write the rows of the file ({} are in, import it again to go on)",
                        report.accepted()
                    )
                })?
        };
        let mut failed = bad;
        for result in written {
            match result {
                Ok(done) => report.count(done),
                Err(error) => failed.push(error),
            }
        }
        failed.sort_by_key(|e| e.line);
        for error in failed {
            report.fail(error);
        }
        if let Some(progress) = &options.progress {
            progress(so_far);
        }
    }
    report.unknown_columns = reading.await.context("Read the file")??;
    Ok(report)
}

/// Reads and checks all rows; the unknown columns are the result. Blocking.
fn read_all<I: Import>(
    import: &I,
    reader: impl Read + Send + 'static,
    chunks: &mpsc::Sender<Chunk<I::Entry>>,
) -> anyhow::Result<Vec<String>> {
    let mut table = Table::open(reader, I::COLUMNS, I::REQUIRED)?;
    let mut read = 0;
    let mut sent_bytes = 0;
    let mut rows = Vec::new();
    let mut bad = Vec::new();
    loop {
        let end = match table.next()? {
            Next::Row(row) => {
                read += 1;
                match import.read(&row) {
                    Ok(entry) => rows.push((row.line, entry)),
                    Err(reason) => bad.push(RowError {
                        line: row.line,
                        reason,
                    }),
                }
                false
            }
            Next::Bad(error) => {
                read += 1;
                bad.push(error);
                false
            }
            Next::Broken(error) => {
                read += 1;
                bad.push(error);
                true
            }
            Next::End => true,
        };
        let bytes = table.bytes();
        let full = rows.len() + bad.len() >= ROWS_A_TRANSACTION
            || bytes.saturating_sub(sent_bytes) >= BYTES_A_TRANSACTION;
        if end || full {
            sent_bytes = bytes;
            let chunk = Chunk {
                rows: std::mem::take(&mut rows),
                bad: std::mem::take(&mut bad),
                so_far: ImportProgress { rows: read, bytes },
            };
            // A closed channel: the writing failed and has its own error to tell.
            if chunks.blocking_send(chunk).is_err() || end {
                return Ok(table.unknown);
            }
        }
    }
}

/// Writes rows in one transaction; each is whole or not at all.
fn write_rows<I: Import>(
    import: &I,
    tx: &Tx<'_>,
    rows: &[(u64, I::Entry, Vec<String>)],
) -> Result<Vec<Result<Done, RowError>>, StoreError> {
    let mut results = Vec::with_capacity(rows.len());
    for (line, entry, hashes) in rows {
        results.push(match tx.whole(|tx| import.write(tx, entry, hashes)) {
            Ok(done) => Ok(done),
            Err(StoreError::Invalid(reason)) => Err(RowError {
                line: *line,
                reason,
            }),
            Err(error @ StoreError::NotFound(_)) => Err(RowError {
                line: *line,
                reason: error.to_string(),
            }),
            Err(error) => return Err(error),
        });
    }
    Ok(results)
}

/// The campaign that a row belongs to: its own, else the import's.
fn campaign_of(row: &str, options: &ImportOptions) -> Result<Option<String>, String> {
    let name = if row.is_empty() {
        options.campaign.as_deref().unwrap_or_default()
    } else {
        row
    };
    let name = cells::one_line("campaign", name.trim())?;
    Ok(Some(name).filter(|n| !n.is_empty()))
}
