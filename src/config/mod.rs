//! Settings: file, then `.env`, then environment, then flags, validated into types that need
//! no further check (docs/CONFIGURATION.md lists every key).
//!
//! | file | duty |
//! | --- | --- |
//! | `keys` | the table of all keys: path, type, unit, default, environment name |
//! | `sources`, `dotenv`, `file` | find and read replyd.toml and `.env` |
//! | `layers`, `old_names` | lay the sources over each other; the predecessor's names |
//! | `values`, `nearest` | from text or TOML to one checked value; guesses at typing errors |
//! | `resolve`, `servers`, `secrets`, `levels`, `oauth`, `model_endpoint`, `accounts`, `senders`, `load` | from checked values to [`Settings`] |
//! | `report` | `replyd config check` and docs/CONFIGURATION.md |

mod accounts;
mod dotenv;
mod file;
pub mod keys;
mod layers;
mod levels;
mod load;
mod model_endpoint;
pub(crate) mod nearest;
mod network;
mod oauth;
mod old_names;
mod problem;
mod report;
mod resolve;
mod secrets;
mod senders;
mod servers;
mod sources;
mod values;
mod webhooks;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::hours::WorkingHours;
use crate::model::{CampaignMode, HookKind};
use crate::zone::ZoneChoice;

pub use load::{Loaded, Need};
pub use model_endpoint::ModelSettings;
pub use network::Network;
pub use oauth::{ClientAuth, ClientSecret, OAuthSettings, Provider};
pub use problem::{ConfigError, Note, Origin, Problem};
pub use report::{config_check, reference};
pub use resolve::Effective;
pub use sources::{Environment, Flags, Sources};

/// Reads a mail address, alone or as `Name <address>`: the name (or nothing) and the address.
///
/// # Errors
/// What is wrong, in a sentence.
pub fn parse_address(written: &str) -> Result<(String, String), String> {
    values::address(written).map_err(|fault| fault.what)
}

/// Everything a mode of the program needs to know, already validated.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where keys and the database lie.
    pub state_dir: PathBuf,
    /// The SQLite file.
    pub database: PathBuf,
    /// A systemd credential with the keys of Message-IDs; none: they lie in the state folder.
    pub keys_credential: Option<PathBuf>,
    /// The mailboxes that are watched; at least one for modes that look at mail.
    pub accounts: Vec<AccountSettings>,
    /// The names of all accounts, known also to commands that work on the database alone; empty
    /// when the settings that were found name none.
    pub account_names: Vec<String>,
    /// Under which name and address each account sends, known also to commands that work on the
    /// database alone: no secret is read for it.
    pub senders: Vec<SenderSettings>,
    /// Those of them that sign in by OAuth2, known likewise.
    pub oauth_accounts: Vec<String>,
    /// How and when to look.
    pub listen: ListenSettings,
    /// Who is told, and what is answered.
    pub reply: ReplySettings,
    /// The model endpoint; none: none is asked.
    pub model: Option<ModelSettings>,
    /// What is kept of captured mail.
    pub store: StoreSettings,
    /// How the log looks.
    pub log: LogSettings,
    /// Where HTTP requests are answered.
    pub web: WebSettings,
    /// How the operator is told.
    pub alerts: AlertSettings,
    /// Programs that are told of replies and the like.
    pub webhooks: Vec<WebhookSettings>,
    /// `--redirect-to`: every outgoing mail goes here instead. Only by flag.
    pub redirect_to: Option<String>,
}

/// One mailbox account: where it is read, and how its answers leave.
#[derive(Clone, Debug)]
pub struct AccountSettings {
    /// Unique name, shown in states and logs.
    pub name: String,
    /// Its address: From of its mails, and ours in every check for own mail.
    pub address: String,
    /// Display name of From; empty: the campaign's sender name.
    pub from_name: String,
    /// Further addresses that are ours.
    pub aliases: Vec<String>,
    /// Where its mail is read.
    pub imap: ImapSettings,
    /// The watched mailboxes in UTF-8; the first is the one that idles. Never empty.
    pub mailboxes: Vec<String>,
    /// How its mails leave.
    pub smtp: SmtpSettings,
    /// Its spam folder and its Sent folder.
    pub folders: FolderSettings,
    /// Whether Reply-To may carry a token.
    pub reply_address: ReplyAddress,
}

/// Whether mails to leads ask for answers to an address that carries a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyAddress {
    /// Once a test mail to such an address was seen to come in.
    #[default]
    Auto,
    /// No.
    Never,
}

/// Which folders besides the watched ones are looked at, and for what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderSettings {
    /// The spam folder.
    pub junk: FolderChoice,
    /// The Sent folder.
    pub sent: FolderChoice,
    /// Whether mails to leads are appended to the Sent folder.
    pub save_sent: SaveSent,
    /// Names by which our own server signs its Authentication-Results, in lower case; `*.` in
    /// front: any host of the domain; `-`: it writes none. Empty: nothing is believed.
    pub authserv_ids: Vec<String>,
}

