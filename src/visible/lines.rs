//! The lines of a body, and what each of them is.

use super::attribution::{self, Context};
use super::block::{self, Field};
use super::page;
use super::signature;
use super::{Kind, Visible, fold};
use crate::mime::Page;

/// More lines than this are not looked at: the rest is as the last one.
const MAX_LINES: usize = 20_000;
/// Lines of a quote that are kept with an answer below it.
const MAX_ANSWERED_LINES: usize = 25;

/// A line of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) kind: Kind,
    /// Marks in HTML, or of quotes in text, say that it is quoted.
    pub(super) marked: bool,
}

/// A body whose lines are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) lines: Vec<Line>,
    /// The first line of a tail that was cut although no line of it is marked as quoted: it may
    /// hold words of the sender.
    pub(super) unmarked_tail: Option<usize>,
    /// Something else makes it unsure.
    pub(super) doubt: bool,
    /// HTML marks were there.
    by_marks: bool,
    /// Nothing but quotes, or nothing that can be split: all of it counts.
    whole: bool,
}

pub(super) fn of_text(text: &str) -> Split {
    let mut split = Split::default();
    let lines: Vec<&str> = text.lines().collect();
    for (i, line) in lines.iter().enumerate() {
        let line = line.trim_end();
        if i >= MAX_LINES {
            split.doubt = true;
        }
        let context = Context {
            above_quote: next_filled(&lines, i + 1).is_some_and(is_quote_mark),
        };
        match attribution::split_inline(line, context) {
            Some((new, attribution)) => {
                split.push(new, Kind::New);
                split.push(attribution, Kind::New);
            }
            None => {
                let kind = if is_quote_mark(line) {
                    Kind::Quoted
                } else {
                    Kind::New
                };
                split.push(line, kind);
            }
        }
    }
    split.initials();
    split.judge();
    split
}

pub(super) fn of_page(page: &Page) -> Split {
    let regions = page::regions(page);
    let mut split = Split {
        by_marks: regions.iter().any(|r| r.kind == Kind::Quoted),
        ..Split::default()
    };
    let mut at = 0;
    for line in page.lines() {
        while regions.get(at).is_some_and(|r| r.nodes.end <= line.node) {
            at += 1;
        }
        let region = regions.get(at).filter(|r| r.nodes.contains(&line.node));
        let marked = is_quote_mark(&line.text);
        let (kind, text) = match region {
            Some(r) => (r.kind, line.text),
            None if marked => (Kind::Quoted, line.text),
            None => (Kind::New, line.text),
        };
        split.lines.push(Line {
            text: text.trim_end().to_owned(),
            kind,
            marked: kind != Kind::New && !region.is_some_and(|r| r.attribution),
        });
    }
    split.judge();
    split
}

fn next_filled<'l>(lines: &[&'l str], from: usize) -> Option<&'l str> {
    let rest = lines.get(from..).unwrap_or_default().iter().take(4);
    rest.copied().find(|l| !l.trim().is_empty())
}

/// A quoted line. Advertisers write `>>> link <<<`.
fn is_quote_mark(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with('>') && !line.contains("<<<") && !attribution::is_between_arrows(line)
}

impl Split {
    fn push(&mut self, text: &str, kind: Kind) {
        self.lines.push(Line {
            text: text.to_owned(),
            kind,
            marked: kind == Kind::Quoted,
        });
    }

    /// Marks of HTML tell what is quoted.
    pub(super) fn is_marked(&self) -> bool {
        self.by_marks
    }

