//! What proves who we are, resolved just before a sign-in: a password, a token from a file, what
//! a command prints, or an OAuth2 access token that is renewed here.
//!
//! `imap` and `smtp` take a [`SignIn`] and know nothing of where it comes from. No secret ends in
//! an error, a log line or `Debug`; the buffers of ours that hold one are wiped when dropped.

pub(crate) mod command;
mod file;
pub(crate) mod sasl;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroizing;

use crate::config::Credential;
use crate::keys::Keys;
use crate::oauth::{Mark, Renewer};
use crate::store::{Store, StoreError};
use crate::time::UtcMs;
use crate::tls::TlsRoots;

pub(crate) use file::is_token;

/// Characters of a foreign text that are kept in an error.
const SHOWN_CHARS: usize = 200;

/// Why there is nothing to sign in with. Texts hold no secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CredentialError {
    /// A person must act: a file is missing, or holds no token.
    #[error("{0}")]
    Unusable(String),
    /// A command gave no secret. It is run again: what it asks may be out of reach.
    #[error("the {what} gave no secret: {why}")]
    Command {
        /// `password_command` or `token_command`.
        what: &'static str,
        /// How it ended.
        why: String,
    },
    /// Nobody has signed in by OAuth2 yet, or the stored tokens are not ours to use.
    #[error("{0}")]
    NotSignedIn(String),
    /// The token server refuses the stored grant: a person must sign in again.
    #[error("the token server refuses the stored sign-in: {0}")]
    Revoked(String),
    /// The token server refuses the client of the settings: a person must mend them.
    #[error("the token server refuses the OAuth2 client of the settings: {reason}")]
    ClientRefused {
        /// What it said.
        reason: String,
        /// When it is asked again; other settings are tried at once.
        retry_at: Option<UtcMs>,
    },
    /// The access token has ended, and the token server gives no other one now.
    #[error("the access token has ended and could not be renewed: {reason}")]
    TokenServer {
        /// What it said, or what happened instead.
        reason: String,
        /// When it is asked again; none: not known.
        retry_at: Option<UtcMs>,
    },
    /// The store.
    #[error("{0}")]
    Store(Arc<StoreError>),
}

impl From<StoreError> for CredentialError {
    fn from(e: StoreError) -> Self {
        Self::Store(Arc::new(e))
    }
}

impl CredentialError {
    /// Whether a person must act; else it passes by itself.
    #[must_use]
    pub fn is_auth(&self) -> bool {
        match self {
            Self::Unusable(_)
            | Self::NotSignedIn(_)
            | Self::Revoked(_)
            | Self::ClientRefused { .. } => true,
            Self::Command { .. } | Self::TokenServer { .. } | Self::Store(_) => false,
        }
    }

    /// How long nothing will be other, where that is known.
    #[must_use]
    pub fn wait(&self, now: UtcMs) -> Option<Duration> {
        match self {
            Self::TokenServer { retry_at, .. } | Self::ClientRefused { retry_at, .. } => {
                retry_at.map(|at| at.since(now))
            }
            _ => None,
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
    /// Which of our own tokens it is.
    mark: Option<Mark>,
}

impl SignIn {
    /// With a password.
    pub fn password(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            secret: Secret::Password(Zeroizing::new(password.into())),
            mark: None,
        }
    }

    /// With an access token.
    pub fn token(user: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            secret: Secret::Token(Zeroizing::new(token.into())),
            mark: None,
        }
    }

    /// Text that changes when a person mended the credentials; to be hashed, never stored. A
    /// token that was renewed is not another sign-in.
    #[must_use]
    pub fn identity(&self) -> Zeroizing<String> {
        Zeroizing::new(match self.mark {
            Some(mark) => format!("{}\noauth login {}", self.user, mark.obtained_at.0),
            None => format!("{}\n{}", self.user, self.secret.expose()),
        })
    }

    /// When the access token ends, where that is known: the server ends the session then, which
    /// is no trouble.
    #[must_use]
    pub fn expires_at(&self) -> Option<UtcMs> {
        self.mark.map(|mark| mark.expires_at)
    }
}

/// What a program or a token server said, for an error: one line, cut, without addresses
/// (invariant I7), and withheld whole when it repeats one of `secrets`.
pub(crate) fn shown(raw: &str, secrets: &[&str]) -> String {
    if secrets.iter().any(|s| s.len() >= 3 && raw.contains(s)) {
        return "(it repeated a secret; withheld)".to_owned();
    }
    let head: String = raw
        .chars()
        .take(SHOWN_CHARS.saturating_mul(4))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let words: Vec<&str> = head
        .split_whitespace()
        .map(|w| if w.contains('@') { "<address>" } else { w })
        .collect();
    words.join(" ").chars().take(SHOWN_CHARS).collect()
}

