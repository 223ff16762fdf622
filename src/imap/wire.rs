//! The raw driver over async-imap's `Client`: writes a command with one write, reads one
//! response under a deadline, and tells end of stream, time-out, refusal by the guard and parse
//! failure apart.
//!
//! async-imap's own calls are not used: they take a tagged NO and a closed connection for
//! success, and write a command in four pieces (docs/ASYNC_IMAP.md).

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use async_imap::Client;
use async_imap::imap_proto::{Response, ResponseCode, Status};
use secrecy::zeroize::Zeroizing;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, timeout, timeout_at};

use super::budget::ByteBudget;
use super::capabilities::Capabilities;
use super::error::{ImapError, Step, Unprotected};
use super::guard::{Fault, Guard};
use super::limits::{DONE, PROGRESS, RESPONSE, WRITE};
use super::refusal::{Refusal, Said};
use crate::tls::TlsFault;

/// What a connection runs over: TLS, TCP on loopback, or a test's pipe.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Transport for T {}

/// Boxed: a TLS stream is over a kilobyte, and would be moved through every future.
pub(super) type Io = Box<dyn Transport>;

/// Until when to wait for the next response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    hard: Option<Instant>,
    from: Instant,
    progress: Option<Duration>,
}

impl Deadline {
    /// Within `limit`, however much arrives.
    pub(super) fn after(limit: Duration) -> Self {
        let from = Instant::now();
        Self {
            hard: from.checked_add(limit),
            from,
            progress: None,
        }
    }

    /// As long as bytes keep coming, and not longer than one response may take.
    pub(super) fn flowing() -> Self {
        Self {
            progress: Some(PROGRESS),
            ..Self::after(RESPONSE)
        }
    }

    /// As long as bytes keep coming, for a server that must answer from memory.
    pub(super) fn trial() -> Self {
        Self {
            progress: Some(DONE),
            ..Self::flowing()
        }
    }

    /// For a caller that brings its own timers.
    pub(super) fn none() -> Self {
        Self {
            hard: None,
            from: Instant::now(),
            progress: None,
        }
    }

    fn at(&self, last_byte: Instant) -> Option<Instant> {
        let soft = self
            .progress
            .and_then(|p| self.from.max(last_byte).checked_add(p));
        [self.hard, soft].into_iter().flatten().min()
    }
}

/// A tagged reply.
#[derive(Clone, Debug)]
pub(super) struct Tagged {
    pub(super) tag: String,
    /// None: OK.
    pub(super) refused: Option<Refusal>,
    pub(super) said: Said,
    /// From a CAPABILITY response code.
    pub(super) capabilities: Option<Capabilities>,
}

impl Tagged {
    /// OK, or the error that it is.
    pub(super) fn ok(self, step: Step) -> Result<Self, ImapError> {
        match self.refused {
            None => Ok(self),
            Some(kind) => Err(self.said.refusal(step, kind)),
        }
    }
}

/// What one response was; the caller's function has seen its data.
#[derive(Clone, Debug)]
pub(super) enum Heard {
    Untagged,
    Continue,
    Tagged(Tagged),
}

/// One connection, below sign-in and above TLS.
pub(super) struct Wire {
    client: Client<Guard<Io>>,
    tags: u32,
    responses: u64,
    /// Set by any failure, and while a write is under way: a write that is dropped may have
    /// sent half of a command.
    dead: bool,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("responses", &self.responses)
            .field("dead", &self.dead)
            .finish_non_exhaustive()
    }
}

