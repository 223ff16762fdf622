//! Arguments of `token`. The comments are the help texts.

use clap::{Args, Subcommand, ValueEnum};

const CREATE_EXAMPLES: &str = "\
The token is printed once, and stored as a hash only: who loses it makes another one. Programs send
it as `Authorization: Bearer replyd_…`; people sign in to the page with it, or with a link.

Examples:
  replyd token create --name crm --scope write
  replyd token create --name anna --scope write --campaign Spring --campaign Autumn
  replyd token create --name audit --expires 90d
  replyd token create --name anna --scope write --link     a link that signs in once, no token";

/// `token …`
#[derive(Clone, Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token for a program, or a person who uses the page
    #[command(after_help = CREATE_EXAMPLES)]
    Create(TokenCreateArgs),
    /// List tokens: what they may do, where, and when they were used last
    List {
        /// Also those that were revoked
        #[arg(long)]
        all: bool,
        /// JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// End a token, and the sessions that it opened, at once
    #[command(after_help = "Example:\n  replyd token revoke crm")]
    Revoke {
        /// Its name
        name: String,
    },
    /// Print a link that signs in to the page once, for a token that is there
    #[command(after_help = "Example:\n  replyd token link anna")]
    Link {
        /// Its name
        name: String,
    },
}

/// Flags of `token create`.
#[derive(Args, Clone, Debug)]
pub struct TokenCreateArgs {
    /// Who uses it; stands beside what is done with it
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// Only for this campaign; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    pub campaign: Vec<String>,
    /// What it may do: look, work on replies and leads, or also stop automatic mail
    #[arg(long, value_enum, default_value_t = ScopeArg::Read)]
    pub scope: ScopeArg,
    /// When it ends: days from now (90d), a day (2027-01-31) or a time [default: never]
    #[arg(long, value_name = "TIME")]
    pub expires: Option<String>,
    /// Print a link that signs in to the page once, instead of the token
    #[arg(long)]
    pub link: bool,
}

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScopeArg {
    /// Look.
    Read,
    /// Also work: drafts, answers, labels, leads.
    Write,
    /// Also stop and start automatic mail, and change campaigns.
    Admin,
}
