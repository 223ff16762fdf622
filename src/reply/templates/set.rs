//! The templates of one campaign, or of all without a folder of their own: compiled, checked and
//! tried.

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use super::translated::TRANSLATED;
use super::{
    DEFAULT_LANGUAGE, DigestLine, DigestText, InEffect, LeadText, Rendered, TemplateError,
    TemplateKind, header_text,
};

/// The subject of `NAME` is the template `NAME#subject`.
const SUBJECT: &str = "#subject";
/// The HTML of `NAME` is the template `NAME.html`, whose values are escaped by its ending.
const PAGE: &str = ".html";

/// A template before it is compiled.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) kind: TemplateKind,
    pub(super) text: String,
    pub(super) html: Option<String>,
    /// Where it was read from; none: the program.
    pub(super) file: Option<String>,
}

/// The texts in the program, by name and language.
pub(super) fn embedded() -> BTreeMap<String, Source> {
    let english = TemplateKind::ALL
        .iter()
        .map(|(kind, _, text)| (kind, DEFAULT_LANGUAGE, text));
    let others = TRANSLATED
        .iter()
        .map(|(kind, language, text)| (kind, *language, text));
    english
        .chain(others)
        .map(|(kind, language, text)| {
            let source = Source {
                kind: *kind,
                text: (*text).to_owned(),
                html: None,
                file: None,
            };
            (format!("{}.{language}", kind.name()), source)
        })
        .collect()
}

#[derive(Debug)]
pub(super) struct Set {
    env: Environment<'static>,
    /// By name and language.
    about: BTreeMap<String, (TemplateKind, InEffect)>,
}

impl Set {
    /// Compiles, checks and tries them.
    pub(super) fn new(sources: BTreeMap<String, Source>) -> Result<Self, TemplateError> {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_trim_blocks(false);
        let mut about = BTreeMap::new();
        for (name, source) in sources {
            add(&mut env, &name, &source)?;
            let shown = InEffect {
                name: name.clone(),
                file: source.file,
                html: source.html.is_some(),
            };
            about.insert(name, (source.kind, shown));
        }
        let set = Self { env, about };
        for (name, (kind, _)) in &set.about {
            // Rendered once: a filter that fails on its input is found now.
            let done = set.sample(*kind, name, "Spring")?;
            if kind.has_subject() && done.subject.is_empty() {
                return Err(TemplateError::Bad {
                    file: set.file_of(name),
                    what: "the subject is empty".into(),
                });
            }
            // An empty nudge is how an operator says that there shall be none.
            if kind.has_subject() && done.body.trim().is_empty() {
                return Err(TemplateError::Bad {
                    file: set.file_of(name),
                    what: "the text is empty when it is filled with sample values".into(),
                });
            }
        }
        Ok(set)
    }

    /// The languages in which a lead can be answered.
    pub(super) fn languages(&self, of: TemplateKind) -> impl Iterator<Item = &str> {
        self.about
            .iter()
            .filter(move |(_, (kind, _))| *kind == of)
            .map(|(name, _)| name.rsplit('.').next().unwrap_or(DEFAULT_LANGUAGE))
    }

    pub(super) fn in_effect(&self) -> Vec<InEffect> {
        self.about
            .values()
            .map(|(_, shown)| shown.clone())
            .collect()
    }

    /// Fills a template in a language, or in the default one where it has none.
    pub(super) fn fill<S: Serialize>(
        &self,
        kind: TemplateKind,
        language: &str,
        values: &S,
    ) -> Result<Rendered, TemplateError> {
        let mut name = format!("{}.{language}", kind.name());
        if !self.about.contains_key(&name) {
            name = format!("{}.{DEFAULT_LANGUAGE}", kind.name());
        }
        self.render(kind, &name, values)
    }

    /// Fills a template with sample values.
    pub(super) fn preview(
        &self,
        kind: TemplateKind,
        language: &str,
        campaign: &str,
    ) -> Result<Rendered, TemplateError> {
        let name = format!("{}.{language}", kind.name());
        if !self.about.contains_key(&name) {
            return Err(TemplateError::UnknownFile {
                file: format!("{name}.txt"),
                known: self
                    .about
                    .keys()
                    .filter(|known| {
                        let rest = known.strip_prefix(kind.name());
                        rest.is_some_and(|r| r.starts_with('.'))
                    })
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(", "),
            });
        }
        self.sample(kind, &name, campaign)
    }

