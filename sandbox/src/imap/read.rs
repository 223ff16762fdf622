//! Reading commands: bounded lines, bounded literals.

use std::future::Future;
use std::sync::Arc;

use super::command::{BadCommand, Request};
use super::{Session, Tagged, parse};
use crate::faults::Plan;
use crate::store::{Signal, User};
use crate::verbs::Verb;
use crate::wire::{Stop, Wire, WireError};

/// The longest line of a command.
pub(super) const MAX_LINE: usize = 64 * 1024;
/// The longest literal but for APPEND's.
const MAX_LITERAL: usize = 16 * 1024;
/// The longest command but for APPEND's literal.
const MAX_COMMAND: usize = 128 * 1024;

/// What came of reading a command.
enum Read {
    Command(Vec<u8>),
    /// A literal that was announced is refused; the client has not sent it.
    Refused(Vec<u8>),
}

/// `… {12}` or `… {12+}` at the end of a line: the size, and whether the client waits for `+`.
fn literal(line: &[u8]) -> Option<(usize, bool)> {
    let inner = line.strip_suffix(b"}")?;
    let open = inner.iter().rposition(|b| *b == b'{')?;
    let inner = inner.get(open + 1..)?;
    let (digits, waits) = match inner.strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (inner, true),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = std::str::from_utf8(digits).ok()?;
    Some((digits.parse().unwrap_or(usize::MAX), waits))
}

fn is_append(command: &[u8]) -> bool {
    let mut words = command.split(|b| *b == b' ');
    words
        .nth(1)
        .is_some_and(|w| w.eq_ignore_ascii_case(b"APPEND"))
}

/// Reads one command with its literals.
async fn read_command(wire: &mut Wire, max_message: Option<usize>) -> Result<Read, WireError> {
    let mut command = Vec::new();
    let mut literals = 0;
    loop {
        let line = wire.read_line(MAX_LINE).await?;
        command.extend_from_slice(&line);
        let Some((size, waits)) = literal(&line) else {
            return Ok(Read::Command(command));
        };
        // APPEND's last literal is the message; its mailbox name may be a literal too.
        let max = match max_message {
            Some(max) if is_append(&command) => max,
            _ => MAX_LITERAL,
        };
        literals += 1;
        if size > max || literals > 100 || (command.len() > MAX_COMMAND && max == MAX_LITERAL) {
            if waits {
                return Ok(Read::Refused(command));
            }
            // The client is sending it already; only closing ends that (RFC 7888 §4).
            return Err(WireError::TooLong);
        }
        if waits {
            wire.line("+ OK");
            wire.flush().await?;
        }
        command.extend_from_slice(b"\r\n");
        wire.read_exact(size, &mut command).await?;
    }
}

impl Session {
    /// The next command that could be parsed; `None` when one could not, and was answered.
    pub(super) async fn next_request(&mut self) -> Result<Option<Request>, Stop> {
        let max_message = self
            .user
            .is_some()
            .then_some(self.shared.options.max_message_bytes);
        let user = self.user.clone();
        let read = read_command(&mut self.wire, max_message);
        let read = unless_disconnected(user.as_ref(), &mut self.signal_seen, read).await?;
        let (command, refused) = match read {
            Ok(Read::Command(command)) => (command, false),
            Ok(Read::Refused(command)) => (command, true),
            Err(WireError::BareLf) => {
                self.wire.line("* BAD Lines end in CRLF");
                self.wire.flush().await?;
                return Ok(None);
            }
            Err(WireError::TooLong) => return Err(self.bye("Command too long").await),
            Err(WireError::Silent) => return Err(self.bye("Autologout; idle for too long").await),
            Err(error) => return Err(error.into()),
        };
        let parsed = if refused {
            let tag = command.split(|b| *b == b' ').next().unwrap_or_default();
            Err(BadCommand {
                tag: std::str::from_utf8(tag).ok().map(str::to_owned),
                verb: Verb::Other,
                text: "Literal too large",
            })
        } else {
            parse::parse(&command)
        };
        match parsed {
            Ok(request) => Ok(Some(request)),
            Err(bad) => {
                self.shared.counters.imap(bad.verb);
                let tag = bad.tag.as_deref().unwrap_or("*");
                self.answer(tag, Tagged::bad(bad.text), Plan::default())
                    .await?;
                Ok(None)
            }
        }
    }
}

/// Waits for `read` unless the test cuts this user's connections.
async fn unless_disconnected<T>(
    user: Option<&Arc<User>>,
    seen: &mut u64,
    read: impl Future<Output = T>,
) -> Result<T, Stop> {
    let Some(user) = user else {
        return Ok(read.await);
    };
    let mut read = std::pin::pin!(read);
    loop {
        let mut signalled = std::pin::pin!(user.signalled.notified());
        signalled.as_mut().enable();
        if let Some(Signal::Disconnect) = user.signal_since(seen) {
            return Err(Stop::Abort);
        }
        tokio::select! {
            biased;
            done = &mut read => return Ok(done),
            () = signalled => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_seen_only_at_the_end_of_a_line() {
        assert_eq!(literal(b"a LOGIN {3}"), Some((3, true)));
        assert_eq!(literal(b"a LOGIN {3+}"), Some((3, false)));
        assert_eq!(literal(b"a LOGIN {3} x"), None);
        assert_eq!(literal(b"a LOGIN {}"), None);
        assert_eq!(literal(b"a LOGIN {x}"), None);
        assert_eq!(
            literal(b"a APPEND x {99999999999999999999999}"),
            Some((usize::MAX, true))
        );
    }
}
