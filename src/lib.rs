//! replyd listens to mailboxes, captures each reply to a campaign mail once, and answers it or
//! hands it to people. docs/ARCHITECTURE.md has the flow and the invariants (I1 to I8).
//!
//! | to read | where |
//! | --- | --- |
//! | what the user typed, and what each command does | [`cli`], [`commands`] |
//! | settings | [`config`] |
//! | how the parts are put together, for every mode | [`app`] |
//! | one mailbox account: connect, catch up, wait | [`listener`], [`imap`] |
//! | from bytes to rows | [`capture`], [`mime`], [`nature`], [`visible`], [`auth_results`], [`matcher`], [`disposition`] |
//! | one mail understood, without a mailbox or a store | [`understand`], [`evaluate`] |
//! | the database, and all SQL | [`store`] |
//! | what the lead wants, and what is done | [`reply`] |
//! | answers out of a campaign's documents | [`answers`] |
//! | the optional model endpoint | [`assistant`] |
//! | what people do with drafts and labels | [`desk`] |
//! | mails that leave | [`outbox`], [`smtp`] |
//! | what the operator is told, and /health | [`alerts`], [`web`] |
//! | leads and sent mails from files, campaign mails | [`campaign`] |
//! | ids and keys | [`msgid`], [`unsubscribe`], [`keys`] |
//! | what can go wrong, in one catalogue, and who looks for it | [`fault`], [`doctor`] |
//! | what proves who we are | [`credential`], [`oauth`] |
//! | `replyd setup`: from an address to a tried installation | [`setup`] |
//! | the service as installed on this machine | [`service`] |
//! | small tools | [`model`], [`time`], [`wake`], [`retry`], [`tls`], [`certificate`], [`names`], [`reach`], [`http`], [`telemetry`], [`status`], [`faultpoint`], [`hours`], [`zone`] |

pub mod alerts;
pub mod answers;
pub mod app;
pub mod assistant;
pub mod auth_results;
pub mod campaign;
pub mod capture;
pub mod certificate;
mod child;
pub mod cli;
pub mod commands;
pub mod config;
pub mod credential;
#[cfg(feature = "demo")]
mod demo;
pub mod desk;
pub mod disposition;
pub mod doctor;
pub mod evaluate;
pub mod export;
pub mod fault;
pub mod faultpoint;
pub mod hooks;
pub mod hours;
pub mod http;
pub mod imap;
pub mod keys;
pub mod listener;
pub mod matcher;
pub mod mime;
pub mod model;
pub mod msgid;
pub mod names;
pub mod nature;
pub mod oauth;
pub mod outbox;
pub mod reach;
pub mod reply;
pub mod retry;
pub mod service;
pub mod setup;
pub mod smtp;
pub mod status;
pub mod store;
pub mod telemetry;
pub mod time;
pub mod tls;
pub mod understand;
pub mod unsubscribe;
pub mod visible;
pub mod wake;
pub mod web;
pub mod zone;
