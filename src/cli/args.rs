//! Commands and flags as types. The comments are the help texts.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::DoctorArgs;
use super::setup_args::SetupArgs;

const TOP_EXAMPLES: &str = "\
Examples:
  replyd                                  listen and answer until stopped
  replyd --once --days 1                  look once and exit, for cron
  replyd --config /etc/replyd/replyd.toml status --json
  replyd config check                     show what is in effect, and what is wrong

Exit codes:
  0   every account was looked at
  2   an account needs sign-in; for `status` and `doctor`: a person is needed
  64  bad settings or flags
  75  a server could not be reached, or is not to be tried yet
  1   anything else

Passwords are never flags: see docs/CONFIGURATION.md.";

/// Listens to mailboxes, stores each reply once, answers it or hands it to people.
#[derive(Clone, Debug, Parser)]
#[command(name = "replyd", version, after_help = TOP_EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// Where settings come from, and what holds for every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// The flags of `run`, accepted without the word too.
    #[command(flatten, next_help_heading = "Options of run")]
    pub run: RunArgs,
    /// What to do; nothing: `run`.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags that every command takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Settings file [default: $REPLYD_CONFIG, ./replyd.toml, /etc/replyd/replyd.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// File of environment variables [default: .env beside replyd.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// SQLite file [default: $STATE_DIRECTORY/replyd.db, $XDG_STATE_HOME/replyd/replyd.db]
    #[arg(long, global = true, value_name = "FILE")]
    pub database: Option<PathBuf>,
    /// Look of the log: text or json [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// Send every outgoing mail to this address instead (for trials; shown in log and status)
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub redirect_to: Option<String>,
}

/// Flags of `run`.
#[derive(Args, Clone, Debug, Default)]
pub struct RunArgs {
    /// Period of the fallback poll in seconds; IDLE wakes it in between [default: 60]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub interval: Option<String>,
    /// How many days of 24 hours the first run looks back [default: 1]
    #[arg(long, value_name = "DAYS", allow_negative_numbers = true)]
    pub days: Option<String>,
    /// Look at every account once, work off what is due, and exit
    #[arg(long)]
    pub once: bool,
    /// Serve the API, the pages and /health here [default: 127.0.0.1:8025]
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "no_web")]
    pub listen: Option<String>,
    /// Answer no HTTP requests
    #[arg(long)]
    pub no_web: bool,
}

impl RunArgs {
    pub(super) fn is_empty(&self) -> bool {
        self.interval.is_none()
            && self.days.is_none()
            && !self.once
            && self.listen.is_none()
            && !self.no_web
    }

