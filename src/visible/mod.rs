//! The text that the sender newly wrote: what is quoted, signature and disclaimer set apart. Pure,
//! and linear in the size of the text.
//!
//! Our own campaign text lies quoted below an answer; read as the lead's words it would turn a
//! "no" into a wish for a viewing. So what is quoted is cut, and where the cut is unsure,
//! [`Visible::sure`] says so and no automatic mail follows. First the marks of HTML count, then
//! headers and attributions in the text, and at last the mail that we sent: what is ours is no
//! answer, marked or not ([`Visible::without`]). A sentence of the person that is lost is worse
//! than a quote that is kept.

mod attribution;
mod block;
mod fold;
mod lines;
mod ours;
mod page;
mod signature;
mod words;

use lines::Split;

use crate::mime::{Mail, Page};

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The sender's new words.
    New,
    /// Quoted.
    Quoted,
    /// Quoted, and answered by the new words below it: shown with them.
    Answered,
    /// Signature.
    Signature,
    /// Notice on confidentiality, banner of a mail system.
    Disclaimer,
}

/// A body, split.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visible {
    /// What the sender newly wrote; the whole text when nothing else was left. Answers between
    /// quoted lines stand with the lines that they answer, which start with `>`.
    pub new_text: String,
    /// Quoted lines, attributions and header blocks.
    pub quoted: String,
    /// Signature, with its mark.
    pub signature: String,
    /// Notices on confidentiality, banners of mail systems.
    pub disclaimer: String,
    /// Whether the cut can be relied on.
    pub sure: bool,
    /// Nothing was left: `new_text` is the whole, and all of it is quoted or signature.
    pub nothing_new: bool,
    /// The lines that it was made of, for [`Visible::without`].
    split: Split,
}

/// Splits a plain-text body (line ends `\n` or CRLF).
#[must_use]
pub fn split(text: &str) -> Visible {
    lines::of_text(text).into_visible()
}

/// Splits an HTML body.
#[must_use]
pub fn split_page(page: &Page) -> Visible {
    lines::of_page(page).into_visible()
}

/// Splits the body of a mail. Where it has both plain text and HTML, the marks of the HTML tell
/// what is quoted; two that agree make it sure.
#[must_use]
pub fn of_mail(mail: &Mail) -> Visible {
    let Some(page) = &mail.page else {
        return split(&mail.text);
    };
    let by_page = lines::of_page(page);
    if mail.html_only || mail.text.is_empty() {
        return by_page.into_visible();
    }
    let marked = by_page.is_marked();
    let by_page = by_page.into_visible();
    let by_text = split(&mail.text);
    if !marked {
        return by_text;
    }
    if fold::letters(&by_page.new_text) == fold::letters(&by_text.new_text) {
        let sure = by_page.sure || by_text.sure;
        return Visible { sure, ..by_text };
    }
    // Nothing left by the marks: then the text decides.
    if by_page.split.is_whole() {
        by_text
    } else {
        by_page
    }
}

/// The words that are the person's own, for what decides by them: nothing where nothing is new,
/// else the new text without the quoted lines that stand with answers.
#[must_use]
pub fn own_words(new_text: &str, nothing_new: bool) -> String {
    if nothing_new {
        return String::new();
    }
    let own = |l: &&str| !l.trim_start().starts_with('>');
    let lines: Vec<&str> = new_text.lines().filter(own).collect();
    lines.join("\n").trim().to_owned()
}

impl Visible {
    /// Takes out what stands in the texts that we sent, also where nothing marks it as quoted.
    /// Whole lines only, and only runs of several words: what the person wrote beside it stays,
    /// and so does a short line that the person repeats. Where an unmarked quote holds nothing
    /// but ours, the cut becomes sure; lines that the person wrote into it come back.
    #[must_use]
    pub fn without(self, ours: &[&str]) -> Self {
        let Self { split, .. } = self;
        ours::subtract(split, ours).into_visible()
    }

    /// Signature and disclaimer.
    #[must_use]
    pub fn signature_and_disclaimer(&self) -> String {
        match (self.signature.as_str(), self.disclaimer.as_str()) {
            (signature, "") => signature.to_owned(),
            ("", disclaimer) => disclaimer.to_owned(),
            (signature, disclaimer) => format!("{signature}\n\n{disclaimer}"),
        }
    }
}

#[cfg(test)]
mod language_tests;
#[cfg(test)]
mod tests;
