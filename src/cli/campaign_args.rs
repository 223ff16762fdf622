//! Arguments of `campaign`, `automation` and `suppress`. The comments are the help texts.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use crate::model::CampaignMode;

/// `campaign …`
#[derive(Clone, Debug, Subcommand)]
pub enum CampaignCommand {
    /// Make a campaign whose mails replyd sends, or give one its texts
    #[command(after_help = CREATE_HELP)]
    Create(CampaignCreateArgs),
    /// List the campaigns
    List {
        /// One JSON array instead of text
        #[arg(long)]
        json: bool,
    },
    /// Show how far a campaign is and what holds its mails
    #[command(after_help = "Example:\n  replyd campaign show Spring")]
    Show {
        /// The campaign
        name: String,
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// Change what is said of a campaign, also of one whose mails another program sends
    #[command(after_help = SET_HELP)]
    Set(CampaignSetArgs),
    /// Queue a mail to every lead of the campaign that has none; again goes on where it ended
    #[command(after_help = SEND_HELP)]
    Send(CampaignSendArgs),
    /// Let the campaign's queued mails wait
    #[command(
        after_help = "Answers to its leads go on: `replyd automation off --campaign NAME` stops \
        those too.\n\nExample:\n  replyd campaign pause Spring --reason 'wrong price in the text'"
    )]
    Pause {
        /// The campaign
        name: String,
        /// Why, for status
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Let them leave again, at the account's pace; also ends a stop by the server's limit
    Resume {
        /// The campaign
        name: String,
    },
}

