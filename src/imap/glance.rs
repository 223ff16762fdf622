//! One glance at an account: opens the idling mailbox and asks how the others stand, in one
//! write. On a distant server the others cost no round trip of their own.

use std::collections::HashMap;
use std::time::Duration;

use async_imap::imap_proto::{MailboxDatum, Response, ResponseCode, StatusAttribute};
use tokio::time::Instant;

use super::error::{ImapError, Step};
use super::limits::{COMMAND, STATUS, STATUS_AT_ONCE};
use super::quote::{from_modified_utf7, mailbox, unescape};
use super::session::{Examined, Session, Status, note_hint};
use super::wire::{Deadline, Heard, Tagged};

/// What one write brought.
#[derive(Debug)]
pub struct Glance {
    /// The mailbox that is open now; a NO is its error.
    pub examined: Result<Examined, ImapError>,
    /// How the others stand, in the order asked, and how long the server took over each. An
    /// error here leaves the session usable.
    pub statuses: Vec<(Result<Status, ImapError>, Duration)>,
}

/// What ended the connection, and over which folder the server sat at that moment.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct GlanceError {
    /// What happened.
    pub error: ImapError,
    /// Index of the folder; none: the mailbox that was to be opened.
    pub asked: Option<usize>,
}

/// What the untagged responses told.
#[derive(Debug, Default)]
struct Told {
    exists: u32,
    uid_next: Option<u32>,
    uid_validity: Option<u32>,
    statuses: Vec<Status>,
}

impl Session {
    /// Opens `open` for reading only and asks for the status of each of `ask`, pipelined
    /// (RFC 3501 §5.5: none of them depends on another). The idling mailbox is asked first and
    /// stays open, so nothing that arrives in it meanwhile is missed ([`Session::take_hint`]).
    ///
    /// # Errors
    /// What ended the connection. A NO or BAD is in the [`Glance`].
    pub async fn glance(&mut self, open: &str, ask: &[String]) -> Result<Glance, GlanceError> {
        let (first, rest) = ask.split_at(ask.len().min(STATUS_AT_ONCE));
        let mut glance = self.write_and_read(Some(open), first, 0).await?;
        let examined = glance.examined.take();
        for (n, chunk) in rest.chunks(STATUS_AT_ONCE).enumerate() {
            let before = n.saturating_add(1).saturating_mul(STATUS_AT_ONCE);
            let more = self.write_and_read(None, chunk, before).await?;
            glance.statuses.extend(more.statuses);
        }
        Ok(Glance {
            examined: examined.unwrap_or(Err(ImapError::NoUidValidity)),
            statuses: glance.statuses,
        })
    }

    async fn write_and_read(
        &mut self,
        open: Option<&str>,
        ask: &[String],
        before: usize,
    ) -> Result<Part, GlanceError> {
        let at_open = |error| GlanceError { error, asked: None };
        self.begin().await.map_err(at_open)?;
        self.busy = true;
        let mut lines = String::new();
        let mut tags = Vec::new();
        let mut say = |tag: String, command: String| {
            lines.push_str(&format!("{tag} {command}\r\n"));
            tags.push(tag);
        };
        if let Some(name) = open {
            say(self.wire.tag(), format!("EXAMINE {}", mailbox(name)));
        }
        for name in ask {
            // Only classic items: imap-proto fails on the whole response otherwise.
            let items = "(MESSAGES UIDNEXT UIDVALIDITY)";
            say(self.wire.tag(), format!("STATUS {} {items}", mailbox(name)));
        }
        if tags.is_empty() {
            self.busy = false;
            return Ok(Part::default());
        }
        let sent = self.wire.send(Step::Examine, lines.as_bytes()).await;
        sent.map_err(at_open)?;
        let mut told = Told {
            statuses: vec![Status::default(); ask.len()],
            ..Told::default()
        };
        let mut part = Part::default();
        let mut early: HashMap<String, Tagged> = HashMap::new();
        for (at, tag) in tags.iter().enumerate() {
            let opening = open.is_some() && at == 0;
            let asked = at.checked_sub(usize::from(open.is_some()));
            let began = Instant::now();
            let (step, limit) = if opening {
                (Step::Examine, COMMAND)
            } else {
                (Step::Status, STATUS)
            };
            let reply = self
                .reply_to(tag, &tags, &mut early, (step, limit), |r, hint| {
                    if opening {
                        told.opened(r);
                    } else {
                        note_hint(hint, r);
                    }
                    told.status(r, ask, asked);
                })
                .await
                .map_err(|error| GlanceError {
                    error,
                    asked: asked.filter(|_| !opening).map(|n| n.saturating_add(before)),
                })?;
            if opening {
                // What was hinted at before belongs to the mailbox that was open then.
                self.hint = None;
                part.examined = Some(reply.ok(Step::Examine).and_then(|_| told.examined()));
            } else if let Some(n) = asked {
                let status = told.statuses.get(n).copied().unwrap_or_default();
                let answer = reply.ok(Step::Status).map(|_| status);
                part.statuses.push((answer, began.elapsed()));
            }
        }
        self.busy = false;
        // A server that asks us to slow down means all of it.
        let fatal = |e: &ImapError| !e.leaves_session_usable();
        for (n, (answer, _)) in part.statuses.iter().enumerate() {
            if let Err(error) = answer
                && fatal(error)
            {
                return Err(GlanceError {
                    error: error.clone(),
                    asked: Some(n.saturating_add(before)),
                });
            }
        }
        Ok(part)
    }