    /// The flags before the word `run` and those after it; the later ones win.
    pub(super) fn over(self, earlier: Self) -> Self {
        Self {
            interval: self.interval.or(earlier.interval),
            days: self.days.or(earlier.days),
            once: self.once || earlier.once,
            // Said later, one of the two takes the other back.
            no_web: self.no_web || (earlier.no_web && self.listen.is_none()),
            listen: self.listen.or(earlier.listen),
        }
    }
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Listen to every account and answer, until Ctrl+C or SIGTERM (the default)
    #[command(after_help = "Examples:\n  \
        replyd run --interval 300\n  \
        * * * * * replyd run --once --days 1      (a crontab line)")]
    Run(RunArgs),
    /// Look through the last days again, also at what was looked at before, and report
    #[command(after_help = "Examples:\n  replyd check\n  replyd check --days 30")]
    Check(CheckArgs),
    /// Prove that nothing is missing: compare each mailbox with what is stored, take in what is not
    #[command(after_help = super::reconcile_args::RECONCILE_EXAMPLES)]
    Reconcile(super::ReconcileArgs),
    /// Messages that could not be read as the server sends them: list, retry, release
    #[command(subcommand)]
    Quarantine(super::QuarantineCommand),
    /// Copy the database and the keys of Message-IDs into one new file, while replyd runs
    #[command(after_help = super::reconcile_args::BACKUP_EXAMPLES)]
    Backup(super::BackupArgs),
    /// Make the database anew from a file of `backup`, where there is none
    #[command(after_help = super::reconcile_args::RESTORE_EXAMPLES)]
    Restore(super::BackupArgs),
    /// Work off pending replies and due mails without looking at a mailbox
    #[command(after_help = "Examples:\n  \
        replyd process --limit 50\n  \
        replyd process --force            decide again, send nothing twice\n  \
        replyd process 812 --force        only this message, by its number or Message-ID\n  \
        replyd process --conversation 31 --force --resend\n  \
                                          may send a second mail for this reply\n  \
        replyd process --json             one JSON object a reply")]
    Process(ProcessArgs),
    /// Look at everything that must be right, and say what is wrong and what to do
    #[command(after_help = "Examples:\n  \
        replyd doctor                          before the first start, or beside a running replyd\n  \
        replyd doctor --send-test              with a mail from each account to itself\n  \
        replyd doctor --account sales --json\n\n\
        Exit codes: 0 all is well (warnings allowed), 2 a person is needed, 64 bad settings,\n\
        75 a server cannot be reached.\n\
        No mail is sent without --send-test, and no mailbox is changed.")]
    Doctor(DoctorArgs),
    /// Show accounts, counters and what waits for a person
    #[command(after_help = "Examples:\n  replyd status\n  replyd status --json")]
    Status(StatusArgs),
    /// Leads: import
    #[command(subcommand)]
    Leads(LeadsCommand),
    /// Mails sent to leads by other programs: import, scan, add
    #[command(subcommand)]
    Sent(SentCommand),
    /// Coming from the predecessor: its leads, campaigns and conversations
    #[command(subcommand)]
    Import(super::ImportCommand),
    /// Conversations, leads and sent mails as CSV or JSON lines
    #[command(after_help = super::side_args::EXPORT_EXAMPLES)]
    Export(super::ExportArgs),
    /// Personal data of a lead: erase, list
    #[command(subcommand)]
    Erase(super::EraseCommand),
    /// Programs that are told of replies: list, deliveries, replay, test
    #[command(subcommand)]
    Webhooks(super::WebhooksCommand),
    /// Mails that leave: list, cancel, settle
    #[command(subcommand)]
    Outbox(OutboxCommand),
    /// Answers that wait for a person: list, show, edit, approve, reject
    #[command(subcommand)]
    Drafts(super::DraftsCommand),
    /// Say what a lead wants, where replyd read something else
    #[command(after_help = super::drafts_args::LABEL_EXAMPLES)]
    Label(super::LabelArgs),
    /// Labels that people gave: list, export, remove
    #[command(subcommand)]
    Corrections(super::CorrectionsCommand),
    /// Documents that answers are quoted from: list, check, ask, evaluate
    #[command(subcommand)]
    Documents(super::DocumentsCommand),
    /// Tell why a message was matched, classed and answered, or not
    #[command(after_help = super::replay_args::EXPLAIN_EXAMPLES)]
    Explain(super::ExplainArgs),
    /// Run stored raw mails through today's rules and show what would differ
    #[command(after_help = super::replay_args::REPLAY_EXAMPLES)]
    Replay(super::ReplayArgs),
    /// Mail of leads that answers nothing known: list, attach, ignore
    #[command(subcommand)]
    Unmatched(super::UnmatchedCommand),
    /// Campaign mails: create, list, show, send, pause, resume
    #[command(subcommand)]
    Campaign(super::CampaignCommand),
    /// Hold automatic mails and let them go: off, on, status
    #[command(subcommand)]
    Automation(super::AutomationCommand),
    /// Addresses that get no mail: add, list, remove
    #[command(subcommand)]
    Suppress(super::SuppressCommand),
    /// The texts of our mails: check, preview, export
    #[command(subcommand)]
    Template(super::TemplateCommand),
    /// Sign-in by OAuth2: login, status, logout
    #[command(subcommand)]
    Auth(super::AuthCommand),
    /// Tokens for the API and the page: create, list, revoke, link
    #[command(subcommand)]
    Token(super::TokenCommand),
    /// Settings: check, reference
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print what replyd understands of messages in files, as JSON
    #[command(after_help = super::parse_args::PARSE_EXAMPLES)]
    Parse(super::ParseArgs),
    /// Judge replyd on a folder of labelled messages, or on a file of labelled texts
    #[command(after_help = super::parse_args::EVALUATE_EXAMPLES)]
    Evaluate(super::EvaluateArgs),
    /// Print intent and gate of texts in a .tsv file, as JSON
    #[command(after_help = super::classify_args::CLASSIFY_EXAMPLES)]
    Classify(super::ClassifyArgs),
    /// Train the classifier on labelled texts, or cross-validate it
    #[command(after_help = super::classify_args::TRAIN_EXAMPLES)]
    Train(super::TrainArgs),
    /// Set up a mailbox: servers, sign-in, settings, and for root the service itself
    #[command(after_help = super::setup_args::SETUP_EXAMPLES)]
    Setup(Box<SetupArgs>),
    /// Show the whole flow on an embedded mail server, with sample leads
    #[cfg(feature = "demo")]
    #[command(after_help = "Examples:\n  replyd demo\n  replyd demo --exit    end by itself")]
    Demo(DemoArgs),
    /// Print shell completions
    #[command(after_help = "Example:\n  replyd completions bash > /etc/bash_completion.d/replyd")]
    Completions(CompletionsArgs),
}

/// Flags of `check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// How many days of 24 hours to look back
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = days_range())]
    pub days: u32,
}

fn days_range() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=3650)
}

/// Flags of `process`.
#[derive(Args, Clone, Debug)]
pub struct ProcessArgs {
    /// Only this reply: the number of its message, or its Message-ID
    #[arg(value_name = "MESSAGE", group = "reply", conflicts_with = "limit")]
    pub message: Option<String>,
    /// Only the reply of this line of a conversation, as `process` prints it
    #[arg(long, value_name = "ID", group = "reply", conflicts_with = "limit")]
    pub conversation: Option<i64>,
    /// At most this many replies
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Decide again on replies that were processed already
    #[arg(long)]
    pub force: bool,
    /// With --force and a reply that is named: allow a second automatic mail for it
    #[arg(long, requires_all = ["force", "reply"])]
    pub resend: bool,
    /// With a reply that failed and is named: decide and send nothing, a person has dealt with it
    #[arg(long, requires = "reply", conflicts_with_all = ["force", "resend"])]
    pub close: bool,
    /// One JSON object a reply instead of text
    #[arg(long)]
    pub json: bool,
}

