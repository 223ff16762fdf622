//! Accounts: from checked values to [`AccountSettings`].

use std::collections::HashMap;
use std::path::PathBuf;

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::model::address_key;

use super::keys::{self, Key};
use super::layers::Scope;
use super::problem::Origin;
use super::resolve::{Got, Resolver, show};
use super::secrets::{Server, Wanted};
use super::sources::read_bounded;
use super::values::{Value, is_loopback};
use super::{AccountSettings, AuthMechanism, ImapSettings, Security, SmtpSettings};

/// Larger certificate files are refused, in bytes.
const MAX_CA_BYTES: u64 = 4 << 20;

/// The keys of one server, so that IMAP and SMTP are read by the same code.
struct ServerKeys {
    host: (&'static Key, &'static Key),
    port: (&'static Key, &'static Key),
    security: (&'static Key, &'static Key),
    auth: (&'static Key, &'static Key),
    ca_file: (&'static Key, &'static Key),
    /// Default ports for tls, starttls and plain.
    ports: [u16; 3],
}

static IMAP: ServerKeys = ServerKeys {
    host: (&keys::IMAP_HOST, &keys::ALL_IMAP_HOST),
    port: (&keys::IMAP_PORT, &keys::ALL_IMAP_PORT),
    security: (&keys::IMAP_SECURITY, &keys::ALL_IMAP_SECURITY),
    auth: (&keys::IMAP_AUTH_KEY, &keys::ALL_IMAP_AUTH),
    ca_file: (&keys::IMAP_CA_FILE, &keys::ALL_IMAP_CA_FILE),
    ports: [993, 143, 143],
};

static SMTP: ServerKeys = ServerKeys {
    host: (&keys::SMTP_HOST, &keys::ALL_SMTP_HOST),
    port: (&keys::SMTP_PORT, &keys::ALL_SMTP_PORT),
    security: (&keys::SMTP_SECURITY, &keys::ALL_SMTP_SECURITY),
    auth: (&keys::SMTP_AUTH_KEY, &keys::ALL_SMTP_AUTH),
    ca_file: (&keys::SMTP_CA_FILE, &keys::ALL_SMTP_CA_FILE),
    ports: [465, 587, 25],
};

/// How a server is reached.
struct Reach {
    host: String,
    port: u16,
    security: Security,
    /// None: no sign-in.
    auth: Option<AuthMechanism>,
    ca_file: Option<PathBuf>,
}

