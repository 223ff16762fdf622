//! Arguments of `drafts`, `label` and `corrections`. The comments are the help texts.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

const APPROVE_EXAMPLES: &str = "\
The mail goes into the thread of the reply, from the address that the lead wrote to, and leaves
with the running service (without one: with the next `replyd process`). It is a person's mail:
brakes, modes and age do not hold it. What stands against it is told, and nothing is sent: an
address that bounced, a newer reply of the lead, a person's own answer by mail, another answer to
the same reply, automation switched off for everything. --anyway overrules these; a lead who wants
no more mail gets one with --to-suppressed only. A text that somebody else changed within the hour
is sent with --version only, which `replyd drafts show` names.

Examples:
  replyd drafts approve 12
  replyd drafts approve 12 --answer 'They are 3 Euro a month.'
  replyd drafts approve 12 --file answer.txt
  replyd drafts approve 12 --to sender      the reply came from another address of the lead";

const EDIT_EXAMPLES: &str = "\
Without --file, --text and --answer, $VISUAL or $EDITOR is opened. A file holds the whole text; it
may begin with `Subject: …` and an empty line. What replyd had made is kept beside it.

Examples:
  replyd drafts edit 12
  replyd drafts edit 12 --file answer.txt
  replyd drafts edit 12 --answer 'Yes, on Friday.'";

/// Examples of `label`.
pub(super) const LABEL_EXAMPLES: &str = "\
Labels: goal_reached (with --goal-type viewing, sales_call or other), question, not_interested,
not_now, unsubscribe, out_of_office, bounce, referral, neutral.
The label is shown from then on, and becomes a row of `replyd corrections export`. `unsubscribe`
holds at once: the address gets no more mail, what waits for it is withdrawn, its drafts are
closed. Nothing else is decided anew, and nothing is sent.

Examples:
  replyd label 812 not_now
  replyd label '<CAF+abc@mail.example>' goal_reached --goal-type viewing
  replyd label --draft 12 question";

const EXPORT_EXAMPLES: &str = "\
Rows have the columns text, label, goal_type, source and context: the format of `replyd train`.
The file holds what leads wrote; weights made of it hold no text.

Examples:
  replyd corrections export > corrections.tsv
  replyd train data/intents/train.tsv data/intents/own.tsv corrections.tsv --out my.weights
  replyd corrections export --answers > faq.md      what people answered, for the documents";

/// `drafts …`
#[derive(Clone, Debug, Subcommand)]
pub enum DraftsCommand {
    /// List answers that wait for a person, oldest first
    List(DraftsListArgs),
    /// Show one: the reply, the text, why it waits, its sources, what stands against sending it
    Show {
        /// Number of the draft, as `drafts list` shows it
        id: i64,
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// Change the text or the subject
    #[command(after_help = EDIT_EXAMPLES)]
    Edit {
        /// Number of the draft
        id: i64,
        /// The new text
        #[command(flatten)]
        text: DraftTextArgs,
        /// Only if this version of the text stands there, as `drafts show` names it
        #[arg(long, value_name = "N")]
        version: Option<i64>,
    },
    /// Send it
    #[command(after_help = APPROVE_EXAMPLES)]
    Approve(DraftsApproveArgs),
    /// Close it without sending: answered by phone, or not needed
    #[command(visible_alias = "close")]
    Reject {
        /// Numbers of drafts
        #[arg(required = true)]
        ids: Vec<i64>,
        /// Why, for the record
        #[arg(long, default_value = "", value_name = "TEXT")]
        reason: String,
    },
    /// Let one wait again that was closed, or whose mail was refused or withdrawn
    Reopen {
        /// Number of the draft
        id: i64,
    },
}

/// Flags of `drafts list`.
#[derive(Args, Clone, Debug)]
pub struct DraftsListArgs {
    /// Those that were decided too, newest first
    #[arg(long, conflicts_with = "state")]
    pub all: bool,
    /// Only those in this state
    #[arg(long, value_enum, value_name = "STATE")]
    pub state: Option<DraftStateArg>,
    /// Only those of this campaign
    #[arg(long, value_name = "NAME")]
    pub campaign: Option<String>,
    /// Only those of this lead: lead_id of the import
    #[arg(long, value_name = "LEAD_ID")]
    pub lead: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// One JSON object a line instead of text
    #[arg(long)]
    pub json: bool,
}

/// A state to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DraftStateArg {
    /// It waits.
    Open,
    /// A person sent it.
    Approved,
    /// A person closed it.
    Rejected,
    /// Closed by an answer by mail, or an opt-out.
    Superseded,
}

