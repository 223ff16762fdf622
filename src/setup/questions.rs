//! From flags and answers to everything that has to be known of an account.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::desk::{Desk, Missing, Question};
use super::find::Means;
use super::issuer::Issuer;
use super::presets::{Preset, Server};
use super::servers::{Wanted, server, servers_of};
use super::settings_file::Known;
use super::sign_in::{secret_from, sign_in};
use crate::cli::SetupArgs;
use crate::config::parse_address;

/// Why the questions came to no end.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// Nobody is there to answer; every flag is named.
    #[error("{}", missing_text(.0))]
    Missing(Vec<Missing>),
    /// An answer cannot be used.
    #[error("{0}")]
    Bad(String),
    /// The terminal or a file failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

fn missing_text(missing: &[Missing]) -> String {
    let mut text = "There is no terminal to ask at, and these are missing:".to_owned();
    for Missing { flag, what } in missing {
        text.push_str(&format!("\n  {flag}\n      {what}"));
    }
    text.push_str("\nFurther flags, and all of them: replyd setup --help");
    text
}

pub(super) fn bad<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Bad(why.into()))
}

/// How the account signs in.
#[derive(Clone, Debug)]
pub enum SignIn {
    /// As the settings say already.
    Keep,
    /// With this password.
    Password(SecretString),
    /// With what a command prints.
    PasswordCommand(String),
    /// With a token from a file.
    TokenFile(PathBuf),
    /// With a token that a command prints.
    TokenCommand(String),
    /// By OAuth2.
    OAuth {
        /// `accounts.oauth.provider`.
        provider: &'static str,
        /// Its addresses, where the provider is none that replyd knows.
        issuer: Option<Issuer>,
        /// The app's id.
        client_id: String,
        /// Its secret.
        client_secret: Option<SecretString>,
        /// Microsoft's directory.
        tenant: Option<String>,
    },
    /// With a password that is not known yet: `--print` alone.
    Unknown,
}

/// Everything about an account.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Its name.
    pub account: String,
    /// The settings have it already.
    pub is_known: bool,
    /// Its address.
    pub address: String,
    /// Display name.
    pub from_name: Option<String>,
    /// User, where it is not the address.
    pub user: Option<String>,
    /// How it signs in.
    pub sign_in: SignIn,
    /// Where mail is read.
    pub imap: Server,
    /// Where mail is handed in.
    pub smtp: Server,
    /// Certificates for both.
    pub ca_file: Option<PathBuf>,
    /// Where sales are told.
    pub sales_email: Option<String>,
    /// The operator.
    pub operators: Vec<String>,
    /// Alerts besides mail.
    pub alerts: AlertWays,
    /// The provider, if it is a known one.
    pub preset: Option<&'static Preset>,
}

/// What the settings say already.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// Accounts.
    pub accounts: Vec<Known>,
    /// `reply.sales_email`.
    pub sales_email: Option<String>,
    /// `alerts.webhook` or `alerts.command` is there.
    pub has_alert_way: bool,
}

/// How alerts are told besides by mail; none: as the settings say.
#[derive(Clone, Debug, Default)]
pub struct AlertWays {
    /// `alerts.webhook`.
    pub webhook: Option<SecretString>,
    /// `alerts.command`.
    pub command: Option<String>,
}

/// Asks for what the flags leave open.
///
/// # Errors
/// [`Stop`].
pub async fn ask(
    args: &SetupArgs,
    desk: &mut Desk,
    before: &Before,
    means: &Means,
) -> Result<Answers, Stop> {
    let mut missing = Vec::new();
    let (name, address) = match address(args, desk, before)? {
        Some(given) => given,
        None => {
            missing.push(Missing::new("--address ADDRESS", "the mailbox"));
            (String::new(), String::new())
        }
    };
    let known = before
        .accounts
        .iter()
        .find(|k| match &args.account {
            Some(account) => k.name == *account,
            None => k.address.eq_ignore_ascii_case(&address) && !address.is_empty(),
        })
        .cloned();
    if let (Some(known), false) = (&known, address.is_empty())
        && !known.address.eq_ignore_ascii_case(&address)
    {
        return bad(format!(
            "The account {:?} is that of {}: give the new one another name by --account",
            known.name, known.address
        ));
    }
    let found = servers_of(args, desk, known.as_ref(), &address, means).await?;
    let preset = found.as_ref().and_then(|f| f.preset);
    let imap = Wanted::imap(args, known.as_ref(), found.as_ref());
    let imap = server(desk, &mut missing, &imap)?;
    let smtp = Wanted::smtp(args, known.as_ref(), found.as_ref());
    let smtp = server(desk, &mut missing, &smtp)?;
    let user = match (&args.user, &known, &found) {
        (Some(user), ..) => Some(user.clone()),
        (None, Some(known), _) => known.user.clone(),
        (None, None, Some(found)) => found.user.clone(),
        (None, None, None) => None,
    };
    let user = user.filter(|u| *u != address);
    let from_name = from_name(args, desk, known.as_ref(), name)?;
    let sign_in = sign_in(args, desk, known.as_ref(), preset, &mut missing)?;
    if !missing.is_empty() {
        return Err(Stop::Missing(missing));
    }
    let (Some(imap), Some(smtp)) = (imap, smtp) else {
        return bad("The servers are not known");
    };
    let sales_email = sales_email(args, desk, before)?;
    let operators = operators(args, desk, known.is_some())?;
    let alerts = alerts(args, desk, known.is_some() || before.has_alert_way)?;
    Ok(Answers {
        account: account_name(args, known.as_ref(), before, &address)?,
        is_known: known.is_some(),
        address,
        from_name,
        user,
        sign_in,
        imap,
        smtp,
        ca_file: args.ca_file.as_deref().map(absolute).transpose()?,
        sales_email,
        operators,
        alerts,
        preset,
    })
}