impl Resolver<'_> {
    /// Every account, or problems. Secrets are read here.
    pub(super) fn accounts(&mut self) -> Vec<AccountSettings> {
        if self.layers.accounts.is_empty() {
            let place = self.files.config.as_ref().map_or_else(
                || "no replyd.toml was found".to_owned(),
                |f| f.path.display().to_string(),
            );
            self.problems.push(super::Problem {
                place,
                key: "accounts".to_owned(),
                what: "there is no mailbox account".to_owned(),
                remedy:
                    "Write an [[accounts]] table in replyd.toml (replyd.sample.toml shows one), \
                         or set IMAP_USER, IMAP_PASSWORD and the like in .env"
                        .to_owned(),
            });
        }
        let accounts: Vec<AccountSettings> = (0..self.layers.accounts.len())
            .filter_map(|index| self.account(index))
            .collect();
        self.refuse_doubles(&accounts);
        accounts
    }

    fn account(&mut self, index: usize) -> Option<AccountSettings> {
        let scope = Scope::Account(index);
        let seed = self.layers.accounts.get(index)?;
        let (name, old, seed_origin) = (seed.name.clone(), seed.old, seed.origin.clone());
        let name_origin = self
            .layers
            .get(scope, &keys::ACCOUNT_NAME)
            .map_or(Origin::From("its address or user".to_owned()), |f| {
                f.origin.clone()
            });
        self.record(scope, &keys::ACCOUNT_NAME, &name, &name_origin);

        let user = self.text(scope, &keys::ACCOUNT_USER);
        let imap_user = self.text(scope, &keys::IMAP_USER);
        let smtp_user = self.text(scope, &keys::SMTP_USER);
        let address = self.address(scope, [&user, &smtp_user, &imap_user], &seed_origin);
        let aliases = self.aliases(scope, &address, [&user, &smtp_user, &imap_user]);
        let mailboxes = match self.recorded(scope, &keys::ACCOUNT_MAILBOXES, None) {
            Some(Got {
                value: Value::List(names),
                ..
            }) => names,
            _ => Vec::new(),
        };
        let from_name = match self.recorded(scope, &keys::ACCOUNT_FROM_NAME, None) {
            Some(Got {
                value: Value::Text(text),
                ..
            }) => text,
            _ => address
                .as_ref()
                .map(|(name, _)| name.clone())
                .unwrap_or_default(),
        };
        let address = address.map(|(_, addr)| addr);

        let imap = self.imap(
            scope,
            old,
            imap_user.as_ref().or(user.as_ref()),
            address.as_deref(),
        );
        let smtp = self.smtp(scope, old, smtp_user, user, imap_user, address.as_deref());
        Some(AccountSettings {
            name,
            address: address?,
            from_name,
            aliases,
            imap: imap?,
            mailboxes,
            smtp: smtp?,
        })
    }

    fn imap(
        &mut self,
        scope: Scope,
        old: bool,
        user: Option<&Got<String>>,
        address: Option<&str>,
    ) -> Option<ImapSettings> {
        let reach = self.reach(scope, &IMAP);
        let user = match (user, address) {
            (Some(user), _) => Some((user.value.clone(), user.origin.clone())),
            (None, Some(address)) if !old => {
                Some((address.to_owned(), Origin::From("address".to_owned())))
            }
            _ => {
                let ways = self.ways(scope, &keys::IMAP_USER);
                let nobody = &Origin::Default;
                self.fault(
                    scope,
                    &keys::IMAP_USER,
                    nobody,
                    "the user name is missing",
                    ways,
                );
                None
            }
        };
        if let Some((user, origin)) = &user {
            self.record(scope, &keys::IMAP_USER, user, origin);
        }
        let auth = reach
            .as_ref()
            .and_then(|r| r.auth)
            .unwrap_or(AuthMechanism::Auto);
        let credential = self.credential(&Wanted {
            scope,
            server: Server::Imap,
            auth,
            shared_user: false,
        });
        let reach = reach?;
        Some(ImapSettings {
            host: reach.host,
            port: reach.port,
            security: reach.security,
            user: user?.0,
            credential: credential?,
            auth,
            ca_file: reach.ca_file,
        })
    }

    fn smtp(
        &mut self,
        scope: Scope,
        old: bool,
        own_user: Option<Got<String>>,
        user: Option<Got<String>>,
        imap_user: Option<Got<String>>,
        address: Option<&str>,
    ) -> Option<SmtpSettings> {
        let envelope_from =
            self.envelope_from(scope, old, imap_user.as_ref(), own_user.as_ref(), address);
        let hello = (&keys::SMTP_HELLO_NAME, &keys::ALL_SMTP_HELLO_NAME);
        let hello_name = match self.recorded(scope, hello.0, Some(hello.1)) {
            Some(Got {
                value: Value::Text(name),
                ..
            }) => Some(name),
            _ => None,
        };
        let console = (&keys::SMTP_CONSOLE, &keys::ALL_SMTP_CONSOLE);
        let console = self.recorded(scope, console.0, Some(console.1));
        if matches!(
            console,
            Some(Got {
                value: Value::Bool(true),
                ..
            })
        ) {
            // Nothing leaves, so nothing else about the server has to be right.
            return Some(SmtpSettings {
                console: true,
                host: String::new(),
                port: 587,
                security: Security::StartTls,
                user: None,
                credential: None,
                auth: AuthMechanism::Auto,
                ca_file: None,
                envelope_from: envelope_from?,
                hello_name,
            });
        }
        let reach = self.reach(scope, &SMTP);
        let shared = self.text(Scope::All, &keys::ALL_SMTP_USER);
        let shared_user = own_user.is_none() && shared.is_some();
        let by_address = address.filter(|_| !old).map(|a| Got {
            value: a.to_owned(),
            origin: Origin::From("address".to_owned()),
        });
        let user = own_user.or(shared).or(user).or(imap_user).or(by_address);
        let signs_in = reach.as_ref().is_none_or(|r| r.auth.is_some());
        let (mut login, mut credential) = (None, None);
        if signs_in {
            let Some(user) = user else {
                let ways = self.ways(scope, &keys::SMTP_USER);
                let nobody = &Origin::Default;
                self.fault(
                    scope,
                    &keys::SMTP_USER,
                    nobody,
                    "the user name is missing",
                    ways,
                );
                return None;
            };
            self.record(scope, &keys::SMTP_USER, &user.value, &user.origin);
            let auth = reach
                .as_ref()
                .and_then(|r| r.auth)
                .unwrap_or(AuthMechanism::Auto);
            credential = Some(self.credential(&Wanted {
                scope,
                server: Server::Smtp,
                auth,
                shared_user,
            })?);
            login = Some(user.value);
        }
        let reach = reach?;
        Some(SmtpSettings {
            console: false,
            host: reach.host,
            port: reach.port,
            security: reach.security,
            user: login,
            credential,
            auth: reach.auth.unwrap_or(AuthMechanism::Auto),
            ca_file: reach.ca_file,
            envelope_from: envelope_from?,
            hello_name,
        })
    }

    /// Host, port and protection of a server.
    fn reach(&mut self, scope: Scope, keys: &ServerKeys) -> Option<Reach> {
        let host = self.recorded(scope, keys.host.0, Some(keys.host.1));
        let host_known = host.is_some()
            || self.layers.get(scope, keys.host.0).is_some()
            || self.layers.get(Scope::All, keys.host.1).is_some();
        if !host_known {
            let ways = self.ways(scope, keys.host.0);
            self.fault(
                scope,
                keys.host.0,
                &Origin::Default,
                "the server is missing",
                ways,
            );
        }
        let host = match host {
            Some(Got {
                value: Value::Text(host),
                ..
            }) => Some(host),
            _ => None,
        };
        let security = self.security(scope, keys, host.as_deref());
        let default_port = match security {
            Some(Security::Tls) | None => keys.ports[0],
            Some(Security::StartTls) => keys.ports[1],
            Some(Security::Plain) => keys.ports[2],
        };
        let port = self.port(scope, keys, default_port, security);
        let auth = match self.recorded(scope, keys.auth.0, Some(keys.auth.1)) {
            Some(Got {
                value: Value::Text(word),
                ..
            }) => auth_of(&word),
            _ => None,
        };
        let ca_file = self.ca_file(scope, keys);
        Some(Reach {
            host: host?,
            port,
            security: security?,
            auth,
            ca_file: ca_file.ok()?,
        })
    }

    fn security(
        &mut self,
        scope: Scope,
        keys: &ServerKeys,
        host: Option<&str>,
    ) -> Option<Security> {
        let key = keys.security.0;
        let got = self.value(scope, key, Some(keys.security.1))?;
        let loopback = host.is_some_and(is_loopback);
        let security = match &got.value {
            Value::Text(word) if word == "tls" => Security::Tls,
            Value::Text(word) if word == "starttls" => Security::StartTls,
            Value::Text(_) if loopback || host.is_none() => Security::Plain,
            Value::Text(_) => {
                self.fault(
                    scope,
                    key,
                    &got.origin,
                    "plain would send the password unprotected, and is for this machine only",
                    "Write tls or starttls",
                );
                return None;
            }
            Value::Unprotected if loopback => Security::Plain,
            Value::Unprotected => {
                self.warn(format!(
                    "{}: an unprotected connection goes to this machine only; STARTTLS is \
                     required instead",
                    got.origin
                ));
                Security::StartTls
            }
            _ => return None,
        };
        let word = match security {
            Security::Tls => "tls",
            Security::StartTls => "starttls",
            Security::Plain => "plain",
        };
        self.record(scope, key, word, &got.origin);
        Some(security)
    }

    fn port(
        &mut self,
        scope: Scope,
        keys: &ServerKeys,
        default: u16,
        security: Option<Security>,
    ) -> u16 {
        let key = keys.port.0;
        let Some(got) = self.value(scope, key, Some(keys.port.1)) else {
            if security.is_some() {
                let from = Origin::From("by its security".to_owned());
                self.record(scope, key, default.to_string(), &from);
            }
            return default;
        };
        let Value::Integer(port) = got.value else {
            return default;
        };
        let port = u16::try_from(port).unwrap_or(default);
        self.record(scope, key, port.to_string(), &got.origin);
        // RFC 8314 §7: these ports speak TLS from the first byte; the others do not.
        let implicit = port == keys.ports[0];
        let usual = keys.ports.contains(&port);
        let mismatch = match security {
            Some(Security::Tls) => usual && !implicit,
            Some(_) => implicit,
            None => false,
        };
        if mismatch {
            let shown = self.shown(scope, key);
            let word = if implicit { "tls" } else { "starttls" };
            self.warn(format!(
                "{}: {shown}: port {port} usually goes with security {word}",
                got.origin
            ));
        }
        port
    }

    /// The file of own certificates, read to see that it is one.
    fn ca_file(&mut self, scope: Scope, keys: &ServerKeys) -> Result<Option<PathBuf>, ()> {
        let key = keys.ca_file.0;
        let Some(got) = self.value(scope, key, Some(keys.ca_file.1)) else {
            return Ok(None);
        };
        let path = self.path(&got).ok_or(())?;
        let what = match read_bounded(&path, MAX_CA_BYTES) {
            Err(error) => format!("cannot read {}: {error}", path.display()),
            Ok((pem, _)) => {
                let certificates: Result<Vec<_>, _> =
                    CertificateDer::pem_slice_iter(&pem).collect();
                match certificates {
                    Ok(found) if !found.is_empty() => {
                        self.record(scope, key, path.display().to_string(), &got.origin);
                        return Ok(Some(path));
                    }
                    Ok(_) => format!("{} holds no certificate", path.display()),
                    Err(_) => format!("{} is no valid PEM file", path.display()),
                }
            }
        };
        let remedy = "Name a file with -----BEGIN CERTIFICATE----- that this user may read";
        self.fault(scope, key, &got.origin, what, remedy);
        Err(())
    }

    /// The account's address with the name written beside it.
    fn address(
        &mut self,
        scope: Scope,
        users: [&Option<Got<String>>; 3],
        seed: &Origin,
    ) -> Option<(String, String)> {
        let key = &keys::ACCOUNT_ADDRESS;
        if self.layers.get(scope, key).is_some() {
            let got = self.set(scope, key)?;
            self.record(scope, key, show(key.kind, &got.value), &got.origin);
            return match got.value {
                Value::Address { name, addr } => Some((name, addr)),
                _ => None,
            };
        }
        let by_user = users.into_iter().flatten().find(|u| is_address(&u.value));
        if let Some(user) = by_user {
            let origin = Origin::From(format!("user ({})", user.origin));
            self.record(scope, key, &user.value, &origin);
            return Some((String::new(), user.value.clone()));
        }
        let ways = self.ways(scope, key);
        self.fault(scope, key, seed, "the address is missing", ways);
        None
    }

    /// Listed aliases, and the users that are addresses: mail from them is ours too.
    fn aliases(
        &mut self,
        scope: Scope,
        address: &Option<(String, String)>,
        users: [&Option<Got<String>>; 3],
    ) -> Vec<String> {
        let mut aliases = match self.recorded(scope, &keys::ACCOUNT_ALIASES, None) {
            Some(Got {
                value: Value::List(items),
                ..
            }) => items,
            _ => Vec::new(),
        };
        let mut known: Vec<String> = aliases.iter().map(|a| address_key(a)).collect();
        known.extend(address.iter().map(|(_, addr)| address_key(addr)));
        for user in users.into_iter().flatten() {
            let key = address_key(&user.value);
            if is_address(&user.value) && !known.contains(&key) {
                known.push(key);
                aliases.push(user.value.clone());
            }
        }
        aliases
    }

    /// The envelope sender. With the predecessor's names the address is often one that nobody
    /// reads (noreply@…); then the watched mailbox's own address is taken, where the sending
    /// server can be expected to take it.
    fn envelope_from(
        &mut self,
        scope: Scope,
        old: bool,
        imap_user: Option<&Got<String>>,
        smtp_user: Option<&Got<String>>,
        address: Option<&str>,
    ) -> Option<String> {
        let key = &keys::SMTP_ENVELOPE_FROM;
        if self.layers.get(scope, key).is_some() {
            return match self.recorded(scope, key, None)?.value {
                Value::Address { addr, .. } => Some(addr),
                _ => None,
            };
        }
        let address = address?;
        let watched = imap_user.filter(|u| old && is_address(&u.value));
        if let Some(user) = watched {
            let domain = |a: &str| address_key(a).rsplit_once('@').map(|(_, d)| d.to_owned());
            let same_login =
                smtp_user.is_some_and(|s| address_key(&s.value) == address_key(&user.value));
            if same_login || domain(&user.value) == domain(address) {
                let origin = Origin::From("IMAP_USER, so that bounces are seen".to_owned());
                self.record(scope, key, &user.value, &origin);
                return Some(user.value.clone());
            }
            let shown = self.shown(scope, key);
            self.warn(format!(
                "{shown}: bounces go to {address}, which is not the watched mailbox; let it lead \
                 there, or set an envelope_from that does"
            ));
        }
        self.record(scope, key, address, &Origin::From("address".to_owned()));
        Some(address.to_owned())
    }

    /// Two accounts on one mailbox would answer everything twice.
    fn refuse_doubles(&mut self, accounts: &[AccountSettings]) {
        let mut seen: HashMap<(String, String, String), &str> = HashMap::new();
        for account in accounts {
            for mailbox in &account.mailboxes {
                let imap = &account.imap;
                let same = if mailbox.eq_ignore_ascii_case("INBOX") {
                    "INBOX"
                } else {
                    mailbox
                };
                let slot = (
                    imap.host.to_ascii_lowercase(),
                    imap.user.clone(),
                    same.to_owned(),
                );
                if let Some(other) = seen.insert(slot, &account.name) {
                    self.problems.push(super::Problem {
                        place: String::new(),
                        key: "accounts.mailboxes".to_owned(),
                        what: format!(
                            "accounts {other:?} and {:?} watch the same mailbox {mailbox:?}",
                            account.name
                        ),
                        remedy: "Let one of them watch it".to_owned(),
                    });
                }
            }
        }
    }

    fn recorded(
        &mut self,
        scope: Scope,
        key: &'static Key,
        shared: Option<&'static Key>,
    ) -> Option<Got<Value>> {
        let got = self.value(scope, key, shared)?;
        let shown = if key.kind == keys::Kind::Path {
            self.path(&got).map(|p| p.display().to_string())
        } else {
            None
        };
        let shown = shown.unwrap_or_else(|| show(key.kind, &got.value));
        self.record(scope, key, shown, &got.origin);
        Some(got)
    }

    /// A text that is set and not empty.
    fn text(&mut self, scope: Scope, key: &'static Key) -> Option<Got<String>> {
        let got = self.set(scope, key)?;
        match got.value {
            Value::Text(text) if !text.is_empty() => Some(Got {
                value: text,
                origin: got.origin,
            }),
            _ => None,
        }
    }
}

fn is_address(text: &str) -> bool {
    text.contains('@') && super::values::address(text).is_ok_and(|(name, _)| name.is_empty())
}

/// None for `none`.
fn auth_of(word: &str) -> Option<AuthMechanism> {
    match word {
        "login" => Some(AuthMechanism::Login),
        "plain" => Some(AuthMechanism::Plain),
        "xoauth2" => Some(AuthMechanism::XOAuth2),
        "none" => None,
        _ => Some(AuthMechanism::Auto),
    }
}
