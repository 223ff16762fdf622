//! From a host name to a signed-in session: TCP, TLS or STARTTLS, greeting, capabilities,
//! sign-in, ID. Each step has its deadline (`limits`).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use async_imap::imap_proto::{Response, ResponseCode, Status};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, ClientConfig};

use super::auth;
use super::budget::ByteBudget;
use super::capabilities::Capabilities;
use super::error::{ImapError, Step, Unprotected};
use super::limits;
use super::quote::quoted;
use super::refusal::{Refusal, Said};
use super::session::Session;
use super::wire::{Deadline, Io, Transport, Wire, io_error};
use crate::config::{ImapSettings, Security};
use crate::credential::SignIn;
use crate::names;
use crate::reach::Reach;
use crate::tls::{self, TlsError, TlsFault, TlsRoots};

/// What the greeting said.
#[derive(Debug)]
struct Greeting {
    /// PREAUTH: signed in already, by the transport.
    preauth: bool,
    capabilities: Option<Capabilities>,
}

/// Connects to the server of `settings` and signs in with `sign_in`.
///
/// # Errors
/// Which step failed and why; [`ImapError::is_auth`] tells whether a person must act.
pub async fn connect(
    settings: &ImapSettings,
    sign_in: &SignIn,
    roots: &TlsRoots,
    budget: &ByteBudget,
) -> Result<Session, ImapError> {
    let mut reach = Reach::default();
    // Boxed: the handshake's states shall not stay in the caller's future while it idles.
    let begun = Box::pin(connect_now(settings, roots, budget, &mut reach)).await?;
    Box::pin(begun.sign_in(settings, sign_in)).await
}

/// Connects as [`connect`] does, up to the point where it would sign in, and notes each step in
/// `reach`, also when it fails.
///
/// # Errors
/// As [`connect`].
pub async fn explore(
    settings: &ImapSettings,
    roots: &TlsRoots,
    budget: &ByteBudget,
    reach: &mut Reach,
) -> Result<Begun, ImapError> {
    let begun = Box::pin(connect_now(settings, roots, budget, reach)).await?;
    reach.offered.clone_from(&begun.caps.raw);
    Ok(begun)
}

/// A connection that is ready for a sign-in.
#[derive(Debug)]
pub struct Begun {
    wire: Wire,
    caps: Capabilities,
    preauth: bool,
}

impl Begun {
    /// What the server offers before the sign-in.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.caps
    }

    /// Signs in, and says who we are.
    ///
    /// # Errors
    /// As [`connect`].
    pub async fn sign_in(
        mut self,
        settings: &ImapSettings,
        sign_in: &SignIn,
    ) -> Result<Session, ImapError> {
        let wire = &mut self.wire;
        if !self.preauth {
            // What is offered may change with the sign-in (NOTIFY on Dovecot, for one).
            self.caps = match auth::sign_in(wire, &self.caps, settings.auth, sign_in).await? {
                Some(caps) => caps,
                None => capability(wire).await?,
            };
        }
        if self.caps.id {
            identify(wire).await?;
        }
        Ok(Session::new(self.wire, self.caps))
    }

    /// Says goodbye without a sign-in.
    pub async fn logout(self) {
        Session::new(self.wire, self.caps).logout().await;
    }
}

async fn connect_now(
    settings: &ImapSettings,
    roots: &TlsRoots,
    budget: &ByteBudget,
    reach: &mut Reach,
) -> Result<Begun, ImapError> {
    let config = match settings.security {
        Security::Plain => None,
        Security::Tls | Security::StartTls => Some(tls_config(settings, roots).await?),
    };
    let began = Instant::now();
    reach.addresses = resolve(settings).await?;
    reach.resolved_in = Some(began.elapsed());
    let began = Instant::now();
    let tcp = open(&reach.addresses).await?;
    reach.connected_in = Some(began.elapsed());
    reach.peer = tcp.peer_addr().ok();
    let tcp: Io = Box::new(tcp);
    if let (Security::Tls, Some(config)) = (settings.security, &config) {
        let io = Box::new(handshake(tcp, &settings.host, config, reach).await?);
        let mut wire = Wire::new(io, budget);
        let began = Instant::now();
        let greeting = greet(&mut wire).await?;
        reach.greeted_in = Some(began.elapsed());
        return begin(wire, Some(greeting)).await;
    }
    let began = Instant::now();
    let address = reach.peer;
    let mut wire = Wire::new(tcp, budget);
    let probe = async {
        let config = match &config {
            Some(config) => Arc::clone(config),
            None => tls_config(settings, roots).await.ok()?,
        };
        let tls = tls::speaks_tls(address?, &settings.host, config).await;
        tls.then_some(ImapError::Unprotected(Unprotected::TlsPort))
    };
    let greeting = tls::unless_it_speaks_tls(greet(&mut wire), probe).await?;
    let Some(config) = &config else {
        reach.greeted_in = Some(began.elapsed());
        return begin(wire, Some(greeting)).await;
    };
    let plain = start_tls(wire, greeting).await?;
    reach.greeted_in = Some(began.elapsed());
    let protected = Box::new(handshake(plain, &settings.host, config, reach).await?);
    // The greeting came before TLS; there is no second one (RFC 3501 §6.2.1), and what it said
    // about capabilities could have been forged: they are asked for anew.
    begin(Wire::new(protected, budget), None).await
}

