//! Sending: the way to the SMTP server, what it offers, the sign-in, and whether it takes mails
//! with our envelope sender. A transaction is begun and taken back; no mail is sent.

use std::time::Duration;

use tokio::time::Instant;

use super::account::Patient;
use super::clock::{self, Seen};
use super::host::bytes;
use super::report::{Check, Group};
use super::way::{self, Stage, Way};
use crate::config::{AccountSettings, SmtpSettings};
use crate::credential::SignIn;
use crate::fault::{self, Fault};
use crate::model::address_key;
use crate::reach::Reach;
use crate::smtp::{Explorer, SmtpFailure, SmtpStep};
use crate::store::{LoginPermit, StoreError};
use crate::time;
use crate::tls::TlsRoots;

/// All steps together; servers that let clients wait on purpose do so for half a minute at most.
const ALL_STEPS: Duration = Duration::from_secs(90);
/// A mail with a long thread has some hundred KiB.
const SMALL_LIMIT_BYTES: u64 = 1024 * 1024;

impl Patient {
    /// All of it; the connection, when a mail could be sent over it now.
    pub(super) async fn send(
        &self,
        group: &mut Group,
        clocks: &mut Vec<Seen>,
    ) -> Option<Explorer<'_>> {
        let smtp = &self.account.smtp;
        if smtp.console {
            let text = "mails are printed and not sent (EMAIL_BACKEND or `smtp.console`)";
            let remedy = "Set `smtp.console = false` and the server, once trials are over.";
            group.add(Check::warning("smtp", text, remedy));
            return None;
        }
        let sendable = self.explore_smtp(smtp, group, clocks).await;
        self.bounces(smtp, group);
        sendable
    }

    async fn explore_smtp<'s>(
        &self,
        smtp: &'s SmtpSettings,
        group: &mut Group,
        clocks: &mut Vec<Seen>,
    ) -> Option<Explorer<'s>> {
        let (roots, witness) = TlsRoots::witnessed();
        let mut reach = Reach::default();
        let connected = Explorer::connect(smtp, &roots, ALL_STEPS, &mut reach).await;
        let failed = connected.as_ref().err().map(|f| {
            let stage = match f.why.step {
                SmtpStep::Resolve => Stage::Name,
                SmtpStep::Connect => Stage::Connect,
                SmtpStep::Tls | SmtpStep::StartTls => Stage::Tls,
                _ => Stage::Greeting,
            };
            (
                stage,
                fault::of_smtp(f.why, f.code, &f.text),
                f.text.clone(),
            )
        });
        Way {
            words: way::SMTP,
            host: &smtp.host,
            port: smtp.port,
            security: smtp.security,
            reach: &reach,
            chain: &witness.chain(),
            failed,
            now: time::now(),
        }
        .tell(group);
        if let Some(theirs) = reach.banner.as_deref().and_then(clock::in_banner) {
            clocks.push(Seen::new("the SMTP server's greeting", theirs, time::now()));
        }
        let mut explorer = connected.ok()?;
        offers(&explorer, smtp, group);
        if self.sign_in_to_smtp(&mut explorer, group).await
            && self.envelope(&mut explorer, smtp, group).await
        {
            return Some(explorer);
        }
        explorer.quit().await;
        None
    }

    async fn sign_in_to_smtp(&self, explorer: &mut Explorer<'_>, group: &mut Group) -> bool {
        let check = "smtp.sign_in";
        let smtp = &self.account.smtp;
        let (Some(user), Some(credential)) = (&smtp.user, &smtp.credential) else {
            group.add(Check::ok(
                check,
                "none is set: the server takes mails from this machine",
            ));
            return true;
        };
        let who = match self
            .vault
            .sign_in(&self.account.name, user, credential)
            .await
        {
            Ok(who) => who,
            Err(e) => {
                group.add(Check::fault(check, fault::of_credential(&e), e));
                return false;
            }
        };
        if !self.may_try_smtp(group).await {
            return false;
        }
        let began = Instant::now();
        match explorer.sign_in(&who).await {
            Ok(()) => {
                group.add(signed_in(check, &who).took(Some(began.elapsed())));
                true
            }
            Err(f) => {
                group.add(self.smtp_fault(check, &f));
                false
            }
        }
    }

    /// Books the trial where there is a store.
    async fn may_try_smtp(&self, group: &mut Group) -> bool {
        let (Some(store), Some(row)) = (&self.store, &self.row) else {
            return true;
        };
        let (id, every) = (row.id, self.settings.listen.login_every);
        let booked: Result<LoginPermit, StoreError> = store
            .write(move |tx| tx.book_trial(id, time::now(), every))
            .await;
        let check = "smtp.sign_in";
        match booked {
            Ok(LoginPermit::Granted) => true,
            Ok(LoginPermit::NotBefore(at)) => {
                let text = format!(
                    "not tried before {}: two trials in two minutes are the limit, so that the \
                     account is not locked",
                    at.rfc3339()
                );
                group.add(Check::skipped(check, text));
                false
            }
            Err(e) => {
                group.add(Check::fault(check, fault::of_store(&e), e));
                false
            }
        }
    }

    fn smtp_fault(&self, check: &'static str, f: &SmtpFailure) -> Check {
        let SmtpSettings { host, port, .. } = &self.account.smtp;
        let fault = fault::of_smtp(f.why, f.code, &f.text);
        Check::fault(check, fault, format!("{host}:{port}: {}", f.text)).with("code", f.code)
    }

    async fn envelope(
        &self,
        explorer: &mut Explorer<'_>,
        smtp: &SmtpSettings,
        group: &mut Group,
    ) -> bool {
        let check = "smtp.envelope";
        let (from, to) = (&smtp.envelope_from, &self.account.address);
        let began = Instant::now();
        match explorer.try_envelope(from, to).await {
            Ok(()) => {
                let text = format!("a mail from {from} to {to} would be taken (none was sent)");
                group.add(Check::ok(check, text).took(Some(began.elapsed())));
                true
            }
            Err(f) => {
                group.add(self.smtp_fault(check, &f));
                false
            }
        }
    }

    /// The account whose own this address is.
    fn watched_by(&self, address: &str) -> Option<&AccountSettings> {
        let wanted = address_key(address);
        self.settings.accounts.iter().find(|a| {
            let mut own = std::iter::once(&a.address).chain(&a.aliases);
            own.any(|address| address_key(address) == wanted)
        })
    }

    /// Whether an account watches this address, as far as the settings tell.
    pub(super) fn is_watched(&self, address: &str) -> bool {
        self.watched_by(address).is_some()
    }

    /// Whether bounces come to a mailbox that is watched.
    fn bounces(&self, smtp: &SmtpSettings, group: &mut Group) {
        let check = "smtp.bounces";
        group.add(match self.watched_by(&smtp.envelope_from) {
            Some(account) => {
                let text = format!(
                    "they go to {}, which account {} watches",
                    smtp.envelope_from, account.name
                );
                Check::ok(check, text)
            }
            None => {
                let detail = format!(
                    "{} is neither address nor alias of an account; `--send-test` tries it",
                    smtp.envelope_from
                );
                Check::fault(check, Fault::SenderNotWatched, detail)
            }
        });
    }
}

