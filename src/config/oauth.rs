//! The `oauth` table of an account: which token server, as which client, and for what.
//!
//! google and microsoft bring their addresses and scopes along; each of them can be replaced.
//! Nothing is asked of a server here, and no token is read.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;

use super::SecretCommand;
use super::keys::{self, Key, Kind};
use super::layers::Scope;
use super::levels::Level;
use super::problem::Origin;
use super::resolve::{Got, Resolver};
use super::secrets::command;
use super::values::{Value, is_loopback};

/// Whose token server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Gmail and Google Workspace.
    Google,
    /// Microsoft 365 and Outlook.com.
    Microsoft,
    /// Any other, by its addresses.
    Custom,
}

impl Provider {
    /// The word of the settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Microsoft => "microsoft",
            Self::Custom => "custom",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a client shows its secret (RFC 6749 §2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// In the form: what Google and Microsoft document.
    Post,
    /// By HTTP Basic.
    Basic,
}

/// The secret of a registered app.
#[derive(Clone, Debug)]
pub enum ClientSecret {
    /// Known.
    Text(SecretString),
    /// Printed by a command, which is run before each request.
    Command(SecretCommand),
}

/// How an account gets its tokens.
#[derive(Clone, Debug)]
pub struct OAuthSettings {
    /// Whose server.
    pub provider: Provider,
    /// The registered app.
    pub client_id: String,
    /// Its secret; none for a public client.
    pub client_secret: Option<ClientSecret>,
    /// How the secret is sent.
    pub client_auth: ClientAuth,
    /// Where a person consents; none: only by device code.
    pub auth_url: Option<String>,
    /// Where tokens are got and renewed.
    pub token_url: String,
    /// Where a device code is got; none: not offered.
    pub device_url: Option<String>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Where the browser is sent, on this machine; without port.
    pub redirect_url: String,
    /// Its port; none: any that is free.
    pub redirect_port: Option<u16>,
    /// Certificates trusted for these addresses, besides the system's store.
    pub ca_file: Option<PathBuf>,
}

/// What a provider brings along.
struct Preset {
    auth_url: Option<String>,
    token_url: Option<String>,
    device_url: Option<String>,
    scopes: &'static [&'static str],
    redirect_url: &'static str,
}

impl Preset {
    fn of(provider: Provider, tenant: &str) -> Self {
        match provider {
            // https://developers.google.com/identity/protocols/oauth2/native-app. There is a
            // device endpoint, but it refuses the mail scope
            // (https://developers.google.com/identity/protocols/oauth2/limited-input-device).
            Provider::Google => Self {
                auth_url: Some("https://accounts.google.com/o/oauth2/v2/auth".to_owned()),
                token_url: Some("https://oauth2.googleapis.com/token".to_owned()),
                device_url: None,
                scopes: &["https://mail.google.com/"],
                redirect_url: "http://127.0.0.1",
            },
            // https://learn.microsoft.com/exchange/client-developer/legacy-protocols/
            // how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth. Its portal takes
            // http://localhost for desktop apps and then disregards the port.
            Provider::Microsoft => {
                let at = |end: &str| {
                    format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/{end}")
                };
                Self {
                    auth_url: Some(at("authorize")),
                    token_url: Some(at("token")),
                    device_url: Some(at("devicecode")),
                    scopes: &[
                        "https://outlook.office.com/IMAP.AccessAsUser.All",
                        "https://outlook.office.com/SMTP.Send",
                        "offline_access",
                    ],
                    redirect_url: "http://localhost",
                }
            }
            Provider::Custom => Self {
                auth_url: None,
                token_url: None,
                device_url: None,
                scopes: &[],
                redirect_url: "http://127.0.0.1",
            },
        }
    }
}