fn checked(written: &str, flag: &str) -> Result<(String, String), Stop> {
    parse_address(written).map_err(|why| Stop::Bad(format!("{flag}: {why}")))
}

fn address(
    args: &SetupArgs,
    desk: &mut Desk,
    before: &Before,
) -> Result<Option<(String, String)>, Stop> {
    if let Some(written) = &args.address {
        return checked(written, "--address").map(Some);
    }
    if let Some(account) = &args.account
        && let Some(known) = before.accounts.iter().find(|k| k.name == *account)
    {
        return Ok(Some((String::new(), known.address.clone())));
    }
    loop {
        let question = Question {
            text: "Address of the mailbox",
            default: None,
        };
        let Some(written) = desk.line(question)? else {
            return Ok(None);
        };
        match parse_address(&written) {
            Ok(given) => return Ok(Some(given)),
            Err(why) => desk.tell(&format!("{why}\n"))?,
        }
    }
}

fn from_name(
    args: &SetupArgs,
    desk: &mut Desk,
    known: Option<&Known>,
    beside_address: String,
) -> Result<Option<String>, Stop> {
    if let Some(name) = &args.from_name {
        return Ok(Some(name.clone()));
    }
    if !beside_address.is_empty() {
        return Ok(Some(beside_address));
    }
    if known.is_some() {
        return Ok(None);
    }
    let question = Question {
        text: "Name in From of its mails",
        default: Some(""),
    };
    Ok(desk.line(question)?.filter(|name| !name.is_empty()))
}

/// A new account has the address's first part as its name, or the whole address when that is
/// taken.
fn account_name(
    args: &SetupArgs,
    known: Option<&Known>,
    before: &Before,
    address: &str,
) -> Result<String, Stop> {
    if let Some(known) = known {
        return Ok(known.name.clone());
    }
    if let Some(name) = &args.account {
        // It becomes part of a file's name.
        let fits = |c: char| c.is_alphanumeric() || "@._-+".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(fits) {
            return bad("--account: letters, digits and @ . _ - + make a name");
        }
        return Ok(name.clone());
    }
    let local = address.rsplit_once('@').map_or(address, |(l, _)| l);
    let taken = before.accounts.iter().any(|k| k.name == local);
    let fits = |c: char| c.is_alphanumeric() || "._-+".contains(c);
    Ok(
        if taken || local.starts_with('.') || !local.chars().all(fits) {
            address.to_owned()
        } else {
            local.to_owned()
        },
    )
}

fn sales_email(args: &SetupArgs, desk: &mut Desk, before: &Before) -> Result<Option<String>, Stop> {
    if let Some(written) = &args.sales_email {
        return checked(written, "--sales-email").map(|(_, a)| Some(a));
    }
    if before.sales_email.is_some() {
        return Ok(None);
    }
    loop {
        let question = Question {
            text: "Address of the sales team, which is told of replies",
            // Not the mailbox itself: an alert that it needs a sign-in would reach nobody.
            default: None,
        };
        let Some(written) = desk.line(question)? else {
            return Ok(None);
        };
        match parse_address(&written) {
            Ok((_, given)) => return Ok(Some(given)),
            Err(why) => desk.tell(&format!("{why}\n"))?,
        }
    }
}

fn operators(args: &SetupArgs, desk: &mut Desk, is_known: bool) -> Result<Vec<String>, Stop> {
    if !args.operator.is_empty() {
        return args
            .operator
            .iter()
            .map(|written| checked(written, "--operator").map(|(_, a)| a))
            .collect();
    }
    if is_known {
        return Ok(Vec::new());
    }
    loop {
        let question = Question {
            text: "Address of the operator, who is told of outages; empty: the sales team",
            default: Some(""),
        };
        let written = match desk.line(question)? {
            None => return Ok(Vec::new()),
            Some(written) if written.is_empty() => return Ok(Vec::new()),
            Some(written) => written,
        };
        match parse_address(&written) {
            Ok((_, given)) => return Ok(vec![given]),
            Err(why) => desk.tell(&format!("{why}\n"))?,
        }
    }
}

/// A mail about a refused sign-in cannot leave by that sign-in: another way is asked for, once.
fn alerts(args: &SetupArgs, desk: &mut Desk, is_known: bool) -> Result<AlertWays, Stop> {
    let mut ways = AlertWays::default();
    if let Some(file) = &args.alert_webhook_file {
        let url = secret_from(file)?;
        let checked = crate::http::check_url(url.expose_secret());
        checked.map_err(|why| Stop::Bad(format!("--alert-webhook-file: {why}")))?;
        ways.webhook = Some(url);
    }
    if let Some(command) = &args.alert_command {
        if !command.starts_with('/') {
            return bad("--alert-command: write the whole path of the program");
        }
        ways.command = Some(command.clone());
    }
    if is_known || ways.webhook.is_some() || ways.command.is_some() {
        return Ok(ways);
    }
    loop {
        let question = Question {
            text: "Way to tell of outages besides mail: https address of a webhook, or /path/of/a \
                   program",
            default: Some(""),
        };
        let Some(given) = desk.line(question)?.filter(|given| !given.is_empty()) else {
            return Ok(ways);
        };
        if given.starts_with('/') {
            ways.command = Some(given);
            return Ok(ways);
        }
        match crate::http::check_url(&given) {
            Ok(()) => {
                ways.webhook = Some(given.into());
                return Ok(ways);
            }
            Err(why) => desk.tell(&format!("{why}\n"))?,
        }
    }
}

pub(super) fn absolute(path: &Path) -> Result<PathBuf, Stop> {
    std::path::absolute(path).map_err(Stop::Io)
}
