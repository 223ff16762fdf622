//! Leads who answer as people's mail programs do: both text and HTML, the old mail quoted.

use lettre::address::Envelope;
use lettre::message::MultiPart;
use lettre::transport::smtp::SmtpTransport;
use lettre::{Message, Transport};

use super::PATIENCE;
use super::postfix::Postfix;

/// A lead's answer to a mail of ours.
#[derive(Clone, Debug)]
pub(crate) struct LeadReply<'a> {
    /// `Ann Lee <ann@lead.example>` or the bare address.
    pub(crate) from: &'a str,
    /// The mailbox that the campaign mail came from.
    pub(crate) to: &'a str,
    /// Subject of the campaign mail, without `Re:`.
    pub(crate) subject: &'a str,
    /// Message-ID of the mail that is answered, without brackets.
    pub(crate) in_reply_to: &'a str,
    /// The ids before it in the thread, oldest first, without brackets.
    pub(crate) references: &'a [&'a str],
    /// What the lead newly wrote.
    pub(crate) text: &'a str,
    /// The answer's own Message-ID, without brackets.
    pub(crate) message_id: &'a str,
}

impl LeadReply<'_> {
    /// The whole mail: multipart/alternative, the campaign mail quoted below an attribution line.
    #[track_caller]
    pub(crate) fn message(&self) -> Message {
        let references = self
            .references
            .iter()
            .chain([&self.in_reply_to])
            .map(|id| format!("<{id}>"))
            .collect::<Vec<_>>()
            .join(" ");
        let attribution = format!("On Mon, 3 Aug 2026 at 10:00, <{}> wrote:", self.to);
        let plain = format!(
            "{}\r\n\r\n{attribution}\r\n> Dear lead,\r\n> the new homes are ready to be seen.\r\n> Kind regards\r\n",
            self.text
        );
        let html = format!(
            "<div dir=\"ltr\">{}</div><br><div class=\"gmail_quote\"><div class=\"gmail_attr\">\
             {attribution}</div><blockquote class=\"gmail_quote\">Dear lead,<br>the new homes are \
             ready to be seen.<br>Kind regards</blockquote></div>",
            self.text.replace("\r\n", "<br>")
        );
        Message::builder()
            .from(self.from.parse().expect("From"))
            .to(self.to.parse().expect("To"))
            .subject(format!("Re: {}", self.subject))
            .message_id(Some(format!("<{}>", self.message_id)))
            .in_reply_to(format!("<{}>", self.in_reply_to))
            .references(references)
            .multipart(MultiPart::alternative_plain_html(plain, html))
            .expect("A mail")
    }

    /// The same as bytes, for a mail that is put into a mailbox.
    #[track_caller]
    pub(crate) fn raw(&self) -> Vec<u8> {
        self.message().formatted()
    }

    /// Hands it to Postfix as a foreign server would: no AUTH, no TLS.
    #[track_caller]
    pub(crate) fn send(&self, postfix: &Postfix) {
        hand_over(postfix, &self.message());
    }
}

/// Hands a mail to Postfix on its public port.
#[track_caller]
pub(crate) fn hand_over(postfix: &Postfix, mail: &Message) {
    hand_over_raw(postfix, mail.envelope(), &mail.formatted());
}

/// The same for bytes.
#[track_caller]
pub(crate) fn hand_over_raw(postfix: &Postfix, envelope: &Envelope, raw: &[u8]) {
    SmtpTransport::builder_dangerous("127.0.0.1")
        .port(postfix.smtp_port())
        .timeout(Some(PATIENCE))
        .build()
        .send_raw(envelope, raw)
        .unwrap_or_else(|e| panic!("Hand a mail to Postfix: {e}\n{}", postfix.log()));
}
