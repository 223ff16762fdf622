//! Judges retrieval and gate on a question set: a TSV with the columns `id`, `expect`
//! (`file#heading`, several with ` | `, `-` where the documents have no answer), `fact` (words
//! that a right answer holds, likewise) and `mail` (`\n` for line breaks).

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::gate::Answered;
use super::library;
use super::shelf::Shelves;
use crate::model::CampaignId;
use crate::reply::fold;
use crate::store::{StoreError, scratch};
use crate::time::UtcMs;

/// One question of a set.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub id: String,
    /// `file#heading` of each of its questions; empty: the documents have no answer.
    pub expect: Vec<String>,
    /// Words that a right answer holds.
    pub facts: Vec<String>,
    /// The mail.
    pub mail: String,
}

/// How one was answered.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Its name.
    pub id: String,
    /// The mail.
    pub mail: String,
    /// Whether the documents have an answer.
    pub answerable: bool,
    /// Whether every expected piece came first.
    pub first: bool,
    /// Whether every expected piece is among the three nearest.
    pub third: bool,
    /// Whether it would be sent.
    pub sent: bool,
    /// Whether what would be sent is right.
    pub right: bool,
    /// What would be sent or drafted.
    pub text: String,
    /// Why it would not be sent.
    pub against: Vec<String>,
    /// Where the nearest pieces stand.
    pub nearest: Vec<String>,
}

/// The figures of a set.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Figures {
    /// Questions with an answer.
    pub answerable: u32,
    /// Those without.
    pub unanswerable: u32,
    /// Share of the answerable with the expected pieces first.
    pub hit_1: f64,
    /// Among the three nearest.
    pub hit_3: f64,
    /// Sent and right.
    pub right: u32,
    /// Sent, though wrong or not to be answered.
    pub wrong: u32,
    /// Share of the sent that is right; 1 when nothing is sent.
    pub precision: f64,
    /// Share of the answerable that is sent and right.
    pub coverage: f64,
}

/// Reads a set.
///
/// # Errors
/// Names the line that is not as it should be.
pub fn parse(tsv: &str) -> Result<Vec<Case>, String> {
    let mut lines = tsv.lines().enumerate();
    let (_, head) = lines.next().ok_or("the file is empty")?;
    let names: Vec<&str> = head.split('\t').map(str::trim).collect();
    let column = |name: &str| {
        names
            .iter()
            .position(|n| *n == name)
            .ok_or_else(|| format!("no column {name:?}: wanted are id, expect, fact and mail"))
    };
    let (id, expect, fact, mail) = (
        column("id")?,
        column("expect")?,
        column("fact")?,
        column("mail")?,
    );
    let list = |cell: &str| -> Vec<String> {
        cell.split(" | ")
            .map(|s| s.trim().to_owned())
            .filter(|s| !s.is_empty() && s != "-")
            .collect()
    };
    lines
        .filter(|(_, l)| !l.trim().is_empty())
        .map(|(n, line)| {
            let cells: Vec<&str> = line.split('\t').collect();
            let cell = |n: usize| cells.get(n).copied();
            match (cell(id), cell(expect), cell(fact), cell(mail)) {
                (Some(id), Some(expect), Some(fact), Some(mail)) => Ok(Case {
                    id: id.to_owned(),
                    expect: list(expect),
                    facts: list(fact),
                    mail: mail.replace("\\n", "\n"),
                }),
                _ => Err(format!("line {}: too few columns", n.saturating_add(1))),
            }
        })
        .collect()
}

