//! The texts of our mails: embedded defaults, each replaceable by a file of the same name in
//! `reply.templates_dir`, or added in a further language (`acknowledgment.de.txt`).
//!
//! A file is checked when it is loaded, not when a lead waits: unknown file names, syntax,
//! unknown variables and a missing subject are errors that name the file. A template starts
//! with a line `Subject: …` and an empty line, except the nudge, which is only a paragraph.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use super::fold::Language;

/// Files beyond this size are refused.
const MAX_TEMPLATE_BYTES: u64 = 64 * 1024;
/// The language of the embedded templates.
const DEFAULT_LANGUAGE: &str = "en";

/// Which text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TemplateKind {
    /// To the lead: the request was received.
    Acknowledgment,
    /// To the lead, as a draft: greeting and nudge around an answer that a person writes.
    AnswerDraft,
    /// The paragraph after an answer that offers the next step.
    Nudge,
    /// To the lead: the one confirmation of an opt-out.
    OptoutConfirmation,
    /// To sales: a lead wants the step.
    SalesGoal,
    /// To sales: a lead asks.
    SalesQuestion,
    /// To sales: a lead opted out.
    SalesOptout,
    /// To sales: a person has to look.
    SalesPerson,
    /// To sales: several replies.
    SalesDigest,
}

/// Variables of mails about one lead.
const LEAD_VARIABLES: &[&str] = &[
    "lead_name",
    "lead_label",
    "lead_email",
    "lead_phone",
    "project",
    "campaign",
    "sender_name",
    "channel",
    "goal",
    "goal_title",
    "message",
    "from_address",
    "subject",
    "reply_subject",
    "nudge",
    "intent",
    "confidence",
    "reasons",
    "scheduling",
    "verified",
    "from_spam",
    "proven",
    "draft",
    "acknowledged",
];
const DIGEST_VARIABLES: &[&str] = &["items", "total", "more", "drafts_open"];

impl TemplateKind {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            Self::Acknowledgment,
            "acknowledgment",
            include_str!("templates/acknowledgment.txt"),
        ),
        (
            Self::AnswerDraft,
            "answer_draft",
            include_str!("templates/answer_draft.txt"),
        ),
        (Self::Nudge, "nudge", include_str!("templates/nudge.txt")),
        (
            Self::OptoutConfirmation,
            "optout_confirmation",
            include_str!("templates/optout_confirmation.txt"),
        ),
        (
            Self::SalesGoal,
            "sales_goal",
            include_str!("templates/sales_goal.txt"),
        ),
        (
            Self::SalesQuestion,
            "sales_question",
            include_str!("templates/sales_question.txt"),
        ),
        (
            Self::SalesOptout,
            "sales_optout",
            include_str!("templates/sales_optout.txt"),
        ),
        (
            Self::SalesPerson,
            "sales_person",
            include_str!("templates/sales_person.txt"),
        ),
        (
            Self::SalesDigest,
            "sales_digest",
            include_str!("templates/sales_digest.txt"),
        ),
    ];

    fn variables(self) -> &'static [&'static str] {
        match self {
            Self::SalesDigest => DIGEST_VARIABLES,
            _ => LEAD_VARIABLES,
        }
    }

    fn has_subject(self) -> bool {
        self != Self::Nudge
    }

    /// Whether it goes to the lead, and so has to be in the lead's language.
    fn to_lead(self) -> bool {
        matches!(
            self,
            Self::Acknowledgment | Self::AnswerDraft | Self::Nudge | Self::OptoutConfirmation
        )
    }

    fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(kind, _, _)| *kind == self)
            .map_or("", |(_, name, _)| *name)
    }
}

