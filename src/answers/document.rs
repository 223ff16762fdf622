//! From a Markdown or text file to its pieces: one under each heading, one for each FAQ entry.

use sha2::{Digest, Sha256};

use crate::model::{ChunkKind, DocChunk};
use crate::reply::fold::{self, Language};

/// Pieces of one file; what is beyond them is reported, not indexed.
pub const MAX_CHUNKS: usize = 2_000;
/// Characters of a piece; longer passages are cut at a paragraph.
const MAX_BODY: usize = 1_800;

/// A file, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Its pieces.
    pub chunks: Vec<DocChunk>,
    /// ISO 639-1 code; empty: not known.
    pub language: String,
    /// What a person should mend.
    pub notes: Vec<String>,
}

/// Words that begin the lines of a FAQ entry, folded.
const QUESTION: &[&str] = &["q", "question", "f", "frage"];
const ALSO: &[&str] = &["also asked", "also", "auch gefragt", "auch"];
const ANSWER: &[&str] = &["a", "answer", "antwort"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Question,
    Also,
    Answer,
}

/// Reads a file's text. `file` is its path inside the folder; a name like `faq.de.md` names the
/// language.
#[must_use]
pub fn parse(file: &str, text: &str) -> Document {
    let text = text
        .trim_start_matches('\u{feff}')
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let mut reader = Reader::new(file);
    let mut lines = text.lines().enumerate().peekable();
    let mut language = language_of_name(file);
    if lines.peek().is_some_and(|(_, l)| l.trim() == "---") {
        lines.next();
        for (_, line) in lines.by_ref() {
            if line.trim() == "---" {
                break;
            }
            if let Some((key, value)) = line.split_once(':')
                && matches!(key.trim(), "language" | "lang" | "sprache")
            {
                value.trim().to_lowercase().clone_into(&mut language);
            }
        }
    }
    let mut fenced = false;
    let mut comment = false;
    while let Some((n, line)) = lines.next() {
        let bare = line.trim();
        if comment || bare.starts_with("<!--") {
            comment = !bare.ends_with("-->");
            continue;
        }
        if bare.starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if !fenced {
            let underline = lines.peek().map(|(_, l)| l.trim()).unwrap_or_default();
            let rule = |c: char| underline.len() >= 3 && underline.chars().all(|x| x == c);
            if !bare.is_empty() && !bare.starts_with('|') && (rule('=') || rule('-')) {
                reader.heading(if rule('=') { 1 } else { 2 }, bare);
                lines.next();
                continue;
            }
            let level = bare.chars().take_while(|c| *c == '#').count();
            let rest = bare.get(level..).unwrap_or_default();
            if (1..=6).contains(&level) && rest.starts_with(' ') {
                reader.heading(level, rest.trim().trim_end_matches('#').trim());
                continue;
            }
        }
        reader.line(n.saturating_add(1), line);
    }
    reader.finish(language)
}

fn language_of_name(file: &str) -> String {
    let mut parts = file.rsplit('.').skip(1);
    parts
        .next()
        .filter(|p| {
            p.len() == 2 && p.bytes().all(|b| b.is_ascii_lowercase()) && parts.next().is_some()
        })
        .unwrap_or_default()
        .to_owned()
}

struct Reader<'f> {
    file: &'f str,
    headings: Vec<(usize, String)>,
    question: Option<(usize, String)>,
    also: Vec<String>,
    body: Vec<String>,
    body_line: usize,
    table: Option<Vec<String>>,
    mark: Option<Mark>,
    out: Document,
}

impl<'f> Reader<'f> {
    fn new(file: &'f str) -> Self {
        Self {
            file,
            headings: Vec::new(),
            question: None,
            also: Vec::new(),
            body: Vec::new(),
            body_line: 0,
            table: None,
            mark: None,
            out: Document::default(),
        }
    }

    fn heading(&mut self, level: usize, text: &str) {
        self.flush();
        self.headings.retain(|(l, _)| *l < level);
        self.headings.push((level, inline(text)));
    }

