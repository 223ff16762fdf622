//! `documents list|check|ask|evaluate`: what answers are quoted from.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::json;

use super::say;
use crate::answers::evaluate::{self, Outcome};
use crate::answers::{Found, Library, Refreshed, library};
use crate::app::App;
use crate::cli::{DocumentsAskArgs, DocumentsCommand, DocumentsEvaluateArgs, DocumentsOf, Exit};
use crate::model::{CampaignId, Citation};
use crate::reply::fold;
use crate::store::{CampaignChange, DocumentRow, DocumentsFolder, StoreError, scratch};
use crate::time;

/// Bytes of a question set.
const MAX_TSV_BYTES: u64 = 16 << 20;

pub(super) async fn documents(app: &App, command: &DocumentsCommand) -> anyhow::Result<Exit> {
    match command {
        DocumentsCommand::List {
            campaign,
            passages,
            json,
        } => list(app, campaign.as_deref(), *passages, *json).await,
        DocumentsCommand::Check {
            folder: Some(folder),
            ..
        } => check_folder(folder).await,
        DocumentsCommand::Check { campaign, .. } => check(app, campaign.as_deref()).await,
        DocumentsCommand::Ask(args) => ask(app, args).await,
        DocumentsCommand::Evaluate(args) => evaluate(app, args).await,
    }
}

/// The campaigns with documents; the named one must be among them.
async fn campaigns(app: &App, only: Option<&str>) -> anyhow::Result<Vec<(CampaignId, String)>> {
    let mut all = app
        .store()
        .read(|r| r.campaigns_with_documents())
        .await
        .map_err(|e: StoreError| e)?;
    if let Some(name) = only {
        all.retain(|(_, n)| n == name);
        if all.is_empty() {
            bail!("Campaign {name:?} has no documents: replyd campaign set NAME --documents DIR");
        }
    }
    Ok(all)
}

type Shelf = (DocumentsFolder, Vec<DocumentRow>);

async fn shelf(app: &App, id: CampaignId) -> anyhow::Result<Shelf> {
    let (folder, files) = app
        .store()
        .read(move |r| -> Result<_, StoreError> { Ok((r.documents_folder(id)?, r.documents(id)?)) })
        .await?;
    Ok((
        folder.context("The campaign has no documents any more")?,
        files,
    ))
}

async fn list(app: &App, only: Option<&str>, passages: bool, json: bool) -> anyhow::Result<Exit> {
    let mut text = String::new();
    let mut rows = Vec::new();
    for (id, name) in campaigns(app, only).await? {
        let (folder, files) = shelf(app, id).await?;
        let chunks = app
            .store()
            .read(move |r| r.doc_chunks(id))
            .await
            .map_err(|e: StoreError| e)?;
        if json {
            let files: Vec<_> = files
                .iter()
                .map(|f| {
                    json!({ "file": f.file, "language": f.language, "passages": f.chunks,
                        "trouble": f.trouble, "notes": f.notes, "indexed_at": f.indexed_at })
                })
                .collect();
            let chunks: Vec<_> = chunks.iter().map(|(_, c)| c).collect();
            rows.push(
                json!({ "campaign": name, "folder": folder.folder, "trouble": folder.trouble,
                "files": files, "passages": if passages { chunks } else { Vec::new() } }),
            );
            continue;
        }
        writeln!(text, "{name}: {}", folder.folder)?;
        if !folder.trouble.is_empty() {
            writeln!(text, "  TROUBLE: {}", folder.trouble)?;
        }
        for file in &files {
            writeln!(
                text,
                "  {:<32} {:<2} {:>4} passages, read {}",
                file.file,
                file.language,
                file.chunks,
                file.indexed_at.rfc3339()
            )?;
            if !file.trouble.is_empty() {
                let before = if file.chunks > 0 {
                    "; its passages are those of before, for drafts only"
                } else {
                    ""
                };
                writeln!(text, "    TROUBLE: {}{before}", file.trouble)?;
            }
            for note in &file.notes {
                writeln!(text, "    {note}")?;
            }
            let mine = chunks
                .iter()
                .filter(|(_, c)| passages && c.file == file.file);
            for (_, c) in mine {
                writeln!(
                    text,
                    "    {:>5}  {:<4} {}",
                    c.line,
                    c.kind.as_str(),
                    c.heading
                )?;
            }
        }
    }
    if json {
        text = format!("{}\n", serde_json::to_string_pretty(&rows)?);
    } else if text.is_empty() {
        text.push_str("No campaign has documents: replyd campaign set NAME --documents DIR\n");
    }
    say(&text)?;
    Ok(Exit::Done)
}

