//! How a server is reached: host, port, protection, sign-in and own certificates, for IMAP and
//! SMTP by the same code.

use std::path::PathBuf;

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::keys::{self, Key};
use super::layers::Scope;
use super::problem::Origin;
use super::resolve::{Got, Resolver};
use super::sources::read_bounded;
use super::values::{Value, is_loopback};
use super::{AuthMechanism, Security};

/// Larger certificate files are refused, in bytes.
const MAX_CA_BYTES: u64 = 4 << 20;

/// The keys of one server, so that IMAP and SMTP are read by the same code.
pub(super) struct ServerKeys {
    host: (&'static Key, &'static Key),
    port: (&'static Key, &'static Key),
    security: (&'static Key, &'static Key),
    auth: (&'static Key, &'static Key),
    ca_file: (&'static Key, &'static Key),
    /// Default ports for tls, starttls and plain.
    ports: [u16; 3],
}

pub(super) static IMAP: ServerKeys = ServerKeys {
    host: (&keys::IMAP_HOST, &keys::ALL_IMAP_HOST),
    port: (&keys::IMAP_PORT, &keys::ALL_IMAP_PORT),
    security: (&keys::IMAP_SECURITY, &keys::ALL_IMAP_SECURITY),
    auth: (&keys::IMAP_AUTH_KEY, &keys::ALL_IMAP_AUTH),
    ca_file: (&keys::IMAP_CA_FILE, &keys::ALL_IMAP_CA_FILE),
    ports: [993, 143, 143],
};

pub(super) static SMTP: ServerKeys = ServerKeys {
    host: (&keys::SMTP_HOST, &keys::ALL_SMTP_HOST),
    port: (&keys::SMTP_PORT, &keys::ALL_SMTP_PORT),
    security: (&keys::SMTP_SECURITY, &keys::ALL_SMTP_SECURITY),
    auth: (&keys::SMTP_AUTH_KEY, &keys::ALL_SMTP_AUTH),
    ca_file: (&keys::SMTP_CA_FILE, &keys::ALL_SMTP_CA_FILE),
    ports: [465, 587, 25],
};

/// How a server is reached.
pub(super) struct Reach {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    /// None: no sign-in.
    pub(super) auth: Option<AuthMechanism>,
    pub(super) ca_file: Option<PathBuf>,
}

