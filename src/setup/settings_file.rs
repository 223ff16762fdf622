//! replyd.toml: what it says of an account now, and the text with an account added or changed.
//! Everything else in the file, comments included, stays as it is.

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};

use secrecy::ExposeSecret;

use super::presets::Server;
use super::questions::AlertWays;
use crate::config::Security;

/// The first lines of a new file.
const HEAD: &str = "\
# Settings of replyd, written by `replyd setup`: run it again to change an account or to add one.
# Every key: docs/CONFIGURATION.md, or `replyd config reference`.
# What is in effect, or what is wrong: `replyd config check`.

";

/// Keys of a table that give a secret.
const SECRET_KEYS: [&str; 8] = [
    "password",
    "password_file",
    "password_credential",
    "password_command",
    "token_file",
    "token_credential",
    "token_command",
    "oauth",
];

/// Keys of `[accounts.oauth]` that give the app's secret.
const CLIENT_SECRET_KEYS: [&str; 4] = [
    "client_secret",
    "client_secret_file",
    "client_secret_credential",
    "client_secret_command",
];

/// Keys whose value is a secret itself.
const SECRET_VALUES: [&str; 3] = ["password", "client_secret", "webhook"];

/// What the file says of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Its address, without a name.
    pub address: String,
    /// Display name.
    pub from_name: Option<String>,
    /// User for both servers.
    pub user: Option<String>,
    /// Host, port and protection, as far as they are written.
    pub imap: (Option<String>, Option<u16>, Option<Security>),
    /// The same for SMTP.
    pub smtp: (Option<String>, Option<u16>, Option<Security>),
    /// A secret is named here.
    pub has_secret: bool,
}

