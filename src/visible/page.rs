//! What is quoted in HTML, by the marks that mail programs leave: each region of the page that
//! is not the sender's new text.

use std::ops::Range;

use super::{Kind, attribution};
use crate::mime::{NodeRef, Page, Tag};

/// What stands between the start of a container and its quote is not longer.
const MAX_ATTRIBUTION_BYTES: usize = 500;
/// Nodes in which the fields of a header are looked for.
const MAX_HEADER_NODES: usize = 400;

/// A part of the page, as node positions.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub(super) nodes: Range<usize>,
    pub(super) kind: Kind,
    /// It says who wrote the quote; nobody answers it.
    pub(super) attribution: bool,
}

/// What a mark says.
enum Mark {
    /// It and all in it is quoted.
    Quoted,
    /// It says who wrote the quote.
    Attribution,
    /// It and all behind it is quoted.
    QuotedFromHere,
    /// All behind it is quoted, it is not.
    QuotedBehind,
    /// What stands in it besides block quotes may be an answer between them.
    Container,
    /// A signature.
    Signature,
}

/// All regions, in the order of the page; where they overlap the first counts.
pub(super) fn regions(page: &Page) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    // The last block quote outside of all others, without any mark of a mail program.
    let mut bare: Option<Range<usize>> = None;
    let end = page.nodes().count();
    // Regions are asked for in order, so what the last one covers is known.
    let mut covered = 0;
    let nodes: Vec<NodeRef<'_>> = page.nodes().collect();
    let mut add = |nodes: Range<usize>, kind, attribution| {
        if !nodes.is_empty() {
            regions.push(Region {
                nodes,
                kind,
                attribution,
            });
        }
    };
    // Gmail's own marks were seen: a further block quote of its class is the mail's.
    let mut gmail = false;
    for node in &nodes {
        let range = node.range();
        let seen = gmail;
        gmail |= node.has_class("gmail_attr") || node.class().contains("gmail_quote");
        if range.start < covered {
            continue;
        }
        match mark(*node, &nodes, seen) {
            Some(Mark::Quoted) => {
                covered = range.end;
                add(range, Kind::Quoted, false);
            }
            Some(Mark::Attribution) => {
                covered = range.end;
                add(range, Kind::Quoted, true);
            }
            Some(Mark::QuotedFromHere) => {
                add(range.start..end, Kind::Quoted, false);
                break;
            }
            Some(Mark::QuotedBehind) => {
                add(range.end..end, Kind::Quoted, false);
                break;
            }
            Some(Mark::Container) => {
                covered = container(range, &nodes, &mut add);
            }
            Some(Mark::Signature) => {
                covered = range.end;
                add(range, Kind::Signature, false);
            }
            None if node.tag() == Tag::Quote
                && node.is_bare()
                && bare.as_ref().is_none_or(|b| b.end <= range.start)
                && !is_announced(range.start, &nodes) =>
            {
                bare = Some(range);
            }
            None => {}
        }
    }
    if let Some(nodes) = bare {
        let at = regions.partition_point(|r| r.nodes.start < nodes.start);
        let covers = |r: &Region| r.nodes.start < nodes.end && nodes.start < r.nodes.end;
        if !regions.iter().any(covers) {
            let kind = Kind::Quoted;
            let attribution = false;
            regions.insert(
                at,
                Region {
                    nodes,
                    kind,
                    attribution,
                },
            );
        }
    }
    regions
}

/// A container of attribution and quote. People answer between its block quotes; without any,
/// all of it is quoted. Returns what is covered.
fn container(
    range: Range<usize>,
    nodes: &[NodeRef<'_>],
    add: &mut impl FnMut(Range<usize>, Kind, bool),
) -> usize {
    let inner = nodes.get(range.clone()).unwrap_or_default();
    let first = inner.iter().position(|n| n.tag() == Tag::Quote);
    let attribution = inner.get(..first.unwrap_or(0)).unwrap_or_default();
    let words = attribution.iter().filter(|n| n.tag() == Tag::Text);
    let (mut length, mut forwarded) = (0, false);
    for text in words {
        length += text.words().trim().len();
        forwarded |= text.words().contains("-----");
    }
    let Some(first) = first
        .and_then(|at| inner.get(at))
        .filter(|_| length <= MAX_ATTRIBUTION_BYTES && !forwarded)
    else {
        add(range.clone(), Kind::Quoted, false);
        return range.end;
    };
    // The attribution and the first quote; the walk goes on behind it.
    let quote = first.range();
    add(range.start..quote.start, Kind::Quoted, true);
    add(quote.clone(), Kind::Quoted, false);
    quote.end
}

fn mark(node: NodeRef<'_>, nodes: &[NodeRef<'_>], gmail: bool) -> Option<Mark> {
    match node.tag() {
        Tag::Comment => {
            return node
                .words()
                .contains("originalmessage")
                .then_some(Mark::QuotedBehind);
        }
        Tag::Quote if !gmail && is_own_quote(node, nodes) => return None,
        Tag::Quote if node.cites() && !node.is_bare() => return Some(Mark::Quoted),
        Tag::Text | Tag::Break | Tag::Image | Tag::Hidden => return None,
        _ => {}
    }
    by_id(node.id())
        .or_else(|| by_name(node.name()))
        .or_else(|| by_class(node.class()))
        .or_else(|| by_style(node, nodes))
}

/// Gmail's button for quotes in one's own text makes `blockquote class=gmail_quote` as well, but
/// without an attribution before it, and not within a `div` of that class.
fn is_own_quote(node: NodeRef<'_>, nodes: &[NodeRef<'_>]) -> bool {
    if !node.has_class("gmail_quote") || node.kind() == "cite" {
        return false;
    }
    let at = node.range().start;
    let above = nodes.get(at.saturating_sub(40)..at).unwrap_or_default();
    let attributed = above.iter().rev().any(|n| match n.tag() {
        Tag::Text => n.words().trim_end().ends_with([':', '：']),
        _ => n.has_class("gmail_attr"),
    });
    !attributed
}

