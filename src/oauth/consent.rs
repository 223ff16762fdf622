//! A person's consent in a browser: the authorization code grant with PKCE (RFC 6749 §4.1, RFC
//! 7636), sent back to this machine (RFC 8252 §7.3) or pasted by hand.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use secrecy::zeroize::Zeroizing;
use sha2::{Digest as _, Sha256};

use super::client::{Refusal, TokenServer, Tokens};
use crate::config::{OAuthSettings, Provider};
use crate::credential::shown;

/// 256 bit, as RFC 7636 §7.1 wants.
const RANDOM_BYTES: usize = 32;

/// What came back instead of a code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoCode {
    /// It belongs to another attempt, or to none: it is passed over.
    #[error("this answer does not belong to this sign-in (its state differs)")]
    Foreign,
    /// No address with an answer in it.
    #[error(
        "there is no code in it: copy the whole address that the browser shows at the end, with code= and state= in it"
    )]
    Empty,
    /// The provider said no (RFC 6749 §4.1.2.1).
    #[error("the provider refuses: {0}")]
    Refused(String),
}

/// One attempt: its secrets, and where the browser is sent.
pub(crate) struct Consent {
    /// For the person's browser.
    pub(crate) url: String,
    redirect: String,
    state: String,
    verifier: Zeroizing<String>,
}

/// A code that waits to be traded for tokens.
pub(crate) struct Code(Zeroizing<String>);

impl Consent {
    /// Begins an attempt whose answer comes to `redirect`.
    ///
    /// # Errors
    /// Words for a person: there is no page for consent, or no random bytes.
    pub(crate) fn begin(
        settings: &OAuthSettings,
        redirect: String,
        address: &str,
    ) -> Result<Self, String> {
        let page = settings
            .auth_url
            .as_deref()
            .ok_or("the settings name no auth_url: only `--device` can be used")?;
        let verifier = Zeroizing::new(random()?);
        let state = random()?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        let mut url = Url::parse(page).map_err(|_| "auth_url is no address".to_owned())?;
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", &settings.client_id)
                .append_pair("redirect_uri", &redirect)
                .append_pair("state", &state)
                .append_pair("code_challenge", &challenge)
                .append_pair("code_challenge_method", "S256")
                .append_pair("login_hint", address);
            if !settings.scopes.is_empty() {
                query.append_pair("scope", &settings.scopes.join(" "));
            }
            if settings.provider == Provider::Google {
                // Without both a second consent brings no refresh token.
                query
                    .append_pair("access_type", "offline")
                    .append_pair("prompt", "consent");
            }
        }
        Ok(Self {
            url: url.to_string(),
            redirect,
            state,
            verifier,
        })
    }

    /// The code in what came back: a whole address, or its query.
    pub(crate) fn read(&self, answer: &str) -> Result<Code, NoCode> {
        let answer = answer.trim();
        let query = match answer.split_once('?') {
            Some((_, query)) => query,
            None => answer,
        };
        let query = query.split('#').next().unwrap_or_default();
        // Only to have the pairs decoded.
        let parsed =
            Url::parse(&format!("http://localhost/?{query}")).map_err(|_| NoCode::Empty)?;
        let mut found: [Option<String>; 4] = Default::default();
        let [code, state, error, text] = &mut found;
        for (name, value) in parsed.query_pairs() {
            let place = match name.as_ref() {
                "code" => &mut *code,
                "state" => &mut *state,
                "error" => &mut *error,
                "error_description" => &mut *text,
                _ => continue,
            };
            *place = Some(value.into_owned());
        }
        let [code, state, error, text] = found;
        if code.is_none() && error.is_none() {
            return Err(NoCode::Empty);
        }
        if state.as_deref() != Some(self.state.as_str()) {
            return Err(NoCode::Foreign);
        }
        if let Some(error) = error {
            let text = format!("{error} {}", text.unwrap_or_default());
            return Err(NoCode::Refused(shown(&text, &[])));
        }
        match code.filter(|c| !c.is_empty()) {
            Some(code) => Ok(Code(Zeroizing::new(code))),
            None => Err(NoCode::Empty),
        }
    }

    /// Trades the code for tokens; it is good once.
    pub(crate) async fn trade(
        &self,
        server: &TokenServer<'_>,
        code: &Code,
    ) -> Result<Tokens, Refusal> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.0.as_str()),
            ("redirect_uri", self.redirect.as_str()),
            ("code_verifier", self.verifier.as_str()),
        ];
        server.tokens(&form, &[&code.0, &self.verifier]).await
    }
}