/// What is wrong with a template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The folder or a file cannot be read.
    #[error("Templates: cannot read {path}: {error}")]
    Read {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// A file that stands for no template.
    #[error("Templates: {file} is not the name of a template; known are {known}")]
    UnknownFile {
        /// Which.
        file: String,
        /// The names that are known.
        known: String,
    },
    /// Syntax, or a failure while rendering.
    #[error("Template {file}: {what}")]
    Bad {
        /// Which.
        file: String,
        /// What, with the line.
        what: String,
    },
    /// A variable that no mail of this kind has.
    #[error("Template {file}: unknown variable {name}; known are {known}")]
    UnknownVariable {
        /// Which.
        file: String,
        /// The variable.
        name: String,
        /// The variables that are known.
        known: String,
    },
}

/// What the texts about one lead are filled with. Values are data: nothing in them is
/// rendered again.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LeadText {
    /// Display name; may be empty.
    pub lead_name: String,
    /// Name, else address: for subjects.
    pub lead_label: String,
    /// Address.
    pub lead_email: String,
    /// With the country code; may be empty.
    pub lead_phone: String,
    /// The project; never empty for a mail to a lead.
    pub project: String,
    /// The campaign's name.
    pub campaign: String,
    /// Who signs.
    pub sender_name: String,
    /// `email`.
    pub channel: String,
    /// `property viewing`, `sales call` or `next step`.
    pub goal: String,
    /// `Property Viewing`, `Sales Call` or `Next Step`.
    pub goal_title: String,
    /// The newly written text.
    pub message: String,
    /// Where it was written from.
    pub from_address: String,
    /// The reply's subject.
    pub subject: String,
    /// `Re: …` of it.
    pub reply_subject: String,
    /// The rendered nudge, or nothing when it was said before.
    pub nudge: String,
    /// The class.
    pub intent: String,
    /// Two decimals.
    pub confidence: String,
    /// Why no automatic mail went out.
    pub reasons: String,
    /// Whether it asks for a time.
    pub scheduling: bool,
    /// Whether the sender is the lead.
    pub verified: bool,
    /// Whether it lay in the spam folder.
    pub from_spam: bool,
    /// Whether our own mail server proved the sender.
    pub proven: bool,
    /// Whether a draft waits.
    pub draft: bool,
    /// Whether an acknowledgement goes out.
    pub acknowledged: bool,
}

/// One line of a digest.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DigestLine {
    /// The lead's name; may be empty.
    pub name: String,
    /// Where it was written from.
    pub email: String,
    /// The project; may be empty.
    pub project: String,
    /// RFC 3339.
    pub received: String,
    /// Why it stands here, in words.
    pub why: String,
    /// The class; may be empty.
    pub intent: String,
    /// The start of the text.
    pub message: String,
}

/// What a digest is filled with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DigestText {
    /// The lines that are shown.
    pub items: Vec<DigestLine>,
    /// How many there are.
    pub total: usize,
    /// How many of them are not shown.
    pub more: usize,
    /// Drafts that wait for a person.
    pub drafts_open: u32,
}

/// A filled template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// One line without control characters; empty for the nudge.
    pub subject: String,
    /// The text, lines ended by `\n`, with one at the end.
    pub body: String,
}

/// The templates of this process, all checked.
#[derive(Debug)]
pub struct Templates {
    env: Environment<'static>,
    languages: BTreeSet<String>,
}

impl Templates {
    /// The embedded templates, replaced by the files of `dir`. Blocking: reads files.
    ///
    /// # Errors
    /// [`TemplateError`], which names the file and what is wrong with it.
    pub fn load(dir: Option<&Path>) -> Result<Self, TemplateError> {
        let mut sources: BTreeMap<String, (TemplateKind, String)> = TemplateKind::ALL
            .iter()
            .map(|(kind, name, text)| {
                let file = format!("{name}.{DEFAULT_LANGUAGE}");
                (file, (*kind, (*text).to_owned()))
            })
            .collect();
        for (file, kind, text) in dir.map(read_folder).transpose()?.unwrap_or_default() {
            sources.insert(file, (kind, text));
        }
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_trim_blocks(false);
        let mut acknowledged = BTreeSet::new();
        for (file, (kind, text)) in sources {
            add(&mut env, &file, kind, &text)?;
            if kind == TemplateKind::Acknowledgment {
                let language = file.rsplit('.').next().unwrap_or(DEFAULT_LANGUAGE);
                acknowledged.insert(language.to_owned());
            }
        }
        let templates = Self {
            env,
            languages: acknowledged,
        };
        templates.try_all()?;
        Ok(templates)
    }

