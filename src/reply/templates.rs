//! The texts of our mails: embedded defaults, each replaceable by a file of the same name in
//! `reply.templates_dir`, or added in a further language (`acknowledgment.de.txt`). A folder in
//! it that is named as a campaign replaces them for that campaign. Mails to leads may have HTML
//! beside the text (`acknowledgment.de.html`).
//!
//! Files are checked when they are loaded, not when a lead waits: unknown file names, syntax,
//! unknown variables and a missing subject are errors that name the file. A template starts
//! with a line `Subject: …` and an empty line, except the nudge, which is only a paragraph.

mod folder;
mod set;
mod translated;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use self::set::Set;
use super::fold::Language;

/// The language of the embedded templates.
const DEFAULT_LANGUAGE: &str = "en";

/// Which text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TemplateKind {
    /// To the lead: the request was received.
    Acknowledgment,
    /// To the lead, as a draft: greeting and nudge around an answer that a person writes.
    AnswerDraft,
    /// To the lead: an answer out of the campaign's documents.
    Answer,
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
    "answer",
    "answered",
    "sources",
    "conversation_url",
    "contact",
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
        (Self::Answer, "answer", include_str!("templates/answer.txt")),
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
            Self::Acknowledgment
                | Self::AnswerDraft
                | Self::Answer
                | Self::Nudge
                | Self::OptoutConfirmation
        )
    }

    fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(kind, _, _)| *kind == self)
            .map_or("", |(_, name, _)| *name)
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known, _)| *known == name)
            .map(|(kind, _, _)| *kind)
    }

    /// The names of all templates, as files bear them.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(_, name, _)| *name)
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
    /// What the documents say, quoted; of a draft only what passed the gate.
    pub answer: String,
    /// Whether that goes out.
    pub answered: bool,
    /// Where it stands, or what came near; a line each.
    pub sources: String,
    /// Address of the conversation's page; empty: `web.public_url` is not set.
    pub conversation_url: String,
    /// Whom a referral names: name, address, phone; may be empty.
    pub contact: String,
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
    /// The same in HTML, where there is a template for it.
    pub html: Option<String>,
}

/// A template that is in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InEffect {
    /// Name and language: `acknowledgment.en`.
    pub name: String,
    /// The file that it comes from; none: the text in the program.
    pub file: Option<String>,
    /// Whether it has HTML beside the text.
    pub html: bool,
}

/// The templates of this process, all checked.
#[derive(Debug)]
pub struct Templates {
    general: Set,
    /// By the campaign's name in small letters.
    campaigns: BTreeMap<String, Set>,
}

impl Templates {
    /// The embedded templates, replaced by the files of `dir`, and for a campaign by those of the
    /// folder in it that has the campaign's name. Blocking: reads files.
    ///
    /// # Errors
    /// [`TemplateError`], which names the file and what is wrong with it.
    pub fn load(dir: Option<&Path>) -> Result<Self, TemplateError> {
        let mut sources = set::embedded();
        let mut campaigns = BTreeMap::new();
        if let Some(dir) = dir {
            let found = folder::read(dir, "")?;
            sources.extend(found.files);
            for name in found.folders {
                let mut own = sources.clone();
                own.extend(folder::read(&dir.join(&name), &format!("{name}/"))?.files);
                campaigns.insert(name.to_lowercase(), Set::new(own)?);
            }
        }
        Ok(Self {
            general: Set::new(sources)?,
            campaigns,
        })
    }

    fn of(&self, campaign: &str) -> &Set {
        self.campaigns
            .get(&folder_name(campaign).to_lowercase())
            .unwrap_or(&self.general)
    }

    /// Whether the campaign's leads can be answered in this language. A text too short to tell
    /// is taken for the default one.
    #[must_use]
    pub fn speaks(&self, campaign: &str, language: Language) -> bool {
        match language {
            Language::Known(code) => self
                .of(campaign)
                .languages(TemplateKind::Acknowledgment)
                .any(|l| l == code),
            Language::Unknown => true,
            Language::Other => false,
        }
    }

    /// The campaigns that have templates of their own, by the names of their folders.
    pub fn campaigns(&self) -> impl Iterator<Item = &str> {
        self.campaigns.keys().map(String::as_str)
    }

    /// What is in effect for a campaign; an empty name: for those without a folder.
    #[must_use]
    pub fn in_effect(&self, campaign: &str) -> Vec<InEffect> {
        self.of(campaign).in_effect()
    }

    /// As [`Templates::speaks`], for answers out of documents.
    #[must_use]
    pub fn answers_in(&self, campaign: &str, language: Language) -> bool {
        match language {
            Language::Known(code) => self
                .of(campaign)
                .languages(TemplateKind::Answer)
                .any(|l| l == code),
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
        self.of(&text.campaign).fill(kind, code, text)
    }

    /// Fills the digest.
    ///
    /// # Errors
    /// As [`Templates::lead`].
    pub fn digest(&self, text: &DigestText) -> Result<Rendered, TemplateError> {
        self.general
            .fill(TemplateKind::SalesDigest, DEFAULT_LANGUAGE, text)
    }

    /// Fills a template with sample values, for people who write one.
    ///
    /// # Errors
    /// [`TemplateError::UnknownFile`] for a name that stands for no template.
    pub fn preview(
        &self,
        name: &str,
        language: &str,
        campaign: &str,
    ) -> Result<Rendered, TemplateError> {
        let kind = TemplateKind::named(name).ok_or_else(|| TemplateError::UnknownFile {
            file: name.to_owned(),
            known: TemplateKind::names().collect::<Vec<_>>().join(", "),
        })?;
        self.of(campaign).preview(kind, language, campaign)
    }
}

/// The name of a campaign's folder: a slash cannot stand in one, and none begins with a dot.
#[must_use]
pub fn folder_name(campaign: &str) -> String {
    let name = campaign.trim().replace(['/', '\\', '\0'], "-");
    match name.strip_prefix('.') {
        Some(rest) => format!("-{rest}"),
        None => name,
    }
}

/// The texts in the program with the names of their files, for people who write their own.
pub fn defaults() -> impl Iterator<Item = (String, &'static str)> {
    TemplateKind::ALL
        .iter()
        .map(|(_, name, text)| (format!("{name}.txt"), *text))
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

#[cfg(test)]
#[path = "templates_tests.rs"]
mod tests;
