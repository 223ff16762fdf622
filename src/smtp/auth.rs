//! Signing in to an SMTP server: AUTH PLAIN, LOGIN, XOAUTH2 and OAUTHBEARER (RFC 4954).
//!
//! lettre's `auth` chooses by the EHLO that came before STARTTLS and cannot answer the error
//! challenge of the last two, so the commands are driven by hand. No text here repeats what was sent.

use std::fmt::{self, Display};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::Auth;
use lettre::transport::smtp::response::Response;
use secrecy::zeroize::Zeroizing;
use tokio::time::Instant;

use super::connect::{Failure, Features, Link, StepError, within};
use super::error::{Kind, Step};
use super::limits;
use crate::config::AuthMechanism;
use crate::credential::SignIn;
use crate::credential::sasl::{self, Bearer};

/// How to prove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Driven by lettre's commands.
    Password(Mechanism),
    Token(Bearer),
}

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
    let way = choose(wanted, sign_in.secret.is_token(), &link.features)?;
    let (user, secret) = (sign_in.user.as_str(), sign_in.secret.expose());
    let mut status = None;
    let reply = match way {
        Way::Password(mechanism) => with_password(link, mechanism, user, secret, until).await,
        Way::Token(bearer) => with_token(link, bearer, sign_in, until, &mut status).await,
    };
    match reply {
        Ok(reply) if reply.has_code(235) => Ok(()),
        Ok(_) => Err(protocol("Sign-in: unexpected reply")),
        Err(Stop::NotUnderstood) => Err(protocol(
            "Sign-in: the server's challenge is not understood",
        )),
        Err(Stop::Step(e)) => Err(refused(e.during(Step::SignIn), sign_in, status)),
    }
}

fn protocol(text: &str) -> Failure {
    Failure::new(Step::SignIn, Kind::Protocol, text)
}

/// Why the dialogue ended before its last reply.
enum Stop {
    Step(StepError),
    NotUnderstood,
}

impl From<StepError> for Stop {
    fn from(e: StepError) -> Self {
        Self::Step(e)
    }
}

async fn with_password(
    link: &mut Link,
    mechanism: Mechanism,
    user: &str,
    secret: &str,
    until: Instant,
) -> Result<Response, Stop> {
    let credentials = Credentials::new(user.to_owned(), secret.to_owned());
    let own = |_| Stop::NotUnderstood;
    let first = Auth::new(mechanism, credentials.clone(), None).map_err(own)?;
    let mut reply = link.step(within(limits::AUTH, until), first).await?;
    // LOGIN asks twice.
    for _ in 0..3 {
        if !reply.has_code(334) {
            break;
        }
        let next = Auth::new_from_response(mechanism, credentials.clone(), &reply).map_err(own)?;
        reply = link.step(within(limits::AUTH, until), next).await?;
    }
    Ok(reply)
}

/// RFC 4954 §4, with the token as the initial response. A refusal comes as a challenge that wants
/// an answer; then the final reply follows. `status` is the word in that challenge.
async fn with_token(
    link: &mut Link,
    bearer: Bearer,
    sign_in: &SignIn,
    until: Instant,
    status: &mut Option<String>,
) -> Result<Response, Stop> {
    let message = bearer.message(&sign_in.user, sign_in.secret.expose());
    let encoded = Zeroizing::new(STANDARD.encode(message.as_str()));
    let first = Line(Zeroizing::new(format!(
        "AUTH {} {}",
        bearer.name(),
        *encoded
    )));
    let mut reply = link.step(within(limits::AUTH, until), first).await?;
    if reply.has_code(334) {
        *status = reply.first_line().and_then(sasl::refusal_status);
        let answer = Line(Zeroizing::new(bearer.answer_to_refusal().to_owned()));
        reply = link.step(within(limits::AUTH, until), answer).await?;
    }
    Ok(reply)
}

/// A line as it goes out.
struct Line(Zeroizing<String>);

impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)?;
        f.write_str("\r\n")
    }
}

/// A refusal of the sign-in, with the server's word for it and without anything secret.
fn refused(failure: Failure, sign_in: &SignIn, status: Option<String>) -> Failure {
    let (user, secret) = (sign_in.user.as_str(), sign_in.secret.expose());
    let mut text = without_secrets(&failure.text, user, secret);
    if let Some(status) = status {
        text = format!("{text} (status {status})");
    }
    let mut failure = Failure { text, ..failure };
    if sign_in.secret.is_token() && failure.code.is_some_and(|c| c >= 500) {
        failure.why.kind = Kind::TokenRefused;
    }
    failure
}

fn choose(wanted: AuthMechanism, token: bool, offered: &Features) -> Result<Way, Failure> {
    use AuthMechanism::{Auto, Login, OAuthBearer, Plain, XOAuth2};
    let password = |mechanism| Some(Way::Password(mechanism));
    let bearer = |bearer| Some(Way::Token(bearer));
    let found = match (wanted, token) {
        (XOAuth2, true) if offered.xoauth2 => bearer(Bearer::XOAuth2),
        (OAuthBearer, true) if offered.oauthbearer => bearer(Bearer::OAuthBearer),
        (Auto, true) if offered.xoauth2 => bearer(Bearer::XOAuth2),
        (Auto, true) if offered.oauthbearer => bearer(Bearer::OAuthBearer),
        (Plain | Auto, false) if offered.plain => password(Mechanism::Plain),
        (Login | Auto, false) if offered.login => password(Mechanism::Login),
        _ => None,
    };
    found.ok_or_else(|| {
        if !(offered.plain || offered.login || offered.xoauth2 || offered.oauthbearer) {
            let text = "Sign-in: the server offers no mechanism that we know";
            return Failure::new(Step::SignIn, Kind::NoAuth, text);
        }
        let text = match (wanted, token) {
            (Auto, true) => {
                "Sign-in: the server offers neither XOAUTH2 nor OAUTHBEARER, so it takes no token"
            }
            (Auto, false) => "Sign-in: the server offers neither PLAIN nor LOGIN",
            (XOAuth2 | OAuthBearer, false) => "Sign-in: XOAUTH2 and OAUTHBEARER need a token",
            (Plain | Login, true) => "Sign-in: a token needs XOAUTH2 or OAUTHBEARER",
            _ => "Sign-in: the server does not offer the mechanism that is set",
        };
        Failure::new(Step::SignIn, Kind::NoMechanism, text)
    })
}

/// A refusal's text, unless it repeats what we sent (some servers do).
fn without_secrets(text: &str, user: &str, secret: &str) -> String {
    let sent = [
        secret.to_owned(),
        STANDARD.encode(secret),
        STANDARD.encode(format!("\0{user}\0{secret}")),
        STANDARD.encode(Bearer::XOAuth2.message(user, secret).as_str()),
        STANDARD.encode(Bearer::OAuthBearer.message(user, secret).as_str()),
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
