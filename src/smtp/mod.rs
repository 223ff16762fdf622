//! One message over a connection, knowing how far it got (docs/ARCHITECTURE.md, steps 11 and 12).
//!
//! lettre speaks the protocol; MAIL, RCPT and DATA are driven by hand over our own transport
//! (`wire`), so that it is known whether the body was handed over. An outcome is data: a
//! refusal of the mail, a server that cannot be used (`trouble`), or [`Outcome::Unknown`], after
//! which only a person sends again. No text here holds a secret or a part of a mail.

mod auth;
mod connect;
mod error;
mod explore;
mod limits;
mod provider;
mod session;
mod wire;

use std::collections::VecDeque;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use secrecy::zeroize::Zeroizing;
use tokio::sync::Mutex;
use tokio::time::Instant;

pub use connect::Failure as SmtpFailure;
pub use error::{Kind as SmtpKind, Step as SmtpStep, Why as SmtpWhy};
pub use explore::{Explorer, Offers};

use self::connect::{Failure, Link, within};
use self::session::{After, NotBegun, Prepared};
use crate::config::{Credential, SmtpSettings};
use crate::credential::Vault;
use crate::model::AccountState;
use crate::tls::TlsRoots;

/// A mail as it goes out. `Debug` shows neither addresses nor contents.
#[derive(Clone, Copy)]
pub struct OutgoingMail<'m> {
    /// Envelope sender; empty: the null sender.
    pub envelope_from: &'m str,
    /// Envelope recipient.
    pub envelope_to: &'m str,
    /// The whole RFC 5322 message.
    pub raw: &'m [u8],
}

impl fmt::Debug for OutgoingMail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingMail")
            .field("bytes", &self.raw.len())
            .finish_non_exhaustive()
    }
}

/// What became of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server took it.
    Sent {
        /// The reply code, 250.
        code: u16,
        /// The reply's text.
        text: String,
        /// The provider's name for the mail, if the text gives one.
        provider_id: Option<String>,
        /// Canonical Message-IDs by which the provider may have replaced ours.
        aliases: Vec<String>,
    },
    /// Not taken now.
    Deferred {
        /// The reply code; none when there was no reply.
        code: Option<u16>,
        /// Why.
        text: String,
        /// Set when the server cannot be used, whatever the mail: `NeedsSignIn` or `Down`.
        trouble: Option<AccountState>,
        /// Where and how, for `fault`; none: not by a server.
        why: Option<SmtpWhy>,
    },
    /// Refused for good.
    Rejected {
        /// The reply code; none when it cannot be sent through this server at all.
        code: Option<u16>,
        /// Why.
        text: String,
        /// Where and how, for `fault`; none: not by a server.
        why: Option<SmtpWhy>,
    },
    /// Handed over whole, and no reply came.
    Unknown {
        /// What happened instead.
        why: String,
    },
}

impl From<Failure> for Outcome {
    fn from(f: Failure) -> Self {
        Self::Deferred {
            trouble: Some(f.trouble()),
            why: Some(f.why),
            code: f.code,
            text: f.text,
        }
    }
}

/// How an account's mails leave.
#[derive(Debug)]
pub enum Mailer {
    /// Through an SMTP server.
    Smtp(Box<SmtpMailer>),
    /// Printed instead of sent (Django's console backend); counts as sent.
    Console(Console),
    /// Kept in memory, for tests.
    Memory(Arc<Memory>),
}

impl Mailer {
    /// A mailer for the validated settings of `account`. `vault` resolves its credential,
    /// `roots` caches the trust stores of all accounts; `console` is where mails are printed
    /// when the settings say so.
    #[must_use]
    pub fn new(
        account: &str,
        settings: &SmtpSettings,
        vault: &Vault,
        roots: &TlsRoots,
        console: &Console,
    ) -> Self {
        if settings.console {
            Self::Console(console.clone())
        } else {
            Self::Smtp(Box::new(SmtpMailer::new(
                account.to_owned(),
                settings.clone(),
                vault.clone(),
                roots.clone(),
            )))
        }
    }

    /// Sends one mail. `on_handover` runs after the server's 354 and just before the first byte
    /// of the body; when it fails, no byte of the body goes out.
    ///
    /// Takes at most 10 minutes to the handover and 20 from there on.
    ///
    /// # Errors
    /// What `on_handover` returns, and nothing else.
    pub async fn send<E, F, Fut>(
        &self,
        mail: &OutgoingMail<'_>,
        on_handover: F,
    ) -> Result<Outcome, E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<(), E>>,
    {
        match self {
            // The dialogue's future is large; callers hold it across many awaits.
            Self::Smtp(smtp) => Box::pin(smtp.send(mail, on_handover)).await,
            Self::Console(console) => {
                on_handover().await?;
                Ok(console.print(mail.raw).await)
            }
            Self::Memory(memory) => {
                on_handover().await?;
                Ok(memory.take(mail))
            }
        }
    }

