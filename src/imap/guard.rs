//! Stream adapter between TLS and async-imap: bounds literals, nesting, line length and the
//! bytes of all accounts together, before the parser sees them (invariant I8).
//!
//! async-imap allocates up to 512 MiB at the announcement of a literal, and imap-proto recurses
//! without bound: 400 parentheses in 430 bytes overflow a worker's stack and end the process.
//!
//! Bytes go on only up to a line end or inside a literal. So no byte of an offending line reaches
//! the parser, and a response without literals reaches it whole: imap-proto fails on an ID
//! response that is cut at the wrong byte (it uses nom's `complete` parsers there).
#![warn(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::budget::ByteBudget;
use super::scan::{Holdings, Scanner};

/// What a server may not send. Each ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// The literals of one response exceed 1 MiB.
    #[error("a literal is over 1 MiB")]
    LiteralTooLong,
    /// More than 32 open parentheses.
    #[error("lists are nested more than 32 deep")]
    NestedTooDeep,
    /// A response is longer than 1 MiB without its literals.
    #[error("a line is over 1 MiB")]
    LineTooLong,
    /// A letter beyond ASCII directly after a response code, on which imap-proto panics.
    #[error("a response code is followed by a non-ASCII character")]
    NonAsciiAfterCode,
    /// A broken NIL in the place of an INTERNALDATE (a whole one is read as "no date").
    #[error("a date is neither a string nor NIL")]
    NilDate,
    /// A string, list or literal that imap-proto could read differently than the guard.
    #[error("a string or list is broken, or a literal is of an unknown form")]
    Ambiguous,
    /// All accounts together hold as many bytes as they may (`byte_budget`), although reading
    /// was held back before: try again later.
    #[error("the byte budget of all accounts is used up")]
    OverBudget,
}

/// What went wrong below the parser.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// The server sent what is refused.
    Refused(GuardError),
    /// The transport failed.
    Io {
        /// Its kind.
        kind: io::ErrorKind,
        /// In words; for a TLS error what is wrong.
        reason: String,
        /// Whether TLS said so.
        tls: bool,
    },
}

/// How much is read at once into the guard's own buffer, when a line came in pieces.
const PIECE: usize = 4096;

/// How often a connection that waits for the budget looks again.
const TIGHT: Duration = Duration::from_millis(50);

/// The adapter. Reading is guarded; writing goes through.
#[derive(Debug)]
pub struct Guard<S> {
    inner: S,
    scanner: Scanner,
    holdings: Holdings,
    /// Bytes of an incomplete line, or of complete ones that the reader had no room for.
    held: Vec<u8>,
    /// How many of `held` may be delivered.
    deliverable: usize,
    /// How many of `held` were delivered.
    delivered: usize,
    fault: Option<Fault>,
    eof: bool,
    bytes: u64,
    last_byte_at: Instant,
    budget: ByteBudget,
    /// Runs while the budget is tight.
    pause: Option<Pin<Box<Sleep>>>,
}

impl<S> Guard<S> {
    /// Guards `inner`; its literals and long lines count against `budget`.
    pub fn new(inner: S, budget: &ByteBudget) -> Self {
        Self {
            inner,
            scanner: Scanner::new(),
            holdings: Holdings::new(budget),
            held: Vec::new(),
            deliverable: 0,
            delivered: 0,
            fault: None,
            eof: false,
            bytes: 0,
            last_byte_at: Instant::now(),
            budget: budget.clone(),
            pause: None,
        }
    }

    /// Bytes received so far.
    pub fn bytes_received(&self) -> u64 {
        self.bytes
    }

    /// When the last byte came (at first: when the guard was made).
    pub fn last_byte_at(&self) -> Instant {
        self.last_byte_at
    }

    /// What ended the stream, if anything did.
    pub(super) fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Whole responses that came so far.
    pub(super) fn responses(&self) -> u64 {
        self.scanner.responses()
    }

    /// Whether part of a response is here already, or bytes that nobody has read.
    pub(super) fn has_leftovers(&self) -> bool {
        !self.scanner.between_responses() || self.delivered < self.held.len()
    }

    /// The stream below. What the guard holds back is lost: see [`Guard::has_leftovers`].
    pub(super) fn into_inner(self) -> S {
        self.inner
    }

    fn note(&mut self, n: usize) {
        self.bytes = self.bytes.saturating_add(n as u64);
        self.last_byte_at = Instant::now();
    }

