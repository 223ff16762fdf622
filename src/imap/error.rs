//! What a caller of the IMAP edge may branch on.
//!
//! Server texts kept here are bounded, without control characters and without addresses; a
//! parse error of async-imap is never kept, as its text is the whole buffer (mail contents).

use std::fmt;
use std::io;
use std::time::Duration;

use super::guard::GuardError;
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
    /// Waiting for the server's greeting.
    Greeting,
    /// STARTTLS.
    StartTls,
    /// CAPABILITY.
    Capability,
    /// LOGIN or AUTHENTICATE.
    SignIn,
    /// ID.
    Id,
    /// EXAMINE.
    Examine,
    /// UID FETCH.
    Fetch,
    /// UID SEARCH.
    Search,
    /// STATUS.
    Status,
    /// LIST.
    List,
    /// APPEND.
    Append,
    /// NOOP.
    Noop,
    /// Entering IDLE.
    Idle,
    /// Waiting in IDLE, or between polls.
    Wait,
    /// Leaving IDLE.
    Done,
    /// LOGOUT.
    Logout,
}

impl Step {
    /// The word shown in errors, logs and states.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "name lookup",
            Self::Connect => "TCP connect",
            Self::Tls => "TLS handshake",
            Self::Greeting => "greeting",
            Self::StartTls => "STARTTLS",
            Self::Capability => "CAPABILITY",
            Self::SignIn => "sign-in",
            Self::Id => "ID",
            Self::Examine => "EXAMINE",
            Self::Fetch => "FETCH",
            Self::Search => "SEARCH",
            Self::Status => "STATUS",
            Self::List => "LIST",
            Self::Append => "APPEND",
            Self::Noop => "NOOP",
            Self::Idle => "IDLE",
            Self::Wait => "wait",
            Self::Done => "DONE",
            Self::Logout => "LOGOUT",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Shows " [CODE]" or nothing.
struct Code<'a>(&'a Option<String>);

impl fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |c| write!(f, " [{c}]"))
    }
}

/// Why a connection cannot be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unprotected {
    /// STARTTLS is not offered.
    NotOffered,
    /// STARTTLS is offered, and refused.
    Refused,
    /// The settings allow no TLS, and the host is another machine.
    NotLoopback,
    /// The server signs us in before TLS (PREAUTH), after which STARTTLS is not allowed: the known
    /// downgrade (CVE-2020-12398 and its kin).
    Preauth,
    /// Data came ahead of the TLS handshake: a plaintext injection.
    Injected,
    /// The port speaks TLS from the first byte, and the settings expect plain text first.
    TlsPort,
}

impl fmt::Display for Unprotected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOffered => "the server offers no STARTTLS",
            Self::Refused => "the server refuses STARTTLS",
            Self::NotLoopback => "without TLS only loopback addresses are allowed",
            Self::Preauth => "the server signs us in before TLS (PREAUTH)",
            Self::Injected => "data arrived ahead of the TLS handshake",
            Self::TlsPort => "this port speaks TLS from the first byte, not STARTTLS",
        })
    }
}

/// Which mechanism is missing for a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoMechanism {
    /// The server offers no XOAUTH2.
    XOAuth2,
    /// The server offers no OAUTHBEARER.
    OAuthBearer,
    /// The server offers no mechanism that takes a token.
    Token,
    /// The server offers no AUTH=PLAIN.
    Plain,
    /// LOGIN is disabled, and no other mechanism that we know is offered.
    LoginDisabled,
    /// The settings ask for XOAUTH2 and give a password.
    PasswordForToken,
    /// The settings give a token and ask for a mechanism that wants a password.
    TokenForPassword,
}

