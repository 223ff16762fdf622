//! The parts of a message (RFC 2046), found in one pass over the lines, without recursion.
//!
//! mail-parser's own walk is not used. It drops a chain of nested `message/rfc822` parts
//! recursively: measured with 0.11.9, 36,000 of them (1 MiB of mail) overflow a stack of 2 MiB,
//! the size of tokio's, and end the process, which no `catch_unwind` holds. It decodes text with
//! a wrong charset label lossily, and it does not say which part a cut message was cut in. Its
//! readers of single header fields and its decoders are used throughout.

use std::ops::Range;

use super::facts::Facts;
use super::header::{Block, line_end, trim_line_end};

/// Levels of nesting that are followed; what lies deeper is taken as text of its parent.
pub(super) const MAX_DEPTH: usize = 120;
/// Leaves that are looked at.
pub(super) const MAX_PARTS: usize = 2000;
/// What is read of a message. Capture never fetches as much (256 KiB and 1 MiB of text).
pub(super) const MAX_BYTES: usize = 64 * 1024 * 1024;

/// How a body is encoded for transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Base64,
    QuotedPrintable,
    /// `x-uuencode`, of old systems.
    Uuencode,
    /// `x-yenc` and the like: nothing here decodes it.
    Other,
}

/// A leaf, or a nested message that is not encoded (its parts follow as parts of their own).
#[derive(Clone, Debug)]
pub(super) struct Part<'a> {
    /// `type/subtype`, lower case.
    pub(super) mime: String,
    pub(super) charset: Option<String>,
    /// The file name, from either header.
    pub(super) name: Option<String>,
    /// Content-Disposition says attachment.
    pub(super) attachment: bool,
    pub(super) encoding: Encoding,
    /// Further parameters of Content-Type that natures need.
    pub(super) params: Vec<(String, String)>,
    pub(super) body: Range<usize>,
    /// How many messages this part is inside of: 0 is the mail itself.
    pub(super) message_depth: usize,
    /// The number of the multipart/alternative nearest above it, 0 for none.
    pub(super) alternative: usize,
    /// A boundary or the message's end followed; false for the part in which input ends
    /// although a boundary should come.
    pub(super) closed: bool,
    /// The header of a nested message; of other parts empty.
    pub(super) message_header: Option<Block<'a>>,
}

/// A message taken apart.
#[derive(Debug, Default)]
pub(super) struct Tree<'a> {
    pub(super) header: Block<'a>,
    /// `type/subtype` of the message itself, empty when it has no Content-Type.
    pub(super) mime: String,
    pub(super) params: Vec<(String, String)>,
    pub(super) parts: Vec<Part<'a>>,
    pub(super) odd: Vec<&'static str>,
    /// What stands before the first boundary of the outermost multipart.
    pub(super) preamble: Range<usize>,
}

struct Level {
    /// `None` for a nested message, which ends where its parent's boundary is.
    boundary: Option<Vec<u8>>,
    digest: bool,
    alternative: usize,
    message_depth: usize,
    /// Index in `parts` of the nested message that this level is.
    part: Option<usize>,
    /// Where the body starts, for a multipart in which no boundary comes.
    body_at: usize,
    seen_boundary: bool,
}

/// What the boundary line at hand means.
struct Hit {
    level: usize,
    closing: bool,
}

fn boundary_hit(levels: &[Level], content: &[u8]) -> Option<Hit> {
    let rest = content.strip_prefix(b"--")?;
    levels.iter().enumerate().rev().find_map(|(level, l)| {
        let after = rest.strip_prefix(l.boundary.as_deref()?)?;
        let after = after.trim_ascii_end();
        let closing = after == b"--";
        (closing || after.is_empty()).then_some(Hit { level, closing })
    })
}

/// Takes a message apart. Linear in its size, but for lines that start with `--`, which are
/// compared with each of the at most [`MAX_DEPTH`] open boundaries.
pub(super) fn read(raw: &[u8]) -> Tree<'_> {
    let raw = raw.get(..MAX_BYTES).unwrap_or(raw);
    let tree = walk(raw, false);
    let whole = tree.parts.len() == 1 && tree.odd.contains(&"boundary_missing");
    if whole && tree.mime.starts_with("multipart/") {
        // The boundary that the header names never comes: try the one that the body uses.
        let mut guessed = walk(raw, true);
        if guessed.parts.len() > 1 || !guessed.odd.contains(&"boundary_missing") {
            guessed.odd.push("boundary_guessed");
            return guessed;
        }
    }
    tree
}

