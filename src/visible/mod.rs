//! The text that the sender newly wrote: what is quoted and what is signature set apart. Pure.
//!
//! Our own campaign text lies quoted below an answer; read as the lead's words it would turn a
//! "no" into a wish for a viewing. So what is quoted is cut, and where the cut is
//! unsure, [`Visible::sure`] says so and no automatic mail follows. Lines written between
//! quoted ones are kept.

mod marks;

/// More lines than this are looked at as one block of new text.
const MAX_LINES: usize = 20_000;
/// Longer "signatures" are text.
const MAX_SIGNATURE_LINES: usize = 25;

/// A body, split.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visible {
    /// What the sender newly wrote; the whole text when nothing else was left.
    pub new_text: String,
    /// Quoted lines, attributions and header blocks.
    pub quoted: String,
    /// Signature, with its mark.
    pub signature: String,
    /// Whether the cut can be relied on.
    pub sure: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    New,
    Quoted,
    Signature,
}

/// Compiles all patterns, which takes some 0.1 s: make it off the async threads.
pub fn warm_up() {
    marks::warm_up();
}

/// Splits a plain-text body (line ends `\n` or CRLF).
#[must_use]
pub fn split(text: &str) -> Visible {
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines() {
        match marks::split_inline(line) {
            Some((new, attribution)) => lines.extend([new, attribution]),
            None => lines.push(line),
        }
    }
    if lines.len() > MAX_LINES {
        return whole(text, "");
    }
    let mut kinds: Vec<Kind> = lines
        .iter()
        .map(|l| {
            if marks::is_quoted(l) {
                Kind::Quoted
            } else {
                Kind::New
            }
        })
        .collect();
    join_wrapped_quotes(&lines, &mut kinds);
    let unquoted_tail = cut_quotes(&lines, &mut kinds);
    cut_signatures(&lines, &mut kinds);
    trim_rules(&lines, &mut kinds);

    let new_text = of_kind(&lines, &kinds, Kind::New);
    let quoted = of_kind(&lines, &kinds, Kind::Quoted);
    let signature = of_kind(&lines, &kinds, Kind::Signature);
    if new_text.is_empty() {
        return whole(text, &quoted);
    }
    Visible {
        sure: !unquoted_tail && !is_interleaved(&lines, &kinds) && !looks_quoted(&new_text),
        new_text,
        quoted,
        signature,
    }
}

/// Nothing but quotes, or nothing that can be split.
fn whole(text: &str, quoted: &str) -> Visible {
    Visible {
        new_text: text.trim().to_owned(),
        quoted: quoted.to_owned(),
        signature: String::new(),
        sure: false,
    }
}

/// Marks what is quoted. Returns whether a tail was cut that no line marks as quoted: then it
/// may hold words of the sender.
fn cut_quotes(lines: &[&str], kinds: &mut [Kind]) -> bool {
    let fields: Vec<marks::Field> = lines.iter().map(|l| marks::field(l)).collect();
    let mut i = 0;
    while let Some(line) = lines.get(i) {
        let rest = lines.get(i..).unwrap_or_default();
        if kinds.get(i) != Some(&Kind::New) || line.trim().is_empty() {
            i += 1;
            continue;
        }
        // A header block ends the new text: what follows is the older mail.
        if marks::is_separator(line) || marks::is_header_block(fields.get(i..).unwrap_or_default())
        {
            mark(kinds, i, lines.len(), Kind::Quoted);
            return false;
        }
        let mut len = marks::attribution_len(rest);
        if len == 0 && marks::is_date_line(line) && above_quote(lines, kinds, i + 1) {
            len = 1;
        }
        if len > 0 {
            let after = i + len;
            let next =
                (after..lines.len()).find(|n| lines.get(*n).is_some_and(|l| !l.trim().is_empty()));
            mark(kinds, i, after, Kind::Quoted);
            match next {
                None => return false,
                Some(n) if kinds.get(n) == Some(&Kind::Quoted) => {}
                Some(_) => {
                    mark(kinds, after, lines.len(), Kind::Quoted);
                    return true;
                }
            }
            i = after;
            continue;
        }
        i += 1;
    }
    false
}

/// Whether the next filled line from `from` on is quoted.
fn above_quote(lines: &[&str], kinds: &[Kind], from: usize) -> bool {
    (from..lines.len())
        .find(|n| lines.get(*n).is_some_and(|l| !l.trim().is_empty()))
        .is_some_and(|n| kinds.get(n) == Some(&Kind::Quoted))
}