const CREATE_HELP: &str = "\
The template is plain text; its first line may be `Subject: …`. An HTML file of the same name
beside it (offer.html beside offer.txt) becomes the HTML part. Fields of the lead stand as
{{ name }}, {{ project }}, {{ budget_max }} …; an empty one is an error unless it has a default:
{{ name|default(\"there\") }}. {{ unsubscribe_url }} opts the lead out. An unknown one is told with
the list of all.

Examples:
  replyd leads import leads.csv --campaign Spring
  replyd campaign create Spring --project Lakeside --template offer.txt
  replyd campaign send Spring --dry-run";

const SEND_HELP: &str = "\
Every lead is looked at and every mail filled in before the first one is queued. The running
service sends them, at the pace of [campaign] per_minute and per_day; without a service
`replyd process` sends what the pace allows. Killed or repeated, each lead still gets one mail.

Exit codes: 0 queued; 1 a lead lacks a field (nothing was queued); 75 with --wait: not all left.

Examples:
  replyd campaign send Spring --dry-run     show the first mails and who gets none, write nothing
  replyd campaign send Spring --limit 20    a first twenty
  replyd campaign send Spring --wait        queue all, and follow how they leave";

const SET_HELP: &str = "\
Examples:
  replyd campaign set Spring --documents /etc/replyd/documents/spring
  replyd campaign set Spring --mode draft
  replyd campaign set Spring --goal-threshold 0.85 --margin 0.2
  replyd campaign set Spring --working-hours 'Mon-Fri 09:00-18:00' --zone DE";

/// Flags of `campaign set`.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = true)]
pub struct CampaignSetArgs {
    /// Its name
    #[arg(group = "named")]
    pub name: String,
    /// Folder with .md and .txt files from which questions are answered
    #[arg(long, value_name = "DIR")]
    pub documents: Option<PathBuf>,
    /// Answer no question from documents any more
    #[arg(long, conflicts_with = "documents")]
    pub no_documents: bool,
    /// The project
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// Who signs
    #[arg(long, value_name = "NAME")]
    pub sender_name: Option<String>,
    /// How far automatic answers go
    #[arg(long, value_name = "MODE", value_parser = mode_parser())]
    pub mode: Option<CampaignMode>,
    /// Confidence below which nothing is acknowledged; `default`: as the settings say
    #[arg(long, value_name = "0..1")]
    pub goal_threshold: Option<String>,
    /// Confidence below which no question is answered; `default`: as the settings say
    #[arg(long, value_name = "0..1")]
    pub question_threshold: Option<String>,
    /// A refusal as close as this goes to a person; `default`: as the settings say
    #[arg(long, value_name = "0..1")]
    pub margin: Option<String>,
    /// When automatic mails to leads leave; `none`: at any time, `default`: as the settings say
    #[arg(long, value_name = "HOURS")]
    pub working_hours: Option<String>,
    /// Where those hours are counted: lead, UTC, a country, Europe/Berlin or +02:00; or `default`
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    pub zone: Option<String>,
}

/// Flags of `campaign create`.
#[derive(Args, Clone, Debug)]
pub struct CampaignCreateArgs {
    /// Its name, as `leads import --campaign` names it
    pub name: String,
    /// Text of the mails: a file, or a folder with template.txt and perhaps template.html
    #[arg(long, value_name = "FILE")]
    pub template: PathBuf,
    /// The same text in HTML [default: the .html file beside it]
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Subject, a template too [default: the file's line `Subject: …`]
    #[arg(long, value_name = "TEXT")]
    pub subject: Option<String>,
    /// The project [default: each lead's]
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// The account that sends [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Who signs [default: the campaign's name]
    #[arg(long, value_name = "NAME")]
    pub sender_name: Option<String>,
    /// Details of the offer, as {{ offer_details }}
    #[arg(long, value_name = "TEXT")]
    pub offer: Option<String>,
    /// How far automatic answers go [default: reply.mode]
    #[arg(long, value_name = "MODE", value_parser = mode_parser())]
    pub mode: Option<CampaignMode>,
    /// Folder with .md and .txt files from which questions are answered
    #[arg(long, value_name = "DIR")]
    pub documents: Option<PathBuf>,
    /// Replace texts and account of a campaign that has some; queued mails keep theirs
    #[arg(long)]
    pub replace: bool,
}

fn mode_parser() -> impl TypedValueParser<Value = CampaignMode> {
    PossibleValuesParser::new(CampaignMode::ALL.iter().map(|m| m.as_str()))
        .try_map(|word| word.parse::<CampaignMode>())
}

/// Flags of `campaign send`.
#[derive(Args, Clone, Debug)]
pub struct CampaignSendArgs {
    /// The campaign
    pub name: String,
    /// Show the first mails and who gets none; write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Queue at most this many mails now
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Only to these leads: lead_id of the import
    #[arg(long, value_name = "LEAD_ID", num_args = 1..)]
    pub to: Vec<String>,
    /// Also to leads whose mail was refused or withdrawn before
    #[arg(long)]
    pub retry: bool,
    /// Follow until all have left, or something holds them
    #[arg(long, conflicts_with = "dry_run")]
    pub wait: bool,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// `automation …`
#[derive(Clone, Debug, Subcommand)]
pub enum AutomationCommand {
    /// Hold all automatic mails: queued ones from this moment on, in a running service too
    #[command(after_help = AUTOMATION_HELP)]
    Off {
        /// For what; all without a flag
        #[command(flatten)]
        scope: ScopeArgs,
        /// Why, for status
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Let them go on; answers to replies older than reply.answer_max_age become drafts
    On {
        /// For what; all without a flag
        #[command(flatten)]
        scope: ScopeArgs,
    },
    /// Show what is switched off, since when, by whom and why
    Status {
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
}

const AUTOMATION_HELP: &str = "\
Held are acknowledgements, answers, confirmations of opt-outs and campaign mails. Notices to
sales and mails that a person wrote go on. New replies are captured, shown, and become drafts.

Examples:
  replyd automation off --reason 'wrong price list'
  replyd automation off --campaign Spring
  replyd automation off --lead L-17 --reason 'Ann takes over'
  replyd automation on --lead L-17";

/// For what automation is switched.
#[derive(Args, Clone, Debug)]
pub struct ScopeArgs {
    /// Only for this campaign
    #[arg(long, value_name = "NAME", conflicts_with = "lead")]
    pub campaign: Option<String>,
    /// Only for this lead, in every campaign: lead_id of the import
    #[arg(long, value_name = "LEAD_ID")]
    pub lead: Option<String>,
}

/// `suppress …`
#[derive(Clone, Debug, Subcommand)]
pub enum SuppressCommand {
    /// No mail to this address any more, from no campaign
    #[command(after_help = "Example:\n  replyd suppress add ann@example.com --reason 'by phone'")]
    Add {
        /// The address
        address: String,
        /// Why
        #[arg(long, value_name = "TEXT", default_value = "by hand")]
        reason: String,
    },
    /// List addresses that get no mail, the newest first
    List {
        /// Only this address
        address: Option<String>,
        /// One JSON array instead of text
        #[arg(long)]
        json: bool,
    },
    /// Let an address get mail again: only when its owner asked for it
    Remove {
        /// The address
        address: String,
    },
}