/// Answers every case from a folder's documents, in a database in memory. Blocking.
///
/// # Errors
/// When the folder cannot be read, or what SQLite says.
pub fn run(folder: &Path, cases: &[Case], now: UtcMs) -> anyhow::Result<Vec<Outcome>> {
    scratch(|tx| {
        let (campaign, _) =
            tx.change_campaign("trial", &crate::store::CampaignChange::default(), now)?;
        let refreshed = library::index_folder(tx, campaign, folder, now)?;
        if let Some((file, why)) = refreshed
            .troubles
            .first()
            .filter(|(file, _)| file.is_empty())
        {
            anyhow::bail!("{file}{why}");
        }
        let shelves = Shelves::default();
        cases
            .iter()
            .map(|case| {
                let found = one(&shelves, tx, campaign, &case.mail)?;
                Ok(judge(case, &found))
            })
            .collect()
    })
}

/// What answering takes: the folder read and indexed, the first question, and the later ones one by
/// one. Blocking.
///
/// # Errors
/// As [`run`].
pub fn time_it(
    folder: &Path,
    mails: &[String],
    now: UtcMs,
) -> anyhow::Result<(Duration, Duration, Vec<Duration>)> {
    scratch(|tx| {
        let (campaign, _) =
            tx.change_campaign("trial", &crate::store::CampaignChange::default(), now)?;
        let began = Instant::now();
        library::index_folder(tx, campaign, folder, now)?;
        let indexed = began.elapsed();
        let shelves = Shelves::default();
        let mut took = Vec::with_capacity(mails.len());
        for mail in mails {
            let began = Instant::now();
            one(&shelves, tx, campaign, mail)?;
            took.push(began.elapsed());
        }
        let first = took.first().copied().unwrap_or_default();
        took.drain(..took.len().min(1));
        Ok((indexed, first, took))
    })
}

fn one(
    shelves: &Shelves,
    r: &crate::store::Reader<'_>,
    campaign: CampaignId,
    mail: &str,
) -> Result<Answered, StoreError> {
    let language = fold::language(&fold::fold(mail));
    Ok(library::answer_from(shelves, r, campaign, mail, language)?.answered)
}

fn judge(case: &Case, found: &Answered) -> Outcome {
    let names: Vec<Vec<String>> = found
        .parts
        .iter()
        .map(|p| {
            p.citations
                .iter()
                .map(|c| format!("{}#{}", c.file, c.heading))
                .collect()
        })
        .collect();
    let within = |most: usize| {
        !case.expect.is_empty()
            && case.expect.iter().all(|want| {
                names
                    .iter()
                    .any(|of_part| of_part.iter().take(most).any(|n| n == want))
            })
    };
    let sent = found.passes();
    let plain = |t: &str| {
        t.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase()
    };
    let text = plain(&found.text);
    let right =
        sent && !case.facts.is_empty() && case.facts.iter().all(|f| text.contains(&plain(f)));
    Outcome {
        id: case.id.clone(),
        mail: case.mail.clone(),
        answerable: !case.expect.is_empty(),
        first: within(1),
        third: within(3),
        sent,
        right,
        text: found.text.clone(),
        against: found.against.clone(),
        nearest: found.citations().iter().map(|c| c.place()).collect(),
    }
}

/// The figures of outcomes.
#[must_use]
pub fn figures(outcomes: &[Outcome]) -> Figures {
    let count = |f: &dyn Fn(&Outcome) -> bool| {
        u32::try_from(outcomes.iter().filter(|o| f(o)).count()).unwrap_or(u32::MAX)
    };
    let answerable = count(&|o| o.answerable);
    let share = |n: u32, of: u32| {
        if of == 0 {
            1.0
        } else {
            f64::from(n) / f64::from(of)
        }
    };
    let right = count(&|o| o.sent && o.right && o.answerable);
    let sent = count(&|o| o.sent);
    Figures {
        answerable,
        unanswerable: count(&|o| !o.answerable),
        hit_1: share(count(&|o| o.first), answerable),
        hit_3: share(count(&|o| o.third), answerable),
        right,
        wrong: sent.saturating_sub(right),
        precision: share(right, sent),
        coverage: if answerable == 0 {
            0.0
        } else {
            share(right, answerable)
        },
    }
}
