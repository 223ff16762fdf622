//! CSV as people's tools write it: separator found from the header line, columns found by name
//! in any usual spelling, rows bounded in size, bad rows told by line.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Cursor, Read};

use anyhow::{Context, bail};
use serde::Serialize;

/// A row, with all its cells; a quote left open would otherwise read the whole file as one row.
const MAX_ROW_BYTES: u64 = 1024 * 1024;
/// What the CSV reader may read ahead of the row.
const READ_AHEAD_BYTES: u64 = 64 * 1024;
/// The header line.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Unknown columns that are told by name.
const MAX_UNKNOWN: usize = 20;

/// Why a row did not go in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowError {
    /// The line of the file at which the row starts, from 1 (the header).
    pub line: u64,
    /// What is wrong, in a sentence without the row's contents.
    pub reason: String,
}

/// A column that an import knows.
#[derive(Debug)]
pub(super) struct Column {
    /// Its name in messages.
    pub(super) name: &'static str,
    /// Its spellings, as [`plain`] leaves them.
    pub(super) spellings: &'static [&'static str],
}

/// The cells of a row, in the order of the known columns; `None`: the file has no such column.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) line: u64,
    cells: Vec<Option<String>>,
}

impl Row {
    /// The cell of known column `i`, trimmed; `None` when the file has no such column.
    pub(super) fn get(&self, i: usize) -> Option<&str> {
        self.cells.get(i).and_then(Option::as_deref)
    }

    /// The cell of known column `i`, `""` when the file has no such column.
    pub(super) fn text(&self, i: usize) -> &str {
        self.get(i).unwrap_or_default()
    }
}

/// What the next row of a table is.
#[derive(Debug)]
pub(super) enum Next {
    /// A row.
    Row(Row),
    /// A row that cannot be read; the next one may.
    Bad(RowError),
    /// A row after which nothing can be read.
    Broken(RowError),
    /// The end of the file.
    End,
}

/// An open CSV file.
pub(super) struct Table {
    csv: csv::Reader<Bounded>,
    record: csv::ByteRecord,
    /// Where each known column stands in the file.
    places: Vec<Option<usize>>,
    width: usize,
    /// Columns of the file that nobody asked for.
    pub(super) unknown: Vec<String>,
}

impl Table {
    /// Reads the header line. `required` are groups of known columns: one of each must be there.
    pub(super) fn open(
        reader: impl Read + Send + 'static,
        columns: &[Column],
        required: &[&[usize]],
    ) -> anyhow::Result<Self> {
        let mut reader = BufReader::new(reader);
        let head = header_line(&mut reader)?;
        let whole = Cursor::new(head.clone()).chain(reader);
        let mut csv = csv::ReaderBuilder::new()
            .delimiter(separator(&head))
            .flexible(true)
            .from_reader(Bounded::new(whole));
        let header = csv
            .headers()
            .context("Read the header line (is the file UTF-8?)")?
            .clone();
        let mut places = vec![None; columns.len()];
        let mut unknown = Vec::new();
        for (at, title) in header.iter().enumerate() {
            let wanted = plain(title);
            let known = columns
                .iter()
                .position(|c| c.spellings.contains(&wanted.as_str()));
            match known.and_then(|i| places.get_mut(i).map(|p| (i, p))) {
                Some((_, place @ None)) => *place = Some(at),
                Some((i, Some(_))) => bail!(
                    "The header names column {} twice",
                    columns.get(i).map_or("", |c| c.name)
                ),
                None if wanted.is_empty() => {}
                None => unknown.push(title.trim()),
            }
        }
        let missing: Vec<String> = required
            .iter()
            .filter(|group| {
                !group
                    .iter()
                    .any(|i| places.get(*i).is_some_and(Option::is_some))
            })
            .map(|group| {
                let names: Vec<&str> = group
                    .iter()
                    .filter_map(|i| columns.get(*i).map(|c| c.name))
                    .collect();
                names.join(" or ")
            })
            .collect();
        if !missing.is_empty() {
            bail!(
                "The first line must name the columns, and has no column {}",
                missing.join(", nor ")
            );
        }
        let unknown = unknown
            .into_iter()
            .take(MAX_UNKNOWN)
            .map(|title| title.chars().filter(|c| !c.is_control()).take(60).collect())
            .collect();
        Ok(Self {
            csv,
            record: csv::ByteRecord::new(),
            places,
            width: header.len(),
            unknown,
        })
    }

    /// How many bytes of the file were taken in so far.
    pub(super) fn bytes(&self) -> u64 {
        self.csv.position().byte()
    }

