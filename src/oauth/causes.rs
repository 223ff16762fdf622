//! Why a grant ends, in words that tell a person what to do.

use super::client::Refusal;
use crate::config::Provider;

/// What a refusal of a refresh token means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The grant is gone: only a person can sign in again.
    Gone,
    /// The client in the settings, or its registration, is wrong.
    Client,
    /// It may be other the next time.
    Passing,
}

/// RFC 6749 §5.2, and what OpenID Connect and Microsoft say instead of invalid_grant.
pub(crate) fn verdict(refusal: &Refusal) -> Verdict {
    let Refusal::Told { error, .. } = refusal else {
        return Verdict::Passing;
    };
    match error.as_str() {
        "invalid_grant"
        | "interaction_required"
        | "login_required"
        | "consent_required"
        | "access_denied" => Verdict::Gone,
        "temporarily_unavailable" | "server_error" | "slow_down" => Verdict::Passing,
        _ => Verdict::Client,
    }
}

/// Microsoft's numbers (https://learn.microsoft.com/entra/identity-platform/reference-error-codes).
const MICROSOFT: &[(&str, &str)] = &[
    ("AADSTS700082", "it was not used for 90 days"),
    ("AADSTS70008", "it has expired"),
    (
        "AADSTS700084",
        "it has expired: this app's sign-ins last 24 hours (registered as a single-page app)",
    ),
    (
        "AADSTS50173",
        "the password was changed, or an administrator revoked the sign-ins",
    ),
    ("AADSTS50078", "multifactor authentication is due again"),
    (
        "AADSTS50076",
        "an administrator's policy wants multifactor authentication",
    ),
    (
        "AADSTS50079",
        "an administrator's policy wants multifactor authentication",
    ),
    (
        "AADSTS53003",
        "an administrator's policy (conditional access) forbids it",
    ),
    ("AADSTS50057", "the account is disabled"),
    (
        "AADSTS65001",
        "consent to the app was withdrawn, or never given",
    ),
    (
        "AADSTS7000222",
        "the client secret has expired: make a new one in the app registration",
    ),
    (
        "AADSTS7000215",
        "the client secret is wrong: copy its value, not its id",
    ),
    ("AADSTS700016", "the tenant does not know this client id"),
    (
        "AADSTS50194",
        "the app is registered for one tenant: set oauth.tenant to its id",
    ),
    (
        "AADSTS7000218",
        "the app is not public: give it a client secret, or allow public client flows",
    ),
];

/// The cause that a server's own text names, if it is a known one.
fn named(text: &str) -> Option<&'static str> {
    // The longest number first: one is the beginning of another.
    let mut known: Vec<_> = MICROSOFT
        .iter()
        .filter(|(number, _)| text.contains(number))
        .collect();
    known.sort_by_key(|(number, _)| std::cmp::Reverse(number.len()));
    known.first().map(|(_, cause)| *cause)
}

/// What usually ends a grant.
pub(crate) fn usual(provider: Provider) -> &'static str {
    match provider {
        Provider::Google => {
            "the password was changed (that withdraws access to mail), access was withdrawn at \
             myaccount.google.com/connections, the Google project is in \"testing\" (each sign-in \
             ends after 7 days: publish it), it was not used for 6 months, or an administrator's policy"
        }
        Provider::Microsoft => {
            "the password was changed, consent was withdrawn, an administrator revoked the \
             sign-ins or set a policy (multifactor, conditional access), or it was not used for 90 days"
        }
        Provider::Custom => {
            "the password was changed, consent was withdrawn or has expired, it was not used for \
             too long, or an administrator's policy"
        }
    }
}

/// What the server said of a grant that is gone, with the cause where it names one.
/// `after_doubt`: an earlier refresh never got its answer.
pub(crate) fn gone(refusal: &Refusal, after_doubt: bool) -> String {
    let said = with_cause(&refusal.text());
    if !after_doubt {
        return said;
    }
    format!(
        "{said}. An earlier refresh never got its answer (replyd was killed, or the connection \
         broke), and this server may take a refresh token once only"
    )
}

/// What the server said of the client.
pub(crate) fn client(refusal: &Refusal) -> String {
    with_cause(&refusal.text())
}

fn with_cause(said: &str) -> String {
    match named(said) {
        Some(cause) => format!("{said}. Cause: {cause}"),
        None => said.to_owned(),
    }
}

/// The command that mends it.
pub(crate) fn remedy(account: &str) -> String {
    if account
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "@._-+".contains(c))
    {
        format!("Sign in again: replyd auth login {account}")
    } else {
        format!("Sign in again: replyd auth login '{account}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: &str, text: &str) -> Refusal {
        Refusal::Told {
            error: error.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn each_refusal_has_its_verdict() {
        for (error, due) in [
            ("invalid_grant", Verdict::Gone),
            ("interaction_required", Verdict::Gone),
            ("invalid_client", Verdict::Client),
            ("unauthorized_client", Verdict::Client),
            ("invalid_scope", Verdict::Client),
            ("invalid_request", Verdict::Client),
            ("temporarily_unavailable", Verdict::Passing),
            ("server_error", Verdict::Passing),
        ] {
            assert_eq!(verdict(&told(error, "")), due, "{error}");
        }
        let network = Refusal::Passing {
            text: "invalid_grant".into(),
            wait: None,
            in_doubt: false,
        };
        assert_eq!(verdict(&network), Verdict::Passing);
    }

    #[test]
    fn a_gone_grant_tells_what_was_said_and_the_causes() {
        let dead = told("invalid_grant", "Token has been expired or revoked.");
        assert_eq!(
            gone(&dead, false),
            "invalid_grant: Token has been expired or revoked."
        );
        assert!(gone(&dead, true).contains("never got its answer"));
        assert!(usual(Provider::Google).contains("7 days"));
        assert!(usual(Provider::Microsoft).contains("90 days"));
        assert_eq!(remedy("sales"), "Sign in again: replyd auth login sales");
        assert!(remedy("a b").ends_with("login 'a b'"));
    }

    #[test]
    fn microsofts_numbers_are_read() {
        let unused = "AADSTS700082: The refresh token has expired due to inactivity.";
        let text = gone(&told("invalid_grant", unused), false);
        assert!(
            text.ends_with("Cause: it was not used for 90 days"),
            "{text}"
        );
        let secret = told(
            "invalid_client",
            "AADSTS7000222: The provided client secret keys are expired.",
        );
        assert!(client(&secret).contains("make a new one"));
    }
}