async fn check(app: &App, only: Option<&str>) -> anyhow::Result<Exit> {
    let library = Library::new(app.store().clone());
    let mut text = String::new();
    let mut wrong = false;
    for (id, name) in campaigns(app, only).await? {
        let refreshed = library.refresh(id).await?.unwrap_or_default();
        let (folder, files) = shelf(app, id).await?;
        let passages: u32 = files.iter().map(|f| f.chunks).sum();
        writeln!(
            text,
            "{name}: {} files, {passages} passages in {}; {} read anew, {} gone",
            files.len(),
            folder.folder,
            refreshed.indexed,
            refreshed.removed
        )?;
        wrong |= tell(&mut text, &refreshed, &folder, &files).await?;
    }
    if text.is_empty() {
        text.push_str("No campaign has documents: replyd campaign set NAME --documents DIR\n");
    }
    say(&text)?;
    Ok(if wrong { Exit::Failed } else { Exit::Done })
}

/// What is wrong with one folder; whether anything is.
async fn tell(
    text: &mut String,
    refreshed: &Refreshed,
    folder: &DocumentsFolder,
    files: &[DocumentRow],
) -> anyhow::Result<bool> {
    let mut wrong = false;
    for (file, why) in &refreshed.troubles {
        wrong = true;
        let file = if file.is_empty() { "the folder" } else { file };
        writeln!(text, "  {file}: {why}")?;
    }
    for file in files {
        for note in &file.notes {
            wrong = true;
            writeln!(text, "  {}: {note}", file.file)?;
        }
        if file.language.is_empty() && file.chunks > 0 {
            wrong = true;
            writeln!(
                text,
                "  {}: its language is not clear: name it like faq.en.md, or begin it with ---, \
                 language: en, ---",
                file.file
            )?;
        }
    }
    let path = folder.folder.clone();
    let listing =
        tokio::task::spawn_blocking(move || crate::answers::folder::look(Path::new(&path))).await?;
    for (file, why) in listing.map(|l| l.skipped).unwrap_or_default() {
        writeln!(text, "  passed over: {file}: {why}")?;
    }
    if files.iter().all(|f| f.chunks == 0) {
        wrong = true;
        writeln!(text, "  nothing to answer from")?;
    }
    Ok(wrong)
}

/// Looks at a folder before a campaign has it.
async fn check_folder(given: &Path) -> anyhow::Result<Exit> {
    let root = given
        .canonicalize()
        .with_context(|| format!("Folder {}", given.display()))?;
    let (refreshed, folder, files) = tokio::task::spawn_blocking(move || {
        scratch(|tx| -> anyhow::Result<_> {
            let now = time::now();
            let (id, _) = tx.change_campaign("trial", &CampaignChange::default(), now)?;
            let refreshed = library::index_folder(tx, id, &root, now)?;
            let folder = tx.documents_folder(id)?.context("The folder is gone")?;
            Ok((refreshed, folder, tx.documents(id)?))
        })
    })
    .await??;
    let passages: u32 = files.iter().map(|f| f.chunks).sum();
    let mut text = format!(
        "{}: {} files, {passages} passages\n",
        folder.folder,
        files.len()
    );
    let wrong = tell(&mut text, &refreshed, &folder, &files).await?;
    say(&text)?;
    Ok(if wrong { Exit::Failed } else { Exit::Done })
}