impl Wire {
    pub(super) fn new(io: Io, budget: &ByteBudget) -> Self {
        Self {
            client: Client::new(Guard::new(io, budget)),
            tags: 0,
            responses: 0,
            dead: false,
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead
    }

    pub(super) fn last_byte_at(&self) -> Instant {
        self.client.get_ref().last_byte_at()
    }

    pub(super) fn bytes_received(&self) -> u64 {
        self.client.get_ref().bytes_received()
    }

    /// A tag of our own; it never collides with async-imap's `A0001`.
    pub(super) fn tag(&mut self) -> String {
        self.tags = self.tags.wrapping_add(1);
        format!("R{}", self.tags)
    }

    /// Writes with one `write_all` (one TLS record, one packet) and flushes. Not to be cancelled.
    pub(super) async fn send(&mut self, step: Step, bytes: &[u8]) -> Result<(), ImapError> {
        if std::mem::replace(&mut self.dead, true) {
            return Err(ImapError::Broken);
        }
        let io = self.client.get_mut();
        let writing = async {
            io.write_all(bytes).await?;
            io.flush().await
        };
        match timeout(WRITE, writing).await {
            Ok(Ok(())) => {
                self.dead = false;
                Ok(())
            }
            Ok(Err(e)) => Err(io_error(step, e.kind(), e.kind().to_string())),
            Err(_) => Err(ImapError::Timeout { step }),
        }
    }

    /// Reads one response and shows it, with the raw block that it was parsed from, to `see`.
    /// Safe to cancel: partial input stays in async-imap's buffer.
    ///
    /// imap-proto's panics end here: the parser runs within `catch_unwind`, and the connection is
    /// dead afterwards. (A stack overflow could not be caught: the guard prevents it.)
    pub(super) async fn next(
        &mut self,
        step: Step,
        deadline: Deadline,
        see: impl FnOnce(&Response<'_>, &[u8]),
    ) -> Result<Heard, ImapError> {
        if self.dead {
            return Err(ImapError::Broken);
        }
        let read = loop {
            let until = deadline.at(self.last_byte_at());
            // Looked at first: a server that never stops talking shall not outrun its deadline.
            if until.is_some_and(|u| Instant::now() >= u) {
                self.dead = true;
                return Err(ImapError::Timeout { step });
            }
            let response = contained(self.client.read_response());
            match until {
                None => break response.await,
                Some(until) => match timeout_at(until, response).await {
                    Ok(read) => break read,
                    // Bytes may have come since.
                    Err(_) => continue,
                },
            }
        };
        let e = match read {
            Ok(Ok(Some(data))) => {
                self.responses = self.responses.saturating_add(1);
                see(data.parsed(), data.borrow_owner().as_ref());
                return self.classify(step, data.parsed());
            }
            Ok(Ok(None)) => ImapError::Closed { step },
            Ok(Err(e)) => self.read_error(step, e.kind()),
            Err(Panicked) => ImapError::Parse { step },
        };
        self.dead = true;
        Err(e)
    }

    /// A BYE ends the connection whatever was asked, except LOGOUT (RFC 3501 §7.1.5).
    fn classify(&mut self, step: Step, response: &Response<'_>) -> Result<Heard, ImapError> {
        Ok(match response {
            Response::Data {
                status: Status::Bye,
                outcome,
            } if step != Step::Logout => {
                self.dead = true;
                return Err(Said::new(outcome).refusal(step, Refusal::Bye));
            }
            Response::Data { outcome, .. } if outcome.code == Some(ResponseCode::Alert) => {
                // RFC 3501 §7.1: an ALERT must be shown to a person.
                let alert = Said::new(outcome).text;
                tracing::warn!(%alert, "Server alerts");
                Heard::Untagged
            }
            Response::Continue(_) => Heard::Continue,
            Response::Done {
                tag,
                status,
                outcome,
            } => Heard::Tagged(Tagged {
                tag: tag.0.clone(),
                refused: match status {
                    Status::Ok => None,
                    Status::No => Some(Refusal::No),
                    // A tagged PREAUTH or BYE does not exist.
                    Status::Bad | Status::PreAuth | Status::Bye => Some(Refusal::Bad),
                },
                said: Said::new(outcome),
                capabilities: match &outcome.code {
                    Some(ResponseCode::Capabilities(list)) => Some(Capabilities::new(list)),
                    _ => None,
                },
            }),
            _ => Heard::Untagged,
        })
    }

    /// The error's own text is dropped: for a parse failure it is the whole buffer.
    fn read_error(&self, step: Step, kind: io::ErrorKind) -> ImapError {
        match self.client.get_ref().fault() {
            Some(Fault::Refused(reason)) => ImapError::Guard {
                step,
                reason: *reason,
            },
            Some(Fault::Io {
                reason, tls: true, ..
            }) => ImapError::Tls {
                step,
                fault: TlsFault::Broken,
                reason: reason.clone(),
            },
            Some(Fault::Io { kind, reason, .. }) => io_error(step, *kind, reason.clone()),
            None if kind == io::ErrorKind::UnexpectedEof => ImapError::Closed { step },
            None => ImapError::Parse { step },
        }
    }

    /// Sends `first`, answers each "+" with the next of `answers`, and reads to the tagged reply.
    pub(super) async fn exchange(
        &mut self,
        step: Step,
        tag: &str,
        first: &[u8],
        answers: &mut VecDeque<Zeroizing<Vec<u8>>>,
        limit: Duration,
        mut see: impl FnMut(&Response<'_>),
    ) -> Result<Tagged, ImapError> {
        let deadline = Deadline::after(limit);
        self.send(step, first).await?;
        loop {
            match self.next(step, deadline, |r, _| see(r)).await? {
                Heard::Tagged(reply) if reply.tag == tag => return Ok(reply),
                Heard::Continue => {
                    let Some(answer) = answers.pop_front() else {
                        self.dead = true;
                        let what = "it asks for more where nothing is due";
                        return Err(ImapError::Protocol { step, what });
                    };
                    self.send(step, &answer).await?;
                }
                // Another command's reply is never taken for ours.
                Heard::Tagged(_) | Heard::Untagged => {}
            }
        }
    }

    /// The bare stream, when not a single byte beyond the last response has arrived; else there
    /// is plaintext that would be read as if it had come through TLS.
    pub(super) async fn into_unread_stream(self) -> Result<Io, ImapError> {
        let injected = ImapError::Unprotected(Unprotected::Injected);
        let guard = self.client.get_ref();
        if self.dead || guard.responses() != self.responses || guard.has_leftovers() {
            return Err(injected);
        }
        let mut io = self.client.into_inner().into_inner();
        let mut byte = [0_u8; 1];
        let mut space = ReadBuf::new(&mut byte);
        let now = poll_fn(|cx| Poll::Ready(Pin::new(&mut io).poll_read(cx, &mut space))).await;
        match now {
            Poll::Pending => Ok(io),
            Poll::Ready(Ok(())) if space.filled().is_empty() => Err(ImapError::Closed {
                step: Step::StartTls,
            }),
            Poll::Ready(Ok(())) => Err(injected),
            Poll::Ready(Err(e)) => {
                let reason = e.kind().to_string();
                Err(io_error(Step::StartTls, e.kind(), reason))
            }
        }
    }
}

/// A transport's error in the words of this edge.
pub(super) fn io_error(step: Step, kind: io::ErrorKind, reason: String) -> ImapError {
    match kind {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => ImapError::Closed { step },
        _ => ImapError::Network { step, kind, reason },
    }
}

struct Panicked;

/// Polls with panics caught; after one the future is not polled again.
async fn contained<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = pin!(future);
    poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        },
    )
    .await
}
