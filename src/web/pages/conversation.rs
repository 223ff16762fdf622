//! One conversation.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Html;
use minijinja::context;
use serde::{Deserialize, Serialize};

use super::super::access::{PageViewer, Viewer};
use super::super::freshness::{self, Asking, Mailbox, Window};
use super::super::state::Shared;
use super::frame::Frame;
use super::render::{Problem, page};
use crate::desk::DeskError;
use crate::model::{CampaignLeadId, ConversationId, Intent};
use crate::store::{ThreadLine, ThreadPart};
use crate::time::{self, UtcMs};

/// Mails of a page: some 2 KB each, so that a page stays light. Older ones have a link.
const LINES: u32 = 40;

/// What the address says beside the conversation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    pub(super) did: String,
    /// Lines of a conversation before this one.
    before: String,
}

/// A form that was not done: why, and the text that must not be lost.
#[derive(Clone, Debug, Default)]
pub(super) struct NotDone {
    pub(super) why: String,
    /// Something stands against it that a person may overrule.
    pub(super) objections: bool,
    /// Text of an own answer.
    pub(super) answer: String,
    /// Subject and text of a draft.
    pub(super) draft: Option<(i64, String, String)>,
}

impl NotDone {
    pub(super) fn of(e: &DeskError) -> Self {
        Self {
            why: e.to_string(),
            objections: matches!(e, DeskError::Against(_)),
            ..Self::default()
        }
    }
}

/// A line as the template wants it.
#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    line: ThreadLine,
    /// How long after its arrival it was stored.
    captured: String,
    /// And answered.
    answered: String,
}

/// The script's header when it reads a page again because of an event: what the event told of is
/// stored already, so nobody is asked for more.
const REFRESH: &str = "x-replyd-refresh";

pub(super) async fn conversation(
    asking: Asking,
    headers: HeaderMap,
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Path(id): Path<i64>,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Problem> {
    let mailbox = if headers.contains_key(REFRESH) || !asked.did.is_empty() {
        drop(asking);
        super::verified(&shared).await?
    } else {
        freshness::look(&shared, Some(asking), Window::default()).await?
    };
    let id = CampaignLeadId(id);
    let before = asked.before.parse().ok().map(ConversationId);
    show_part(&shared, &viewer, id, &asked.did, mailbox, None, before).await
}

/// The page, also after a form that was not done.
pub(super) async fn show(
    shared: &Shared,
    viewer: &Viewer,
    id: CampaignLeadId,
    did: &str,
    mailbox: Mailbox,
    not_done: Option<NotDone>,
) -> Result<Html<String>, Problem> {
    show_part(shared, viewer, id, did, mailbox, not_done, None).await
}

/// The lines before this one; none: the newest.
async fn show_part(
    shared: &Shared,
    viewer: &Viewer,
    id: CampaignLeadId,
    did: &str,
    mailbox: Mailbox,
    not_done: Option<NotDone>,
    before: Option<ConversationId>,
) -> Result<Html<String>, Problem> {
    let part = ThreadPart {
        before,
        lines: LINES,
    };
    let (access, who, now) = (viewer.access.clone(), viewer.who.clone(), time::now());
    let (thread, others) = shared
        .read(move |r| {
            let thread = r.thread_page(id, &access, part)?;
            let others = match &thread {
                Some(thread) => r.threads_beside(&thread.head, &access)?,
                None => Vec::new(),
            };
            Ok((thread, others))
        })
        .await?;
    let mut thread = thread.ok_or_else(|| Problem::not_found("This conversation"))?;
    shared.book(move |tx| tx.mark_read(&who, id, now)).await?;
    let name = [&thread.head.lead_name, &thread.head.lead_email]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or(&thread.head.lead_id)
        .clone();
    let mut frame = Frame::read(shared, viewer, "inbox", &name, did).await?;
    frame.conversation = id.0;
    frame.mailbox = Some(mailbox);
    let not_done = not_done.unwrap_or_default();
    frame.trouble.clone_from(&not_done.why);
    if let Some((id, subject, body)) = not_done.draft {
        for draft in thread.drafts.iter_mut().filter(|d| d.id.0 == id) {
            draft.subject.clone_from(&subject);
            draft.body.clone_from(&body);
        }
    }
    let answers: Vec<Option<UtcMs>> = (0..thread.lines.len())
        .map(|n| answer_after(&thread.lines, n))
        .collect();
    let lines: Vec<Line> = thread
        .lines
        .into_iter()
        .zip(answers)
        .map(|(line, answer)| line_of(line, answer))
        .collect();
    let tomorrow = now.plus(Duration::from_secs(86_400)).rfc3339();
    Ok(page(
        "conversation.html",
        context! {
            frame, lines, others, head => thread.head, cut => thread.cut, older => before.is_some(), drafts => thread.drafts,
            intents => Intent::ALL, objections => not_done.objections,
            kept_text => not_done.answer, tomorrow => tomorrow.get(..10).unwrap_or_default(),
            can => context! { answer => true, reattach => true, settle => true },
        },
    )?)
}

/// When the reply at `n` was answered: the next line of ours that left, before the next reply.
fn answer_after(lines: &[ThreadLine], n: usize) -> Option<UtcMs> {
    let mut later = lines.iter().skip(n).skip(1);
    let next = later.find(|line| line.sender != "agent" || line.tool != "message_generation")?;
    if next.sender == "customer" {
        return None;
    }
    match &next.ours {
        Some(ours) => ours.finished_at.filter(|_| ours.state == "sent"),
        None => Some(next.at),
    }
}

fn line_of(line: ThreadLine, answer: Option<UtcMs>) -> Line {
    let mail = line.mail.as_ref();
    let arrived = mail.map(|m| m.announced_at.unwrap_or(m.about.received_at));
    let live = mail.is_some_and(|m| m.about.source == "live");
    let stored = mail.map(|m| m.about.stored_at);
    let captured = match (arrived, stored) {
        (Some(arrived), Some(stored)) if live => span(stored.since(arrived)),
        _ => String::new(),
    };
    let answered = match (arrived, answer) {
        (Some(arrived), Some(answer)) => span(answer.since(arrived)),
        _ => String::new(),
    };
    Line {
        captured,
        answered,
        line,
    }
}

/// A time span in words.
pub(super) fn span(d: Duration) -> String {
    let s = d.as_secs();
    match d.as_millis() {
        0..1000 => format!("{} ms", d.as_millis()),
        1000..10_000 => format!("{:.1} s", d.as_secs_f64()),
        10_000..120_000 => format!("{s} s"),
        120_000..7_200_000 => format!("{} min", s / 60),
        7_200_000..172_800_000 => format!("{} h", s / 3600),
        _ => format!("{} days", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_at_a_glance() {
        for (ms, wanted) in [
            (12, "12 ms"),
            (1_900, "1.9 s"),
            (45_000, "45 s"),
            (600_000, "10 min"),
            (10_800_000, "3 h"),
            (259_200_000, "3 days"),
        ] {
            assert_eq!(span(Duration::from_millis(ms)), wanted);
        }
    }
}
