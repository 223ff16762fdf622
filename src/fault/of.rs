//! From the typed errors of the edges to a fault.

use std::io;

use super::{Fault, provider};
use crate::credential::CredentialError;
use crate::imap::{ImapError, NoMechanism, Step, Unprotected};
use crate::keys::KeysError;
use crate::names::NameError;
use crate::smtp::{SmtpKind, SmtpStep, SmtpWhy};
use crate::store::StoreError;
use crate::tls::TlsFault;

/// The fault behind an error of an IMAP connection.
#[must_use]
pub fn of_imap(e: &ImapError) -> Fault {
    match e {
        ImapError::AuthRefused { code, text, token } => match code.as_deref() {
            Some("EXPIRED") => Fault::PasswordExpired,
            _ => provider::sign_in(text, *token),
        },
        ImapError::Credential(_) => Fault::CredentialUnreadable,
        ImapError::Mechanism(NoMechanism::LoginDisabled) => Fault::LoginDisabled,
        ImapError::Mechanism(_) => Fault::MechanismMissing,
        ImapError::Throttled { text, .. } => provider::later(text).unwrap_or(Fault::Throttled),
        ImapError::Unavailable { text, .. } => {
            provider::later(text).unwrap_or(Fault::ServerUnavailable)
        }
        ImapError::Name(name) => of_name(*name),
        ImapError::Network { kind, .. } => of_network(*kind),
        ImapError::Timeout {
            step: Step::Connect,
        } => Fault::ConnectTimeout,
        ImapError::Timeout { .. } => Fault::ServerSilent,
        ImapError::Tls { fault, .. } => of_tls(*fault),
        ImapError::Unprotected(why) => match why {
            Unprotected::NotOffered | Unprotected::Refused => Fault::StarttlsMissing,
            Unprotected::NotLoopback => Fault::Unprotected,
            Unprotected::TlsPort => Fault::TlsPort,
            Unprotected::Injected | Unprotected::Preauth => Fault::TlsTampered,
        },
        ImapError::No { step, .. } | ImapError::Bad { step, .. } => match step {
            Step::Examine | Step::Status => Fault::MailboxMissing,
            Step::Idle | Step::Done => Fault::IdleBroken,
            _ => Fault::NotImap,
        },
        ImapError::Bye { text, .. } => provider::later(text).unwrap_or(Fault::ConnectionLost),
        ImapError::Closed { .. }
        | ImapError::SessionOver { .. }
        | ImapError::Broken
        | ImapError::PipelineRefused => Fault::ConnectionLost,
        ImapError::Guard { .. }
        | ImapError::Parse { .. }
        | ImapError::Protocol { .. }
        | ImapError::NoUidValidity => Fault::NotImap,
    }
}

/// The fault behind a sign-in that has nothing to sign in with.
#[must_use]
pub fn of_credential(e: &CredentialError) -> Fault {
    match e {
        CredentialError::Unusable(_) => Fault::CredentialUnreadable,
        CredentialError::Command { .. } => Fault::CommandFailed,
        CredentialError::NotSignedIn(_) => Fault::OauthLoginNeeded,
        CredentialError::Revoked(_) => Fault::OauthRevoked,
        CredentialError::ClientRefused { .. } => Fault::OauthClientRefused,
        CredentialError::TokenServer { .. } => Fault::OauthServerUnreachable,
        CredentialError::Store(e) => of_store(e),
    }
}

/// The fault behind a server that cannot be used for sending, or a refused mail. `text` is what
/// the server said.
#[must_use]
pub fn of_smtp(why: SmtpWhy, code: Option<u16>, text: &str) -> Fault {
    match why.kind {
        SmtpKind::Name(name) => of_name(name),
        SmtpKind::Network(kind) => of_network(kind),
        SmtpKind::Timeout if why.step == SmtpStep::Connect => Fault::ConnectTimeout,
        SmtpKind::Timeout => Fault::ServerSilent,
        SmtpKind::Lost => Fault::ConnectionLost,
        SmtpKind::NotSmtp | SmtpKind::Protocol => Fault::NotSmtp,
        SmtpKind::Tls(fault) => of_tls(fault),
        SmtpKind::NoStartTls => Fault::StarttlsMissing,
        SmtpKind::TlsPort => Fault::TlsPort,
        SmtpKind::NotLoopback => Fault::Unprotected,
        SmtpKind::NoAuth => Fault::SmtpAuthMissing,
        SmtpKind::NoMechanism => Fault::MechanismMissing,
        SmtpKind::Credential => Fault::CredentialUnreadable,
        SmtpKind::Command => Fault::CommandFailed,
        SmtpKind::NotSignedIn => Fault::OauthLoginNeeded,
        SmtpKind::SignInRevoked => Fault::OauthRevoked,
        SmtpKind::ClientRefused => Fault::OauthClientRefused,
        SmtpKind::NoTokenNow => Fault::OauthServerUnreachable,
        SmtpKind::Mail => Fault::MailRefused,
        SmtpKind::Local => Fault::Unexpected,
        SmtpKind::TokenRefused => provider::sign_in(text, true),
        SmtpKind::Refused => refused(why.step, code, text),
    }
}

