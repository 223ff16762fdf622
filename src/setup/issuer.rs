//! OAuth2 of an issuer of whom replyd knows nothing: its addresses and scopes, from flags or asked.

use super::desk::{Desk, Missing, Question};
use super::questions::Stop;
use crate::cli::SetupArgs;

/// Where an issuer other than Google and Microsoft gives consent and tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issuer {
    /// Its token endpoint (RFC 6749 section 3.2).
    pub token_url: String,
    /// Its page of consent (RFC 6749 section 3.1); none: device codes alone.
    pub auth_url: Option<String>,
    /// Its endpoint for device codes (RFC 8628 section 3.1).
    pub device_url: Option<String>,
    /// What the token is to be good for, as the issuer names it.
    pub scopes: Vec<String>,
}

impl Issuer {
    /// Asks for what the flags leave open.
    pub(super) fn ask(
        args: &SetupArgs,
        desk: &mut Desk,
        missing: &mut Vec<Missing>,
    ) -> Result<Self, Stop> {
        let mut line = |given: &Option<String>, text: &str, default: Option<&str>| {
            if given.is_some() {
                return Ok::<_, Stop>(given.clone());
            }
            Ok(desk.line(Question { text, default })?)
        };
        let token_url = line(&args.token_url, "Address of the token endpoint", None)?;
        let auth_url = line(
            &args.auth_url,
            "Address of the page of consent",
            args.device_url.as_ref().map(|_| ""),
        )?;
        let scopes = if args.scope.is_empty() {
            line(&None, "Scopes, with blanks between them", Some(""))?.unwrap_or_default()
        } else {
            args.scope.join(" ")
        };
        if token_url.is_none() {
            let what =
                "replyd knows Google's and Microsoft's (--provider); other issuers are named";
            missing.push(Missing::new("--token-url URL", what));
        }
        if auth_url.is_none() && args.device_url.is_none() {
            let what = "where a person consents";
            missing.push(Missing::new("--auth-url URL or --device-url URL", what));
        }
        Ok(Self {
            token_url: token_url.unwrap_or_default(),
            auth_url: auth_url.filter(|url| !url.is_empty()),
            device_url: args.device_url.clone(),
            scopes: scopes.split_whitespace().map(str::to_owned).collect(),
        })
    }

    /// Its lines of `[accounts.oauth]`.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("token_url", self.token_url.clone())];
        lines.extend(self.auth_url.iter().map(|u| ("auth_url", u.clone())));
        lines.extend(self.device_url.iter().map(|u| ("device_url", u.clone())));
        if !self.scopes.is_empty() {
            lines.push(("scopes", self.scopes.join(" ")));
        }
        lines
    }
}
