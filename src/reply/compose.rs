//! Builds a mail whole: headers, threading, loop protection, body. Pure: the random part of
//! the Message-ID and `now` are arguments.
//!
//! The result is 7-bit (RFC 2047 headers, quoted-printable body), so no server can refuse it
//! for lack of 8BITMIME; only a non-ASCII local part of an address needs SMTPUTF8.

use chrono::{DateTime, Utc};
use lettre::Message;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use sha2::{Digest, Sha256};

use super::templates::header_text;
use crate::keys::Keys;
use crate::matcher;
use crate::model::{AccountId, Address, CampaignLeadId, JobId, MailKind, NewMail};
use crate::msgid::{self, MsgId};
use crate::time::UtcMs;

/// Ids in References: the first and the newest; a longer chain only costs.
const MAX_REFERENCES: usize = 20;
/// A longer id would not fit a line (RFC 5322 §2.1.1: 998 characters).
const MAX_ID_CHARS: usize = 900;
/// Characters of a display name.
const MAX_NAME_CHARS: usize = 100;
/// Characters of a subject.
const MAX_SUBJECT_CHARS: usize = 250;

/// Why a mail cannot be built. Names no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// An address that cannot stand in a header.
    #[error("The {0} address is not valid")]
    Address(&'static str),
    /// The mail library refused.
    #[error("Mail cannot be built: {0}")]
    Build(String),
}

/// What a mail is made of.
#[derive(Clone, Debug)]
pub struct Draftable<'a> {
    /// What it is.
    pub kind: MailKind,
    /// The job that it answers.
    pub job_id: Option<JobId>,
    /// Grows with each `--resend`.
    pub round: i64,
    /// Through which account it leaves.
    pub account_id: AccountId,
    /// Whose conversation.
    pub campaign_lead_id: Option<CampaignLeadId>,
    /// Whether a person wrote or approved it: then it carries no Auto-Submitted.
    pub by_person: bool,
    /// From.
    pub from: Address,
    /// To.
    pub to: Address,
    /// Reply-To: the lead, on notices.
    pub reply_to: Option<Address>,
    /// Subject, decoded.
    pub subject: &'a str,
    /// The text.
    pub body: &'a str,
    /// Canonical id of the mail that it answers.
    pub in_reply_to: Option<&'a str>,
    /// Canonical ids, oldest first, without `in_reply_to`.
    pub references: &'a [String],
    /// Envelope sender.
    pub envelope_from: &'a str,
    /// `--redirect-to`: goes here instead.
    pub redirect_to: Option<&'a str>,
}

/// What only some mails have.
#[derive(Clone, Copy, Debug, Default)]
pub struct FurtherParts<'a> {
    /// The same text in HTML, beside the plain one.
    pub html: Option<&'a str>,
    /// Where an opt-out goes: URIs for List-Unsubscribe (RFC 2369 §3.2), the best first.
    pub unsubscribe: &'a [String],
    /// Whether Reply-To leads back by a token (`user+token@domain`): only where mail to such an
    /// address of From was seen to come in (docs/DECISIONS.md "Threads").
    pub reply_token: bool,
}

/// Builds the mail with a signed Message-ID in the domain of From.
///
/// # Errors
/// [`ComposeError`] when an address is not valid: permanent, a person has to mend it.
pub fn compose(
    mail: &Draftable<'_>,
    keys: &Keys,
    random: [u8; 16],
    now: UtcMs,
) -> Result<NewMail, ComposeError> {
    compose_with(mail, FurtherParts::default(), keys, random, now)
}

