//! From HTML source to nodes.

use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

use super::{
    Attributes, MAX_ATTRIBUTE_BYTES, MAX_DEPTH, MAX_HTML_BYTES, MAX_NODES, Node, Page, Tag,
};
use crate::mime::text;

/// Open elements among which an end tag looks for its own.
const MAX_LOOK: usize = 64;
/// Longer comments are not looked at.
const MAX_COMMENT_BYTES: usize = 60;

pub(super) fn page(html: &str) -> Page {
    let source = text::prefix(html, MAX_HTML_BYTES);
    let mut builder = Builder::default();
    builder.page.cut = source.len() < html.len();
    let mut emitter = CallbackEmitter::new(
        |event: CallbackEvent<'_>, _: Span<()>| -> Option<Infallible> {
            builder.take(event);
            None
        },
    );
    emitter.naively_switch_states(true);
    // The emitter yields nothing, so the first look runs to the end of the source.
    let none = Tokenizer::new_with_emitter(source, emitter)
        .next()
        .is_none();
    debug_assert!(none);
    builder.finish();
    builder.page
}

#[derive(Default)]
struct Builder {
    page: Page,
    /// Positions of the open elements, the innermost last.
    open: Vec<usize>,
    /// Elements inside the deepest one that were not kept.
    ignored: usize,
    /// The start tag at hand.
    tag: Option<(Tag, u64)>,
    attributes: Attributes,
    attribute: Attribute,
}

/// Which attribute's value comes next.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Attribute {
    #[default]
    Other,
    Id,
    Class,
    Style,
    Kind,
    Name,
    Label,
}

fn key(name: &[u8]) -> u64 {
    name.iter()
        .take(8)
        .fold(0, |key, byte| key << 8 | u64::from(*byte))
}

fn tag_of(name: &[u8]) -> Tag {
    match name {
        b"br" => Tag::Break,
        b"hr" => Tag::Rule,
        b"img" => Tag::Image,
        b"script" | b"style" | b"title" | b"template" | b"noframes" | b"iframe" | b"object"
        | b"svg" | b"select" | b"datalist" | b"audio" | b"video" | b"canvas" | b"map" => {
            Tag::Hidden
        }
        b"p" => Tag::Paragraph,
        b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" => Tag::Heading,
        b"blockquote" => Tag::Quote,
        b"pre" | b"xmp" | b"listing" | b"textarea" => Tag::Pre,
        b"tr" => Tag::Row,
        b"td" | b"th" => Tag::Cell,
        b"ul" | b"menu" | b"dir" => Tag::List,
        b"ol" => Tag::Numbered,
        b"li" => Tag::Item,
        b"div" | b"table" | b"tbody" | b"thead" | b"tfoot" | b"caption" | b"section"
        | b"article" | b"header" | b"footer" | b"main" | b"aside" | b"nav" | b"address"
        | b"center" | b"dl" | b"dt" | b"dd" | b"fieldset" | b"figure" | b"figcaption" | b"form"
        | b"details" | b"summary" | b"legend" => Tag::Block,
        _ => Tag::Inline,
    }
}

fn is_void(name: &[u8]) -> bool {
    matches!(
        name,
        b"br"
            | b"hr"
            | b"img"
            | b"meta"
            | b"link"
            | b"input"
            | b"base"
            | b"col"
            | b"area"
            | b"wbr"
            | b"embed"
            | b"param"
            | b"source"
            | b"track"
    )
}

/// Elements that are as if they were not there: they wrap everything, and may come twice.
fn is_frame(name: &[u8]) -> bool {
    matches!(name, b"html" | b"head" | b"body")
}

fn is_block(tag: Tag) -> bool {
    matches!(
        tag,
        Tag::Paragraph
            | Tag::Heading
            | Tag::Quote
            | Tag::Pre
            | Tag::Row
            | Tag::Cell
            | Tag::List
            | Tag::Numbered
            | Tag::Item
            | Tag::Block
            | Tag::Rule
    )
}

impl Builder {
    fn take(&mut self, event: CallbackEvent<'_>) {
        match event {
            CallbackEvent::OpenStartTag { name } => self.start(name),
            CallbackEvent::AttributeName { name } => {
                if name == b"cite" {
                    self.attributes.cite = true;
                }
                self.attribute = match name {
                    b"id" => Attribute::Id,
                    b"class" => Attribute::Class,
                    b"style" => Attribute::Style,
                    b"type" => Attribute::Kind,
                    b"name" => Attribute::Name,
                    b"alt" => Attribute::Label,
                    _ => Attribute::Other,
                };
            }
            CallbackEvent::AttributeValue { value } => self.attribute_value(value),
            CallbackEvent::CloseStartTag { .. } => self.end_of_start(),
            CallbackEvent::EndTag { name } => {
                self.end_of_start();
                self.end(name);
            }
            CallbackEvent::String { value } => {
                let words = String::from_utf8_lossy(value);
                self.leaf(Tag::Text, &words);
            }
            CallbackEvent::Comment { value } if value.len() <= MAX_COMMENT_BYTES => {
                let words = String::from_utf8_lossy(value).to_lowercase();
                self.leaf(Tag::Comment, &words);
            }
            _ => {}
        }
    }

