//! Signing in to an SMTP server: AUTH PLAIN, LOGIN and XOAUTH2 (RFC 4954).
//!
//! lettre's `auth` chooses by the EHLO that came before STARTTLS and cannot answer XOAUTH2's
//! error challenge, so its commands are driven by hand. No text here repeats what was sent.

use std::fmt::{self, Display};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::Auth;
use tokio::time::Instant;

use super::connect::{Failure, Features, Link, StepError, within};
use super::error::{Kind, Step};
use super::limits;
use crate::config::AuthMechanism;
use crate::credential::SignIn;

/// Proves who we are; never over an unprotected connection to another machine.
pub(super) async fn sign_in(
    link: &mut Link,
    wanted: AuthMechanism,
    sign_in: &SignIn,
    until: Instant,
) -> Result<(), Failure> {
    if !link.wire.is_encrypted() && !link.wire.is_loopback() {
        let text = "No sign-in over an unprotected connection";
        return Err(Failure::new(Step::SignIn, Kind::NotLoopback, text));
    }
    let (user, secret) = (sign_in.user.as_str(), sign_in.secret.expose());
    let mechanism = mechanism(wanted, sign_in.secret.is_token(), &link.features)?;
    let credentials = Credentials::new(user.to_owned(), secret.to_owned());
    let refused = |e: StepError| {
        let mut failure = e.during(Step::SignIn);
        if mechanism == Mechanism::Xoauth2 && failure.code.is_some_and(|c| c >= 500) {
            failure.why.kind = Kind::TokenRefused;
        }
        let text = without_secrets(&failure.text, user, secret);
        Failure { text, ..failure }
    };
    let own = |_| {
        let text = "Sign-in: the server's challenge is not understood";
        Failure::new(Step::SignIn, Kind::Protocol, text)
    };
    let first = Auth::new(mechanism, credentials.clone(), None).map_err(own)?;
    let mut reply = link
        .step(within(limits::AUTH, until), first)
        .await
        .map_err(refused)?;
    // LOGIN asks twice; XOAUTH2 tells its error in a challenge that wants an empty line.
    for _ in 0..3 {
        if !reply.has_code(334) {
            break;
        }
        let deadline = within(limits::AUTH, until);
        reply = match mechanism {
            Mechanism::Xoauth2 => link.step(deadline, EmptyLine).await,
            _ => {
                let next = Auth::new_from_response(mechanism, credentials.clone(), &reply);
                link.step(deadline, next.map_err(own)?).await
            }
        }
        .map_err(refused)?;
    }
    if reply.has_code(235) {
        Ok(())
    } else {
        let text = "Sign-in: unexpected reply";
        Err(Failure::new(Step::SignIn, Kind::Protocol, text))
    }
}

struct EmptyLine;

impl Display for EmptyLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\r\n")
    }
}

fn mechanism(wanted: AuthMechanism, token: bool, offered: &Features) -> Result<Mechanism, Failure> {
    let found = match wanted {
        AuthMechanism::XOAuth2 => Some(Mechanism::Xoauth2).filter(|_| offered.xoauth2),
        AuthMechanism::Plain => Some(Mechanism::Plain).filter(|_| offered.plain),
        AuthMechanism::Login => Some(Mechanism::Login).filter(|_| offered.login),
        AuthMechanism::Auto if token => Some(Mechanism::Xoauth2).filter(|_| offered.xoauth2),
        AuthMechanism::Auto if offered.plain => Some(Mechanism::Plain),
        AuthMechanism::Auto => Some(Mechanism::Login).filter(|_| offered.login),
    };
    found.ok_or_else(|| {
        let none = !(offered.plain || offered.login || offered.xoauth2);
        let (kind, text) = if none {
            let text = "Sign-in: the server offers no mechanism that we know";
            (Kind::NoAuth, text)
        } else {
            let text = "Sign-in: the server does not offer the mechanism that is set";
            (Kind::NoMechanism, text)
        };
        Failure::new(Step::SignIn, kind, text)
    })
}

/// A refusal's text, unless it repeats what we sent (some servers do).
fn without_secrets(text: &str, user: &str, secret: &str) -> String {
    let sent = [
        secret.to_owned(),
        STANDARD.encode(secret),
        STANDARD.encode(format!("\0{user}\0{secret}")),
        STANDARD.encode(format!("user={user}\x01auth=Bearer {secret}\x01\x01")),
    ];
    if sent
        .iter()
        .any(|s| !s.is_empty() && text.contains(s.as_str()))
    {
        "Sign-in refused (the server's text repeated the credentials)".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_repeats_the_password_is_not_kept() {
        let text = "Sign-in refused: 535 bad password hunter2!";
        assert!(!without_secrets(text, "u", "hunter2!").contains("hunter2!"));
        let blob = STANDARD.encode("\0u\0hunter2!");
        assert!(!without_secrets(&format!("535 {blob}"), "u", "hunter2!").contains(&blob));
        assert_eq!(without_secrets(text, "u", "other"), text);
    }
}