    /// Whether leads can be answered in this language. A text too short to tell is taken for
    /// the default one.
    #[must_use]
    pub fn speaks(&self, language: Language) -> bool {
        match language {
            Language::Known(code) => self.languages.contains(code),
            Language::Unknown => true,
            Language::Other => false,
        }
    }

    /// Fills a template about one lead, in its language where there is one.
    ///
    /// # Errors
    /// [`TemplateError::Bad`] when it cannot be rendered with these values.
    pub fn lead(
        &self,
        kind: TemplateKind,
        language: Language,
        text: &LeadText,
    ) -> Result<Rendered, TemplateError> {
        let code = match language {
            Language::Known(code) if kind.to_lead() => code,
            _ => DEFAULT_LANGUAGE,
        };
        let file = format!("{}.{code}", kind.name());
        let known = self.env.get_template(&file).is_ok();
        let file = if known {
            file
        } else {
            format!("{}.{DEFAULT_LANGUAGE}", kind.name())
        };
        self.render(kind, &file, text)
    }

    /// Fills the digest.
    ///
    /// # Errors
    /// As [`Templates::lead`].
    pub fn digest(&self, text: &DigestText) -> Result<Rendered, TemplateError> {
        let file = format!("{}.{DEFAULT_LANGUAGE}", TemplateKind::SalesDigest.name());
        self.render(TemplateKind::SalesDigest, &file, text)
    }

    fn render<S: Serialize>(
        &self,
        kind: TemplateKind,
        file: &str,
        values: &S,
    ) -> Result<Rendered, TemplateError> {
        // Not `{:#}`: that shows the values, and an error holds nobody's data.
        let bad = |e: minijinja::Error| TemplateError::Bad {
            file: format!("{file}.txt"),
            what: e.to_string(),
        };
        let body = self
            .env
            .get_template(file)
            .and_then(|t| t.render(values))
            .map_err(bad)?;
        let subject = if kind.has_subject() {
            self.env
                .get_template(&subject_of(file))
                .and_then(|t| t.render(values))
                .map_err(bad)?
        } else {
            String::new()
        };
        Ok(Rendered {
            subject: header_text(&subject),
            body: format!("{}\n", body.replace('\r', "").trim_end()),
        })
    }

    /// Renders everything once with sample values: a filter that fails on its input is found
    /// at start.
    fn try_all(&self) -> Result<(), TemplateError> {
        let sample = LeadText {
            lead_name: "Ann Lee".into(),
            lead_label: "Ann Lee".into(),
            lead_email: "ann@example.com".into(),
            project: "Riverside".into(),
            sender_name: "Example".into(),
            channel: "email".into(),
            goal: "next step".into(),
            goal_title: "Next Step".into(),
            reply_subject: "Re: Riverside".into(),
            ..LeadText::default()
        };
        let digest = DigestText {
            items: vec![DigestLine::default()],
            total: 1,
            ..DigestText::default()
        };
        let files: Vec<String> = self.env.templates().map(|(n, _)| n.to_owned()).collect();
        for file in files.iter().filter(|f| !f.ends_with(SUBJECT)) {
            let stem = file.split('.').next().unwrap_or_default();
            let Some((kind, _, _)) = TemplateKind::ALL.iter().find(|(_, n, _)| *n == stem) else {
                continue;
            };
            let done = if *kind == TemplateKind::SalesDigest {
                self.render(*kind, file, &digest)?
            } else {
                self.render(*kind, file, &sample)?
            };
            if kind.has_subject() && done.subject.is_empty() {
                return Err(TemplateError::Bad {
                    file: format!("{file}.txt"),
                    what: "the subject is empty".into(),
                });
            }
        }
        Ok(())
    }
}

