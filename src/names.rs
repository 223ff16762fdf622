//! Name lookup by the system's resolver, with the two failures told apart that want different
//! remedies: a name that nobody knows, and name servers that do not answer.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::tls::ascii_host;

/// More than any mail service publishes; the rest of a longer answer is not looked at.
const MAX: usize = 16;

/// Why a host name gave no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NameError {
    /// The name is not known, or has no address.
    #[error("the host name is not known")]
    Unknown,
    /// No name server answered: nothing is known about the name.
    #[error("no name server answers")]
    NoAnswer,
}

/// The addresses of a host name or of an address as text, in the resolver's order, 16 at most.
///
/// # Errors
/// [`NameError`]; `limit` passing is [`NameError::NoAnswer`].
pub async fn lookup(host: &str, port: u16, limit: Duration) -> Result<Vec<SocketAddr>, NameError> {
    let host = ascii_host(host);
    match timeout(limit, lookup_host((host.as_str(), port))).await {
        Ok(Ok(found)) => {
            let found: Vec<SocketAddr> = found.take(MAX).collect();
            if found.is_empty() {
                return Err(NameError::Unknown);
            }
            Ok(found)
        }
        Ok(Err(e)) => Err(told_apart(&e)),
        Err(_) => Err(NameError::NoAnswer),
    }
}

/// getaddrinfo's EAI_AGAIN has no `io::ErrorKind` of its own: std keeps the C library's words,
/// which are not translated, as nothing sets a locale here. glibc and musl.
fn told_apart(e: &io::Error) -> NameError {
    let words = e.to_string();
    let passing = ["Temporary failure", "Try again", "System error"];
    if passing.iter().any(|p| words.contains(p)) {
        NameError::NoAnswer
    } else {
        NameError::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_are_taken_as_they_are_and_impossible_names_are_unknown() {
        let limit = Duration::from_secs(15);
        for (host, want) in [("127.0.0.1", "127.0.0.1:993"), ("[::1]", "[::1]:993")] {
            let found = lookup(host, 993, limit).await.unwrap();
            assert_eq!(found, [want.parse::<SocketAddr>().unwrap()]);
        }
        // No resolver is asked for a label of 64 bytes (RFC 1035 §2.3.4).
        let long = format!("{}.example", "a".repeat(64));
        assert_eq!(lookup(&long, 1, limit).await, Err(NameError::Unknown));
    }

    #[test]
    fn the_c_librarys_words_tell_a_dead_resolver_from_an_unknown_name() {
        let of = |words: &str| {
            let text = format!("failed to lookup address information: {words}");
            told_apart(&io::Error::other(text))
        };
        assert_eq!(of("Name or service not known"), NameError::Unknown);
        assert_eq!(
            of("No address associated with hostname"),
            NameError::Unknown
        );
        assert_eq!(of("Name does not resolve"), NameError::Unknown);
        assert_eq!(
            of("Temporary failure in name resolution"),
            NameError::NoAnswer
        );
        assert_eq!(of("Try again"), NameError::NoAnswer);
    }
}
