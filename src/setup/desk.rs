//! Questions on a terminal; without one, what is missing is collected and told at once.

use std::collections::VecDeque;
use std::io::{self, BufRead, IsTerminal, Write};

use secrecy::SecretString;

/// Who answers.
#[derive(Debug)]
pub enum Desk {
    /// A person at a terminal.
    Terminal,
    /// Nobody: only flags count.
    Nobody,
    /// Prepared answers, for tests; a missing one fails.
    Script(VecDeque<&'static str>),
}

/// An answer that nobody gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The flags that give it.
    pub flag: &'static str,
    /// What it is.
    pub what: String,
}

impl Missing {
    /// The flags, and what they give.
    #[must_use]
    pub fn new(flag: &'static str, what: &str) -> Self {
        Self {
            flag,
            what: what.to_owned(),
        }
    }
}

/// A question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// As it is asked.
    pub text: &'q str,
    /// Taken when the answer is empty.
    pub default: Option<&'q str>,
}

impl Desk {
    /// A person when both ends of the conversation are a terminal.
    #[must_use]
    pub fn of_process() -> Self {
        if io::stdin().is_terminal() && io::stdout().is_terminal() {
            Self::Terminal
        } else {
            Self::Nobody
        }
    }

    /// Whether somebody answers.
    #[must_use]
    pub fn answers(&self) -> bool {
        !matches!(self, Self::Nobody)
    }

    /// One line; the default when it is empty, asked again while there is none. None: nobody.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn line(&mut self, question: Question<'_>) -> io::Result<Option<String>> {
        loop {
            let given = match self {
                Self::Nobody => return Ok(None),
                Self::Script(answers) => next(answers)?.to_owned(),
                Self::Terminal => {
                    let shown = match question.default {
                        Some("") => " (may be left empty)".to_owned(),
                        Some(default) => format!(" [{default}]"),
                        None => String::new(),
                    };
                    prompt(&format!("{}{shown}: ", question.text))?
                }
            };
            match (given.trim(), question.default) {
                ("", Some(default)) => return Ok(Some(default.to_owned())),
                ("", None) => {}
                (given, _) => return Ok(Some(given.to_owned())),
            }
        }
    }

    /// A secret, not shown. None: nobody.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn secret(&mut self, text: &str) -> io::Result<Option<SecretString>> {
        let given = match self {
            Self::Nobody => return Ok(None),
            Self::Script(answers) => next(answers)?.to_owned(),
            Self::Terminal => rpassword::prompt_password(format!("{text} (not shown): "))?,
        };
        Ok(Some(SecretString::from(
            given.trim_end_matches(['\r', '\n']),
        )))
    }

    /// Which of several, by number; the default is the first. None: nobody.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn choice(&mut self, text: &str, of: &[&str]) -> io::Result<Option<usize>> {
        if !self.answers() {
            return Ok(None);
        }
        let mut list = format!("{text}\n");
        for (at, item) in of.iter().enumerate() {
            list.push_str(&format!("  {}  {item}\n", at + 1));
        }
        self.tell(&list)?;
        loop {
            let question = Question {
                text: "Number",
                default: Some("1"),
            };
            let given = self.line(question)?.unwrap_or_default();
            if let Ok(number) = given.parse::<usize>()
                && (1..=of.len()).contains(&number)
            {
                return Ok(Some(number - 1));
            }
        }
    }

    /// Yes or no. Nobody: no.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn agrees(&mut self, text: &str) -> io::Result<bool> {
        loop {
            let question = Question {
                text,
                default: Some("yes"),
            };
            let Some(given) = self.line(question)? else {
                return Ok(false);
            };
            match given.to_lowercase().as_str() {
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => {}
            }
        }
    }

    /// A remark between questions; nothing without a person.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn tell(&self, text: &str) -> io::Result<()> {
        if matches!(self, Self::Terminal) {
            io::stdout().write_all(text.as_bytes())?;
            io::stdout().flush()?;
        }
        Ok(())
    }
}

fn next(answers: &mut VecDeque<&'static str>) -> io::Result<&'static str> {
    answers
        .pop_front()
        .ok_or_else(|| io::Error::other("a question without a prepared answer"))
}

fn prompt(text: &str) -> io::Result<String> {
    io::stdout().write_all(text.as_bytes())?;
    io::stdout().flush()?;
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        let why = "the input ended before the last question";
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
    }
    Ok(line)
}
