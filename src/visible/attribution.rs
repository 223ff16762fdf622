//! Lines that say who wrote the quote below: `On 3 May 2024 Ann <ann@x.example> wrote:`, in the
//! languages of the mail programs, wrapped over several lines.

use super::fold::{self, find_word, has_address, has_date, has_time, has_word};
use super::words;

/// Longer ones are prose.
const MAX_BYTES: usize = 700;
/// Lines that one may be wrapped over.
const MAX_LINES: usize = 6;
/// Words that stand beside the verb in a sentence of a person about itself.
const FIRST_PERSON: &[&str] = &[
    "i", "we", "ich", "wir", "j'ai", "nous", "yo", "io", "eu", "nós", "ik", "wij", "jag", "vi",
    "jeg", "ja", "я", "мы",
];

/// What stands around a line that may end an attribution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    /// The next filled line is quoted.
    pub(super) above_quote: bool,
}

/// Whether a line may end an attribution: cheap, and false for nearly all lines.
pub(super) fn may_end(line: &str) -> bool {
    match fold::last_char(line) {
        Some(':' | '：') => true,
        Some('-' | '~' | '—') => line.len() <= 300 && line.contains("wrote"),
        Some('e' | 'E') => line.len() <= 300 && line.trim_end().ends_with("wrote"),
        Some(c) if !c.is_ascii() => {
            let end = line.trim_end();
            words::VERBS_UNSPACED.iter().any(|v| end.ends_with(v))
        }
        _ => false,
    }
}

/// How many lines above `end` belong to the attribution that ends there; `None` when none does.
pub(super) fn lines_above(lines: &[&str], end: usize, context: Context) -> Option<usize> {
    let mut joined = String::new();
    let mut alone = None;
    let mut above = 0;
    let mut taken = 0;
    loop {
        let at = end.checked_sub(above);
        let Some(line) = at.and_then(|at| lines.get(at)) else {
            return alone;
        };
        let line = line.trim();
        if line.is_empty() {
            // Some programs put the address on lines of its own, with blank ones around.
            let bracket = joined.starts_with(['<', '(']) || joined.starts_with("mailto:");
            if above == 0 || !bracket {
                return alone;
            }
        } else {
            joined = if joined.is_empty() {
                line.to_owned()
            } else {
                format!("{line} {joined}")
            };
            taken += 1;
        }
        if joined.len() > MAX_BYTES || taken > MAX_LINES {
            return alone;
        }
        if !line.is_empty() {
            let first = fold::fold(line);
            if taken > 1 && (is_quoted_start(line) || ends_sentence(line) && !starts(&first)) {
                return alone;
            }
            if is_attribution(&joined, context) {
                // `a écrit :` is the end of one; its start holds a date or an address.
                if starts(&first) && (has_date(&joined) || has_address(&joined)) {
                    return Some(above);
                }
                // A name or an address may be the start, or go on from the line above.
                if alone.is_none() && taken == 1 && !line.starts_with(['<', '(', '>']) {
                    alone = Some(above);
                }
            }
            // Above a line that starts with a date nothing of it stands.
            if taken > 1 && starts(&first) {
                return alone;
            }
        }
        above += 1;
    }
}

fn is_quoted_start(line: &str) -> bool {
    line.starts_with('>')
}

fn ends_sentence(line: &str) -> bool {
    line.ends_with(['.', '!', '?']) && !line.ends_with("...") && !line.contains('@')
}

/// Whether a folded line starts as attributions do: with a date, a day, or a word before one.
fn starts(folded: &str) -> bool {
    let rest = folded.trim_start_matches(['-', '—', '~', ' ', '[', '(']);
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        let first = rest.split([' ', ',']).next().unwrap_or_default();
        let numeric = |c: char| !c.is_ascii_alphabetic() || matches!(c, 't' | 'z');
        return first.len() <= 30
            && first.chars().all(numeric)
            && (has_date(rest) || has_time(rest));
    }
    if words::LEADS.iter().any(|lead| rest.starts_with(lead)) {
        return true;
    }
    let first = rest
        .split([' ', ',', '.', '(', '、'])
        .next()
        .unwrap_or_default();
    if words::WEEKDAYS.contains(&first) {
        return true;
    }
    words::BEFORE_DATES.iter().any(|word| {
        rest.strip_prefix(word)
            .is_some_and(|after| after.starts_with([' ', ':', '\u{a0}']) || after.is_empty())
    }) || rest.starts_with('在')
        || rest.starts_with('于')
}