impl fmt::Display for NoMechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::XOAuth2 => "the server offers no XOAUTH2",
            Self::OAuthBearer => "the server offers no OAUTHBEARER",
            Self::Token => {
                "the server offers neither XOAUTH2 nor OAUTHBEARER, so it takes no token"
            }
            Self::Plain => "the server offers no AUTH=PLAIN",
            Self::LoginDisabled => {
                "the server has LOGIN disabled and offers no other mechanism that we know"
            }
            Self::PasswordForToken => "XOAUTH2 and OAUTHBEARER need a token, not a password",
            Self::TokenForPassword => "a token can only be used with XOAUTH2 or OAUTHBEARER",
        })
    }
}

/// Why a step did not end as wanted. After anything but [`ImapError::No`] and
/// [`ImapError::Bad`] the session must be dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImapError {
    /// The server refused the user or the secret: a person must act.
    #[error("Server refused the sign-in{}: {text}", Code(.code))]
    AuthRefused {
        /// Its response code, such as AUTHENTICATIONFAILED.
        code: Option<String>,
        /// Its text.
        text: String,
        /// It was a token, not a password.
        token: bool,
    },
    /// A secret that cannot be used: a person must act.
    #[error("Cannot sign in: {0}")]
    Credential(String),
    /// No mechanism in common: a person must act.
    #[error("Cannot sign in: {0}")]
    Mechanism(NoMechanism),
    /// The server asks us to slow down.
    #[error("Server throttles during {step}: {text}")]
    Throttled {
        /// When.
        step: Step,
        /// How long it asks to wait, at most 15 minutes; none: it does not say.
        wait: Option<Duration>,
        /// Its text.
        text: String,
    },
    /// The server cannot serve us now (codes UNAVAILABLE, INUSE, LIMIT).
    #[error("Server is not available during {step} [{code}]: {text}")]
    Unavailable {
        /// When.
        step: Step,
        /// Its response code.
        code: String,
        /// Its text.
        text: String,
    },
    /// A tagged NO: the session goes on.
    #[error("Server answered NO to {step}{}: {text}", Code(.code))]
    No {
        /// To what.
        step: Step,
        /// Its response code.
        code: Option<String>,
        /// Its text.
        text: String,
    },
    /// A tagged BAD: the session goes on.
    #[error("Server answered BAD to {step}{}: {text}", Code(.code))]
    Bad {
        /// To what.
        step: Step,
        /// Its response code.
        code: Option<String>,
        /// Its text.
        text: String,
    },
    /// The server said good-bye.
    #[error("Server ended the connection during {step}: {text}")]
    Bye {
        /// When.
        step: Step,
        /// Its text.
        text: String,
    },
    /// The server ended the session as it ends every one: after a day, or with the token's life.
    #[error("Server ended the session as it does from time to time: {text}")]
    SessionOver {
        /// When.
        step: Step,
        /// Its text.
        text: String,
    },
    /// The connection ended without a word.
    #[error("Connection closed by the server during {step}")]
    Closed {
        /// When.
        step: Step,
    },
    /// No answer within the step's deadline (`imap::limits`).
    #[error("No answer in time during {step}")]
    Timeout {
        /// When.
        step: Step,
    },
    /// The host name gave no address.
    #[error("Network error during name lookup: {0}")]
    Name(NameError),
    /// The network failed.
    #[error("Network error during {step}: {reason}")]
    Network {
        /// When.
        step: Step,
        /// Kind of the error.
        kind: io::ErrorKind,
        /// In words.
        reason: String,
    },
    /// TLS could not be set up, or broke.
    #[error("TLS failed during {step}: {reason}")]
    Tls {
        /// When.
        step: Step,
        /// Which kind of trouble.
        fault: TlsFault,
        /// In words: what is wrong with the certificate, for example.
        reason: String,
    },
    /// The server sent what the guard does not let through to the parser.
    #[error("Server's answer refused during {step}: {reason}")]
    Guard {
        /// When.
        step: Step,
        /// Which bound.
        reason: GuardError,
    },
    /// The server sent what imap-proto cannot parse, or on which it panicked.
    #[error("Server's answer cannot be parsed during {step}")]
    Parse {
        /// When.
        step: Step,
    },
    /// The server broke the protocol in a way that leaves no safe way on.
    #[error("Protocol error during {step}: {what}")]
    Protocol {
        /// When.
        step: Step,
        /// What it did.
        what: &'static str,
    },
    /// STARTTLS is required but not offered, or data was put in front of the TLS handshake
    /// (a plaintext injection).
    #[error("Connection cannot be protected: {0}")]
    Unprotected(Unprotected),
    /// EXAMINE brought no UIDVALIDITY, without which no UID means anything (RFC 3501 §2.3.1.1).
    #[error("Server gave no UIDVALIDITY for the mailbox")]
    NoUidValidity,
    /// The server did not take DONE, UID FETCH and IDLE in one write; reconnect and do two steps.
    #[error("Server does not take pipelined commands after DONE")]
    PipelineRefused,
    /// An earlier error, time-out or dropped command left the stream in an unknown place.
    #[error("Session is not usable any more")]
    Broken,
}