fn walk(raw: &[u8], guess: bool) -> Tree<'_> {
    let mut walk = Walk {
        raw,
        levels: Vec::new(),
        tree: Tree::default(),
        alternatives: 0,
        at: 0,
        guess,
    };
    if raw.len() == MAX_BYTES {
        walk.odd("too_large");
    }
    walk.run();
    walk.tree
}

struct Walk<'a> {
    raw: &'a [u8],
    levels: Vec<Level>,
    tree: Tree<'a>,
    alternatives: usize,
    at: usize,
    /// Disbelieve the boundary of the outermost multipart.
    guess: bool,
}

impl<'a> Walk<'a> {
    fn odd(&mut self, what: &'static str) {
        if !self.tree.odd.contains(&what) {
            self.tree.odd.push(what);
        }
    }

    fn run(&mut self) {
        let mut entity = true;
        let mut top = true;
        while self.at < self.raw.len() || top {
            if entity {
                self.entity(top);
                top = false;
            }
            if self.tree.parts.len() >= MAX_PARTS {
                self.odd("too_many_parts");
                break;
            }
            // Here: at the start of a line that may be a boundary.
            match self.skip_to_boundary() {
                Some(hit) => entity = self.take_boundary(&hit),
                None => break,
            }
        }
        self.finish();
    }

    /// Reads headers at `self.at` and opens what they announce; for a leaf, leaves `self.at`
    /// at its body.
    fn entity(&mut self, top: bool) {
        let mut top = top;
        loop {
            let levels = &self.levels;
            let mut block = Block::read(self.raw, self.at, |line| {
                boundary_hit(levels, line).is_some()
            });
            if top && block.fields.is_empty() && block.junk_lines > 0 {
                // No header at all: the file is a text.
                block.body_at = self.at;
            }
            self.at = block.body_at;
            let (depth, digest, alternative) = self.levels.last().map_or((0, false, 0), |l| {
                (l.message_depth, l.digest, l.alternative)
            });
            if !block.complete {
                self.odd("header_not_ended");
            }
            let mut facts = Facts::of(&block, digest);
            if top {
                self.tree.mime.clone_from(&facts.mime);
                self.tree.params.clone_from(&facts.params);
                self.tree.header = block.clone();
                top = false;
            }
            let deep = self.levels.len() >= MAX_DEPTH;
            if deep && (facts.is_multipart() || facts.is_message()) {
                self.odd("nested_too_deep");
                "text/plain".clone_into(&mut facts.mime);
            }
            if !facts.is_multipart()
                && let Some(boundary) = &facts.boundary
                && self.starts_with_boundary(boundary)
            {
                // Another type, but its body is a multipart.
                "multipart/mixed".clone_into(&mut facts.mime);
                if self.levels.is_empty() {
                    self.tree.mime.clone_from(&facts.mime);
                }
            }
            if facts.is_multipart() {
                let disbelieve = self.guess && self.levels.is_empty();
                let named = facts.boundary.take().filter(|_| !disbelieve);
                let boundary = named.or_else(|| self.guess_boundary());
                if let Some(boundary) = boundary {
                    let is_alternative = facts.mime == "multipart/alternative";
                    if is_alternative {
                        self.alternatives += 1;
                    }
                    self.levels.push(Level {
                        boundary: Some(boundary),
                        digest: facts.mime == "multipart/digest",
                        alternative: if is_alternative {
                            self.alternatives
                        } else {
                            alternative
                        },
                        message_depth: depth,
                        part: None,
                        body_at: self.at,
                        seen_boundary: false,
                    });
                    return;
                }
                self.odd("multipart_without_boundary");
                "text/plain".clone_into(&mut facts.mime);
            }
            let nested = facts.is_message() && facts.encoding == Encoding::Plain;
            let (at, part) = (self.at, self.tree.parts.len());
            self.tree
                .parts
                .push(facts.into_part(at, depth, alternative));
            if !nested || part >= MAX_PARTS {
                return;
            }
            // The nested message's header is read by the next turn; it is kept with the part.
            let levels = &self.levels;
            let inner = Block::read(self.raw, self.at, |line| {
                boundary_hit(levels, line).is_some()
            });
            if let Some(p) = self.tree.parts.get_mut(part) {
                p.message_header = Some(inner);
            }
            self.levels.push(Level {
                boundary: None,
                digest: false,
                alternative: 0,
                message_depth: depth + 1,
                part: Some(part),
                body_at: at,
                seen_boundary: false,
            });
        }
    }

