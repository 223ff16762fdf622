//! Trust: the system's certificate store, plus an operator's own CA file where one is set.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};

use crate::certificate::Witness;

/// Why TLS could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The system's store is empty or unreadable, and there is no CA file.
    #[error("The system has no trusted certificates: install ca-certificates or set a CA file")]
    NoRoots,
    /// The CA file cannot be read.
    #[error("CA file {path} cannot be read: {reason}")]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The CA file holds no certificate that can be used.
    #[error("CA file {0} holds no usable certificate in PEM form")]
    NoCertificate(PathBuf),
    /// The host cannot stand in a certificate.
    #[error("Host name {0:?} is not valid")]
    HostName(String),
    /// The TLS library refused its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// Client configurations, made once for each CA file and again when that file changes; clones
/// share them. rustls wants one configuration for all connections of a kind (session tickets).
#[derive(Clone, Debug, Default)]
pub struct TlsRoots {
    cache: Arc<Mutex<Cache>>,
    witness: Option<Witness>,
}

type Cache = HashMap<Option<PathBuf>, (Option<SystemTime>, Arc<ClientConfig>)>;

impl TlsRoots {
    /// Configurations that also keep the chain which a server shows, whether it is trusted or not;
    /// for diagnosis. They trust exactly what the others trust.
    #[must_use]
    pub fn witnessed() -> (Self, Witness) {
        let witness = Witness::default();
        let roots = Self {
            cache: Arc::default(),
            witness: Some(witness.clone()),
        };
        (roots, witness)
    }

    /// The configuration for a CA file, or for the system's store alone. Reads files.
    ///
    /// # Errors
    /// As [`client_config`].
    pub fn client_config(&self, ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
        let changed = ca_file
            .and_then(|p| std::fs::metadata(p).ok())
            .and_then(|m| m.modified().ok());
        let key = ca_file.map(Path::to_path_buf);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, config)) = cache.get(&key)
            && *at == changed
        {
            return Ok(Arc::clone(config));
        }
        let config = configure(ca_file, self.witness.as_ref())?;
        cache.insert(key, (changed, Arc::clone(&config)));
        Ok(config)
    }
}

/// A configuration that trusts the system's store and the certificates of `ca_file`; TLS 1.2 and
/// 1.3, ring as provider. Reads files: call it once, off the async workers.
///
/// # Errors
/// When there is nothing to trust, or `ca_file` is named but unusable.
pub fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    configure(ca_file, None)
}

fn configure(
    ca_file: Option<&Path>,
    witness: Option<&Witness>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    // Single bad certificates in the system's store are common and harmless.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let unreadable = |e: &dyn std::fmt::Display| TlsError::CaFile {
            path: path.to_path_buf(),
            reason: e.to_string(),
        };
        let pem = std::fs::read(path).map_err(|e| unreadable(&e))?;
        let own = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| unreadable(&e))?;
        if roots.add_parsable_certificates(own).0 == 0 {
            return Err(TlsError::NoCertificate(path.to_path_buf()));
        }
    }
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    // The provider is named, as a process-wide default may not be installed.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| TlsError::Setup(e.to_string()))?;
    let config = match witness {
        None => builder.with_root_certificates(roots),
        // "Dangerous" for a verifier that says yes by itself; this one asks rustls's own.
        Some(witness) => builder
            .dangerous()
            .with_custom_certificate_verifier(witness.beside(roots, provider)?),
    };
    Ok(Arc::new(config.with_no_client_auth()))
}

/// A protocol version as people write it.
#[must_use]
pub fn version(of: Option<rustls::ProtocolVersion>) -> Option<&'static str> {
    match of? {
        rustls::ProtocolVersion::TLSv1_2 => Some("TLS 1.2"),
        rustls::ProtocolVersion::TLSv1_3 => Some("TLS 1.3"),
        _ => None,
    }
}

/// The name that the server's certificate must carry: a host name or an IP address.
///
/// # Errors
/// When `host` is neither.
pub fn server_name(host: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(ascii_host(host)).map_err(|_| TlsError::HostName(host.to_owned()))
}

/// A server that greets in plain text does so within a round trip, or looks up our address first;
/// after this long without a word it is worth a question whether it waits for TLS.
const QUIET: Duration = Duration::from_secs(4);
/// Connecting and shaking hands only to learn whether a port speaks TLS.
const PROBE: Duration = Duration::from_secs(10);

/// Whether this port speaks TLS from the first byte: asked on a connection of its own. A
/// certificate that we do not trust is an answer too.
pub async fn speaks_tls(address: SocketAddr, host: &str, config: Arc<ClientConfig>) -> bool {
    let Ok(name) = server_name(host) else {
        return false;
    };
    let asked = async {
        let tcp = TcpStream::connect(address).await?;
        TlsConnector::from(config).connect(name, tcp).await
    };
    match timeout(PROBE, asked).await {
        Ok(Ok(_)) => true,
        Ok(Err(e)) => match e.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
            Some(known) => TlsFault::of(known) != TlsFault::NotTls,
            None => false,
        },
        Err(_) => false,
    }
}

