//! What proves who we are, resolved just before a sign-in: a password, a token file.
//!
//! `imap` and `smtp` take a [`SignIn`] and know nothing of where it comes from. No secret ends in
//! an error, a log line or `Debug`; the buffers of ours that hold one are wiped when dropped.

mod file;

use std::fmt;
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroizing;

use crate::config::Credential;
use crate::keys::Keys;
use crate::store::Store;
use crate::tls::TlsRoots;

/// Why there is nothing to sign in with. Texts hold no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// A person must act: a file is missing, or holds no token.
    #[error("{0}")]
    Unusable(String),
}

impl CredentialError {
    /// Whether a person must act; else it passes by itself.
    #[must_use]
    pub fn is_auth(&self) -> bool {
        match self {
            Self::Unusable(_) => true,
        }
    }
}

/// What is sent to the server. `Debug` shows which kind only.
#[derive(Clone)]
pub enum Secret {
    /// For LOGIN and PLAIN.
    Password(Zeroizing<String>),
    /// An OAuth2 access token, for XOAUTH2 and OAUTHBEARER.
    Token(Zeroizing<String>),
}

impl Secret {
    /// The password or the token.
    #[must_use]
    pub fn expose(&self) -> &str {
        match self {
            Self::Password(text) | Self::Token(text) => text,
        }
    }

    /// Whether it is an access token.
    #[must_use]
    pub fn is_token(&self) -> bool {
        matches!(self, Self::Token(_))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password(..)",
            Self::Token(_) => "Token(..)",
        })
    }
}

/// A user with the secret of this moment.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// User name.
    pub user: String,
    /// Password or token.
    pub secret: Secret,
}

impl SignIn {
    /// With a password.
    pub fn password(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            secret: Secret::Password(Zeroizing::new(password.into())),
        }
    }

    /// With an access token.
    pub fn token(user: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            secret: Secret::Token(Zeroizing::new(token.into())),
        }
    }

    /// Text that changes when a person mended the credentials; to be hashed, never stored.
    #[must_use]
    pub fn identity(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}\n{}", self.user, self.secret.expose()))
    }
}

/// Resolves credentials; clones share everything.
#[derive(Clone, Debug)]
pub struct Vault {
    #[expect(dead_code, reason = "OAuth2 tokens, the next commit")]
    inner: Arc<Inner>,
}

#[derive(Debug)]
#[expect(dead_code, reason = "OAuth2 tokens, the next commit")]
struct Inner {
    /// None: detached.
    kept: Option<(Store, Arc<Keys>)>,
    roots: TlsRoots,
}

impl Vault {
    /// The vault of an installation: OAuth2 tokens lie in `store`, sealed with `keys`.
    #[must_use]
    pub fn new(store: Store, keys: Arc<Keys>, roots: TlsRoots) -> Self {
        let inner = Arc::new(Inner {
            kept: Some((store, keys)),
            roots,
        });
        Self { inner }
    }

    /// A vault without a database, for set-up and diagnosis: everything but OAuth2 tokens.
    #[must_use]
    pub fn detached(roots: TlsRoots) -> Self {
        let inner = Arc::new(Inner { kept: None, roots });
        Self { inner }
    }

    /// What `account` signs in with as `user`. Files are read anew each time, as tokens live an
    /// hour.
    ///
    /// # Errors
    /// [`CredentialError`]; [`CredentialError::is_auth`] tells whether a person must act.
    pub async fn sign_in(
        &self,
        _account: &str,
        user: &str,
        credential: &Credential,
    ) -> Result<SignIn, CredentialError> {
        match credential {
            Credential::Password(password) => Ok(SignIn::password(user, password.expose_secret())),
            Credential::TokenFile(path) => {
                let token = file::token(path).await?;
                Ok(SignIn {
                    user: user.to_owned(),
                    secret: Secret::Token(token),
                })
            }
        }
    }
}
