//! A certificate authority for one test, and a server certificate of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

/// The files of a test's servers and clients.
#[derive(Debug)]
pub(crate) struct Certs {
    /// What clients trust (PEM).
    pub(crate) ca_file: PathBuf,
    /// The servers' certificate for `localhost` and 127.0.0.1 (PEM).
    pub(crate) cert_file: PathBuf,
    /// The servers' key (PEM).
    pub(crate) key_file: PathBuf,
    ca: CertificateDer<'static>,
}

impl Certs {
    /// Makes the certificates and writes them into `folder`.
    #[track_caller]
    pub(crate) fn make(folder: &Path) -> Self {
        Self::make_for(folder, &["localhost", "127.0.0.1"], false)
    }

    /// The same for other names, or with a server certificate that ended on 2020-02-01.
    #[track_caller]
    pub(crate) fn make_for(folder: &Path, names: &[&str], expired: bool) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("CA parameters");
        params
            .distinguished_name
            .push(DnType::CommonName, "replyd test CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("CA key"))
            .expect("CA certificate");

        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("Server parameters");
        if expired {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2020, 2, 1);
        }
        params
            .distinguished_name
            .push(DnType::CommonName, "localhost");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().expect("Server key");
        let cert = params.signed_by(&key, &ca).expect("Server certificate");

        let certs = Self {
            ca_file: folder.join("ca.pem"),
            cert_file: folder.join("server.pem"),
            key_file: folder.join("server-key.pem"),
            ca: ca.der().clone(),
        };
        super::write(&certs.ca_file, ca.pem());
        super::write(&certs.cert_file, cert.pem());
        super::write(&certs.key_file, key.serialize_pem());
        certs
    }

    /// A client's TLS settings that trust this authority and no other.
    #[track_caller]
    pub(crate) fn client_config(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.clone()).expect("CA as trust anchor");
        Arc::new(
            ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("TLS versions")
                .with_root_certificates(roots)
                .with_no_client_auth(),
        )
    }
}
