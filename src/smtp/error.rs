//! What a caller may branch on when a server cannot be used, or refuses a mail.

use std::fmt;
use std::io;

use crate::names::NameError;
use crate::tls::TlsFault;

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Looking up the host's addresses.
    Resolve,
    /// Opening the TCP connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The greeting and the first EHLO.
    Greeting,
    /// EHLO after STARTTLS.
    Hello,
    /// STARTTLS.
    StartTls,
    /// AUTH.
    SignIn,
    /// MAIL, with the envelope sender.
    Mail,
    /// RCPT.
    Recipient,
    /// DATA, until the 354.
    Data,
    /// The body, and the reply to it.
    Body,
}

impl Step {
    /// The word shown in outcomes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "Name lookup",
            Self::Connect => "Connecting",
            Self::Tls => "TLS",
            Self::Greeting => "Greeting",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::SignIn => "Sign-in",
            Self::Mail => "MAIL",
            Self::Recipient => "RCPT",
            Self::Data => "DATA",
            Self::Body => "Body",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The server answered with a code that is a no.
    Refused,
    /// The server refused a token at the sign-in.
    TokenRefused,
    /// The host name gave no address.
    Name(NameError),
    /// The network failed.
    Network(io::ErrorKind),
    /// No answer within the step's deadline.
    Timeout,
    /// The connection ended.
    Lost,
    /// What answers is no SMTP server.
    NotSmtp,
    /// The server broke the protocol.
    Protocol,
    /// TLS could not be set up.
    Tls(TlsFault),
    /// STARTTLS is required and not offered.
    NoStartTls,
    /// The port speaks TLS from the first byte, and the settings expect plain text first.
    TlsPort,
    /// The settings allow no TLS, and the host is another machine.
    NotLoopback,
    /// The server offers no AUTH at all, and the settings name a user.
    NoAuth,
    /// The server does not offer the mechanism that is set or needed.
    NoMechanism,
    /// What proves who we are cannot be read or used.
    Credential,
    /// The command that prints it failed.
    Command,
    /// Nobody has signed in by OAuth2 yet.
    NotSignedIn,
    /// The token server refuses the stored sign-in.
    SignInRevoked,
    /// The token server refuses the client of the settings.
    ClientRefused,
    /// The server that renews an OAuth2 token cannot be reached.
    NoTokenNow,
    /// This machine: the store, the console.
    Local,
    /// The mail itself does not fit this server.
    Mail,
}

/// Where and how it went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Why {
    /// What was being done.
    pub step: Step,
    /// What went wrong in it.
    pub kind: Kind,
}
