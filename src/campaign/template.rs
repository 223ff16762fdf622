//! The texts of a campaign's mails: a subject, a plain text and, if wanted, the same in HTML.
//! Pure: files are read elsewhere.
//!
//! A field that a lead does not have is undefined, so a mail that would show a gap is found
//! before the first one is queued: `{{ name }}` fails for a lead without a name,
//! `{{ name|default("there") }}` does not. Values are data: nothing in them is rendered again,
//! and in HTML they are escaped.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};

/// A larger template is a mistake, in bytes.
pub const MAX_TEMPLATE_BYTES: usize = 256 * 1024;

/// Every variable with what it is; the columns of `leads import` under their own names.
pub const VARIABLES: &[(&str, &str)] = &[
    ("lead_id", "the lead's key"),
    ("name", "the lead's name"),
    ("lead_name", "the same"),
    ("email", "the lead's address"),
    ("lead_email", "the same"),
    ("phone", "the lead's telephone number with the country code"),
    ("lead_phone", "the same"),
    ("country_code", "column country_code"),
    ("project_name", "column project_name"),
    ("unit_type", "column unit_type"),
    ("budget_min", "column budget_min"),
    ("budget_max", "column budget_max"),
    ("status", "column status"),
    ("last_conversation_date", "column last_conversation_date"),
    (
        "last_conversation_summary",
        "column last_conversation_summary",
    ),
    ("project", "the campaign's project, else the lead's"),
    ("campaign", "the campaign's name"),
    (
        "sender_name",
        "who signs: the campaign's sender, else its name",
    ),
    ("offer_details", "the campaign's offer"),
    ("sender_address", "From"),
    (
        "unsubscribe_url",
        "a link that opts this lead out: a page with web.public_url, else mailto:",
    ),
];

const SUBJECT: &str = "subject";
const TEXT: &str = "template.txt";
const HTML: &str = "template.html";

/// A campaign's templates as they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML; empty: plain text only.
    pub html: String,
}

/// What the templates are filled with; a field without a value is not in it.
pub type Values = BTreeMap<&'static str, String>;

/// A filled template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// One line without control characters.
    pub subject: String,
    /// The text, lines ended by `\n`.
    pub text: String,
    /// The same in HTML.
    pub html: Option<String>,
}

/// What is wrong with a template, or with a lead for it. Holds nobody's data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFault {
    /// Neither in the file nor given.
    #[error("No subject: begin the template with a line `Subject: …`, or give --subject")]
    NoSubject,
    /// Nothing in it.
    #[error("The template is empty")]
    Empty,
    /// Too large.
    #[error("The template has more than {MAX_TEMPLATE_BYTES} bytes")]
    TooLarge,
    /// Syntax, or a failure while rendering.
    #[error("{part}: {what}")]
    Bad {
        /// Subject, text or HTML.
        part: &'static str,
        /// What, with the line.
        what: String,
    },
    /// No lead has such a field.
    #[error("{part}: unknown variable {name}; known are {known}")]
    Unknown {
        /// Subject, text or HTML.
        part: &'static str,
        /// The variable.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// This lead does not have it.
    #[error("{part}: {names} empty")]
    Missing {
        /// Subject, text or HTML.
        part: &'static str,
        /// The fields, with a verb.
        names: String,
    },
}

impl Source {
    /// The templates of a campaign: `text` may begin with a line `Subject: …` and an empty line;
    /// `subject` wins over it.
    ///
    /// # Errors
    /// [`TemplateFault`] without a subject or text; syntax is looked at by [`Templates::new`].
    pub fn read(subject: Option<&str>, text: &str, html: &str) -> Result<Self, TemplateFault> {
        if text.len() > MAX_TEMPLATE_BYTES || html.len() > MAX_TEMPLATE_BYTES {
            return Err(TemplateFault::TooLarge);
        }
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        let (in_file, body) = split_subject(&text);
        let subject = subject.or(in_file).map(str::trim).unwrap_or_default();
        if subject.is_empty() {
            return Err(TemplateFault::NoSubject);
        }
        if body.trim().is_empty() {
            return Err(TemplateFault::Empty);
        }
        Ok(Self {
            subject: subject.to_owned(),
            text: body.trim_start_matches('\n').to_owned(),
            html: html.trim_start_matches('\u{feff}').trim().to_owned(),
        })
    }
}