    /// The next row. Blank rows are passed over.
    pub(super) fn next(&mut self) -> anyhow::Result<Next> {
        loop {
            let start = self.csv.position().byte();
            self.csv.get_mut().begin_row(start);
            let read = self.csv.read_byte_record(&mut self.record);
            let line = self.csv.get_ref().line();
            match read {
                Ok(true) => {}
                Ok(false) => return Ok(Next::End),
                Err(_) if self.csv.get_ref().left == 0 => {
                    return Ok(Next::Broken(RowError {
                        line,
                        reason: "The row is longer than 1 MiB (is a quote left open?): \
                                 nothing behind this line was read"
                            .into(),
                    }));
                }
                Err(e) => return Err(e).context("Read the file"),
            }
            if self.record.iter().all(|c| c.trim_ascii().is_empty()) {
                continue;
            }
            return Ok(match self.cells() {
                Ok(cells) => Next::Row(Row { line, cells }),
                Err(reason) => Next::Bad(RowError { line, reason }),
            });
        }
    }

    fn cells(&self) -> Result<Vec<Option<String>>, String> {
        let extra = self.record.iter().skip(self.width);
        if self.record.len() < self.width || !extra.clone().all(|c| c.trim_ascii().is_empty()) {
            return Err(format!(
                "The row has {} cells, the header {} (is a quote left open, or a cell with the \
                 separator not quoted?)",
                self.record.len(),
                self.width
            ));
        }
        let cell = |place: &Option<usize>| -> Result<Option<String>, String> {
            let Some(bytes) = place.and_then(|at| self.record.get(at)) else {
                return Ok(None);
            };
            let text = std::str::from_utf8(bytes)
                .map_err(|_| "The row is not UTF-8: save the file as CSV UTF-8".to_owned())?;
            Ok(Some(text.trim().to_owned()))
        };
        self.places.iter().map(cell).collect()
    }
}

/// A column title without case, blanks, underscores and dots.
fn plain(title: &str) -> String {
    title
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The first line that is not empty, as bytes with its line end and what stands before it.
fn header_line(reader: &mut impl BufRead) -> anyhow::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut quoted = false;
    let mut started = false;
    'line: loop {
        let chunk = reader.fill_buf().context("Read the file")?;
        if chunk.is_empty() {
            break;
        }
        let mut used = 0;
        for byte in chunk {
            used += 1;
            head.push(*byte);
            match byte {
                b'"' => quoted = !quoted,
                b'\n' | b'\r' if started && !quoted => {
                    reader.consume(used);
                    break 'line;
                }
                b'\n' | b'\r' => {}
                _ => started = true,
            }
            if head.len() > MAX_HEADER_BYTES {
                bail!("The header line is longer than 64 KiB: is this a CSV file?");
            }
        }
        reader.consume(used);
    }
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        bail!("The file is UTF-16: save it as CSV UTF-8");
    }
    if head.starts_with(b"PK\x03\x04") {
        bail!("The file is an Excel workbook: save it as CSV UTF-8");
    }
    if head.contains(&0) {
        bail!("The file is not text: save it as CSV UTF-8");
    }
    if head.starts_with(b"\xef\xbb\xbf") {
        head.drain(..3);
    }
    if !started {
        bail!("The file is empty: its first line must name the columns");
    }
    Ok(head)
}