/// Whether a joined text is an attribution.
pub(super) fn is_attribution(joined: &str, context: Context) -> bool {
    if joined.len() > MAX_BYTES {
        return false;
    }
    let text = fold::fold(joined);
    let text = text.trim_matches(['-', '—', '~', ' ']);
    let ended = text.ends_with([':', '：']);
    let body = text.trim_end_matches([':', '：', ' ', '*', '_', '"']);
    let unspaced = words::VERBS_UNSPACED.iter().any(|v| body.ends_with(v));
    let verb = words::VERBS
        .iter()
        .find_map(|v| Some((v, find_word(body, v)?)));
    let wrote_at_end = body.ends_with("wrote");
    if !ended && !unspaced && !wrote_at_end {
        return false;
    }
    let (address, date, time) = (has_address(body), has_date(body), has_time(body));
    if words::LEADS.iter().any(|lead| body.starts_with(lead)) {
        return address || context.above_quote || body.starts_with("quoting ");
    }
    if !address && !context.above_quote && is_sentence(body) {
        return false;
    }
    if unspaced {
        return date || address || context.above_quote;
    }
    let Some((verb, at)) = verb else {
        // `2024-05-03 10:00 GMT+02:00 Ann <ann@x.example>:`, `вт, 3 мая 2024 г. в 10:00, Ann <…>:`
        let bracketed = body.ends_with(['>', ')']) || context.above_quote;
        return address && date && (starts(body) || bracketed && time) && !is_field(body);
    };
    if speaks_of_itself(body, verb, at) {
        return false;
    }
    let starts = starts(body);
    address && (date || starts || verb_near_end(body, verb, at))
        || date && time
        || date && starts && *verb != "sent"
        || context.above_quote && body.len() <= 160
}

/// `To: ann@x.example 3 May:` is a field.
fn is_field(body: &str) -> bool {
    body.split_once([':', '：'])
        .is_some_and(|(name, _)| words::field(name.trim()).is_some())
}

/// The sender stands before the verb, the end behind it.
fn verb_near_end(body: &str, verb: &str, at: usize) -> bool {
    let behind = body.get(at + verb.len()..).unwrap_or_default();
    behind.chars().count() <= 3 || has_address(behind)
}

fn speaks_of_itself(body: &str, verb: &str, at: usize) -> bool {
    let before = body.get(..at).unwrap_or_default().trim_end();
    let behind = body.get(at + verb.len()..).unwrap_or_default().trim_start();
    let near = [
        before.rsplit(' ').next().unwrap_or_default(),
        behind.split([' ', ':', ',']).next().unwrap_or_default(),
    ];
    near.iter().any(|w| FIRST_PERSON.contains(w))
}

/// A sentence ends inside of it: a word of five letters or more, a full stop, another word.
fn is_sentence(body: &str) -> bool {
    let mut from = 0;
    while let Some(rest) = body.get(from..)
        && let Some(at) = rest.find(['.', '!', '?'])
    {
        let (before, behind) = rest.split_at(at);
        let word = before
            .chars()
            .rev()
            .take_while(|c| c.is_alphabetic())
            .count();
        let mut next = behind.chars().skip(1);
        let goes_on = next.next() == Some(' ') && next.next().is_some_and(char::is_alphabetic);
        let stop = behind.starts_with('.') && word < 5;
        if goes_on && !stop && word > 0 && !before.contains('@') {
            return true;
        }
        from += at + 1;
    }
    false
}