/// Whether the words before a bare block quote announce what the person itself quotes.
fn is_announced(at: usize, nodes: &[NodeRef<'_>]) -> bool {
    let above = nodes.get(at.saturating_sub(40)..at).unwrap_or_default();
    let mut words: Vec<&str> = Vec::new();
    for node in above.iter().rev() {
        match node.tag() {
            Tag::Text if !node.words().trim().is_empty() => words.push(node.words()),
            Tag::Text | Tag::Inline | Tag::Image => {}
            _ if words.is_empty() => {}
            _ => break,
        }
    }
    words.reverse();
    attribution::announces_own(&words.concat())
}

/// Outlook prefixes ids and classes with `x_` when it quotes a mail that has them.
fn own(name: &str) -> Option<&str> {
    (!name.is_empty() && !name.starts_with("x_")).then_some(name)
}

fn by_id(id: &str) -> Option<Mark> {
    let id = own(id)?;
    Some(match id {
        "divrplyfwdmsg" | "stopspelling" | "replysplit" | "originalmessage" => Mark::QuotedFromHere,
        "appendonsend" | "ms-outlook-mobile-body-separator-line" => Mark::QuotedBehind,
        "mail-editor-reference-message-container"
        | "isreplycontent"
        | "isforwardcontent"
        | "reply-intro"
        | "reply-quote"
        | "replybody"
        | "quoted-content"
        | "orgmsg"
        | "qt"
        | "hmquote"
        | "olk_src_body_section" => Mark::Quoted,
        "signature"
        | "applemailsignature"
        | "ms-outlook-mobile-signature"
        | "composer_signature"
        | "psignature"
        | "canarysig"
        | "edo-signature" => Mark::Signature,
        id if id.starts_with("yahoo_quoted")
            || id.starts_with("ydp") && id.contains("yahoo_quoted") =>
        {
            Mark::Quoted
        }
        id if id.starts_with("cm_replymail_content") => Mark::Quoted,
        id if id.contains("outlook-mobile-signature") => Mark::Signature,
        _ => return None,
    })
}

fn by_name(name: &str) -> Option<Mark> {
    Some(match own(name)? {
        // GMX, web.de; Spark.
        "quote" | "quoted-content" | "messagereplysection" => Mark::Quoted,
        "messagesignaturesection" => Mark::Signature,
        _ => return None,
    })
}

fn by_class(classes: &str) -> Option<Mark> {
    classes.split_ascii_whitespace().find_map(|class| {
        Some(match own(class)? {
            "gmail_quote"
            | "gmail_quote_container"
            | "protonmail_quote"
            | "tutanota_quote"
            | "sh-quoted-content" => Mark::Container,
            "gmail_attr" | "moz-cite-prefix" => Mark::Attribution,
            "moz-forward-container"
            | "moz-email-headers-table"
            | "yahoo_quoted"
            | "zmail_extra"
            | "zmail_extra_hr"
            | "freshdesk_quote"
            | "front-blockquote"
            | "hs_reply"
            | "hs-reply"
            | "intercom-reply"
            | "gorgias_quote"
            | "missive_quote"
            | "cm_quote"
            | "quotedtext"
            | "quoted-text"
            | "mailquote"
            | "mail_quote"
            | "js-helper-quote"
            | "aolmail_replied_body"
            | "aolreplacedbody"
            | "hmmessage_quote"
            | "wisestamp_quote"
            | "__pbconvhr"
            | "__pbconvbody"
            | "replyforwardheader"
            | "mailspring-quote"
            | "nylas-quote"
            | "polymail_quote"
            | "canary_quote" => Mark::Quoted,
            "outlookmessageheader" | "ms-outlook-mobile-reference-message" => Mark::QuotedFromHere,
            "gmail_signature"
            | "gmail_signature_prefix"
            | "moz-signature"
            | "protonmail_signature_block"
            | "tutanota_signature"
            | "bloop_sign"
            | "cm_signature"
            | "sh-signature"
            | "zimbra_signature"
            | "front-signature"
            | "hs_signature"
            | "mailspring-signature"
            | "nylas-signature" => Mark::Signature,
            _ => return None,
        })
    })
}

/// Outlook draws a line above the header of the mail that is answered: a `div` with nothing but
/// a border at its top, with fields in it.
fn by_style(node: NodeRef<'_>, nodes: &[NodeRef<'_>]) -> Option<Mark> {
    let style = node.style();
    if !style.contains("border-top:") && !style.contains("border-width:1pt") {
        return None;
    }
    let line_above = style.contains("border:none") && !style.contains("border-top:none")
        || style.contains("border-width:1ptmediummedium");
    (line_above && holds_fields(node, nodes)).then_some(Mark::QuotedFromHere)
}

/// Two names with a colon, and an address or digits: a header, in whatever language.
fn holds_fields(node: NodeRef<'_>, nodes: &[NodeRef<'_>]) -> bool {
    let (mut colons, mut digits) = (0, false);
    let mut chars = 0;
    let inside = nodes.get(node.range()).unwrap_or_default();
    for text in inside.iter().take(MAX_HEADER_NODES) {
        if text.tag() != Tag::Text {
            continue;
        }
        let words = text.words();
        chars += words.len();
        colons += words.matches([':', '：']).count();
        digits |= words.contains('@') || words.contains(|c: char| c.is_ascii_digit());
        if chars > 3000 {
            break;
        }
    }
    colons >= 2 && digits
}

#[cfg(test)]
mod tests;