/// As [`compose`], with what only some mails have.
///
/// # Errors
/// As there.
pub fn compose_with(
    mail: &Draftable<'_>,
    parts: FurtherParts<'_>,
    keys: &Keys,
    random: [u8; 16],
    now: UtcMs,
) -> Result<NewMail, ComposeError> {
    let from = mailbox(&mail.from, "From")?;
    let to = match mail.redirect_to {
        Some(addr) => mailbox(
            &Address {
                name: String::new(),
                addr: addr.to_owned(),
            },
            "redirect",
        )?,
        None => mailbox(&mail.to, "recipient's")?,
    };
    let from_address = from.email.to_string();
    let id = msgid::mint(keys, from.email.domain(), random);
    let subject = cut(&header_text(mail.subject), MAX_SUBJECT_CHARS);
    let mut builder = Message::builder()
        .from(from)
        .to(to.clone())
        .subject(subject.clone())
        // Set here, so that the builder does not read the clock.
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Date"),
            DateTime::<Utc>::from_timestamp_millis(now.0)
                .unwrap_or_default()
                .to_rfc2822(),
        ))
        .message_id(Some(format!("<{id}>")));
    let by_token = parts.reply_token && concerns_lead(mail.kind);
    let token_address = matcher::reply_address(&from_address, &id).filter(|_| by_token);
    if let Some(address) = &mail.reply_to {
        builder = builder.reply_to(mailbox(address, "Reply-To")?);
    } else if let Some(addr) = token_address {
        let name = mail.from.name.clone();
        builder = builder.reply_to(mailbox(&Address { name, addr }, "Reply-To")?);
    }
    let parent = mail.in_reply_to.filter(|id| fits_header(id));
    if let Some(parent) = parent {
        builder = builder.raw_header(ids_header("In-Reply-To", &[parent]));
    }
    let mut chain = reference_chain(mail.references, parent);
    if chain.is_empty() && mail.kind == MailKind::Campaign {
        // Where a provider replaces the Message-ID the answer still refers to ours.
        chain.push(id.as_str());
    }
    if !chain.is_empty() {
        builder = builder.raw_header(ids_header("References", &chain));
    }
    // Tells a copy in the Sent folder from a person's mail, also where a server changed its
    // Message-ID on the way; signed as that is.
    builder = builder.raw_header(HeaderValue::dangerous_new_pre_encoded(
        HeaderName::new_from_ascii_str(msgid::OWN_ID_FIELD),
        id.to_string(),
        id.to_string(),
    ));
    if concerns_lead(mail.kind) {
        let root = thread_root(&chain, keys).unwrap_or_else(|| id.clone());
        for header in thread_headers(&root, &subject, now) {
            builder = builder.raw_header(header);
        }
    }
    for (name, value) in loop_protection(mail) {
        builder = builder.raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str(name),
            value.to_owned(),
        ));
    }
    if !parts.unsubscribe.is_empty() {
        builder = builder.raw_header(unsubscribe_header(parts.unsubscribe)?);
        if parts.unsubscribe.iter().any(|u| u.starts_with("https://")) {
            // RFC 8058 §3.1: with an https URI, and only then. Both fields must be covered by the
            // DKIM signature, which the mail server makes.
            builder = builder.raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("List-Unsubscribe-Post"),
                "List-Unsubscribe=One-Click".to_owned(),
            ));
        }
    }
    let text = mail.body.replace("\r\n", "\n").replace('\r', "\n");
    let plain = part(ContentType::TEXT_PLAIN, &text)?;
    let message = match parts.html {
        None => builder.singlepart(plain),
        Some(html) => builder.multipart(
            MultiPart::alternative()
                // From the id, so that the same mail is the same bytes.
                .boundary(format!("alt-{}", body_digest(id.as_str())))
                .singlepart(plain)
                .singlepart(part(ContentType::TEXT_HTML, html)?),
        ),
    }
    .map_err(|e| ComposeError::Build(e.to_string()))?;
    Ok(NewMail {
        job_id: mail.job_id,
        account_id: mail.account_id,
        kind: mail.kind,
        round: mail.round,
        campaign_lead_id: mail.campaign_lead_id,
        automatic: !mail.by_person && is_to_lead(mail.kind),
        rfc_message_id: id.to_string(),
        envelope_from: mail.envelope_from.to_owned(),
        envelope_to: to.email.to_string(),
        subject,
        body_digest: body_digest(&text),
        body: text,
        raw: message.formatted(),
        next_attempt_at: now,
    })
}

/// A part that is 7-bit on the wire.
fn part(kind: ContentType, text: &str) -> Result<SinglePart, ComposeError> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let body = Body::new_with_encoding(
        // The builder ends the part with a line break of its own.
        text.trim_end_matches('\n').replace('\n', "\r\n"),
        ContentTransferEncoding::QuotedPrintable,
    )
    .map_err(|_| ComposeError::Build("encoding".into()))?;
    Ok(SinglePart::builder().header(kind).body(body))
}

/// One URI a line, never encoded: a mail program takes them as they stand.
fn unsubscribe_header(uris: &[String]) -> Result<HeaderValue, ComposeError> {
    let odd = |b: u8| !b.is_ascii_graphic() || matches!(b, b'<' | b'>' | b',');
    if uris
        .iter()
        .any(|u| u.is_empty() || u.len() > MAX_ID_CHARS || u.bytes().any(odd))
    {
        return Err(ComposeError::Address("List-Unsubscribe"));
    }
    let bracketed: Vec<String> = uris.iter().map(|uri| format!("<{uri}>")).collect();
    Ok(HeaderValue::dangerous_new_pre_encoded(
        HeaderName::new_from_ascii_str("List-Unsubscribe"),
        bracketed.join(", "),
        bracketed.join(",\r\n "),
    ))
}

