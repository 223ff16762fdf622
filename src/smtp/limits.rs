//! Every deadline of an SMTP connection, each with the rule by which it was chosen. A test may
//! pause tokio's clock; nothing here reads the wall clock.

use std::time::Duration;

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// One TCP connection attempt: longer than three lost SYNs (1 + 2 + 4 s).
pub(super) const CONNECT: Duration = Duration::from_secs(15);
/// Addresses of one host that are tried.
pub(super) const ADDRESSES: usize = 4;
/// The TLS handshake: a few round trips.
pub(super) const TLS: Duration = Duration::from_secs(30);
/// RFC 5321 §4.5.3.2.1: the greeting. EHLO is read in the same wait.
pub(super) const GREETING: Duration = minutes(5);
/// EHLO, STARTTLS: no own value in RFC 5321; as MAIL.
pub(super) const COMMAND: Duration = minutes(5);
/// RFC 4954 §4: each step of AUTH; its back ends are slow by design, not by minutes.
pub(super) const AUTH: Duration = minutes(3);
/// RFC 5321 §4.5.3.2.2.
pub(super) const MAIL: Duration = minutes(5);
/// MAIL on a connection that was kept: a dead one is noticed soon, and a new one is made.
pub(super) const MAIL_REUSED: Duration = Duration::from_secs(15);
/// RFC 5321 §4.5.3.2.3.
pub(super) const RCPT: Duration = minutes(5);
/// RFC 5321 §4.5.3.2.4: the 354.
pub(super) const DATA: Duration = minutes(2);
/// RFC 5321 §4.5.3.2.5: no progress while the body is written.
pub(super) const DATA_BLOCK: Duration = minutes(3);
/// The whole body, however slowly it is taken.
pub(super) const BODY: Duration = minutes(10);
/// RFC 5321 §4.5.3.2.6: the reply to the final dot. Shorter turns "slow" into "twice".
pub(super) const FINAL_REPLY: Duration = minutes(10);
/// A refusal sent while we still wrote the body.
pub(super) const EARLY_REPLY: Duration = Duration::from_secs(5);
/// From the start until the handover; the claim is prolonged meanwhile.
pub(super) const BEFORE_HANDOVER: Duration = minutes(10);
/// RSET and QUIT: nothing depends on them.
pub(super) const CLEAN_UP: Duration = Duration::from_secs(5);
/// A connection that idled longer is closed: servers drop them after 5 minutes (§4.5.3.2.7),
/// some after one.
pub(super) const IDLE: Duration = Duration::from_secs(60);
/// Mails over one connection; servers limit them (Postfix and Exim at 100 and more).
pub(super) const MAILS_PER_CONNECTION: u32 = 50;