    /// What would sign in now, for comparing ([`crate::credential::SignIn::identity`]). None: nobody does, it cannot be
    /// read, or it is an OAuth2 sign-in, whose renewal ends its pause by itself.
    pub async fn identity(&self) -> Option<Zeroizing<String>> {
        let Self::Smtp(smtp) = self else { return None };
        let (user, credential) = (
            smtp.settings.user.as_ref()?,
            smtp.settings.credential.as_ref()?,
        );
        if matches!(credential, Credential::OAuth(_)) {
            return None;
        }
        let sign_in = smtp.vault.sign_in(&smtp.account, user, credential).await;
        Some(sign_in.ok()?.identity())
    }

    /// Closes a kept connection that idled for too long.
    pub async fn close_idle(&self) {
        if let Self::Smtp(smtp) = self {
            smtp.close(false).await;
        }
    }

    /// Closes a kept connection.
    pub async fn close(&self) {
        if let Self::Smtp(smtp) = self {
            smtp.close(true).await;
        }
    }
}

/// Mails through one SMTP server, one at a time, over a connection that is kept for a minute.
#[derive(Debug)]
pub struct SmtpMailer {
    account: String,
    settings: SmtpSettings,
    vault: Vault,
    roots: TlsRoots,
    warm: Mutex<Option<Link>>,
}

impl SmtpMailer {
    /// For the validated settings of `account`; connects with the first mail.
    #[must_use]
    pub fn new(account: String, settings: SmtpSettings, vault: Vault, roots: TlsRoots) -> Self {
        Self {
            account,
            settings,
            vault,
            roots,
            warm: Mutex::new(None),
        }
    }

    /// One that goes on with a connection that is open and signed in.
    fn over(account: String, settings: SmtpSettings, vault: Vault, link: Link) -> Self {
        Self {
            warm: Mutex::new(Some(link)),
            ..Self::new(account, settings, vault, TlsRoots::default())
        }
    }

    async fn send<E, F, Fut>(&self, mail: &OutgoingMail<'_>, on_handover: F) -> Result<Outcome, E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<(), E>>,
    {
        let prepared = match Prepared::new(mail) {
            Ok(prepared) => prepared,
            Err(outcome) => return Ok(outcome),
        };
        let mut warm = self.warm.lock().await;
        let until = within(limits::BEFORE_HANDOVER, far_future());
        let mut link = match self.begin(warm.take(), &prepared, until).await {
            Ok(link) => link,
            Err((outcome, link)) => {
                *warm = link;
                return Ok(outcome);
            }
        };
        if let Err(outcome) = session::announce(&mut link, &prepared, until).await {
            *warm = kept(session::reset(&mut link, &outcome).await, link);
            return Ok(outcome);
        }
        // An error drops the link inside DATA: the server forgets the transaction.
        on_handover().await?;
        let (outcome, after) = session::hand_over(&mut link, &prepared, &self.settings.host).await;
        *warm = kept(after, link);
        Ok(outcome)
    }

    /// A connection on which MAIL was accepted: the kept one if it lives, else a new one.
    async fn begin(
        &self,
        warm: Option<Link>,
        mail: &Prepared<'_>,
        until: Instant,
    ) -> Result<Link, (Outcome, Option<Link>)> {
        if let Some(mut link) = warm
            && !is_stale(&link)
        {
            match session::begin(&mut link, mail, until).await {
                Ok(()) => return Ok(link),
                Err(NotBegun::TryFresh) => tracing::debug!("Kept SMTP connection is gone"),
                Err(NotBegun::Outcome(outcome)) => {
                    let after = session::reset(&mut link, &outcome).await;
                    return Err((outcome, kept(after, link)));
                }
            }
        }
        let mut link = self
            .open(until)
            .await
            .map_err(|failure| (failure.into(), None))?;
        match session::begin(&mut link, mail, until).await {
            Ok(()) => Ok(link),
            Err(NotBegun::Outcome(outcome)) => {
                let after = session::reset(&mut link, &outcome).await;
                Err((outcome, kept(after, link)))
            }
            // Said of kept connections only.
            Err(NotBegun::TryFresh) => Err((
                Failure::new(SmtpStep::Mail, SmtpKind::Lost, "MAIL: no reply").into(),
                None,
            )),
        }
    }

    /// A new connection, signed in with what the vault has now; a refused access token is replaced
    /// once.
    async fn open(&self, until: Instant) -> Result<Link, Failure> {
        let (Some(user), Some(credential)) = (&self.settings.user, &self.settings.credential)
        else {
            return connect::open(&self.settings, None, &self.roots, until).await;
        };
        let (vault, account) = (&self.vault, self.account.as_str());
        let sign_in = vault.sign_in(account, user, credential).await?;
        let open =
            async |sign_in| connect::open(&self.settings, Some(sign_in), &self.roots, until).await;
        match open(&sign_in).await {
            Err(refused) if refused.is_refusal() => {
                match vault.instead_of(account, credential, &sign_in).await? {
                    Some(other) => open(&other).await,
                    None => Err(refused),
                }
            }
            other => other,
        }
    }

    async fn close(&self, always: bool) {
        // Locked: a mail is on its way, so the connection is not idle.
        let taken = match self.warm.try_lock() {
            Ok(mut warm) if warm.as_ref().is_some_and(|link| always || is_stale(link)) => {
                warm.take()
            }
            _ => None,
        };
        if let Some(link) = taken {
            session::quit(link).await;
        }
    }
}

fn is_stale(link: &Link) -> bool {
    link.last_used.elapsed() >= limits::IDLE || link.mails >= limits::MAILS_PER_CONNECTION
}

fn kept(after: After, link: Link) -> Option<Link> {
    (after == After::Keep).then_some(link)
}

/// `within(limit, far_future())` is the limit alone.
fn far_future() -> Instant {
    let now = Instant::now();
    now.checked_add(limits::BEFORE_HANDOVER * 2).unwrap_or(now)
}

/// Prints mails as Django's console backend does: the message, then a line of 79 dashes.
#[derive(Clone)]
pub struct Console(Arc<StdMutex<Box<dyn Write + Send>>>);

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Console")
    }
}