    /// Reads to the reply of `tag`; replies to the other commands that come before are kept.
    async fn reply_to(
        &mut self,
        tag: &str,
        ours: &[String],
        early: &mut HashMap<String, Tagged>,
        (step, limit): (Step, Duration),
        mut see: impl FnMut(&Response<'_>, &mut Option<Instant>),
    ) -> Result<Tagged, ImapError> {
        if let Some(reply) = early.remove(tag) {
            return Ok(reply);
        }
        let deadline = Deadline::after(limit);
        loop {
            let hint = &mut self.hint;
            match self.wire.next(step, deadline, |r, _| see(r, hint)).await? {
                Heard::Tagged(reply) if reply.tag == tag => return Ok(reply),
                Heard::Tagged(reply) if ours.contains(&reply.tag) => {
                    early.insert(reply.tag.clone(), reply);
                }
                Heard::Tagged(_) | Heard::Continue | Heard::Untagged => {}
            }
        }
    }
}

#[derive(Debug, Default)]
struct Part {
    examined: Option<Result<Examined, ImapError>>,
    statuses: Vec<(Result<Status, ImapError>, Duration)>,
}

impl Told {
    fn opened(&mut self, r: &Response<'_>) {
        match r {
            Response::MailboxData(MailboxDatum::Exists(n)) => self.exists = *n,
            Response::Data { outcome, .. } | Response::Done { outcome, .. } => match outcome.code {
                Some(ResponseCode::UidValidity(v)) => self.uid_validity = Some(v),
                Some(ResponseCode::UidNext(n)) => self.uid_next = Some(n),
                _ => {}
            },
            _ => {}
        }
    }

    fn examined(&self) -> Result<Examined, ImapError> {
        Ok(Examined {
            uid_validity: self
                .uid_validity
                .filter(|v| *v > 0)
                .ok_or(ImapError::NoUidValidity)?,
            uid_next: self.uid_next,
            exists: self.exists,
        })
    }

