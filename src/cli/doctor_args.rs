//! Flags of `doctor`.

use clap::Args;

/// Flags of `doctor`.
#[derive(Args, Clone, Debug)]
pub struct DoctorArgs {
    /// Also send a mail from each account to itself, wait for it, and say what it shows
    #[arg(long)]
    pub send_test: bool,
    /// How long the test mail may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120,
          value_parser = clap::value_parser!(u64).range(5..=3600), requires = "send_test")]
    pub wait: u64,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
    /// Only this account
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Print the table of everything that can go wrong, with its remedies, and look at nothing
    #[arg(long, exclusive = true)]
    pub faults: bool,
}
