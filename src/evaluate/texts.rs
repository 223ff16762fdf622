//! Tab-separated files of texts: a header line, a column `text` with `\n` for a line break, and
//! by use `label`, `goal_type`, `context` and `source`; other columns are not looked at.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::model::{GoalType, Intent, Nature};
use crate::reply::classify::ReplyInput;

/// A text that is no reply: it must never reach the goal; as a label it stands for neutral.
pub const BACKGROUND: &str = "background";

/// What the mail said that the texts answer, where a row has no `context`: the labels of such
/// files suppose an outreach mail that asks for a viewing or a call.
pub const CALL_TO_ACTION: &str = "Would you like to book a viewing or a call?";

/// One row that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextRow {
    /// Counted from 1, without the header.
    pub row: usize,
    /// With line breaks.
    pub text: String,
    /// The mail of ours that it answers, if the file says.
    pub context: Option<String>,
    /// The column `label`, as it stands there.
    pub label: Option<String>,
    /// The column `goal_type`, where it holds one.
    pub goal_type: Option<GoalType>,
    /// The column `source`.
    pub source: String,
}

/// A file, row by row; a bad row does not stand in the way of the next.
#[derive(Debug, Default)]
pub struct TextFile {
    /// What can be read.
    pub rows: Vec<TextRow>,
    /// What cannot: the line, counted from 1, and why.
    pub bad: Vec<(usize, String)>,
}

impl TextRow {
    /// An empty line.
    fn nothing(row: usize) -> Self {
        Self {
            row,
            text: String::new(),
            context: None,
            label: None,
            goal_type: None,
            source: String::new(),
        }
    }

    /// What the classifier is given.
    #[must_use]
    pub fn input(&self) -> ReplyInput<'_> {
        ReplyInput {
            new_text: &self.text,
            sure: true,
            subject: "",
            nature: Some(Nature::Human),
            last_outbound: Some(self.context.as_deref().unwrap_or(CALL_TO_ACTION)),
        }
    }

    /// The class of its label; `background` is neutral. None: no label, or an unknown one.
    #[must_use]
    pub fn intent(&self) -> Option<Intent> {
        match self.label.as_deref()? {
            BACKGROUND => Some(Intent::Neutral),
            label => label.parse().ok(),
        }
    }

    /// Whether it is no reply.
    #[must_use]
    pub fn is_background(&self) -> bool {
        self.label.as_deref() == Some(BACKGROUND)
    }
}

/// Reads a file.
///
/// # Errors
/// When it cannot be read or has no header with a column `text`.
pub fn read(path: &Path) -> anyhow::Result<TextFile> {
    let bytes = fs::read(path).with_context(|| format!("Read {}", path.display()))?;
    parse(&bytes).with_context(|| format!("Read {}", path.display()))
}

fn parse(bytes: &[u8]) -> anyhow::Result<TextFile> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut lines = bytes
        .split(|b| *b == b'\n')
        .map(|l| l.strip_suffix(b"\r").unwrap_or(l));
    let header = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let columns: Vec<&str> = header.split('\t').map(str::trim).collect();
    let at = |name: &str| columns.iter().position(|c| c.eq_ignore_ascii_case(name));
    let Some(text_at) = at("text") else {
        bail!("its first line has no column `text` (columns are separated by tabs)");
    };
    let [label_at, goal_at, context_at, source_at] =
        ["label", "goal_type", "context", "source"].map(at);
    let mut file = TextFile::default();
    let lines: Vec<&[u8]> = lines.collect();
    let last = lines.iter().rposition(|line| !line.is_empty());
    for (n, line) in lines.iter().take(last.map_or(0, |n| n + 1)).enumerate() {
        let (row, line_number) = (n + 1, n + 2);
        if line.is_empty() {
            // Who pairs rows by their number must find one for it.
            file.rows.push(TextRow::nothing(row));
            continue;
        }
        let Ok(line) = std::str::from_utf8(line) else {
            file.bad.push((line_number, "not UTF-8".into()));
            continue;
        };
        let fields: Vec<&str> = line.split('\t').collect();
        let field = |at: Option<usize>| at.and_then(|i| fields.get(i)).map(|f| f.trim());
        let Some(text) = field(Some(text_at)) else {
            let what = format!(
                "{} columns, the text is column {}",
                fields.len(),
                text_at + 1
            );
            file.bad.push((line_number, what));
            continue;
        };
        let filled = |at| field(at).filter(|f| !f.is_empty());
        let goal_type = match filled(goal_at).map(str::parse::<GoalType>) {
            Some(Err(e)) => {
                file.bad.push((line_number, e.to_string()));
                continue;
            }
            Some(Ok(goal)) => Some(goal),
            None => None,
        };
        file.rows.push(TextRow {
            row,
            text: text.replace("\\n", "\n"),
            context: filled(context_at).map(|c| c.replace("\\n", "\n")),
            label: filled(label_at).map(str::to_owned),
            goal_type,
            source: field(source_at).unwrap_or_default().to_owned(),
        });
    }
    Ok(file)
}

/// Reads a file whose rows have labels.
///
/// # Errors
/// As [`read`], and when a row is bad, a label is unknown, or there is no row.
pub fn read_labelled(path: &Path) -> anyhow::Result<Vec<TextRow>> {
    let mut file = read(path)?;
    file.rows
        .retain(|row| !row.text.is_empty() || row.label.is_some());
    if let Some((line, what)) = file.bad.first() {
        bail!("{}, line {line}: {what}", path.display());
    }
    for row in &file.rows {
        if row.intent().is_none() {
            let line = row.row + 1;
            match &row.label {
                Some(label) => bail!("{}, line {line}: {label:?} is no label", path.display()),
                None => bail!("{}, line {line}: no label", path.display()),
            }
        }
    }
    if file.rows.is_empty() {
        bail!("{} holds no texts", path.display());
    }
    Ok(file.rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_and_bad_rows_are_named() {
        let file =
            parse(b"\xef\xbb\xbfid\tText\tcontext\r\n1\ta\\nb\tWhat?\r\n\n2\n3\t\xff\t\n4\tc\n")
                .unwrap();
        let texts: Vec<_> = file.rows.iter().map(|r| (r.row, r.text.as_str())).collect();
        assert_eq!(texts, [(1, "a\nb"), (2, ""), (5, "c")]);
        assert_eq!(file.rows[0].input().last_outbound, Some("What?"));
        assert_eq!(file.rows[2].input().last_outbound, Some(CALL_TO_ACTION));
        let bad: Vec<_> = file.bad.iter().map(|(n, _)| *n).collect();
        assert_eq!(bad, [4, 5]);
        assert!(
            parse(b"a\tb\n1\t2\n")
                .unwrap_err()
                .to_string()
                .contains("`text`")
        );
        assert!(parse(b"").is_err());
    }

    #[test]
    fn a_goal_type_must_be_one() {
        let file =
            parse(b"text\tlabel\tgoal_type\nx\tgoal_reached\tvisit\ny\tneutral\t\n").unwrap();
        assert_eq!((file.rows.len(), file.bad.len()), (1, 1));
        assert_eq!(file.rows[0].intent(), Some(Intent::Neutral));
    }
}
