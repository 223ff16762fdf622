//! Every deadline and bound of a connection, in one place, each with the rule behind it.

use std::time::Duration;

/// Name lookup, and TCP to one address: a live host answers within two SYN retries (1 s, 3 s);
/// 15 s leaves room for a third (7 s).
pub const CONNECT: Duration = Duration::from_secs(15);
/// All addresses of a host together.
pub const CONNECT_ALL: Duration = Duration::from_secs(45);
/// The TLS handshake: two round trips and a signature.
pub const TLS: Duration = Duration::from_secs(15);
/// The greeting: some servers look up our address first.
pub const GREETING: Duration = Duration::from_secs(15);
/// A command without data: a loaded server may queue a sign-in or an EXAMINE for long.
pub const COMMAND: Duration = Duration::from_secs(60);
/// One STATUS of a folder beside the idling one: it must not hold that one up for long.
pub const STATUS: Duration = Duration::from_secs(30);
/// DONE, the "+" of IDLE, and a first pipelined write: answered from memory.
pub const DONE: Duration = Duration::from_secs(15);
/// LOGOUT is a courtesy.
pub const LOGOUT: Duration = Duration::from_secs(5);
/// Writing one command: it fits the socket's buffer unless the peer is gone.
pub const WRITE: Duration = Duration::from_secs(30);
/// While data flows, no byte for this long ends the command.
pub const PROGRESS: Duration = Duration::from_secs(60);
/// One response of a FETCH, however steadily it drips: a 256 KiB prefix at 440 bytes a second.
pub const RESPONSE: Duration = Duration::from_secs(600);
/// How often a wait compares the wall clock with the monotonic one: the machine slept.
pub const CLOCK_CHECK: Duration = Duration::from_secs(10);
/// A wall clock that ran ahead by more than this means that the machine slept.
pub const CLOCK_JUMP: Duration = Duration::from_secs(10);
/// A server's wish to wait is believed up to this.
pub const THROTTLE_MAX: Duration = Duration::from_secs(15 * 60);
/// First keepalive probe of an idle connection, below the usual NAT time-out of minutes.
pub const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
/// Between probes.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// Unanswered probes until the kernel gives up.
pub const KEEPALIVE_RETRIES: u32 = 4;
/// Sent data unacknowledged for this long ends the connection (60 s + 4 × 15 s as above).
pub const TCP_USER_TIMEOUT: Duration = Duration::from_secs(120);

/// The literals of one response together; we ask for 256 KiB at most. async-imap would allocate
/// up to 512 MiB at the announcement alone.
pub const LITERAL_BYTES: usize = 1024 * 1024;
/// One response without its literals: imap-proto parses it anew every 4 KiB.
pub const LINE_BYTES: usize = 1024 * 1024;
/// Parentheses: imap-proto recurses, and 400 overflow a 2 MiB stack.
pub const NESTING: u32 = 32;
/// Characters of a server's text that are kept in an error.
pub const TEXT_CHARS: usize = 200;
/// Lines of a LIST that are looked at; more folders than anybody has at one level.
pub const LIST_LINES: usize = 5_000;
/// STATUS commands in one write.
pub const STATUS_AT_ONCE: usize = 20;
/// UIDs in one FETCH by list; Microsoft 365 throttles long ones.
pub const UIDS_PER_FETCH: usize = 50;