    /// Nothing could be set apart.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    fn judge(&mut self) {
        if self.lines.len() > MAX_LINES {
            self.doubt = true;
            self.whole = true;
            return;
        }
        self.wrapped_quotes();
        self.armour();
        self.cut();
        self.signatures();
        self.interleaved();
        self.rules();
        self.sum_up();
    }

    /// Decides whether anything is left.
    pub(super) fn sum_up(&mut self) {
        self.whole = !self.holds(|k| k == Kind::New);
    }

    /// Whether a filled line is of a kind.
    fn holds(&self, is: impl Fn(Kind) -> bool) -> bool {
        let mut lines = self.lines.iter();
        lines.any(|l| is(l.kind) && !l.text.trim().is_empty())
    }

    fn kind(&self, at: usize) -> Option<Kind> {
        self.lines.get(at).map(|l| l.kind)
    }

    fn text(&self, at: usize) -> &str {
        self.lines.get(at).map_or("", |l| l.text.as_str())
    }

    pub(super) fn mark(&mut self, from: usize, to: usize, kind: Kind) {
        for line in self.lines.iter_mut().take(to).skip(from) {
            line.kind = kind;
        }
    }

    /// `AL> text`: the quotes of some newsreaders, two lines or more of the same initials.
    fn initials(&mut self) {
        let of = |line: &str| -> Option<String> {
            let (initials, _) = line.trim_start().split_once('>')?;
            let short = (1..=4).contains(&initials.len());
            let upper = initials.chars().all(|c| c.is_ascii_uppercase());
            (short && upper).then(|| initials.to_owned())
        };
        let found: Vec<Option<String>> = self.lines.iter().map(|l| of(&l.text)).collect();
        for (i, initials) in found.iter().enumerate() {
            let around = [i.checked_sub(1), Some(i + 1)];
            let again = |at: usize| initials.is_some() && found.get(at) == Some(initials);
            if around.into_iter().flatten().any(again)
                && let Some(line) = self.lines.get_mut(i)
            {
                line.kind = Kind::Quoted;
                line.marked = true;
            }
        }
    }

    /// A quoted line that was wrapped on the way leaves its end without the quote mark: one line
    /// between quoted ones, or below a long one, that goes on in the middle of a sentence.
    fn wrapped_quotes(&mut self) {
        for i in 1..self.lines.len() {
            let quoted = |at: usize| self.kind(at) == Some(Kind::Quoted);
            if self.kind(i) != Some(Kind::New) || !quoted(i - 1) {
                continue;
            }
            let (before, line) = (self.text(i - 1), self.text(i));
            let content = before.trim_start_matches(['>', ' ']);
            let first = line.trim_start().chars().next();
            let short = line.len() <= 60 && line.len() < before.len() + 20;
            let goes_on =
                first.is_some_and(|c| c.is_lowercase() || matches!(c, '_' | '(' | ')' | ','));
            let long_before = content.len() >= 30;
            let link =
                line.trim_start().starts_with("(http") || line.trim_start().starts_with("<http");
            let between = quoted(i + 1) && (long_before && goes_on || content.is_empty() && link);
            let broken = long_before
                && goes_on
                && short
                && before.len() >= 60
                && !content.ends_with(['.', '!', '?', ':'])
                && self.text(i + 1).trim().is_empty()
                && quoted(i + 2);
            if between || broken {
                self.mark(i, i + 1, Kind::Quoted);
            }
        }
    }

    /// What signs a text is none of its words.
    fn armour(&mut self) {
        let new = |l: &Line| l.kind == Kind::New && l.text.starts_with("-----BEGIN PGP SIGNED");
        if !self.lines.iter().any(new) {
            return;
        }
        let lines: Vec<&str> = self.lines.iter().map(|l| l.text.as_str()).collect();
        for (from, to) in signature::armour(&lines) {
            self.mark(from, to, Kind::Signature);
        }
    }

    /// Marks what headers and attributions say is quoted.
    fn cut(&mut self) {
        let fields: Vec<Field> = self.lines.iter().map(|l| block::field(&l.text)).collect();
        let texts: Vec<String> = self.lines.iter().map(|l| l.text.clone()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut i = 0;
        while i < texts.len() {
            let line = texts.get(i).copied().unwrap_or_default();
            let is_new = self.kind(i) == Some(Kind::New);
            let cut_bracket = self.kind(i) == Some(Kind::Quoted)
                && line.len() <= 30
                && self.kind(i.wrapping_sub(1)) == Some(Kind::New)
                && attribution::may_end(line);
            if !is_new && !cut_bracket || line.is_empty() {
                i += 1;
                continue;
            }
            if is_new && block::is_above_line(line) {
                self.mark(i, texts.len(), Kind::Quoted);
                return;
            }
            if is_new && attribution::is_between_arrows(line) {
                self.mark(i, texts.len(), Kind::Quoted);
                if self.next_filled_at(i + 1).is_some() {
                    self.unmarked_tail = Some(i + 1);
                }
                return;
            }
            let header = block::header_len(fields.get(i..).unwrap_or_default()).filter(|_| is_new);
            if let Some(len) = header.or_else(|| (is_new && block::is_separator(line)).then_some(1))
            {
                i = self.older_mail(i, i + len, &texts, &fields);
                continue;
            }
            let context = Context {
                above_quote: self.is_above_quote(i + 1),
            };
            let mut above = attribution::may_end(line)
                .then(|| attribution::lines_above(&texts, i, context))
                .flatten();
            if above.is_none() && context.above_quote && attribution::is_date_line(line) {
                above = Some(0);
            }
            let alone = |at: Option<usize>| at.is_none_or(|at| self.text(at).trim().is_empty());
            if above.is_none()
                && attribution::is_zoned_date_line(line)
                && alone(i.checked_sub(1))
                && alone(Some(i + 1))
            {
                above = Some(0);
            }
            let Some(above) = above else {
                i += 1;
                continue;
            };
            self.mark(i - above, i + 1, Kind::Quoted);
            if self.next_filled_at(i + 1).is_some() && !context.above_quote {
                // Nothing marks it: it may hold words of the sender.
                self.unmarked_tail = Some(i + 1);
                self.mark(i + 1, texts.len(), Kind::Quoted);
                return;
            }
            i += 1;
        }
    }

    /// A header or a separator ends the new text: what follows is the older mail. Only where the
    /// older mail is marked line by line, new words may stand below it. Returns where to go on.
    fn older_mail(
        &mut self,
        from: usize,
        behind: usize,
        texts: &[&str],
        fields: &[Field],
    ) -> usize {
        let mut behind = behind;
        // The header below the separator.
        while let Some(at) = self.next_filled_at(behind)
            && at <= behind + 3
            && let Some(len) = block::header_len(fields.get(at..).unwrap_or_default())
        {
            behind = at + len;
        }
        let marked = self
            .next_filled_at(behind)
            .is_some_and(|at| self.lines.get(at).is_some_and(|l| l.marked));
        let to = if marked { behind } else { texts.len() };
        self.mark(from, to, Kind::Quoted);
        to
    }

    fn next_filled_at(&self, from: usize) -> Option<usize> {
        (from..self.lines.len()).find(|at| !self.text(*at).trim().is_empty())
    }

    /// Whether the next filled line from `from` on is quoted.
    fn is_above_quote(&self, from: usize) -> bool {
        self.next_filled_at(from)
            .is_some_and(|at| self.kind(at) == Some(Kind::Quoted))
    }

    /// Answers between quoted lines need the lines that they answer: from the first quote that
    /// has new words both before it, or none, and behind it, with a further quote below those.
    fn interleaved(&mut self) {
        let mut blocks: Vec<(Kind, usize, usize)> = Vec::new();
        for (i, line) in self.lines.iter().enumerate() {
            if line.text.trim().is_empty() {
                continue;
            }
            match blocks.last_mut() {
                Some((kind, _, to)) if *kind == line.kind => *to = i + 1,
                _ => blocks.push((line.kind, i, i + 1)),
            }
        }
        let quotes = blocks.iter().filter(|b| b.0 == Kind::Quoted).count();
        let between = blocks.windows(3).any(|w| {
            w.iter()
                .map(|b| b.0)
                .eq([Kind::Quoted, Kind::New, Kind::Quoted])
        });
        if quotes < 2 || !between {
            return;
        }
        self.doubt = true;
        for pair in blocks.windows(2) {
            let [(Kind::Quoted, from, to), (Kind::New, _, _)] = pair else {
                continue;
            };
            // The attribution is no line that is answered, nor is a whole mail.
            let from = (*from..*to)
                .find(|at| {
                    let line = self.lines.get(*at);
                    line.is_some_and(|l| l.marked && !l.text.trim_matches(['>', ' ']).is_empty())
                })
                .unwrap_or(*to);
            let mut from = from.max(to.saturating_sub(MAX_ANSWERED_LINES));
            // From the start of a paragraph on, if the quote was too long.
            if to - from == MAX_ANSWERED_LINES {
                let blank = |at: usize| self.text(at).trim_matches(['>', ' ']).is_empty();
                from = (from..*to).rfind(|at| blank(*at)).map_or(from, |at| at + 1);
            }
            for line in self.lines.iter_mut().take(*to).skip(from) {
                if line.kind == Kind::Quoted && line.marked {
                    line.kind = Kind::Answered;
                }
            }
        }
    }

    /// Marks signatures, disclaimers and banners in each block of new lines.
    fn signatures(&mut self) {
        let mut start = 0;
        let mut above = false;
        while start < self.lines.len() {
            if self.kind(start) != Some(Kind::New) || self.text(start).is_empty() {
                start += 1;
                continue;
            }
            let mut end = (start..self.lines.len())
                .find(|i| self.kind(*i) != Some(Kind::New))
                .unwrap_or(self.lines.len());
            // A line drawn above the quote is none of the signature.
            if self.kind(end) == Some(Kind::Quoted)
                && let Some(last) = (start + 1..end).rfind(|i| !self.text(*i).trim().is_empty())
                && block::is_rule(self.text(last))
            {
                self.mark(last, end, Kind::Quoted);
                end = last;
            }
            let block: Vec<String> = (start..end).map(|i| self.text(i).to_owned()).collect();
            let block: Vec<&str> = block.iter().map(String::as_str).collect();
            let banner = if start == 0 {
                signature::banner(&block)
            } else {
                0
            };
            let disclaimer = signature::disclaimer(&block).filter(|at| *at > banner);
            let upto = disclaimer.unwrap_or(block.len());
            let signature = signature::start(block.get(banner..upto).unwrap_or_default(), above);
            above = true;
            self.mark(start, start + banner, Kind::Disclaimer);
            if let Some(at) = signature {
                self.mark(start + banner + at, start + upto, Kind::Signature);
            }
            self.mark(start + upto, end, Kind::Disclaimer);
            start = end;
        }
    }

    /// Lines of underscores or dashes at the end of the new text belong to what follows.
    fn rules(&mut self) {
        for i in (0..self.lines.len()).rev() {
            if self.kind(i) != Some(Kind::New) || self.text(i).trim().is_empty() {
                continue;
            }
            if !block::is_rule(self.text(i)) {
                return;
            }
            self.mark(i, i + 1, Kind::Quoted);
        }
    }

    /// The lines of some kinds; between blocks that other lines separate, one blank line.
    fn of(&self, kinds: &[Kind]) -> String {
        let mut text = String::new();
        let mut last: Option<usize> = None;
        for (i, line) in self.lines.iter().enumerate() {
            if !kinds.contains(&line.kind) {
                continue;
            }
            match last {
                Some(l) if l + 1 == i => text.push('\n'),
                Some(_) if !text.ends_with("\n\n") => text.push_str("\n\n"),
                _ => {}
            }
            last = Some(i);
            // In HTML it is the layout that says so.
            if line.kind == Kind::Answered && !is_quote_mark(&line.text) {
                text.push_str(if line.text.is_empty() { ">" } else { "> " });
            }
            text.push_str(&line.text);
        }
        text.trim().to_owned()
    }

    pub(super) fn into_visible(self) -> Visible {
        if self.whole {
            let all: Vec<&str> = self.lines.iter().map(|l| l.text.as_str()).collect();
            return Visible {
                new_text: all.join("\n").trim().to_owned(),
                quoted: self.of(&[Kind::Quoted]),
                sure: false,
                nothing_new: self.holds(|k| k != Kind::New) && !self.holds(|k| k == Kind::New),
                split: self,
                ..Visible::default()
            };
        }
        let new_text = self.of(&[Kind::New, Kind::Answered]);
        let trace = self
            .lines
            .iter()
            .any(|l| l.kind == Kind::New && looks_quoted(&l.text));
        Visible {
            sure: self.unmarked_tail.is_none() && !self.doubt && !trace,
            quoted: self.of(&[Kind::Quoted]),
            signature: self.of(&[Kind::Signature]),
            disclaimer: self.of(&[Kind::Disclaimer]),
            nothing_new: false,
            new_text,
            split: self,
        }
    }
}

/// Traces of a quote that the cut missed.
fn looks_quoted(line: &str) -> bool {
    let start = fold::without_marks(line);
    let subject = ["subject:", "betreff:", "objet :", "asunto:", "oggetto:"];
    let is = |s: &&str| {
        start
            .get(..s.len())
            .is_some_and(|h| h.eq_ignore_ascii_case(s))
    };
    attribution::is_trace(line) || subject.iter().any(is)
}