    fn line(&mut self, n: usize, line: &str) {
        let bare = line.trim();
        if let Some((mark, rest)) = marked(bare) {
            match mark {
                Mark::Question => {
                    self.flush();
                    self.question = Some((n, inline(rest)));
                }
                Mark::Also if self.question.is_some() => {
                    self.also.extend(rest.split('/').map(|s| inline(s.trim())));
                }
                Mark::Answer if self.question.is_some() => {
                    self.body_line = n;
                    self.body.push(inline(rest));
                }
                Mark::Also | Mark::Answer => return self.text(n, line),
            }
            self.mark = Some(mark);
            return;
        }
        match self.mark {
            // A long question or list goes on in the next line.
            Some(Mark::Question) if !bare.is_empty() => {
                if let Some((_, question)) = &mut self.question {
                    question.push(' ');
                    question.push_str(&inline(bare));
                }
            }
            Some(Mark::Also) if !bare.is_empty() => {
                let bare = bare.trim_start_matches(['-', '*']).trim();
                self.also.extend(bare.split('/').map(|s| inline(s.trim())));
            }
            _ => self.text(n, line),
        }
    }

    fn text(&mut self, n: usize, line: &str) {
        let bare = line.trim();
        if bare.is_empty() {
            self.table = None;
            if self.body.iter().map(String::len).sum::<usize>() > MAX_BODY {
                self.chunk();
            }
            if !self.body.is_empty() {
                self.body.push(String::new());
            }
            return;
        }
        if self.body.is_empty() {
            self.body_line = n;
        }
        if bare.starts_with('|') {
            self.row(bare);
            return;
        }
        self.table = None;
        self.body.push(inline(line.trim_end()));
    }

    /// A row of a table reads as a list item: `first cell: header second, header third`.
    fn row(&mut self, bare: &str) {
        let cells: Vec<String> = bare
            .trim_matches('|')
            .split('|')
            .map(|c| inline(c.trim()))
            .collect();
        if cells
            .iter()
            .all(|c| c.chars().all(|x| matches!(x, '-' | ':' | ' ')))
        {
            return;
        }
        let Some(header) = &self.table else {
            self.table = Some(cells);
            return;
        };
        let mut said = Vec::new();
        for (name, cell) in header.iter().zip(&cells).skip(1) {
            if !cell.is_empty() {
                said.push(format!("{name} {cell}").trim().to_owned());
            }
        }
        let first = cells.first().cloned().unwrap_or_default();
        self.body.push(format!("- {first}: {}", said.join(", ")));
    }

    fn flush(&mut self) {
        self.chunk();
        self.question = None;
        self.also.clear();
        self.mark = None;
        self.table = None;
    }

    fn chunk(&mut self) {
        let body = self.body.join("\n").trim().to_owned();
        self.body.clear();
        if let Some((line, question)) = &self.question
            && question.trim().is_empty()
        {
            let note = format!("line {line}: an empty question (Q:), its answer is left out");
            if !self.out.notes.contains(&note) {
                self.out.notes.push(note);
            }
            return;
        }
        if body.is_empty() {
            if let Some((line, question)) = &self.question {
                self.out
                    .notes
                    .push(format!("line {line}: no answer (A:) to {question:?}"));
            }
            return;
        }
        if self.out.chunks.len() >= MAX_CHUNKS {
            if self.out.chunks.len() == MAX_CHUNKS
                && !self.out.notes.iter().any(|n| n.starts_with("more than"))
            {
                self.out.notes.push(format!(
                    "more than {MAX_CHUNKS} passages: the rest is not indexed"
                ));
            }
            return;
        }
        let names: Vec<&str> = self.headings.iter().map(|(_, h)| h.as_str()).collect();
        let stem = self.file.rsplit('/').next().unwrap_or(self.file);
        let stem = stem.split('.').next().unwrap_or(stem);
        let (kind, heading, mut aliases) = match &self.question {
            Some((_, question)) => {
                let mut aliases = self.also.clone();
                aliases.retain(|a| !a.is_empty());
                (ChunkKind::Faq, question.clone(), aliases)
            }
            None => (
                ChunkKind::Text,
                names.last().map_or(stem, |h| *h).to_owned(),
                Vec::new(),
            ),
        };
        if kind == ChunkKind::Text {
            aliases.extend(names.iter().rev().skip(1).map(|h| (*h).to_owned()));
        }
        let mut hash = Sha256::new();
        hash.update(heading.as_bytes());
        hash.update([0]);
        hash.update(body.as_bytes());
        self.out.chunks.push(DocChunk {
            kind,
            file: self.file.to_owned(),
            heading,
            aliases: aliases.join(" / "),
            line: u32::try_from(self.body_line).unwrap_or(u32::MAX),
            body,
            language: String::new(),
            hash: hash.finalize().iter().map(|b| format!("{b:02x}")).collect(),
        });
    }