/// Signs in over a stream that is protected already (or need not be): greeting, capabilities,
/// sign-in, ID.
///
/// # Errors
/// As [`connect`].
pub async fn connect_over(
    io: impl Transport + 'static,
    settings: &ImapSettings,
    sign_in: &SignIn,
    budget: &ByteBudget,
) -> Result<Session, ImapError> {
    let mut wire = Wire::new(Box::new(io), budget);
    let greeting = greet(&mut wire).await?;
    let begun = begin(wire, Some(greeting)).await?;
    begun.sign_in(settings, sign_in).await
}

async fn begin(mut wire: Wire, greeting: Option<Greeting>) -> Result<Begun, ImapError> {
    let (preauth, told) = greeting.map_or((false, None), |g| (g.preauth, g.capabilities));
    let caps = match told {
        Some(caps) => caps,
        None => capability(&mut wire).await?,
    };
    Ok(Begun {
        wire,
        caps,
        preauth,
    })
}

/// Reads the greeting: OK, PREAUTH or BYE.
async fn greet(wire: &mut Wire) -> Result<Greeting, ImapError> {
    let step = Step::Greeting;
    let mut greeting = None;
    let see = |r: &Response<'_>, _: &[u8]| {
        let Response::Data { status, outcome } = r else {
            return;
        };
        let capabilities = match &outcome.code {
            Some(ResponseCode::Capabilities(list)) => Some(Capabilities::new(list)),
            _ => None,
        };
        greeting = match status {
            Status::Ok | Status::PreAuth => Some(Ok(Greeting {
                preauth: *status == Status::PreAuth,
                capabilities,
            })),
            Status::No => Some(Err(Said::new(outcome).refusal(step, Refusal::No))),
            _ => None,
        };
    };
    wire.next(step, Deadline::after(limits::GREETING), see)
        .await?;
    greeting.unwrap_or(Err(ImapError::Protocol {
        step,
        what: "its first line is no greeting",
    }))
}

async fn capability(wire: &mut Wire) -> Result<Capabilities, ImapError> {
    let step = Step::Capability;
    let mut told = None;
    let see = |r: &Response<'_>| {
        if let Response::Capabilities(list) = r {
            told = Some(Capabilities::new(list));
        }
    };
    simple(wire, step, "CAPABILITY", see).await?;
    told.ok_or(ImapError::Protocol {
        step,
        what: "it lists no capabilities",
    })
}

/// Some servers of 163.com and QQ refuse EXAMINE to a client that did not say who it is. A
/// refusal of ID itself matters to nobody.
async fn identify(wire: &mut Wire) -> Result<(), ImapError> {
    let version = quoted(env!("CARGO_PKG_VERSION"));
    let line = format!("ID (\"name\" \"replyd\" \"version\" {version})");
    match simple(wire, Step::Id, &line, |_| ()).await {
        Err(ImapError::No { .. } | ImapError::Bad { .. }) => Ok(()),
        other => other,
    }
}

