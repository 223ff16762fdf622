//! Putting mail into mailboxes, and the robots that answer it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::shared::Shared;
use crate::stats::Count;
use crate::store::flags::Flags;
use crate::store::{DeliverError, StoredMessage};
use crate::time::mail_date;

/// Robots answer each other at most this often in a row.
const MAX_HOPS: u8 = 8;

/// A mail that a robot sends.
#[derive(Clone)]
pub struct OutgoingReply {
    /// The envelope sender; empty for a bounce.
    pub from: String,
    /// The receivers; only mailboxes of this sandbox get it.
    pub to: Vec<String>,
    /// The whole mail, lines ending in CRLF.
    pub raw: Vec<u8>,
    /// How long the robot thinks before it sends.
    pub after: Duration,
}

impl fmt::Debug for OutgoingReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingReply")
            .field("receivers", &self.to.len())
            .field("bytes", &self.raw.len())
            .field("after", &self.after)
            .finish()
    }
}

type Answer = dyn Fn(&StoredMessage) -> Vec<OutgoingReply> + Send + Sync;

/// Looks at each mail that arrives in a user's INBOX and answers it.
#[derive(Clone)]
pub(crate) struct Robot(pub(crate) Arc<Answer>);

/// A mail on its way into mailboxes, with the trace that a mail server leaves.
pub(crate) struct Envelope<'a> {
    pub(crate) from: &'a str,
    /// The client's name of itself and the protocol (RFC 3848), for the Received header.
    pub(crate) client: &'a str,
    pub(crate) protocol: &'a str,
    pub(crate) queue_id: &'a str,
    pub(crate) hops: u8,
}

/// Return-Path, Delivered-To and Received before the mail (RFC 5321 §4.4).
fn with_trace(shared: &Shared, envelope: &Envelope<'_>, to: &str, raw: &[u8]) -> Vec<u8> {
    let Envelope {
        from,
        client,
        protocol,
        queue_id,
        ..
    } = envelope;
    let date = mail_date(shared.options.clock.now_ms());
    let mut mail = format!(
        "Return-Path: <{from}>\r\nDelivered-To: {to}\r\n\
         Received: from {client} by localhost (replyd sandbox)\r\n\t\
         with {protocol} id {queue_id} for <{to}>;\r\n\t{date}\r\n"
    )
    .into_bytes();
    mail.extend_from_slice(raw);
    mail
}

/// Delivers a mail into the INBOX of one user, as a mail server does at the end of SMTP.
pub(crate) fn deliver_mail(
    shared: &Arc<Shared>,
    envelope: &Envelope<'_>,
    to: &str,
    raw: &[u8],
) -> Result<u32, DeliverError> {
    let mail = with_trace(shared, envelope, to, raw);
    deliver(shared, to, "INBOX", &mail, None, envelope.hops)
}

/// Puts a message as it is into a mailbox, which is made if it is not there. Robots see what comes
/// into an INBOX.
pub(crate) fn deliver(
    shared: &Arc<Shared>,
    address: &str,
    mailbox: &str,
    raw: &[u8],
    internal_date: Option<i64>,
    hops: u8,
) -> Result<u32, DeliverError> {
    let user = shared
        .store
        .user(address)
        .ok_or(DeliverError::UnknownUser)?;
    if raw.len() > shared.options.max_message_bytes {
        return Err(DeliverError::TooLarge);
    }
    let internal_date = internal_date.unwrap_or_else(|| shared.options.clock.now_ms());
    let raw: Arc<[u8]> = Arc::from(raw);
    let max = shared.options.max_mailbox_messages;
    let mailbox = user.mailbox_or_new(mailbox);
    let uid = mailbox.append(Arc::clone(&raw), internal_date, Flags::default(), max)?;
    shared.counters.changed();
    if mailbox.name == "INBOX"
        && let Some(robot) = user.robot()
    {
        let message = StoredMessage {
            uid,
            flags: Vec::new(),
            internal_date,
            raw,
        };
        wake_robot(shared, robot, message, hops);
    }
    Ok(uid)
}

fn wake_robot(shared: &Arc<Shared>, robot: Robot, message: StoredMessage, hops: u8) {
    if hops >= MAX_HOPS {
        tracing::warn!("Robots answer each other without end; this answer is left out");
        return;
    }
    let Ok(permit) = Arc::clone(&shared.robots).try_acquire_owned() else {
        tracing::warn!("Too many robots at work; this mail is not answered");
        return;
    };
    let task_shared = Arc::clone(shared);
    let task = async move {
        let shared = task_shared;
        let _permit = permit;
        for reply in (robot.0)(&message) {
            tokio::select! {
                () = shared.token.cancelled() => return,
                () = tokio::time::sleep(reply.after) => {}
            }
            let queue_id = shared.next_queue_id();
            let envelope = Envelope {
                from: &reply.from,
                client: "robot",
                protocol: "ESMTP",
                queue_id: &queue_id,
                hops: hops + 1,
            };
            for to in &reply.to {
                match deliver_mail(&shared, &envelope, to, &reply.raw) {
                    Ok(_) => shared.counters.add(Count::RobotReplies),
                    Err(error) => tracing::warn!(%error, "Robot's answer not delivered"),
                }
            }
        }
    };
    shared.tracker.spawn_on(task, &shared.runtime);
}
