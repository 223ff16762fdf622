//! Signing in to both servers, by the very functions of the service, before anything is written.

use crate::cli::Exit;
use crate::config::{AccountSettings, Credential};
use crate::credential::{CredentialError, SignIn, Vault};
use crate::imap::{self, ByteBudget, ImapError};
use crate::model::AccountState;
use crate::smtp;
use crate::tls::TlsRoots;

use super::presets::Preset;

/// Enough for a greeting and some lists.
const BUDGET: usize = 2 << 20;

/// A sign-in that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which server, and what it or the connection said.
    pub what: String,
    /// What to do.
    pub remedy: String,
    /// The secret is refused: another one may do.
    pub is_auth: bool,
    /// How the command ends.
    pub exit: Exit,
}

/// Signs in to the account's servers and leaves again. What worked, a line each.
///
/// # Errors
/// Everything that failed.
pub async fn try_both(
    account: &AccountSettings,
    preset: Option<&'static Preset>,
) -> Result<Vec<String>, Vec<Trouble>> {
    let roots = TlsRoots::default();
    let (imap, smtp) = tokio::join!(
        try_imap(account, &roots, preset),
        try_smtp(account, &roots, preset)
    );
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for tried in [imap, smtp] {
        match tried {
            Ok(line) => good.push(line),
            Err(trouble) => bad.push(trouble),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

async fn try_imap(
    account: &AccountSettings,
    roots: &TlsRoots,
    preset: Option<&'static Preset>,
) -> Result<String, Trouble> {
    let at = format!("IMAP {}:{}", account.imap.host, account.imap.port);
    let sign_in = sign_in(account, &account.imap.user, &account.imap.credential);
    let sign_in = sign_in.await.map_err(|e| of_credential(&at, &e))?;
    let budget = ByteBudget::new(BUDGET);
    let connected = imap::connect(&account.imap, &sign_in, roots, &budget).await;
    let mut session = connected.map_err(|e| of_imap(&at, &e, preset))?;
    // The mailbox that will be watched must be there, too.
    let mailbox = account.mailboxes.first().map_or("INBOX", String::as_str);
    let examined = session.examine(mailbox).await;
    let mails = examined.map_err(|e| of_imap(&at, &e, preset))?.exists;
    session.logout().await;
    Ok(format!(
        "{at}: signed in as {}; {mailbox} holds {mails} mails",
        account.imap.user
    ))
}

/// What the account signs in with, without a database.
async fn sign_in(
    account: &AccountSettings,
    user: &str,
    credential: &Credential,
) -> Result<SignIn, CredentialError> {
    let vault = Vault::detached();
    vault.sign_in(&account.name, user, credential).await
}

fn of_credential(at: &str, e: &CredentialError) -> Trouble {
    Trouble {
        what: format!("{at}: {e}"),
        remedy: "Check the file or the command that gives the secret".to_owned(),
        is_auth: e.is_auth(),
        exit: if e.is_auth() {
            Exit::NeedsPerson
        } else {
            Exit::TryLater
        },
    }
}

fn of_imap(at: &str, e: &ImapError, preset: Option<&'static Preset>) -> Trouble {
    let exit = match e {
        e if e.is_auth() => Exit::NeedsPerson,
        ImapError::Network { .. }
        | ImapError::Timeout { .. }
        | ImapError::Closed { .. }
        | ImapError::Bye { .. }
        | ImapError::Throttled { .. }
        | ImapError::Unavailable { .. } => Exit::TryLater,
        _ => Exit::Failed,
    };
    Trouble {
        what: format!("{at}: {e}"),
        remedy: remedy(e.is_auth(), exit, preset),
        is_auth: e.is_auth(),
        exit,
    }
}

async fn try_smtp(
    account: &AccountSettings,
    roots: &TlsRoots,
    preset: Option<&'static Preset>,
) -> Result<String, Trouble> {
    let settings = &account.smtp;
    if settings.console {
        return Ok("SMTP: mails are printed, not sent (console)".to_owned());
    }
    let at = format!("SMTP {}:{}", settings.host, settings.port);
    let sign_in = match (&settings.user, &settings.credential) {
        (Some(user), Some(credential)) => Some(
            sign_in(account, user, credential)
                .await
                .map_err(|e| of_credential(&at, &e))?,
        ),
        _ => None,
    };
    match smtp::try_sign_in(settings, sign_in.as_ref(), roots).await {
        Ok(()) => Ok(match &settings.user {
            Some(user) => format!("{at}: signed in as {user}"),
            None => format!("{at}: connected, without signing in"),
        }),
        Err(trouble) => {
            let is_auth = trouble.state == AccountState::NeedsSignIn;
            let exit = if is_auth {
                Exit::NeedsPerson
            } else {
                Exit::TryLater
            };
            Err(Trouble {
                what: format!("{at}: {}", trouble.text),
                remedy: remedy(is_auth, exit, preset),
                is_auth,
                exit,
            })
        }
    }
}

fn remedy(is_auth: bool, exit: Exit, preset: Option<&'static Preset>) -> String {
    match (is_auth, preset) {
        (true, Some(preset)) => format!("{}: {}", preset.advice, preset.page()),
        (true, None) => "Check the user name (--user) and the password; many providers want an \
                         app password: docs/PROVIDERS.md"
            .to_owned(),
        (false, _) if exit == Exit::TryLater => {
            "Check host, port and protection, and that the firewall lets this machine out"
                .to_owned()
        }
        (false, _) => {
            "Check host, port and protection; a certificate of your own needs --ca-file".to_owned()
        }
    }
}
