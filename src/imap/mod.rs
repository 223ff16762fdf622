//! (being written)

mod connect;
mod error;
mod guard;
mod session;
mod watch;
