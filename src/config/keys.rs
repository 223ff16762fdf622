//! The table of all settings: the one place from which the loader, the check for unknown
//! names and docs/CONFIGURATION.md take path, environment name, type, unit and default.

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One line of text; may be empty.
    Text,
    /// Host name or IP address, without scheme and port.
    Host,
    /// A mail address.
    Address,
    /// Several mail addresses.
    Addresses,
    /// Names of mailboxes.
    Mailboxes,
    /// A file or folder; relative to the file that names it.
    Path,
    /// Name of a file in `$CREDENTIALS_DIRECTORY`.
    CredentialName,
    /// A secret.
    Secret,
    /// A command: a line for `/bin/sh -c`, or a program with its arguments as a list.
    Command,
    /// An address that begins with https://, or with http:// on this machine.
    Url,
    /// Words separated by blanks or commas, or a list.
    Scopes,
    /// true or false.
    Bool,
    /// A whole number.
    Integer {
        /// Least allowed.
        min: u64,
        /// Greatest allowed.
        max: u64,
    },
    /// Seconds, or text with a unit.
    Duration {
        /// Least allowed, in seconds.
        min_s: u64,
        /// Greatest allowed, in seconds.
        max_s: u64,
    },
    /// Bytes, or text with a unit.
    Bytes {
        /// Least allowed.
        min: u64,
        /// Greatest allowed.
        max: u64,
    },
    /// A number from 0 to 1.
    Fraction,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A filter of the tracing crate.
    Filter,
    /// `auto`, `off` or the name of a mailbox.
    Folder,
    /// Names by which our own mail server signs its Authentication-Results.
    AuthservIds,
    /// An IP address with a port, or `off`.
    Listen,
    /// A web address that may hold a secret.
    SecretUrl,
    /// Words or phrases.
    Phrases,
    /// Days and hours, or `none`.
    Hours,
    /// `lead`, UTC, a country or a distance from UTC.
    Zone,
    /// IP addresses and networks, or `none`.
    Networks,
}

/// What holds when nobody sets the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// This text, read like a value from the environment.
    Is(&'static str),
    /// Found by this rule.
    Rule(&'static str),
    /// Nothing: an error where the value is needed.
    Required,
}

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// Its place in replyd.toml, for example `listen.interval`; `accounts.…` is a key of each
    /// `[[accounts]]` table.
    pub path: &'static str,
    /// Type and unit.
    pub kind: Kind,
    /// What holds when nobody sets it.
    pub default: Default,
    /// Environment name; for `accounts.…` what follows `REPLYD_ACCOUNT_<NAME>_`.
    pub env: &'static str,
    /// Its flag.
    pub flag: Option<&'static str>,
    /// The predecessor's environment names that set it.
    pub old: &'static [&'static str],
    /// One sentence for the reference.
    pub help: &'static str,
}

impl Key {
    /// Whether it stands in an `[[accounts]]` table.
    #[must_use]
    pub fn of_account(&self) -> bool {
        self.path.starts_with("accounts.")
    }

    /// Whether it stands in a `[[webhooks]]` table.
    #[must_use]
    pub fn of_webhook(&self) -> bool {
        self.path.starts_with("webhooks.")
    }

    /// The table it stands in, `listen` for `listen.interval`.
    #[must_use]
    pub fn table(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(table, _)| table)
    }

    /// Its name in that table.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.path
            .rsplit_once('.')
            .map_or(self.path, |(_, name)| name)
    }
}

macro_rules! keys {
    ($($id:ident: $path:expr, $kind:expr, $default:expr, $env:expr, $flag:expr, $old:expr, $help:expr;)+) => {
        $(pub(super) static $id: Key = Key {
            path: $path, kind: $kind, default: $default, env: $env, flag: $flag, old: $old, help: $help,
        };)+
        /// Every setting, in the order of the reference.
        pub static ALL: &[&Key] = &[$(&$id),+];
    };
}

use self::Default::{Is, Required, Rule};
use self::Kind::{
    Address, Addresses, AuthservIds, Bool, Bytes, Command, CredentialName, Duration, Filter,
    Folder, Fraction, Host, Hours, Integer, Listen, Mailboxes, Networks, Path, Phrases, Scopes,
    Secret, SecretUrl, Text, Url, Words, Zone,
};

const MODES: Kind = Words(&["off", "draft", "auto-ack", "auto"]);
const SECURITY: Kind = Words(&["tls", "starttls", "plain"]);
const IMAP_AUTH: Kind = Words(&["auto", "login", "plain", "xoauth2", "oauthbearer"]);
const SMTP_AUTH: Kind = Words(&["auto", "login", "plain", "xoauth2", "oauthbearer", "none"]);
const SAVE_SENT: Kind = Words(&["auto", "always", "never"]);
const REPLY_ADDRESS: Kind = Words(&["auto", "never"]);
const PORT: Kind = Integer { min: 1, max: 65535 };
const PER_MINUTE: Kind = Integer { min: 1, max: 6000 };
const PER_DAY: Kind = Integer {
    min: 1,
    max: 1_000_000,
};
const DAY_S: u64 = 86_400;
const MIB: u64 = 1 << 20;