async fn ask(app: &App, args: &DocumentsAskArgs) -> anyhow::Result<Exit> {
    let found = find(app, &args.of, &args.mail).await?;
    let a = &found.answered;
    if args.json {
        let parts: Vec<_> = a
            .parts
            .iter()
            .map(|p| json!({ "question": p.question, "answer": p.text, "against": p.against, "sources": p.citations }))
            .collect();
        let all = json!({ "sent": a.passes(), "answer": a.text, "against": a.against, "questions": parts });
        say(&format!("{}\n", serde_json::to_string_pretty(&all)?))?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    if a.passes() {
        writeln!(text, "Would be sent:\n\n{}\n", a.text)?;
    } else {
        writeln!(text, "Would be a draft for a person:")?;
        for why in &a.against {
            writeln!(text, "  - {why}")?;
        }
        if !a.text.is_empty() {
            writeln!(text, "\nIts text so far:\n\n{}\n", a.text)?;
        }
    }
    text.push_str(&sources(&a.citations()));
    say(&text)?;
    Ok(Exit::Done)
}

async fn find(app: &App, of: &DocumentsOf, mail: &str) -> anyhow::Result<Found> {
    let language = fold::language(&fold::fold(mail));
    if let Some(name) = &of.campaign {
        let id = campaigns(app, Some(name)).await?.first().map(|(id, _)| *id);
        let id = id.context("The campaign has no documents")?;
        let found = Library::new(app.store().clone())
            .answer(id, mail.to_owned(), language)
            .await?;
        return found.context("The campaign has no documents");
    }
    let folder = folder(of)?;
    let mail = mail.to_owned();
    tokio::task::spawn_blocking(move || {
        scratch(|tx| -> anyhow::Result<Found> {
            let now = time::now();
            let (id, _) = tx.change_campaign("trial", &CampaignChange::default(), now)?;
            library::index_folder(tx, id, &folder, now)?;
            Ok(library::answer(tx, id, &mail, language)?)
        })
    })
    .await?
}

fn folder(of: &DocumentsOf) -> anyhow::Result<std::path::PathBuf> {
    let given = of.folder.as_ref().context("Give --campaign or --folder")?;
    given
        .canonicalize()
        .with_context(|| format!("Folder {}", given.display()))
}

async fn evaluate(app: &App, args: &DocumentsEvaluateArgs) -> anyhow::Result<Exit> {
    let size = std::fs::metadata(&args.file)
        .with_context(|| format!("Open {}", args.file.display()))?
        .len();
    if size > MAX_TSV_BYTES {
        bail!(
            "{} is larger than {MAX_TSV_BYTES} bytes",
            args.file.display()
        );
    }
    let tsv = std::fs::read_to_string(&args.file)
        .with_context(|| format!("Read {}", args.file.display()))?;
    let cases =
        evaluate::parse(&tsv).map_err(|e| anyhow::anyhow!("{}: {e}", args.file.display()))?;
    let folder = match &args.of.campaign {
        Some(name) => {
            let id = campaigns(app, Some(name)).await?.first().map(|(id, _)| *id);
            shelf(app, id.context("The campaign has no documents")?)
                .await?
                .0
                .folder
                .into()
        }
        None => folder(&args.of)?,
    };
    let outcomes =
        tokio::task::spawn_blocking(move || evaluate::run(&folder, &cases, time::now())).await??;
    let f = evaluate::figures(&outcomes);
    if args.json {
        let outcomes: &[Outcome] = if args.all { &outcomes } else { &[] };
        let all = json!({ "figures": f, "cases": outcomes });
        say(&format!("{}\n", serde_json::to_string_pretty(&all)?))?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for o in outcomes.iter().filter(|_| args.all) {
        let word = match (o.sent, o.right && o.answerable) {
            (true, true) => "right",
            (true, false) => "WRONG",
            (false, _) => "draft",
        };
        writeln!(text, "{:<8} {word}  {}", o.id, o.mail.replace('\n', " "))?;
        for why in &o.against {
            writeln!(text, "           {why}")?;
        }
        for place in &o.nearest {
            writeln!(text, "           near: {place}")?;
        }
    }
    writeln!(
        text,
        "{} answerable, {} not; hit@1 {:.2}, hit@3 {:.2}\nsent: {} right, {} wrong; precision {:.2}, coverage {:.2}",
        f.answerable, f.unanswerable, f.hit_1, f.hit_3, f.right, f.wrong, f.precision, f.coverage
    )?;
    say(&text)?;
    Ok(Exit::Done)
}

/// The passages behind an answer or a draft, for people.
pub(super) fn sources(citations: &[Citation]) -> String {
    let mut text = String::new();
    let mut part = 0;
    for c in citations {
        if c.part != part {
            part = c.part;
            text.push_str(&format!("Question {part}: {}\n", one_line(&c.question)));
        }
        let word = if c.used { "quoted" } else { "near" };
        let place = c.place();
        text.push_str(&format!(
            "  {word} {:.2}  {place}\n      {}\n",
            c.score,
            one_line(&c.quote)
        ));
    }
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