/// How the account's secret is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretLines {
    /// As it is.
    Keep,
    /// One key with one value.
    Key(&'static str, String),
    /// A systemd credential under its default name: nothing is written.
    ByName,
    /// An `[accounts.oauth]` table of these keys.
    OAuth(Vec<(&'static str, String)>),
}

/// An account as it is to be.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Display name; none: as it is.
    pub from_name: Option<String>,
    /// User for both servers; none: the address.
    pub user: Option<String>,
    /// Its secret.
    pub secret: SecretLines,
    /// Where mail is read.
    pub imap: Server,
    /// Where mail is handed in.
    pub smtp: Server,
    /// Certificates for both; none: as it is.
    pub ca_file: Option<String>,
    /// Where sales are told; none: as it is.
    pub sales_email: Option<String>,
    /// The operator; empty: as it is.
    pub operators: Vec<String>,
    /// Alerts besides mail; none: as it is.
    pub alerts: AlertWays,
}

/// Keys of a server's table with the value to write; none: the key goes.
type Lines = Vec<(&'static str, Option<Item>)>;

/// A replyd.toml.
#[derive(Clone, Debug)]
pub struct SettingsFile(DocumentMut);

impl SettingsFile {
    /// Reads a text; an empty one is a new file.
    ///
    /// # Errors
    /// It is no TOML, in words with the line.
    pub fn read(text: &str) -> Result<Self, String> {
        // The error's text shows the line, which may be a secret.
        let mut document: DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| {
            let line = e
                .span()
                .and_then(|s| text.get(..s.start))
                .map_or(0, |before| before.matches('\n').count() + 1);
            format!("line {line}: {}", e.message())
        })?;
        if text.trim().is_empty() {
            document = DocumentMut::new();
        }
        Ok(Self(document))
    }

    /// The accounts in their order.
    #[must_use]
    pub fn accounts(&self) -> Vec<Known> {
        let Some(accounts) = self.0.get("accounts").and_then(Item::as_array_of_tables) else {
            return Vec::new();
        };
        accounts.iter().map(|t| self.known(t)).collect()
    }

    fn known(&self, account: &Table) -> Known {
        let text = |key: &str| account.get(key).and_then(Item::as_str).map(str::to_owned);
        let written = text("address").unwrap_or_default();
        let address = crate::config::parse_address(&written).map_or(written, |(_, a)| a);
        let has = |table: &Table| SECRET_KEYS.iter().any(|k| table.contains_key(k));
        let server = |kind: &str| {
            let own = account.get(kind).and_then(Item::as_table_like);
            let shared = self.0.get(kind).and_then(Item::as_table_like);
            let get = |key: &str| {
                own.and_then(|t| t.get(key))
                    .or_else(|| shared.and_then(|t| t.get(key)))
            };
            (
                get("host").and_then(Item::as_str).map(str::to_owned),
                get("port")
                    .and_then(Item::as_integer)
                    .and_then(|p| u16::try_from(p).ok()),
                get("security")
                    .and_then(Item::as_str)
                    .and_then(|s| match s {
                        "tls" => Some(Security::Tls),
                        "starttls" => Some(Security::StartTls),
                        "plain" => Some(Security::Plain),
                        _ => None,
                    }),
            )
        };
        let name = text("name").unwrap_or_else(|| address.clone());
        Known {
            name,
            from_name: text("from_name"),
            user: text("user").filter(|u| *u != address),
            imap: server("imap"),
            smtp: server("smtp"),
            has_secret: has(account)
                || account
                    .get("imap")
                    .and_then(Item::as_table)
                    .is_some_and(has),
            address,
        }
    }

    /// Where sales are told, as it is written.
    #[must_use]
    pub fn sales_email(&self) -> Option<String> {
        let reply = self.0.get("reply")?.as_table_like()?;
        Some(reply.get("sales_email")?.as_str()?.to_owned())
    }

    /// Whether alerts have a way besides mail.
    #[must_use]
    pub fn has_alert_way(&self) -> bool {
        let alerts = self.0.get("alerts").and_then(Item::as_table_like);
        alerts.is_some_and(|t| t.contains_key("webhook") || t.contains_key("command"))
    }

    /// The text with this account in it.
    ///
    /// # Errors
    /// A table has a shape that replyd would refuse.
    pub fn with(mut self, entry: &Entry) -> Result<String, String> {
        let is_new = self.0.iter().next().is_none();
        let index = self.accounts().iter().position(|k| k.name == entry.name);
        let shared = |kind: &str, key: &str| -> Option<Item> {
            self.0.get(kind)?.as_table_like()?.get(key).cloned()
        };
        let servers = [
            ("imap", &entry.imap, [993, 143], Security::Tls),
            ("smtp", &entry.smtp, [465, 587], Security::StartTls),
        ];
        let lines = servers.map(|(kind, server, ports, usual)| {
            let lines = server_lines(server, ports, usual);
            let same =
                |key: &str, item: &Item| shared(kind, key).is_some_and(|s| is_same(&s, item));
            // What [imap] and [smtp] say for all accounts is not said again.
            let has_shared = |key: &str| shared(kind, key).is_some();
            let lines: Lines = lines
                .into_iter()
                .map(|(key, usual, item)| {
                    let said = same(key, &item) || (usual && !has_shared(key));
                    (key, (!said).then_some(item))
                })
                .collect();
            (kind, lines)
        });

        let accounts = self
            .0
            .entry("accounts")
            .or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()))
            .as_array_of_tables_mut()
            .ok_or("accounts is not a list of [[accounts]] tables")?;
        if index.is_none() {
            accounts.push(Table::new());
        }
        let at = index.unwrap_or(accounts.len().saturating_sub(1));
        let account = accounts.get_mut(at).ok_or("the account is gone")?;
        fill(account, entry, lines)?;

        if let Some(sales) = &entry.sales_email {
            set(table(self.0.as_table_mut(), "reply")?, "sales_email", sales);
        }
        if !entry.operators.is_empty() {
            let mut list = Array::new();
            for operator in &entry.operators {
                list.push(operator);
            }
            let reply = table(self.0.as_table_mut(), "reply")?;
            let same = reply
                .get("operator_addresses")
                .and_then(Item::as_array)
                .is_some_and(|old| {
                    let of = |a: &Array| -> Vec<String> {
                        a.iter()
                            .filter_map(|v| v.as_str())
                            .map(str::to_owned)
                            .collect()
                    };
                    of(old) == of(&list)
                });
            if !same {
                reply.insert("operator_addresses", value(list));
            }
        }
        if let Some(url) = &entry.alerts.webhook {
            let alerts = table(self.0.as_table_mut(), "alerts")?;
            set(alerts, "webhook", url.expose_secret());
        }
        if let Some(command) = &entry.alerts.command {
            set(table(self.0.as_table_mut(), "alerts")?, "command", command);
        }
        let text = self.0.to_string();
        Ok(if is_new {
            format!("{HEAD}{text}")
        } else {
            text
        })
    }
}