/// One command without answers of ours, to its tagged OK.
async fn simple(
    wire: &mut Wire,
    step: Step,
    text: &str,
    see: impl FnMut(&Response<'_>),
) -> Result<(), ImapError> {
    let tag = wire.tag();
    let line = format!("{tag} {text}\r\n");
    let mut none = VecDeque::new();
    let reply = wire.exchange(step, &tag, line.as_bytes(), &mut none, limits::COMMAND, see);
    reply.await?.ok(step).map(|_| ())
}

/// STARTTLS after the greeting on a plain stream; gives the stream back, ready for the
/// handshake, only if nothing followed the tagged OK.
async fn start_tls(mut wire: Wire, greeting: Greeting) -> Result<Io, ImapError> {
    if greeting.preauth {
        return Err(ImapError::Unprotected(Unprotected::Preauth));
    }
    let caps = match greeting.capabilities {
        Some(caps) => caps,
        None => capability(&mut wire).await?,
    };
    if !caps.starttls {
        return Err(ImapError::Unprotected(Unprotected::NotOffered));
    }
    match simple(&mut wire, Step::StartTls, "STARTTLS", |_| ()).await {
        Err(ImapError::No { .. } | ImapError::Bad { .. }) => {
            return Err(ImapError::Unprotected(Unprotected::Refused));
        }
        other => other?,
    }
    wire.into_unread_stream().await
}

async fn tls_config(
    settings: &ImapSettings,
    roots: &TlsRoots,
) -> Result<Arc<ClientConfig>, ImapError> {
    let roots = roots.clone();
    let ca_file = settings.ca_file.clone();
    let broken = |reason| ImapError::Tls {
        step: Step::Tls,
        fault: TlsFault::Broken,
        reason,
    };
    // The trust store is some hundred files.
    tokio::task::spawn_blocking(move || roots.client_config(ca_file.as_deref()))
        .await
        .map_err(|e| broken(e.to_string()))?
        .map_err(|e| unprepared(&e))
}

fn unprepared(e: &TlsError) -> ImapError {
    ImapError::Tls {
        step: Step::Tls,
        fault: e.into(),
        reason: e.to_string(),
    }
}

async fn handshake(
    io: Io,
    host: &str,
    config: &Arc<ClientConfig>,
    reach: &mut Reach,
) -> Result<tokio_rustls::client::TlsStream<Io>, ImapError> {
    let step = Step::Tls;
    let began = Instant::now();
    let name = tls::server_name(host).map_err(|e| unprepared(&e))?;
    let connecting = TlsConnector::from(Arc::clone(config)).connect(name, io);
    let e = match timeout(limits::TLS, connecting).await {
        Ok(Ok(stream)) => {
            reach.protected_in = Some(began.elapsed());
            reach.tls_version = tls::version(stream.get_ref().1.protocol_version());
            return Ok(stream);
        }
        Ok(Err(e)) => e,
        Err(_) => return Err(ImapError::Timeout { step }),
    };
    let inner = e.get_ref().and_then(|i| i.downcast_ref::<rustls::Error>());
    Err(match inner {
        Some(reason) => ImapError::Tls {
            step,
            fault: TlsFault::of(reason),
            reason: tls::explain(reason),
        },
        None => io_error(step, e.kind(), e.kind().to_string()),
    })
}

async fn resolve(settings: &ImapSettings) -> Result<Vec<SocketAddr>, ImapError> {
    let addresses = names::lookup(&settings.host, settings.port, limits::CONNECT)
        .await
        .map_err(ImapError::Name)?;
    if settings.security == Security::Plain && !addresses.iter().all(|a| a.ip().is_loopback()) {
        return Err(ImapError::Unprotected(Unprotected::NotLoopback));
    }
    Ok(addresses)
}

/// Tries the addresses in the resolver's order, each for 15 s, all for 45 s.
async fn open(addresses: &[SocketAddr]) -> Result<TcpStream, ImapError> {
    let step = Step::Connect;
    let all = Instant::now() + limits::CONNECT_ALL;
    let mut last = ImapError::Timeout { step };
    for address in addresses {
        let until = all.min(Instant::now() + limits::CONNECT);
        match timeout_at(until, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                let unusable = |e: std::io::Error| io_error(step, e.kind(), e.kind().to_string());
                prepare(&tcp).map_err(unusable)?;
                return Ok(tcp);
            }
            Ok(Err(e)) => {
                // Not `io_error`: a reset here is a refused connection, not a closed session.
                last = ImapError::Network {
                    step,
                    kind: e.kind(),
                    reason: e.kind().to_string(),
                };
            }
            Err(_) => last = ImapError::Timeout { step },
        }
    }
    Err(last)
}

/// Nagle off (DONE must not wait for an acknowledgement), and a dead peer noticed by the kernel
/// within two minutes, idle or not.
fn prepare(tcp: &TcpStream) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(tcp);
    let keepalive = TcpKeepalive::new()
        .with_time(limits::KEEPALIVE_TIME)
        .with_interval(limits::KEEPALIVE_INTERVAL)
        .with_retries(limits::KEEPALIVE_RETRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(limits::TCP_USER_TIMEOUT))?;
    Ok(())
}

/// Tests of STARTTLS run it over a pipe.
#[cfg(test)]
pub(super) async fn start_tls_over(
    io: impl Transport + 'static,
    budget: &ByteBudget,
) -> Result<Io, ImapError> {
    let mut wire = Wire::new(Box::new(io), budget);
    let greeting = greet(&mut wire).await?;
    start_tls(wire, greeting).await
}

#[cfg(test)]
pub(super) fn prepared(tcp: &TcpStream) -> std::io::Result<()> {
    prepare(tcp)
}
