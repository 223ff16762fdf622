//! The words of IMAP's grammar (RFC 3501 §9), read from bytes without ever panicking.

/// Why a command is BAD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bad(pub(crate) &'static str);

pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

fn is_atom(byte: u8) -> bool {
    byte > 0x20 && byte < 0x7f && !b"(){%*\"\\]".contains(&byte)
}

fn ascii(bytes: &[u8]) -> Result<&str, Bad> {
    std::str::from_utf8(bytes).map_err(|_| Bad("Not UTF-8"))
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// The bytes from `start` to here.
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Moves past `byte` if it is next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), Bad> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(Bad("Unexpected character"))
        }
    }

    pub(crate) fn space(&mut self) -> Result<(), Bad> {
        if self.take(b' ') {
            Ok(())
        } else {
            Err(Bad("Argument missing"))
        }
    }

    pub(crate) fn end(&self) -> Result<(), Bad> {
        if self.at >= self.bytes.len() {
            Ok(())
        } else {
            Err(Bad("Too many arguments"))
        }
    }

    pub(crate) fn skip_rest(&mut self) {
        self.at = self.bytes.len();
    }

    pub(crate) fn rest_text(&mut self) -> Result<String, Bad> {
        let text = ascii(self.rest())?.to_owned();
        self.skip_rest();
        Ok(text)
    }

    fn while_(&mut self, is: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let len = rest.iter().position(|b| !is(*b)).unwrap_or(rest.len());
        self.at += len;
        rest.get(..len).unwrap_or_default()
    }

    fn word(&mut self, is: impl Fn(u8) -> bool, missing: &'static str) -> Result<&'a str, Bad> {
        let word = self.while_(is);
        if word.is_empty() {
            return Err(Bad(missing));
        }
        ascii(word)
    }

    /// A tag: ASTRING-CHAR without `+`.
    pub(crate) fn tag(&mut self) -> Result<String, Bad> {
        let tag = self.word(|b| is_atom(b) && b != b'+', "Tag missing")?;
        if tag.len() > 64 {
            return Err(Bad("Tag too long"));
        }
        Ok(tag.to_owned())
    }

    pub(crate) fn atom(&mut self) -> Result<&'a str, Bad> {
        self.word(is_atom, "Word missing")
    }

    /// A FETCH item or a section's word: an atom that ends at a bracket.
    pub(crate) fn fetch_word(&mut self) -> Result<&'a str, Bad> {
        self.word(|b| b.is_ascii_alphanumeric() || b == b'.', "Item missing")
    }

    /// Moves past this word, in any case, if it is next and ends there.
    pub(crate) fn take_word(&mut self, word: &str) -> bool {
        let ends = self
            .rest()
            .get(word.len())
            .is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'.');
        ends && self.take_words(word)
    }

    /// Moves past this text, in any case, if it is next.
    pub(crate) fn take_words(&mut self, text: &str) -> bool {
        let is = self
            .rest()
            .get(..text.len())
            .is_some_and(|b| b.eq_ignore_ascii_case(text.as_bytes()));
        if is {
            self.at += text.len();
        }
        is
    }

    pub(crate) fn number(&mut self) -> Result<u64, Bad> {
        let digits = self.word(|b| b.is_ascii_digit(), "Number missing")?;
        digits.parse().map_err(|_| Bad("Number too large"))
    }

    /// A flag: a keyword, or a backslash and a word.
    pub(crate) fn flag(&mut self) -> Result<String, Bad> {
        let slash = if self.take(b'\\') { "\\" } else { "" };
        Ok(format!("{slash}{}", self.atom()?))
    }

    /// `(item item …)`, which may be empty.
    pub(crate) fn list(
        &mut self,
        max: usize,
        mut item: impl FnMut(&mut Self) -> Result<(), Bad>,
    ) -> Result<(), Bad> {
        self.expect(b'(')?;
        if self.take(b')') {
            return Ok(());
        }
        for _ in 0..max {
            item(self)?;
            if self.take(b')') {
                return Ok(());
            }
            self.space()?;
        }
        Err(Bad("List too long"))
    }

    /// A quoted string or a literal.
    pub(crate) fn string(&mut self) -> Result<Vec<u8>, Bad> {
        if self.take(b'{') {
            let count = self.number()?;
            self.take(b'+');
            if !self.take_words("}\r\n") {
                return Err(Bad("Bad literal"));
            }
            let count = usize::try_from(count).map_err(|_| Bad("Literal too large"))?;
            let text = self.rest().get(..count).ok_or(Bad("Literal cut off"))?;
            self.at += count;
            return Ok(text.to_vec());
        }
        self.expect(b'"')?;
        let mut text = Vec::new();
        loop {
            match self.peek() {
                None | Some(b'\r' | b'\n' | 0) => return Err(Bad("Quoted string not closed")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(byte @ (b'"' | b'\\')) => text.push(byte),
                        _ => return Err(Bad("Bad escape in a quoted string")),
                    }
                    self.at += 1;
                }
                Some(byte) => {
                    self.at += 1;
                    text.push(byte);
                }
            }
        }
    }

    /// A string, or an atom that may have `]`.
    pub(crate) fn astring_text(&mut self) -> Result<String, Bad> {
        if matches!(self.peek(), Some(b'"' | b'{')) {
            return String::from_utf8(self.string()?).map_err(|_| Bad("Not UTF-8"));
        }
        let word = self.word(|b| is_atom(b) || b == b']', "Argument missing")?;
        Ok(word.to_owned())
    }

    /// LIST's pattern: a string, or a word that may have wildcards.
    pub(crate) fn list_mailbox(&mut self) -> Result<String, Bad> {
        if matches!(self.peek(), Some(b'"' | b'{')) {
            return self.astring_text();
        }
        let word = self.word(|b| is_atom(b) || b"]%*".contains(&b), "Pattern missing")?;
        Ok(word.to_owned())
    }
}
