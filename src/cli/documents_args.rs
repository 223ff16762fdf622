//! Arguments of `documents`. The comments are the help texts.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `documents …`
#[derive(Clone, Debug, Subcommand)]
pub enum DocumentsCommand {
    /// List what is indexed: files and passages of each campaign, and what is wrong with them
    #[command(after_help = "Example:\n  replyd documents list Spring --passages")]
    List {
        /// Only this campaign
        campaign: Option<String>,
        /// Also each passage, with its line and heading
        #[arg(long)]
        passages: bool,
        /// One JSON array instead of text
        #[arg(long)]
        json: bool,
    },
    /// Read the folders anew and tell what is wrong; exit 1 when something is
    #[command(
        after_help = "Example:\n  replyd documents check Spring\n  replyd documents check --folder ./documents"
    )]
    Check {
        /// Only this campaign
        campaign: Option<String>,
        /// A folder that no campaign has yet; nothing is stored
        #[arg(long, conflicts_with = "campaign")]
        folder: Option<PathBuf>,
    },
    /// Show what would be answered to a mail, from which passage, and why it would not be sent
    #[command(after_help = ASK_HELP)]
    Ask(DocumentsAskArgs),
    /// Judge the answers on questions of your own
    #[command(after_help = EVALUATE_HELP)]
    Evaluate(DocumentsEvaluateArgs),
}

const ASK_HELP: &str = "\
Sends and stores nothing. Whether a real mail is answered also depends on the campaign's mode, on
its sender and on the brakes.

Examples:
  replyd documents ask 'Are pets allowed? And what does parking cost?' --campaign Spring
  replyd documents ask 'Are pets allowed?' --folder ./brochure     before any campaign has it";

const EVALUATE_HELP: &str = "\
The file is a TSV with the columns id, expect, fact and mail. expect: `file#heading` of the passage
with the answer, `-` where the documents have none. fact: words that a right answer holds. Several
of either are divided by ` | `; in mail `\\n` is a line break.

Printed are hit@1 and hit@3 (the passage is first, or among three), how many would be sent right and
wrong, the precision of what is sent, and the coverage: the share of answerable mails that are.

Example:
  replyd documents evaluate questions.tsv --folder ./brochure --all";

/// Which documents are asked.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub struct DocumentsOf {
    /// Those of this campaign
    #[arg(long, value_name = "NAME")]
    pub campaign: Option<String>,
    /// Those in this folder, without a campaign
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// Flags of `documents ask`.
#[derive(Args, Clone, Debug)]
pub struct DocumentsAskArgs {
    /// The newly written text of a mail
    pub mail: String,
    /// Which documents
    #[command(flatten)]
    pub of: DocumentsOf,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// Flags of `documents evaluate`.
#[derive(Args, Clone, Debug)]
pub struct DocumentsEvaluateArgs {
    /// The TSV
    pub file: PathBuf,
    /// Which documents
    #[command(flatten)]
    pub of: DocumentsOf,
    /// Also every mail: what would be sent, and why not
    #[arg(long)]
    pub all: bool,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}
