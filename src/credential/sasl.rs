//! The two SASL mechanisms that carry an access token: XOAUTH2 (Google's and Microsoft's, no
//! RFC) and OAUTHBEARER (RFC 7628). Pure; the same for IMAP and SMTP.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;
use serde::Deserialize;

/// A mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bearer {
    XOAuth2,
    OAuthBearer,
}

impl Bearer {
    /// Its registered name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::XOAuth2 => "XOAUTH2",
            Self::OAuthBearer => "OAUTHBEARER",
        }
    }

    /// The first and only message, not yet in base64.
    pub(crate) fn message(self, user: &str, token: &str) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::XOAuth2 => format!("user={user}\x01auth=Bearer {token}\x01\x01"),
            // RFC 7628 §3.1, with the header of RFC 5801 §4: "=" and "," stand escaped in it.
            Self::OAuthBearer => {
                let name = user.replace('=', "=3D").replace(',', "=2C");
                format!("n,a={name},\x01auth=Bearer {token}\x01\x01")
            }
        })
    }

    /// What ends the exchange after a refusal's challenge, in base64: nothing, or the dummy of
    /// RFC 7628 §3.2.3.
    pub(crate) fn answer_to_refusal(self) -> &'static str {
        match self {
            Self::XOAuth2 => "",
            Self::OAuthBearer => "AQ==",
        }
    }
}

/// The JSON of a refusal (RFC 7628 §3.2.2); XOAUTH2's has the same `status`.
#[derive(Deserialize)]
struct Refusal {
    status: String,
}

/// Why the server refuses a token, from its challenge: `invalid_token`, `400` and the like. A
/// word of at most 40 characters; nothing else of the challenge is kept.
pub(crate) fn refusal_status(challenge: &str) -> Option<String> {
    let json = STANDARD.decode(challenge.trim()).ok()?;
    let refusal: Refusal = serde_json::from_slice(&json).ok()?;
    let status = refusal.status;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let word = !status.is_empty() && status.len() <= 40 && status.chars().all(fits);
    word.then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_the_specifications() {
        // RFC 7628 §4.1, without its optional host and port.
        let m = Bearer::OAuthBearer.message("user@example.com", "vF9dft4qmT");
        let expected = "n,a=user@example.com,\x01auth=Bearer vF9dft4qmT\x01\x01";
        assert_eq!(m.as_str(), expected);
        let m = Bearer::OAuthBearer.message("a=b,c", "t");
        assert_eq!(m.as_str(), "n,a=a=3Db=2Cc,\x01auth=Bearer t\x01\x01");
        // The example of Google's page on XOAUTH2.
        let m = Bearer::XOAuth2.message(
            "someuser@example.com",
            "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg",
        );
        assert_eq!(
            STANDARD.encode(m.as_str()),
            "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ=="
        );
    }

    #[test]
    fn the_status_of_a_refusal_is_a_word_or_nothing() {
        // Google's example, and RFC 7628 §4.3.
        let google = "eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIG1hYyIsInNjb3BlIjoiaHR0cHM6Ly9tYWlsLmdvb2dsZS5jb20vIn0K";
        assert_eq!(refusal_status(google).as_deref(), Some("401"));
        let status = |json: &str| refusal_status(&STANDARD.encode(json));
        let rfc = "{\"status\":\"invalid_token\",\"scope\":\"example_scope\"}";
        assert_eq!(status(rfc).as_deref(), Some("invalid_token"));
        for nothing in [
            "",
            "{}",
            "{\"status\":401}",
            "{\"status\":\"a b\"}",
            "nonsense",
        ] {
            assert_eq!(status(nothing), None, "{nothing}");
        }
        assert_eq!(refusal_status("no base64!"), None);
        let long = format!("{{\"status\":\"{}\"}}", "x".repeat(41));
        assert_eq!(status(&long), None);
    }
}