/// Splits the last words of the new text from an attribution behind them on the same line.
pub(super) fn split_inline(line: &str, context: Context) -> Option<(&str, &str)> {
    if line.len() > 1500 || !may_end(line) {
        return None;
    }
    // The nearest to the end first: what stands before it is longest.
    let mut marks: Vec<usize> = line
        .char_indices()
        .filter(|(_, c)| matches!(c, ' ' | '-' | '.' | '!' | '?'))
        .map(|(at, c)| at + c.len_utf8())
        .collect();
    marks.reverse();
    for at in marks.into_iter().take(60) {
        let (new, attribution) = line.split_at(at);
        let first = attribution
            .split([' ', '\u{a0}'])
            .next()
            .unwrap_or_default()
            .to_lowercase();
        // Only words that stand before a date: a number or a day may belong to the sentence.
        let before_date = matches!(
            first.as_str(),
            "on" | "am" | "le" | "el" | "il" | "em" | "op" | "den"
        );
        if !before_date || !is_attribution(attribution, context) {
            continue;
        }
        let rest = attribution.get(first.len()..).unwrap_or_default();
        let next: String = fold::fold(rest)
            .chars()
            .take_while(|c| c.is_alphanumeric())
            .collect();
        let dated = next.starts_with(|c: char| c.is_ascii_digit())
            || words::WEEKDAYS.contains(&next.as_str())
            || next == "giorno"
            || has_date(&format!("1 {next}"));
        let new = new.trim_end().trim_end_matches(['-', '—']).trim_end();
        let strong = has_time(attribution) || has_address(attribution) || context.above_quote;
        let clean = strong && !new.is_empty() && !new.starts_with('>') && !has_address(new);
        if dated && clean {
            return Some((new, attribution));
        }
    }
    None
}

/// Whether a line above a block quote that no program marks says whose it is: `My wife says:` does
/// not, it announces what the person itself quotes.
pub(super) fn announces_own(line: &str) -> bool {
    let line = line.trim_end();
    if !line.ends_with([':', '：']) || line.len() > MAX_BYTES {
        return false;
    }
    // `Sales wrote:` is a program's; `He said:` is a person's.
    let folded = fold::fold(line);
    let said = has_word(&folded, "said");
    let attributed = !said && is_attribution(line, Context { above_quote: true });
    !attributed && !has_address(line) && !has_date(line)
}

/// Whether a line directly above a quote is all the attribution that there is: a date and a time
/// at its start.
pub(super) fn is_date_line(line: &str) -> bool {
    if line.len() > 200 || !line.contains(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let text = fold::fold(line);
    let first = text.split(' ').next().unwrap_or_default();
    let dated = first.starts_with(|c: char| c.is_ascii_digit()) && has_date(first)
        || starts(&text) && has_date(&text) && text.split(' ').count() <= 12;
    dated && (has_time(&text) || has_address(&text)) && !is_sentence(&text)
}

/// `2024-05-03 17:21 GMT+02:00 Ann Lee`, alone between blank lines: Gmail's of old, without its
/// address.
pub(super) fn is_zoned_date_line(line: &str) -> bool {
    let text = fold::fold(line);
    let iso = text
        .get(..4)
        .is_some_and(|y| y.bytes().all(|b| b.is_ascii_digit()));
    iso && text.len() <= 100
        && is_date_line(line)
        && (text.contains(" gmt") || text.contains(" utc"))
}

/// `>>> Ann Lee <ann@x.example> 06.07.2026 09:10 >>>`: GroupWise's, above a quote that nothing
/// marks.
pub(super) fn is_between_arrows(line: &str) -> bool {
    let line = line.trim();
    let inner = line
        .strip_prefix(">>>")
        .and_then(|rest| rest.strip_suffix(">>>"));
    inner.is_some_and(|inner| {
        let named = has_address(inner) && inner.contains('<');
        inner.len() <= MAX_BYTES && (named || has_date(inner) && has_time(inner))
    })
}

/// Whether a text says that somebody wrote: a trace of an attribution that was not cut.
pub(super) fn is_trace(line: &str) -> bool {
    line.len() <= 400 && line.trim_end().ends_with(':') && has_word(&line.to_lowercase(), "wrote")
}

#[cfg(test)]
mod tests;