/// Flags of `status`.
#[derive(Args, Clone, Copy, Debug)]
pub struct StatusArgs {
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// `leads …`
#[derive(Clone, Debug, Subcommand)]
pub enum LeadsCommand {
    /// Take in leads from a CSV file; again is an update
    #[command(
        after_help = "Columns: lead_id, name, email, country_code, phone, project_name, \
        unit_type, budget_min, budget_max, status …\nA bad row is reported with its line; the \
        others go in.\n\nExample:\n  replyd leads import leads.csv"
    )]
    Import {
        /// The CSV file, with a header line
        file: PathBuf,
        /// Put the leads into this campaign, unless their row names another
        #[arg(long, value_name = "NAME")]
        campaign: Option<String>,
        /// Also leads that were erased; their addresses get no mail all the same
        #[arg(long)]
        erased_too: bool,
    },
}

/// `sent …`
#[derive(Clone, Debug, Subcommand)]
pub enum SentCommand {
    /// Take in mails that another program sent, from a CSV file
    #[command(
        after_help = "Columns: message_id, lead_id, campaign, date, subject\n\n\
        Example:\n  replyd sent import sent.csv"
    )]
    Import {
        /// The CSV file, with a header line
        file: PathBuf,
    },
    /// Take in the mails to known leads that lie in the Sent folder
    #[command(after_help = super::scan_args::SCAN_EXAMPLES)]
    Scan(super::SentScanArgs),
    /// Take in one mail that another program sent
    #[command(after_help = "Example:\n  \
        replyd sent add --message-id '<1234@example.com>' --lead L-17 --campaign Spring \\\n      \
        --date 2026-03-01T09:00:00Z")]
    Add(SentAddArgs),
}

/// Flags of `sent add`.
#[derive(Args, Clone, Debug)]
pub struct SentAddArgs {
    /// Its Message-ID, with or without angle brackets
    #[arg(long, value_name = "ID")]
    pub message_id: String,
    /// The lead it went to: lead_id of the import
    #[arg(long, value_name = "LEAD_ID")]
    pub lead: String,
    /// The campaign's name
    #[arg(long, value_name = "NAME")]
    pub campaign: String,
    /// When it was sent, RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    pub date: Option<String>,
    /// Its subject
    #[arg(long, value_name = "TEXT")]
    pub subject: Option<String>,
}

/// `outbox …`
#[derive(Clone, Debug, Subcommand)]
pub enum OutboxCommand {
    /// List mails whose fate a person has to settle, and those still on their way
    List,
    /// Take back a mail that waits: for its delay, the working hours, its turn, or a server
    #[command(
        after_help = "Until when a mail can be cancelled is in `outbox list`. It never leaves then, \
        and nobody else answers: with --draft its text waits for you in `drafts list`.\n\n\
        Example:\n  replyd outbox cancel 17 --draft"
    )]
    Cancel {
        /// Number of the mail, as `outbox list` shows it
        id: i64,
        /// Keep its text as a draft
        #[arg(long)]
        draft: bool,
    },
    /// Say what became of a mail without an answer, or that a refused one was seen
    #[command(after_help = "Example:\n  replyd outbox settle 17 --as sent")]
    Settle {
        /// Number of the mail, as `outbox list` shows it
        id: i64,
        /// sent: it arrived; resend: send it again; cancel: give it up (the only one for a
        /// refused mail)
        #[arg(long = "as", value_enum)]
        verdict: SettleAs,
    },
}

/// A person's word on a mail that waits for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SettleAs {
    /// It arrived.
    Sent,
    /// Send it again: the lead may get it twice.
    Resend,
    /// Give it up.
    Cancel,
}

/// `config …`
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show what is in effect and where each value comes from, or everything that is wrong
    #[command(after_help = "Opens no connection and no database.\n\n\
        Example:\n  replyd --config replyd.toml config check")]
    Check,
    /// Print the reference of all settings (docs/CONFIGURATION.md)
    Reference,
}

/// Flags of `demo`.
#[cfg(feature = "demo")]
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// End when every sample was handled; exit 1 when one was not handled as it should
    #[arg(long)]
    pub exit: bool,
    /// Serve the API and the pages here [default: 127.0.0.1:8025, or a free port if that is taken]
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "no_web")]
    pub listen: Option<String>,
    /// Answer no HTTP requests
    #[arg(long)]
    pub no_web: bool,
}

#[cfg(feature = "demo")]
impl DemoArgs {
    /// What the setting `web.listen` is to be; `None`: its default.
    pub(crate) fn listen(&self) -> Option<String> {
        if self.no_web {
            Some("off".to_owned())
        } else {
            self.listen.clone()
        }
    }
}

/// Flags of `completions`.
#[derive(Args, Clone, Copy, Debug)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}