/// Host, port and protection; whether a line says no more than the default.
fn server_lines(
    server: &Server,
    ports: [u16; 2],
    usual: Security,
) -> [(&'static str, bool, Item); 3] {
    let word = match server.security {
        Security::Tls => "tls",
        Security::StartTls => "starttls",
        Security::Plain => "plain",
    };
    let port = match server.security {
        Security::Tls => ports[0],
        Security::StartTls => ports[1],
        Security::Plain => 0,
    };
    [
        ("host", false, value(server.host.as_str())),
        ("port", server.port == port, value(i64::from(server.port))),
        ("security", server.security == usual, value(word)),
    ]
}

fn fill(
    account: &mut Table,
    entry: &Entry,
    servers: [(&'static str, Lines); 2],
) -> Result<(), String> {
    set(account, "name", &entry.name);
    let written = account.get("address").and_then(Item::as_str);
    let same = written
        .and_then(|w| crate::config::parse_address(w).ok())
        .is_some_and(|(_, address)| address == entry.address);
    if !same {
        set(account, "address", &entry.address);
    }
    if let Some(name) = &entry.from_name {
        set(account, "from_name", name);
    }
    match &entry.user {
        Some(user) => set(account, "user", user),
        None => drop(account.remove("user")),
    }
    secret(account, &entry.secret)?;
    for (kind, lines) in servers {
        let server = table(account, kind)?;
        for (key, item) in lines {
            match item {
                Some(item) => set_item(server, key, item),
                None => drop(server.remove(key)),
            }
        }
        if let Some(ca_file) = &entry.ca_file {
            set(server, "ca_file", ca_file);
        }
        if entry.secret != SecretLines::Keep {
            // An older secret of this server alone would win over the account's.
            SECRET_KEYS.iter().for_each(|k| drop(server.remove(k)));
            server.remove("user");
        }
        if server.is_empty() {
            account.remove(kind);
        }
    }
    Ok(())
}

fn secret(account: &mut Table, lines: &SecretLines) -> Result<(), String> {
    let keep = match lines {
        SecretLines::Keep => return Ok(()),
        SecretLines::Key(key, _) => Some(*key),
        SecretLines::OAuth(_) => Some("oauth"),
        SecretLines::ByName => None,
    };
    for key in SECRET_KEYS.iter().filter(|k| Some(**k) != keep) {
        account.remove(key);
    }
    match lines {
        SecretLines::Key(key, text) => set(account, key, text),
        SecretLines::OAuth(keys) => {
            forget_other_app(table(account, "oauth")?, keys);
            let oauth = table(account, "oauth")?;
            let is_new = |(key, text): &(&str, String)| {
                *key == "provider" && oauth.get(key).and_then(Item::as_str) != Some(text)
            };
            if keys.iter().any(is_new) {
                // Addresses and scopes of the provider before.
                oauth.clear();
            }
            if keys.iter().any(|(key, _)| *key == "client_secret_file") {
                let others = CLIENT_SECRET_KEYS
                    .iter()
                    .filter(|k| **k != "client_secret_file");
                others.for_each(|k| drop(oauth.remove(k)));
            }
            for (key, text) in keys {
                match (*key, text.as_str()) {
                    // The default.
                    ("tenant", "common") => drop(oauth.remove(key)),
                    _ => set(oauth, key, text),
                }
            }
        }
        SecretLines::Keep | SecretLines::ByName => {}
    }
    Ok(())
}

/// What belongs to another app, or to another provider, would go with the new one.
fn forget_other_app(oauth: &mut Table, keys: &[(&'static str, String)]) {
    let same = |key: &str| {
        let new = keys
            .iter()
            .find(|(k, _)| *k == key)
            .map(|(_, v)| v.as_str());
        oauth.get(key).and_then(Item::as_str) == new
    };
    let (provider, app) = (same("provider"), same("client_id"));
    if !provider {
        // Its addresses and scopes too.
        oauth.clear();
    } else if !app {
        oauth.remove("tenant");
    }
    if !app || keys.iter().any(|(key, _)| key.starts_with("client_secret")) {
        let secrets: Vec<String> = oauth
            .iter()
            .map(|(key, _)| key.to_owned())
            .filter(|key| key.starts_with("client_secret"))
            .filter(|key| !keys.iter().any(|(k, _)| k == key))
            .collect();
        secrets.iter().for_each(|key| drop(oauth.remove(key)));
    }
}

/// Sets a text, unless it is there already.
fn set(table: &mut Table, key: &str, text: &str) {
    set_item(table, key, value(text));
}

/// Sets a value, and keeps the comment behind the old one.
fn set_item(table: &mut Table, key: &str, mut item: Item) {
    if table.get(key).is_some_and(|old| is_same(old, &item)) {
        return;
    }
    if let Some(old) = table.get(key).and_then(Item::as_value)
        && let Some(new) = item.as_value_mut()
    {
        *new.decor_mut() = old.decor().clone();
    }
    table.insert(key, item);
}

/// The same text or number, however it is written.
fn is_same(a: &Item, b: &Item) -> bool {
    match (a.as_str(), b.as_str()) {
        (Some(a), Some(b)) => a == b,
        _ => a.as_integer().is_some() && a.as_integer() == b.as_integer(),
    }
}

/// The table `key`, made if it is not there.
fn table<'t>(of: &'t mut Table, key: &str) -> Result<&'t mut Table, String> {
    let item = of.entry(key).or_insert_with(|| Item::Table(Table::new()));
    if let Item::Value(inline) = item
        && let Some(inline) = inline.as_inline_table()
    {
        *item = Item::Table(inline.clone().into_table());
    }
    item.as_table_mut()
        .ok_or_else(|| format!("{key} is not a table"))
}

/// A text to show: the values of secrets are replaced.
///
/// # Errors
/// It is no TOML.
pub(super) fn without_secrets(text: &str) -> Result<String, String> {
    let mut file = SettingsFile::read(text)?;
    hide(file.0.as_table_mut());
    Ok(file.0.to_string())
}

fn hide(table: &mut Table) {
    for (key, item) in table.iter_mut() {
        let is_secret = SECRET_VALUES.contains(&key.get());
        match item {
            Item::Value(toml_edit::Value::InlineTable(inline)) => {
                for (key, inner) in inline.iter_mut() {
                    if SECRET_VALUES.contains(&key.get()) {
                        *inner = "(a secret)".into();
                    }
                }
            }
            Item::Value(_) if is_secret => *item = value("(a secret)"),
            Item::Table(inner) => hide(inner),
            Item::ArrayOfTables(list) => list.iter_mut().for_each(hide),
            Item::Value(_) | Item::None => {}
        }
    }
}

#[cfg(test)]
mod tests;
