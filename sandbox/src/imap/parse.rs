//! From the bytes of a command, literals included, to a [`Request`].

use super::command::{
    Args, BadCommand, FetchItem, Request, SearchKey, Section, SectionText, SequenceSet, StatusItem,
};
use super::cursor::{Bad, Cursor};
use crate::store::flags::{FlagChange, Flags};
use crate::time::{parse_imap_date, parse_imap_date_time};
use crate::verbs::Verb;

/// Most ranges of a set, items of a FETCH, flags of a list, header names of a section.
const MAX_LIST: usize = 10_000;
const MAX_FLAGS: usize = 64;
/// How deep SEARCH keys may nest.
const MAX_DEPTH: usize = 16;

/// Parses one command (its last CRLF taken off).
pub(crate) fn parse(bytes: &[u8]) -> Result<Request, BadCommand> {
    let mut at = Cursor::new(bytes);
    let tag = at.tag().map_err(|Bad(text)| BadCommand {
        tag: None,
        verb: Verb::Other,
        text,
    })?;
    let mut verb = Verb::Other;
    match request(&mut at, &mut verb) {
        Ok(args) => Ok(Request { tag, verb, args }),
        Err(Bad(text)) => Err(BadCommand {
            tag: Some(tag),
            verb,
            text,
        }),
    }
}

fn request(at: &mut Cursor<'_>, verb: &mut Verb) -> Result<Args, Bad> {
    at.space()?;
    let mut word = at.atom()?.to_owned();
    if word.eq_ignore_ascii_case("UID") {
        at.space()?;
        word = format!("UID {}", at.atom()?);
    }
    *verb = Verb::of(&word);
    let args = arguments(at, *verb)?;
    at.end()?;
    Ok(args)
}

fn arguments(at: &mut Cursor<'_>, verb: Verb) -> Result<Args, Bad> {
    match verb {
        Verb::Capability
        | Verb::Noop
        | Verb::Logout
        | Verb::StartTls
        | Verb::Idle
        | Verb::Check
        | Verb::Close
        | Verb::Unselect
        | Verb::Expunge => Ok(Args::None),
        Verb::Id => {
            at.skip_rest();
            Ok(Args::None)
        }
        Verb::Login => {
            at.space()?;
            let user = at.astring_text()?;
            at.space()?;
            let password = at.astring_text()?;
            Ok(Args::Login { user, password })
        }
        Verb::Authenticate => {
            at.space()?;
            let mechanism = at.atom()?.to_ascii_uppercase();
            let initial = if at.take(b' ') {
                Some(at.rest_text()?)
            } else {
                None
            };
            Ok(Args::Authenticate { mechanism, initial })
        }
        Verb::Select | Verb::Examine | Verb::Create => {
            at.space()?;
            let mailbox = at.astring_text()?;
            // SELECT INBOX (CONDSTORE) and the like are not offered.
            if at.peek() == Some(b' ') {
                return Err(Bad("Parameters are not supported"));
            }
            Ok(Args::Mailbox(mailbox))
        }
        Verb::List | Verb::Lsub => {
            at.space()?;
            let reference = at.astring_text()?;
            at.space()?;
            let pattern = at.list_mailbox()?;
            Ok(Args::List { reference, pattern })
        }
        Verb::Status => status(at),
        Verb::Append => append(at),
        Verb::Fetch | Verb::UidFetch => fetch(at),
        Verb::Search | Verb::UidSearch => search(at),
        Verb::Store | Verb::UidStore => store(at),
        Verb::UidExpunge => {
            at.space()?;
            Ok(Args::UidExpunge(sequence_set(at)?))
        }
        Verb::Other => Err(Bad("Unknown command")),
    }
}

