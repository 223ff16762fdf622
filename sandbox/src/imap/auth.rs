//! LOGIN and AUTHENTICATE.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::read::MAX_LINE;
use super::{Session, Tagged};
use crate::faults::ImapFault;
use crate::sasl;
use crate::stats::Count;
use crate::verbs::Verb;
use crate::wire::Stop;

/// Who somebody says to be, and the proof.
pub(super) struct Claim {
    user: String,
    proof: Proof,
}

enum Proof {
    Password(String),
    Token(String),
}

impl Claim {
    pub(super) fn password(user: String, password: String) -> Self {
        let proof = Proof::Password(password);
        Self { user, proof }
    }
}

impl Session {
    /// The exchange of AUTHENTICATE up to the claim; `Err` is the answer to a failed exchange.
    pub(super) async fn sasl(
        &mut self,
        mechanism: &str,
        initial: Option<String>,
    ) -> Result<Result<Claim, Tagged>, Stop> {
        let known = matches!(mechanism, "PLAIN" | "XOAUTH2");
        if !known || self.is_hidden(&format!("AUTH={mechanism}")) {
            return Ok(Err(Tagged::no("Unknown mechanism")));
        }
        if self.needs_tls() {
            return Ok(Err(Tagged::no("[PRIVACYREQUIRED] STARTTLS first")));
        }
        let response = match initial {
            Some(text) => text,
            None => {
                self.wire.line("+ ");
                self.wire.flush().await?;
                let line = self.wire.read_line(MAX_LINE).await?;
                String::from_utf8_lossy(&line).into_owned()
            }
        };
        if response == "*" {
            return Ok(Err(Tagged::bad("Cancelled")));
        }
        // `=` is the empty initial response (RFC 4959 §3).
        let Ok(response) = BASE64.decode(response.trim_start_matches('=')) else {
            return Ok(Err(Tagged::bad("Not base64")));
        };
        let claim = match mechanism {
            "PLAIN" => {
                sasl::plain(&response).map(|(user, password)| Claim::password(user, password))
            }
            _ => sasl::xoauth2(&response).map(|(user, token)| Claim {
                user,
                proof: Proof::Token(token),
            }),
        };
        Ok(claim.ok_or_else(|| Tagged::bad("Response not understood")))
    }

    /// Checks a claim and answers it, with the faults of `verb` for the claimed user.
    pub(super) async fn log_in(&mut self, tag: &str, verb: Verb, claim: Claim) -> Result<(), Stop> {
        let plan = self.shared.faults.plan(Some(&claim.user), verb);
        let mut plan = self.begin(plan).await?;
        if let Some((status, text)) = plan.tagged.take() {
            self.shared.counters.add(Count::FailedLogins);
            return self.answer(tag, Tagged(status, text), plan).await;
        }
        if self.user.is_some() {
            return self
                .answer(tag, Tagged::bad("Logged in already"), plan)
                .await;
        }
        if self.needs_tls() {
            let refused = Tagged::no("[PRIVACYREQUIRED] STARTTLS first");
            return self.answer(tag, refused, plan).await;
        }
        let refusal = |fault: &ImapFault| match fault {
            ImapFault::RefuseLogin(text) => Some(text.clone()),
            _ => None,
        };
        let faults = &self.shared.faults;
        if let Some(text) = faults.imap_first(Some(&claim.user), refusal) {
            self.shared.counters.add(Count::FailedLogins);
            return self.answer(tag, Tagged::no(text), plan).await;
        }
        let user = self.shared.store.user(&claim.user);
        let accepted = user.filter(|user| match &claim.proof {
            Proof::Password(password) => user.password_is(password),
            Proof::Token(token) => user.token_is(token),
        });
        let Some(user) = accepted else {
            self.shared.counters.add(Count::FailedLogins);
            if matches!(claim.proof, Proof::Token(_)) {
                // The error of XOAUTH2 is a challenge, which the client answers by an empty line.
                let error = BASE64.encode(sasl::XOAUTH2_ERROR);
                self.wire.line(format!("+ {error}"));
                self.wire.flush().await?;
                self.wire.read_line(MAX_LINE).await?;
            }
            let refused = Tagged::no("[AUTHENTICATIONFAILED] Authentication failed");
            return self.answer(tag, refused, plan).await;
        };
        self.signal_seen = user.signal_epoch();
        self.user = Some(Arc::clone(&user));
        self.shared.counters.add(Count::Logins);
        let capabilities = self.capabilities();
        let welcome = Tagged::ok(format!("[CAPABILITY {capabilities}] Logged in"));
        self.answer(tag, welcome, plan).await
    }
}