impl Resolver<'_> {
    /// Host, port and protection of a server.
    pub(super) fn reach(&mut self, scope: Scope, keys: &ServerKeys) -> Option<Reach> {
        let host = self.recorded(scope, keys.host.0, Some(keys.host.1));
        let host_known = host.is_some()
            || self.layers.get(scope, keys.host.0).is_some()
            || self.layers.get(Scope::All, keys.host.1).is_some();
        if !host_known {
            let ways = self.ways(scope, keys.host.0);
            self.fault(
                scope,
                keys.host.0,
                &Origin::Default,
                "the server is missing",
                ways,
            );
        }
        let host = match host {
            Some(Got {
                value: Value::Text(host),
                ..
            }) => Some(host),
            _ => None,
        };
        let security = self.security(scope, keys, host.as_deref());
        let default_port = match security {
            Some(Security::Tls) | None => keys.ports[0],
            Some(Security::StartTls) => keys.ports[1],
            Some(Security::Plain) => keys.ports[2],
        };
        let port = self.port(scope, keys, default_port, security);
        let auth = match self.recorded(scope, keys.auth.0, Some(keys.auth.1)) {
            Some(Got {
                value: Value::Text(word),
                ..
            }) => auth_of(&word),
            _ => None,
        };
        let ca_file = self.ca_file(scope, (keys.ca_file.0, Some(keys.ca_file.1)));
        Some(Reach {
            host: host?,
            port,
            security: security?,
            auth,
            ca_file: ca_file.ok()?,
        })
    }

    fn security(
        &mut self,
        scope: Scope,
        keys: &ServerKeys,
        host: Option<&str>,
    ) -> Option<Security> {
        let key = keys.security.0;
        let got = self.value(scope, key, Some(keys.security.1))?;
        let loopback = host.is_some_and(is_loopback);
        let security = match &got.value {
            Value::Text(word) if word == "tls" => Security::Tls,
            Value::Text(word) if word == "starttls" => Security::StartTls,
            Value::Text(_) if loopback || host.is_none() => Security::Plain,
            Value::Text(_) => {
                self.fault(
                    scope,
                    key,
                    &got.origin,
                    "plain would send the password unprotected, and is for this machine only",
                    "Write tls or starttls",
                );
                return None;
            }
            Value::Unprotected if loopback => Security::Plain,
            Value::Unprotected => {
                self.warn(format!(
                    "{}: an unprotected connection goes to this machine only; STARTTLS is \
                     required instead",
                    got.origin
                ));
                Security::StartTls
            }
            _ => return None,
        };
        let word = match security {
            Security::Tls => "tls",
            Security::StartTls => "starttls",
            Security::Plain => "plain",
        };
        self.record(scope, key, word, &got.origin);
        Some(security)
    }

    fn port(
        &mut self,
        scope: Scope,
        keys: &ServerKeys,
        default: u16,
        security: Option<Security>,
    ) -> u16 {
        let key = keys.port.0;
        let Some(got) = self.value(scope, key, Some(keys.port.1)) else {
            if security.is_some() {
                let from = Origin::From("by its security".to_owned());
                self.record(scope, key, default.to_string(), &from);
            }
            return default;
        };
        let Value::Integer(port) = got.value else {
            return default;
        };
        let port = u16::try_from(port).unwrap_or(default);
        self.record(scope, key, port.to_string(), &got.origin);
        // RFC 8314 §7: these ports speak TLS from the first byte; the others do not.
        let implicit = port == keys.ports[0];
        let usual = keys.ports.contains(&port);
        let mismatch = match security {
            Some(Security::Tls) => usual && !implicit,
            Some(_) => implicit,
            None => false,
        };
        if mismatch {
            let shown = self.shown(scope, key);
            let word = if implicit { "tls" } else { "starttls" };
            self.warn(format!(
                "{}: {shown}: port {port} usually goes with security {word}",
                got.origin
            ));
        }
        port
    }

    /// The file of own certificates, read to see that it is one.
    pub(super) fn ca_file(
        &mut self,
        scope: Scope,
        (key, shared): (&'static Key, Option<&'static Key>),
    ) -> Result<Option<PathBuf>, ()> {
        let Some(got) = self.value(scope, key, shared) else {
            return Ok(None);
        };
        let path = self.path(&got).ok_or(())?;
        let what = match read_bounded(&path, MAX_CA_BYTES) {
            Err(error) => format!("cannot read {}: {error}", path.display()),
            Ok((pem, _)) => {
                let certificates: Result<Vec<_>, _> =
                    CertificateDer::pem_slice_iter(&pem).collect();
                match certificates {
                    Ok(found) if !found.is_empty() => {
                        self.record(scope, key, path.display().to_string(), &got.origin);
                        return Ok(Some(path));
                    }
                    Ok(_) => format!("{} holds no certificate", path.display()),
                    Err(_) => format!("{} is no valid PEM file", path.display()),
                }
            }
        };
        let remedy = "Name a file with -----BEGIN CERTIFICATE----- that this user may read";
        self.fault(scope, key, &got.origin, what, remedy);
        Err(())
    }
}

/// None for `none`.
fn auth_of(word: &str) -> Option<AuthMechanism> {
    match word {
        "login" => Some(AuthMechanism::Login),
        "plain" => Some(AuthMechanism::Plain),
        "xoauth2" => Some(AuthMechanism::XOAuth2),
        "oauthbearer" => Some(AuthMechanism::OAuthBearer),
        "none" => None,
        _ => Some(AuthMechanism::Auto),
    }
}
