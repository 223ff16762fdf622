//! One mail over an open connection, knowing how far it got.

use std::borrow::Cow;
use std::pin::pin;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt, Rset};
use lettre::transport::smtp::extension::{MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use tokio::time::{Instant, timeout, timeout_at};

use super::connect::{Link, StepError, step_error, within};
use super::error::{Kind, Step, Why};
use super::provider;
use super::{Outcome, OutgoingMail, limits};
use crate::model::AccountState;

/// A mail in the form in which it goes out.
pub(super) struct Prepared<'m> {
    from: Option<Address>,
    to: Address,
    body: Cow<'m, [u8]>,
    eight_bit: bool,
    utf8: bool,
}

/// How MAIL went wrong.
pub(super) enum NotBegun {
    /// Nothing was accepted on a connection that was kept: try once on a new one.
    TryFresh,
    /// This is the outcome.
    Outcome(Outcome),
}

/// Whether the connection may take another mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Keep,
    Drop,
}

impl<'m> Prepared<'m> {
    /// Checks the envelope and the line ends; needs no connection.
    pub(super) fn new(mail: &OutgoingMail<'m>) -> Result<Self, Outcome> {
        let refuse = |what: &str| rejected(format!("{what} is not a mail address"));
        let from = match mail.envelope_from {
            // RFC 5321 §4.5.5: the null sender.
            "" => None,
            some => Some(address(some).ok_or_else(|| refuse("The envelope sender"))?),
        };
        let to = address(mail.envelope_to).ok_or_else(|| refuse("The recipient"))?;
        let body = crlf(mail.raw);
        let header = body
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .and_then(|end| body.get(..end))
            .unwrap_or(&body);
        let ascii = |a: &Address| AsRef::<str>::as_ref(a).is_ascii();
        Ok(Self {
            utf8: !ascii(&to) || !from.as_ref().is_none_or(ascii) || !header.is_ascii(),
            eight_bit: !body.is_ascii(),
            from,
            to,
            body,
        })
    }