/// Resolves credentials; clones share everything.
#[derive(Clone, Debug)]
pub struct Vault {
    /// None: detached.
    renewer: Option<Renewer>,
}

impl Vault {
    /// The vault of an installation: OAuth2 tokens lie in `store`, sealed with `keys`.
    #[must_use]
    pub fn new(store: Store, keys: Arc<Keys>, roots: TlsRoots) -> Self {
        Self {
            renewer: Some(Renewer::new(store, keys, roots)),
        }
    }

    /// A vault without a database, for set-up and diagnosis: everything but OAuth2 tokens.
    #[must_use]
    pub fn detached() -> Self {
        Self { renewer: None }
    }

    /// What `account` (its name in the settings) signs in with as `user`. Files are read and
    /// commands are run anew each time; an access token of ours is renewed when it is due.
    ///
    /// # Errors
    /// [`CredentialError`]; [`CredentialError::is_auth`] tells whether a person must act.
    pub async fn sign_in(
        &self,
        account: &str,
        user: &str,
        credential: &Credential,
    ) -> Result<SignIn, CredentialError> {
        match credential {
            Credential::Password(password) => Ok(SignIn::password(user, password.expose_secret())),
            Credential::TokenFile(path) => Ok(SignIn {
                user: user.to_owned(),
                secret: Secret::Token(file::token(path).await?),
                mark: None,
            }),
            Credential::PasswordCommand(line) => {
                let what = "password_command";
                let line = command::first_line(line)
                    .await
                    .map_err(|why| CredentialError::Command { what, why })?;
                Ok(SignIn {
                    user: user.to_owned(),
                    secret: Secret::Password(line),
                    mark: None,
                })
            }
            Credential::TokenCommand(line) => {
                let what = "token_command";
                let failed = |why: String| CredentialError::Command { what, why };
                let line = command::first_line(line).await.map_err(failed)?;
                let token = line.trim();
                if !is_token(token) {
                    return Err(failed("its first line is no token".to_owned()));
                }
                Ok(SignIn::token(user, token))
            }
            Credential::OAuth(settings) => {
                let held = self.renewer()?.token(account, settings).await?;
                Ok(SignIn {
                    user: user.to_owned(),
                    secret: Secret::Token(held.access),
                    mark: Some(held.mark),
                })
            }
        }
    }

    /// What to try instead of `refused`, which a server refused: an access token that was renewed
    /// for it, at most once in 15 minutes. `None`: nothing else can be had, it is a refusal.
    ///
    /// # Errors
    /// As [`Vault::sign_in`].
    pub async fn instead_of(
        &self,
        account: &str,
        credential: &Credential,
        refused: &SignIn,
    ) -> Result<Option<SignIn>, CredentialError> {
        let (Credential::OAuth(settings), Some(mark)) = (credential, refused.mark) else {
            return Ok(None);
        };
        let held = self.renewer()?.instead_of(account, settings, mark).await?;
        Ok(held.map(|held| SignIn {
            user: refused.user.clone(),
            secret: Secret::Token(held.access),
            mark: Some(held.mark),
        }))
    }

    /// Why a person must sign in again although mail is still heard: the grant is gone, and the
    /// last access token is good for a while.
    ///
    /// # Errors
    /// What the store says.
    pub async fn trouble(
        &self,
        account: &str,
        credential: &Credential,
    ) -> Result<Option<CredentialError>, StoreError> {
        match (credential, &self.renewer) {
            (Credential::OAuth(_), Some(renewer)) => renewer.trouble(account).await,
            _ => Ok(None),
        }
    }

    /// Waits for token refreshes that are under way, at most `limit`: an answer that is thrown
    /// away may hold the only refresh token.
    pub async fn close(&self, limit: Duration) {
        if let Some(renewer) = &self.renewer {
            renewer.close(limit).await;
        }
    }

    pub(crate) fn renewer(&self) -> Result<&Renewer, CredentialError> {
        // `doctor` before the first sign-in: there is no database that could hold a token.
        self.renewer.as_ref().ok_or_else(|| {
            let why = "nobody has signed in: the database, where tokens lie, is not there yet or \
                       cannot be opened";
            CredentialError::NotSignedIn(why.to_owned())
        })
    }
}