    /// The boundary of a multipart that does not name it: the first line that starts with `--`.
    fn guess_boundary(&self) -> Option<Vec<u8>> {
        let mut at = self.at;
        for _ in 0..20 {
            let end = line_end(self.raw, at);
            let line = trim_line_end(self.raw.get(at..end)?);
            if let Some(boundary) = line.strip_prefix(b"--") {
                let boundary = boundary.trim_ascii();
                let plausible = (4..=200).contains(&boundary.len());
                return plausible.then(|| boundary.to_vec());
            }
            at = end;
        }
        None
    }

    /// Whether the next filled line is a boundary line of this boundary.
    fn starts_with_boundary(&self, boundary: &[u8]) -> bool {
        let mut at = self.at;
        for _ in 0..10 {
            let end = line_end(self.raw, at);
            let line = trim_line_end(self.raw.get(at..end).unwrap_or_default());
            if !line.trim_ascii().is_empty() {
                let rest = line
                    .strip_prefix(b"--")
                    .and_then(|l| l.strip_prefix(boundary));
                return rest.is_some_and(|r| r.trim_ascii().is_empty());
            }
            at = end;
        }
        false
    }

    /// Moves to the next boundary line and closes the leaf before it.
    fn skip_to_boundary(&mut self) -> Option<Hit> {
        let any = self.levels.iter().any(|l| l.boundary.is_some());
        while any && self.at < self.raw.len() {
            let start = self.at;
            let end = line_end(self.raw, start);
            let line = self.raw.get(start..end).unwrap_or_default();
            self.at = end;
            if !line.starts_with(b"--") {
                continue;
            }
            if let Some(hit) = boundary_hit(&self.levels, trim_line_end(line)) {
                // The line end before a boundary belongs to the boundary (RFC 2046 §5.1.1).
                let body_end = match self.raw.get(..start) {
                    Some(before) => trim_line_end(before).len(),
                    None => start,
                };
                if self.tree.parts.is_empty() && self.tree.preamble.is_empty() {
                    self.tree.preamble = self.tree.header.body_at..start;
                }
                self.close_leaf(body_end, true);
                self.close_levels(hit.level + 1, body_end);
                return Some(hit);
            }
        }
        None
    }

    fn take_boundary(&mut self, hit: &Hit) -> bool {
        if hit.closing {
            self.levels.truncate(hit.level);
            // Its nested messages end with it.
            return false;
        }
        if let Some(level) = self.levels.get_mut(hit.level) {
            level.seen_boundary = true;
        }
        true
    }

    fn close_leaf(&mut self, end: usize, closed: bool) {
        if let Some(part) = self.tree.parts.last_mut()
            && part.body.end == usize::MAX
            && part.message_header.is_none()
        {
            part.body.end = end.max(part.body.start);
            part.closed = closed;
        }
    }

    /// Ends the levels from `keep` on at `end`.
    fn close_levels(&mut self, keep: usize, end: usize) {
        while self.levels.len() > keep {
            let Some(level) = self.levels.pop() else {
                break;
            };
            if let Some(part) = level.part.and_then(|p| self.tree.parts.get_mut(p)) {
                part.body.end = end.max(part.body.start);
                part.closed = true;
            } else if !level.seen_boundary {
                self.unbounded_multipart(&level, end);
            }
        }
    }

    /// A multipart in which its boundary never came: its body is taken as text.
    fn unbounded_multipart(&mut self, level: &Level, end: usize) {
        self.odd("boundary_missing");
        if self.tree.parts.len() < MAX_PARTS {
            let mut part = Facts::plain_text().into_part(
                level.body_at,
                level.message_depth,
                level.alternative,
            );
            part.body.end = end.max(part.body.start);
            self.tree.parts.push(part);
        }
    }

    fn finish(&mut self) {
        let end = self.raw.len();
        let open_multipart = self.levels.iter().any(|l| l.boundary.is_some());
        self.close_leaf(end, !open_multipart);
        if open_multipart {
            self.odd("boundary_not_closed");
        }
        self.close_levels(0, end);
        for part in &mut self.tree.parts {
            if part.body.end == usize::MAX {
                part.body.end = end.max(part.body.start);
                part.closed = !open_multipart;
            }
        }
    }
}
