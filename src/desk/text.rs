//! The text of a draft as people write it.

use super::DeskError;
use crate::model::{HOLE, has_hole};
use crate::store::{DraftRow, Tx};
use crate::time::UtcMs;

/// A longer text is no answer.
pub const MAX_TEXT_BYTES: usize = 100_000;

/// What a person changes of a draft.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// The new subject; none: as it is.
    pub subject: Option<String>,
    /// The new text; none: as it is.
    pub body: Option<String>,
    /// Only what the draft lacks: it goes where the draft says that a person has to write.
    pub answer: Option<String>,
}

impl Edit {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subject.is_none() && self.body.is_none() && self.answer.is_none()
    }

    /// From a file: a first line `Subject: …` and an empty one set the subject, the rest is the
    /// text; without it all is text.
    #[must_use]
    pub fn of_file(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let text = text.replace("\r\n", "\n");
        if let Some((first, rest)) = text.split_once('\n')
            && let Some((name, subject)) = first.split_once(':')
            && name.eq_ignore_ascii_case("subject")
            && (rest.is_empty() || rest.starts_with('\n'))
        {
            return Self {
                subject: Some(subject.trim().to_owned()),
                body: Some(rest.trim_start_matches('\n').to_owned()),
                answer: None,
            };
        }
        Self {
            body: Some(text),
            ..Self::default()
        }
    }
}

/// One line: control characters become blanks.
pub(super) fn one_line(text: &str) -> String {
    let clean = text.replace(char::is_control, " ");
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lines ended by `\n` with one at the end, without control characters and blank ends.
fn body(text: &str) -> String {
    let lines: Vec<String> = text
        .replace("\r\n", "\n")
        .replace('\r', "\n")
        .split('\n')
        .map(|line| {
            let clean: String = line
                .chars()
                .filter(|c| *c == '\t' || !c.is_control())
                .collect();
            // A signature's delimiter ends in a blank (RFC 3676 §4.3).
            if clean == "-- " {
                clean
            } else {
                clean.trim_end().to_owned()
            }
        })
        .collect();
    format!("{}\n", lines.join("\n").trim_matches('\n'))
}

/// Writes the edit; what it does not name stays. Whether the draft differs now.
pub(super) fn apply(
    tx: &Tx<'_>,
    draft: &DraftRow,
    edit: &Edit,
    by: &str,
    now: UtcMs,
) -> Result<bool, DeskError> {
    let subject = match &edit.subject {
        Some(subject) => one_line(subject),
        None => draft.subject.clone(),
    };
    let mut text = match &edit.body {
        Some(text) => body(text),
        None => draft.body.clone(),
    };
    if let Some(answer) = &edit.answer {
        if !text.contains(HOLE) {
            return Err(DeskError::Text(
                "It says nowhere that an answer is to be written: give the whole text",
            ));
        }
        if answer.trim().is_empty() {
            return Err(DeskError::Text("The answer is empty: nothing was changed"));
        }
        text = body(&text.replacen(HOLE, answer.trim(), 1));
    }
    if subject.is_empty() {
        return Err(DeskError::Text("A mail needs a subject"));
    }
    if text.trim().is_empty() {
        return Err(DeskError::Text("The text is empty: nothing was changed"));
    }
    if text.len() > MAX_TEXT_BYTES {
        return Err(DeskError::Text("The text is longer than 100,000 bytes"));
    }
    let text_differs = text.trim() != draft.body.trim();
    if subject == draft.subject && !text_differs {
        return Ok(false);
    }
    // A hole that was not marked is filled by any change of the text, a marked one when its mark
    // is gone.
    let wants_text = has_hole(&text) || (draft.wants_text && !text_differs);
    tx.edit_draft(
        draft.id,
        draft.version,
        (&subject, &text),
        wants_text,
        by,
        now,
    )?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_begin_with_the_subject() {
        let edit = Edit::of_file("\u{feff}Subject: Re: Homes\r\n\r\nDear Ann,\r\n\r\nyes.\r\n");
        assert_eq!(edit.subject.as_deref(), Some("Re: Homes"));
        assert_eq!(edit.body.as_deref(), Some("Dear Ann,\n\nyes.\n"));
        for plain in ["Dear Ann,\n\nyes.\n", "Subject: to change\nmore\n", "Hello"] {
            let edit = Edit::of_file(plain);
            assert_eq!((edit.subject, edit.body.as_deref()), (None, Some(plain)));
        }
    }

    #[test]
    fn texts_are_clean_lines() {
        assert_eq!(body("a \r\nb\0\rc\n\n\n"), "a\nb\nc\n");
        assert_eq!(body("x\n-- \nAnn"), "x\n-- \nAnn\n");
        assert_eq!(one_line(" Re:\r\nBcc: a@b "), "Re: Bcc: a@b");
    }
}
