//! Flags of `classify` and `train`.

use std::path::PathBuf;

use clap::Args;

/// Examples of `classify`.
pub(super) const CLASSIFY_EXAMPLES: &str = "\
The file is tab-separated with a header line; its column `text` holds the newly written text of a
reply, with \\n for a line break. A column `context` may hold the mail of ours that it answers; an
outreach mail that asks for a viewing or a call is supposed otherwise. Prints one JSON object a row;
`gate` is what replyd would do with default settings for a verified sender in a fresh thread of a
campaign that has documents: acknowledge, answer, suppress, person or nothing. A row that cannot be
read is named on stderr, and the exit code is 1. Reads files only: no settings, no database; with
--endpoint the settings too. Then `intent` and `gate` are what both verdicts come to, `own` is the
program's own, and `endpoint` is what the model says, or why it was not asked.

Examples:
  replyd classify replies.tsv
  replyd classify replies.tsv --endpoint | jq 'select(.own != .intent)'
  replyd classify replies.tsv --weights my.weights | jq 'select(.gate == \"person\")'";

/// Examples of `train`.
pub(super) const TRAIN_EXAMPLES: &str = "\
The files have the columns text, label and goal_type (data/intents/README.md). Rows under a
share-alike licence are left out unless --share-alike is given. The same rows give the same weights,
byte for byte. Set reply.weights_file to use them.

Examples:
  replyd train data/intents/train.tsv data/intents/own.tsv corrections.tsv --out my.weights
  replyd train data/intents/train.tsv data/intents/own.tsv --evaluate";

/// Flags of `classify`.
#[derive(Args, Clone, Debug)]
pub struct ClassifyArgs {
    /// A .tsv file with a column `text`
    pub path: PathBuf,
    /// Weights of `replyd train` instead of those in the program
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Ask the model endpoint of the settings, too: the texts are sent there
    #[arg(long, visible_alias = "model")]
    pub endpoint: bool,
}

/// Flags of `train`.
#[derive(Args, Clone, Debug)]
pub struct TrainArgs {
    /// .tsv files of texts with their labels
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where the weights go
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Cross-validate and print how well the weights do on rows that they have not seen
    #[arg(long)]
    pub evaluate: bool,
    /// Parts of the cross-validation
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(2..=20))]
    pub folds: u8,
    /// With --evaluate: one JSON object instead of text
    #[arg(long, requires = "evaluate")]
    pub json: bool,
    /// Train on rows under share-alike licences too
    #[arg(long)]
    pub share_alike: bool,
}
