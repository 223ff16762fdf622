//! An SMTP submission session (RFC 5321, 6409), with STARTTLS, AUTH, 8BITMIME, SMTPUTF8, PIPELINING
//! and SIZE.

mod auth;
mod data;
mod path;

use std::sync::Arc;

use crate::faults::{SmtpAction, SmtpFault, SmtpPoint};
use crate::options::{Tls, UnknownRecipients};
use crate::shared::Shared;
use crate::stats::Count;
use crate::store::User;
use crate::verbs::SmtpVerb;
use crate::wire::{Stop, Wire, WireError};
use path::{Mail, Parameters};

/// The longest command line; RFC 4954 asks for 12,288 bytes in AUTH.
const MAX_LINE: usize = 16 * 1024;
const MAX_RECIPIENTS: usize = 1_000;
/// After so many commands that are no commands the client is sent away.
const MAX_MISTAKES: u32 = 20;

struct Session {
    shared: Arc<Shared>,
    wire: Wire,
    mode: Tls,
    /// The client's name of itself, from EHLO or HELO.
    client: Option<String>,
    user: Option<Arc<User>>,
    mail: Option<Mail>,
    mistakes: u32,
}

/// Serves one connection to its end.
pub(crate) async fn serve(shared: Arc<Shared>, wire: Wire, mode: Tls) {
    let mut session = Session {
        shared,
        wire,
        mode,
        client: None,
        user: None,
        mail: None,
        mistakes: 0,
    };
    let stop = session.run().await;
    Box::pin(session.wire.end(stop)).await;
}

impl Session {
    async fn run(&mut self) -> Stop {
        if let Err(stop) = self.greet().await {
            return stop;
        }
        loop {
            let line = match self.wire.read_line(MAX_LINE).await {
                Ok(line) => line,
                Err(error) => return self.unreadable(error).await,
            };
            if let Err(stop) = Box::pin(self.command(&line)).await {
                return stop;
            }
        }
    }

    async fn unreadable(&mut self, error: WireError) -> Stop {
        let text = match error {
            WireError::Silent => "4.4.2 Silent for too long",
            WireError::TooLong => "5.5.2 Line too long",
            WireError::BareLf => "5.5.2 Lines end in CRLF",
            other => return other.into(),
        };
        match self.reply(421, text).await {
            Ok(()) => Stop::Close,
            Err(stop) => stop,
        }
    }

    async fn greet(&mut self) -> Result<(), Stop> {
        if self.fault(SmtpPoint::Greeting, None).await? {
            return Ok(());
        }
        self.reply(220, "localhost ESMTP replyd sandbox").await
    }

    /// Writes a reply; each line of the text is one of the reply's. 421 ends the session.
    async fn reply(&mut self, code: u16, text: &str) -> Result<(), Stop> {
        let lines: Vec<&str> = text.split('\n').collect();
        for (at, line) in lines.iter().enumerate() {
            let mark = if at + 1 == lines.len() { ' ' } else { '-' };
            self.wire.line(format!("{code}{mark}{line}"));
        }
        let latency = self.shared.options.latency;
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        self.wire.flush().await?;
        if code == 421 {
            return Err(Stop::Close);
        }
        Ok(())
    }

    /// Lets the faults of this point act; `true` when the reply is given already.
    async fn fault(&mut self, point: SmtpPoint, about: Option<&str>) -> Result<bool, Stop> {
        let mut actions = {
            let user = self.user.as_deref().map(|u| u.address.as_str());
            let sender = self.mail.as_ref().map(|m| m.from.as_str());
            let users: Vec<&str> = [user, sender, about].into_iter().flatten().collect();
            self.shared.faults.smtp_actions(&users, point)
        };
        // First the gate, then the reply, in whichever order they were added.
        actions.sort_by_key(|action| !matches!(action, SmtpAction::Hold(_)));
        let mut replied = false;
        for action in actions {
            match action {
                SmtpAction::Reply { code, text } => {
                    self.reply(code, &text).await?;
                    replied = true;
                }
                SmtpAction::Raw(bytes) => {
                    self.wire.push(bytes);
                    self.wire.flush().await?;
                    replied = true;
                }
                SmtpAction::Close => return Err(Stop::Close),
                SmtpAction::Abort => return Err(Stop::Abort),
                SmtpAction::Hold(gate) => gate.pass().await,
                SmtpAction::Silence => {
                    self.wire.swallow().await;
                    return Err(Stop::Abort);
                }
            }
        }
        Ok(replied)
    }