fn signed_in(check: &'static str, who: &SignIn) -> Check {
    let kind = if who.secret.is_token() {
        "token"
    } else {
        "password"
    };
    Check::ok(check, format!("signed in as {} with a {kind}", who.user))
}

fn offers(explorer: &Explorer<'_>, smtp: &SmtpSettings, group: &mut Group) {
    let check = "smtp.offers";
    let offers = explorer.offers();
    let ways = match offers.mechanisms.as_slice() {
        [] => "no sign-in".to_owned(),
        ways => format!("sign-in by {}", ways.join(", ")),
    };
    let size = match offers.size_limit {
        Some(limit) => format!("mails up to {}", bytes(limit)),
        None => "no limit of size named".to_owned(),
    };
    let text = format!("{ways}, {size}");
    let found = match offers.size_limit {
        Some(limit) if limit < SMALL_LIMIT_BYTES => {
            let remedy = "Long threads will not fit: raise the server's limit (Postfix: \
                          message_size_limit).";
            Check::warning(check, text, remedy)
        }
        _ if offers.mechanisms.is_empty() && smtp.user.is_some() => {
            // The sign-in says so as a failure.
            Check::warning(check, text, "")
        }
        _ => Check::ok(check, text),
    };
    group.add(
        found
            .with("mechanisms", offers.mechanisms.clone())
            .with("size_limit", offers.size_limit)
            .with("eight_bit_mime", offers.eight_bit_mime)
            .with("smtp_utf8", offers.smtp_utf8),
    );
}
