//! What kind of server to be.

use std::time::Duration;

use crate::time::Clock;

/// How a listener speaks TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// TLS from the first byte.
    #[default]
    Implicit,
    /// Plain at first; STARTTLS is offered and asked for before any login.
    StartTls,
    /// Plain, logins accepted; for loopback only.
    None,
}

/// What the 250 after an accepted mail says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum QueueIds {
    /// `250 2.0.0 Ok: queued as 00000000A1`, as Postfix does.
    #[default]
    Plain,
    /// As Amazon SES does: `250 Ok <id>`, and the mail goes on with
    /// `Message-ID: <id@domain>` in the place of the sender's own.
    Ses {
        /// The domain of the rewritten Message-ID, e.g. `email.amazonses.com`.
        domain: String,
    },
}

/// What becomes of a mail to an address that has no mailbox here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownRecipients {
    /// `550 5.1.1`.
    #[default]
    Refuse,
    /// Taken and kept in [`crate::Sandbox::submissions`] only.
    Accept,
}

/// The settings of a [`crate::Sandbox`]. `Options::default()` is a friendly, quick server.
#[derive(Clone, Debug)]
pub struct Options {
    /// What `imap_addr()` and `smtp_addr()` speak.
    pub tls: Tls,
    /// The names of the server's certificate: DNS names or IP addresses.
    pub certificate_names: Vec<String>,
    /// Offer IDLE; without it IDLE is an unknown command and clients must poll.
    pub idle: bool,
    /// Keep the bytes that follow DONE in the same write; `false` throws them away, as some
    /// servers do.
    pub pipelining: bool,
    /// Wait this long before each answer. For round trips use [`crate::DelayProxy`].
    pub latency: Duration,
    /// Wait this long between a delivery and its EXISTS in IDLE (Dovecot: 500 ms).
    pub announce_delay: Duration,
    /// Most connections at once, over all listeners; the next ones are closed at once.
    pub max_connections: usize,
    /// Largest mail by APPEND or DATA, in bytes.
    pub max_message_bytes: usize,
    /// Most messages a mailbox; then deliveries are refused.
    pub max_mailbox_messages: usize,
    /// Most submissions that are kept for `submissions()`; the oldest go first.
    pub max_submissions: usize,
    /// A client that says nothing for so long is logged out (RFC 3501 §5.4: at least 30 minutes;
    /// `None`: never).
    pub autologout: Option<Duration>,
    /// An SMTP client that says nothing for so long is sent away (RFC 5321 §4.5.3.2.7: at least 5
    /// minutes; `None`: never). With a paused clock set this and `autologout` to `None`.
    pub smtp_silence: Option<Duration>,
    /// MAIL needs AUTH first.
    pub smtp_auth_required: bool,
    /// What the 250 after an accepted mail says.
    pub queue_ids: QueueIds,
    /// Mail to addresses without a mailbox here.
    pub unknown_recipients: UnknownRecipients,
    /// Where deliveries take their date from.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tls: Tls::Implicit,
            certificate_names: vec!["localhost".into(), "127.0.0.1".into()],
            idle: true,
            pipelining: true,
            latency: Duration::ZERO,
            announce_delay: Duration::ZERO,
            max_connections: 20_000,
            max_message_bytes: 35 * 1024 * 1024,
            max_mailbox_messages: 1_000_000,
            max_submissions: 50_000,
            autologout: Some(Duration::from_secs(30 * 60)),
            smtp_silence: Some(Duration::from_secs(5 * 60)),
            smtp_auth_required: true,
            queue_ids: QueueIds::Plain,
            unknown_recipients: UnknownRecipients::Refuse,
            clock: Clock::system(),
        }
    }
}
