//! What an SMTP server can do wrong.

use super::Gate;

/// A point of an SMTP session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpPoint {
    /// In the place of the greeting.
    Greeting,
    /// EHLO or HELO was read.
    Ehlo,
    /// STARTTLS was read.
    StartTls,
    /// The credentials were read.
    Auth,
    /// MAIL was read.
    Mail,
    /// RCPT was read; [`super::Who::User`] is also compared with the recipient.
    Rcpt,
    /// DATA was read, 354 is not yet sent.
    Data,
    /// The final dot was read; the mail is not yet taken.
    Body,
    /// The mail lies in the mailboxes; the 250 is not yet sent.
    Stored,
    /// RSET or NOOP was read.
    Rset,
    /// QUIT was read.
    Quit,
}

/// What goes wrong there.
#[derive(Clone, Debug)]
pub enum SmtpAction {
    /// This reply in the place of the right one; several lines make a multi-line reply.
    Reply {
        /// The code; after 421 the connection is closed.
        code: u16,
        /// The text, with the enhanced code if there is to be one.
        text: String,
    },
    /// Closes in order without a reply.
    Close,
    /// Closes the socket without TLS's close_notify.
    Abort,
    /// Waits at the gate, then goes on as usual.
    Hold(Gate),
    /// From now on reads everything and replies nothing.
    Silence,
    /// Writes these bytes in the place of the reply.
    Raw(Vec<u8>),
}

/// A misbehaviour of the SMTP server.
#[derive(Clone, Debug)]
pub enum SmtpFault {
    /// Something goes wrong at a point of the session.
    At {
        /// Where.
        point: SmtpPoint,
        /// And what.
        action: SmtpAction,
    },
    /// Closes after so many bytes of the body.
    CloseInBody {
        /// How many.
        after_bytes: usize,
    },
    /// Writes these bytes in plain text after the 220 to STARTTLS, before the handshake.
    InjectAfterStartTls(Vec<u8>),
    /// Does not offer and does not take this extension: `STARTTLS`, `AUTH`, `8BITMIME`,
    /// `SMTPUTF8`, `PIPELINING`, `SIZE`.
    Hide(String),
}
