//! DATA: the mail itself, and where it goes.

use super::Session;
use super::path::Mail;
use crate::delivery::{Envelope, deliver_mail};
use crate::faults::{SmtpFault, SmtpPoint};
use crate::options::QueueIds;
use crate::shared::Submission;
use crate::stats::Count;
use crate::store::DeliverError;
use crate::wire::Stop;

/// A body as it was read.
struct Body {
    raw: Vec<u8>,
    too_large: bool,
    bare_lf: bool,
}

impl Session {
    pub(super) async fn data(&mut self, rest: &str) -> Result<(), Stop> {
        if self.fault(SmtpPoint::Data, None).await? {
            return Ok(());
        }
        if !rest.is_empty() {
            return self.mistake(501, "5.5.4 No argument allowed").await;
        }
        if self.mail.as_ref().is_none_or(|m| m.to.is_empty()) {
            return self.mistake(503, "5.5.1 No valid recipients").await;
        }
        self.reply(354, "End data with <CR><LF>.<CR><LF>").await?;
        let body = self.body().await?;
        let replied = self.fault(SmtpPoint::Body, None).await?;
        // Whatever comes of it, the transaction is over.
        let Some(mail) = self.mail.take() else {
            return Ok(());
        };
        if replied {
            return Ok(());
        }
        if let Some((code, text)) = self.bad_body(&mail, &body) {
            return self.reply(code, text).await;
        }
        let queue_id = match self.deliver(&mail, body.raw) {
            Ok(queue_id) => queue_id,
            Err(error) => {
                let text = format!("4.2.2 {error}");
                return self.reply(452, &text).await;
            }
        };
        // The sender of the mail is known to the faults of this point too.
        self.mail = Some(mail);
        let replied = self.fault(SmtpPoint::Stored, None).await;
        self.mail = None;
        if replied? {
            return Ok(());
        }
        let text = match self.shared.options.queue_ids {
            QueueIds::Plain => format!("2.0.0 Ok: queued as {queue_id}"),
            QueueIds::Ses { .. } => format!("Ok {queue_id}"),
        };
        self.reply(250, &text).await
    }

    /// Reads up to the final dot, with the dots of RFC 5321 §4.5.2 taken off.
    async fn body(&mut self) -> Result<Body, Stop> {
        let max = self.shared.options.max_message_bytes;
        let closes = |fault: &SmtpFault| match fault {
            SmtpFault::CloseInBody { after_bytes } => Some(*after_bytes),
            _ => None,
        };
        let close_after = {
            let user = self.user.as_deref().map(|u| u.address.as_str());
            let sender = self.mail.as_ref().map(|m| m.from.as_str());
            let users: Vec<&str> = [user, sender].into_iter().flatten().collect();
            self.shared.faults.smtp_first(&users, closes)
        };
        let mut body = Body {
            raw: Vec::new(),
            too_large: false,
            bare_lf: false,
        };
        let mut read = 0_usize;
        let mut after_crlf = true;
        loop {
            if close_after.is_some_and(|limit| read >= limit) {
                return Err(Stop::Close);
            }
            let line = self.wire.read_raw_line(max.saturating_add(1024)).await?;
            read = read.saturating_add(line.len());
            let crlf = line.ends_with(b"\r\n");
            // Only CRLF.CRLF ends the mail: anything laxer lets one mail smuggle in another.
            if after_crlf && line == b".\r\n" {
                return Ok(body);
            }
            body.bare_lf |= !crlf;
            let text = match line.strip_prefix(b".") {
                Some(rest) if after_crlf => rest,
                _ => &line,
            };
            if body.raw.len().saturating_add(text.len()) > max {
                body.too_large = true;
                body.raw = Vec::new();
            }
            if !body.too_large {
                body.raw.extend_from_slice(text);
            }
            after_crlf = crlf;
        }
    }

    fn bad_body(&self, mail: &Mail, body: &Body) -> Option<(u16, &'static str)> {
        if body.too_large {
            return Some((552, "5.3.4 Message too large"));
        }
        if body.bare_lf {
            return Some((550, "5.6.0 Lines end in CRLF"));
        }
        let eight_bit = !body.raw.is_ascii();
        if eight_bit && !mail.eight_bit && self.is_hidden("8BITMIME") {
            return Some((554, "5.6.3 8-bit content cannot be transported"));
        }
        None
    }

    /// Puts the mail into the mailboxes and among the submissions; gives its queue id.
    fn deliver(&self, mail: &Mail, raw: Vec<u8>) -> Result<String, DeliverError> {
        let shared = &self.shared;
        let queue_id = shared.next_queue_id();
        let protocol = match (self.wire.is_tls(), self.user.is_some()) {
            (true, true) => "ESMTPSA",
            (true, false) => "ESMTPS",
            (false, true) => "ESMTPA",
            (false, false) => "ESMTP",
        };
        let client = self.client.as_deref().unwrap_or("unknown");
        let on_the_way = match &shared.options.queue_ids {
            QueueIds::Plain => None,
            QueueIds::Ses { domain } => Some(with_message_id(&raw, &queue_id, domain)),
        };
        let envelope = Envelope {
            from: &mail.from,
            client,
            protocol,
            queue_id: &queue_id,
            hops: 0,
        };
        let mut delivered = 0_usize;
        for to in &mail.to {
            match deliver_mail(shared, &envelope, to, on_the_way.as_deref().unwrap_or(&raw)) {
                Ok(_) => delivered += 1,
                // Taken by the option `unknown_recipients`.
                Err(DeliverError::UnknownUser) => delivered += 1,
                Err(error) if delivered == 0 => return Err(error),
                Err(error) => tracing::warn!(%error, "One receiver of several got nothing"),
            }
        }
        shared.record(Submission {
            from: mail.from.clone(),
            to: mail.to.clone(),
            raw: raw.into(),
            authenticated_as: self.user.as_ref().map(|u| u.address.clone()),
            tls: self.wire.is_tls(),
            queue_id: queue_id.clone(),
            smtputf8: mail.smtputf8,
            eight_bit: mail.eight_bit,
            at: shared.options.clock.now_ms(),
        });
        shared.counters.add(Count::AcceptedMails);
        Ok(queue_id)
    }
}

/// The mail with its Message-ID replaced, as Amazon SES does.
fn with_message_id(raw: &[u8], id: &str, domain: &str) -> Vec<u8> {
    let mut mail = format!("Message-ID: <{id}@{domain}>\r\n").into_bytes();
    let mut in_header = true;
    let mut in_old_id = false;
    for line in raw.split_inclusive(|b| *b == b'\n') {
        if in_header {
            in_header = line != b"\r\n";
            let folded = line.first().is_some_and(|b| *b == b' ' || *b == b'\t');
            let name = line.get(..11).unwrap_or_default();
            in_old_id = (folded && in_old_id) || name.eq_ignore_ascii_case(b"message-id:");
            if in_old_id {
                continue;
            }
        }
        mail.extend_from_slice(line);
    }
    mail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_id_is_replaced_and_nothing_else() {
        let raw = b"A: 1\r\nmessage-id:\r\n <x@y>\r\nB: 2\r\n\r\nMessage-ID: body\r\n";
        let new = with_message_id(raw, "i", "d");
        let wanted = b"Message-ID: <i@d>\r\nA: 1\r\nB: 2\r\n\r\nMessage-ID: body\r\n";
        assert_eq!(new, wanted);
    }
}