impl ImapError {
    /// Whether a person must change the account's settings or secret.
    #[must_use]
    pub fn is_auth(&self) -> bool {
        matches!(
            self,
            Self::AuthRefused { .. } | Self::Credential(_) | Self::Mechanism(_)
        )
    }

    /// The same, where a sign-in was refused that was made with a token.
    pub(super) fn of_token(self, made_with: bool) -> Self {
        match self {
            Self::AuthRefused { code, text, .. } => Self::AuthRefused {
                code,
                text,
                token: made_with,
            },
            other => other,
        }
    }

    /// Whether the connection simply ended, whatever the server said.
    #[must_use]
    pub fn is_end_of_connection(&self) -> bool {
        matches!(
            self,
            Self::Bye { .. }
                | Self::SessionOver { .. }
                | Self::Closed { .. }
                | Self::Network { .. }
        )
    }

    /// How long the server asks us to stay away (at most 15 minutes).
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::Throttled { wait, .. } => *wait,
            _ => None,
        }
    }

    /// Whether it came before any sign-in was sent.
    #[must_use]
    pub fn is_before_sign_in(&self) -> bool {
        matches!(
            self.step(),
            Some(Step::Resolve | Step::Connect | Step::Tls | Step::Greeting | Step::StartTls)
        )
    }

    /// What was being done.
    #[must_use]
    pub fn step(&self) -> Option<Step> {
        match self {
            Self::AuthRefused { .. } | Self::Credential(_) | Self::Mechanism(_) => {
                Some(Step::SignIn)
            }
            Self::Name(_) => Some(Step::Resolve),
            Self::NoUidValidity => Some(Step::Examine),
            Self::PipelineRefused => Some(Step::Fetch),
            Self::Unprotected(_) => Some(Step::StartTls),
            Self::Broken => None,
            Self::Throttled { step, .. }
            | Self::Unavailable { step, .. }
            | Self::No { step, .. }
            | Self::Bad { step, .. }
            | Self::Bye { step, .. }
            | Self::SessionOver { step, .. }
            | Self::Closed { step }
            | Self::Timeout { step }
            | Self::Network { step, .. }
            | Self::Tls { step, .. }
            | Self::Guard { step, .. }
            | Self::Parse { step }
            | Self::Protocol { step, .. } => Some(*step),
        }
    }

    /// Whether the server, or the network, ended the connection while nothing but IDLE was under
    /// way. A silent peer is none of these.
    #[must_use]
    pub fn ended_idle(&self) -> bool {
        matches!(
            self,
            Self::Bye {
                step: Step::Wait | Step::Idle,
                ..
            } | Self::Closed {
                step: Step::Wait | Step::Idle
            } | Self::Network {
                step: Step::Wait | Step::Idle,
                ..
            }
        )
    }

    /// Whether the session may still be used: the server merely refused one command.
    #[must_use]
    pub fn leaves_session_usable(&self) -> bool {
        matches!(
            self,
            Self::No { .. } | Self::Bad { .. } | Self::NoUidValidity
        )
    }
}