/// Where a text comes from.
#[derive(Args, Clone, Debug, Default)]
pub struct DraftTextArgs {
    /// Take the text from this file; `-`: from standard input
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub file: Option<PathBuf>,
    /// Take this text
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
    /// Put this where the draft says [write the answer here], and leave the rest as it is
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["file", "text"])]
    pub answer: Option<String>,
    /// Take this subject
    #[arg(long, value_name = "TEXT")]
    pub subject: Option<String>,
}

/// Flags of `drafts approve`.
#[derive(Args, Clone, Debug)]
pub struct DraftsApproveArgs {
    /// Number of the draft
    pub id: i64,
    /// The new text, in the same step
    #[command(flatten)]
    pub text: DraftTextArgs,
    /// Only if this version of the text stands there, as `drafts show` names it
    #[arg(long, value_name = "N")]
    pub version: Option<i64>,
    /// To whom, when the reply came from another address than the lead's
    #[arg(long, value_enum, value_name = "WHO")]
    pub to: Option<DraftTo>,
    /// Send it although something stands against it
    #[arg(long)]
    pub anyway: bool,
    /// Send this one mail although the lead wants no more; the address stays suppressed
    #[arg(long)]
    pub to_suppressed: bool,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// To whom an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DraftTo {
    /// The lead's address, as imported.
    Lead,
    /// Where the reply came from.
    Sender,
}

/// Flags of `label`.
#[derive(Args, Clone, Debug)]
#[command(
    override_usage = "replyd label <MESSAGE> <LABEL> [--goal-type TYPE]\n       \
    replyd label --draft <ID> <LABEL>\n       replyd label --conversation <ID> <LABEL>"
)]
pub struct LabelArgs {
    /// The message (its number, or its Message-ID), then the label
    #[arg(required = true, num_args = 1..=2, value_names = ["MESSAGE", "LABEL"])]
    pub words: Vec<String>,
    /// The reply of this draft instead of a message
    #[arg(long, value_name = "ID", conflicts_with = "conversation")]
    pub draft: Option<i64>,
    /// The mail of this line of a conversation, as `process` prints it
    #[arg(long, value_name = "ID")]
    pub conversation: Option<i64>,
    /// The step, with goal_reached only [default: as it was read, else other]
    #[arg(long, value_name = "TYPE")]
    pub goal_type: Option<String>,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// `corrections …`
#[derive(Clone, Debug, Subcommand)]
pub enum CorrectionsCommand {
    /// List the labels that people gave, and how far what was read was off
    List {
        /// One JSON object a line instead of text
        #[arg(long)]
        json: bool,
    },
    /// Write them as rows for `replyd train`
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(CorrectionsExportArgs),
    /// Take a label back; what it did stays done
    Remove {
        /// Number of the message
        message: i64,
    },
}

/// Flags of `corrections export`.
#[derive(Args, Clone, Debug)]
pub struct CorrectionsExportArgs {
    /// Where to [default: standard output]
    #[arg(value_name = "OUT")]
    pub out: Option<PathBuf>,
    /// Also replies whose class people confirmed by approving what was made for it
    #[arg(long, conflicts_with = "answers")]
    pub approved: bool,
    /// Instead: what people wrote into drafts, as entries for the documents of a campaign
    #[arg(long)]
    pub answers: bool,
    /// With --answers: of this campaign only
    #[arg(long, value_name = "NAME", requires = "answers")]
    pub campaign: Option<String>,
}
