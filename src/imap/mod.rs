//! One connection to one IMAP server: connecting, the few commands that we use, and waiting.
//!
//! async-imap is used as a parser behind a stream only (`Client::new`, `get_mut`,
//! `read_response`); docs/ASYNC_IMAP.md says why. From the socket upwards:
//!
//! * [`guard`](Guard) bounds what the parser sees (invariant I8);
//! * `wire` writes a command with one write and reads one response under a deadline;
//! * [`connect`] opens, protects and signs in;
//! * [`Session`] runs commands, each read to its own tagged reply (invariant I2);
//! * [`Watch`] waits for news.
//!
//! Nothing here changes what the owner has in a mailbox: EXAMINE and BODY.PEEK only. APPEND adds
//! copies of our own mails to the Sent folder, where the settings ask for it.

mod append;
mod auth;
mod budget;
mod capabilities;
mod connect;
mod error;
mod fetch;
mod folder_names;
mod glance;
mod guard;
mod idle;
pub mod limits;
mod list;
mod quote;
mod refusal;
mod scan;
mod session;
mod watch;
mod wire;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use budget::ByteBudget;
pub use capabilities::Capabilities;
pub use connect::{Begun, connect, connect_over, explore};
pub use error::{ImapError, NoMechanism, Step, Unprotected};
pub use fetch::{Fetch, FetchWhat, Fetched, PREFIX_BYTES};
pub use glance::{Glance, GlanceError};
pub use guard::{Guard, GuardError};
pub use list::{Folders, Listed, Special};
pub use session::{Examined, Session, Status};
pub use watch::{Mode, News, Trouble, Watch};
pub use wire::Transport;
