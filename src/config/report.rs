//! `replyd config check` and `replyd config reference` (docs/CONFIGURATION.md).

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::cli::Exit;

use super::keys::{self, Default, Key, Kind};
use super::load::Loaded;
use super::problem::ConfigError;
use super::values::{show_bytes, show_seconds};

/// Prints what is in effect to `out`, or everything that is wrong to `err`.
///
/// # Errors
/// Only those of the writers.
pub fn config_check(
    loaded: &Result<Loaded, ConfigError>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Exit> {
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            writeln!(err, "{error}")?;
            return Ok(error.exit());
        }
    };
    for file in &loaded.files {
        writeln!(out, "# read: {}", file.display())?;
    }
    let width = loaded
        .effective
        .iter()
        .map(|e| e.key.chars().count())
        .max()
        .unwrap_or(0);
    let value_width = loaded
        .effective
        .iter()
        .map(|e| e.value.chars().count())
        .filter(|w| *w <= 40)
        .max()
        .unwrap_or(0);
    let mut table = "";
    for setting in &loaded.effective {
        let here = setting.key.split(['.', '[']).next().unwrap_or("");
        if here != table {
            writeln!(out)?;
            table = here;
        }
        let (key, value, origin) = (&setting.key, &setting.value, &setting.origin);
        writeln!(out, "{key:width$} = {value:value_width$}  # {origin}")?;
    }
    writeln!(out)?;
    for note in &loaded.notes {
        writeln!(out, "{note}")?;
    }
    let count = loaded.settings.accounts.len();
    let plural = if count == 1 { "" } else { "s" };
    writeln!(out, "The settings are complete: {count} account{plural}.")?;
    Ok(Exit::Done)
}

/// The tables of the reference, in its order, with what stands above each.
const TABLES: &[(&str, &str, &str)] = &[
    (
        "accounts",
        "`[[accounts]]`",
        "One table for each mailbox account.",
    ),
    (
        "accounts.imap",
        "`imap` of an account",
        "Written as `imap.host = …` in its `[[accounts]]`, or as a table `[accounts.imap]` below it.",
    ),
    (
        "accounts.smtp",
        "`smtp` of an account",
        "Written as `smtp.host = …` in its `[[accounts]]`, or as a table `[accounts.smtp]` below it.",
    ),
    (
        "accounts.oauth",
        "`oauth` of an account",
        "Written as `oauth.provider = …` in its `[[accounts]]`, or as a table `[accounts.oauth]` below it. `replyd auth login ACCOUNT` then signs in once; see docs/OPERATIONS.md.",
    ),
    (
        "accounts.campaign",
        "`campaign` of an account",
        "Written as `campaign.per_day = …` in its `[[accounts]]`, or as a table `[accounts.campaign]` below it.",
    ),
    (
        "imap",
        "`[imap]`",
        "What holds for every account that says nothing else.",
    ),
    (
        "smtp",
        "`[smtp]`",
        "What holds for every account that says nothing else.",
    ),
    ("listen", "`[listen]`", "How and when to look."),
    ("reply", "`[reply]`", "Who is told, and what is answered."),
    (
        "model",
        "`[model]`",
        "An OpenAI-compatible server that is asked besides the program's own classifier, and that puts answers into words; without `base_url` none is, and nothing of it is started. What leaves this machine for it stands in docs/MODEL.md.",
    ),
    (
        "campaign",
        "`[campaign]`",
        "How fast campaign mails leave, for every account that says nothing else.",
    ),
    ("store", "`[store]`", "What is kept, and where."),
    ("web", "`[web]`", "Where HTTP requests are answered."),
    (
        "alerts",
        "`[alerts]`",
        "How the operator is told that an account does not hear, besides by mail to `reply.operator_addresses` (else `reply.sales_email`).",
    ),
    (
        "webhooks",
        "`[[webhooks]]`",
        "One table for each program that is told of replies and the like; its environment names begin with `REPLYD_WEBHOOK_<NAME>_`. What it is told, and how it knows that replyd says so, stands in docs/RECIPES.md.",
    ),
    ("log", "`[log]`", "How the log looks."),
];

/// The reference of all settings in Markdown: docs/CONFIGURATION.md, word by word.
#[must_use]
pub fn reference() -> String {
    let mut page = include_str!("reference_head.md").to_owned();
    for (table, title, intro) in TABLES {
        // Writing to a String does not fail.
        write!(
            page,
            "\n### {title}\n\n{intro}\n\n\
             | key | type and unit | default | environment | meaning |\n\
             | --- | --- | --- | --- | --- |\n"
        )
        .unwrap_or_default();
        for key in keys::ALL.iter().filter(|k| k.table() == *table) {
            row(&mut page, key);
        }
    }
    page.push_str(include_str!("reference_tail.md"));
    page
}

fn row(page: &mut String, key: &Key) {
    let default = match key.default {
        Default::Is(text) => format!("`{text}`"),
        Default::Rule(rule) => rule.to_owned(),
        Default::Required => "none".to_owned(),
    };
    let mut names = Vec::new();
    if key.path == keys::ACCOUNT_NAME.path || key.path == keys::WEBHOOK_NAME.path {
        names.push("–".to_owned());
    } else if key.of_account() || key.of_webhook() {
        names.push(format!("`…_{}`", key.env));
    } else {
        names.push(format!("`{}`", key.env));
    }
    names.extend(key.old.iter().map(|old| format!("`{old}`")));
    let flag = key
        .flag
        .map(|f| format!(", flag `{f}`"))
        .unwrap_or_default();
    let (name, kind, help) = (key.name(), describe(key.kind), key.help);
    writeln!(
        page,
        "| `{name}` | {kind} | {default} | {}{flag} | {help} |",
        names.join(", ")
    )
    .unwrap_or_default();
}

fn describe(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Host => "host name or IP address".to_owned(),
        Kind::Address => "mail address".to_owned(),
        Kind::Addresses => "list of mail addresses".to_owned(),
        Kind::Mailboxes => "list of mailbox names".to_owned(),
        Kind::Path => "path".to_owned(),
        Kind::CredentialName => "name of a credential".to_owned(),
        Kind::Secret => "secret".to_owned(),
        Kind::Command => "command".to_owned(),
        Kind::Url => "https address".to_owned(),
        Kind::Scopes => "list of scopes".to_owned(),
        Kind::Bool => "true or false".to_owned(),
        Kind::Integer { min, max } => format!("whole number, {min} to {max}"),
        Kind::Duration { min_s, max_s } => {
            format!(
                "duration, {} to {}",
                show_seconds(min_s),
                show_seconds(max_s)
            )
        }
        Kind::Bytes { min, max } => format!("bytes, {} to {}", show_bytes(min), show_bytes(max)),
        Kind::Fraction => "number, 0 to 1".to_owned(),
        Kind::Words(words) => words.join(" \\| "),
        Kind::Filter => "log filter".to_owned(),
        Kind::Folder => "auto \\| off \\| name of a mailbox".to_owned(),
        Kind::AuthservIds => "list of server names".to_owned(),
        Kind::Listen => "address:port, or off".to_owned(),
        Kind::SecretUrl => "https address".to_owned(),
        Kind::Phrases => "list of words or phrases".to_owned(),
        Kind::Hours => "none, or days and hours".to_owned(),
        Kind::Networks => "list of addresses and networks".to_owned(),
        Kind::Zone => "lead \\| UTC \\| country \\| zone \\| distance".to_owned(),
    }
}