fn status(at: &mut Cursor<'_>) -> Result<Args, Bad> {
    at.space()?;
    let mailbox = at.astring_text()?;
    at.space()?;
    let mut items = Vec::new();
    at.list(MAX_LIST, |at| {
        let word = at.atom()?;
        items.push(match word.to_ascii_uppercase().as_str() {
            "MESSAGES" => StatusItem::Messages,
            "RECENT" => StatusItem::Recent,
            "UIDNEXT" => StatusItem::UidNext,
            "UIDVALIDITY" => StatusItem::UidValidity,
            "UNSEEN" => StatusItem::Unseen,
            _ => return Err(Bad("Unknown STATUS item")),
        });
        Ok(())
    })?;
    Ok(Args::Status { mailbox, items })
}

fn flag_list(at: &mut Cursor<'_>) -> Result<Flags, Bad> {
    let mut flags = Flags::default();
    let mut one = |at: &mut Cursor<'_>| {
        let name = at.flag()?;
        if flags.add(&name) {
            Ok(())
        } else {
            Err(Bad("This flag cannot be set"))
        }
    };
    if at.peek() == Some(b'(') {
        at.list(MAX_FLAGS, one)?;
    } else {
        one(at)?;
        while at.take(b' ') {
            one(at)?;
        }
    }
    Ok(flags)
}

fn append(at: &mut Cursor<'_>) -> Result<Args, Bad> {
    at.space()?;
    let mailbox = at.astring_text()?;
    at.space()?;
    let mut flags = Flags::default();
    if at.peek() == Some(b'(') {
        flags = flag_list(at)?;
        at.space()?;
    }
    let mut internal_date = None;
    if at.peek() == Some(b'"') {
        let text = at.astring_text()?;
        internal_date = Some(parse_imap_date_time(&text).ok_or(Bad("Bad date-time"))?);
        at.space()?;
    }
    if at.peek() != Some(b'{') {
        return Err(Bad("APPEND takes its message as a literal"));
    }
    let message = at.string()?;
    Ok(Args::Append {
        mailbox,
        flags,
        internal_date,
        message,
    })
}

fn sequence_set(at: &mut Cursor<'_>) -> Result<SequenceSet, Bad> {
    fn number(at: &mut Cursor<'_>) -> Result<Option<u32>, Bad> {
        if at.take(b'*') {
            return Ok(None);
        }
        match at.number()? {
            0 => Err(Bad("0 is not a message number")),
            n => u32::try_from(n)
                .map(Some)
                .map_err(|_| Bad("Number beyond 32 bits")),
        }
    }
    let mut ranges = Vec::new();
    loop {
        let from = number(at)?;
        let to = if at.take(b':') { number(at)? } else { from };
        ranges.push((from, to));
        if ranges.len() > MAX_LIST {
            return Err(Bad("Too many ranges"));
        }
        if !at.take(b',') {
            return Ok(SequenceSet(ranges));
        }
    }
}

fn fetch(at: &mut Cursor<'_>) -> Result<Args, Bad> {
    at.space()?;
    let set = sequence_set(at)?;
    at.space()?;
    let mut items = Vec::new();
    if at.peek() == Some(b'(') {
        at.list(MAX_LIST, |at| {
            items.push(fetch_item(at)?);
            Ok(())
        })?;
    } else if at.take_word("FAST") {
        items = vec![FetchItem::Flags, FetchItem::InternalDate, FetchItem::Size];
    } else {
        items.push(fetch_item(at)?);
    }
    Ok(Args::Fetch { set, items })
}

fn whole(name: &str, text: SectionText, peek: bool) -> FetchItem {
    FetchItem::Body {
        name: name.to_owned(),
        section: Section {
            part: Vec::new(),
            text,
        },
        peek,
        partial: None,
    }
}

fn fetch_item(at: &mut Cursor<'_>) -> Result<FetchItem, Bad> {
    let word = at.fetch_word()?;
    Ok(match word.to_ascii_uppercase().as_str() {
        "UID" => FetchItem::Uid,
        "FLAGS" => FetchItem::Flags,
        "INTERNALDATE" => FetchItem::InternalDate,
        "RFC822.SIZE" => FetchItem::Size,
        "RFC822" => whole("RFC822", SectionText::All, false),
        "RFC822.HEADER" => whole("RFC822.HEADER", SectionText::Header, true),
        "RFC822.TEXT" => whole("RFC822.TEXT", SectionText::Text, false),
        "BODY" if at.peek() == Some(b'[') => body(at, false)?,
        "BODY.PEEK" if at.peek() == Some(b'[') => body(at, true)?,
        "BODY" | "BODYSTRUCTURE" | "ENVELOPE" | "ALL" | "FULL" => {
            return Err(Bad("This server has no ENVELOPE and no BODYSTRUCTURE"));
        }
        _ => return Err(Bad("Unknown FETCH item")),
    })
}

