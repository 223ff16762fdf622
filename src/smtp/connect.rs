//! From a host name to a connection that may take mail: TCP, TLS, greeting, EHLO, AUTH, each
//! with a deadline.
//!
//! What fails here is the account's trouble, never the mail's: it gives a [`Failure`], and the
//! mail waits.

use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Ehlo, Starttls};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::rustls::{self, ClientConfig};

use super::auth;
use super::error::{Kind, Step, Why};
use super::limits;
use super::wire::Wire;
use crate::config::{Security, SmtpSettings};
use crate::credential::{CredentialError, SignIn};
use crate::model::AccountState;
use crate::names;
use crate::reach::Reach;
use crate::tls::{self, TlsFault, TlsRoots};

/// Why an account cannot send now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where and how.
    pub why: Why,
    /// The server's reply code, if there was a reply.
    pub code: Option<u16>,
    /// In words; no secret, no part of a mail.
    pub text: String,
}

impl Failure {
    pub(super) fn new(step: Step, kind: Kind, text: impl Into<String>) -> Self {
        Self {
            why: Why { step, kind },
            code: None,
            text: text.into(),
        }
    }

    /// Whether the server itself refused our credentials.
    pub(super) fn is_refusal(&self) -> bool {
        self.code.is_some() && self.trouble() == AccountState::NeedsSignIn
    }

    /// `NeedsSignIn` or `Down`.
    pub(super) fn trouble(&self) -> AccountState {
        match (self.why.kind, self.code) {
            (
                Kind::NoAuth
                | Kind::NoMechanism
                | Kind::Credential
                | Kind::TokenRefused
                | Kind::NotSignedIn
                | Kind::SignInRevoked
                | Kind::ClientRefused,
                _,
            ) => AccountState::NeedsSignIn,
            // A 4xx (454: temporary failure) and 421 are the server's state, not our password.
            (Kind::Refused, Some(500..)) if self.why.step == Step::SignIn => {
                AccountState::NeedsSignIn
            }
            _ => AccountState::Down,
        }
    }
}

impl From<CredentialError> for Failure {
    fn from(e: CredentialError) -> Self {
        let kind = match &e {
            CredentialError::Unusable(_) => Kind::Credential,
            CredentialError::Command { .. } => Kind::Command,
            CredentialError::NotSignedIn(_) => Kind::NotSignedIn,
            CredentialError::Revoked(_) => Kind::SignInRevoked,
            CredentialError::ClientRefused { .. } => Kind::ClientRefused,
            CredentialError::TokenServer { .. } => Kind::NoTokenNow,
            CredentialError::Store(_) => Kind::Local,
        };
        Self::new(Step::SignIn, kind, format!("Sign-in: {e}"))
    }
}

/// How one command went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StepError {
    /// The server said no; the connection stands.
    Refused { code: u16, text: String },
    /// No usable reply; the connection is lost.
    Broken(Kind, String),
}

impl StepError {
    /// As the failure of a connection, in step `step`.
    pub(super) fn during(self, step: Step) -> Failure {
        match self {
            Self::Refused { code, text } => Failure {
                why: Why {
                    step,
                    kind: Kind::Refused,
                },
                code: Some(code),
                text: format!("{step} refused: {code} {text}"),
            },
            Self::Broken(kind, why) => Failure::new(step, kind, format!("{step}: {why}")),
        }
    }
}

/// What the server offers (its last EHLO).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Features {
    pub(super) eight_bit_mime: bool,
    pub(super) smtp_utf8: bool,
    pub(super) start_tls: bool,
    pub(super) plain: bool,
    pub(super) login: bool,
    pub(super) xoauth2: bool,
    pub(super) oauthbearer: bool,
    /// RFC 1870: the largest mail it takes; none: it names no limit.
    pub(super) size_limit: Option<u64>,
}

