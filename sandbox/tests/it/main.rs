//! The server seen by a client that knows nothing but bytes: one test a command, one a fault.
//! Everything waits for an event under a deadline; nothing sleeps to let something happen.

mod client;
mod idle;
mod idle_faults;
mod imap_auth;
mod imap_faults;
mod imap_fetch;
mod imap_mailbox;
mod limits;
mod proxy;
mod robots;
mod smtp;
mod smtp_faults;
