//! Arguments of `import`, `webhooks`, `export` and `erase`. The comments are the help texts.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `import …`
#[derive(Clone, Debug, Subcommand)]
pub enum ImportCommand {
    /// Take in leads, campaigns and conversations out of a dump of the Django application
    #[command(after_help = DJANGO_HELP)]
    Django {
        /// What `manage.py dumpdata` wrote
        file: PathBuf,
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
}

const DJANGO_HELP: &str = "\
Reads the models lead, campaign, campaignlead and conversation of any app, and passes over all others.
Ids, owners, threads, every Message-ID and what was processed stay as they were; imported conversations
are never answered. The same dump again changes nothing, a later one brings up to date. Records that cannot
go in are told with their place, and the others go in. Import into a new database: a row that was made here
keeps its id, and the record that has the same one is refused.

Example:
  python manage.py dumpdata leads campaigns -o dump.json
  replyd import django dump.json

Exit codes: 0 all went in; 1 some records did not.";

/// `webhooks …`
#[derive(Clone, Debug, Subcommand)]
pub enum WebhooksCommand {
    /// Show each webhook of the settings and what waits for it
    List {
        /// JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// Show what was told, newest first
    Deliveries {
        /// Only of this webhook
        name: Option<String>,
        /// Only what failed for good
        #[arg(long)]
        failed: bool,
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// Tell again: what failed, one delivery, or all since a time; the running service does it
    #[command(
        after_help = "Events are kept 30 days. The receiver knows by Replyd-Event-Id what it had already.\n\n\
        Examples:\n  replyd webhooks replay crm                     what failed for good\n  \
        replyd webhooks replay crm --id 17\n  \
        replyd webhooks replay crm --since 2026-03-01"
    )]
    Replay {
        /// The webhook
        name: String,
        /// Only this delivery
        #[arg(long, value_name = "ID")]
        id: Option<i64>,
        /// All since this day or time (RFC 3339), those that arrived too
        #[arg(long, value_name = "TIME", conflicts_with = "id")]
        since: Option<String>,
    },
    /// Post a sample, signed as all are, and show what was answered
    #[command(after_help = "Exit codes: 0 the receiver took it (2xx), 75 it did not.")]
    Test {
        /// The webhook
        name: String,
    },
}

/// Flags of `export`.
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// What to export
    #[arg(value_enum)]
    pub what: ExportWhat,
    /// CSV for table programs (formula cells get an apostrophe), or one JSON object a line
    #[arg(long, value_enum, default_value_t = ExportFormat::Csv)]
    pub format: ExportFormat,
    /// Only of this campaign
    #[arg(long, value_name = "NAME")]
    pub campaign: Option<String>,
    /// Only since this day or time (RFC 3339, UTC): lines and mails by their time, leads by their last change
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Into this file, for its owner alone; whole or not at all [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportWhat {
    /// Each line of each conversation
    Conversations,
    /// Each lead
    Leads,
    /// Each mail that was sent to a lead
    Sent,
}

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// RFC 4180 with a head line
    Csv,
    /// One JSON object a line, exact
    Jsonl,
}

/// Examples of `export`.
pub(super) const EXPORT_EXAMPLES: &str = "\
Examples:
  replyd export conversations --campaign Spring --since 2026-03-01 > replies.csv
  replyd export leads --format jsonl --file leads.jsonl";

/// `erase …`
#[derive(Clone, Debug, Subcommand)]
pub enum EraseCommand {
    /// Erase a lead: every name, address and text of it, in all tables; keyed hashes keep it from coming back
    #[command(
        after_help = "Without --yes it shows what would go, and changes nothing.\n\n\
        Examples:\n  replyd erase lead L-17\n  replyd erase lead ann@example.com --yes --reason 'asked on 3 March'"
    )]
    Lead {
        /// Its lead_id or its address
        lead: String,
        /// Do it
        #[arg(long)]
        yes: bool,
        /// Why, kept beside who and when; no names
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
        /// Do not write the database anew afterwards: on a large one that takes a while, during which nothing
        /// else is written; what was freed long before may then stay in the file
        #[arg(long)]
        no_vacuum: bool,
    },
    /// Who was erased, when and by whom
    List {
        /// JSON instead of text
        #[arg(long)]
        json: bool,
    },
}
