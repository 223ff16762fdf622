//! The guard's view of the server's bytes: where a response, a string and a literal end.
//!
//! It must see these exactly as imap-proto does, or an attacker could hide from one what the
//! other acts on. Where imap-proto takes almost anything (an unknown FETCH attribute: up to the
//! next `)`, quotes and literals or not), bytes that could be read in two ways are refused;
//! nothing that we ask for has them. The comments name the parser's rule in each case.
#![warn(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

use super::budget::{ByteBudget, Reservation};
use super::guard::GuardError;
use super::limits::{LINE_BYTES, LITERAL_BYTES, NESTING};

/// A line reserves its budget in steps of this, from this length on.
const LINE_STEP: usize = 64 * 1024;
const DATE: &[u8] = b"INTERNALDATE ";

/// How imap-proto reads the rest of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// No byte yet.
    Start,
    /// After `*`.
    Star,
    /// In the first word after `* `, which tells.
    Word,
    /// `+`, a tag, or `* OK|NO|BAD|BYE|PREAUTH`: plain text, where quotes and parentheses mean
    /// nothing (`trailing_resp_text`).
    Text,
    /// Everything else: atoms, strings, lists.
    Data,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    No,
    Inside,
    /// After a backslash inside.
    Escaped,
}

/// `{n}` being read: a literal if CR LF follows.
#[derive(Clone, Copy, Debug)]
struct Head {
    n: usize,
    digits: bool,
    /// After a blank or `(`, without `+`: the only form that imap-proto takes.
    standard: bool,
    closed: bool,
}

/// What the bytes of one connection hold of the budget.
#[derive(Debug)]
pub(super) struct Holdings {
    current: Reservation,
    done: Reservation,
}

impl Holdings {
    pub(super) fn new(budget: &ByteBudget) -> Self {
        Self {
            current: budget.reservation(),
            done: budget.reservation(),
        }
    }

    /// Gives back what complete responses held.
    pub(super) fn release_done(&mut self) {
        self.done.clear();
    }

    /// Whether a response is under way that holds some.
    pub(super) fn holds(&self) -> bool {
        !self.current.is_empty()
    }

    fn response_done(&mut self) {
        std::mem::swap(&mut self.current, &mut self.done);
        self.current.clear();
    }
}

/// What a chunk of bytes turned out to be.
#[derive(Debug)]
pub(super) struct Scanned {
    /// How many of its bytes may go to the parser: up to the last line end, or into a literal.
    pub(super) deliver: usize,
    /// Why the connection must end after those.
    pub(super) fault: Option<GuardError>,
}

