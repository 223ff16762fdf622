//! The records of `manage.py dumpdata`, one at a time: a JSON list (its format `json`), or one record a
//! line (`jsonl`).

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer as _, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Bytes of one record, at most: a mail's text is far smaller.
const MAX_RECORD: u64 = 16 << 20;

/// One record.
#[derive(Debug, Deserialize)]
pub(super) struct Record {
    /// `app.model`.
    pub(super) model: String,
    /// Primary key.
    #[serde(default)]
    pub(super) pk: Value,
    /// Its columns.
    #[serde(default)]
    pub(super) fields: Map<String, Value>,
}

/// Why a dump cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The file.
    #[error("{0}")]
    Read(#[source] io::Error),
    /// Its form.
    #[error("record {record}: {reason}")]
    Form {
        /// The record that could not be read, from 1.
        record: u64,
        /// Why, without its contents.
        reason: String,
    },
}

/// Calls `f` with each record and its number from 1, until it says false.
pub(super) fn each_record(
    mut reader: impl BufRead,
    mut f: impl FnMut(u64, Record) -> bool,
) -> Result<(), DumpError> {
    let first = first_byte(&mut reader).map_err(DumpError::Read)?;
    let read = Rc::new(Cell::new(0));
    let number = Rc::new(Cell::new(0));
    let bounded = Bounded {
        inner: reader,
        read: Rc::clone(&read),
    };
    let mut stopped = false;
    let mut take = |record: Record| {
        number.set(number.get() + 1);
        read.set(0);
        stopped = !f(number.get(), record);
        !stopped
    };
    let done = match first {
        None => Ok(()),
        Some(b'{') => lines(bounded, &mut take),
        Some(_) => serde_json::Deserializer::from_reader(bounded).deserialize_seq(List(&mut take)),
    };
    match done {
        Err(_) if stopped => Ok(()),
        Ok(()) => Ok(()),
        Err(e) => Err(DumpError::Form {
            record: number.get() + 1,
            reason: reason(&e),
        }),
    }
}

fn lines(reader: impl Read, take: &mut impl FnMut(Record) -> bool) -> serde_json::Result<()> {
    for record in serde_json::Deserializer::from_reader(reader).into_iter::<Record>() {
        if !take(record?) {
            break;
        }
    }
    Ok(())
}

/// Place and kind of an error; serde's own words may quote the contents.
fn reason(e: &serde_json::Error) -> String {
    let what = if e.is_io() {
        "it is longer than 16 MiB, or the file cannot be read".to_owned()
    } else if e.is_eof() {
        "the file ends in the middle of it".to_owned()
    } else if e.is_syntax() {
        "it is no JSON".to_owned()
    } else {
        "it is no record of `manage.py dumpdata` (model, pk, fields)".to_owned()
    };
    format!("{what} (line {}, column {})", e.line(), e.column())
}

/// The first byte that is no blank; it stays to be read.
fn first_byte(reader: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let buffer = reader.fill_buf()?;
        let Some(first) = buffer.first().copied() else {
            return Ok(None);
        };
        // A byte order mark, as editors and shells of Windows write one.
        if first.is_ascii_whitespace() || [0xef, 0xbb, 0xbf].contains(&first) {
            reader.consume(1);
        } else {
            return Ok(Some(first));
        }
    }
}

/// Refuses to read a record without end.
struct Bounded<R> {
    inner: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.read.get() > MAX_RECORD {
            return Err(io::Error::other("a record is too long"));
        }
        let n = self.inner.read(buf)?;
        self.read
            .set(self.read.get() + u64::try_from(n).unwrap_or(u64::MAX));
        Ok(n)
    }
}

/// The list, each element of which goes to the function at once.
struct List<'a, F>(&'a mut F);

impl<'de, F: FnMut(Record) -> bool> Visitor<'de> for List<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(record) = list.next_element_seed(One)? {
            if !(self.0)(record) {
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

struct One;

impl<'de> DeserializeSeed<'de> for One {
    type Value = Record;

    fn deserialize<D: serde::Deserializer<'de>>(self, d: D) -> Result<Record, D::Error> {
        Record::deserialize(d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<(u64, String)>, String> {
        let mut found = Vec::new();
        each_record(text.as_bytes(), |n, r| {
            found.push((n, r.model));
            true
        })
        .map(|()| found)
        .map_err(|e| e.to_string())
    }

    #[test]
    fn lists_and_lines_are_read_and_errors_name_the_record_without_its_contents() {
        let one = r#"{"model":"a.lead","pk":1,"fields":{"name":"Ann"}}"#;
        let list = format!("\u{feff} [{one},\n{one}]");
        let wanted = vec![(1, "a.lead".to_owned()), (2, "a.lead".to_owned())];
        assert_eq!(all(&list), Ok(wanted.clone()));
        assert_eq!(all(&format!("{one}\n{one}\n")), Ok(wanted));
        assert_eq!(all(" "), Ok(Vec::new()));
        for (bad, part) in [
            (
                format!("[{one},{{\"model\":3}}]"),
                "record 2: it is no record",
            ),
            (format!("[{one},{{\"mod"), "record 2: the file ends"),
            (format!("[{one},nonsense]"), "record 2: it is no JSON"),
            ("\"Ann\"".to_owned(), "record 1: it is no record"),
        ] {
            let e = all(&bad).unwrap_err();
            assert!(e.contains(part) && !e.contains("Ann"), "{e}");
        }
    }

    #[test]
    fn a_record_without_end_is_refused() {
        let text = format!("[{{\"model\":\"{}", "x".repeat(20 << 20));
        let e = all(&text).unwrap_err();
        assert!(e.contains("longer than 16 MiB"), "{e}");
    }
}
