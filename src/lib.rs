//! replyd listens to mailboxes, captures each reply to a campaign mail once, and answers it or
//! hands it to people. docs/ARCHITECTURE.md has the flow and the invariants (I1 to I8).
//!
//! | to read | where |
//! | --- | --- |
//! | what the user typed, and what each command does | [`cli`], [`commands`] |
//! | settings | [`config`] |
//! | how the parts are put together, for every mode | [`app`] |
//! | one mailbox account: connect, catch up, wait | [`listener`], [`imap`] |
//! | from bytes to rows | [`capture`], [`mime`], [`nature`], [`visible`], [`matcher`], [`disposition`] |
//! | the database, and all SQL | [`store`] |
//! | what the lead wants, and what is done | [`reply`] |
//! | mails that leave | [`outbox`], [`smtp`] |
//! | leads and sent mails from files, campaign mails | [`campaign`] |
//! | ids and keys | [`msgid`], [`unsubscribe`], [`keys`] |
//! | small tools | [`model`], [`time`], [`wake`], [`retry`], [`tls`], [`http`], [`telemetry`], [`status`], [`faultpoint`] |

pub mod app;
pub mod campaign;
pub mod capture;
pub mod cli;
pub mod commands;
pub mod config;
#[cfg(feature = "demo")]
mod demo;
pub mod disposition;
pub mod faultpoint;
pub mod http;
pub mod imap;
pub mod keys;
pub mod listener;
pub mod matcher;
pub mod mime;
pub mod model;
pub mod msgid;
pub mod nature;
pub mod outbox;
pub mod reply;
pub mod retry;
pub mod smtp;
pub mod status;
pub mod store;
pub mod telemetry;
pub mod time;
pub mod tls;
pub mod unsubscribe;
pub mod visible;
pub mod wake;
