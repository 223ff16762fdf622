//! `replyd setup`: every question has its flag; secrets come from files, commands or the standard
//! input, never as a flag's value.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Examples of `replyd setup --help`.
pub(super) const SETUP_EXAMPLES: &str = "\
Examples:
  replyd setup                       ask for everything
  replyd setup --address sales@example.com --print
  replyd setup --address sales@example.com --password-file - < secret
  replyd setup --address sales@example.com --sign-in oauth \\
      --client-id 1234.apps.googleusercontent.com --client-secret-file client.secret
  replyd setup --address sales@example.com --password-file new.secret   (a new password)

Root sets up the service: settings and secrets in /etc/replyd, user, program and units. Any other
user, or --config FILE, gets a settings file alone (./replyd.toml). Nothing is started. Run it
again to change an account or to add one: the rest of the file stays as it is.
Each provider has a page in docs/PROVIDERS.md.";

/// Flags of `setup`.
#[derive(Args, Clone, Debug, Default)]
pub struct SetupArgs {
    /// Address of the mailbox to listen to, alone or as `Name <address>`
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<String>,
    /// Name in From of its mails [default: the campaign's sender name]
    #[arg(long, value_name = "NAME")]
    pub from_name: Option<String>,
    /// Name of the account in states and logs (default: the address up to the @)
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Mail provider [default: found by the address's domain]
    #[arg(long, value_enum)]
    pub provider: Option<ProviderArg>,
    /// User name at the servers [default: the address]
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,

    /// How to sign in [default: by the flag that gives the secret, else password]
    #[arg(long, value_enum, value_name = "WAY", help_heading = "Signing in")]
    pub sign_in: Option<SignInWay>,
    /// File with the password or app password, copied to where the service reads it; - is the
    /// standard input
    #[arg(long, value_name = "FILE", help_heading = "Signing in")]
    pub password_file: Option<PathBuf>,
    /// Command that prints the password, run at each sign-in
    #[arg(long, value_name = "COMMAND", help_heading = "Signing in")]
    pub password_command: Option<String>,
    /// File with an access token that another program keeps fresh
    #[arg(long, value_name = "FILE", help_heading = "Signing in")]
    pub token_file: Option<PathBuf>,
    /// Command that prints an access token, run at each sign-in
    #[arg(long, value_name = "COMMAND", help_heading = "Signing in")]
    pub token_command: Option<String>,
    /// OAuth2: id of the app that you registered
    #[arg(long, value_name = "ID", help_heading = "Signing in")]
    pub client_id: Option<String>,
    /// OAuth2: file with the app's secret, if it has one; - is the standard input
    #[arg(long, value_name = "FILE", help_heading = "Signing in")]
    pub client_secret_file: Option<PathBuf>,
    /// OAuth2 at Microsoft: id or domain of the directory (tenant)
    #[arg(long, value_name = "TENANT", help_heading = "Signing in")]
    pub tenant: Option<String>,
    /// OAuth2 of another issuer than Google and Microsoft: its page of consent
    #[arg(long, value_name = "URL", help_heading = "Signing in")]
    pub auth_url: Option<String>,
    /// Its token endpoint
    #[arg(long, value_name = "URL", help_heading = "Signing in")]
    pub token_url: Option<String>,
    /// Its endpoint for device codes
    #[arg(long, value_name = "URL", help_heading = "Signing in")]
    pub device_url: Option<String>,
    /// A scope that it wants; may be given again
    #[arg(long, value_name = "SCOPE", help_heading = "Signing in")]
    pub scope: Vec<String>,
    /// Where root keeps a password: in a file below /etc/replyd, or as a systemd credential
    #[arg(
        long,
        value_enum,
        value_name = "PLACE",
        default_value = "file",
        help_heading = "Signing in"
    )]
    pub secret_in: SecretPlace,

    /// Server where the mail is read [default: found]
    #[arg(long, value_name = "HOST", help_heading = "Servers")]
    pub imap_host: Option<String>,
    /// Its port [default: 993 with tls, 143 with starttls]
    #[arg(long, value_name = "PORT", help_heading = "Servers", value_parser = clap::value_parser!(u16).range(1..))]
    pub imap_port: Option<u16>,
    /// Protection of the connection [default: tls]
    #[arg(long, value_enum, value_name = "HOW", help_heading = "Servers")]
    pub imap_security: Option<SecurityArg>,
    /// Server that takes the answers [default: found]
    #[arg(long, value_name = "HOST", help_heading = "Servers")]
    pub smtp_host: Option<String>,
    /// Its port [default: 465 with tls, 587 with starttls]
    #[arg(long, value_name = "PORT", help_heading = "Servers", value_parser = clap::value_parser!(u16).range(1..))]
    pub smtp_port: Option<u16>,
    /// Protection of the connection [default: starttls; tls with port 465]
    #[arg(long, value_enum, value_name = "HOW", help_heading = "Servers")]
    pub smtp_security: Option<SecurityArg>,
    /// PEM file of certificates trusted besides the system's, for both servers
    #[arg(long, value_name = "FILE", help_heading = "Servers")]
    pub ca_file: Option<PathBuf>,

    /// Address of the sales team, which is told of replies
    #[arg(long, value_name = "ADDRESS", help_heading = "People")]
    pub sales_email: Option<String>,
    /// Address of the operator, who is told of outages; may be given again [default: the sales team]
    #[arg(long, value_name = "ADDRESS", help_heading = "People")]
    pub operator: Vec<String>,
    /// File with the https address to which each alert is posted, which often holds a secret; - is
    /// the standard input
    #[arg(long, value_name = "FILE", help_heading = "People")]
    pub alert_webhook_file: Option<PathBuf>,
    /// Program (its whole path) that is run for each alert, without a shell
    #[arg(long, value_name = "COMMAND", help_heading = "People")]
    pub alert_command: Option<String>,

    /// Show what would be written, without secrets, and write nothing
    #[arg(long)]
    pub print: bool,
    /// Write without signing in to the servers first
    #[arg(long)]
    pub no_test: bool,
    /// Do not ask before writing
    #[arg(long)]
    pub yes: bool,
    /// Set up the system in this folder instead, for packages and images
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

/// Providers with known servers, and none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProviderArg {
    /// Gmail and Google Workspace
    Gmail,
    /// Microsoft 365
    Microsoft365,
    /// Outlook.com, Hotmail
    Outlook,
    /// Yahoo Mail
    Yahoo,
    /// iCloud Mail
    Icloud,
    /// Fastmail
    Fastmail,
    /// None of these: the servers are looked up or named
    Other,
}

/// Ways to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SignInWay {
    /// A password or app password, typed or from --password-file
    Password,
    /// A command that prints the password
    PasswordCommand,
    /// OAuth2: afterwards `replyd auth login ACCOUNT`
    Oauth,
    /// A file with an access token
    TokenFile,
    /// A command that prints an access token
    TokenCommand,
}

/// Where a password is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SecretPlace {
    /// /etc/replyd/ACCOUNT.password, for root and the service's user
    #[default]
    File,
    /// /etc/credstore/replyd.ACCOUNT.password, for root alone, who hands it to the service
    Credential,
}

/// Protection of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SecurityArg {
    /// TLS from the first byte
    Tls,
    /// STARTTLS, required
    Starttls,
    /// None; for this machine only
    Plain,
}