/// A first line `Subject: …`, and what follows.
fn split_subject(text: &str) -> (Option<&str>, &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    match first.split_at_checked("subject:".len()) {
        Some((name, subject)) if name.eq_ignore_ascii_case("subject:") => (Some(subject), rest),
        _ => (None, text),
    }
}

/// A campaign's templates, checked.
#[derive(Debug)]
pub struct Templates {
    env: Environment<'static>,
    parts: Vec<(&'static str, BTreeSet<String>)>,
}

impl Templates {
    /// Compiles them; every variable must be one of [`VARIABLES`].
    ///
    /// # Errors
    /// [`TemplateFault::Bad`] with the line, or [`TemplateFault::Unknown`].
    pub fn new(source: &Source) -> Result<Self, TemplateFault> {
        let mut env = Environment::new();
        // As strict, but `{% if phone %}` may ask.
        env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        env.set_auto_escape_callback(|name| {
            if name == HTML {
                AutoEscape::Html
            } else {
                AutoEscape::None
            }
        });
        // A template that loops for ever must not hold the process.
        env.set_fuel(Some(100_000));
        let mut parts = Vec::new();
        for (part, text) in [
            (SUBJECT, &source.subject),
            (TEXT, &source.text),
            (HTML, &source.html),
        ] {
            if text.is_empty() {
                continue;
            }
            env.add_template_owned(part, text.clone())
                .map_err(|e| bad(part, &e))?;
            let template = env.get_template(part).map_err(|e| bad(part, &e))?;
            let used: BTreeSet<String> = template.undeclared_variables(false).into_iter().collect();
            let unknown = used
                .iter()
                .find(|name| !VARIABLES.iter().any(|(known, _)| known == name));
            if let Some(name) = unknown {
                let known: Vec<&str> = VARIABLES.iter().map(|(known, _)| *known).collect();
                return Err(TemplateFault::Unknown {
                    part,
                    name: name.clone(),
                    known: known.join(", "),
                });
            }
            parts.push((part, used));
        }
        Ok(Self { env, parts })
    }

    /// Fills them for one lead.
    ///
    /// # Errors
    /// [`TemplateFault::Missing`] when the lead lacks a field that would be shown;
    /// [`TemplateFault::Bad`] for anything else.
    pub fn fill(&self, values: &Values) -> Result<Filled, TemplateFault> {
        let mut filled = Filled {
            subject: String::new(),
            text: String::new(),
            html: None,
        };
        for (part, used) in &self.parts {
            let rendered = self
                .env
                .get_template(part)
                .and_then(|t| t.render(values))
                .map_err(|e| match e.kind() {
                    ErrorKind::UndefinedError => missing(part, used, values, &e),
                    _ => bad(part, &e),
                })?;
            match *part {
                SUBJECT => filled.subject = one_line(&rendered),
                TEXT => filled.text = format!("{}\n", rendered.replace('\r', "").trim_end()),
                _ => filled.html = Some(rendered),
            }
        }
        if filled.subject.is_empty() {
            return Err(TemplateFault::Bad {
                part: SUBJECT,
                what: "it is empty".into(),
            });
        }
        Ok(filled)
    }
}

/// Not `{:#}`: that shows the values.
fn bad(part: &'static str, e: &minijinja::Error) -> TemplateFault {
    TemplateFault::Bad {
        part,
        what: e.to_string(),
    }
}

/// Names the fields of the template that this lead does not have.
fn missing(
    part: &'static str,
    used: &BTreeSet<String>,
    values: &Values,
    e: &minijinja::Error,
) -> TemplateFault {
    let lacking: Vec<&str> = used
        .iter()
        .map(String::as_str)
        .filter(|name| !values.contains_key(name))
        .collect();
    let names = match lacking.as_slice() {
        [] => return bad(part, e),
        [one] => format!("{one} is"),
        several => format!("one of {} is", several.join(", ")),
    };
    TemplateFault::Missing { part, names }
}

/// One line for a header: control characters (CR and LF among them) become blanks.
fn one_line(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&'static str, &str)]) -> Values {
        pairs.iter().map(|(k, v)| (*k, (*v).to_owned())).collect()
    }