/// State between any two bytes.
#[derive(Debug)]
pub(super) struct Scanner {
    class: Class,
    word: [u8; 8],
    word_len: usize,
    quote: Quote,
    depth: u32,
    head: Option<Head>,
    /// A literal of this size starts after the LF that must come next.
    announced: Option<usize>,
    literal_left: usize,
    literal_bytes: usize,
    line_bytes: usize,
    reserved_line: usize,
    prev: u8,
    /// How much of `INTERNALDATE NIL` was seen.
    date: usize,
    responses: u64,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self {
            class: Class::Start,
            word: [0; 8],
            word_len: 0,
            quote: Quote::No,
            depth: 0,
            head: None,
            announced: None,
            literal_left: 0,
            literal_bytes: 0,
            line_bytes: 0,
            reserved_line: 0,
            prev: 0,
            date: 0,
            responses: 0,
        }
    }

    /// Whole responses seen so far.
    pub(super) fn responses(&self) -> u64 {
        self.responses
    }

    /// Whether the next byte begins a response.
    pub(super) fn between_responses(&self) -> bool {
        self.class == Class::Start && self.literal_left == 0
    }

    /// Looks at the next bytes. `INTERNALDATE NIL` is changed in place to `INTERNALDATE " "`, as
    /// imap-proto panics on the former, and refusing it would stop the mailbox at that message
    /// for ever; the latter is read as "no date".
    pub(super) fn scan(&mut self, bytes: &mut [u8], holdings: &mut Holdings) -> Scanned {
        let mut deliver = 0_usize;
        let mut at = 0_usize;
        while at < bytes.len() {
            if self.literal_left > 0 {
                let skip = self.literal_left.min(bytes.len().saturating_sub(at));
                self.literal_left = self.literal_left.saturating_sub(skip);
                at = at.saturating_add(skip);
                deliver = at;
                continue;
            }
            let Some(byte) = bytes.get_mut(at) else { break };
            at = at.saturating_add(1);
            match self.step(byte, holdings) {
                Ok(false) => {}
                Ok(true) => deliver = at,
                Err(fault) => {
                    return Scanned {
                        deliver,
                        fault: Some(fault),
                    };
                }
            }
        }
        Scanned {
            deliver,
            fault: None,
        }
    }

    /// One byte outside literals; true when the parser may have everything up to it.
    fn step(&mut self, byte: &mut u8, holdings: &mut Holdings) -> Result<bool, GuardError> {
        self.count(holdings)?;
        if *byte == b'\n' {
            return self.line_end(holdings);
        }
        if self.announced.take().is_some() {
            // `{n}` CR without LF is no literal to imap-proto either.
            return Err(GuardError::Ambiguous);
        }
        if self.quote != Quote::No {
            self.in_quotes(*byte)?;
        } else {
            self.classify(*byte);
            match self.class {
                Class::Text => {
                    // `Outcome::parse` cuts one byte after "]" off a string: it panics inside a
                    // character.
                    if self.prev == b']' && !byte.is_ascii() {
                        return Err(GuardError::NonAsciiAfterCode);
                    }
                    self.literal_head(*byte, holdings)?;
                }
                Class::Data => self.in_data(byte, holdings)?,
                Class::Start | Class::Star | Class::Word => {}
            }
        }
        self.prev = *byte;
        Ok(false)
    }

    fn count(&mut self, holdings: &mut Holdings) -> Result<(), GuardError> {
        self.line_bytes = self.line_bytes.saturating_add(1);
        if self.line_bytes > LINE_BYTES {
            return Err(GuardError::LineTooLong);
        }
        if self.line_bytes.saturating_sub(self.reserved_line) >= LINE_STEP {
            if !holdings.current.grow(LINE_STEP) {
                return Err(GuardError::OverBudget);
            }
            self.reserved_line = self.line_bytes;
        }
        Ok(())
    }

    fn line_end(&mut self, holdings: &mut Holdings) -> Result<bool, GuardError> {
        if let Some(n) = self.announced.take() {
            self.literal_left = n;
            self.prev = 0;
            self.date = 0;
            return Ok(true);
        }
        // imap-proto's unknown attribute would read on over the line's end.
        if self.quote != Quote::No || self.depth > 0 {
            return Err(GuardError::Ambiguous);
        }
        holdings.response_done();
        *self = Self {
            responses: self.responses.saturating_add(1),
            ..Self::new()
        };
        Ok(true)
    }

    /// `quoted` of imap-proto: anything but NUL, CR, LF; only `"` and `\` may be escaped. A
    /// string that breaks this is taken raw by its unknown attribute.
    fn in_quotes(&mut self, byte: u8) -> Result<(), GuardError> {
        self.quote = match (self.quote, byte) {
            (_, 0 | b'\r') => return Err(GuardError::Ambiguous),
            (Quote::Escaped, b'"' | b'\\') => Quote::Inside,
            (Quote::Escaped, _) => return Err(GuardError::Ambiguous),
            (_, b'\\') => Quote::Escaped,
            (_, b'"') => Quote::No,
            // Within a list that is an unknown attribute's value, imap-proto stops at this one.
            (_, b')') if self.depth >= 2 => return Err(GuardError::Ambiguous),
            _ => Quote::Inside,
        };
        Ok(())
    }

    fn classify(&mut self, byte: u8) {
        self.class = match (self.class, byte) {
            (Class::Start, b'*') => Class::Star,
            (Class::Star, b' ') => Class::Word,
            (Class::Start | Class::Star, _) => Class::Text,
            (Class::Word, b) if b.is_ascii_alphabetic() && self.word_len < self.word.len() => {
                if let Some(slot) = self.word.get_mut(self.word_len) {
                    *slot = b.to_ascii_uppercase();
                }
                self.word_len = self.word_len.saturating_add(1);
                Class::Word
            }
            (Class::Word, b) => {
                let word = self.word.get(..self.word_len).unwrap_or_default();
                let status = matches!(word, b"OK" | b"NO" | b"BAD" | b"BYE" | b"PREAUTH");
                if status && matches!(b, b' ' | b'\r') {
                    Class::Text
                } else {
                    Class::Data
                }
            }
            (class, _) => class,
        };
    }

    fn in_data(&mut self, byte: &mut u8, holdings: &mut Holdings) -> Result<(), GuardError> {
        if self.nil_date(byte)? {
            return Ok(());
        }
        match *byte {
            b'(' => {
                self.depth = self.depth.saturating_add(1);
                if self.depth > NESTING {
                    return Err(GuardError::NestedTooDeep);
                }
            }
            b')' => self.depth = self.depth.saturating_sub(1),
            b'"' => {
                // Amid an atom it is no string to imap-proto.
                if !matches!(self.prev, b' ' | b'(') {
                    return Err(GuardError::Ambiguous);
                }
                self.head = None;
                self.quote = Quote::Inside;
                return Ok(());
            }
            _ => {}
        }
        self.literal_head(*byte, holdings)
    }

    /// Follows `INTERNALDATE NIL` and rewrites its last word; true when this byte was part of
    /// that word.
    fn nil_date(&mut self, byte: &mut u8) -> Result<bool, GuardError> {
        let upper = byte.to_ascii_uppercase();
        let past = self.date.saturating_sub(DATE.len());
        if self.date >= DATE.len() {
            let (want, instead) = match past {
                0 => (b'N', b'"'),
                1 => (b'I', b' '),
                _ => (b'L', b'"'),
            };
            if upper == want {
                *byte = instead;
                self.date = if past >= 2 {
                    0
                } else {
                    self.date.saturating_add(1)
                };
                return Ok(true);
            }
            if past > 0 {
                return Err(GuardError::NilDate);
            }
        }
        self.date = match DATE.get(self.date) {
            Some(want) if *want == upper => self.date.saturating_add(1),
            _ => usize::from(upper == b'I'),
        };
        Ok(false)
    }

    /// Follows `{n}` and decides at the CR behind it, before the parser has seen a line end.
    fn literal_head(&mut self, byte: u8, holdings: &mut Holdings) -> Result<(), GuardError> {
        let Some(mut head) = self.head.take() else {
            if byte == b'{' {
                self.head = Some(Head {
                    n: 0,
                    digits: false,
                    standard: self.class == Class::Data && matches!(self.prev, b' ' | b'('),
                    closed: false,
                });
            }
            return Ok(());
        };
        match byte {
            b'0'..=b'9' if !head.closed => {
                let digit = usize::from(byte.saturating_sub(b'0'));
                head.n = head.n.saturating_mul(10).saturating_add(digit);
                head.digits = true;
            }
            b'+' | b'-' if !head.closed => head.standard = false,
            b'}' if head.digits && !head.closed => head.closed = true,
            b'\r' if head.closed => return self.announce(head, holdings),
            _ => return Ok(()),
        }
        self.head = Some(head);
        Ok(())
    }

    fn announce(&mut self, head: Head, holdings: &mut Holdings) -> Result<(), GuardError> {
        let all = self.literal_bytes.saturating_add(head.n);
        if all > LITERAL_BYTES {
            return Err(GuardError::LiteralTooLong);
        }
        // In a text line only [BADCHARSET ({n} is a literal to imap-proto, the rest is text; in a
        // list within a list an unknown attribute would end inside the literal.
        if !head.standard || self.depth >= 2 {
            return Err(GuardError::Ambiguous);
        }
        if !holdings.current.grow(head.n) {
            return Err(GuardError::OverBudget);
        }
        self.literal_bytes = all;
        self.announced = Some(head.n);
        Ok(())
    }
}
