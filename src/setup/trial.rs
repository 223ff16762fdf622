//! Signing in to both servers, by the very functions of the service, before anything is written.

use std::time::Duration;

use crate::cli::Exit;
use crate::config::{AccountSettings, Credential};
use crate::credential::{SignIn, Vault};
use crate::fault::{self, Class, Fault};
use crate::imap::{self, ByteBudget};
use crate::reach::Reach;
use crate::smtp::{Explorer, SmtpFailure};
use crate::tls::TlsRoots;

use super::presets::Preset;

/// Enough for a greeting and some lists.
const BUDGET: usize = 2 << 20;

/// The whole dialogue with the sending server.
const SMTP_LIMIT: Duration = Duration::from_secs(120);

/// A sign-in that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which server.
    pub at: String,
    /// What is wrong.
    pub fault: Fault,
    /// What the server or the connection said.
    pub detail: String,
    /// What to do.
    pub remedy: String,
}

impl Trouble {
    fn new(at: &str, fault: Fault, detail: String, preset: Option<&'static Preset>) -> Self {
        Self {
            at: at.to_owned(),
            fault,
            detail,
            remedy: remedy(fault, preset),
        }
    }

    /// The secret is refused: another one may do.
    #[must_use]
    pub fn is_auth(&self) -> bool {
        self.fault.class() == Class::SignIn
    }

    /// How the command ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.fault.doctor_exit()
    }
}

/// The fault's own remedy is for an account in service: here a flag or another answer mends it.
fn remedy(fault: Fault, preset: Option<&'static Preset>) -> String {
    match (fault, preset) {
        (_, Some(preset)) if fault.class() == Class::SignIn => {
            format!("{}: {}", preset.advice, preset.page())
        }
        (Fault::WrongPassword, None) => {
            "Check the user name (--user) and the password; many providers want an app password: \
             docs/PROVIDERS.md"
                .to_owned()
        }
        _ => fault.remedy().to_owned(),
    }
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

/// Reaches both servers up to the sign-in, for an account whose tokens are still to come. What
/// worked, a line each.
///
/// # Errors
/// Everything that failed.
pub async fn reach_both(account: &AccountSettings) -> Result<Vec<String>, Vec<Trouble>> {
    let roots = TlsRoots::default();
    let (imap, smtp) = tokio::join!(reach_imap(account, &roots), reach_smtp(account, &roots));
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for reached in [imap, smtp] {
        match reached {
            Ok(at) => good.push(format!("{at}: reached; the sign-in is still to come")),
            Err(trouble) => bad.push(trouble),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

async fn reach_imap(account: &AccountSettings, roots: &TlsRoots) -> Result<String, Trouble> {
    let settings = &account.imap;
    let at = format!("IMAP {}:{}", settings.host, settings.port);
    let (budget, mut reach) = (ByteBudget::new(BUDGET), Reach::default());
    match imap::explore(settings, roots, &budget, &mut reach).await {
        Ok(begun) => {
            begun.logout().await;
            Ok(at)
        }
        Err(e) => Err(Trouble::new(&at, fault::of_imap(&e), e.to_string(), None)),
    }
}

async fn reach_smtp(account: &AccountSettings, roots: &TlsRoots) -> Result<String, Trouble> {
    let settings = &account.smtp;
    let at = format!("SMTP {}:{}", settings.host, settings.port);
    if settings.console {
        return Ok(at);
    }
    let mut reach = Reach::default();
    match Explorer::connect(settings, roots, SMTP_LIMIT, &mut reach).await {
        Ok(server) => {
            server.quit().await;
            Ok(at)
        }
        Err(e) => {
            let fault = fault::of_smtp(e.why, e.code, &e.text);
            Err(Trouble::new(&at, fault, e.text, None))
        }
    }
}

/// What the account signs in with, without a database.
async fn sign_in(
    account: &AccountSettings,
    (user, credential): (&str, &Credential),
) -> Result<SignIn, (Fault, String)> {
    let vault = Vault::detached();
    let sign_in = vault.sign_in(&account.name, user, credential).await;
    sign_in.map_err(|e| (fault::of_credential(&e), e.to_string()))
}

async fn try_imap(
    account: &AccountSettings,
    roots: &TlsRoots,
    preset: Option<&'static Preset>,
) -> Result<String, Trouble> {
    let settings = &account.imap;
    let at = format!("IMAP {}:{}", settings.host, settings.port);
    let trouble = |(fault, detail)| Trouble::new(&at, fault, detail, preset);
    let of_imap = |e: &imap::ImapError| trouble((fault::of_imap(e), e.to_string()));
    let who = (settings.user.as_str(), &settings.credential);
    let sign_in = sign_in(account, who).await.map_err(trouble)?;
    let budget = ByteBudget::new(BUDGET);
    let connected = imap::connect(settings, &sign_in, roots, &budget).await;
    let mut session = connected.map_err(|e| of_imap(&e))?;
    // The mailbox that will be watched must be there, too.
    let mailbox = account.mailboxes.first().map_or("INBOX", String::as_str);
    let examined = session.examine(mailbox).await;
    let mails = examined.map_err(|e| of_imap(&e))?.exists;
    session.logout().await;
    Ok(format!(
        "{at}: signed in as {}; {mailbox} holds {mails} mails",
        settings.user
    ))
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
    let trouble = |(fault, detail)| Trouble::new(&at, fault, detail, preset);
    let of_smtp = |e: SmtpFailure| {
        let fault = fault::of_smtp(e.why, e.code, &e.text);
        trouble((fault, e.text))
    };
    let who = match (&settings.user, &settings.credential) {
        (Some(user), Some(credential)) => {
            let who = (user.as_str(), credential);
            Some(sign_in(account, who).await.map_err(trouble)?)
        }
        _ => None,
    };
    let mut reach = Reach::default();
    let connected = Explorer::connect(settings, roots, SMTP_LIMIT, &mut reach).await;
    let mut server = connected.map_err(of_smtp)?;
    if let Some(who) = &who {
        server.sign_in(who).await.map_err(of_smtp)?;
    }
    // Begun and taken back: whether it lets us send as this address.
    let (from, to) = (&settings.envelope_from, &account.address);
    server.try_envelope(from, to).await.map_err(of_smtp)?;
    server.quit().await;
    Ok(match &settings.user {
        Some(user) => format!("{at}: signed in as {user}, takes mail from {from}"),
        None => format!("{at}: takes mail from {from}, without signing in"),
    })
}