keys! {
    ACCOUNT_NAME: "accounts.name", Text, Rule("`address`"), "NAME", None, &[],
        "Unique name of the account, shown in states and logs; part of its environment names. Set it in replyd.toml only.";
    ACCOUNT_ADDRESS: "accounts.address", Address, Rule("`user`, when that is an address"), "ADDRESS", None, &["DEFAULT_FROM_EMAIL"],
        "From of its mails. May be written `Name <address>`.";
    ACCOUNT_FROM_NAME: "accounts.from_name", Text, Rule("the name in `address`, else the campaign's sender name"), "FROM_NAME", None, &["DEFAULT_FROM_EMAIL"],
        "Display name of From.";
    ACCOUNT_ALIASES: "accounts.aliases", Addresses, Rule("none; the users of IMAP and SMTP count as aliases when they are addresses"), "ALIASES", None, &[],
        "Further addresses that are ours: mail from them is never taken for a reply.";
    ACCOUNT_MAILBOXES: "accounts.mailboxes", Mailboxes, Is("INBOX"), "MAILBOXES", None, &["IMAP_MAILBOX"],
        "The watched mailboxes; the first is the one that idles.";
    ACCOUNT_USER: "accounts.user", Text, Rule("`address`"), "USER", None, &[],
        "User name for both servers.";
    ACCOUNT_PASSWORD: "accounts.password", Secret, Rule("see \"Secrets\""), "PASSWORD", None, &[],
        "Password for both servers.";
    ACCOUNT_PASSWORD_FILE: "accounts.password_file", Path, Rule("none"), "PASSWORD_FILE", None, &[],
        "File that holds that password.";
    ACCOUNT_PASSWORD_CREDENTIAL: "accounts.password_credential", CredentialName, Rule("see \"Secrets\""), "PASSWORD_CREDENTIAL", None, &[],
        "systemd credential that holds that password.";
    ACCOUNT_PASSWORD_COMMAND: "accounts.password_command", Command, Rule("none"), "PASSWORD_COMMAND", None, &[],
        "Command that prints that password, run at each sign-in (see \"Secrets\").";
    ACCOUNT_TOKEN_FILE: "accounts.token_file", Path, Rule("none"), "TOKEN_FILE", None, &[],
        "File with an OAuth2 access token for both servers, read anew at each sign-in.";
    ACCOUNT_TOKEN_CREDENTIAL: "accounts.token_credential", CredentialName, Rule("see \"Secrets\""), "TOKEN_CREDENTIAL", None, &[],
        "systemd credential with such a token.";
    ACCOUNT_TOKEN_COMMAND: "accounts.token_command", Command, Rule("none"), "TOKEN_COMMAND", None, &[],
        "Command that prints such a token, run at each sign-in.";
    ACCOUNT_JUNK: "accounts.junk", Folder, Is("auto"), "JUNK", None, &[],
        "The spam folder, looked at for replies: auto (found by special use or by its usual names), off, or its name. A reply from there is answered only if `authserv_id` proves its sender.";
    ACCOUNT_SENT_FOLDER: "accounts.sent_folder", Folder, Is("auto"), "SENT_FOLDER", None, &[],
        "The Sent folder, read for what people wrote by themselves: auto, off, or its name.";
    ACCOUNT_SAVE_SENT: "accounts.save_sent", SAVE_SENT, Is("auto"), "SAVE_SENT", None, &[],
        "Whether mails to leads are appended to the Sent folder: auto (where the provider was seen not to do it by itself), always, never.";
    ACCOUNT_REPLY_ADDRESS: "accounts.reply_address", REPLY_ADDRESS, Is("auto"), "REPLY_ADDRESS", None, &[],
        "Whether mails to leads ask for answers to an address with a token (Reply-To: `user+token@domain`), by which an answer is matched that lost all its thread headers: auto (once `replyd doctor --send-test` has seen such mail come in), never.";
    ACCOUNT_AUTHSERV_ID: "accounts.authserv_id", AuthservIds, Rule("none: nothing is proven"), "AUTHSERV_ID", None, &[],
        "The name with which your own mail server begins its Authentication-Results (RFC 8601): `mx.google.com`; `*.example.com` for any host of a domain; `-` where it writes none. Only what it says is believed.";

    IMAP_HOST: "accounts.imap.host", Host, Rule("`imap.host`; with the predecessor's names `imap.gmail.com`"), "IMAP_HOST", None, &["IMAP_HOST"],
        "Server on which the mail is read.";
    IMAP_PORT: "accounts.imap.port", PORT, Rule("`imap.port`, else 993 with tls, 143 otherwise"), "IMAP_PORT", None, &["IMAP_PORT"],
        "Its port.";
    IMAP_SECURITY: "accounts.imap.security", SECURITY, Rule("`imap.security`, else tls"), "IMAP_SECURITY", None, &["IMAP_USE_SSL"],
        "Protection of the connection; plain only to loopback.";
    IMAP_AUTH_KEY: "accounts.imap.auth", IMAP_AUTH, Rule("`imap.auth`, else auto"), "IMAP_AUTH", None, &[],
        "How to sign in; auto: with a token XOAUTH2 or else OAUTHBEARER, with a password PLAIN or else LOGIN, whichever is offered.";
    IMAP_CA_FILE: "accounts.imap.ca_file", Path, Rule("`imap.ca_file`, else none"), "IMAP_CA_FILE", None, &[],
        "PEM file of further trusted certificates, besides the system's store.";
    IMAP_USER: "accounts.imap.user", Text, Rule("`user`"), "IMAP_USER", None, &["IMAP_USER"],
        "User name there.";
    IMAP_PASSWORD: "accounts.imap.password", Secret, Rule("the account's secret"), "IMAP_PASSWORD", None, &["IMAP_PASSWORD"],
        "Password there.";
    IMAP_PASSWORD_FILE: "accounts.imap.password_file", Path, Rule("the account's secret"), "IMAP_PASSWORD_FILE", None, &[],
        "File that holds it.";
    IMAP_PASSWORD_CREDENTIAL: "accounts.imap.password_credential", CredentialName, Rule("the account's secret"), "IMAP_PASSWORD_CREDENTIAL", None, &[],
        "systemd credential that holds it.";
    IMAP_PASSWORD_COMMAND: "accounts.imap.password_command", Command, Rule("the account's secret"), "IMAP_PASSWORD_COMMAND", None, &[],
        "Command that prints it.";
    IMAP_TOKEN_FILE: "accounts.imap.token_file", Path, Rule("the account's secret"), "IMAP_TOKEN_FILE", None, &[],
        "File with an OAuth2 access token.";
    IMAP_TOKEN_CREDENTIAL: "accounts.imap.token_credential", CredentialName, Rule("the account's secret"), "IMAP_TOKEN_CREDENTIAL", None, &[],
        "systemd credential with such a token.";
    IMAP_TOKEN_COMMAND: "accounts.imap.token_command", Command, Rule("the account's secret"), "IMAP_TOKEN_COMMAND", None, &[],
        "Command that prints such a token.";

    SMTP_CONSOLE: "accounts.smtp.console", Bool, Rule("`smtp.console`, else false"), "SMTP_CONSOLE", None, &["EMAIL_BACKEND"],
        "Print mails instead of sending them.";
    SMTP_HOST: "accounts.smtp.host", Host, Rule("`smtp.host`; with the predecessor's names `smtp.gmail.com`"), "SMTP_HOST", None, &["EMAIL_HOST"],
        "Server that takes the mails.";
    SMTP_PORT: "accounts.smtp.port", PORT, Rule("`smtp.port`, else 587 with starttls, 465 with tls, 25 with plain"), "SMTP_PORT", None, &["EMAIL_PORT"],
        "Its port.";
    SMTP_SECURITY: "accounts.smtp.security", SECURITY, Rule("`smtp.security`, else starttls"), "SMTP_SECURITY", None, &["EMAIL_USE_TLS", "EMAIL_USE_SSL"],
        "Protection of the connection; plain only to loopback.";
    SMTP_AUTH_KEY: "accounts.smtp.auth", SMTP_AUTH, Rule("`smtp.auth`, else auto"), "SMTP_AUTH", None, &[],
        "How to sign in; none: not at all.";
    SMTP_CA_FILE: "accounts.smtp.ca_file", Path, Rule("`smtp.ca_file`, else none"), "SMTP_CA_FILE", None, &[],
        "PEM file of further trusted certificates, besides the system's store.";
    SMTP_ENVELOPE_FROM: "accounts.smtp.envelope_from", Address, Rule("`address`"), "SMTP_ENVELOPE_FROM", None, &[],
        "Envelope sender: it must lead to a watched mailbox, or bounces are not seen.";
    SMTP_HELLO_NAME: "accounts.smtp.hello_name", Host, Rule("`smtp.hello_name`, else the machine's name"), "SMTP_HELLO_NAME", None, &[],
        "The name given in EHLO.";
    SMTP_USER: "accounts.smtp.user", Text, Rule("`smtp.user`, else `user`"), "SMTP_USER", None, &["EMAIL_HOST_USER"],
        "User name there.";
    SMTP_PASSWORD: "accounts.smtp.password", Secret, Rule("`smtp.password` …, else the account's secret"), "SMTP_PASSWORD", None, &["EMAIL_HOST_PASSWORD"],
        "Password there.";
    SMTP_PASSWORD_FILE: "accounts.smtp.password_file", Path, Rule("as above"), "SMTP_PASSWORD_FILE", None, &[],
        "File that holds it.";
    SMTP_PASSWORD_CREDENTIAL: "accounts.smtp.password_credential", CredentialName, Rule("as above"), "SMTP_PASSWORD_CREDENTIAL", None, &[],
        "systemd credential that holds it.";
    SMTP_PASSWORD_COMMAND: "accounts.smtp.password_command", Command, Rule("as above"), "SMTP_PASSWORD_COMMAND", None, &[],
        "Command that prints it.";
    SMTP_TOKEN_FILE: "accounts.smtp.token_file", Path, Rule("as above"), "SMTP_TOKEN_FILE", None, &[],
        "File with an OAuth2 access token.";
    SMTP_TOKEN_CREDENTIAL: "accounts.smtp.token_credential", CredentialName, Rule("as above"), "SMTP_TOKEN_CREDENTIAL", None, &[],
        "systemd credential with such a token.";
    SMTP_TOKEN_COMMAND: "accounts.smtp.token_command", Command, Rule("as above"), "SMTP_TOKEN_COMMAND", None, &[],
        "Command that prints such a token.";

    OAUTH_PROVIDER: "accounts.oauth.provider", Words(&["google", "microsoft", "custom"]), Rule("none"), "OAUTH_PROVIDER", None, &[],
        "Whose token server: google and microsoft bring their addresses and scopes along.";
    OAUTH_TENANT: "accounts.oauth.tenant", Text, Rule("common"), "OAUTH_TENANT", None, &[],
        "Microsoft's directory (tenant) id or domain; common, organizations or consumers for an app that is registered for several.";
    OAUTH_CLIENT_ID: "accounts.oauth.client_id", Text, Required, "OAUTH_CLIENT_ID", None, &[],
        "Id of the app that you registered there.";
    OAUTH_CLIENT_SECRET: "accounts.oauth.client_secret", Secret, Rule("none"), "OAUTH_CLIENT_SECRET", None, &[],
        "Its secret. Google's desktop clients need it; a public client of Microsoft has none.";
    OAUTH_CLIENT_SECRET_FILE: "accounts.oauth.client_secret_file", Path, Rule("none"), "OAUTH_CLIENT_SECRET_FILE", None, &[],
        "File that holds it.";
    OAUTH_CLIENT_SECRET_CREDENTIAL: "accounts.oauth.client_secret_credential", CredentialName, Rule("see \"Secrets\""), "OAUTH_CLIENT_SECRET_CREDENTIAL", None, &[],
        "systemd credential that holds it.";
    OAUTH_CLIENT_SECRET_COMMAND: "accounts.oauth.client_secret_command", Command, Rule("none"), "OAUTH_CLIENT_SECRET_COMMAND", None, &[],
        "Command that prints it.";
    OAUTH_CLIENT_AUTH: "accounts.oauth.client_auth", Words(&["post", "basic"]), Is("post"), "OAUTH_CLIENT_AUTH", None, &[],
        "How the secret is sent (RFC 6749 §2.3.1): in the form, or by HTTP Basic.";
    OAUTH_SCOPES: "accounts.oauth.scopes", Scopes, Rule("those of the provider for reading and sending mail"), "OAUTH_SCOPES", None, &[],
        "What is asked for.";
    OAUTH_AUTH_URL: "accounts.oauth.auth_url", Url, Rule("the provider's"), "OAUTH_AUTH_URL", None, &[],
        "Page on which a person consents.";
    OAUTH_TOKEN_URL: "accounts.oauth.token_url", Url, Rule("the provider's"), "OAUTH_TOKEN_URL", None, &[],
        "Where tokens are got and renewed.";
    OAUTH_DEVICE_URL: "accounts.oauth.device_url", Url, Rule("the provider's"), "OAUTH_DEVICE_URL", None, &[],
        "Where a device code is got (RFC 8628); Google grants no mail by device code.";
    OAUTH_REDIRECT_URL: "accounts.oauth.redirect_url", Url, Rule("`http://127.0.0.1`, for microsoft `http://localhost`"), "OAUTH_REDIRECT_URL", None, &[],
        "Where the consent page sends the browser: an address on this machine, without port.";
    OAUTH_REDIRECT_PORT: "accounts.oauth.redirect_port", PORT, Rule("any that is free"), "OAUTH_REDIRECT_PORT", None, &[],
        "Its port, for a provider that wants a fixed one or for a tunnel.";
    OAUTH_CA_FILE: "accounts.oauth.ca_file", Path, Rule("none"), "OAUTH_CA_FILE", None, &[],
        "PEM file of certificates trusted for these addresses, besides the system's store.";

    ACCOUNT_CAMPAIGN_PER_MINUTE: "accounts.campaign.per_minute", PER_MINUTE, Rule("`campaign.per_minute`"), "CAMPAIGN_PER_MINUTE", None, &[],
        "Campaign mails of this account in a minute, evenly paced.";
    ACCOUNT_CAMPAIGN_PER_DAY: "accounts.campaign.per_day", PER_DAY, Rule("`campaign.per_day`"), "CAMPAIGN_PER_DAY", None, &[],
        "Mails of this account in 24 hours, of all kinds, beyond which no campaign mail leaves.";

    ALL_IMAP_HOST: "imap.host", Host, Required, "REPLYD_IMAP_HOST", None, &[],
        "Server of every account that names none.";
    ALL_IMAP_PORT: "imap.port", PORT, Rule("993 with tls, 143 otherwise"), "REPLYD_IMAP_PORT", None, &[],
        "Its port.";
    ALL_IMAP_SECURITY: "imap.security", SECURITY, Is("tls"), "REPLYD_IMAP_SECURITY", None, &[],
        "Protection of the connection; plain only to loopback.";
    ALL_IMAP_AUTH: "imap.auth", IMAP_AUTH, Is("auto"), "REPLYD_IMAP_AUTH", None, &[],
        "How to sign in.";
    ALL_IMAP_CA_FILE: "imap.ca_file", Path, Rule("none"), "REPLYD_IMAP_CA_FILE", None, &[],
        "PEM file of further trusted certificates.";

    ALL_SMTP_CONSOLE: "smtp.console", Bool, Is("false"), "REPLYD_SMTP_CONSOLE", None, &["EMAIL_BACKEND"],
        "Print mails of every account instead of sending them.";
    ALL_SMTP_HOST: "smtp.host", Host, Required, "REPLYD_SMTP_HOST", None, &[],
        "Server of every account that names none.";
    ALL_SMTP_PORT: "smtp.port", PORT, Rule("587 with starttls, 465 with tls, 25 with plain"), "REPLYD_SMTP_PORT", None, &[],
        "Its port.";
    ALL_SMTP_SECURITY: "smtp.security", SECURITY, Is("starttls"), "REPLYD_SMTP_SECURITY", None, &[],
        "Protection of the connection; plain only to loopback.";
    ALL_SMTP_AUTH: "smtp.auth", SMTP_AUTH, Is("auto"), "REPLYD_SMTP_AUTH", None, &[],
        "How to sign in; none: not at all.";
    ALL_SMTP_CA_FILE: "smtp.ca_file", Path, Rule("none"), "REPLYD_SMTP_CA_FILE", None, &[],
        "PEM file of further trusted certificates.";
    ALL_SMTP_HELLO_NAME: "smtp.hello_name", Host, Rule("the machine's name"), "REPLYD_SMTP_HELLO_NAME", None, &[],
        "The name given in EHLO.";
    ALL_SMTP_USER: "smtp.user", Text, Rule("each account's `user`"), "REPLYD_SMTP_USER", None, &[],
        "User name there; it is then never used with an account's own secret.";
    ALL_SMTP_PASSWORD: "smtp.password", Secret, Rule("none"), "REPLYD_SMTP_PASSWORD", None, &[],
        "Password there.";
    ALL_SMTP_PASSWORD_FILE: "smtp.password_file", Path, Rule("none"), "REPLYD_SMTP_PASSWORD_FILE", None, &[],
        "File that holds it.";
    ALL_SMTP_PASSWORD_CREDENTIAL: "smtp.password_credential", CredentialName, Rule("none"), "REPLYD_SMTP_PASSWORD_CREDENTIAL", None, &[],
        "systemd credential that holds it.";
    ALL_SMTP_PASSWORD_COMMAND: "smtp.password_command", Command, Rule("none"), "REPLYD_SMTP_PASSWORD_COMMAND", None, &[],
        "Command that prints it.";
    ALL_SMTP_TOKEN_FILE: "smtp.token_file", Path, Rule("none"), "REPLYD_SMTP_TOKEN_FILE", None, &[],
        "File with an OAuth2 access token.";
    ALL_SMTP_TOKEN_CREDENTIAL: "smtp.token_credential", CredentialName, Rule("none"), "REPLYD_SMTP_TOKEN_CREDENTIAL", None, &[],
        "systemd credential with such a token.";
    ALL_SMTP_TOKEN_COMMAND: "smtp.token_command", Command, Rule("none"), "REPLYD_SMTP_TOKEN_COMMAND", None, &[],
        "Command that prints such a token.";

    INTERVAL: "listen.interval", Duration { min_s: 1, max_s: DAY_S }, Is("60s"), "REPLYD_INTERVAL", Some("--interval"), &[],
        "Period of the fallback poll; IDLE wakes it in between, and no IDLE is older than it.";
    DAYS: "listen.days", Integer { min: 1, max: 3650 }, Is("1"), "REPLYD_DAYS", Some("--days"), &[],
        "How far the first run looks back, in days of exactly 24 hours.";
    SILENCE: "listen.silence", Duration { min_s: 1, max_s: 1740 }, Is("5m"), "REPLYD_SILENCE", None, &[],
        "After so long without a byte from the server the connection is probed.";
    IDLE_MAX: "listen.idle_max", Duration { min_s: 1, max_s: 540 }, Is("9m"), "REPLYD_IDLE_MAX", None, &[],
        "No IDLE is older; `listen.interval` in effect when that is shorter.";
    BYTE_BUDGET: "listen.byte_budget", Bytes { min: 2 * MIB, max: 4096 * MIB }, Is("64 MiB"), "REPLYD_BYTE_BUDGET", None, &[],
        "Mail in flight over all accounts.";
    LOGIN_EVERY: "listen.login_every", Duration { min_s: 0, max_s: 3600 }, Is("60s"), "REPLYD_LOGIN_EVERY", None, &[],
        "At most one sign-in in this time for each account, two in a row; 0s only for a server of your own.";
    SESSION_MAX: "listen.session_max", Duration { min_s: 1, max_s: 7 * DAY_S }, Is("23h"), "REPLYD_SESSION_MAX", None, &[],
        "A session is replaced by a new one after so long, before the server ends it: many do after a day.";

    MODE: "reply.mode", MODES, Is("auto"), "REPLYD_MODE", None, &[],
        "How far automatic mails go in campaigns that name no mode: off nothing, draft all answers wait for a person, auto-ack acknowledgements only, auto answers too.";
    SALES_EMAIL: "reply.sales_email", Address, Rule("address of the first account"), "REPLYD_SALES_EMAIL", None, &["SALES_TEAM_EMAIL"],
        "Where sales notices go.";
    SALES_ADDRESSES: "reply.sales_addresses", Addresses, Rule("none"), "REPLYD_SALES_ADDRESSES", None, &[],
        "Further addresses of sales people: their mail is internal.";
    OPERATOR_ADDRESSES: "reply.operator_addresses", Addresses, Rule("none"), "REPLYD_OPERATOR_ADDRESSES", None, &[],
        "Addresses of the operator: their mail is internal.";
    GOAL_THRESHOLD: "reply.goal_threshold", Fraction, Is("0.7"), "REPLYD_GOAL_THRESHOLD", None, &[],
        "Confidence below which nothing is acknowledged.";
    QUESTION_THRESHOLD: "reply.question_threshold", Fraction, Is("0.7"), "REPLYD_QUESTION_THRESHOLD", None, &[],
        "Confidence below which no question is answered from the campaign's documents.";
    ANSWER_MAX_AGE: "reply.answer_max_age", Duration { min_s: 60, max_s: 30 * DAY_S }, Is("24h"), "REPLYD_ANSWER_MAX_AGE", None, &[],
        "Age of a reply beyond which it is never answered automatically.";
    OPTOUT_CONFIRMATION: "reply.optout_confirmation", Bool, Is("false"), "REPLYD_OPTOUT_CONFIRMATION", None, &[],
        "Whether an opt-out gets one plain confirmation.";
    SALES_NOTICES_PER_HOUR: "reply.sales_notices_per_hour", Integer { min: 0, max: 10_000 }, Is("60"), "REPLYD_SALES_NOTICES_PER_HOUR", None, &[],
        "Sales notices an hour before they become a digest.";
    AUTOMATIC_PER_DAY: "reply.automatic_per_day", Integer { min: 0, max: 100_000 }, Is("200"), "REPLYD_AUTOMATIC_PER_DAY", None, &[],
        "Automatic mails a day of one account; 0 sends none.";
    MARGIN: "reply.margin", Fraction, Is("0.15"), "REPLYD_MARGIN", None, &[],
        "A refusal as close as this to a goal or a question: a person decides.";
    AUTOMATIC_PER_DOMAIN: "reply.automatic_per_domain", Integer { min: 0, max: 100_000 }, Is("50"), "REPLYD_AUTOMATIC_PER_DOMAIN", None, &[],
        "Automatic mails a day to the leads of one domain; domains of which everybody can have an address (gmail.com …) do not count.";
    PERSON_WORDS: "reply.person_words", Phrases, Rule("none"), "REPLYD_PERSON_WORDS", None, &[],
        "Words or phrases of your own that always go to a person, beside lawyer, GDPR, complaint and their kin; an end written * stands for any ending.";
    NOT_NOW_PAUSE: "reply.not_now_pause", Duration { min_s: DAY_S, max_s: 1095 * DAY_S }, Is("90d"), "REPLYD_NOT_NOW_PAUSE", None, &[],
        "How long a lead gets no campaign mail who asks for later without naming a day, or says no.";
    SEND_DELAY: "reply.send_delay", Duration { min_s: 0, max_s: DAY_S }, Is("0s"), "REPLYD_SEND_DELAY", None, &[],
        "How long acknowledgements and answers wait, so that a person can cancel them (`replyd outbox cancel`).";
    WORKING_HOURS: "reply.working_hours", Hours, Rule("none: at any time"), "REPLYD_WORKING_HOURS", None, &[],
        "When acknowledgements and answers leave, for example Mon-Fri 09:00-18:00; notices to sales and confirmations of opt-outs leave at any time.";
    ZONE: "reply.zone", Zone, Is("lead"), "REPLYD_ZONE", None, &[],
        "Where the working hours are counted: lead (the lead's country, UTC where it is not known), UTC, a country such as DE, or a distance such as +02:00.";
    TEMPLATES_DIR: "reply.templates_dir", Path, Rule("the texts in the program"), "REPLYD_TEMPLATES_DIR", None, &[],
        "Folder with texts of your own (`replyd template export`).";
    WEIGHTS_FILE: "reply.weights_file", Path, Rule("the weights in the program"), "REPLYD_WEIGHTS_FILE", None, &[],
        "Weights of the classifier, made by `replyd train --out`.";

    ALL_CAMPAIGN_PER_MINUTE: "campaign.per_minute", PER_MINUTE, Rule("by the SMTP server's provider, else 20 (docs/OPERATIONS.md \"Campaign mails\")"), "REPLYD_CAMPAIGN_PER_MINUTE", None, &[],
        "Campaign mails of each account in a minute, evenly paced.";
    ALL_CAMPAIGN_PER_DAY: "campaign.per_day", PER_DAY, Rule("by the SMTP server's provider, else 500"), "REPLYD_CAMPAIGN_PER_DAY", None, &[],
        "Mails of each account in 24 hours, of all kinds, beyond which no campaign mail leaves.";

    DATABASE: "store.database", Path, Rule("`$STATE_DIRECTORY/replyd.db`, else the installed service's (see above), else `$XDG_STATE_HOME/replyd/replyd.db`, else `~/.local/state/replyd/replyd.db`"), "REPLYD_DATABASE", Some("--database"), &[],
        "The SQLite file; keys lie in the same folder.";
    KEEP_RAW: "store.keep_raw", Words(&["leads", "all", "none"]), Is("leads"), "REPLYD_KEEP_RAW", None, &[],
        "Which raw mails are kept: those that concern a lead, all, or none.";
    RAW_RETENTION: "store.raw_retention", Duration { min_s: 3600, max_s: 3650 * DAY_S }, Is("30d"), "REPLYD_RAW_RETENTION", None, &[],
        "How long raw mails are kept.";

    MODEL_BASE_URL: "model.base_url", Url, Rule("none: no endpoint is asked"), "REPLYD_MODEL_BASE_URL", None, &[],
        "OpenAI-compatible server, up to and with its version, for example `http://127.0.0.1:11434/v1`. What a lead wrote is sent there (docs/MODEL.md).";
    MODEL_MODEL: "model.model", Text, Required, "REPLYD_MODEL_MODEL", None, &[],
        "The name of the model there.";
    MODEL_API_KEY: "model.api_key", Secret, Rule("none: no Authorization header"), "REPLYD_MODEL_API_KEY", None, &[],
        "Its key.";
    MODEL_API_KEY_FILE: "model.api_key_file", Path, Rule("none"), "REPLYD_MODEL_API_KEY_FILE", None, &[],
        "File that holds it.";
    MODEL_API_KEY_CREDENTIAL: "model.api_key_credential", CredentialName, Rule("`replyd.model-api-key`, if it is there"), "REPLYD_MODEL_API_KEY_CREDENTIAL", None, &[],
        "systemd credential that holds it.";
    MODEL_API_KEY_COMMAND: "model.api_key_command", Command, Rule("none"), "REPLYD_MODEL_API_KEY_COMMAND", None, &[],
        "Command that prints it, run at the first request and again when the key is refused.";
    MODEL_USE: "model.use", Scopes, Is("classify, word"), "REPLYD_MODEL_USE", None, &[],
        "What it is asked for: classify (a second opinion on what a reply wants), word (putting an answer that was found in the documents into words).";
    MODEL_TIMEOUT: "model.timeout", Duration { min_s: 1, max_s: 120 }, Is("8s"), "REPLYD_MODEL_TIMEOUT", None, &[],
        "For a classification, with its second try; then the program's own classifier decides alone.";
    MODEL_ANSWER_TIMEOUT: "model.answer_timeout", Duration { min_s: 1, max_s: 300 }, Is("30s"), "REPLYD_MODEL_ANSWER_TIMEOUT", None, &[],
        "For the words of an answer, with its second try; then the documents' own words are sent.";
    MODEL_MAX_TOKENS: "model.max_tokens", Integer { min: 50, max: 32_768 }, Is("200"), "REPLYD_MODEL_MAX_TOKENS", None, &[],
        "Tokens that a classification may take; words may take three times as many. A model that thinks first needs some thousand.";
    MODEL_CA_FILE: "model.ca_file", Path, Rule("none"), "REPLYD_MODEL_CA_FILE", None, &[],
        "PEM file of certificates trusted there, besides the system's store.";

    WEB_LISTEN: "web.listen", Listen, Is("127.0.0.1:8025"), "REPLYD_WEB_LISTEN", Some("--listen"), &[],
        "Where `replyd run` serves the API, the pages and /health: address and port, or off (`--no-web`).";
    WEB_PUBLIC_URL: "web.public_url", Url, Rule("none: mails to sales have no links"), "REPLYD_WEB_PUBLIC_URL", None, &[],
        "The address under which people reach the pages: for links in mails to sales, and for one-click List-Unsubscribe in campaign mails (RFC 8058).";
    WEB_VIEW_CHECK_MS: "web.view_check_ms", Integer { min: 0, max: 10_000 }, Is("300"), "REPLYD_WEB_VIEW_CHECK_MS", None, &[],
        "Milliseconds for which an asked conversation waits until its mailbox was looked at; 0: it does not wait.";
    WEB_ATTACHMENT_MAX: "web.attachment_max", Bytes { min: MIB, max: 40 * MIB }, Is("25 MiB"), "REPLYD_WEB_ATTACHMENT_MAX", None, &[],
        "The largest attachment that is fetched from its mailbox when somebody asks for it; three at a time are held in memory, none is stored.";
    WEB_TRUSTED_PROXIES: "web.trusted_proxies", Networks, Is("127.0.0.1, ::1"), "REPLYD_WEB_TRUSTED_PROXIES", None, &[],
        "Addresses or networks (`10.0.0.0/8`) whose X-Forwarded-For and X-Forwarded-Proto are believed; `none`: nobody's.";
    WEB_JWT_KEY: "web.jwt_key", Secret, Rule("none: no JWT is taken"), "REPLYD_WEB_JWT_KEY", None, &[],
        "Key by which the predecessor signs its JWTs (HS256; Django's SIGNING_KEY or SECRET_KEY); better in a file of its own.";
    WEB_JWT_KEY_FILE: "web.jwt_key_file", Path, Rule("none"), "REPLYD_WEB_JWT_KEY_FILE", None, &[],
        "File with that key.";
    WEB_JWT_KEY_CREDENTIAL: "web.jwt_key_credential", CredentialName, Rule("`replyd.jwt-key`, if it is there"), "REPLYD_WEB_JWT_KEY_CREDENTIAL", None, &[],
        "systemd credential with that key.";
    WEB_JWT_USER_CLAIM: "web.jwt_user_claim", Text, Is("user_id"), "REPLYD_WEB_JWT_USER_CLAIM", None, &[],
        "The JWT's claim with the user's number: who owns campaigns.";
    WEB_OPEN_METRICS: "web.open_metrics", Bool, Is("false"), "REPLYD_WEB_OPEN_METRICS", None, &[],
        "Whether /metrics is answered to this machine without a token. Do not set it behind a proxy on the same machine that passes /metrics on.";

    ALERTS_WEBHOOK: "alerts.webhook", SecretUrl, Rule("none"), "REPLYD_ALERTS_WEBHOOK", None, &[],
        "Address to which each alert is posted as JSON, besides the mail to the operator.";
    ALERTS_COMMAND: "alerts.command", Command, Rule("none"), "REPLYD_ALERTS_COMMAND", None, &[],
        "Program that is run for each alert, without a shell (a text is divided at its blanks), with the alert as JSON on its standard input.";
    ALERTS_LOST_AFTER: "alerts.lost_after", Duration { min_s: 1, max_s: DAY_S }, Is("45s"), "REPLYD_ALERTS_LOST_AFTER", None, &[],
        "An account whose connection is lost, and cannot be had again, for so long fails in /health and is told; three intervals, if those are shorter.";
    ALERTS_OUTBOX_LATE: "alerts.outbox_late", Duration { min_s: 1, max_s: DAY_S }, Is("10m"), "REPLYD_ALERTS_OUTBOX_LATE", None, &[],
        "A mail that should have left so long ago makes the outbox late: /health fails and the operator is told.";

    WEBHOOK_NAME: "webhooks.name", Text, Required, "NAME", None, &[],
        "Unique name, shown in status and part of its environment names; deliveries go on where this name is. Set it in replyd.toml only.";
    WEBHOOK_URL: "webhooks.url", SecretUrl, Required, "URL", None, &[],
        "Address to which events are posted as JSON (docs/RECIPES.md shows receivers).";
    WEBHOOK_SECRET: "webhooks.secret", Secret, Rule("see \"Secrets\""), "SECRET", None, &[],
        "Key by which deliveries are signed; at least 16 bytes.";
    WEBHOOK_SECRET_FILE: "webhooks.secret_file", Path, Rule("none"), "SECRET_FILE", None, &[],
        "File that holds that key.";
    WEBHOOK_SECRET_CREDENTIAL: "webhooks.secret_credential", CredentialName, Rule("none"), "SECRET_CREDENTIAL", None, &[],
        "systemd credential that holds that key.";
    WEBHOOK_EVENTS: "webhooks.events", Scopes, Is("reply, goal_reached, opt_out, bounce"), "EVENTS", None, &[],
        "What is told: reply, goal_reached, opt_out, bounce, new_reply, queued, sent, failed, draft, account_state, changed.";
    WEBHOOK_CAMPAIGNS: "webhooks.campaigns", Phrases, Rule("all"), "CAMPAIGNS", None, &[],
        "Names of the campaigns whose events are told.";

    LOG_FORMAT: "log.format", Words(&["text", "json"]), Is("text"), "REPLYD_LOG_FORMAT", Some("--log-format"), &[],
        "Look of the log: text, or one JSON object a line.";
    LOG_FILTER: "log.filter", Filter, Is("info"), "REPLYD_LOG_FILTER", None, &[],
        "What is logged, for example info or replyd=debug.";
}

