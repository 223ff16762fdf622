//! `auth …`: signing in by OAuth2.

use clap::{Args, Subcommand};

/// `auth …`
#[derive(Clone, Debug, Subcommand)]
pub enum AuthCommand {
    /// Sign an account in at its provider: once, by a person
    #[command(after_help = "\
Without a flag: a device code where the provider offers one (Microsoft), else a browser, whose
answer is taken on this machine or pasted here. A server has no browser: open the address on your
own machine, then paste the address at which the browser ends (it cannot be loaded there), or let
it arrive through a tunnel:

  ssh -L 8399:127.0.0.1:8399 server     on your own machine, then there:
  replyd auth login sales --port 8399

The token is tried on the IMAP server before it is stored. A running replyd takes it within a
second; nothing has to be restarted.

Examples:
  replyd auth login sales
  replyd auth login sales --paste

Exit codes: 0 signed in, 2 refused, 75 a server could not be reached, 64 bad settings or flags")]
    Login(LoginArgs),
    /// Show how each account's sign-in stands
    #[command(after_help = "Exit code 2 when an account needs a sign-in.")]
    Status(AuthStatusArgs),
    /// Forget an account's tokens
    Logout {
        /// Name of the account
        account: String,
    },
}

/// Flags of `auth login`.
#[derive(Args, Clone, Debug)]
pub struct LoginArgs {
    /// Name or address of the account
    pub account: String,
    /// By a code that is typed on another device (not at Google)
    #[arg(long, conflicts_with_all = ["paste", "port"])]
    pub device: bool,
    /// By a browser whose last address is pasted here
    #[arg(long, conflicts_with = "port")]
    pub paste: bool,
    /// By a browser whose answer is taken on this port of 127.0.0.1 [default: oauth.redirect_port, else any]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Store the tokens without trying them on the IMAP server
    #[arg(long)]
    pub no_test: bool,
}

/// Flags of `auth status`.
#[derive(Args, Clone, Copy, Debug)]
pub struct AuthStatusArgs {
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}