/// The separator that stands most often outside quotes in the header line.
fn separator(head: &[u8]) -> u8 {
    let mut counts = [(b',', 0_u32), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for byte in head {
        if *byte == b'"' {
            quoted = !quoted;
        }
        if let Some((_, n)) = counts.iter_mut().find(|(c, _)| c == byte && !quoted) {
            *n = n.saturating_add(1);
        }
    }
    let mut best = (b',', 0);
    for this in counts {
        if this.1 > best.1 {
            best = this;
        }
    }
    best.0
}

/// Ends with an error when a row is too long, and knows at which line a row starts: the CSV
/// reader counts blank lines and CR LF otherwise than an editor does.
struct Bounded {
    inner: Box<dyn Read + Send>,
    /// Bytes that may still be read for this row.
    left: u64,
    /// Offset of the next byte.
    at: u64,
    /// The line that it stands in, from 1.
    line: u64,
    last: u8,
    /// Offset and number of each line that is not empty, from the current row on.
    starts: VecDeque<(u64, u64)>,
}

impl Bounded {
    fn new(inner: impl Read + Send + 'static) -> Self {
        Self {
            inner: Box::new(inner),
            left: MAX_ROW_BYTES + READ_AHEAD_BYTES,
            at: 0,
            line: 1,
            last: b'\n',
            starts: VecDeque::new(),
        }
    }

    /// The next row starts at the first byte from `offset` on that ends no line.
    fn begin_row(&mut self, offset: u64) {
        self.left = MAX_ROW_BYTES + READ_AHEAD_BYTES;
        while self.starts.front().is_some_and(|(at, _)| *at < offset) {
            self.starts.pop_front();
        }
    }

    /// The line at which the current row starts.
    fn line(&self) -> u64 {
        self.starts.front().map_or(self.line, |(_, line)| *line)
    }
}

impl Read for Bounded {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            return Err(std::io::Error::other("row too long"));
        }
        let n = self.inner.read(buf)?;
        for byte in buf.iter().take(n) {
            match (self.last, *byte) {
                (b'\r', b'\n') => {}
                (_, b'\r' | b'\n') => self.line += 1,
                (b'\r' | b'\n', _) => self.starts.push_back((self.at, self.line)),
                _ => {}
            }
            self.last = *byte;
            self.at += 1;
        }
        self.left = self
            .left
            .saturating_sub(u64::try_from(n).unwrap_or(u64::MAX));
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column {
            name: "lead_id",
            spellings: &["leadid"],
        },
        Column {
            name: "email",
            spellings: &["email"],
        },
    ];

    fn rows(text: &'static [u8]) -> anyhow::Result<Vec<String>> {
        let mut table = Table::open(text, COLUMNS, &[&[0], &[1]])?;
        let mut seen = Vec::new();
        loop {
            seen.push(match table.next()? {
                Next::Row(r) => format!("{}: {}|{}", r.line, r.text(0), r.text(1)),
                Next::Bad(e) => format!("{}: bad", e.line),
                Next::Broken(e) => {
                    seen.push(format!("{}: broken", e.line));
                    return Ok(seen);
                }
                Next::End => return Ok(seen),
            });
        }
    }

    #[test]
    fn separator_bom_and_line_ends_of_common_tools_are_understood() {
        let want = vec!["2: L1|a@x.example".to_owned()];
        for text in [
            &b"lead_id,email\nL1,a@x.example\n"[..],
            b"\xef\xbb\xbfLead ID;Email\r\nL1;a@x.example\r\n",
            b"LEAD ID\tE-mail\nL1\ta@x.example",
            b"lead_id,\"email\"\rL1,a@x.example\r",
            b"lead_id,email,,\nL1, a@x.example ,,,\n,,,\n",
        ] {
            assert_eq!(rows(text).unwrap(), want, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn lines_are_counted_over_blank_lines_and_quoted_line_breaks() {
        let seen = rows(b"lead_id,email,x\nL1,a,\"one\ntwo\"\n\nL2,b,c\nL3\nL4,d,e\n").unwrap();
        assert_eq!(seen, ["2: L1|a", "5: L2|b", "6: bad", "7: L4|d"]);
    }

    #[test]
    fn a_row_that_is_not_utf8_is_bad_and_the_next_goes_in() {
        let seen = rows(b"lead_id,email\nL1,a\xff\nL2,b\n").unwrap();
        assert_eq!(seen, ["2: bad", "3: L2|b"]);
    }

    #[test]
    fn an_endless_row_stops_the_reading_within_bounds() {
        let endless = std::io::repeat(b'x');
        let head = &b"lead_id,email\nL1,\""[..];
        let mut table = Table::open(head.chain(endless), COLUMNS, &[]).unwrap();
        assert!(matches!(
            table.next().unwrap(),
            Next::Broken(RowError { line: 2, .. })
        ));
    }

    #[test]
    fn files_that_are_no_csv_are_refused_with_the_remedy() {
        for (text, word) in [
            (&b""[..], "empty"),
            (b"\n\n", "empty"),
            (b"\xff\xfel\0e\0", "UTF-16"),
            (b"PK\x03\x04rest", "Excel"),
            (b"lead\0id", "not text"),
            (b"lead_id,name\n", "no column email"),
            (b"lead_id,email,Lead ID\n", "twice"),
        ] {
            let e = Table::open(text, COLUMNS, &[&[0], &[1]]).err().unwrap();
            assert!(format!("{e:#}").contains(word), "{e:#}");
        }
        let endless = Table::open(std::io::repeat(b'x'), COLUMNS, &[]).err();
        assert!(endless.unwrap().to_string().contains("64 KiB"));
    }

    #[test]
    fn unknown_columns_are_told_and_kept_printable() {
        let text = &b"lead_id,email,Notes\x1b[2J,\n"[..];
        let table = Table::open(text, COLUMNS, &[]).unwrap();
        assert_eq!(table.unknown, ["Notes[2J"]);
    }
}