/// The predecessor's names that belong to one account.
pub(super) const OLD_ACCOUNT_NAMES: &[&str] = &[
    "IMAP_HOST",
    "IMAP_PORT",
    "IMAP_USE_SSL",
    "IMAP_USER",
    "IMAP_PASSWORD",
    "IMAP_MAILBOX",
    "EMAIL_HOST",
    "EMAIL_PORT",
    "EMAIL_USE_TLS",
    "EMAIL_USE_SSL",
    "EMAIL_HOST_USER",
    "EMAIL_HOST_PASSWORD",
    "DEFAULT_FROM_EMAIL",
];

/// The predecessor's names that hold whatever the accounts are.
pub(super) const OLD_GLOBAL_NAMES: &[&str] = &["SALES_TEAM_EMAIL", "EMAIL_BACKEND"];

/// The predecessor's names that no longer do anything, with the reason.
pub(super) const DROPPED_NAMES: &[(&str, &str)] = &[
    (
        "TEST_EMAIL",
        "it has no effect: mail goes to its recipients (a trial: `--redirect-to ADDRESS`)",
    ),
    (
        "EMAIL_SSL_DISABLE_VERIFY",
        "it has no effect: certificates are always verified (an own authority: `ca_file`)",
    ),
];

/// Environment names that are read, but are no settings.
pub(super) const PLACE_NAMES: &[&str] = &["REPLYD_CONFIG"];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn paths_and_environment_names_are_unique() {
        let mut paths = HashSet::new();
        let mut names = HashSet::new();
        for key in ALL {
            assert!(paths.insert(key.path), "{}", key.path);
            let prefix = if key.of_account() {
                "REPLYD_ACCOUNT_X_"
            } else if key.of_webhook() {
                "REPLYD_WEBHOOK_X_"
            } else {
                ""
            };
            let name = format!("{prefix}{}", key.env);
            assert!(name.starts_with("REPLYD_"), "{name}");
            assert!(names.insert(name), "{}", key.env);
        }
    }

    #[test]
    fn each_of_the_predecessors_names_sets_a_key() {
        for old in OLD_ACCOUNT_NAMES.iter().chain(OLD_GLOBAL_NAMES) {
            assert!(ALL.iter().any(|k| k.old.contains(old)), "{old}");
        }
        for key in ALL {
            for old in key.old {
                assert!(
                    OLD_ACCOUNT_NAMES.contains(old) || OLD_GLOBAL_NAMES.contains(old),
                    "{old}"
                );
            }
        }
    }
}
