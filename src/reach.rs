//! What was met on the way to a server, step by step: noted while connecting, for diagnosis. The
//! connection itself is made by the same code as every other.

use std::net::SocketAddr;
use std::time::Duration;

/// How far a connection came, and how long each step took. Steps that were not reached are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// What the host name stands for.
    pub addresses: Vec<SocketAddr>,
    /// The name lookup.
    pub resolved_in: Option<Duration>,
    /// The address that took the connection.
    pub peer: Option<SocketAddr>,
    /// TCP.
    pub connected_in: Option<Duration>,
    /// The TLS handshake.
    pub protected_in: Option<Duration>,
    /// Such as `TLS 1.3`.
    pub tls_version: Option<&'static str>,
    /// Greeting, and what goes in the clear before STARTTLS.
    pub greeted_in: Option<Duration>,
    /// The server's first line (SMTP); it may hold its clock.
    pub banner: Option<String>,
    /// What the server offers, in its own words, as of the last time that it said so.
    pub offered: Vec<String>,
    /// The sign-in.
    pub signed_in_in: Option<Duration>,
}