    fn sample(
        &self,
        kind: TemplateKind,
        name: &str,
        campaign: &str,
    ) -> Result<Rendered, TemplateError> {
        if kind == TemplateKind::SalesDigest {
            let line = DigestLine {
                name: "Ann Lee".into(),
                email: "ann@example.com".into(),
                project: "Riverside".into(),
                received: "2026-01-31T09:30:00Z".into(),
                why: "it came before the first start".into(),
                intent: "question".into(),
                message: "Is there a garage?".into(),
            };
            let digest = DigestText {
                items: vec![line],
                total: 1,
                ..DigestText::default()
            };
            return self.render(kind, name, &digest);
        }
        let mut lead = sample_lead(campaign);
        if matches!(kind, TemplateKind::Answer | TemplateKind::AnswerDraft) {
            lead.answer = "There is a garage with one space for each flat.".into();
        }
        self.render(kind, name, &lead)
    }

    fn render<S: Serialize>(
        &self,
        kind: TemplateKind,
        name: &str,
        values: &S,
    ) -> Result<Rendered, TemplateError> {
        let one = |template: &str| {
            self.env
                .get_template(template)
                .and_then(|t| t.render(values))
                // Not `{:#}`: that shows the values, and an error holds nobody's data.
                .map_err(|e| TemplateError::Bad {
                    file: self.file_of(name),
                    what: e.to_string(),
                })
        };
        let subject = if kind.has_subject() {
            one(&format!("{name}{SUBJECT}"))?
        } else {
            String::new()
        };
        let has_page = self.about.get(name).is_some_and(|(_, shown)| shown.html);
        Ok(Rendered {
            subject: header_text(&subject),
            body: format!("{}\n", one(name)?.replace('\r', "").trim_end()),
            html: has_page
                .then(|| one(&format!("{name}{PAGE}")))
                .transpose()?,
        })
    }

    /// The file to name in an error.
    fn file_of(&self, name: &str) -> String {
        let file = self
            .about
            .get(name)
            .and_then(|(_, shown)| shown.file.clone());
        file.unwrap_or_else(|| format!("{name}.txt"))
    }
}

fn sample_lead(campaign: &str) -> LeadText {
    LeadText {
        lead_name: "Ann Lee".into(),
        lead_label: "Ann Lee".into(),
        lead_email: "ann@example.com".into(),
        lead_phone: "+49 30 1234567".into(),
        project: "Riverside".into(),
        campaign: campaign.to_owned(),
        sender_name: "Example Homes".into(),
        channel: "email".into(),
        goal: "property viewing".into(),
        goal_title: "Property Viewing".into(),
        message: "Yes, I would like to see the flat on Saturday.".into(),
        from_address: "ann@example.com".into(),
        subject: "Re: Riverside".into(),
        reply_subject: "Re: Riverside".into(),
        intent: "goal_reached".into(),
        confidence: "0.93".into(),
        verified: true,
        acknowledged: true,
        ..LeadText::default()
    }
}

/// Compiles one template: subject, text and page apart, and checks its variables.
fn add(env: &mut Environment<'static>, name: &str, source: &Source) -> Result<(), TemplateError> {
    let kind = source.kind;
    let shown = source.file.clone().unwrap_or_else(|| format!("{name}.txt"));
    let text = source
        .text
        .trim_start_matches('\u{feff}')
        .replace("\r\n", "\n");
    let mut parts = Vec::new();
    if kind.has_subject() {
        let (first, body) = text.split_once('\n').unwrap_or((&text, ""));
        let Some(subject) = first.strip_prefix("Subject:") else {
            return Err(TemplateError::Bad {
                file: shown,
                what: "the first line must be `Subject: …`, then an empty line".into(),
            });
        };
        parts.push((format!("{name}{SUBJECT}"), subject.trim().to_owned()));
        parts.push((name.to_owned(), body.trim_start_matches('\n').to_owned()));
    } else {
        parts.push((name.to_owned(), text.trim().to_owned()));
    }
    if let Some(page) = &source.html {
        parts.push((format!("{name}{PAGE}"), page.replace("\r\n", "\n")));
    }
    for (part, text) in parts {
        let bad = |e: minijinja::Error| TemplateError::Bad {
            file: if part.ends_with(PAGE) {
                shown.replace(".txt", PAGE)
            } else {
                shown.clone()
            },
            what: e.to_string(),
        };
        env.add_template_owned(part.clone(), text).map_err(bad)?;
        let known = kind.variables();
        let unknown = env
            .get_template(&part)
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