    fn finish(mut self, named: String) -> Document {
        self.flush();
        let language = if named.is_empty() {
            let all: Vec<&str> = self.out.chunks.iter().map(|c| c.body.as_str()).collect();
            match fold::language(&fold::fold(&all.join(" "))) {
                Language::Known(code) => code.to_owned(),
                Language::Other | Language::Unknown => String::new(),
            }
        } else {
            named
        };
        for chunk in &mut self.out.chunks {
            chunk.language.clone_from(&language);
        }
        if self.out.chunks.is_empty() {
            self.out.notes.push("no text in it".to_owned());
        }
        self.out.language = language;
        self.out
    }
}

/// `Q:`, `also asked:` and `A:`, perhaps in bold or as a list item.
fn marked(bare: &str) -> Option<(Mark, &str)> {
    let clean = bare.trim_start_matches(['*', '_', '-', ' ']);
    let (name, rest) = clean.split_once(':')?;
    if name.len() > 14 {
        return None;
    }
    let name = name.trim_end_matches(['*', '_']).trim().to_lowercase();
    let rest = rest.trim_start_matches(['*', '_']).trim();
    let is = |list: &[&str]| list.contains(&name.as_str());
    let mark = if is(QUESTION) {
        Mark::Question
    } else if is(ALSO) {
        Mark::Also
    } else if is(ANSWER) {
        Mark::Answer
    } else {
        return None;
    };
    Some((mark, rest))
}

/// Markdown's marks taken off: what is quoted in a mail is plain text.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let (before, tail) = rest.split_at(open);
        let link = tail.split_once("](").and_then(|(label, more)| {
            let (url, after) = more.split_once(')')?;
            (!label.contains('\n')).then_some((label.trim_start_matches('['), url, after))
        });
        let Some((label, url, after)) = link else {
            out.push_str(before);
            out.push('[');
            rest = tail.get(1..).unwrap_or_default();
            continue;
        };
        if let Some(kept) = before.strip_suffix('!') {
            out.push_str(kept);
        } else {
            out.push_str(before);
            out.push_str(label);
            if url.contains("://") && url != label {
                out.push_str(" (");
                out.push_str(url);
                out.push(')');
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out.replace("**", "").replace("__", "").replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_faq_entries_and_tables_become_pieces_with_their_lines() {
        let text = "# House\n\nIt is the house of the town.\n\n## Prices\n\n| Home | Price | Size |\n|---|---|---|\n\
                    | Studio | €1 | 40 m² |\n\n## FAQ\n\n**Q:** Is there a *lift*?\nalso asked: Any elevator? / Stairs only?\n\
                    A: There are [two](https://x.example/a), **large** ones.\n   And a third.\n\nQ: No answer?\n";
        let d = parse("a/house.md", text);
        let all: Vec<_> = d
            .chunks
            .iter()
            .map(|c| {
                (
                    c.kind,
                    c.heading.as_str(),
                    c.line,
                    c.body.as_str(),
                    c.aliases.as_str(),
                )
            })
            .collect();
        assert_eq!(
            all[0],
            (
                ChunkKind::Text,
                "House",
                3,
                "It is the house of the town.",
                ""
            )
        );
        assert_eq!(
            all[1],
            (
                ChunkKind::Text,
                "Prices",
                9,
                "- Studio: Price €1, Size 40 m²",
                "House"
            )
        );
        assert_eq!(all[2].0, ChunkKind::Faq);
        assert_eq!(all[2].1, "Is there a *lift*?");
        assert_eq!(all[2].2, 15);
        assert_eq!(
            all[2].3,
            "There are two (https://x.example/a), large ones.\n   And a third."
        );
        assert_eq!(all[2].4, "Any elevator? / Stairs only?");
        assert_eq!(d.language, "en");
        assert_eq!(d.notes.len(), 1, "{:?}", d.notes);
    }

    #[test]
    fn a_language_is_read_from_name_or_front_matter_or_text() {
        assert_eq!(parse("faq.de.md", "F: x\nA: y").language, "de");
        assert_eq!(
            parse("faq.md", "---\nlanguage: fr\n---\nOui").language,
            "fr"
        );
        assert_eq!(
            parse("x.txt", "Der Hund und die Katze sind erlaubt.").language,
            "de"
        );
        let d = parse("x.txt", "Lage\n====\nAm Park.\n\nPreis\n-----\n1 Euro.");
        assert_eq!(d.chunks[1].heading, "Preis");
        assert_eq!(d.chunks[1].line, 7);
    }
}