    /// Is this extension hidden by a fault?
    fn is_hidden(&self, extension: &str) -> bool {
        let hides = |fault: &SmtpFault| match fault {
            SmtpFault::Hide(name) if name.eq_ignore_ascii_case(extension) => Some(()),
            _ => None,
        };
        let user = self.user.as_deref().map(|u| u.address.as_str());
        self.shared
            .faults
            .smtp_first(user.as_slice(), hides)
            .is_some()
    }

    fn needs_tls(&self) -> bool {
        self.mode == Tls::StartTls && !self.wire.is_tls()
    }

    async fn command(&mut self, line: &[u8]) -> Result<(), Stop> {
        let Ok(line) = std::str::from_utf8(line) else {
            return self.mistake(500, "5.5.2 Not UTF-8").await;
        };
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let verb = SmtpVerb::of(word);
        self.shared.counters.smtp(verb);
        match verb {
            SmtpVerb::Ehlo | SmtpVerb::Helo => self.hello(verb, rest).await,
            SmtpVerb::StartTls => self.start_tls(rest).await,
            SmtpVerb::Auth => self.auth(rest).await,
            SmtpVerb::Mail => self.mail(rest).await,
            SmtpVerb::Rcpt => self.rcpt(rest).await,
            SmtpVerb::Data => self.data(rest).await,
            SmtpVerb::Rset | SmtpVerb::Noop => {
                if verb == SmtpVerb::Rset {
                    self.mail = None;
                }
                if self.fault(SmtpPoint::Rset, None).await? {
                    return Ok(());
                }
                self.reply(250, "2.0.0 Ok").await
            }
            SmtpVerb::Vrfy => self.reply(252, "2.5.2 Send some mail").await,
            SmtpVerb::Quit => {
                if !self.fault(SmtpPoint::Quit, None).await? {
                    self.reply(221, "2.0.0 Bye").await?;
                }
                Err(Stop::Close)
            }
            SmtpVerb::Other => self.mistake(500, "5.5.2 Unknown command").await,
        }
    }

    async fn mistake(&mut self, code: u16, text: &str) -> Result<(), Stop> {
        self.mistakes += 1;
        if self.mistakes > MAX_MISTAKES {
            return self.reply(421, "4.7.0 Too many mistakes").await;
        }
        self.reply(code, text).await
    }

    async fn hello(&mut self, verb: SmtpVerb, name: &str) -> Result<(), Stop> {
        if self.fault(SmtpPoint::Ehlo, None).await? {
            return Ok(());
        }
        if name.trim().is_empty() || name.contains(char::is_control) {
            return self.mistake(501, "5.5.4 Name missing").await;
        }
        self.client = Some(name.trim().to_owned());
        self.mail = None;
        if verb == SmtpVerb::Helo {
            return self.reply(250, "localhost").await;
        }
        let size = format!("SIZE {}", self.shared.options.max_message_bytes);
        let mut lines = vec!["localhost".to_owned()];
        let offered = [
            ("PIPELINING", "PIPELINING"),
            ("SIZE", &size),
            ("8BITMIME", "8BITMIME"),
            ("SMTPUTF8", "SMTPUTF8"),
            ("ENHANCEDSTATUSCODES", "ENHANCEDSTATUSCODES"),
        ];
        for (name, line) in offered {
            if !self.is_hidden(name) {
                lines.push(line.to_owned());
            }
        }
        if self.needs_tls() && !self.is_hidden("STARTTLS") {
            lines.push("STARTTLS".to_owned());
        }
        if !self.needs_tls() && !self.is_hidden("AUTH") {
            lines.push("AUTH PLAIN LOGIN XOAUTH2".to_owned());
        }
        self.reply(250, &lines.join("\n")).await
    }

