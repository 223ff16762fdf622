//! AUTH PLAIN, LOGIN and XOAUTH2 (RFC 4954).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{MAX_LINE, Session};
use crate::faults::SmtpPoint;
use crate::sasl;
use crate::wire::Stop;

/// What the client said; the reply when it was nothing usable.
type Exchange = Result<String, (u16, &'static str)>;

impl Session {
    async fn challenge(&mut self, text: &str) -> Result<Exchange, Stop> {
        let challenge = BASE64.encode(text);
        self.reply(334, &challenge).await?;
        let line = self.wire.read_line(MAX_LINE).await?;
        Ok(decode(&String::from_utf8_lossy(&line)))
    }

    pub(super) async fn auth(&mut self, rest: &str) -> Result<(), Stop> {
        if self.client.is_none() || self.mail.is_some() || self.user.is_some() {
            return self.mistake(503, "5.5.1 Not now").await;
        }
        if self.is_hidden("AUTH") {
            return self.mistake(502, "5.5.1 Not available").await;
        }
        if self.needs_tls() {
            return self.reply(538, "5.7.11 Encryption required").await;
        }
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let mechanism = mechanism.to_ascii_uppercase();
        if !matches!(mechanism.as_str(), "PLAIN" | "LOGIN" | "XOAUTH2") {
            return self.mistake(504, "5.5.4 Unknown mechanism").await;
        }
        let prompt = if mechanism == "LOGIN" {
            "Username:"
        } else {
            ""
        };
        let first = if initial.is_empty() {
            self.challenge(prompt).await?
        } else {
            decode(initial)
        };
        let first = match first {
            Ok(first) => first,
            Err((code, text)) => return self.mistake(code, text).await,
        };
        let claim = match mechanism.as_str() {
            "PLAIN" => sasl::plain(first.as_bytes()),
            "XOAUTH2" => sasl::xoauth2(first.as_bytes()),
            _ => match self.challenge("Password:").await? {
                Ok(password) => Some((first, password)),
                Err((code, text)) => return self.mistake(code, text).await,
            },
        };
        let Some((name, secret)) = claim else {
            return self.mistake(501, "5.5.2 Response not understood").await;
        };
        if self.fault(SmtpPoint::Auth, Some(&name)).await? {
            return Ok(());
        }
        let by_token = mechanism == "XOAUTH2";
        let user = self.shared.store.user(&name).filter(|user| {
            if by_token {
                user.token_is(&secret)
            } else {
                user.password_is(&secret)
            }
        });
        let Some(user) = user else {
            if by_token {
                // The error is a challenge, which the client answers by an empty line.
                let error = BASE64.encode(sasl::XOAUTH2_ERROR);
                self.reply(334, &error).await?;
                self.wire.read_line(MAX_LINE).await?;
            }
            return self.reply(535, "5.7.8 Authentication failed").await;
        };
        self.user = Some(Arc::clone(&user));
        self.reply(235, "2.7.0 Authentication successful").await
    }
}

fn decode(text: &str) -> Exchange {
    if text == "*" {
        return Err((501, "5.7.0 Cancelled"));
    }
    let bytes = BASE64.decode(text.trim_start_matches('='));
    bytes
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or((501, "5.5.2 Not base64"))
}