/// Waits for `greeting`; when it is late, `probe` is asked meanwhile, and its finding ends the
/// wait. The connection of a greeting that is given up must be dropped.
pub(crate) async fn unless_it_speaks_tls<T, E>(
    greeting: impl Future<Output = Result<T, E>>,
    probe: impl Future<Output = Option<E>>,
) -> Result<T, E> {
    let mut greeting = pin!(greeting);
    let late = async {
        tokio::time::sleep(QUIET).await;
        probe.await
    };
    tokio::select! {
        biased;
        greeted = &mut greeting => return greeted,
        found = late => {
            if let Some(fault) = found {
                return Err(fault);
            }
        }
    }
    greeting.await
}

/// A host as it is looked up and stands in certificates: in ASCII, an IPv6 address without
/// brackets.
#[must_use]
pub fn ascii_host(host: &str) -> String {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match idna::domain_to_ascii(bare) {
        Ok(ascii) if !ascii.is_empty() => ascii,
        _ => bare.to_owned(),
    }
}

/// What is wrong with a server's TLS: what a caller may branch on, and what `fault` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsFault {
    /// The peer does not speak TLS on this port.
    NotTls,
    /// No protocol version or cipher suite in common: an old server.
    TooOld,
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// Signed by nobody we trust: self-signed, or by a private CA without its CA file.
    Untrusted,
    /// The certificate is for another host name.
    WrongName,
    /// The certificate was revoked.
    Revoked,
    /// The certificate cannot be a server's (a CA's own, one for another use).
    Unusable,
    /// The CA file of the settings, or the system's store, cannot be used.
    Roots,
    /// The host of the settings cannot stand in a certificate.
    HostName,
    /// The connection was lost or disturbed inside TLS.
    Broken,
}

impl TlsFault {
    /// What the TLS library's error amounts to.
    #[must_use]
    pub fn of(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(reason) => Self::of_certificate(reason),
            // Answers in plain text, and alerts of what is no TLS at all.
            rustls::Error::InvalidMessage(_) => Self::NotTls,
            rustls::Error::PeerIncompatible(_) => Self::TooOld,
            rustls::Error::AlertReceived(
                AlertDescription::ProtocolVersion
                | AlertDescription::HandshakeFailure
                | AlertDescription::InsufficientSecurity,
            ) => Self::TooOld,
            _ => Self::Broken,
        }
    }

    fn of_certificate(reason: &CertificateError) -> Self {
        match reason {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::Untrusted,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::WrongName
            }
            CertificateError::Revoked => Self::Revoked,
            _ => Self::Unusable,
        }
    }
}

impl From<&TlsError> for TlsFault {
    fn from(e: &TlsError) -> Self {
        match e {
            TlsError::HostName(_) => Self::HostName,
            TlsError::NoRoots
            | TlsError::CaFile { .. }
            | TlsError::NoCertificate(_)
            | TlsError::Setup(_) => Self::Roots,
        }
    }
}

/// What is wrong, in words an operator can act on.
#[must_use]
pub fn explain(error: &rustls::Error) -> String {
    let words = match TlsFault::of(error) {
        TlsFault::NotTls => "the server does not speak TLS on this port (is it one for STARTTLS?)",
        TlsFault::Untrusted => {
            "the certificate is signed by nobody we trust (set a CA file for a private one)"
        }
        TlsFault::Expired => "the certificate has expired",
        TlsFault::NotYetValid => "the certificate is not valid yet (is the clock right?)",
        TlsFault::WrongName => "the certificate is for another host name",
        TlsFault::Revoked => "the certificate was revoked",
        TlsFault::Unusable => {
            return match error {
                // What `openssl req -x509` makes unless told otherwise.
                rustls::Error::InvalidCertificate(CertificateError::Other(e))
                    if e.to_string().contains("CaUsedAsEndEntity") =>
                {
                    "the server uses a CA's own certificate (make it one with basicConstraints \
                     CA:FALSE)"
                        .into()
                }
                rustls::Error::InvalidCertificate(other) => {
                    format!("the certificate is not acceptable: {other}")
                }
                other => other.to_string(),
            };
        }
        TlsFault::TooOld | TlsFault::Roots | TlsFault::HostName | TlsFault::Broken => {
            return error.to_string();
        }
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ca_pem() -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn an_own_ca_file_is_trusted_and_its_configuration_is_shared_until_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        std::fs::write(&path, ca_pem()).unwrap();
        let roots = TlsRoots::default();
        let first = roots.client_config(Some(&path)).unwrap();
        assert!(Arc::ptr_eq(
            &first,
            &roots.clone().client_config(Some(&path)).unwrap()
        ));
        std::fs::write(&path, ca_pem()).unwrap();
        let later = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1);
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(later).unwrap();
        assert!(!Arc::ptr_eq(
            &first,
            &roots.client_config(Some(&path)).unwrap()
        ));
    }

    #[test]
    fn a_ca_file_that_cannot_be_used_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("none.pem");
        let e = client_config(Some(&path)).unwrap_err();
        assert!(e.to_string().contains("none.pem"), "{e}");
        std::fs::write(&path, "no certificate").unwrap();
        let e = client_config(Some(&path)).unwrap_err();
        assert!(matches!(e, TlsError::NoCertificate(_)), "{e}");
    }

    #[test]
    fn hosts_are_names_addresses_or_refused() {
        for good in [
            "imap.example.org",
            "127.0.0.1",
            "::1",
            "[::1]",
            "bücher.example",
        ] {
            assert!(server_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "-"] {
            assert!(server_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn certificate_reasons_are_words() {
        let e = rustls::Error::InvalidCertificate(CertificateError::Expired);
        assert_eq!(explain(&e), "the certificate has expired");
    }
}