const SUBJECT: &str = "#subject";

fn subject_of(file: &str) -> String {
    format!("{file}{SUBJECT}")
}

/// One line for a header: control characters (CR and LF among them) become blanks.
#[must_use]
pub(super) fn header_text(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn read_folder(dir: &Path) -> Result<Vec<(String, TemplateKind, String)>, TemplateError> {
    let fail = |path: &Path, error| TemplateError::Read {
        path: path.display().to_string(),
        error,
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| fail(dir, e))? {
        let path = entry.map_err(|e| fail(dir, e))?.path();
        if path.extension().is_none_or(|x| x != "txt") {
            continue;
        }
        let file = path
            .file_stem()
            .map(|s| s.to_string_lossy().into_owned())
            .unwrap_or_default();
        let (stem, language) = file.split_once('.').unwrap_or((&file, DEFAULT_LANGUAGE));
        let two_letters = language.len() == 2 && language.bytes().all(|b| b.is_ascii_lowercase());
        let kind = TemplateKind::ALL
            .iter()
            .find(|(kind, name, _)| {
                *name == stem && two_letters && (kind.to_lead() || language == DEFAULT_LANGUAGE)
            })
            .map(|(kind, _, _)| *kind);
        let Some(kind) = kind else {
            let known: Vec<_> = TemplateKind::ALL
                .iter()
                .map(|(_, name, _)| format!("{name}.txt"))
                .collect();
            return Err(TemplateError::UnknownFile {
                file: format!("{file}.txt"),
                known: known.join(", "),
            });
        };
        let size = std::fs::metadata(&path).map_err(|e| fail(&path, e))?.len();
        if size > MAX_TEMPLATE_BYTES {
            return Err(TemplateError::Bad {
                file: format!("{file}.txt"),
                what: format!("larger than {MAX_TEMPLATE_BYTES} bytes"),
            });
        }
        let text = std::fs::read_to_string(&path).map_err(|e| fail(&path, e))?;
        found.push((format!("{stem}.{language}"), kind, text));
    }
    Ok(found)
}

/// Compiles one file: subject and body apart, and checks its variables.
fn add(
    env: &mut Environment<'static>,
    file: &str,
    kind: TemplateKind,
    text: &str,
) -> Result<(), TemplateError> {
    let shown = format!("{file}.txt");
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let mut parts = Vec::new();
    if kind.has_subject() {
        let (first, body) = text.split_once('\n').unwrap_or((&text, ""));
        let Some(subject) = first.strip_prefix("Subject:") else {
            return Err(TemplateError::Bad {
                file: shown,
                what: "the first line must be `Subject: …`, then an empty line".into(),
            });
        };
        parts.push((subject_of(file), subject.trim().to_owned()));
        parts.push((file.to_owned(), body.trim_start_matches('\n').to_owned()));
    } else {
        parts.push((file.to_owned(), text.trim().to_owned()));
    }
    for (name, source) in parts {
        let bad = |e: minijinja::Error| TemplateError::Bad {
            file: shown.clone(),
            what: e.to_string(),
        };
        env.add_template_owned(name.clone(), source).map_err(bad)?;
        let known = kind.variables();
        let unknown = env
            .get_template(&name)
            .map_err(bad)?
            .undeclared_variables(false)
            .into_iter()
            .filter(|v| !known.contains(&v.as_str()) && v != "loop")
            .min();
        if let Some(name) = unknown {
            return Err(TemplateError::UnknownVariable {
                file: shown,
                name,
                known: known.join(", "),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "templates_tests.rs"]
mod tests;