    /// Takes a STATUS response for the folder that it names; one under a name that we do not
    /// recognise (another spelling) for the folder that is being waited for.
    fn status(&mut self, r: &Response<'_>, ask: &[String], waiting: Option<usize>) {
        let Response::MailboxData(MailboxDatum::Status { mailbox, status }) = r else {
            return;
        };
        let plain = String::from_utf8(unescape(mailbox.as_bytes())).unwrap_or_default();
        let plain = from_modified_utf7(&plain).unwrap_or(plain);
        let at = ask.iter().position(|name| *name == plain).or(waiting);
        let Some(found) = at.and_then(|n| self.statuses.get_mut(n)) else {
            return;
        };
        for item in status {
            match item {
                StatusAttribute::UidNext(n) => found.uid_next = Some(*n),
                StatusAttribute::UidValidity(v) => found.uid_validity = Some(*v),
                StatusAttribute::Messages(n) => found.messages = Some(*n),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::testing::session;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|n| (*n).to_owned()).collect()
    }

    const OPENED: &str =
        "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 44] ok\r\n{} OK done\r\n";

    #[tokio::test(start_paused = true)]
    async fn the_idling_mailbox_and_all_others_cost_one_round_trip() {
        let (mut s, mut server) = session();
        let ask = names(&["Entwürfe", "a\"b", "Gone", "Spam"]);
        let (got, ()) = tokio::join!(s.glance("INBOX", &ask), async {
            // The whole write is there before anything is answered.
            let open = server.expect("EXAMINE \"INBOX\"").await;
            let one = server.expect("STATUS \"Entw&APw-rfe\"").await;
            let two = server.expect("STATUS \"a\\\"b\"").await;
            let gone = server.expect("STATUS \"Gone\"").await;
            let spam = server.expect("STATUS \"Spam\"").await;
            server.say(OPENED.replace("{}", &open)).await;
            // Out of order, and news of the open mailbox between.
            server
                .say(format!(
                    "* STATUS \"a\\\"b\" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3)\r\n{two} OK\r\n\
                     * STATUS \"Entw&APw-rfe\" (MESSAGES 4 UIDNEXT 5 UIDVALIDITY 6)\r\n* 4 EXISTS\r\n\
                     {one} OK\r\n{gone} NO [NONEXISTENT] no\r\n\
                     * STATUS spam (UIDVALIDITY 9)\r\n{spam} OK\r\n"
                ))
                .await;
        });
        let got = got.unwrap();
        let open = got.examined.unwrap();
        assert_eq!(
            (open.uid_validity, open.uid_next, open.exists),
            (7, Some(44), 3)
        );
        let next: Vec<Option<Option<u32>>> = got
            .statuses
            .iter()
            .map(|(s, _)| s.as_ref().ok().map(|s| s.uid_next))
            .collect();
        assert_eq!(next, [Some(Some(5)), Some(Some(2)), None, Some(None)]);
        assert_eq!(
            got.statuses[3].0.as_ref().unwrap().uid_validity,
            Some(9),
            "a name in another spelling"
        );
        assert!(s.take_hint().is_some(), "news of the open mailbox are kept");
        assert!(!s.is_broken());
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_the_connection_is_blamed_on_the_folder_that_was_waited_for() {
        for (answered, close, blamed) in [
            (0, true, None),
            (1, true, Some(0)),
            (2, true, Some(1)),
            (1, false, Some(0)),
        ] {
            let (mut s, mut server) = session();
            let ask = names(&["A", "B"]);
            let (got, ()) = tokio::join!(s.glance("INBOX", &ask), async {
                let open = server.expect("EXAMINE").await;
                let one = server.expect("STATUS \"A\"").await;
                server.expect("STATUS \"B\"").await;
                if answered > 0 {
                    server.say(OPENED.replace("{}", &open)).await;
                }
                if answered > 1 {
                    server.say(format!("{one} OK\r\n")).await;
                }
                if close {
                    drop(server);
                } else {
                    // Silent for longer than anybody waits.
                    tokio::time::sleep(STATUS * 2).await;
                    drop(server);
                }
            });
            let e = got.unwrap_err();
            assert_eq!(e.asked, blamed, "{answered} {close}: {e}");
            assert!(s.is_broken());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_folders_go_out_in_several_writes() {
        let (mut s, mut server) = session();
        let ask: Vec<String> = (0..45).map(|n| format!("f{n}")).collect();
        let (got, ()) = tokio::join!(s.glance("INBOX", &ask), async {
            let open = server.expect("EXAMINE").await;
            server.say(OPENED.replace("{}", &open)).await;
            for n in 0..45 {
                let tag = server.expect(&format!("STATUS \"f{n}\"")).await;
                server
                    .say(format!("* STATUS f{n} (UIDNEXT {})\r\n{tag} OK\r\n", n + 1))
                    .await;
            }
        });
        let got = got.unwrap();
        assert_eq!(got.statuses.len(), 45);
        for (n, (status, _)) in (0_u32..).zip(&got.statuses) {
            assert_eq!(status.as_ref().unwrap().uid_next, Some(n + 1));
        }
    }
}