fn refused(step: SmtpStep, code: Option<u16>, text: &str) -> Fault {
    let passing = code.is_none_or(|c| c < 500);
    match step {
        SmtpStep::SignIn if passing => provider::later(text).unwrap_or(Fault::ServerUnavailable),
        SmtpStep::SignIn => provider::sign_in(text, false),
        SmtpStep::StartTls => Fault::StarttlsMissing,
        SmtpStep::Mail | SmtpStep::Recipient | SmtpStep::Data | SmtpStep::Body => {
            match provider::envelope(text) {
                Some(fault) => fault,
                // RFC 4954 §6
                None if code == Some(530) => Fault::SmtpSignInNeeded,
                None if matches!(code, Some(534 | 535 | 538)) => provider::sign_in(text, false),
                None if passing => Fault::ServerUnavailable,
                None if step == SmtpStep::Mail => Fault::SenderRefused,
                None if step == SmtpStep::Recipient => Fault::RecipientRefused,
                None => Fault::MailRefused,
            }
        }
        _ => provider::later(text).unwrap_or(Fault::ServerUnavailable),
    }
}

fn of_name(e: NameError) -> Fault {
    match e {
        NameError::Unknown => Fault::UnknownHost,
        NameError::NoAnswer => Fault::DnsFailure,
    }
}

fn of_network(kind: io::ErrorKind) -> Fault {
    match kind {
        io::ErrorKind::ConnectionRefused => Fault::PortClosed,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable => Fault::HostUnreachable,
        io::ErrorKind::TimedOut => Fault::ConnectTimeout,
        _ => Fault::ConnectionLost,
    }
}

fn of_tls(fault: TlsFault) -> Fault {
    match fault {
        TlsFault::NotTls => Fault::NotTls,
        TlsFault::TooOld => Fault::TlsTooOld,
        TlsFault::Expired => Fault::CertificateExpired,
        TlsFault::NotYetValid => Fault::CertificateNotYetValid,
        TlsFault::Untrusted => Fault::CertificateUntrusted,
        TlsFault::WrongName => Fault::CertificateWrongName,
        TlsFault::Revoked => Fault::CertificateRevoked,
        TlsFault::Unusable => Fault::CertificateUnusable,
        TlsFault::Roots => Fault::CaFileUnusable,
        TlsFault::HostName => Fault::UnknownHost,
        TlsFault::Broken => Fault::ConnectionLost,
    }
}

/// The fault behind an error of the store.
#[must_use]
pub fn of_store(e: &StoreError) -> Fault {
    match e {
        StoreError::Full => Fault::DiskFull,
        StoreError::ReadOnly(_) => Fault::StateReadOnly,
        StoreError::Denied(_) => Fault::StateNotOurs,
        StoreError::Files(_) => Fault::TooManyOpenFiles,
        StoreError::Disk(_) => Fault::DiskFailing,
        StoreError::Busy | StoreError::OlderRunning => Fault::DatabaseLocked,
        StoreError::NewerSchema { .. } => Fault::DatabaseNewer,
        StoreError::Corrupt(_) => Fault::DatabaseDamaged,
        StoreError::NotADatabase(_) => Fault::NotADatabase,
        StoreError::Pool(_)
        | StoreError::LeaseLost(_)
        | StoreError::Stale(_)
        | StoreError::NotFound(_)
        | StoreError::Invalid(_)
        | StoreError::Panicked(_)
        | StoreError::Sqlite(_) => Fault::Unexpected,
    }
}

/// The fault at the bottom of a failed command, if it is one that has a name.
#[must_use]
pub fn of_any(e: &anyhow::Error) -> Option<Fault> {
    e.chain()
        .find_map(|cause| {
            let store = cause.downcast_ref::<StoreError>().map(of_store);
            let keys = || cause.downcast_ref::<KeysError>().map(of_keys);
            let credential = || cause.downcast_ref::<CredentialError>().map(of_credential);
            let imap = || cause.downcast_ref::<ImapError>().map(of_imap);
            let io = || cause.downcast_ref::<io::Error>().map(of_io);
            store
                .or_else(keys)
                .or_else(credential)
                .or_else(imap)
                .or_else(io)
        })
        .filter(|fault| *fault != Fault::Unexpected)
}

/// The fault behind keys that cannot be had.
#[must_use]
pub fn of_keys(e: &KeysError) -> Fault {
    match e {
        KeysError::Io { source, .. } => match of_io(source) {
            Fault::Unexpected => Fault::KeysUnusable,
            fault => fault,
        },
        KeysError::TooOpen { .. } | KeysError::Damaged { .. } => Fault::KeysUnusable,
        KeysError::Random(_) => Fault::Unexpected,
    }
}

/// The fault behind an error of the file system or of a socket that we listen on.
#[must_use]
pub fn of_io(e: &io::Error) -> Fault {
    match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Fault::DiskFull,
        io::ErrorKind::ReadOnlyFilesystem => Fault::StateReadOnly,
        io::ErrorKind::PermissionDenied => Fault::StateNotOurs,
        io::ErrorKind::AddrInUse => Fault::PortInUse,
        // EMFILE and ENFILE have no kind of their own.
        _ if matches!(e.raw_os_error(), Some(23 | 24)) => Fault::TooManyOpenFiles,
        _ => Fault::Unexpected,
    }
}
