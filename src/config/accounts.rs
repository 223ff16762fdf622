//! Accounts: from checked values to [`AccountSettings`].

use std::collections::{HashMap, HashSet};

use crate::model::address_key;

use super::keys::{self};
use super::layers::Scope;
use super::levels::{Server, Wanted};
use super::problem::Origin;
use super::resolve::{Got, Resolver, show};
use super::servers::{IMAP, SMTP};
use super::values::Value;
use super::{AccountSettings, AuthMechanism, ImapSettings, Security, SmtpSettings};
use super::{FolderChoice, FolderSettings, ReplyAddress, SaveSent};

impl Resolver<'_> {
    /// Every account, or problems. Secrets are read here.
    pub(super) fn accounts(&mut self) -> Vec<AccountSettings> {
        // An `accounts` of the wrong shape is told already.
        let told = self.problems.iter().any(|p| p.key == "accounts");
        if self.layers.accounts.is_empty() && !told {
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
        let mut accounts: Vec<AccountSettings> = (0..self.layers.accounts.len())
            .filter_map(|index| self.account(index))
            .collect();
        self.refuse_doubles(&accounts);
        one_reader_of_a_login(&mut accounts);
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

        self.refuse_oauth_without_provider(scope);
        let imap = self.imap(
            scope,
            old,
            imap_user.as_ref().or(user.as_ref()),
            address.as_deref(),
        );
        let smtp = self.smtp(scope, old, smtp_user, user, imap_user, address.as_deref());
        let folders = self.folders(scope);
        let reply_address = self.reply_address(scope);
        Some(AccountSettings {
            name,
            address: address?,
            from_name,
            aliases,
            imap: imap?,
            mailboxes,
            smtp: smtp?,
            folders,
            reply_address,
        })
    }

    /// Whether Reply-To may carry a token.
    pub(super) fn reply_address(&mut self, scope: Scope) -> ReplyAddress {
        match self.recorded(scope, &keys::ACCOUNT_REPLY_ADDRESS, None) {
            Some(Got {
                value: Value::Text(word),
                ..
            }) if word == "never" => ReplyAddress::Never,
            _ => ReplyAddress::Auto,
        }
    }

    fn folders(&mut self, scope: Scope) -> FolderSettings {
        let mut text = |key| match self.recorded(scope, key, None) {
            Some(Got {
                value: Value::Text(text),
                ..
            }) => text,
            _ => String::new(),
        };
        let choice = |word: String| match word.as_str() {
            "" | "auto" => FolderChoice::Auto,
            "off" => FolderChoice::Off,
            _ => FolderChoice::Named(word),
        };
        let (junk, sent) = (
            choice(text(&keys::ACCOUNT_JUNK)),
            choice(text(&keys::ACCOUNT_SENT_FOLDER)),
        );
        let save_sent = match text(&keys::ACCOUNT_SAVE_SENT).as_str() {
            "always" => SaveSent::Always,
            "never" => SaveSent::Never,
            _ => SaveSent::Auto,
        };
        let authserv_ids = match self.recorded(scope, &keys::ACCOUNT_AUTHSERV_ID, None) {
            Some(Got {
                value: Value::List(ids),
                ..
            }) => ids,
            _ => Vec::new(),
        };
        FolderSettings {
            junk,
            sent,
            save_sent,
            authserv_ids,
        }
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
            // Without an address that is told already.
            (None, None) if !old => None,
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
                if !old {
                    // No user and no address: that is told already.
                    return None;
                }
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

    /// The account's address with the name written beside it.
    pub(super) fn address(
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
    pub(super) fn aliases(
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
    pub(super) fn envelope_from(
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
            let named = [&account.folders.junk, &account.folders.sent].map(|f| match f {
                FolderChoice::Named(name) if !account.mailboxes.contains(name) => Some(name),
                _ => None,
            });
            for mailbox in account.mailboxes.iter().chain(named.into_iter().flatten()) {
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
}

/// Accounts may share a login and watch different mailboxes of it: then only the first looks for
/// the spam and the Sent folder by itself, or each mail there would be taken in twice.
fn one_reader_of_a_login(accounts: &mut [AccountSettings]) {
    let mut seen = HashSet::new();
    for account in accounts {
        let login = (
            account.imap.host.to_ascii_lowercase(),
            account.imap.user.clone(),
        );
        if !seen.insert(login) {
            for choice in [&mut account.folders.junk, &mut account.folders.sent] {
                if *choice == FolderChoice::Auto {
                    *choice = FolderChoice::Off;
                }
            }
        }
    }
}

fn is_address(text: &str) -> bool {
    text.contains('@') && super::values::address(text).is_ok_and(|(name, _)| name.is_empty())
}