    fn templates(subject: Option<&str>, text: &str, html: &str) -> Templates {
        Templates::new(&Source::read(subject, text, html).unwrap()).unwrap()
    }

    #[test]
    fn the_subject_stands_in_the_file_or_is_given() {
        let file = "SUBJECT:  Lakeside for {{ name }}\r\n\r\nHello\r\n";
        let read = Source::read(None, file, "").unwrap();
        assert_eq!(
            (read.subject.as_str(), read.text.as_str()),
            ("Lakeside for {{ name }}", "Hello\n")
        );
        let given = Source::read(Some("Other"), file, "").unwrap();
        assert_eq!(
            (given.subject.as_str(), given.text.as_str()),
            ("Other", "Hello\n")
        );
        let bare = Source::read(Some("S"), "Hello: this is no header\n", "").unwrap();
        assert_eq!(bare.text, "Hello: this is no header\n");
        for (subject, text) in [
            (None, "Hello"),
            (Some(" "), "Hello"),
            (None, "Subject:\n\nHi"),
        ] {
            assert_eq!(
                Source::read(subject, text, ""),
                Err(TemplateFault::NoSubject)
            );
        }
        assert_eq!(
            Source::read(Some("S"), "\n \n", ""),
            Err(TemplateFault::Empty)
        );
        let large = "x".repeat(MAX_TEMPLATE_BYTES + 1);
        assert_eq!(
            Source::read(Some("S"), &large, ""),
            Err(TemplateFault::TooLarge)
        );
    }

    #[test]
    fn a_field_that_a_lead_lacks_is_found_and_a_default_helps() {
        let strict = templates(Some("Offer"), "Dear {{ name }}, {{ project }}", "");
        let lead = values(&[("project", "Lakeside")]);
        let fault = strict.fill(&lead).unwrap_err();
        assert_eq!(fault.to_string(), "template.txt: name is empty");
        for text in [
            "Dear {{ name|default('there') }}",
            "Dear {% if name %}{{ name }}{% else %}there{% endif %}",
        ] {
            let filled = templates(Some("Offer"), text, "").fill(&lead).unwrap();
            assert_eq!(filled.text, "Dear there\n", "{text}");
        }
    }

    #[test]
    fn a_typing_error_is_found_before_any_lead_is_looked_at() {
        let source = Source::read(Some("S"), "Dear {{ nmae }}", "").unwrap();
        let fault = Templates::new(&source).unwrap_err();
        assert!(
            fault.to_string().contains("unknown variable nmae"),
            "{fault}"
        );
        assert!(fault.to_string().contains("lead_id, name,"), "{fault}");
        let source = Source::read(Some("S {{ name"), "x", "").unwrap();
        let fault = Templates::new(&source).unwrap_err();
        assert!(
            fault.to_string().starts_with("subject: syntax error"),
            "{fault}"
        );
    }

    #[test]
    fn values_are_data_in_one_line_of_subject_and_escaped_in_html() {
        let t = templates(Some("For {{ name }}"), "{{ name }}", "<p>{{ name }}</p>");
        let name = "Ann\r\nBcc: all@x <b>&{{ email }}";
        let filled = t.fill(&values(&[("name", name)])).unwrap();
        assert_eq!(filled.subject, "For Ann Bcc: all@x <b>&{{ email }}");
        assert!(filled.text.contains("<b>&{{ email }}"));
        let html = filled.html.unwrap();
        assert!(html.contains("&lt;b&gt;&amp;{{ email }}</p>"), "{html}");
    }

    #[test]
    fn a_template_cannot_run_for_ever() {
        let text = "{% for a in name %}{% for b in name %}{% for c in name %}.{% endfor %}\
                    {% endfor %}{% endfor %}";
        let t = templates(Some("S"), text, "");
        let name = "x".repeat(100);
        let fault = t.fill(&values(&[("name", &name)])).unwrap_err();
        assert!(fault.to_string().contains("fuel"), "{fault}");
    }
}