/// 43 characters of the alphabet that PKCE and `state` may use.
fn random() -> Result<String, String> {
    let mut bytes = Zeroizing::new([0; RANDOM_BYTES]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|e| format!("the system gave no random bytes: {e}"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes.as_slice()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::config::ClientAuth;

    fn settings(provider: Provider) -> OAuthSettings {
        OAuthSettings {
            provider,
            client_id: "id".into(),
            client_secret: None,
            client_auth: ClientAuth::Post,
            auth_url: Some("https://id.example/authorize?p=1".into()),
            token_url: "https://id.example/token".into(),
            device_url: None,
            scopes: vec!["mail".into(), "offline_access".into()],
            redirect_url: "http://127.0.0.1".into(),
            redirect_port: None,
            ca_file: None,
        }
    }

    fn begun() -> Consent {
        let redirect = "http://127.0.0.1:8399".to_owned();
        Consent::begin(&settings(Provider::Google), redirect, "ann@example.com").unwrap()
    }

    #[test]
    fn the_page_gets_what_the_rfcs_want() {
        let consent = begun();
        let url = Url::parse(&consent.url).unwrap();
        let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
        let get = |k: &str| query.get(k).map_or("", String::as_str);
        assert_eq!(get("p"), "1", "what stood in auth_url stays");
        assert_eq!(get("response_type"), "code");
        assert_eq!(get("redirect_uri"), "http://127.0.0.1:8399");
        assert_eq!(get("scope"), "mail offline_access");
        assert_eq!(get("access_type"), "offline");
        assert_eq!(get("code_challenge_method"), "S256");
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(consent.verifier.as_bytes()));
        assert_eq!(get("code_challenge"), challenge);
        assert_eq!(consent.verifier.len(), 43);
        assert!(!consent.url.contains(consent.verifier.as_str()));
        assert_ne!(begun().state, consent.state);
    }

    #[test]
    fn a_code_is_taken_only_with_its_state() {
        let consent = begun();
        let state = &consent.state;
        for good in [
            format!("http://127.0.0.1:8399/?state={state}&code=4%2F0abc&scope=x"),
            format!(" http://localhost?code=4/0abc&state={state}#_=_ \n"),
            format!("code=4/0abc&state={state}"),
        ] {
            assert_eq!(
                consent.read(&good).ok().unwrap().0.as_str(),
                "4/0abc",
                "{good}"
            );
        }
        let no = |answer: &str| consent.read(answer).err();
        assert_eq!(
            no("http://127.0.0.1/?code=4/0abc&state=x"),
            Some(NoCode::Foreign)
        );
        assert_eq!(no("http://127.0.0.1/?code=4/0abc"), Some(NoCode::Foreign));
        assert_eq!(
            no("http://127.0.0.1/?error=access_denied&state=x"),
            Some(NoCode::Foreign)
        );
        for nothing in [
            "",
            "4/0abc",
            "http://127.0.0.1:8399/",
            "http://127.0.0.1/favicon.ico",
        ] {
            assert_eq!(no(nothing), Some(NoCode::Empty), "{nothing}");
        }
        let denied = no(&format!(
            "?error=access_denied&error_description=a%0Ab&state={state}"
        ));
        assert_eq!(denied, Some(NoCode::Refused("access_denied a b".into())));
    }

    #[test]
    fn without_a_page_there_is_no_consent_in_a_browser() {
        let mut settings = settings(Provider::Custom);
        settings.auth_url = None;
        let e = Consent::begin(&settings, String::new(), "a").err().unwrap();
        assert!(e.contains("--device"), "{e}");
    }
}
