//! HTML to readable text: html2text behind a guard, because it walks deep trees recursively and
//! html5ever's repair of unclosed tags grows faster than its input.

use std::panic::{AssertUnwindSafe, catch_unwind};

use html2text::render::TextDecorator;
use mail_parser::decoders::html::html_to_text;

/// Wide enough that html2text breaks no line of prose: an attribution line stays one line.
const WIDTH: usize = 2000;
/// What html2text gets to see; larger mails go through the linear converter.
const MAX_PRETTY_BYTES: usize = 512 * 1024;
/// Open tags at one time, nested tables, and tags in all, above which it does not.
const MAX_OPEN: usize = 200;
const MAX_OPEN_TABLES: usize = 12;
const MAX_TAGS: usize = 40_000;

/// Text of an HTML body, and what was odd. Quotes (`blockquote`) start with `> `.
pub(super) fn to_text(html: &str) -> (String, Option<&'static str>) {
    if html.len() <= MAX_PRETTY_BYTES && is_tame(html) {
        let pretty = catch_unwind(AssertUnwindSafe(|| {
            html2text::config::with_decorator(Readable)
                .raw_mode(true)
                .no_table_borders()
                .no_link_wrapping()
                .allow_width_overflow()
                .string_from_read(html.as_bytes(), WIDTH)
        }));
        if let Ok(Ok(text)) = pretty {
            return (super::text::tidy(&text), None);
        }
    }
    (
        super::text::tidy(&html_to_text(html)),
        Some("html_not_rendered"),
    )
}

/// Whether the tags are few and shallow enough for a recursive renderer.
fn is_tame(html: &str) -> bool {
    let (mut open, mut tables, mut tags) = (0_usize, 0_usize, 0_usize);
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (_, tag) = rest.split_at(at + 1);
        rest = tag;
        let (closing, tag) = match tag.strip_prefix('/') {
            Some(tag) => (true, tag),
            None => (false, tag),
        };
        let name_end = tag
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(tag.len());
        let name = tag.get(..name_end).unwrap_or_default();
        if name.is_empty() || name.len() > 16 {
            continue;
        }
        let name = name.to_ascii_lowercase();
        // Void tags, and tags that their like closes.
        if matches!(
            name.as_str(),
            "br" | "hr"
                | "img"
                | "meta"
                | "link"
                | "input"
                | "base"
                | "col"
                | "area"
                | "wbr"
                | "embed"
                | "param"
                | "source"
                | "p"
                | "li"
                | "td"
                | "tr"
                | "th"
                | "dt"
                | "dd"
                | "option"
                | "tbody"
                | "thead"
                | "tfoot"
                | "html"
                | "body"
                | "head"
        ) {
            tags += 1;
        } else if closing {
            open = open.saturating_sub(1);
            if name == "table" {
                tables = tables.saturating_sub(1);
            }
        } else {
            open += 1;
            tags += 1;
            if name == "table" {
                tables += 1;
            }
        }
        if open > MAX_OPEN || tables > MAX_OPEN_TABLES || tags > MAX_TAGS {
            return false;
        }
    }
    true
}

/// No marks for links, emphasis and headings: only what a person would have typed.
#[derive(Clone, Debug)]
struct Readable;

impl TextDecorator for Readable {
    type Annotation = ();

    fn decorate_link_start(&mut self, _url: &str) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_link_end(&mut self) -> String {
        String::new()
    }
    fn decorate_em_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_em_end(&self) -> String {
        String::new()
    }
    fn decorate_strong_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_strong_end(&self) -> String {
        String::new()
    }
    fn decorate_strikeout_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_strikeout_end(&self) -> String {
        String::new()
    }
    fn decorate_code_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_code_end(&self) -> String {
        String::new()
    }
    fn decorate_preformat_first(&self) {}
    fn decorate_preformat_cont(&self) {}
    fn decorate_image(&mut self, _src: &str, title: &str) -> (String, ()) {
        let shown = if title.is_empty() {
            String::new()
        } else {
            format!("[{title}]")
        };
        (shown, ())
    }
    fn header_prefix(&self, _level: usize) -> String {
        String::new()
    }
    fn quote_prefix(&self) -> String {
        "> ".to_owned()
    }
    fn unordered_item_prefix(&self) -> String {
        "* ".to_owned()
    }
    fn ordered_item_prefix(&self, i: i64) -> String {
        format!("{i}. ")
    }
    fn make_subblock_decorator(&self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_what_a_person_would_read() {
        let (text, odd) = to_text(
            "<html><head><style>p {color: red}</style><title>No</title></head><body>\
             <h1>Hello</h1><p>I'd <b>love</b> a <a href=\"https://x.example\">viewing</a>,\
             &nbsp;thanks &amp; bye</p><ul><li>one<li>two</ul>\
             <table><tr><td>a</td><td>b</td></tr></table>\
             <script>alert(1)</script>\
             <blockquote>On sale<br>now</blockquote></body></html>",
        );
        assert_eq!(odd, None);
        assert!(!text.contains("color") && !text.contains("alert"), "{text}");
        assert!(text.contains("I'd love a viewing, thanks & bye"), "{text}");
        assert!(text.contains("> On sale\n> now"), "{text}");
        assert!(text.contains("* one\n* two"), "{text}");
    }

    #[test]
    fn long_lines_stay_whole() {
        let long = "word ".repeat(100);
        let (text, _) = to_text(&format!("<p>{long}</p>"));
        assert_eq!(text.trim(), long.trim());
    }

    #[test]
    fn hostile_html_takes_the_linear_way_and_keeps_its_text() {
        for (what, html) in [
            ("deep", "<div>".repeat(50_000) + "hello"),
            (
                "formatting",
                "<b><i><u>".repeat(3000) + "hello" + &"<p>".repeat(3000),
            ),
            ("tables", "<table><tr><td>".repeat(3000) + "hello"),
            ("many", "<span>x</span>".repeat(60_000) + "hello"),
            ("large", "x ".repeat(400_000) + "hello"),
            ("brackets", "<".repeat(500_000) + ">hello"),
        ] {
            let (text, odd) = to_text(&html);
            if what != "brackets" {
                assert_eq!(odd, Some("html_not_rendered"), "{what}");
            }
            assert!(text.contains("hello"), "{what}");
        }
    }
}