impl Features {
    /// Reads the lines of an EHLO reply, codes included. Keywords are case-insensitive
    /// (RFC 5321 §4.1.1.1), which lettre's reader does not know.
    pub(super) fn parse(lines: &[String]) -> Self {
        let mut found = Self::default();
        for line in lines.iter().skip(1) {
            let line = line.get(4..).unwrap_or_default().to_ascii_uppercase();
            let mut words = line.split([' ', '=']).filter(|w| !w.is_empty());
            match words.next() {
                Some("8BITMIME") => found.eight_bit_mime = true,
                Some("SMTPUTF8") => found.smtp_utf8 = true,
                Some("STARTTLS") => found.start_tls = true,
                Some("SIZE") => {
                    let limit = words.next().and_then(|w| w.parse().ok());
                    found.size_limit = limit.filter(|n| *n > 0);
                }
                Some("AUTH") => {
                    for mechanism in words {
                        match mechanism {
                            "PLAIN" => found.plain = true,
                            "LOGIN" => found.login = true,
                            "XOAUTH2" => found.xoauth2 = true,
                            "OAUTHBEARER" => found.oauthbearer = true,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        found
    }
}

/// A connection that may take mail.
pub(super) struct Link {
    conn: AsyncSmtpConnection,
    pub(super) wire: Wire,
    pub(super) features: Features,
    pub(super) last_used: Instant,
    pub(super) mails: u32,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("wire", &self.wire)
            .field("mails", &self.mails)
            .finish_non_exhaustive()
    }
}

impl Link {
    /// One command and its reply. After `Broken` the link must be dropped: a late reply would be
    /// taken for that of the next command.
    pub(super) async fn step<C: Display>(
        &mut self,
        deadline: Instant,
        command: C,
    ) -> Result<Response, StepError> {
        if self.wire.has_unread() {
            return Err(StepError::Broken(
                Kind::Protocol,
                "the server spoke out of turn".into(),
            ));
        }
        match timeout_at(deadline, self.conn.command(command)).await {
            Ok(reply) => reply.map_err(|e| step_error(&e)),
            Err(_) => Err(StepError::Broken(Kind::Timeout, "no reply in time".into())),
        }
    }

    /// As [`Link::step`], where only a 2xx is a yes.
    pub(super) async fn complete<C: Display>(
        &mut self,
        deadline: Instant,
        command: C,
    ) -> Result<(), StepError> {
        let reply = self.step(deadline, command).await?;
        match u16::from(reply.code()) {
            200..=299 => Ok(()),
            code => Err(StepError::Broken(
                Kind::Protocol,
                format!("unexpected reply {code}"),
            )),
        }
    }

    pub(super) fn conn(&mut self) -> &mut AsyncSmtpConnection {
        &mut self.conn
    }
}

/// Makes a connection that may take mail, before `until`; without `sign_in` nobody signs in.
pub(super) async fn open(
    settings: &SmtpSettings,
    sign_in: Option<&SignIn>,
    roots: &TlsRoots,
    until: Instant,
) -> Result<Link, Failure> {
    let mut link = reach(settings, roots, until, &mut Reach::default()).await?;
    if let Some(who) = sign_in {
        auth::sign_in(&mut link, settings.auth, who, until).await?;
    }
    Ok(link)
}

/// Makes a connection up to the point where one signs in, noting each step.
pub(super) async fn reach(
    settings: &SmtpSettings,
    roots: &TlsRoots,
    until: Instant,
    met: &mut Reach,
) -> Result<Link, Failure> {
    let wire = dial(settings, until, met).await?;
    if settings.security == Security::Tls {
        handshake(&wire, settings, roots, until, met).await?;
    }
    let hello = client_id(settings);
    let began = Instant::now();
    let greeted = greet(&wire, settings, roots, &hello, until).await;
    met.banner = wire.banner();
    let conn = greeted?;
    met.greeted_in = Some(began.elapsed());
    met.offered = wire.reply();
    let mut link = Link {
        features: Features::parse(&wire.reply()),
        conn,
        wire,
        last_used: Instant::now(),
        mails: 0,
    };
    if settings.security == Security::StartTls {
        start_tls(&mut link, settings, roots, &hello, until, met).await?;
        met.offered = link.wire.reply();
    }
    Ok(link)
}

/// Reads the greeting and says EHLO. A port that stays silent because it waits for TLS is found
/// out by a second connection meanwhile: the greeting's own deadline is minutes.
async fn greet(
    wire: &Wire,
    settings: &SmtpSettings,
    roots: &TlsRoots,
    hello: &ClientId,
    until: Instant,
) -> Result<AsyncSmtpConnection, Failure> {
    let greeted = async {
        let greeted = AsyncSmtpConnection::connect_with_transport(Box::new(wire.clone()), hello);
        match timeout_at(within(limits::GREETING, until), greeted).await {
            Ok(Ok(conn)) => Ok(conn),
            Ok(Err(e)) => Err(step_error(&e).during(Step::Greeting)),
            Err(_) => Err(Failure::new(
                Step::Greeting,
                Kind::Timeout,
                "Greeting: no reply in time",
            )),
        }
    };
    if settings.security == Security::Tls {
        return greeted.await;
    }
    let probe = async {
        let config = client_config(settings, roots).await.ok()?;
        tls::speaks_tls(wire.peer(), &settings.host, config)
            .await
            .then(|| {
                let text = "This port speaks TLS from the first byte, not STARTTLS";
                Failure::new(Step::Greeting, Kind::TlsPort, text)
            })
    };
    // Two TLS states: not to be moved through the future of each mail.
    Box::pin(tls::unless_it_speaks_tls(greeted, probe)).await
}

/// The earlier of `limit` from now and `until`.
pub(super) fn within(limit: Duration, until: Instant) -> Instant {
    Instant::now()
        .checked_add(limit)
        .map_or(until, |t| t.min(until))
}

async fn dial(settings: &SmtpSettings, until: Instant, met: &mut Reach) -> Result<Wire, Failure> {
    let began = Instant::now();
    let limit = limits::CONNECT.min(until.saturating_duration_since(Instant::now()));
    met.addresses = names::lookup(&settings.host, settings.port, limit)
        .await
        .map_err(|e| {
            let text = format!("Name of the SMTP server: {e}");
            Failure::new(Step::Resolve, Kind::Name(e), text)
        })?;
    met.resolved_in = Some(began.elapsed());
    let began = Instant::now();
    let mut last = (Kind::NotLoopback, String::new());
    for address in met.addresses.iter().take(limits::ADDRESSES) {
        if settings.security == Security::Plain && !address.ip().is_loopback() {
            let why = "unprotected connections are made to this machine only";
            last = (Kind::NotLoopback, why.to_owned());
            continue;
        }
        match timeout_at(within(limits::CONNECT, until), TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                met.connected_in = Some(began.elapsed());
                met.peer = Some(*address);
                // Commands are small and answered one by one: Nagle would only delay them.
                return tcp
                    .set_nodelay(true)
                    .and_then(|()| Wire::plain(tcp))
                    .map_err(|e| unconnected(Kind::Network(e.kind()), &e.to_string()));
            }
            Ok(Err(e)) => last = (Kind::Network(e.kind()), e.to_string()),
            Err(_) => last = (Kind::Timeout, "no answer in time".to_owned()),
        }
    }
    Err(unconnected(last.0, &last.1))
}

fn unconnected(kind: Kind, why: &str) -> Failure {
    let text = format!("Connecting to the SMTP server: {why}");
    Failure::new(Step::Connect, kind, text)
}

async fn handshake(
    wire: &Wire,
    settings: &SmtpSettings,
    roots: &TlsRoots,
    until: Instant,
    met: &mut Reach,
) -> Result<(), Failure> {
    let began = Instant::now();
    let name = tls::server_name(&settings.host)
        .map_err(|e| in_tls(Kind::Tls((&e).into()), &e.to_string()))?;
    let config = client_config(settings, roots).await?;
    match timeout_at(within(limits::TLS, until), wire.upgrade(config, name)).await {
        Ok(Ok(())) => {
            met.protected_in = Some(began.elapsed());
            met.tls_version = wire.tls_version();
            Ok(())
        }
        Ok(Err(e)) => {
            let inner = e.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
            Err(match inner {
                Some(known) => in_tls(Kind::Tls(TlsFault::of(known)), &tls::explain(known)),
                None => in_tls(Kind::Network(e.kind()), &e.to_string()),
            })
        }
        Err(_) => Err(in_tls(Kind::Timeout, "no answer in time")),
    }
}

fn in_tls(kind: Kind, why: &str) -> Failure {
    Failure::new(Step::Tls, kind, format!("TLS: {why}"))
}

/// Reads certificate files, so off the async threads.
async fn client_config(
    settings: &SmtpSettings,
    roots: &TlsRoots,
) -> Result<Arc<ClientConfig>, Failure> {
    let (roots, ca_file) = (roots.clone(), settings.ca_file.clone());
    tokio::task::spawn_blocking(move || roots.client_config(ca_file.as_deref()))
        .await
        .map_err(|e| in_tls(Kind::Tls(TlsFault::Broken), &e.to_string()))?
        .map_err(|e| in_tls(Kind::Tls((&e).into()), &e.to_string()))
}

/// RFC 3207, required: a server that does not offer it, or refuses it, gets no mail and no
/// password.
async fn start_tls(
    link: &mut Link,
    settings: &SmtpSettings,
    roots: &TlsRoots,
    hello: &ClientId,
    until: Instant,
    met: &mut Reach,
) -> Result<(), Failure> {
    if !link.features.start_tls {
        return Err(Failure::new(
            Step::StartTls,
            Kind::NoStartTls,
            "STARTTLS is not among what it offers",
        ));
    }
    link.complete(within(limits::COMMAND, until), Starttls)
        .await
        .map_err(|e| e.during(Step::StartTls))?;
    handshake(&link.wire, settings, roots, until, met).await?;
    // RFC 3207 §4.2: what the server said in the clear is forgotten.
    link.features = Features::default();
    link.complete(within(limits::COMMAND, until), Ehlo::new(hello.clone()))
        .await
        .map_err(|e| e.during(Step::Hello))?;
    link.features = Features::parse(&link.wire.reply());
    Ok(())
}

/// The name for EHLO: as set, else the machine's, else the address literal that RFC 5321
/// §4.1.4 gives to those without a name.
fn client_id(settings: &SmtpSettings) -> ClientId {
    let fits = |name: &str| {
        !name.is_empty()
            && name.len() <= 255
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b))
    };
    match &settings.hello_name {
        Some(name) if fits(name) => ClientId::Domain(name.clone()),
        _ => match ClientId::default() {
            ClientId::Domain(name) if fits(&name) => ClientId::Domain(name),
            ClientId::Domain(_) => ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST),
            literal => literal,
        },
    }
}