    async fn start_tls(&mut self, rest: &str) -> Result<(), Stop> {
        if self.fault(SmtpPoint::StartTls, None).await? {
            return Ok(());
        }
        if !self.needs_tls() || self.is_hidden("STARTTLS") {
            return self.mistake(502, "5.5.1 Not available").await;
        }
        if !rest.is_empty() {
            return self.mistake(501, "5.5.4 No argument allowed").await;
        }
        let injected = |fault: &SmtpFault| match fault {
            SmtpFault::InjectAfterStartTls(bytes) => Some(bytes.clone()),
            _ => None,
        };
        self.wire.line("220 2.0.0 Ready to start TLS");
        if let Some(bytes) = self.shared.faults.smtp_first(&[], injected) {
            self.wire.push(bytes);
        }
        self.wire.flush().await?;
        let shared = Arc::clone(&self.shared);
        let handshake = Box::pin(self.wire.start_tls(&shared.tls.acceptor));
        if let Err(error) = handshake.await {
            self.shared.counters.add(Count::TlsFailures);
            return Err(error.into());
        }
        // RFC 3207 §4.2: everything learned before is forgotten.
        self.client = None;
        self.user = None;
        self.mail = None;
        Ok(())
    }

    async fn mail(&mut self, rest: &str) -> Result<(), Stop> {
        let parsed = path::mail(rest);
        let sender = parsed.as_ref().ok().map(|(path, _)| path.as_str());
        if self.fault(SmtpPoint::Mail, sender).await? {
            return Ok(());
        }
        if self.client.is_none() {
            return self.mistake(503, "5.5.1 EHLO first").await;
        }
        if self.needs_tls() {
            return self
                .reply(530, "5.7.0 Must issue a STARTTLS command first")
                .await;
        }
        if self.shared.options.smtp_auth_required && self.user.is_none() {
            return self.reply(530, "5.7.0 Authentication required").await;
        }
        if self.mail.is_some() {
            return self.mistake(503, "5.5.1 Nested MAIL").await;
        }
        let (from, parameters) = match parsed {
            Ok(parsed) => parsed,
            Err(text) => return self.mistake(501, text).await,
        };
        if let Some((code, text)) = self.refused(&from, &parameters) {
            return self.reply(code, text).await;
        }
        self.mail = Some(Mail {
            from,
            to: Vec::new(),
            smtputf8: parameters.smtputf8,
            eight_bit: parameters.eight_bit,
        });
        self.reply(250, "2.1.0 Ok").await
    }

    /// Why this sender and these parameters are not taken.
    fn refused(&self, from: &str, parameters: &Parameters) -> Option<(u16, &'static str)> {
        let hidden_size = parameters.size.is_some() && self.is_hidden("SIZE");
        let hidden_eight = parameters.body_given && self.is_hidden("8BITMIME");
        let hidden_utf8 = parameters.smtputf8 && self.is_hidden("SMTPUTF8");
        if hidden_size || hidden_eight || hidden_utf8 {
            return Some((555, "5.5.4 Parameter not offered"));
        }
        if !from.is_ascii() && !parameters.smtputf8 {
            return Some((553, "5.6.7 Address needs SMTPUTF8"));
        }
        let max = self.shared.options.max_message_bytes;
        if parameters.size.is_some_and(|size| size > max) {
            return Some((552, "5.3.4 Message too large"));
        }
        None
    }

    async fn rcpt(&mut self, rest: &str) -> Result<(), Stop> {
        let parsed = path::rcpt(rest);
        if self.fault(SmtpPoint::Rcpt, parsed.as_deref().ok()).await? {
            return Ok(());
        }
        let to = match parsed {
            Ok(to) => to,
            Err(text) => return self.mistake(501, text).await,
        };
        let Some(mail) = &self.mail else {
            return self.mistake(503, "5.5.1 MAIL first").await;
        };
        if !to.is_ascii() && !mail.smtputf8 {
            return self.reply(553, "5.6.7 Address needs SMTPUTF8").await;
        }
        if mail.to.len() >= MAX_RECIPIENTS {
            return self.reply(452, "4.5.3 Too many recipients").await;
        }
        match self.shared.store.user(&to) {
            None if self.shared.options.unknown_recipients == UnknownRecipients::Refuse => {
                return self.reply(550, "5.1.1 No such user here").await;
            }
            Some(user)
                if user.mailbox_or_new("INBOX").len()
                    >= self.shared.options.max_mailbox_messages =>
            {
                return self.reply(452, "4.2.2 Mailbox full").await;
            }
            _ => {}
        }
        if let Some(mail) = &mut self.mail {
            mail.to.push(to);
        }
        self.reply(250, "2.1.5 Ok").await
    }
}
