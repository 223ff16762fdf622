//! Arguments of `replay` and `explain`. The comments are the help texts.

use clap::Args;

/// Examples of `replay`.
pub(super) const REPLAY_EXAMPLES: &str = "\
Looks at messages whose raw mail is kept (store.keep_raw, store.raw_retention).

Examples:
  replyd replay --dry-run                     what would differ, of all that is kept
  replyd replay --since 2026-11-01 --dry-run
  replyd replay --since 2026-11-01 --apply    record it; nothing is sent";

/// Examples of `explain`.
pub(super) const EXPLAIN_EXAMPLES: &str = "\
Examples:
  replyd explain 812
  replyd explain '<CAF+abc@mail.example>' --json";

/// Flags of `replay`.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// Only messages stored since then: a day (2026-11-01) or a time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only show what would differ (the default)
    #[arg(long, conflicts_with = "apply")]
    pub dry_run: bool,
    /// Record it; nothing is sent for it
    #[arg(long)]
    pub apply: bool,
    /// One JSON object a line instead of text
    #[arg(long)]
    pub json: bool,
}

/// Flags of `explain`.
#[derive(Args, Clone, Debug)]
pub struct ExplainArgs {
    /// The message: its number, or its Message-ID
    #[arg(value_name = "MESSAGE")]
    pub message: String,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}
