//! `drafts list|show|edit|approve|reject|reopen`: answers that wait for a person.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, bail};

use super::automation::who;
use super::{editor, say};
use crate::app::App;
use crate::cli::{
    DraftStateArg, DraftTextArgs, DraftTo, DraftsApproveArgs, DraftsCommand, DraftsListArgs, Exit,
};
use crate::desk::{Approval, Approved, Edit, MAX_TEXT_BYTES, Recipient, View};
use crate::model::{DraftId, DraftState};
use crate::store::{DraftFilter, DraftItem, StoreError};
use crate::time::{self, UtcMs};

pub(super) async fn drafts(app: &App, command: &DraftsCommand) -> anyhow::Result<Exit> {
    match command {
        DraftsCommand::List(args) => list(app, args).await?,
        DraftsCommand::Show { id, json } => {
            let view = app.desk().view(DraftId(*id), time::now()).await?;
            if *json {
                say(&format!("{}\n", serde_json::to_string(&view)?))?;
            } else {
                say(&shown(&view)?)?;
            }
        }
        DraftsCommand::Edit { id, text, version } => {
            edit(app, DraftId(*id), text, *version).await?;
        }
        DraftsCommand::Approve(args) => approve(app, args).await?,
        DraftsCommand::Reject { ids, reason } => {
            let desk = app.desk();
            let mut exit = Exit::Done;
            for id in ids {
                match desk.reject(DraftId(*id), reason, &who(), time::now()).await {
                    Ok(()) => say(&format!("Draft {id} is closed; nothing was sent\n"))?,
                    Err(e) => {
                        super::complain(&e.to_string());
                        exit = Exit::Failed;
                    }
                }
            }
            return Ok(exit);
        }
        DraftsCommand::Reopen { id } => {
            app.desk().reopen(DraftId(*id), &who(), time::now()).await?;
            say(&format!("Draft {id} waits again\n"))?;
        }
    }
    Ok(Exit::Done)
}

async fn list(app: &App, args: &DraftsListArgs) -> anyhow::Result<()> {
    let state = match (args.all, args.state) {
        (true, _) => None,
        (false, None | Some(DraftStateArg::Open)) => Some(DraftState::Open),
        (false, Some(DraftStateArg::Approved)) => Some(DraftState::Approved),
        (false, Some(DraftStateArg::Rejected)) => Some(DraftState::Rejected),
        (false, Some(DraftStateArg::Superseded)) => Some(DraftState::Superseded),
    };
    let filter = DraftFilter {
        state,
        campaign: args.campaign.clone(),
        lead: args.lead.clone(),
        limit: args.limit,
    };
    let drafts: Vec<DraftItem> = app
        .store()
        .read(move |r| r.drafts(&filter))
        .await
        .map_err(|e: StoreError| e)?;
    let mut text = String::new();
    let now = time::now();
    for draft in &drafts {
        if args.json {
            writeln!(text, "{}", serde_json::to_string(draft)?)?;
        } else {
            line(&mut text, draft, now)?;
        }
    }
    if drafts.is_empty() {
        let (campaign, lead) = (args.campaign.clone(), args.lead.clone());
        let unknown: Option<String> = app
            .store()
            .read(move |r| r.unknown_filter(campaign.as_deref(), lead.as_deref()))
            .await
            .map_err(|e: StoreError| e)?;
        if let Some(unknown) = unknown {
            bail!("{unknown}");
        }
    }
    if !args.json && drafts.is_empty() {
        text.push_str(if state == Some(DraftState::Open) {
            "No draft waits.\n"
        } else {
            "No such draft.\n"
        });
    }
    say(&text)
}

fn line(text: &mut String, d: &DraftItem, now: UtcMs) -> std::fmt::Result {
    write!(
        text,
        "{:>6}  {:>5}  {} {} <{}>  {}  ",
        d.id.0,
        age(now, d.created_at),
        d.lead_id,
        d.lead_name,
        d.lead_email,
        d.campaign
    )?;
    if d.state != DraftState::Open {
        write!(text, "{}  ", ended(d))?;
    }
    if d.state == DraftState::Open && d.wants_text {
        text.push_str("[wants text] ");
    }
    if d.made_body.is_some() {
        text.push_str("[edited] ");
    }
    if d.from_spam {
        text.push_str("[from spam] ");
    }
    writeln!(text, "{}", d.reason)
}

