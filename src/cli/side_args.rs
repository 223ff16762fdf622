//! Arguments of `import`. The comments are the help texts.

use std::path::PathBuf;

use clap::Subcommand;

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
