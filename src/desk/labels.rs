//! A person says what a lead wants: kept beside what was read, and written as rows for
//! `replyd train`. A label decides nothing anew, but an opt-out holds from its commit on.

use serde::Serialize;

use super::{Desk, DeskError};
use crate::model::{Disposition, GoalType, HOLE, Intent, MessageRowId, address_key};
use crate::store::{Correction, CorrectionRow, DraftEdit, MessageFacts, NewEvent, Tx};
use crate::time::UtcMs;
use crate::visible;

/// As much of a reply as the classifier reads.
const TEXT_CHARS: usize = 4_000;
/// Of a question in a proposal for the documents.
const QUESTION_CHARS: usize = 300;

/// What a label did.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Labelled {
    /// The message.
    pub message: MessageRowId,
    /// The class from now on.
    pub intent: Intent,
    /// The step, with a goal only.
    pub goal_type: Option<GoalType>,
    /// The class that was read; empty: none was.
    pub was_intent: String,
    /// How sure that was, 0 to 1.
    pub was_confidence: f64,
    /// Addresses that get no mail from now on.
    pub suppressed: Vec<String>,
    /// What it did not do, and how a person does it.
    pub hints: Vec<String>,
}

impl Desk {
    /// Keeps a person's label of a message. An opt-out suppresses at once, closes the lead's drafts
    /// and withdraws what waits; nothing else is decided anew, and nothing is sent.
    ///
    /// # Errors
    /// [`DeskError`], in words.
    pub async fn label(
        &self,
        message: MessageRowId,
        intent: Intent,
        goal_type: Option<GoalType>,
        by: &str,
        now: UtcMs,
    ) -> Result<Labelled, DeskError> {
        if goal_type.is_some() && intent != Intent::GoalReached {
            return Err(DeskError::Label(
                "A step (--goal-type) goes with goal_reached only".into(),
            ));
        }
        let by = by.to_owned();
        self.store
            .write(move |tx| {
                let facts = tx.message_facts(message)?;
                if facts.from_address.is_empty() && !facts.has_text {
                    return Err(DeskError::Label(format!(
                        "Message {message} concerns nobody: neither its text nor its sender was kept"
                    )));
                }
                let goal_type = (intent == Intent::GoalReached).then(|| {
                    let read = facts.goal_type.parse().ok();
                    goal_type.or(read).unwrap_or(GoalType::Other)
                });
                let correction = Correction {
                    intent,
                    goal_type,
                    by: &by,
                };
                tx.put_correction(&facts, &correction, now)?;
                let suppressed = if intent == Intent::Unsubscribe {
                    opt_out(tx, &facts, now)?
                } else {
                    Vec::new()
                };
                if let Some(thread) = facts.thread {
                    tx.note_event(&NewEvent::changed(thread, now))?;
                }
                Ok(Labelled {
                    message,
                    intent,
                    goal_type,
                    hints: hints(&facts, intent, &suppressed),
                    was_intent: facts.intent,
                    was_confidence: facts.confidence,
                    suppressed,
                })
            })
            .await
    }
}

/// As the actor does it: a stranger speaks for himself, for the lead only if he had our mail.
fn opt_out(tx: &Tx<'_>, facts: &MessageFacts, now: UtcMs) -> Result<Vec<String>, DeskError> {
    let mut keys = vec![address_key(&facts.from_address)];
    if facts.speaks_for_lead {
        keys.push(facts.lead_key.clone());
    }
    keys.retain(|key| !key.is_empty());
    keys.dedup();
    for key in &keys {
        tx.suppress(key, "unsubscribe", Some(facts.id), now)?;
    }
    tx.mark_opt_out(facts.id)?;
    Ok(keys)
}

fn hints(facts: &MessageFacts, intent: Intent, suppressed: &[String]) -> Vec<String> {
    let mut hints = Vec::new();
    if intent == Intent::Unsubscribe {
        if !facts.lead_key.is_empty() && !suppressed.contains(&facts.lead_key) {
            hints.push(format!(
                "It came from another address than the lead's, which still gets mail: replyd suppress add {}",
                facts.lead_key
            ));
        }
        return hints;
    }
    let was_opt_out =
        facts.intent == Intent::Unsubscribe.as_str() || facts.disposition == Disposition::OptOut;
    if was_opt_out {
        let who = if facts.lead_key.is_empty() {
            address_key(&facts.from_address)
        } else {
            facts.lead_key.clone()
        };
        hints.push(format!(
            "The address stays suppressed: replyd suppress remove {who} lets it have mail again"
        ));
    }
    if facts.disposition == Disposition::AutoReply {
        hints.push("It still counts as a machine's answer, and not as a reply".into());
    }
    hints
}