/// A folder that has no fixed name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FolderChoice {
    /// Found by its special use (RFC 6154) or by its usual names.
    #[default]
    Auto,
    /// Not looked at.
    Off,
    /// This one, in UTF-8.
    Named(String),
}

/// Whether copies of our mails are appended to the Sent folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SaveSent {
    /// Where the provider does not do it by itself.
    #[default]
    Auto,
    /// Unless a copy is there.
    Always,
    /// No.
    Never,
}

/// What the mails of an account look like from outside, and how many campaign mails it sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderSettings {
    /// The account's name.
    pub account: String,
    /// From, and where opt-outs go.
    pub address: String,
    /// Display name of From; empty: the campaign's sender name.
    pub from_name: String,
    /// Further addresses that are ours.
    pub aliases: Vec<String>,
    /// Envelope sender.
    pub envelope_from: String,
    /// Whether Reply-To may carry a token.
    pub reply_address: ReplyAddress,
    /// The SMTP server, by which the provider is known; empty when mails are only printed.
    pub smtp_host: String,
    /// Campaign mails in a minute; none: by the provider.
    pub per_minute: Option<u32>,
    /// Mails of all kinds in 24 hours beyond which no campaign mail leaves; none: by the provider.
    pub per_day: Option<u32>,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// STARTTLS, required.
    StartTls,
    /// No protection: refused by validation unless the host is loopback.
    Plain,
}

/// How to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMechanism {
    /// With a token XOAUTH2, else OAUTHBEARER; with a password PLAIN, else LOGIN; whichever is
    /// offered. XOAUTH2 first: it is what Google and Microsoft document and run the longest.
    Auto,
    /// The LOGIN command (IMAP) or AUTH LOGIN (SMTP).
    Login,
    /// AUTHENTICATE PLAIN (RFC 4616).
    Plain,
    /// AUTHENTICATE XOAUTH2.
    XOAuth2,
    /// AUTHENTICATE OAUTHBEARER (RFC 7628).
    OAuthBearer,
}

impl AuthMechanism {
    /// Whether it takes a token and nothing else.
    #[must_use]
    pub fn takes_token(self) -> bool {
        matches!(self, Self::XOAuth2 | Self::OAuthBearer)
    }

    /// Whether it takes a password and nothing else.
    #[must_use]
    pub fn takes_password(self) -> bool {
        matches!(self, Self::Login | Self::Plain)
    }
}

/// What proves who we are.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A password.
    Password(SecretString),
    /// A file with an OAuth2 access token, read anew at each sign-in.
    TokenFile(PathBuf),
    /// A command that prints the password, run at each sign-in.
    PasswordCommand(SecretCommand),
    /// A command that prints an OAuth2 access token, run at each sign-in.
    TokenCommand(SecretCommand),
    /// Tokens that replyd gets and renews itself; `replyd auth login` signs in once.
    OAuth(Arc<OAuthSettings>),
}

/// A command whose first line of output is a secret. `Debug` does not show it: it may hold one.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretCommand {
    /// A line for `/bin/sh -c`.
    Shell(String),
    /// A program with its arguments, run without a shell; never empty.
    Program(Vec<String>),
}

impl fmt::Debug for SecretCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretCommand(..)")
    }
}

/// Where an account's mail is read.
#[derive(Clone, Debug)]
pub struct ImapSettings {
    /// Host name or address.
    pub host: String,
    /// Port, 993 by default.
    pub port: u16,
    /// Protection of the connection.
    pub security: Security,
    /// User name.
    pub user: String,
    /// Secret.
    pub credential: Credential,
    /// Mechanism.
    pub auth: AuthMechanism,
    /// PEM file of further trusted certificates, besides the system's store.
    pub ca_file: Option<PathBuf>,
}

/// How mails leave.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// Print mails instead of sending them (Django's console backend).
    pub console: bool,
    /// Host name or address.
    pub host: String,
    /// Port, 587 by default.
    pub port: u16,
    /// Protection of the connection.
    pub security: Security,
    /// User name; none: no AUTH.
    pub user: Option<String>,
    /// Secret; set whenever `user` is.
    pub credential: Option<Credential>,
    /// Mechanism.
    pub auth: AuthMechanism,
    /// PEM file of further trusted certificates, besides the system's store.
    pub ca_file: Option<PathBuf>,
    /// Envelope sender: a watched mailbox, so that bounces are seen.
    pub envelope_from: String,
    /// The name given in EHLO; none: the machine's.
    pub hello_name: Option<String>,
}

/// How and when to look.
#[derive(Clone, Debug)]
pub struct ListenSettings {
    /// Period of the fallback poll (`--interval`, default 60 s).
    pub interval: Duration,
    /// How far the first run looks back (`--days`, default 1, exact 24 h units).
    pub days: u32,
    /// No byte for this long while idling: probe (default 5 min).
    pub silence: Duration,
    /// No IDLE is older (default 9 min, at most the interval in effect).
    pub idle_max: Duration,
    /// Bytes of mail in flight over all accounts (default 64 MiB).
    pub byte_budget: usize,
    /// One sign-in in this time for each account, burst 2 (default 60 s).
    pub login_every: Duration,
    /// A session is replaced by a new one after this (default 23 h).
    pub session_max: Duration,
}

