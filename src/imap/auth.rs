//! Signing in: XOAUTH2, OAUTHBEARER, PLAIN or LOGIN, whichever fits what we hold and what is offered.
//!
//! Every buffer of ours that holds a secret is wiped when dropped; no secret and no text in which
//! the server repeats one ends in an error.

use std::collections::VecDeque;

use async_imap::imap_proto::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;

use super::capabilities::Capabilities;
use super::error::{ImapError, NoMechanism, Step};
use super::limits::COMMAND;
use super::quote::{can_be_quoted, quoted};
use super::wire::Wire;
use crate::config::AuthMechanism;
use crate::credential::SignIn;
use crate::credential::sasl::{self, Bearer};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    XOAuth2,
    OAuthBearer,
    Plain,
    Login,
}

/// The first line, and what follows each "+" of the server.
struct Dialogue {
    first: Zeroizing<Vec<u8>>,
    answers: VecDeque<Zeroizing<Vec<u8>>>,
}

impl Dialogue {
    /// The base64 words in it, which must not come back in an error.
    fn secret_words(&self) -> Vec<Zeroizing<String>> {
        let lines = std::iter::once(&self.first).chain(&self.answers);
        lines
            .filter_map(|line| std::str::from_utf8(line).ok())
            .filter_map(|line| line.split_whitespace().last())
            .filter(|word| word.len() >= 8 && STANDARD.decode(word).is_ok())
            .map(|word| Zeroizing::new(word.to_owned()))
            .collect()
    }
}

/// Signs in, and returns the capabilities where the server gave them along (RFC 3501 §6.2.3).
pub(super) async fn sign_in(
    wire: &mut Wire,
    caps: &Capabilities,
    wanted: AuthMechanism,
    sign_in: &SignIn,
) -> Result<Option<Capabilities>, ImapError> {
    let secret = sign_in.secret.expose();
    let way = choose(wanted, sign_in.secret.is_token(), caps)?;
    let tag = wire.tag();
    let mut talk = dialogue(&tag, way, &sign_in.user, secret, caps.sasl_ir)?;
    let sent = talk.secret_words();
    let mut told = None;
    let mut status = None;
    let see = |r: &Response<'_>| match r {
        Response::Capabilities(list) => told = Some(Capabilities::new(list)),
        Response::Continue(said) => {
            let challenge = said.information.as_deref().unwrap_or_default();
            status = sasl::refusal_status(challenge).or(status.take());
        }
        _ => {}
    };
    let (step, first) = (Step::SignIn, &talk.first);
    let mut reply = wire
        .exchange(step, &tag, first, &mut talk.answers, COMMAND, see)
        .await?;
    let in_quotes = Zeroizing::new(quoted(secret));
    let in_quotes = in_quotes.get(1..in_quotes.len().saturating_sub(1));
    let mut secrets = vec![secret, in_quotes.unwrap_or_default()];
    secrets.extend(sent.iter().map(|w| w.as_str()));
    reply.said.withhold(&secrets);
    if let Some(status) = status.filter(|_| sign_in.secret.is_token()) {
        tracing::debug!(status, "the server names why it refuses the token");
        reply.said.add(&format!("status {status}"));
    }
    let reply = reply
        .ok(step)
        .map_err(|e| e.of_token(sign_in.secret.is_token()))?;
    Ok(reply.capabilities.or(told))
}

fn choose(wanted: AuthMechanism, token: bool, caps: &Capabilities) -> Result<Way, ImapError> {
    let cannot = |what| Err(ImapError::Mechanism(what));
    let way = match (wanted, token) {
        (AuthMechanism::XOAuth2 | AuthMechanism::OAuthBearer, false) => {
            return cannot(NoMechanism::PasswordForToken);
        }
        (AuthMechanism::Plain | AuthMechanism::Login, true) => {
            return cannot(NoMechanism::TokenForPassword);
        }
        (AuthMechanism::XOAuth2, true) => Way::XOAuth2,
        (AuthMechanism::OAuthBearer, true) => Way::OAuthBearer,
        (AuthMechanism::Auto, true) if caps.offers_auth("XOAUTH2") => Way::XOAuth2,
        (AuthMechanism::Auto, true) if caps.offers_auth("OAUTHBEARER") => Way::OAuthBearer,
        (AuthMechanism::Auto, true) => {
            return cannot(NoMechanism::Token);
        }
        (AuthMechanism::Plain, false) => Way::Plain,
        (AuthMechanism::Login, false) => Way::Login,
        (AuthMechanism::Auto, false) if caps.offers_auth("PLAIN") => Way::Plain,
        (AuthMechanism::Auto, false) => Way::Login,
    };
    match way {
        Way::XOAuth2 if !caps.offers_auth("XOAUTH2") => cannot(NoMechanism::XOAuth2),
        Way::OAuthBearer if !caps.offers_auth("OAUTHBEARER") => cannot(NoMechanism::OAuthBearer),
        Way::Plain if !caps.offers_auth("PLAIN") => cannot(NoMechanism::Plain),
        Way::Login if caps.login_disabled => cannot(NoMechanism::LoginDisabled),
        way => Ok(way),
    }
}