/// How old, in a word: `40 s`, `12 m`, `3 h`, `5 d`.
fn age(now: UtcMs, then: UtcMs) -> String {
    let seconds = now.since(then).as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} m", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// What became of it.
fn ended(d: &DraftItem) -> String {
    let mut text = d.state.to_string();
    if let Some(at) = d.decided_at {
        text.push_str(&format!(" {}", at.rfc3339()));
    }
    if !d.decided_by.is_empty() {
        text.push_str(&format!(" by {}", d.decided_by));
    }
    if !d.decision.is_empty() {
        text.push_str(&format!(" ({})", d.decision));
    }
    if let Some(mail) = &d.mail {
        text.push_str(&format!(
            ", mail {} to {}: {}",
            mail.id, mail.to, mail.state
        ));
        if !mail.smtp_text.is_empty() {
            text.push_str(&format!(" ({})", mail.smtp_text));
        }
    }
    text
}

/// The lead's words with a mark before each line.
fn quoted(reply: &str) -> String {
    reply.lines().map(|l| format!("> {l}\n")).collect()
}

fn shown(view: &View) -> anyhow::Result<String> {
    let d = &view.draft;
    let mut t = String::new();
    writeln!(t, "Draft:    {}, {}", d.id, ended(d))?;
    writeln!(t, "Version:  {}", d.version)?;
    writeln!(
        t,
        "Lead:     {} {} <{}>",
        d.lead_id, d.lead_name, d.lead_email
    )?;
    writeln!(t, "Campaign: {}", d.campaign)?;
    write!(
        t,
        "Reply:    message {} of {}",
        d.message_id,
        d.received_at.rfc3339()
    )?;
    if !d.sender_verified && !d.from_address.is_empty() {
        write!(t, ", from {}", d.from_address)?;
    }
    writeln!(t)?;
    if !d.intent.is_empty() {
        write!(t, "Read as:  {} {:.2}", d.intent, d.confidence)?;
        if !d.goal_type.is_empty() {
            write!(t, " ({})", d.goal_type)?;
        }
        match &d.corrected_intent {
            Some(intent) if *intent != d.intent => writeln!(t, "; a person says {intent}")?,
            _ => writeln!(t)?,
        }
    }
    writeln!(t, "Why:      {}", d.reason)?;
    if d.from_spam {
        writeln!(t, "Where:    it lay in the spam folder")?;
    }
    if let Some(at) = d.edited_at {
        writeln!(
            t,
            "Edited:   {} by {}",
            at.rfc3339(),
            if d.made_body.is_none() {
                "replyd, which decided anew"
            } else {
                or_somebody(&d.edited_by)
            }
        )?;
    }
    writeln!(
        t,
        "Subject:  {}\n\n{}\n{}",
        d.subject,
        quoted(&d.reply),
        d.body
    )?;
    t.push_str(&super::documents::sources(&view.sources));
    if d.state == DraftState::Open {
        for against in &view.objections {
            writeln!(t, "Against:  {against}")?;
        }
        for remark in &view.remarks {
            writeln!(t, "Note:     {remark}")?;
        }
        if d.wants_text {
            writeln!(
                t,
                "It wants text: replyd drafts edit {0}, or replyd drafts approve {0} --answer TEXT",
                d.id
            )?;
        } else {
            writeln!(
                t,
                "To send it: replyd drafts approve {} --version {}",
                d.id, d.version
            )?;
        }
    }
    Ok(t)
}

fn or_somebody(name: &str) -> &str {
    if name.is_empty() { "somebody" } else { name }
}