    fn start(&mut self, name: &[u8]) {
        self.end_of_start();
        if is_frame(name) {
            return;
        }
        let tag = tag_of(name);
        self.close_implied(tag, name);
        self.tag = Some((tag, if is_void(name) { 0 } else { key(name) }));
    }

    /// A paragraph ends before a block, an item before an item, a cell before a cell.
    fn close_implied(&mut self, tag: Tag, name: &[u8]) {
        let Some(inner) = self.open.last().and_then(|at| self.page.nodes.get(*at)) else {
            return;
        };
        let ends = match tag {
            Tag::Item => inner.tag == Tag::Item || inner.tag == Tag::Paragraph,
            Tag::Cell => inner.tag == Tag::Cell,
            Tag::Row => matches!(inner.tag, Tag::Row | Tag::Cell),
            tag if is_block(tag) => inner.tag == Tag::Paragraph,
            _ => false,
        } || inner.name == key(name) && matches!(name, b"dt" | b"dd" | b"option");
        if ends && self.ignored == 0 {
            let inner_tag = inner.tag;
            self.pop();
            // `<tr><td>…<tr>` ends two.
            if tag == Tag::Row && inner_tag == Tag::Cell {
                self.close_implied(tag, name);
            }
        }
    }

    fn attribute_value(&mut self, value: &[u8]) {
        if self.attribute == Attribute::Other || self.page.nodes.len() >= MAX_NODES {
            return;
        }
        let value = value.get(..MAX_ATTRIBUTE_BYTES).unwrap_or(value);
        let from = self.page.values.len();
        for c in String::from_utf8_lossy(value).chars() {
            match self.attribute {
                Attribute::Label => self.page.values.push(c),
                Attribute::Style if c.is_whitespace() => {}
                _ => self.page.values.push(c.to_ascii_lowercase()),
            }
        }
        let range = (position(from), position(self.page.values.len()));
        let attributes = &mut self.attributes;
        let place = match self.attribute {
            Attribute::Id => &mut attributes.id,
            Attribute::Class => &mut attributes.class,
            Attribute::Style => &mut attributes.style,
            Attribute::Kind => &mut attributes.kind,
            Attribute::Name => &mut attributes.name,
            Attribute::Label => &mut attributes.label,
            Attribute::Other => return,
        };
        // Of a doubled attribute the first counts.
        if *place == (0, 0) {
            *place = range;
        }
        self.attribute = Attribute::Other;
    }

    fn end_of_start(&mut self) {
        let attributes = std::mem::take(&mut self.attributes);
        self.attribute = Attribute::Other;
        let Some((tag, name)) = self.tag.take() else {
            return;
        };
        if self.page.nodes.len() >= MAX_NODES {
            self.page.cut = true;
            return;
        }
        if name != 0 && self.open.len() >= MAX_DEPTH {
            self.ignored += 1;
            self.page.cut = true;
            return;
        }
        let style = self.page.value(attributes.style);
        let hidden = style.contains("display:none") || style.contains("mso-hide:all");
        let at = self.page.nodes.len();
        let used = attributes.cite
            || [
                attributes.id,
                attributes.class,
                attributes.style,
                attributes.kind,
                attributes.name,
                attributes.label,
            ]
            .iter()
            .any(|r| r.0 != r.1);
        let place = self.page.attributes.len();
        if used {
            self.page.attributes.push(attributes);
        }
        self.page.nodes.push(Node {
            tag: if hidden { Tag::Hidden } else { tag },
            name,
            end: position(at + 1),
            words: (0, 0),
            attributes: if used { position(place) } else { u32::MAX },
        });
        if name != 0 {
            self.open.push(at);
        }
    }

    fn end(&mut self, name: &[u8]) {
        if is_frame(name) {
            return;
        }
        // Browsers take `</br>` for `<br>` and `</p>` without its start for an empty paragraph.
        if name == b"br" {
            self.tag = Some((Tag::Break, 0));
            self.end_of_start();
            return;
        }
        if self.ignored > 0 {
            self.ignored -= 1;
            return;
        }
        let key = key(name);
        let nearest = self
            .open
            .iter()
            .rev()
            .take(MAX_LOOK)
            .position(|at| self.page.nodes.get(*at).is_some_and(|n| n.name == key));
        for _ in 0..nearest.map_or(0, |n| n + 1) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        let end = position(self.page.nodes.len());
        if let Some(at) = self.open.pop()
            && let Some(node) = self.page.nodes.get_mut(at)
        {
            node.end = end;
        }
    }

    fn leaf(&mut self, tag: Tag, words: &str) {
        let from = self.page.words.len();
        self.page.words.push_str(words);
        let range = (position(from), position(self.page.words.len()));
        if self.page.nodes.len() >= MAX_NODES {
            self.page.cut = true;
            // The words go on in the last node, which is then a text.
            if let Some(last) = self.page.nodes.last_mut()
                && last.tag == Tag::Text
                && tag == Tag::Text
            {
                last.words.1 = range.1;
                return;
            }
            if self.page.nodes.len() > MAX_NODES {
                return;
            }
        }
        let at = self.page.nodes.len();
        self.page.nodes.push(Node {
            tag,
            name: 0,
            end: position(at + 1),
            words: range,
            attributes: u32::MAX,
        });
    }

    fn finish(&mut self) {
        self.end_of_start();
        while !self.open.is_empty() {
            self.pop();
        }
    }
}

/// A position in texts of a few MiB at most.
fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