    /// lettre checks these in `send`, which drives the dialogue itself; we drive it, so we check.
    fn fits(&self, link: &Link) -> Result<Vec<MailParameter>, Outcome> {
        let mut parameters = Vec::new();
        if self.utf8 {
            // RFC 6531 §3.1
            if !link.features.smtp_utf8 {
                return Err(rejected(
                    "An address or a header is not ASCII, and the server offers no SMTPUTF8",
                ));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if self.eight_bit {
            // RFC 6152 §3
            if !link.features.eight_bit_mime {
                return Err(rejected(
                    "The mail is not ASCII, and the server offers no 8BITMIME",
                ));
            }
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let size = self.body.len() as u64;
        if let Some(limit) = link.features.size_limit.filter(|limit| size > *limit) {
            return Err(rejected(format!(
                "The mail has {size} bytes, the server takes {limit} at most"
            )));
        }
        Ok(parameters)
    }
}

/// MAIL. On a kept connection a lost peer is expected.
pub(super) async fn begin(
    link: &mut Link,
    mail: &Prepared<'_>,
    until: Instant,
) -> Result<(), NotBegun> {
    let parameters = mail.fits(link).map_err(NotBegun::Outcome)?;
    let reused = link.mails > 0;
    let limit = if reused {
        limits::MAIL_REUSED
    } else {
        limits::MAIL
    };
    link.mails = link.mails.saturating_add(1);
    let command = Mail::new(mail.from.clone(), parameters);
    match link.complete(within(limit, until), command).await {
        Ok(()) => Ok(()),
        // A 4xx here may be about this connection (421, too many mails on it).
        Err(
            StepError::Broken(..)
            | StepError::Refused {
                code: 400..=499, ..
            },
        ) if reused => Err(NotBegun::TryFresh),
        Err(e) => Err(NotBegun::Outcome(before_body(Step::Mail, e))),
    }
}

/// RCPT and DATA, up to the 354.
pub(super) async fn announce(
    link: &mut Link,
    mail: &Prepared<'_>,
    until: Instant,
) -> Result<(), Outcome> {
    link.complete(
        within(limits::RCPT, until),
        Rcpt::new(mail.to.clone(), Vec::new()),
    )
    .await
    .map_err(|e| before_body(Step::Recipient, e))?;
    let reply = link.step(within(limits::DATA, until), Data).await;
    match reply.map_err(|e| before_body(Step::Data, e))? {
        go if go.has_code(354) => Ok(()),
        other => Err(before_body(
            Step::Data,
            StepError::Broken(Kind::Protocol, format!("unexpected reply {}", other.code())),
        )),
    }
}

/// The body, and the reply to its final dot.
///
/// lettre doubles the dots and appends CRLF and the final dot.
pub(super) async fn hand_over(
    link: &mut Link,
    mail: &Prepared<'_>,
    host: &str,
) -> (Outcome, After) {
    if link.wire.has_unread() {
        // Whatever it is, it is not the reply to a body that it has not got.
        let e = StepError::Broken(Kind::Protocol, "the server spoke out of turn".into());
        return (before_body(Step::Body, e), After::Drop);
    }
    let body = mail.body.strip_suffix(b"\r\n").unwrap_or(&mail.body);
    link.wire.begin_body();
    let reply = write_body(link, body).await;
    let finished = link.wire.body().finished_at.is_some();
    match (reply, finished) {
        (Some(Ok(reply)), true) if (200..300).contains(&u16::from(reply.code())) => {
            link.last_used = Instant::now();
            (sent(&reply, host), After::Keep)
        }
        (Some(Err(e)), true) if e.status().is_some() => {
            link.last_used = Instant::now();
            let outcome = before_body(Step::Body, step_error(&e));
            let after = after_refusal(&outcome);
            (outcome, after)
        }
        // Every byte went out, and no reply came: nobody knows.
        (Some(Ok(reply)), true) => {
            let why = format!("Unexpected reply {} to the mail", reply.code());
            (Outcome::Unknown { why }, After::Drop)
        }
        (Some(Err(e)), true) => {
            let StepError::Broken(_, why) = step_error(&e) else {
                return (unknown("no reply"), After::Drop);
            };
            (unknown(&why), After::Drop)
        }
        (None, true) => (unknown("no reply in time"), After::Drop),
        // Without its final dot no server takes a mail (RFC 5321 §4.1.1.4, §4.1.1.10).
        (reply, false) => (interrupted(link, reply).await, After::Drop),
    }
}

/// Writes the body under three deadlines: no progress, too long in all, no final reply. `None`
/// when one of them passed.
async fn write_body(link: &mut Link, body: &[u8]) -> Option<Result<Response, Error>> {
    let wire = link.wire.clone();
    let hard = within(limits::BODY, far());
    let mut message = pin!(link.conn().message(body));
    let mut seen = 0;
    loop {
        let deadline = match wire.body().finished_at {
            Some(at) => at.checked_add(limits::FINAL_REPLY).unwrap_or(hard),
            None => within(limits::DATA_BLOCK, hard),
        };
        if let Ok(reply) = timeout_at(deadline, &mut message).await {
            return Some(reply);
        }
        let body = wire.body();
        match body.finished_at {
            Some(at) if at.elapsed() >= limits::FINAL_REPLY => return None,
            Some(_) => {}
            None if body.written_bytes == seen || Instant::now() >= hard => return None,
            None => seen = body.written_bytes,
        }
    }
}

/// The connection broke inside the body; the server may have said why before it closed.
async fn interrupted(link: &mut Link, reply: Option<Result<Response, Error>>) -> Outcome {
    let mut error = match reply {
        Some(Err(e)) => step_error(&e),
        Some(Ok(_)) => StepError::Broken(Kind::Protocol, "the server spoke out of turn".into()),
        None => {
            return before_body(
                Step::Body,
                StepError::Broken(Kind::Timeout, "the server stopped reading".into()),
            );
        }
    };
    if let Ok(Err(e)) = timeout(limits::EARLY_REPLY, link.conn().read_response()).await
        && e.status().is_some()
    {
        error = step_error(&e);
    }
    before_body(Step::Body, error)
}

/// Ends a transaction that was refused, so that the connection can take the next mail.
pub(super) async fn reset(link: &mut Link, outcome: &Outcome) -> After {
    if after_refusal(outcome) == After::Drop {
        return After::Drop;
    }
    match link.complete(within(limits::CLEAN_UP, far()), Rset).await {
        Ok(()) => {
            link.last_used = Instant::now();
            After::Keep
        }
        Err(_) => After::Drop,
    }
}

/// RSET, whatever the reply.
pub(super) async fn take_back(link: &mut Link) {
    if let Err(e) = link.complete(within(limits::CLEAN_UP, far()), Rset).await {
        tracing::trace!(?e, "RSET was not answered");
    }
}

/// Says goodbye; nothing depends on the reply.
pub(super) async fn quit(mut link: Link) {
    if let Err(StepError::Broken(_, why)) = link.step(within(limits::CLEAN_UP, far()), Quit).await {
        tracing::trace!(why, "QUIT was not answered");
    }
}

fn after_refusal(outcome: &Outcome) -> After {
    match outcome {
        Outcome::Rejected { code: Some(_), .. }
        | Outcome::Deferred {
            code: Some(_),
            trouble: None,
            ..
        } => After::Keep,
        // Our own refusal, before MAIL: the connection was not touched.
        Outcome::Rejected { code: None, .. } => After::Keep,
        _ => After::Drop,
    }
}

/// The outcome of a refusal: of a command before the body, or of the body itself.
fn before_body(step: Step, error: StepError) -> Outcome {
    let (code, text) = match error {
        StepError::Broken(kind, why) => {
            return Outcome::Deferred {
                code: None,
                text: format!("{step}: {why}"),
                trouble: Some(AccountState::Down),
                why: Some(Why { step, kind }),
            };
        }
        StepError::Refused { code, text } => (code, text),
    };
    let kind = Kind::Refused;
    let trouble = match code {
        // RFC 5321 §3.8: the service closes; RFC 4954 §6: authentication is needed or failed.
        421 => Some(AccountState::Down),
        530 | 534 | 535 | 538 => Some(AccountState::NeedsSignIn),
        500..=599 => {
            return Outcome::Rejected {
                code: Some(code),
                text: format!("{step}: {text}"),
                why: Some(Why { step, kind }),
            };
        }
        _ => None,
    };
    Outcome::Deferred {
        code: Some(code),
        text: format!("{step}: {text}"),
        trouble,
        why: Some(Why { step, kind }),
    }
}

fn sent(reply: &Response, host: &str) -> Outcome {
    let text = reply.message().collect::<Vec<_>>().join(" ");
    let name = provider::name_in(&text, host);
    Outcome::Sent {
        code: reply.code().into(),
        text,
        provider_id: name.id,
        aliases: name.message_ids,
    }
}

fn unknown(why: &str) -> Outcome {
    Outcome::Unknown {
        why: format!("The mail was handed over, then: {why}"),
    }
}

fn rejected(text: impl Into<String>) -> Outcome {
    Outcome::Rejected {
        code: None,
        text: text.into(),
        why: Some(Why {
            step: Step::Mail,
            kind: Kind::Mail,
        }),
    }
}

/// A deadline that is none: the limit beside it counts.
fn far() -> Instant {
    let now = Instant::now();
    now.checked_add(std::time::Duration::from_secs(24 * 3600))
        .unwrap_or(now)
}

/// An envelope address, its domain in the ASCII form that needs no SMTPUTF8.
pub(super) fn address(written: &str) -> Option<Address> {
    let written = written.trim();
    if written.chars().any(char::is_control) || written.len() > 320 {
        return None;
    }
    let (local, domain) = written.rsplit_once('@')?;
    let domain = if domain.is_ascii() {
        domain.to_owned()
    } else {
        idna::domain_to_ascii(domain).ok()?
    };
    Address::new(local, domain).ok()
}

/// The mail with every line ended by CRLF: RFC 5321 §2.3.8 forbids bare CR and LF, and a bare LF
/// before a dot ends a mail early at some servers ("SMTP smuggling").
fn crlf(raw: &[u8]) -> Cow<'_, [u8]> {
    let mut previous = 0;
    let mut clean = true;
    for &b in raw {
        if (b == b'\n') != (previous == b'\r') {
            clean = false;
            break;
        }
        previous = b;
    }
    if clean && previous != b'\r' {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len().saturating_add(64));
    let mut bytes = raw.iter().peekable();
    while let Some(&b) = bytes.next() {
        match b {
            b'\r' => {
                bytes.next_if(|next| **next == b'\n');
                out.extend_from_slice(b"\r\n");
            }
            b'\n' => out.extend_from_slice(b"\r\n"),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_become_crlf_and_right_ones_are_not_copied() {
        assert!(matches!(crlf(b"a\r\nb\r\n"), Cow::Borrowed(_)));
        assert!(matches!(crlf(b""), Cow::Borrowed(_)));
        let table: [(&[u8], &[u8]); 6] = [
            (b"a\nb", b"a\r\nb"),
            (b"a\rb", b"a\r\nb"),
            (b"a\n.\nb", b"a\r\n.\r\nb"),
            (b"a\r", b"a\r\n"),
            (b"\r\r\n", b"\r\n\r\n"),
            (b"a\r\n\n", b"a\r\n\r\n"),
        ];
        for (raw, want) in table {
            assert_eq!(crlf(raw).as_ref(), want);
        }
    }

    #[test]
    fn addresses_that_could_carry_a_command_are_refused() {
        for bad in [
            "",
            "x",
            "@x.example",
            "x@",
            "a b@x.example",
            "a@x.example>\r\nRCPT TO:<b@y",
        ] {
            assert!(address(bad).is_none(), "{bad}");
        }
        let mapped = address("ann@bücher.example").unwrap();
        assert_eq!(mapped.to_string(), "ann@xn--bcher-kva.example");
        assert!(address("jürgen@x.example").is_some());
    }

    #[test]
    fn utf8_is_needed_for_addresses_and_headers_8bit_for_the_rest() {
        let of = |to: &'static str, raw: &'static str| {
            let mail = OutgoingMail {
                envelope_from: "a@x.example",
                envelope_to: to,
                raw: raw.as_bytes(),
            };
            let p = Prepared::new(&mail).unwrap_or_else(|_| panic!("refused"));
            (p.utf8, p.eight_bit)
        };
        assert_eq!(of("b@x.example", "Subject: a\r\n\r\nb"), (false, false));
        assert_eq!(of("b@x.example", "Subject: a\r\n\r\nü"), (false, true));
        assert_eq!(of("b@x.example", "Subject: ü\r\n\r\nb"), (true, true));
        assert_eq!(of("ü@x.example", "Subject: a\r\n\r\nb"), (true, false));
    }
}