/// The text that the flags name.
fn edit_of(args: &DraftTextArgs) -> anyhow::Result<Edit> {
    let mut edit = match (&args.file, &args.text) {
        (Some(path), _) => Edit::of_file(&read_text(path)?),
        (None, text) => Edit {
            body: text.clone(),
            ..Edit::default()
        },
    };
    edit.answer.clone_from(&args.answer);
    if args.subject.is_some() {
        edit.subject.clone_from(&args.subject);
    }
    Ok(edit)
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    let most = u64::try_from(MAX_TEXT_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let limit = most.saturating_add(1);
    if path == Path::new("-") {
        std::io::stdin().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    }
    .with_context(|| format!("Read {}", path.display()))?;
    if bytes.len() > MAX_TEXT_BYTES {
        bail!("{} is longer than 100,000 bytes", path.display());
    }
    String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8", path.display()))
}

async fn edit(
    app: &App,
    id: DraftId,
    args: &DraftTextArgs,
    version: Option<i64>,
) -> anyhow::Result<()> {
    let desk = app.desk();
    let given = edit_of(args)?;
    if !given.is_empty() {
        let draft = desk.edit(id, given, version, &who(), time::now()).await?;
        return say(&changed(id, draft.wants_text));
    }
    let view = desk.view(id, time::now()).await?;
    let d = view.draft;
    if d.state != DraftState::Open {
        bail!("Draft {id} does not wait: {}", ended(&d));
    }
    let command = editor::command()?;
    let text = format!("Subject: {}\n\n{}", d.subject, d.body);
    let beside = format!(
        "{} {} <{}> wrote:\n\n{}\n{}",
        d.lead_id,
        d.lead_name,
        d.lead_email,
        quoted(&d.reply),
        super::documents::sources(&view.sources)
    );
    let before = Edit::of_file(&text);
    let edited = tokio::task::spawn_blocking(move || editor::edit(&command, &text, &beside))
        .await
        .context("Edit the draft")??;
    let edit = Edit::of_file(&edited.text);
    let same = |a: &Option<String>, b: &Option<String>| {
        a.as_deref().unwrap_or_default().trim() == b.as_deref().unwrap_or_default().trim()
    };
    if same(&before.subject, &edit.subject) && same(&before.body, &edit.body) {
        edited.done()?;
        return say(&format!("Nothing was changed in draft {id}\n"));
    }
    match desk
        .edit(id, edit, Some(d.version), &who(), time::now())
        .await
    {
        Ok(draft) => {
            edited.done()?;
            say(&changed(id, draft.wants_text))
        }
        // The work of a person is not thrown away.
        Err(e) => bail!("{e}\nYour text lies in {}", edited.path.display()),
    }
}

fn changed(id: DraftId, wants_text: bool) -> String {
    if wants_text {
        format!("Draft {id} was changed; it still wants text\n")
    } else {
        format!("Draft {id} was changed. To send it: replyd drafts approve {id}\n")
    }
}

async fn approve(app: &App, args: &DraftsApproveArgs) -> anyhow::Result<()> {
    let ask = Approval {
        draft: DraftId(args.id),
        by: who(),
        edit: edit_of(&args.text)?,
        version: args.version,
        to: args.to.map(|to| match to {
            DraftTo::Lead => Recipient::Lead,
            DraftTo::Sender => Recipient::Sender,
        }),
        anyway: args.anyway,
        to_suppressed: args.to_suppressed,
    };
    let done: Approved = app.desk().approve(ask, time::now()).await?;
    if args.json {
        return say(&format!("{}\n", serde_json::to_string(&done)?));
    }
    let mut text = format!(
        "Draft {} is approved: mail {} to {}, {:?}\nIt leaves with the running service, else with `replyd process`.\n",
        done.draft, done.mail, done.to, done.subject
    );
    for over in &done.overruled {
        writeln!(text, "Although: {}", over.word())?;
    }
    for remark in &done.remarks {
        writeln!(text, "Note: {remark}")?;
    }
    say(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let now = UtcMs(1_000_000_000_000);
        for (seconds, want) in [(5, "5 s"), (125, "2 m"), (7_300, "2 h"), (400_000, "4 d")] {
            assert_eq!(age(now, UtcMs(now.0 - seconds * 1000)), want);
        }
    }
}