fn body(at: &mut Cursor<'_>, peek: bool) -> Result<FetchItem, Bad> {
    let start = at.position();
    at.expect(b'[')?;
    let section = section(at)?;
    at.expect(b']')?;
    let inner = String::from_utf8_lossy(at.since(start)).to_ascii_uppercase();
    // It is repeated in the answer, where a literal's CRLF would have to be a literal again.
    if inner.contains(['\r', '\n']) {
        return Err(Bad("Header names as literals are not supported"));
    }
    let mut partial = None;
    let mut name = format!("BODY{inner}");
    if at.take(b'<') {
        let offset = at.number()?;
        at.expect(b'.')?;
        let count = at.number()?;
        at.expect(b'>')?;
        let too_big = |_| Bad("Number too large");
        partial = Some((
            usize::try_from(offset).map_err(too_big)?,
            usize::try_from(count).map_err(too_big)?,
        ));
        // The answer names the offset only (RFC 3501 §7.4.2).
        name.push_str(&format!("<{offset}>"));
    }
    Ok(FetchItem::Body {
        name,
        section,
        peek,
        partial,
    })
}

fn section(at: &mut Cursor<'_>) -> Result<Section, Bad> {
    let mut part = Vec::new();
    while at.peek().is_some_and(|b| b.is_ascii_digit()) {
        let number = u32::try_from(at.number()?).map_err(|_| Bad("Part number too large"))?;
        part.push(number);
        if part.len() > 32 {
            return Err(Bad("Part too deep"));
        }
        if !at.take(b'.') {
            let text = SectionText::All;
            return Ok(Section { part, text });
        }
    }
    if at.peek() == Some(b']') {
        if !part.is_empty() {
            return Err(Bad("Part number expected"));
        }
        let text = SectionText::All;
        return Ok(Section { part, text });
    }
    let word = at.fetch_word()?.to_ascii_uppercase();
    let text = match word.as_str() {
        "HEADER" => SectionText::Header,
        "TEXT" => SectionText::Text,
        "MIME" if !part.is_empty() => SectionText::Mime,
        "HEADER.FIELDS" => SectionText::HeaderFields(header_names(at)?),
        "HEADER.FIELDS.NOT" => SectionText::HeaderFieldsNot(header_names(at)?),
        _ => return Err(Bad("Unknown section")),
    };
    Ok(Section { part, text })
}

fn header_names(at: &mut Cursor<'_>) -> Result<Vec<String>, Bad> {
    at.space()?;
    let mut names = Vec::new();
    at.list(MAX_LIST, |at| {
        names.push(at.astring_text()?);
        Ok(())
    })?;
    Ok(names)
}

fn store(at: &mut Cursor<'_>) -> Result<Args, Bad> {
    at.space()?;
    let set = sequence_set(at)?;
    at.space()?;
    let how = if at.take(b'+') {
        FlagChange::Add
    } else if at.take(b'-') {
        FlagChange::Remove
    } else {
        FlagChange::Replace
    };
    let word = at.fetch_word()?.to_ascii_uppercase();
    let silent = match word.as_str() {
        "FLAGS" => false,
        "FLAGS.SILENT" => true,
        _ => return Err(Bad("STORE takes FLAGS")),
    };
    at.space()?;
    let flags = flag_list(at)?;
    Ok(Args::Store {
        set,
        how,
        silent,
        flags,
    })
}

