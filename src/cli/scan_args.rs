//! Flags of `sent scan`.

use clap::Args;

/// Examples of `sent scan`.
pub(super) const SCAN_EXAMPLES: &str = "\
Reads the Sent folder of each account, and changes nothing in it. A mail goes to the campaign
whose thread it continues; else to --campaign; else to the lead's only or newest running campaign;
a lead in no campaign gets into \"Sent folder\". An answer that a person wrote leaves that thread to
people. Again is harmless: what is known stays as it is. Import the leads first.

Examples:
  replyd leads import leads.csv && replyd sent scan --days 90
  replyd sent scan --days 30 --account sales --campaign Spring --json";

/// Flags of `sent scan`.
#[derive(Args, Clone, Debug)]
pub struct SentScanArgs {
    /// How many days of 24 hours to look back
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: u32,
    /// Only this account [default: all]
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// The campaign of mails that continue no known thread
    #[arg(long, value_name = "NAME")]
    pub campaign: Option<String>,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}
