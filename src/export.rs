//! `replyd export`: CSV for table programs, JSON lines for others; a piece of rows in memory at a time.

use std::io::Write;

use anyhow::Context;
use serde_json::{Map, Value};

use crate::store::{ExportFilter, ExportKind, Store, StoreError};

/// Rows in memory at once.
const ROWS: u32 = 1000;

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, UTF-8, with a head line.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

/// Writes all rows; how many.
///
/// # Errors
/// What the store or the writer says.
pub async fn export(
    store: &Store,
    kind: ExportKind,
    filter: ExportFilter,
    format: Format,
    out: &mut dyn Write,
) -> anyhow::Result<u64> {
    let (mut after, mut count) = (0, 0);
    let columns = kind.columns();
    if format == Format::Csv {
        write_csv(out, columns.iter().map(|c| (*c).to_owned()))?;
    }
    loop {
        let rows = store
            .read(move |r| r.export(kind, filter, after, ROWS))
            .await
            .map_err(|e: StoreError| e)
            .context("Read rows")?;
        let Some((last, _)) = rows.last() else {
            out.flush().context("Write the export")?;
            return Ok(count);
        };
        after = *last;
        for (_, cells) in rows {
            match format {
                Format::Csv => write_csv(out, cells.iter().map(csv_cell))?,
                Format::JsonLines => {
                    let names = columns.iter().map(|c| (*c).to_owned());
                    let object: Map<String, Value> = names.zip(cells).collect();
                    serde_json::to_writer(&mut *out, &object).context("Write the export")?;
                    out.write_all(b"\n").context("Write the export")?;
                }
            }
            count += 1;
        }
    }
}

fn write_csv(out: &mut dyn Write, cells: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let mut line = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    line.write_record(cells).context("Write a line")?;
    let bytes = line.into_inner().context("Write a line")?;
    out.write_all(&bytes).context("Write the export")
}

/// A text that a table program would take for a formula gets an apostrophe in front (OWASP "CSV Injection").
fn csv_cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => {
            let risky = |c: char| {
                matches!(
                    c,
                    '=' | '+' | '-' | '@' | '\t' | '\r' | '＝' | '＋' | '－' | '＠'
                )
            };
            // Table programs pass over blanks and line ends in front.
            let first = text.trim_start_matches([' ', '\n', '\u{a0}', '\u{feff}']);
            if first.starts_with(risky) {
                format!("'{text}")
            } else {
                text.clone()
            }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formula_cells_are_neutralised_and_numbers_are_not_touched() {
        for bad in [
            "=1+1",
            "+49 30 1",
            "-2",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "  =cmd|'/c calc'!A1",
            "\n=1",
            "＝1",
        ] {
            assert_eq!(csv_cell(&Value::from(bad)), format!("'{bad}"));
        }
        for good in ["Ann", "a=b", "", "1-2", "'=1"] {
            assert_eq!(csv_cell(&Value::from(good)), good);
        }
        assert_eq!(csv_cell(&Value::from(-3)), "-3");
        assert_eq!(csv_cell(&Value::Null), "");
    }

    #[test]
    fn quotes_commas_and_line_ends_stay_in_their_cell() {
        let mut out = Vec::new();
        let cells = ["a,b", "say \"hi\"", "two\nlines", ""].map(str::to_owned);
        write_csv(&mut out, cells.into_iter()).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",\r\n"
        );
    }
}