impl Resolver<'_> {
    /// Names of the accounts that sign in by OAuth2, without reading any secret.
    pub(super) fn oauth_accounts(&self) -> Vec<String> {
        let all = self.layers.accounts.iter().enumerate();
        all.filter(|(index, account)| {
            let scope = Scope::Account(*index);
            !account.name.is_empty() && self.layers.get(scope, &keys::OAUTH_PROVIDER).is_some()
        })
        .map(|(_, account)| account.name.clone())
        .collect()
    }

    /// The keys of an `oauth` table without a provider, which would have no effect.
    pub(super) fn refuse_oauth_without_provider(&mut self, scope: Scope) {
        let set = |key: &&&'static Key| self.layers.get(scope, key).is_some();
        if set(&&&keys::OAUTH_PROVIDER) {
            return;
        }
        let table = keys::OAUTH_PROVIDER.table();
        let first = keys::ALL.iter().filter(|k| k.table() == table).find(set);
        if let Some(key) = first {
            let origin = self.layers.get(scope, key).map(|f| f.origin.clone());
            let origin = origin.unwrap_or(Origin::Default);
            self.fault(
                scope,
                &keys::OAUTH_PROVIDER,
                &origin,
                format!("{} is set, but not the provider", key.name()),
                "Write provider = \"google\", \"microsoft\" or \"custom\"",
            );
        }
    }

    /// The table of an account whose `provider` is `got`.
    pub(super) fn oauth(&mut self, scope: Scope, got: &Got<Value>) -> Option<Arc<OAuthSettings>> {
        let provider = match &got.value {
            Value::Text(word) if word == "google" => Provider::Google,
            Value::Text(word) if word == "microsoft" => Provider::Microsoft,
            _ => Provider::Custom,
        };
        self.record_once(scope, &keys::OAUTH_PROVIDER, provider.as_str(), &got.origin);
        let tenant = self.tenant(scope, provider);
        let preset = Preset::of(provider, &tenant);
        let client_id = self.client_id(scope);
        let client_secret = self.client_secret(scope);
        let client_auth = match self.of_oauth(scope, &keys::OAUTH_CLIENT_AUTH) {
            Some(Value::Text(word)) if word == "basic" => ClientAuth::Basic,
            _ => ClientAuth::Post,
        };
        let from = Origin::From(format!("provider {provider}"));
        let auth_url = self.address_of(scope, &keys::OAUTH_AUTH_URL, preset.auth_url, &from);
        let token_url = self.address_of(scope, &keys::OAUTH_TOKEN_URL, preset.token_url, &from);
        let device_url = self.address_of(scope, &keys::OAUTH_DEVICE_URL, preset.device_url, &from);
        let scopes = match self.of_oauth(scope, &keys::OAUTH_SCOPES) {
            Some(Value::List(scopes)) => scopes,
            _ => {
                let scopes: Vec<String> = preset.scopes.iter().map(|s| (*s).to_owned()).collect();
                if !scopes.is_empty() {
                    self.record_once(scope, &keys::OAUTH_SCOPES, &scopes.join(", "), &from);
                }
                scopes
            }
        };
        let redirect_url = self.redirect_url(scope, preset.redirect_url);
        let redirect_port = match self.of_oauth(scope, &keys::OAUTH_REDIRECT_PORT) {
            Some(Value::Integer(port)) => u16::try_from(port).ok(),
            _ => None,
        };
        let ca_file = self.ca_file(scope, (&keys::OAUTH_CA_FILE, None)).ok()?;
        if token_url.is_none() {
            self.missing(scope, &keys::OAUTH_TOKEN_URL, "the token server is missing");
        } else if auth_url.is_none() && device_url.is_none() {
            let what = "there is no way to consent: neither auth_url nor device_url is set";
            self.missing(scope, &keys::OAUTH_AUTH_URL, what);
        }
        if provider == Provider::Google && client_secret.as_ref().is_some_and(Option::is_none) {
            let shown = self.shown(scope, &keys::OAUTH_CLIENT_SECRET);
            let text = format!(
                "{shown}: Google gives its desktop clients a secret and refuses them without it"
            );
            if !self.notes.iter().any(|n| n.text == text) {
                self.warn(text);
            }
        }
        Some(Arc::new(OAuthSettings {
            provider,
            client_id: client_id?,
            client_secret: client_secret?,
            client_auth,
            auth_url,
            token_url: token_url?,
            device_url,
            scopes,
            redirect_url: redirect_url?,
            redirect_port,
            ca_file,
        }))
    }

    /// A key of the table, recorded; both servers ask for it.
    fn of_oauth(&mut self, scope: Scope, key: &'static Key) -> Option<Value> {
        let got = self.value(scope, key, None)?;
        let shown = super::resolve::show(key.kind, &got.value);
        self.record_once(scope, key, &shown, &got.origin);
        Some(got.value)
    }

    fn record_once(&mut self, scope: Scope, key: &'static Key, value: &str, origin: &Origin) {
        let shown = self.shown(scope, key);
        if !self.effective.iter().any(|e| e.key == shown) {
            self.record(scope, key, value, origin);
        }
    }

    fn missing(&mut self, scope: Scope, key: &'static Key, what: &str) {
        let ways = self.ways(scope, key);
        self.fault(scope, key, &Origin::Default, what, ways);
    }

    fn tenant(&mut self, scope: Scope, provider: Provider) -> String {
        const DEFAULT: &str = "common";
        let key = &keys::OAUTH_TENANT;
        let Some(found) = self.layers.get(scope, key).map(|f| f.origin.clone()) else {
            if provider == Provider::Microsoft {
                self.record_once(scope, key, DEFAULT, &Origin::Default);
            }
            return DEFAULT.to_owned();
        };
        let tenant = match self.of_oauth(scope, key) {
            Some(Value::Text(tenant)) => tenant,
            _ => return DEFAULT.to_owned(),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if provider != Provider::Microsoft {
            let what = format!("{provider} has no tenants");
            self.fault(scope, key, &found, what, "Remove it");
        } else if tenant.is_empty() || !tenant.chars().all(fits) {
            let remedy = "Copy the Directory (tenant) ID from the app's overview";
            self.fault(
                scope,
                key,
                &found,
                format!("{tenant:?} is no tenant"),
                remedy,
            );
        }
        tenant
    }

    fn client_id(&mut self, scope: Scope) -> Option<String> {
        match self.of_oauth(scope, &keys::OAUTH_CLIENT_ID) {
            Some(Value::Text(id)) if !id.is_empty() => Some(id),
            _ => {
                let ways = self.ways(scope, &keys::OAUTH_CLIENT_ID);
                let remedy = format!("Register an app with the provider and copy its id. {ways}");
                let what = "the client id is missing";
                self.fault(
                    scope,
                    &keys::OAUTH_CLIENT_ID,
                    &Origin::Default,
                    what,
                    remedy,
                );
                None
            }
        }
    }

    /// `None`: wrong; `Some(None)`: a public client.
    fn client_secret(&mut self, scope: Scope) -> Option<Option<ClientSecret>> {
        let shown_as = &keys::OAUTH_CLIENT_SECRET;
        if let Some(way) = self.strongest(&Level::client(scope)) {
            let got = self.set(scope, way.key)?;
            if way.key.kind == Kind::Command {
                self.record_once(scope, shown_as, "set by a command", &got.origin);
                return Some(Some(ClientSecret::Command(command(&got)?)));
            }
            let (text, origin) = self.secret_value((scope, way.key), &got)?;
            self.record_once(scope, shown_as, "set", &origin);
            return Some(Some(ClientSecret::Text(text)));
        }
        let mut names = Vec::new();
        if let Some(name) = self.credential_part(scope) {
            names.push(format!("replyd.{name}.oauth-client-secret"));
        }
        if self.layers.accounts.len() == 1 {
            names.push("replyd.oauth-client-secret".to_owned());
        }
        let Some(path) = self.credential_file(&names) else {
            return Some(None);
        };
        let origin = Origin::From(format!("systemd credential {}", path.display()));
        match self.secret_of(&path) {
            Ok(text) => {
                self.record_once(scope, shown_as, "set", &origin);
                Some(Some(ClientSecret::Text(SecretString::from(text))))
            }
            Err((what, remedy)) => {
                self.fault(scope, shown_as, &origin, what, remedy);
                None
            }
        }
    }

    fn address_of(
        &mut self,
        scope: Scope,
        key: &'static Key,
        preset: Option<String>,
        from: &Origin,
    ) -> Option<String> {
        if self.layers.get(scope, key).is_some() {
            return match self.of_oauth(scope, key) {
                Some(Value::Text(url)) => Some(url),
                // Told already; the preset keeps it from being told as missing, too.
                _ => preset,
            };
        }
        if let Some(url) = &preset {
            self.record_once(scope, key, url, from);
        }
        preset
    }

    /// RFC 8252 §7.3: the browser comes back to this machine.
    fn redirect_url(&mut self, scope: Scope, preset: &str) -> Option<String> {
        let key = &keys::OAUTH_REDIRECT_URL;
        let Some(origin) = self.layers.get(scope, key).map(|f| f.origin.clone()) else {
            return Some(preset.to_owned());
        };
        let Some(Value::Text(url)) = self.of_oauth(scope, key) else {
            return None;
        };
        let (host, port) = match reqwest::Url::parse(&url) {
            Ok(parsed) => {
                let host = parsed.host_str().unwrap_or_default();
                let host = host.trim_start_matches('[').trim_end_matches(']');
                (host.to_owned(), parsed.port())
            }
            Err(_) => (String::new(), None),
        };
        let (what, remedy) = if !is_loopback(&host) || !url.starts_with("http://") {
            (
                "it does not lead to this machine",
                "Write http://127.0.0.1 or http://localhost, with a path where the provider wants one",
            )
        } else if port.is_some() {
            ("it has a port in it", "Write the port as redirect_port")
        } else {
            return Some(url);
        };
        self.fault(scope, key, &origin, what, remedy);
        None
    }
}