/// The digest by which equal texts are found: white space does not count.
#[must_use]
pub fn body_digest(text: &str) -> String {
    let mut hash = Sha256::new();
    for word in text.split_whitespace() {
        hash.update(word.as_bytes());
        hash.update(b" ");
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// The subject of an answer: `Re: ` once, whatever prefixes the reply's subject has.
#[must_use]
pub fn reply_subject(subject: &str) -> String {
    let clean = header_text(subject);
    let mut rest = clean.as_str();
    // Re (most), Aw and Antw (de), RV and RE (es), SV (sv), Ref (fr), TR excluded: a forward.
    loop {
        let lower = rest.to_lowercase();
        let prefix = ["re:", "aw:", "antw:", "sv:", "rif:", "re :"]
            .into_iter()
            .find(|p| lower.starts_with(p));
        match prefix.and_then(|p| rest.get(p.len()..)) {
            Some(tail) => rest = tail.trim_start(),
            None => break,
        }
    }
    let rest = if rest.is_empty() {
        "your message"
    } else {
        rest
    };
    format!("Re: {rest}")
}

/// Which of our addresses answers: the one that the lead wrote to, if it is ours.
#[must_use]
pub fn answering_address(written_to: &str, account: &str, aliases: &[String]) -> String {
    written_to
        .split([',', ';', ' ', '\t', '\n'])
        .map(crate::model::address_key)
        .filter(|key| !key.is_empty())
        .find_map(|key| {
            std::iter::once(account)
                .chain(aliases.iter().map(String::as_str))
                .find(|ours| crate::model::address_key(ours) == key)
        })
        .unwrap_or(account)
        .to_owned()
}

/// Whether an address can stand in a header.
#[must_use]
pub fn usable(address: &Address) -> bool {
    mailbox(address, "").is_ok()
}

fn is_to_lead(kind: MailKind) -> bool {
    matches!(
        kind,
        MailKind::Acknowledgment | MailKind::Answer | MailKind::OptoutConfirmation
    )
}

/// Whether it is a mail of a conversation with a lead.
fn concerns_lead(kind: MailKind) -> bool {
    is_to_lead(kind) || matches!(kind, MailKind::Campaign | MailKind::Manual)
}

/// The oldest id of ours in the chain: the mail with which the thread began.
fn thread_root(chain: &[&str], keys: &Keys) -> Option<MsgId> {
    chain
        .iter()
        .filter_map(|id| MsgId::parse(id))
        .find(|id| msgid::is_ours(keys, id))
}

/// Thread-Index and Thread-Topic, by which Outlook and Exchange keep a conversation together, also
/// where they drop References; the index carries the random part of the root's id.
fn thread_headers(root: &MsgId, subject: &str, now: UtcMs) -> Vec<HeaderValue> {
    let mut headers = Vec::new();
    if let Some(index) = matcher::thread_index(root, now) {
        headers.push(HeaderValue::dangerous_new_pre_encoded(
            HeaderName::new_from_ascii_str("Thread-Index"),
            index.clone(),
            index,
        ));
    }
    let answer = reply_subject(subject);
    let topic = answer.strip_prefix("Re: ").filter(|_| !subject.is_empty());
    if let Some(topic) = topic {
        headers.push(HeaderValue::new(
            HeaderName::new_from_ascii_str("Thread-Topic"),
            topic.to_owned(),
        ));
    }
    headers
}

/// RFC 3834 §5: what a machine sends says so, and asks other machines not to answer.
fn loop_protection(mail: &Draftable<'_>) -> Vec<(&'static str, &'static str)> {
    let mut headers = vec![("X-Replyd", mail.kind.as_str())];
    if !mail.by_person {
        let submitted = if is_to_lead(mail.kind) {
            "auto-replied"
        } else {
            "auto-generated"
        };
        headers.push(("Auto-Submitted", submitted));
        headers.push(("X-Auto-Response-Suppress", "OOF, AutoReply"));
    }
    headers
}

/// The references with the parent at the end, each once, at most [`MAX_REFERENCES`]: the first
/// (the thread's root) and the newest.
fn reference_chain<'a>(references: &'a [String], parent: Option<&'a str>) -> Vec<&'a str> {
    let mut chain: Vec<&str> = Vec::new();
    for id in references.iter().map(String::as_str) {
        if fits_header(id) && !chain.contains(&id) && Some(id) != parent {
            chain.push(id);
        }
    }
    chain.extend(parent);
    let over = chain.len().saturating_sub(MAX_REFERENCES);
    if over > 0 {
        chain.drain(1..=over);
    }
    chain
}

/// Printable ASCII without blanks and brackets: what can stand between `<` and `>`.
fn fits_header(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= MAX_ID_CHARS
        && id
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b'<' && b != b'>')
}

/// One id a line: an id is never encoded nor broken, or threading breaks with it.
fn ids_header(name: &'static str, ids: &[&str]) -> HeaderValue {
    let bracketed: Vec<String> = ids.iter().map(|id| format!("<{id}>")).collect();
    HeaderValue::dangerous_new_pre_encoded(
        HeaderName::new_from_ascii_str(name),
        bracketed.join(" "),
        bracketed.join("\r\n "),
    )
}

fn mailbox(address: &Address, what: &'static str) -> Result<Mailbox, ComposeError> {
    let (local, domain) = address
        .addr
        .trim()
        .rsplit_once('@')
        .ok_or(ComposeError::Address(what))?;
    // The ASCII form of the domain: no SMTPUTF8 is needed for it.
    let domain = idna::domain_to_ascii(domain).map_err(|_| ComposeError::Address(what))?;
    if local.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(ComposeError::Address(what));
    }
    let email = lettre::Address::new(local, domain).map_err(|_| ComposeError::Address(what))?;
    let name = cut(&header_text(&address.name), MAX_NAME_CHARS);
    Ok(Mailbox::new((!name.is_empty()).then_some(name), email))
}

fn cut(text: &str, max_chars: usize) -> String {
    text.chars().take(max_chars).collect()
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