fn dialogue(
    tag: &str,
    way: Way,
    user: &str,
    secret: &str,
    sasl_ir: bool,
) -> Result<Dialogue, ImapError> {
    if user.contains('\0') || secret.contains('\0') {
        // RFC 4616 §2 and RFC 3501 §9 (CHAR8) both forbid it.
        let why = "user name and password must not contain a NUL character";
        return Err(ImapError::Credential(why.to_owned()));
    }
    match way {
        Way::Plain => {
            let plain = Zeroizing::new(format!("\0{user}\0{secret}"));
            Ok(authenticate(tag, "PLAIN", &plain, sasl_ir))
        }
        Way::XOAuth2 | Way::OAuthBearer => {
            let bearer = if way == Way::XOAuth2 {
                Bearer::XOAuth2
            } else {
                Bearer::OAuthBearer
            };
            let message = bearer.message(user, secret);
            let mut talk = authenticate(tag, bearer.name(), &message, sasl_ir);
            // A refusal comes as a challenge in base64; then the tagged NO follows.
            let answer = format!("{}\r\n", bearer.answer_to_refusal());
            talk.answers.push_back(Zeroizing::new(answer.into_bytes()));
            Ok(talk)
        }
        Way::Login => Ok(login(tag, user, secret)),
    }
}

fn authenticate(tag: &str, mechanism: &str, message: &str, sasl_ir: bool) -> Dialogue {
    let encoded = Zeroizing::new(STANDARD.encode(message));
    if sasl_ir {
        let line = format!("{tag} AUTHENTICATE {mechanism} {}\r\n", *encoded);
        return Dialogue {
            first: Zeroizing::new(line.into_bytes()),
            answers: VecDeque::new(),
        };
    }
    let line = format!("{tag} AUTHENTICATE {mechanism}\r\n");
    let answer = Zeroizing::new(format!("{}\r\n", *encoded).into_bytes());
    Dialogue {
        first: Zeroizing::new(line.into_bytes()),
        answers: VecDeque::from([answer]),
    }
}

/// LOGIN with quoted strings, or with literals for what a quoted string cannot hold (8 bit,
/// control characters: RFC 3501 §9). A literal ends a line and waits for "+".
fn login(tag: &str, user: &str, secret: &str) -> Dialogue {
    let mut lines: VecDeque<Zeroizing<Vec<u8>>> = VecDeque::new();
    let mut line = Zeroizing::new(format!("{tag} LOGIN").into_bytes());
    for word in [user, secret] {
        line.push(b' ');
        if can_be_quoted(word) {
            let quoted = Zeroizing::new(quoted(word));
            line.extend_from_slice(quoted.as_bytes());
        } else {
            line.extend_from_slice(format!("{{{}}}\r\n", word.len()).as_bytes());
            lines.push_back(std::mem::replace(
                &mut line,
                Zeroizing::new(word.as_bytes().to_vec()),
            ));
        }
    }
    line.extend_from_slice(b"\r\n");
    match lines.pop_front() {
        None => Dialogue {
            first: line,
            answers: VecDeque::new(),
        },
        Some(first) => {
            lines.push_back(line);
            Dialogue {
                first,
                answers: lines,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(talk: &Dialogue) -> Vec<String> {
        std::iter::once(&talk.first)
            .chain(&talk.answers)
            .map(|l| String::from_utf8(l.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn login_quotes_what_can_be_quoted_and_sends_the_rest_as_literals() {
        let l = |u: &str, p: &str| lines(&login("R1", u, p));
        assert_eq!(l("ann", "pw"), ["R1 LOGIN \"ann\" \"pw\"\r\n"]);
        assert_eq!(l("an\"n", "p\\w"), ["R1 LOGIN \"an\\\"n\" \"p\\\\w\"\r\n"]);
        assert_eq!(
            l("ann", "pässword"),
            ["R1 LOGIN \"ann\" {9}\r\n", "pässword\r\n"]
        );
        assert_eq!(
            l("änn", "a\r\nb"),
            ["R1 LOGIN {4}\r\n", "änn {4}\r\n", "a\r\nb\r\n"]
        );
        assert_eq!(l("änn", "pw"), ["R1 LOGIN {4}\r\n", "änn \"pw\"\r\n"]);
    }

    #[test]
    fn sasl_goes_out_at_once_where_the_server_takes_it() {
        let talk = |way, ir| lines(&dialogue("R1", way, "u", "p", ir).unwrap());
        assert_eq!(
            talk(Way::Plain, true),
            ["R1 AUTHENTICATE PLAIN AHUAcA==\r\n"]
        );
        assert_eq!(
            talk(Way::Plain, false),
            ["R1 AUTHENTICATE PLAIN\r\n", "AHUAcA==\r\n"]
        );
        let bearer = STANDARD.encode("user=u\x01auth=Bearer p\x01\x01");
        assert_eq!(
            talk(Way::XOAuth2, true),
            [
                format!("R1 AUTHENTICATE XOAUTH2 {bearer}\r\n"),
                "\r\n".into()
            ]
        );
        assert!(dialogue("R1", Way::Plain, "u", "a\0b", true).is_err());
    }
}
