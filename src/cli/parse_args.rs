//! Flags of `parse` and `evaluate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Examples of `parse`.
pub(super) const PARSE_EXAMPLES: &str = "\
One JSON object a line, as docs/PARSE.md describes it. Reads files only: no settings, no
database, no network. A file that cannot be read is named on stderr, and the exit code is 1.

Examples:
  replyd parse mail.eml
  replyd parse - < mail.eml
  replyd parse --body text answer.txt
  replyd parse ~/Maildir/cur/* | jq 'select(.nature.kind == \"bounce\") | .nature.bounce'";

/// Examples of `evaluate`.
pub(super) const EVALUATE_EXAMPLES: &str = "\
A folder holds a cases.jsonl and the files that it names (docs/PARSE.md has the format); a .tsv
holds texts with their intent. Reads files only: no settings, no database, no network.

Examples:
  replyd evaluate corpora
  replyd evaluate corpora --json | jq .sets.bounce.facts.class
  replyd evaluate intents.tsv";

/// Flags of `parse`.
#[derive(Args, Clone, Debug)]
pub struct ParseArgs {
    /// The files hold bare bodies, not messages
    #[arg(long, value_enum, value_name = "KIND")]
    pub body: Option<BodyArg>,
    /// Files, one message each; - is the standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// What a bare body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BodyArg {
    /// Decoded plain text.
    Text,
    /// HTML.
    Html,
}

/// Flags of `evaluate`.
#[derive(Args, Clone, Debug)]
pub struct EvaluateArgs {
    /// A folder with a cases.jsonl, or a .tsv file of texts and intents
    pub path: PathBuf,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
    /// For a .tsv: weights of `replyd train` instead of those in the program
    #[arg(long, value_name = "FILE")]
    pub weights: Option<std::path::PathBuf>,
}
