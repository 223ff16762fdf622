//! A small but honest IMAP and SMTP server in process, for replyd's demo, fault tests and load
//! tests.
//!
//! - [`Sandbox`] starts it, delivers into it, asks what it has seen, stops it; [`Options`] says what
//!   kind of server it is.
//! - [`faults`] makes it misbehave: per user or for all, once, some times or always, with gates that
//!   hold an answer until a test lets it go.
//! - [`DelayProxy`] puts round trips, cuts and black holes before any TCP server.
//! - [`Sandbox::on_delivery`] lets a mailbox answer its mail by itself.
//!
//! Inside: `store` (users, mailboxes, messages), `delivery` (into mailboxes, robots), `imap` and
//! `smtp` (sessions, one task each), `wire` (lines over TCP or TLS), `listen` (accept loops), `tls`
//! (certificates), `stats` (counters and waiting).

mod delivery;
pub mod faults;
mod imap;
mod listen;
mod options;
mod proxy;
mod sandbox;
mod sasl;
mod shared;
mod smtp;
mod stats;
mod store;
mod time;
mod tls;
mod verbs;
mod wire;

pub use delivery::OutgoingReply;
pub use options::{Options, QueueIds, Tls, UnknownRecipients};
pub use proxy::{DelayProxy, ProxyStats};
pub use sandbox::Sandbox;
pub use shared::Submission;
pub use stats::{Stats, Timeout};
pub use store::{DeliverError, StoredMessage};
pub use time::{Clock, imap_date_time, mail_date};
pub use verbs::{SmtpVerb, Verb};
