//! A connection for diagnosis: the same steps as for a mail, each noted, and a transaction that
//! is begun and taken back. No mail is sent.

use std::time::Duration;

use lettre::transport::smtp::commands::{Mail, Rcpt};
use tokio::time::Instant;

use super::auth;
use super::connect::{self, Failure, Link, within};
use super::error::{Kind, Step};
use super::limits;
use super::session::{self, address};
use super::{Mailer, SmtpMailer};
use crate::config::SmtpSettings;
use crate::credential::{SignIn, Vault};
use crate::reach::Reach;
use crate::tls::TlsRoots;

/// A connection to a sending server before, or after, the sign-in.
#[derive(Debug)]
pub struct Explorer<'s> {
    settings: &'s SmtpSettings,
    link: Link,
    until: Instant,
}

/// What a server offers for sending, in short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// Ways of signing in that we know.
    pub mechanisms: Vec<&'static str>,
    /// RFC 1870: the largest mail it takes; none: it names no limit.
    pub size_limit: Option<u64>,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtp_utf8: bool,
}

impl<'s> Explorer<'s> {
    /// Connects up to the point where one signs in; all of the explorer's steps together take
    /// `limit` at most.
    ///
    /// # Errors
    /// Which step failed and why; what was met until then stands in `reach`.
    pub async fn connect(
        settings: &'s SmtpSettings,
        roots: &TlsRoots,
        limit: Duration,
        reach: &mut Reach,
    ) -> Result<Self, Failure> {
        let now = Instant::now();
        let until = now.checked_add(limit).unwrap_or(now);
        let link = Box::pin(connect::reach(settings, roots, until, reach)).await?;
        Ok(Self {
            settings,
            link,
            until,
        })
    }

    /// What the server offers.
    #[must_use]
    pub fn offers(&self) -> Offers {
        let f = &self.link.features;
        let known = [
            (f.plain, "PLAIN"),
            (f.login, "LOGIN"),
            (f.xoauth2, "XOAUTH2"),
        ];
        Offers {
            mechanisms: known.iter().filter(|(on, _)| *on).map(|k| k.1).collect(),
            size_limit: f.size_limit,
            eight_bit_mime: f.eight_bit_mime,
            smtp_utf8: f.smtp_utf8,
        }
    }

    /// Signs in.
    ///
    /// # Errors
    /// As the mailer's own sign-in.
    pub async fn sign_in(&mut self, who: &SignIn) -> Result<(), Failure> {
        auth::sign_in(&mut self.link, self.settings.auth, who, self.until).await
    }

    /// Whether the server takes a mail with this envelope: MAIL and RCPT, then RSET.
    ///
    /// # Errors
    /// Which of the two was refused and why.
    pub async fn try_envelope(&mut self, from: &str, to: &str) -> Result<(), Failure> {
        let invalid = |step| Failure::new(step, Kind::Mail, "It is not a mail address");
        let from = address(from).ok_or_else(|| invalid(Step::Mail))?;
        let to = address(to).ok_or_else(|| invalid(Step::Recipient))?;
        let (link, until) = (&mut self.link, self.until);
        let mail = Mail::new(Some(from), Vec::new());
        let mut tried = link
            .complete(within(limits::MAIL, until), mail)
            .await
            .map_err(|e| e.during(Step::Mail));
        if tried.is_ok() {
            let rcpt = Rcpt::new(to, Vec::new());
            tried = link
                .complete(within(limits::RCPT, until), rcpt)
                .await
                .map_err(|e| e.during(Step::Recipient));
        }
        session::take_back(link).await;
        tried
    }

    /// A mailer for `account` that goes on with this connection.
    #[must_use]
    pub fn into_mailer(self, account: String, vault: Vault) -> Mailer {
        Mailer::Smtp(Box::new(SmtpMailer::over(
            account,
            self.settings.clone(),
            vault,
            self.link,
        )))
    }

    /// Says goodbye.
    pub async fn quit(self) {
        session::quit(self.link).await;
    }
}