/// A quoted line that was wrapped on the way leaves its end without the quote mark: one line
/// between quoted ones, without blank lines, that goes on in the middle of a sentence.
fn join_wrapped_quotes(lines: &[&str], kinds: &mut [Kind]) {
    for i in 1..lines.len().saturating_sub(1) {
        let around = (kinds.get(i - 1), kinds.get(i), kinds.get(i + 1));
        if around != (Some(&Kind::Quoted), Some(&Kind::New), Some(&Kind::Quoted)) {
            continue;
        }
        let long_before = lines.get(i - 1).is_some_and(|l| l.trim_end().len() >= 35);
        let goes_on = lines.get(i).is_some_and(|l| {
            let first = l.trim_start().chars().next();
            first.is_some_and(|c| c.is_lowercase() || matches!(c, '_' | '(' | ')' | ','))
        });
        let after_mark = lines.get(i - 1).is_some_and(|l| l.trim() == ">");
        let link = lines
            .get(i)
            .is_some_and(|l| l.trim_start().starts_with("(http"));
        if long_before && goes_on || after_mark && link {
            mark(kinds, i, i + 1, Kind::Quoted);
        }
    }
}

fn mark(kinds: &mut [Kind], from: usize, to: usize, kind: Kind) {
    for k in kinds.iter_mut().take(to).skip(from) {
        *k = kind;
    }
}

/// Marks signatures: from their mark to the end of the block of new lines.
fn cut_signatures(lines: &[&str], kinds: &mut [Kind]) {
    let mut start = 0;
    while start < lines.len() {
        if kinds.get(start) != Some(&Kind::New) {
            start += 1;
            continue;
        }
        let end = (start..lines.len())
            .find(|i| kinds.get(*i) != Some(&Kind::New))
            .unwrap_or(lines.len());
        if let Some(at) = signature_start(lines, start, end) {
            mark(kinds, at, end, Kind::Signature);
        }
        start = end;
    }
}

fn signature_start(lines: &[&str], start: usize, end: usize) -> Option<usize> {
    let filled = |from: usize| {
        let rest = lines.get(from..end).unwrap_or_default();
        let filled = rest.iter().filter(|l| !l.trim().is_empty());
        // As far as it matters: a text of nothing but marks would take quadratic time.
        filled.take(MAX_SIGNATURE_LINES + 1).count()
    };
    (start..end).find(|i| {
        let Some(line) = lines.get(*i) else {
            return false;
        };
        if line.is_empty() || line.len() > 200 {
            return false;
        }
        marks::is_signature_mark(line) && filled(*i) <= MAX_SIGNATURE_LINES
            || marks::is_mobile_signature(line) && filled(*i + 1) <= 3
    })
}

/// Lines of underscores or dashes at the end of the new text belong to what follows.
fn trim_rules(lines: &[&str], kinds: &mut [Kind]) {
    for (i, line) in lines.iter().enumerate().rev() {
        if kinds.get(i) != Some(&Kind::New) || line.trim().is_empty() {
            continue;
        }
        if !marks::is_rule(line) {
            return;
        }
        mark(kinds, i, i + 1, Kind::Quoted);
    }
}

/// The lines of one kind; between blocks that other lines separate, one blank line.
fn of_kind(lines: &[&str], kinds: &[Kind], kind: Kind) -> String {
    let mut text = String::new();
    let mut last: Option<usize> = None;
    for (i, (line, k)) in lines.iter().zip(kinds).enumerate() {
        if *k != kind {
            continue;
        }
        match last {
            Some(l) if l + 1 == i => text.push('\n'),
            Some(_) if !text.ends_with("\n\n") => text.push_str("\n\n"),
            _ => {}
        }
        last = Some(i);
        text.push_str(line.trim_end());
    }
    text.trim().to_owned()
}

/// New text between two quotes: an answer that needs the lines that it answers.
fn is_interleaved(lines: &[&str], kinds: &[Kind]) -> bool {
    let (mut quotes, mut in_quote) = (0, false);
    for (line, kind) in lines.iter().zip(kinds) {
        if line.trim().is_empty() {
            continue;
        }
        match kind {
            Kind::Quoted if !in_quote => {
                quotes += 1;
                in_quote = true;
                if quotes > 1 {
                    return true;
                }
            }
            Kind::Quoted => {}
            _ => in_quote = false,
        }
    }
    false
}

/// Traces of a quote that the cut missed.
fn looks_quoted(new_text: &str) -> bool {
    let lower = new_text.to_lowercase();
    lower.lines().any(|l| {
        let l = l.trim();
        l.ends_with("wrote:") || l.starts_with("subject:") || l.starts_with("betreff:")
    })
}

#[cfg(test)]
mod tests;