impl Console {
    /// Prints to `writer`.
    #[must_use]
    pub fn new(writer: Box<dyn Write + Send>) -> Self {
        Self(Arc::new(StdMutex::new(writer)))
    }

    async fn print(&self, raw: &[u8]) -> Outcome {
        let mut text = String::from_utf8_lossy(raw).replace("\r\n", "\n");
        text.push('\n');
        text.push_str(&"-".repeat(79));
        text.push('\n');
        let writer = Arc::clone(&self.0);
        // A terminal or pipe may block.
        let printed = tokio::task::spawn_blocking(move || {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer
                .write_all(text.as_bytes())
                .and_then(|()| writer.flush())
        })
        .await;
        let failed = match printed {
            Ok(Ok(())) => {
                return Outcome::Sent {
                    code: 250,
                    text: "Printed on the console".into(),
                    provider_id: None,
                    aliases: Vec::new(),
                };
            }
            Ok(Err(e)) => e.to_string(),
            Err(e) => e.to_string(),
        };
        Failure::new(
            SmtpStep::Body,
            SmtpKind::Local,
            format!("Console: {failed}"),
        )
        .into()
    }
}

/// A mail that [`Memory`] took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryMail {
    /// Envelope sender.
    pub from: String,
    /// Envelope recipient.
    pub to: String,
    /// The whole message.
    pub raw: Vec<u8>,
}

/// Takes every mail, or answers with prepared outcomes first. For tests.
#[derive(Debug, Default)]
pub struct Memory {
    mails: StdMutex<Vec<MemoryMail>>,
    script: StdMutex<VecDeque<Outcome>>,
}

impl Memory {
    /// The next mail ends like this.
    pub fn answer_next(&self, outcome: Outcome) {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        script.push_back(outcome);
    }

    /// The mails taken so far.
    #[must_use]
    pub fn mails(&self) -> Vec<MemoryMail> {
        self.mails
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn take(&self, mail: &OutgoingMail<'_>) -> Outcome {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = script.pop_front().unwrap_or_else(|| Outcome::Sent {
            code: 250,
            text: "Kept in memory".into(),
            provider_id: None,
            aliases: Vec::new(),
        });
        if matches!(outcome, Outcome::Sent { .. }) {
            let mut mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
            mails.push(MemoryMail {
                from: mail.envelope_from.to_owned(),
                to: mail.envelope_to.to_owned(),
                raw: mail.raw.to_vec(),
            });
        }
        outcome
    }
}
