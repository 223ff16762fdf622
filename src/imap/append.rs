//! APPEND (RFC 3501 §6.3.11) of a copy of our own mail, and the search that goes before it.

use std::collections::VecDeque;

use async_imap::imap_proto::{MailboxDatum, Response};
use chrono::DateTime;
use secrecy::zeroize::Zeroizing;

use super::error::{ImapError, Step};
use super::limits::COMMAND;
use super::quote::{can_be_quoted, mailbox, quoted};
use super::session::{Session, note_hint};
use crate::time::UtcMs;

impl Session {
    /// Appends a mail with \Seen and `date` as its INTERNALDATE.
    ///
    /// # Errors
    /// As every command: a NO (no such folder, no room) leaves the session usable.
    pub async fn append_seen(
        &mut self,
        folder: &str,
        date: UtcMs,
        mail: &[u8],
    ) -> Result<(), ImapError> {
        let at_once = mail.len() <= self.capabilities().literal_bytes;
        self.begin().await?;
        self.busy = true;
        let tag = self.wire.tag();
        let day = DateTime::from_timestamp_millis(date.0).unwrap_or_default();
        let mut first = format!(
            "{tag} APPEND {} (\\Seen) \"{}\" {{{}{}}}\r\n",
            mailbox(folder),
            day.format("%d-%b-%Y %H:%M:%S +0000"),
            mail.len(),
            if at_once { "+" } else { "" },
        )
        .into_bytes();
        let mut literal = Vec::with_capacity(mail.len().saturating_add(2));
        literal.extend_from_slice(mail);
        literal.extend_from_slice(b"\r\n");
        let mut answers = VecDeque::new();
        if at_once {
            first.append(&mut literal);
        } else {
            answers.push_back(Zeroizing::new(literal));
        }
        let hint = &mut self.hint;
        let reply = self
            .wire
            .exchange(Step::Append, &tag, &first, &mut answers, COMMAND, |r| {
                note_hint(hint, r);
            })
            .await?;
        self.busy = false;
        reply.ok(Step::Append).map(|_| ())
    }

    /// The UIDs of the open mailbox, from the day before `since` on, whose Message-ID or field
    /// `field` names `id`. None when the id cannot be asked for.
    ///
    /// # Errors
    /// As every command.
    pub async fn search_id(
        &mut self,
        since: UtcMs,
        field: &str,
        id: &str,
    ) -> Result<Option<Vec<u32>>, ImapError> {
        if !can_be_quoted(id) || !can_be_quoted(field) {
            return Ok(None);
        }
        let day = DateTime::from_timestamp_millis(since.0.saturating_sub(86_400_000));
        let text = format!(
            "UID SEARCH SINCE {} OR HEADER Message-ID {id} HEADER {field} {id}",
            day.unwrap_or_default().format("%-d-%b-%Y"),
            id = quoted(id),
            field = quoted(field),
        );
        let mut uids = Vec::new();
        let reply = self.command(Step::Search, &text, COMMAND, true, |r| {
            if let Response::MailboxData(MailboxDatum::Search(found)) = r {
                uids.extend_from_slice(found);
            }
        });
        reply.await?;
        Ok(Some(uids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::testing::session;

    const MAIL: &[u8] = b"Subject: x\r\n\r\nHello\r\n";

    #[tokio::test(start_paused = true)]
    async fn a_mail_goes_out_as_a_literal_that_the_server_asked_for() {
        let (mut s, mut server) = session();
        let at = UtcMs(1_700_000_000_000);
        let (got, ()) = tokio::join!(s.append_seen("Gesendet & so", at, MAIL), async {
            let line = server.line().await;
            let (tag, rest) = line.split_once(' ').unwrap();
            assert_eq!(
                rest,
                "APPEND \"Gesendet &- so\" (\\Seen) \"14-Nov-2023 22:13:20 +0000\" {21}"
            );
            server.say("+ go on\r\n").await;
            assert_eq!(server.line().await, "Subject: x");
            assert_eq!(server.line().await, "");
            assert_eq!(server.line().await, "Hello");
            // The end of the command.
            assert_eq!(server.line().await, "");
            server
                .say(format!("* 5 EXISTS\r\n{tag} OK [APPENDUID 9 17] done\r\n"))
                .await;
        });
        assert_eq!(got, Ok(()));
        assert!(s.take_hint().is_some() && !s.is_broken());
    }

    #[tokio::test(start_paused = true)]
    async fn with_literal_plus_it_is_one_write_and_a_refusal_leaves_the_session_usable() {
        for (bytes, plus) in [(usize::MAX, true), (4096, true), (20, false)] {
            let (mut s, mut server) = session();
            s.offer(|caps| caps.literal_bytes = bytes);
            let (got, ()) = tokio::join!(s.append_seen("Sent", UtcMs(0), MAIL), async {
                let tag = server.expect(if plus { "{21+}" } else { "{21}" }).await;
                if plus {
                    for _ in 0..4 {
                        server.line().await;
                    }
                }
                server.say(format!("{tag} NO [OVERQUOTA] full\r\n")).await;
            });
            assert!(matches!(got, Err(ImapError::No { .. })), "{got:?}");
            assert!(!s.is_broken());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_is_searched_by_both_fields_from_the_day_before() {
        let (mut s, mut server) = session();
        let at = UtcMs(1_700_000_000_000);
        let (got, ()) = tokio::join!(s.search_id(at, "X-Replyd-Id", "r.a@b"), async {
            server
                .answer(
                    "UID SEARCH SINCE 13-Nov-2023 OR HEADER Message-ID \"r.a@b\" HEADER \"X-Replyd-Id\" \"r.a@b\"",
                    "* SEARCH 4 9\r\n{} OK\r\n",
                )
                .await;
        });
        assert_eq!(got, Ok(Some(vec![4, 9])));
        assert_eq!(s.search_id(at, "X-Replyd-Id", "é").await, Ok(None));
    }
}