    fn fail<T>(&mut self, fault: Fault) -> io::Result<T> {
        let error = match &fault {
            Fault::Refused(e) => io::Error::other(*e),
            Fault::Io { kind, reason, .. } => io::Error::new(*kind, reason.clone()),
        };
        self.fault = Some(fault);
        Err(error)
    }

    fn fail_io<T>(&mut self, e: &io::Error) -> io::Result<T> {
        let tls = e
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<tokio_rustls::rustls::Error>());
        let reason = match (tls, e.raw_os_error()) {
            (Some(tls), _) => crate::tls::explain(tls),
            (None, Some(_)) => e.to_string(),
            // Texts of other layers are not ours to vouch for.
            (None, None) => e.kind().to_string(),
        };
        self.fail(Fault::Io {
            kind: e.kind(),
            reason,
            tls: tls.is_some(),
        })
    }

    /// A connection that holds nothing yet does not begin another response while the budget is
    /// tight: the server waits, which is better than refusing its literal and signing in anew.
    fn wait_for_budget(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.holdings.holds() && self.budget.is_tight() {
            let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(TIGHT)));
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }

    /// Moves what may go on from the own buffer to the reader.
    fn hand_on(&mut self, out: &mut ReadBuf<'_>) {
        let end = self
            .deliverable
            .min(self.delivered.saturating_add(out.remaining()));
        out.put_slice(self.held.get(self.delivered..end).unwrap_or_default());
        self.delivered = end;
        if self.delivered == self.held.len() {
            // Freed, not kept: an idle connection shall hold no buffer.
            self.held = Vec::new();
            self.deliverable = 0;
            self.delivered = 0;
        }
    }

    /// Takes a piece into the own buffer.
    fn take_in(&mut self, piece: &mut [u8]) -> Option<GuardError> {
        let scanned = self.scanner.scan(piece, &mut self.holdings);
        if scanned.deliver > 0 {
            self.deliverable = self.held.len().saturating_add(scanned.deliver);
        }
        let keep = if scanned.fault.is_some() {
            scanned.deliver
        } else {
            piece.len()
        };
        self.held
            .extend_from_slice(piece.get(..keep).unwrap_or_default());
        scanned.fault
    }
}

impl<S: AsyncRead + Unpin> Guard<S> {
    /// Reads straight into the reader's buffer, and keeps an incomplete line back.
    fn read_direct(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        if let Err(e) = ready!(Pin::new(&mut self.inner).poll_read(cx, out)) {
            return Poll::Ready(self.fail_io(&e));
        }
        let new = out.filled_mut().get_mut(before..).unwrap_or_default();
        if new.is_empty() {
            self.eof = true;
            return Poll::Ready(Ok(()));
        }
        let n = new.len();
        let scanned = self.scanner.scan(new, &mut self.holdings);
        if let Some(e) = scanned.fault {
            self.fault = Some(Fault::Refused(e));
        } else {
            self.held
                .extend_from_slice(new.get(scanned.deliver..).unwrap_or_default());
        }
        self.note(n);
        out.set_filled(before.saturating_add(scanned.deliver));
        Poll::Ready(Ok(()))
    }

    fn read_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = [0_u8; PIECE];
        let mut piece = ReadBuf::new(&mut space);
        if let Err(e) = ready!(Pin::new(&mut self.inner).poll_read(cx, &mut piece)) {
            return Poll::Ready(self.fail_io(&e));
        }
        if piece.filled().is_empty() {
            self.eof = true;
            return Poll::Ready(Ok(()));
        }
        let n = piece.filled().len();
        self.note(n);
        if let Some(e) = self.take_in(piece.filled_mut()) {
            self.fault = Some(Fault::Refused(e));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // async-imap reads only when its buffer holds no complete response: those are consumed.
        this.holdings.release_done();
        if out.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let before = out.filled().len();
        loop {
            if this.delivered < this.deliverable {
                this.hand_on(out);
                return Poll::Ready(Ok(()));
            }
            if let Some(fault) = this.fault.clone() {
                return Poll::Ready(this.fail(fault));
            }
            if this.eof {
                return Poll::Ready(Ok(()));
            }
            ready!(this.wait_for_budget(cx));
            if this.held.is_empty() {
                ready!(this.read_direct(cx, out))?;
                if out.filled().len() > before {
                    return Poll::Ready(Ok(()));
                }
            } else {
                ready!(this.read_held(cx))?;
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