/// One field of a tab-separated line: a line break is `\n` in two characters.
fn field(text: &str, chars: usize) -> String {
    let cut: String = text.trim().chars().take(chars).collect();
    cut.replace("\r\n", "\n")
        .replace(['\t', '\r'], " ")
        .replace('\n', "\\n")
}

/// Rows in the format of `replyd train`, with a header line, and how many there are. Replies whose
/// text was not kept are left out.
#[must_use]
pub fn export_rows(labels: &[CorrectionRow], confirmed: &[CorrectionRow]) -> (String, usize) {
    let mut out = "text\tlabel\tgoal_type\tsource\tcontext\n".to_owned();
    let mut rows = 0;
    let all = [(labels, "correction"), (confirmed, "approved")];
    for (row, source) in all.iter().flat_map(|(l, s)| l.iter().map(move |r| (r, s))) {
        // What the classifier is given.
        let text = field(&visible::own_words(&row.text, row.quoted), TEXT_CHARS);
        if text.is_empty() {
            continue;
        }
        let context = field(&row.context, TEXT_CHARS);
        out.push_str(&format!(
            "{text}\t{}\t{}\t{source}\t{context}\n",
            row.intent, row.goal_type
        ));
        rows += 1;
    }
    (out, rows)
}

/// What people wrote into approved answers, as entries (`Q:`, `A:`) for the campaign's documents,
/// and how many there are. For a person to go through: they were written to one lead.
#[must_use]
pub fn export_answers(edits: &[DraftEdit]) -> (String, usize) {
    let mut out = String::new();
    let mut entries = 0;
    let mut campaign = "";
    for edit in edits {
        let Some(answer) = written(&edit.made_body, &edit.body) else {
            continue;
        };
        let question: String = one_paragraph(&edit.reply)
            .chars()
            .take(QUESTION_CHARS)
            .collect();
        if question.is_empty() {
            continue;
        }
        if campaign != edit.campaign {
            campaign = &edit.campaign;
            out.push_str(&format!("# {campaign}\n\n"));
        }
        out.push_str(&format!("Q: {question}\nA: {answer}\n\n"));
        entries += 1;
    }
    (out, entries)
}

fn one_paragraph(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a person put where the draft had its hole, if the frame around it stands.
fn written(made: &str, body: &str) -> Option<String> {
    let (before, after) = made.split_once(HOLE)?;
    let body = body.trim();
    let inside = body
        .strip_prefix(before.trim())?
        .strip_suffix(after.trim())?;
    let answer = one_paragraph(inside);
    (!answer.is_empty()).then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(intent: &str, text: &str) -> CorrectionRow {
        CorrectionRow {
            message: MessageRowId(1),
            intent: intent.into(),
            goal_type: String::new(),
            was_intent: "question".into(),
            was_goal_type: String::new(),
            was_confidence: 0.7,
            made_at: UtcMs(0),
            made_by: "ann".into(),
            text: text.into(),
            quoted: false,
            context: "Would you like\nto visit?".into(),
        }
    }

    #[test]
    fn rows_are_what_train_reads() {
        let labels = [
            row("not_now", "Not\tyet.\r\nMaybe in May.\n"),
            row("neutral", " "),
        ];
        let (text, n) = export_rows(&labels, &[row("question", "How much?")]);
        assert_eq!(n, 2);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "text\tlabel\tgoal_type\tsource\tcontext",
                "Not yet.\\nMaybe in May.\tnot_now\t\tcorrection\tWould you like\\nto visit?",
                "How much?\tquestion\t\tapproved\tWould you like\\nto visit?",
            ]
        );
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("corrections.tsv");
        std::fs::write(&path, &text).unwrap();
        let read = crate::evaluate::texts::read_labelled(&path).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].text, "Not yet.\nMaybe in May.");
        assert_eq!(read[0].intent(), Some(Intent::NotNow));
        assert_eq!(
            read[0].context.as_deref(),
            Some("Would you like\nto visit?")
        );
    }

    #[test]
    fn what_a_person_wrote_into_a_frame_becomes_an_entry_for_the_documents() {
        let made = format!("Dear Ann,\n\n{HOLE}\n\nBest regards,\nSales\n");
        let edit = |made: &str, body: &str| DraftEdit {
            campaign: "Spring".into(),
            reply: "How high are\nthe charges?".into(),
            made_body: made.into(),
            body: body.into(),
        };
        let edits = [
            edit(
                &made,
                "Dear Ann,\n\nThey are 3 Euro\na month.\n\nBest regards,\nSales\n",
            ),
            edit(&made, "Hi Ann, call me."),
            edit("Dear Ann,\n", "Dear Ann, hello.\n"),
        ];
        let (text, n) = export_answers(&edits);
        assert_eq!(n, 1);
        assert_eq!(
            text,
            "# Spring\n\nQ: How high are the charges?\nA: They are 3 Euro a month.\n\n"
        );
    }
}
