//! The certificates that a server shows, read for people: for whom, by whom, until when.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

use crate::time::UtcMs;
use crate::tls::TlsError;

/// More than any server sends.
const MAX_CHAIN: usize = 10;
/// Names of a certificate that are shown.
const MAX_NAMES: usize = 20;
/// Characters of a name that are shown.
const MAX_NAME_CHARS: usize = 100;

/// Keeps the chain that the server of the last handshake showed; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Witness(Arc<Mutex<Vec<CertificateDer<'static>>>>);

impl Witness {
    /// The chain of the last handshake, the server's own certificate first; empty when there was
    /// none.
    #[must_use]
    pub fn chain(&self) -> Vec<Shown> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter_map(|der| Shown::read(der)).collect()
    }

    /// A verifier that keeps what it is shown and says what rustls's own says.
    pub(crate) fn beside(
        &self,
        roots: RootCertStore,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
        let judge = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|e| TlsError::Setup(e.to_string()))?;
        Ok(Arc::new(Beside {
            judge,
            witness: self.clone(),
        }))
    }
}

#[derive(Debug)]
struct Beside {
    judge: Arc<WebPkiServerVerifier>,
    witness: Witness,
}

impl ServerCertVerifier for Beside {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = std::iter::once(own).chain(between).take(MAX_CHAIN);
        *self
            .witness
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner) =
            shown.map(|c| c.clone().into_owned()).collect();
        self.judge.verify_server_cert(own, between, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}

/// One certificate, as far as people ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its subject's common name, or organisation.
    pub subject: String,
    /// The host names and addresses it is for (subjectAltName), 20 at most.
    pub names: Vec<String>,
    /// Who signed it: organisation and common name.
    pub issuer: String,
    /// Valid from.
    pub not_before: UtcMs,
    /// Valid until.
    pub not_after: UtcMs,
    /// Signed by itself.
    pub self_signed: bool,
    /// A certificate authority's.
    pub is_ca: bool,
}

impl Shown {
    /// None for what cannot be read.
    fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, cert) = X509Certificate::from_der(der).ok()?;
        let names = match cert.subject_alternative_name() {
            Ok(Some(san)) => san.value.general_names.iter().filter_map(name_of),
            _ => return Some(Self::of(&cert, Vec::new())),
        };
        let names = names.take(MAX_NAMES).collect();
        Some(Self::of(&cert, names))
    }

    fn of(cert: &X509Certificate<'_>, names: Vec<String>) -> Self {
        let validity = cert.validity();
        let at = |seconds: i64| UtcMs(seconds.saturating_mul(1000));
        Self {
            subject: in_words(cert.subject()),
            names,
            issuer: in_words(cert.issuer()),
            not_before: at(validity.not_before.timestamp()),
            not_after: at(validity.not_after.timestamp()),
            self_signed: cert.subject() == cert.issuer(),
            is_ca: cert.is_ca(),
        }
    }

    /// Whole days until it ends; negative once it has.
    #[must_use]
    pub fn days_left(&self, now: UtcMs) -> i64 {
        let left = self.not_after.0.saturating_sub(now.0);
        left.div_euclid(24 * 3600 * 1000)
    }
}

/// For whom, by whom, until when, in one line.
impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = match self.names.as_slice() {
            [] => self.subject.clone(),
            names => names.join(", "),
        };
        write!(f, "certificate for {names}")?;
        if self.self_signed {
            f.write_str(", self-signed")?;
        } else {
            write!(f, ", issued by {}", self.issuer)?;
        }
        let end = self.not_after.rfc3339();
        write!(f, ", valid until {}", end.get(..10).unwrap_or(&end))
    }
}

fn name_of(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(host) => Some(clean(host)),
        GeneralName::IPAddress(bytes) => match **bytes {
            [a, b, c, d] => Some(std::net::Ipv4Addr::new(a, b, c, d).to_string()),
            _ => <[u8; 16]>::try_from(*bytes)
                .ok()
                .map(|b| std::net::Ipv6Addr::from(b).to_string()),
        },
        _ => None,
    }
}

/// "Organisation, common name", whichever there are.
fn in_words(name: &X509Name<'_>) -> String {
    let organisation = name.iter_organization().next();
    let common = name.iter_common_name().next();
    let words: Vec<String> = [organisation, common]
        .into_iter()
        .flatten()
        .filter_map(|a| a.as_str().ok())
        .map(clean)
        .collect();
    if words.is_empty() {
        "nobody named".to_owned()
    } else {
        words.join(", ")
    }
}

/// One line, bounded: a server chose it.
fn clean(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).take(MAX_NAME_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    #[test]
    fn a_certificate_is_read_for_people() {
        let names = vec!["imap.example.org".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "imap\nexample");
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 3, 1);
        let cert = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let shown = Shown::read(cert.der()).unwrap();
        assert_eq!(shown.names, ["imap.example.org", "127.0.0.1"]);
        assert_eq!(shown.subject, "imap example");
        assert!(shown.self_signed && !shown.is_ca);
        let feb_27 = UtcMs(1_772_150_400_000);
        assert_eq!(shown.days_left(feb_27), 2);
        assert_eq!(shown.days_left(UtcMs(shown.not_after.0 + 1)), -1);
        assert_eq!(
            shown.to_string(),
            "certificate for imap.example.org, 127.0.0.1, self-signed, valid until 2026-03-01"
        );
        assert_eq!(Shown::read(&CertificateDer::from(vec![1, 2, 3])), None);
    }
}