fn search(at: &mut Cursor<'_>) -> Result<Args, Bad> {
    if at.take_words(" CHARSET ") {
        let charset = at.astring_text()?.to_ascii_uppercase();
        if charset != "UTF-8" && charset != "US-ASCII" {
            return Err(Bad("Unknown charset"));
        }
    }
    let mut keys = Vec::new();
    while at.take(b' ') {
        keys.push(search_key(at, 0)?);
        if keys.len() > MAX_LIST {
            return Err(Bad("Too many keys"));
        }
    }
    if keys.is_empty() {
        return Err(Bad("SEARCH without a key"));
    }
    Ok(Args::Search(keys))
}

fn search_key(at: &mut Cursor<'_>, depth: usize) -> Result<SearchKey, Bad> {
    if depth > MAX_DEPTH {
        return Err(Bad("Search nested too deep"));
    }
    if at.peek() == Some(b'(') {
        let mut keys = Vec::new();
        at.list(MAX_LIST, |at| {
            keys.push(search_key(at, depth + 1)?);
            Ok(())
        })?;
        return Ok(SearchKey::And(keys));
    }
    if at.peek().is_some_and(|b| b.is_ascii_digit() || b == b'*') {
        return Ok(SearchKey::Sequence(sequence_set(at)?));
    }
    fn text(at: &mut Cursor<'_>) -> Result<String, Bad> {
        at.space()?;
        at.astring_text()
    }
    fn day(at: &mut Cursor<'_>) -> Result<i64, Bad> {
        parse_imap_date(&text(at)?).ok_or(Bad("Bad date"))
    }
    fn size(at: &mut Cursor<'_>) -> Result<usize, Bad> {
        at.space()?;
        usize::try_from(at.number()?).map_err(|_| Bad("Number too large"))
    }
    let header = |name: &str, value| SearchKey::Header(name.to_owned(), value);
    let word = at.atom()?.to_ascii_uppercase();
    Ok(match word.as_str() {
        "ALL" => SearchKey::All,
        "UID" => {
            at.space()?;
            SearchKey::Uid(sequence_set(at)?)
        }
        "HEADER" => {
            let name = text(at)?;
            SearchKey::Header(name, text(at)?)
        }
        "SUBJECT" | "FROM" | "TO" | "CC" | "BCC" => header(&word, text(at)?),
        "SINCE" => SearchKey::Since(day(at)?),
        "BEFORE" => SearchKey::Before(day(at)?),
        "ON" => SearchKey::On(day(at)?),
        "TEXT" => SearchKey::Text(text(at)?),
        "BODY" => SearchKey::Body(text(at)?),
        "LARGER" => SearchKey::Larger(size(at)?),
        "SMALLER" => SearchKey::Smaller(size(at)?),
        "SEEN" => SearchKey::Flag("\\Seen"),
        "UNSEEN" => SearchKey::NoFlag("\\Seen"),
        "ANSWERED" => SearchKey::Flag("\\Answered"),
        "UNANSWERED" => SearchKey::NoFlag("\\Answered"),
        "FLAGGED" => SearchKey::Flag("\\Flagged"),
        "UNFLAGGED" => SearchKey::NoFlag("\\Flagged"),
        "DELETED" => SearchKey::Flag("\\Deleted"),
        "UNDELETED" => SearchKey::NoFlag("\\Deleted"),
        "DRAFT" => SearchKey::Flag("\\Draft"),
        "UNDRAFT" => SearchKey::NoFlag("\\Draft"),
        "KEYWORD" => SearchKey::Keyword(text(at)?),
        "UNKEYWORD" => SearchKey::NoKeyword(text(at)?),
        "RECENT" => SearchKey::Recent,
        "OLD" => SearchKey::Old,
        "NEW" => SearchKey::New,
        "NOT" => {
            at.space()?;
            SearchKey::Not(Box::new(search_key(at, depth + 1)?))
        }
        "OR" => {
            at.space()?;
            let one = search_key(at, depth + 1)?;
            at.space()?;
            SearchKey::Or(Box::new(one), Box::new(search_key(at, depth + 1)?))
        }
        _ => return Err(Bad("Unknown SEARCH key")),
    })
}
