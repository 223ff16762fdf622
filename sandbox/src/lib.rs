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
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use replyd_sandbox::faults::{Action, Status, Times, Who};
//! use replyd_sandbox::{Options, Sandbox, Verb};
//!
//! let sandbox = Sandbox::start(Options::default()).await?;
//! sandbox.add_user("ann@example.com", "secret");
//! // The first EXAMINE is refused; the first FETCH is held until the test lets it go.
//! let no = Action::Tagged(Status::No, "[UNAVAILABLE] Try later".to_owned());
//! sandbox.faults().at(Who::user("ann@example.com"), Times::Once, Verb::Examine, no);
//! let gate = sandbox.faults().hold(Who::user("ann@example.com"), Verb::UidFetch);
//! sandbox.deliver("ann@example.com", "INBOX", b"Subject: Hi\r\n\r\n", None)?;
//! // … start the client under test on sandbox.imap_addr(), trusting sandbox.ca_pem() …
//! gate.release();
//! # let soon = Duration::from_secs(5);
//! sandbox.wait_for_messages("ann@example.com", "INBOX", 1, soon).await?;
//! sandbox.stop().await;
//! # Ok(())
//! # }
//! ```
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
