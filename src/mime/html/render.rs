//! From nodes to lines of text, as a person would read them.

use super::{NodeRef, Page, Tag};
use crate::mime::text;

/// Marks at the start of a line that are written; deeper quotes are not told apart.
const MAX_QUOTE_DEPTH: usize = 20;
/// What stands for `hr`.
const RULE: &str = "--------";

/// A line of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageLine {
    /// Its words, without quote marks.
    pub text: String,
    /// Position of the node with its first word; of an empty line, of the node that made it.
    pub node: usize,
    /// How many citing block quotes it is inside of.
    pub depth: usize,
}

/// An element that is open while the nodes are walked.
struct Open {
    end: usize,
    tag: Tag,
    /// The number of the next item, in a numbered list.
    number: usize,
    /// A blank line stands behind it.
    gap: bool,
}

#[derive(Default)]
struct Writer {
    lines: Vec<PageLine>,
    line: PageLine,
    /// The line at hand has begun: it has words.
    begun: bool,
    /// A blank stands before the next word.
    blank: bool,
    /// An empty line stands before the next line.
    gap: bool,
    depth: usize,
    pre: usize,
    /// What stands before the first word of an item.
    bullet: String,
}

impl Writer {
    fn put(&mut self, node: usize, words: &str) {
        for c in words.chars() {
            if self.pre > 0 && c == '\n' {
                self.new_line(node);
            } else if c == '\u{ad}' || c == '\u{200b}' || c == '\u{feff}' {
                // Never seen.
            } else if self.pre == 0 && c.is_ascii_whitespace() || self.pre > 0 && c == '\r' {
                self.blank = true;
            } else {
                self.begin(node);
                if self.blank && !self.line.text.is_empty() && !self.line.text.ends_with(' ') {
                    self.line.text.push(' ');
                }
                self.blank = false;
                self.line.text.push(if c == '\u{a0}' { ' ' } else { c });
            }
        }
    }

    fn begin(&mut self, node: usize) {
        if self.begun {
            return;
        }
        if self.gap {
            let empty = self.lines.last().is_none_or(|l| l.text.is_empty());
            if !empty {
                let above = self.lines.last().map_or(0, |l| l.depth);
                self.lines.push(PageLine {
                    node,
                    depth: self.depth.min(above),
                    ..PageLine::default()
                });
            }
            self.gap = false;
        }
        self.begun = true;
        self.blank = false;
        self.line.node = node;
        self.line.depth = self.depth;
        self.line.text.push_str(&std::mem::take(&mut self.bullet));
    }

    /// Ends the line, also an empty one.
    fn new_line(&mut self, node: usize) {
        if !self.begun {
            self.line.node = node;
            self.line.depth = self.depth;
        }
        self.begun = false;
        self.blank = false;
        self.lines.push(std::mem::take(&mut self.line));
    }

    /// A block starts or ends here.
    fn boundary(&mut self, node: usize, gap: bool) {
        if self.begun {
            self.new_line(node);
        }
        self.blank = false;
        self.gap |= gap;
    }
}

pub(super) fn lines(page: &Page) -> Vec<PageLine> {
    let mut writer = Writer::default();
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while at < page.nodes.len() {
        while open.last().is_some_and(|o| o.end <= at) {
            if let Some(closed) = open.pop() {
                leave(&mut writer, &closed, at);
            }
        }
        let node = NodeRef { page, at };
        let range = node.range();
        match node.tag() {
            Tag::Text => writer.put(at, node.words()),
            Tag::Break => writer.new_line(at),
            Tag::Rule => {
                writer.boundary(at, false);
                writer.put(at, RULE);
                writer.boundary(at, false);
            }
            Tag::Image => writer.put(at, &shown(node.label())),
            Tag::Comment => {}
            Tag::Hidden => {
                // Nothing of it.
                at = range.end.max(at + 1);
                continue;
            }
            tag => {
                enter(&mut writer, node, open.last_mut());
                open.push(Open {
                    end: range.end,
                    tag: if tag == Tag::Quote && !node.cites() {
                        Tag::Block
                    } else {
                        tag
                    },
                    number: 1,
                    gap: match tag {
                        Tag::Paragraph => has_margin(node),
                        Tag::Heading | Tag::Pre | Tag::Quote => true,
                        _ => false,
                    },
                });
            }
        }
        at += 1;
    }
    while let Some(closed) = open.pop() {
        leave(&mut writer, &closed, at);
    }
    writer.boundary(at, false);
    writer.lines
}

/// What stands for an image: its text, if it has words, or is an emoji.
fn shown(label: &str) -> String {
    let label = label.trim();
    match label.chars().next() {
        Some(first) if label.chars().count() <= 4 && !first.is_ascii() => label.to_owned(),
        Some(_) => format!("[{label}]"),
        None => String::new(),
    }
}

/// Programs write each line as a paragraph without a margin.
fn has_margin(node: NodeRef<'_>) -> bool {
    let style = node.style();
    !(node.class().contains("mso")
        || style.contains("margin:0") && !style.contains("margin:0000")
        || style.contains("margin-top:0") && style.contains("margin-bottom:0"))
}