impl ListenSettings {
    /// How often a running replyd looks, whatever is pushed.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.interval.min(self.idle_max)
    }

    /// An account that was not verified for this long is down: three intervals.
    #[must_use]
    pub fn fresh(&self) -> Duration {
        self.period().saturating_mul(3)
    }
}

/// Where HTTP requests are answered.
#[derive(Clone, Debug, Default)]
pub struct WebSettings {
    /// None: nowhere.
    pub listen: Option<SocketAddr>,
    /// Somebody has written it; else it is the default, which another program may have taken.
    pub is_chosen: bool,
    /// Under which address people reach the pages; none: mails to sales have no links.
    pub public_url: Option<String>,
    /// How long an asked conversation waits for its mailbox (default 300 ms); zero: not.
    pub view_check: Duration,
    /// The largest attachment that is fetched for somebody, in bytes (default 25 MiB).
    pub attachment_max: usize,
    /// Whose X-Forwarded-For and X-Forwarded-Proto are believed.
    pub trusted_proxies: Vec<Network>,
    /// The predecessor's JWTs; none: they are not taken.
    pub jwt: Option<JwtSettings>,
    /// /metrics is answered to this machine without a token (default: not).
    pub open_metrics: bool,
}

/// How the predecessor's JWTs are read.
#[derive(Clone, Debug)]
pub struct JwtSettings {
    /// The key of HS256.
    pub key: SecretString,
    /// The claim with the user's number (default `user_id`).
    pub user_claim: String,
}

/// How the operator is told, besides by mail.
#[derive(Clone, Debug)]
pub struct AlertSettings {
    /// Posted to; may hold a secret.
    pub webhook: Option<SecretString>,
    /// Program and arguments; empty: none.
    pub command: Vec<String>,
    /// How long a connection may be lost until it is told (default 45 s).
    pub lost_after: Duration,
    /// Age of a due mail beyond which the outbox is late (default 10 min).
    pub outbox_late: Duration,
}

/// A program that is told of replies and the like.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Unique name.
    pub name: String,
    /// Where events are posted; may hold a secret.
    pub url: SecretString,
    /// By which deliveries are signed; none for commands that work on the database alone.
    pub secret: Option<SecretString>,
    /// What is told.
    pub events: Vec<HookKind>,
    /// Names of campaigns; empty: all.
    pub campaigns: Vec<String>,
}

/// Who is told, and what is answered.
#[derive(Clone, Debug)]
pub struct ReplySettings {
    /// Mode of campaigns that name none.
    pub mode: CampaignMode,
    /// Where sales notices go (SALES_TEAM_EMAIL, default the first account's address).
    pub sales_email: String,
    /// Further addresses of sales people: their mail is `internal`.
    pub sales_addresses: Vec<String>,
    /// Addresses of the operator: their mail is `internal`.
    pub operator_addresses: Vec<String>,
    /// Confidence below which nothing is acknowledged (default 0.7).
    pub goal_threshold: f64,
    /// Confidence below which no question is answered automatically (default 0.7).
    pub question_threshold: f64,
    /// Age of a reply beyond which it is never answered automatically (default 24 h).
    pub answer_max_age: Duration,
    /// Whether an opt-out gets one plain confirmation (default no).
    pub optout_confirmation: bool,
    /// Sales notices an hour before they become a digest (default 60).
    pub sales_notices_per_hour: u32,
    /// Automatic mails a day of one account's mailbox (default 200).
    pub automatic_per_day: u32,
    /// A refusal as close as this to what was found: a person decides (default 0.15).
    pub margin: f64,
    /// Automatic mails a day to one domain (default 50).
    pub automatic_per_domain: u32,
    /// The operator's own words for a person.
    pub person_words: Vec<String>,
    /// Pause of who asks for later without naming a day, or says no (default 90 d).
    pub not_now_pause: Duration,
    /// How long automatic mails to leads wait, to be cancelled (default none).
    pub send_delay: Duration,
    /// When automatic mails to leads leave; none: at any time.
    pub working_hours: Option<WorkingHours>,
    /// Where those hours are counted.
    pub zone: ZoneChoice,
    /// Folder with replaced templates; none: the embedded ones.
    pub templates_dir: Option<PathBuf>,
    /// Weights file of `replyd train`; none: the embedded one.
    pub weights_file: Option<PathBuf>,
}

/// Which raw mails are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepRaw {
    /// Those that concern a lead.
    Leads,
    /// All.
    All,
    /// None.
    None,
}

/// What is kept of captured mail.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// Which raw mails.
    pub keep_raw: KeepRaw,
    /// For how long (default 30 days).
    pub raw_retention: Duration,
}

/// Look of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// How the log looks.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Text or JSON.
    pub format: LogFormat,
    /// A tracing filter such as `info` or `replyd=debug`.
    pub filter: String,
}
