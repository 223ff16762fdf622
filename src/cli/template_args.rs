//! Flags of `template`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `template …`
#[derive(Clone, Debug, Subcommand)]
pub enum TemplateCommand {
    /// Check all templates and show which are in effect
    #[command(
        after_help = "Exit code 64 when a file is wrong. The service refuses to start on it, \
        with the same words.\n\nExample:\n  replyd template check"
    )]
    Check,
    /// Show a template filled with sample values
    #[command(after_help = "Examples:\n  replyd template preview acknowledgment\n  \
        replyd template preview acknowledgment --language de --campaign Spring\n  \
        replyd template preview acknowledgment --html > page.html")]
    Preview(TemplatePreviewArgs),
    /// Write the texts in the program into a folder, to be changed there
    #[command(
        after_help = "Files that are there stay as they are. Set `reply.templates_dir` to the \
        folder; keep only what you change.\n\nExample:\n  replyd template export /etc/replyd/templates"
    )]
    Export {
        /// The folder; made if it is not there
        dir: PathBuf,
    },
}

/// Flags of `template preview`.
#[derive(Args, Clone, Debug)]
pub struct TemplatePreviewArgs {
    /// Name of the template, as `template check` shows it
    pub name: String,
    /// Language, two letters
    #[arg(long, default_value = "en", value_name = "CODE")]
    pub language: String,
    /// As for this campaign
    #[arg(long, default_value = "", value_name = "NAME")]
    pub campaign: String,
    /// The HTML instead of the text
    #[arg(long)]
    pub html: bool,
}