fn enter(writer: &mut Writer, node: NodeRef<'_>, parent: Option<&mut Open>) {
    let at = node.at;
    match node.tag() {
        Tag::Paragraph => writer.boundary(at, has_margin(node) && writer.bullet.is_empty()),
        Tag::Heading => writer.boundary(at, true),
        Tag::Pre => {
            writer.boundary(at, true);
            writer.pre += 1;
        }
        Tag::Quote => {
            writer.boundary(at, true);
            writer.depth += usize::from(node.cites());
        }
        Tag::Block | Tag::Row | Tag::List | Tag::Numbered => writer.boundary(at, false),
        // Cells of a row stand beside each other.
        Tag::Cell => writer.blank = true,
        Tag::Item => {
            writer.boundary(at, false);
            writer.bullet = match parent {
                Some(list) if list.tag == Tag::Numbered => {
                    let number = list.number;
                    list.number += 1;
                    format!("{number}. ")
                }
                _ => "* ".to_owned(),
            };
        }
        _ => {}
    }
}

fn leave(writer: &mut Writer, closed: &Open, at: usize) {
    match closed.tag {
        Tag::Pre => writer.pre = writer.pre.saturating_sub(1),
        Tag::Cell => writer.blank = true,
        Tag::Item => writer.bullet.clear(),
        _ => {}
    }
    if !matches!(closed.tag, Tag::Cell | Tag::Inline) {
        writer.boundary(at, closed.gap);
    }
    if closed.tag == Tag::Quote {
        writer.depth = writer.depth.saturating_sub(1);
    }
}

pub(super) fn text(page: &Page) -> String {
    let mut all = String::with_capacity(page.words.len());
    for line in lines(page) {
        for _ in 0..line.depth.min(MAX_QUOTE_DEPTH) {
            all.push_str("> ");
        }
        all.push_str(&line.text);
        all.push('\n');
    }
    text::tidy(&all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(html: &str) -> String {
        Page::read(html).text()
    }

    #[test]
    fn html_becomes_what_a_person_would_read() {
        let text = text_of(
            "<html><head><style>p {color: red}</style><title>No</title></head><body>\
             <h1>Hello</h1><p>I'd <b>love</b> a <a href=\"https://x.example\">viewing</a>,\
             &nbsp;thanks &amp; bye</p><ul><li>one<li>two</ul>\
             <table><tr><td>a</td><td>b</td></tr></table>\
             <script>alert(1)</script><div style=\"DISPLAY: none\">hidden</div>\
             <blockquote type=cite>On sale<br>now</blockquote></body></html>",
        );
        assert_eq!(
            text,
            "Hello\n\nI'd love a viewing, thanks & bye\n\n* one\n* two\na b\n\n> On sale\n> now"
        );
    }

    #[test]
    fn blank_lines_are_where_a_browser_shows_them() {
        for (html, text) in [
            ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
            ("<div>a<br></div><div>b</div>", "a\nb"),
            ("<p>a</p><p>b</p>", "a\n\nb"),
            (
                "<p class=MsoNormal>a<o:p></o:p></p><p class=MsoNormal>b</p>",
                "a\nb",
            ),
            ("a<br>\n<br>\nb", "a\n\nb"),
            ("a\n b<span> c</span> <i>d</i>", "a b c d"),
            ("<pre>a\n  b\n</pre>c", "a\n  b\n\nc"),
            ("a<hr>b", "a\n--------\nb"),
            ("<ol><li>a</li><li><p>b</p></li></ol>", "1. a\n2. b"),
            (
                "<img alt=\"\u{1f600}\"> <img alt=Logo> <img>",
                "\u{1f600} [Logo]",
            ),
            ("<tr><td>a<td>b<tr><td>c", "a b\nc"),
        ] {
            assert_eq!(text_of(html), text, "{html}");
        }
    }

    #[test]
    fn an_indented_block_quote_is_no_citation() {
        let html =
            "a<blockquote style=\"margin:0 0 0 40px;border:none;padding:0px\">b</blockquote>c";
        assert_eq!(text_of(html), "a\n\nb\n\nc");
        let html = "a<blockquote style=\"border-left:1px solid\">b</blockquote>";
        assert_eq!(text_of(html), "a\n\n> b");
    }

    #[test]
    fn long_lines_stay_whole() {
        let long = "word ".repeat(1000);
        assert_eq!(text_of(&format!("<p>{long}</p>")), long.trim());
    }

    #[test]
    fn broken_html_keeps_its_words() {
        for html in [
            "</p></div>hello</b>",
            "<div <b>hello",
            "<a href=\"x>y\">hello",
            "<p>hello<",
            "hello<!-- x",
            "<![endif]-->hello",
            "<!DOCTYPE x><html><html><body><body>hello</body>",
            "<table><div>hello</table>",
            "&#104;&#x65;llo",
        ] {
            assert!(text_of(html).contains("hello"), "{html}: {}", text_of(html));
        }
    }

    #[test]
    fn hostile_html_keeps_its_words() {
        for (what, html) in [
            ("deep", "<div>".repeat(300_000) + "hello"),
            ("quotes", "<blockquote type=cite>".repeat(50_000) + "hello"),
            (
                "formatting",
                "<b><i><u>".repeat(30_000) + "hello" + &"<p>".repeat(30_000),
            ),
            ("tables", "<table><tr><td>".repeat(30_000) + "hello"),
            ("many", "<span>x</span>".repeat(120_000) + "hello"),
            ("ends", "</x>".repeat(400_000) + "hello"),
            ("attributes", format!("<p {}>hello", "a=1 ".repeat(400_000))),
            ("large", "x ".repeat(400_000) + "hello"),
            ("entities", "&amp;".repeat(300_000) + "hello"),
        ] {
            assert!(text_of(&html).contains("hello"), "{what}");
        }
        assert_eq!(text_of(&("<".repeat(500_000) + ">x")).len(), 500_002);
    }
}