/// lettre's error, told apart: a reply, or a lost connection.
pub(super) fn step_error(e: &lettre::transport::smtp::Error) -> StepError {
    let source = std::error::Error::source(e).map(ToString::to_string);
    match e.status() {
        Some(code) => StepError::Refused {
            code: code.into(),
            text: source.unwrap_or_default(),
        },
        None => match source {
            Some(why) if e.is_response() => {
                StepError::Broken(Kind::NotSmtp, format!("not an SMTP reply ({why})"))
            }
            Some(why) => StepError::Broken(Kind::Lost, why),
            None => StepError::Broken(Kind::Lost, "connection lost".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn features_are_read_in_any_case_and_old_auth_form() {
        let f = Features::parse(&lines(
            "250-mail.example Hello\n250-8bitmime\n250-Size 1000\n250-AUTH=LOGIN PLAIN\n250 smtputf8",
        ));
        assert!(f.eight_bit_mime && f.smtp_utf8 && f.login && f.plain);
        assert!(!f.start_tls && !f.xoauth2);
        assert_eq!(f.size_limit, Some(1000));
        // The first line names the server, nothing else.
        assert!(!Features::parse(&lines("250 STARTTLS")).start_tls);
        assert_eq!(
            Features::parse(&lines("250-x\n250 SIZE 0")).size_limit,
            None
        );
    }
}
