//! The tables that may hold a secret, and the ways to give it in each.

use super::AuthMechanism;
use super::keys::{self, Key};
use super::layers::Scope;

/// One way to give a secret.
#[derive(Clone, Copy)]
pub(super) struct Way {
    pub(super) key: &'static Key,
    /// It gives an access token, not a password.
    pub(super) token: bool,
}

const fn password(key: &'static Key) -> Way {
    Way { key, token: false }
}

const fn token(key: &'static Key) -> Way {
    Way { key, token: true }
}

static IMAP: &[Way] = &[
    password(&keys::IMAP_PASSWORD),
    password(&keys::IMAP_PASSWORD_FILE),
    password(&keys::IMAP_PASSWORD_CREDENTIAL),
    password(&keys::IMAP_PASSWORD_COMMAND),
    token(&keys::IMAP_TOKEN_FILE),
    token(&keys::IMAP_TOKEN_CREDENTIAL),
    token(&keys::IMAP_TOKEN_COMMAND),
];

static SMTP: &[Way] = &[
    password(&keys::SMTP_PASSWORD),
    password(&keys::SMTP_PASSWORD_FILE),
    password(&keys::SMTP_PASSWORD_CREDENTIAL),
    password(&keys::SMTP_PASSWORD_COMMAND),
    token(&keys::SMTP_TOKEN_FILE),
    token(&keys::SMTP_TOKEN_CREDENTIAL),
    token(&keys::SMTP_TOKEN_COMMAND),
];

static ALL_SMTP: &[Way] = &[
    password(&keys::ALL_SMTP_PASSWORD),
    password(&keys::ALL_SMTP_PASSWORD_FILE),
    password(&keys::ALL_SMTP_PASSWORD_CREDENTIAL),
    password(&keys::ALL_SMTP_PASSWORD_COMMAND),
    token(&keys::ALL_SMTP_TOKEN_FILE),
    token(&keys::ALL_SMTP_TOKEN_CREDENTIAL),
    token(&keys::ALL_SMTP_TOKEN_COMMAND),
];

static ACCOUNT: &[Way] = &[
    password(&keys::ACCOUNT_PASSWORD),
    password(&keys::ACCOUNT_PASSWORD_FILE),
    password(&keys::ACCOUNT_PASSWORD_CREDENTIAL),
    password(&keys::ACCOUNT_PASSWORD_COMMAND),
    token(&keys::ACCOUNT_TOKEN_FILE),
    token(&keys::ACCOUNT_TOKEN_CREDENTIAL),
    token(&keys::ACCOUNT_TOKEN_COMMAND),
    token(&keys::OAUTH_PROVIDER),
];

static CLIENT: &[Way] = &[
    password(&keys::OAUTH_CLIENT_SECRET),
    password(&keys::OAUTH_CLIENT_SECRET_FILE),
    password(&keys::OAUTH_CLIENT_SECRET_CREDENTIAL),
    password(&keys::OAUTH_CLIENT_SECRET_COMMAND),
];

static MODEL: &[Way] = &[
    password(&keys::MODEL_API_KEY),
    password(&keys::MODEL_API_KEY_FILE),
    password(&keys::MODEL_API_KEY_CREDENTIAL),
    password(&keys::MODEL_API_KEY_COMMAND),
];

static JWT: &[Way] = &[
    password(&keys::WEB_JWT_KEY),
    password(&keys::WEB_JWT_KEY_FILE),
    password(&keys::WEB_JWT_KEY_CREDENTIAL),
];

static WEBHOOK: &[Way] = &[
    password(&keys::WEBHOOK_SECRET),
    password(&keys::WEBHOOK_SECRET_FILE),
    password(&keys::WEBHOOK_SECRET_CREDENTIAL),
];

/// The ways to give one secret in one table.
pub(super) struct Level {
    pub(super) scope: Scope,
    pub(super) ways: &'static [Way],
}

impl Level {
    /// Where the secret of an OAuth2 client stands.
    pub(super) fn client(scope: Scope) -> Self {
        let ways = CLIENT;
        Self { scope, ways }
    }

    /// Where the key of the predecessor's JWTs stands.
    pub(super) fn jwt() -> Self {
        Self {
            scope: Scope::All,
            ways: JWT,
        }
    }

    /// Where the key of a webhook's signatures stands.
    pub(super) fn webhook(scope: Scope) -> Self {
        let ways = WEBHOOK;
        Self { scope, ways }
    }

    /// Where the key of the model endpoint stands.
    pub(super) fn model() -> Self {
        Self {
            scope: Scope::All,
            ways: MODEL,
        }
    }
}

/// Which server a secret is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Imap,
    Smtp,
}

/// What is asked for.
pub(super) struct Wanted {
    pub(super) scope: Scope,
    pub(super) server: Server,
    pub(super) auth: AuthMechanism,
    /// The user is that of `[smtp]`: the account's own secret is not his.
    pub(super) shared_user: bool,
}

impl Wanted {
    /// The tables that may hold it, the most specific first.
    pub(super) fn levels(&self) -> Vec<Level> {
        let own = |ways| Level {
            scope: self.scope,
            ways,
        };
        let shared = Level {
            scope: Scope::All,
            ways: ALL_SMTP,
        };
        match (self.server, self.shared_user) {
            (Server::Imap, _) => vec![own(IMAP), own(ACCOUNT)],
            (Server::Smtp, true) => vec![own(SMTP), shared],
            (Server::Smtp, false) => vec![own(SMTP), shared, own(ACCOUNT)],
        }
    }

    /// The key under which it is shown and asked for.
    pub(super) fn shown_as(&self) -> &'static Key {
        match (self.server, self.shared_user) {
            (Server::Imap, _) => &keys::IMAP_PASSWORD,
            (Server::Smtp, true) => &keys::ALL_SMTP_PASSWORD,
            (Server::Smtp, false) => &keys::SMTP_PASSWORD,
        }
    }
}
