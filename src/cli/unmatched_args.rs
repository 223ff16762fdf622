//! Arguments of `unmatched`. The comments are the help texts.

use clap::Subcommand;

/// `unmatched …`
#[derive(Clone, Debug, Subcommand)]
pub enum UnmatchedCommand {
    /// List mail of leads that answers nothing known, with the threads it may belong to
    List {
        /// One JSON object a line instead of text
        #[arg(long)]
        json: bool,
    },
    /// Say to which thread a message belongs; replyd learns from it
    #[command(
        after_help = "The ids that the message refers to are known for that thread from then \
        on, and its sender counts as the lead; earlier mail that matches by them is taken along. \
        The message itself becomes a draft, never an automatic answer.\n\n\
        Examples:\n  replyd unmatched attach 812 --thread 17\n  \
        replyd unmatched attach 812 --lead L-17 --campaign Spring"
    )]
    Attach {
        /// Number of the message, as `unmatched list` shows it
        id: i64,
        /// The thread (campaign_lead), as `unmatched list` proposes it
        #[arg(long, value_name = "ID", required_unless_present = "lead")]
        thread: Option<i64>,
        /// Or the lead: lead_id of the import
        #[arg(long, value_name = "LEAD_ID", conflicts_with = "thread")]
        lead: Option<String>,
        /// The campaign's name, when the lead is in several
        #[arg(long, value_name = "NAME", requires = "lead")]
        campaign: Option<String>,
        /// For this message only: learn neither its ids nor its sender
        #[arg(long)]
        no_teach: bool,
    },
    /// Say that a message concerns nobody; its text is dropped
    Ignore {
        /// Number of the message, as `unmatched list` shows it
        id: i64,
    },
}
