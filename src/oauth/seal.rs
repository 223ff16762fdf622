//! Tokens at rest: XChaCha20-Poly1305 with a key derived from the installation's keys, which do
//! not lie in the database. The account's name is authenticated along, so that a sealed pair
//! opens for its own account only.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretBox};
use serde::{Deserialize, Serialize};

use crate::keys::Keys;

/// What the key is for, and the form of what it seals.
const PURPOSE: &str = "replyd oauth_tokens 1";
/// Random, and long enough for that.
const NONCE_BYTES: usize = 24;

/// Access and refresh token, which are replaced together. No `Debug`.
pub(crate) struct Pair {
    pub(crate) access: Zeroizing<String>,
    pub(crate) refresh: Zeroizing<String>,
}

#[derive(Serialize)]
struct Written<'a> {
    access: &'a str,
    refresh: &'a str,
}

#[derive(Deserialize)]
struct Read {
    access: String,
    refresh: String,
}

/// Seals and opens.
pub(crate) struct Sealer(SecretBox<[u8; 32]>);

impl Sealer {
    pub(crate) fn new(keys: &Keys) -> Self {
        Self(keys.subkey(PURPOSE))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.expose_secret().into())
    }

    /// Nonce and ciphertext; `None` when the system gives no random bytes.
    pub(crate) fn seal(&self, account: &str, pair: &Pair) -> Option<Vec<u8>> {
        let written = Written {
            access: &pair.access,
            refresh: &pair.refresh,
        };
        let plain = Zeroizing::new(serde_json::to_vec(&written).ok()?);
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).ok()?;
        let payload = Payload {
            msg: &plain,
            aad: account.as_bytes(),
        };
        let cipher = self.cipher().encrypt(&XNonce::from(nonce), payload).ok()?;
        Some([nonce.as_slice(), &cipher].concat())
    }

    /// The pair, if it was sealed with this key for this account.
    pub(crate) fn open(&self, account: &str, sealed: &[u8]) -> Option<Pair> {
        let (nonce, cipher) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload {
            msg: cipher,
            aad: account.as_bytes(),
        };
        let plain = self.cipher().decrypt(&XNonce::from(*nonce), payload).ok()?;
        let plain = Zeroizing::new(plain);
        let read: Read = serde_json::from_slice(&plain).ok()?;
        Some(Pair {
            access: Zeroizing::new(read.access),
            refresh: Zeroizing::new(read.refresh),
        })
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> Pair {
        Pair {
            access: Zeroizing::new("ya29.access".to_owned()),
            refresh: Zeroizing::new("1//refresh".to_owned()),
        }
    }

    #[test]
    fn a_pair_opens_for_its_account_with_its_key_and_shows_nothing() {
        let sealer = Sealer::new(&Keys::for_test(1));
        let sealed = sealer.seal("sales", &pair()).unwrap();
        let text = String::from_utf8_lossy(&sealed);
        assert!(!text.contains("ya29") && !text.contains("refresh"));
        let opened = sealer.open("sales", &sealed).unwrap();
        assert_eq!(opened.access.as_str(), "ya29.access");
        assert_eq!(opened.refresh.as_str(), "1//refresh");

        assert!(sealer.open("other", &sealed).is_none());
        assert!(
            Sealer::new(&Keys::for_test(2))
                .open("sales", &sealed)
                .is_none()
        );
        for at in [0, NONCE_BYTES, sealed.len() - 1] {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert!(sealer.open("sales", &bent).is_none(), "{at}");
        }
        for short in [&sealed[..10], &sealed[..NONCE_BYTES + 3], &[]] {
            assert!(sealer.open("sales", short).is_none());
        }
    }

    #[test]
    fn each_sealing_is_another() {
        let sealer = Sealer::new(&Keys::for_test(1));
        let (a, b) = (sealer.seal("a", &pair()), sealer.seal("a", &pair()));
        assert_ne!(a, b);
    }
}
