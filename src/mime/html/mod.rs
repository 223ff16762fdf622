//! HTML of a mail as a flat list of nodes, and its readable text. Linear in its size, without
//! recursion, bounded.
//!
//! html5gum splits the source by the rules of browsers (entities, comments, raw text, broken
//! attributes). What is built of it here is not the DOM of a browser: no node is moved, and an
//! end tag closes the nearest open element of its name. Mail needs no more, and trees of hostile
//! depth cost nothing.

mod build;
mod render;

use std::ops::Range;

pub use render::PageLine;

/// What is read of one HTML body.
pub(super) const MAX_HTML_BYTES: usize = 2 * super::MAX_TEXT_BYTES;
/// Elements and texts that are kept; behind them tags are ignored and words are kept.
const MAX_NODES: usize = 200_000;
/// Levels that are kept; deeper elements are as if their tags were not there.
const MAX_DEPTH: usize = 256;
/// Bytes of one attribute that are kept.
const MAX_ATTRIBUTE_BYTES: usize = 1000;

/// What an element is to the reading of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Words.
    Text,
    /// `br`.
    Break,
    /// `hr`.
    Rule,
    /// `img`.
    Image,
    /// What is never shown: head, script, style, and what is hidden by its style.
    Hidden,
    /// `p`, with a blank line around it.
    Paragraph,
    /// A heading.
    Heading,
    /// Any other block.
    Block,
    /// `blockquote`.
    Quote,
    /// `pre`.
    Pre,
    /// `tr`.
    Row,
    /// `td` and `th`.
    Cell,
    /// `ul`.
    List,
    /// `ol`.
    Numbered,
    /// `li`.
    Item,
    /// Any other element.
    Inline,
    /// A comment.
    Comment,
}

/// A node; its descendants are those that follow it, up to `end`.
#[derive(Clone, Debug)]
struct Node {
    tag: Tag,
    /// The first eight bytes of its name.
    name: u64,
    /// The position behind its last descendant.
    end: u32,
    /// In [`Page::words`], for texts and comments.
    words: (u32, u32),
    /// In [`Page::attributes`]; `u32::MAX` for none.
    attributes: u32,
}

/// The attributes by which mail programs mark what is quoted, in lower case.
#[derive(Clone, Copy, Debug, Default)]
struct Attributes {
    id: (u32, u32),
    class: (u32, u32),
    style: (u32, u32),
    kind: (u32, u32),
    name: (u32, u32),
    /// `alt`, as written.
    label: (u32, u32),
    /// `cite` is there.
    cite: bool,
}

/// An HTML body, read.
#[derive(Clone, Debug, Default)]
pub struct Page {
    nodes: Vec<Node>,
    words: String,
    attributes: Vec<Attributes>,
    values: String,
    /// It was too large or too wild to be kept whole.
    pub(super) cut: bool,
}

/// A node of a [`Page`].
#[derive(Clone, Copy, Debug)]
pub struct NodeRef<'p> {
    page: &'p Page,
    at: usize,
}

impl Page {
    /// Reads an HTML body, at most 2 MiB of it. Never panics, never fails.
    #[must_use]
    pub fn read(html: &str) -> Self {
        build::page(html)
    }

    /// All nodes in the order of the source.
    pub fn nodes(&self) -> impl Iterator<Item = NodeRef<'_>> {
        (0..self.nodes.len()).map(|at| NodeRef { page: self, at })
    }

    /// The readable text; quotes start with `> `.
    #[must_use]
    pub fn text(&self) -> String {
        render::text(self)
    }

    /// The lines of the readable text, without quote marks.
    #[must_use]
    pub fn lines(&self) -> Vec<PageLine> {
        render::lines(self)
    }

    fn value(&self, (from, to): (u32, u32)) -> &str {
        slice(&self.values, from, to)
    }
}

fn slice(text: &str, from: u32, to: u32) -> &str {
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    range
        .and_then(|(from, to)| text.get(from..to))
        .unwrap_or_default()
}

impl<'p> NodeRef<'p> {
    fn node(self) -> Option<&'p Node> {
        self.page.nodes.get(self.at)
    }

    fn attributes(self) -> Option<&'p Attributes> {
        let at = usize::try_from(self.node()?.attributes).ok()?;
        self.page.attributes.get(at)
    }

    /// What it is.
    #[must_use]
    pub fn tag(self) -> Tag {
        self.node().map_or(Tag::Hidden, |n| n.tag)
    }

    /// Its position, and those of its descendants behind it.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        let end = self.node().and_then(|n| usize::try_from(n.end).ok());
        self.at..end.unwrap_or(self.at + 1)
    }

    /// Its own words, of a text or a comment.
    #[must_use]
    pub fn words(self) -> &'p str {
        self.node()
            .map_or("", |n| slice(&self.page.words, n.words.0, n.words.1))
    }

    /// The attribute `id`, in lower case.
    #[must_use]
    pub fn id(self) -> &'p str {
        self.attributes().map_or("", |a| self.page.value(a.id))
    }

    /// The attribute `class`, in lower case.
    #[must_use]
    pub fn class(self) -> &'p str {
        self.attributes().map_or("", |a| self.page.value(a.class))
    }

    /// The attribute `style`, in lower case and without white space.
    #[must_use]
    pub fn style(self) -> &'p str {
        self.attributes().map_or("", |a| self.page.value(a.style))
    }

    /// The attribute `type`, in lower case.
    #[must_use]
    pub fn kind(self) -> &'p str {
        self.attributes().map_or("", |a| self.page.value(a.kind))
    }

    /// The attribute `name`, in lower case.
    #[must_use]
    pub fn name(self) -> &'p str {
        self.attributes().map_or("", |a| self.page.value(a.name))
    }

    /// The attribute `alt`, as written.
    #[must_use]
    pub fn label(self) -> &'p str {
        self.attributes().map_or("", |a| self.page.value(a.label))
    }

    /// Whether a class of this name is among its classes.
    #[must_use]
    pub fn has_class(self, name: &str) -> bool {
        self.class().split_ascii_whitespace().any(|c| c == name)
    }

    /// Whether it has none of the attributes by which it could be told.
    #[must_use]
    pub fn is_bare(self) -> bool {
        self.attributes().is_none()
    }

    /// Whether a block quote cites: mail programs give it a type, an address, a class or a bar at
    /// its left. With another style it is an indented paragraph.
    #[must_use]
    pub fn cites(self) -> bool {
        let Some(a) = self.attributes() else {
            return true;
        };
        let style = self.style();
        a.cite
            || self.kind() == "cite"
            || self.class().contains("quote")
            || self.class().contains("cite")
            || style.contains("border-left") && !style.contains("border-left:none")
    }
}
