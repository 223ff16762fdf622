//! A mail's HTML, for a frame that can do nothing: cleaned by ammonia, without scripts, forms and
//! remote content, and under a policy of its own that forbids them once more.

use std::collections::HashSet;
use std::io::Read as _;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use minijinja::context;

use super::super::access::PageViewer;
use super::super::error::ApiError;
use super::super::state::Shared;
use super::render::{Problem, page};
use crate::mime;
use crate::model::MessageRowId;

/// Bytes of a mail that are looked at.
const MAX_RAW: u64 = 32 * 1024 * 1024;
/// Bytes of HTML that are cleaned.
const MAX_HTML: usize = 2 * 1024 * 1024;
/// `sandbox`: no script, no form, an origin of its own, even where the mail is opened alone.
const CSP: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'self'; \
    sandbox allow-popups allow-popups-to-escape-sandbox";
/// What a style may set: nothing that loads, moves over other things or hides.
const STYLES: &[&str] = &[
    "color",
    "background-color",
    "font-weight",
    "font-style",
    "font-size",
    "font-family",
    "line-height",
    "text-align",
    "text-decoration",
    "padding",
    "padding-left",
    "padding-right",
    "padding-top",
    "padding-bottom",
    "margin",
    "margin-left",
    "margin-top",
    "margin-bottom",
    "border",
    "border-left",
    "border-bottom",
    "border-collapse",
    "width",
    "max-width",
    "vertical-align",
];

pub(super) async fn html(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Path(message): Path<i64>,
) -> Result<Response, Problem> {
    let message = MessageRowId(message);
    let raw = shared
        .read(move |r| r.raw_of(message, &viewer.access))
        .await?
        .ok_or_else(|| Problem::not_found("The HTML of this mail"))?;
    let body = tokio::task::spawn_blocking(move || cleaned(&raw))
        .await
        .map_err(|e| ApiError::internal(&anyhow::Error::new(e)))?
        .ok_or_else(|| Problem::not_found("The HTML of this mail"))?;
    let mut response = page("mail.html", context! { body })?.into_response();
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(CSP),
    );
    Ok(response)
}

/// The HTML of a raw mail (zstd), cleaned; its text where it has no HTML; none: it cannot be read.
fn cleaned(raw: &[u8]) -> Option<String> {
    let decoder = zstd::stream::read::Decoder::new(raw).ok()?;
    let mut bytes = Vec::new();
    decoder.take(MAX_RAW).read_to_end(&mut bytes).ok()?;
    match mime::html_body(&bytes) {
        Some(html) => Some(clean(cut(&html))),
        None => {
            let text = mime::parse(&bytes).text;
            let text = ammonia::clean_text(cut(&text));
            Some(format!("<div style=\"white-space:pre-wrap\">{text}</div>"))
        }
    }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_HTML);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// What ammonia leaves.
fn clean(html: &str) -> String {
    ammonia::Builder::default()
        .add_generic_attributes(["style", "align", "dir"])
        .add_tag_attributes("table", ["width", "cellpadding", "cellspacing", "bgcolor"])
        .add_tag_attributes("td", ["width", "valign", "bgcolor"])
        .filter_style_properties(STYLES.iter().copied().collect::<HashSet<_>>())
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel", "data"]))
        .url_relative(ammonia::UrlRelative::Deny)
        .attribute_filter(|tag, name, value| match (tag, name) {
            // Pictures in the mail itself; nothing is fetched.
            ("img", "src") => is_picture(value).then(|| value.into()),
            (_, "href") if value.trim_start().to_ascii_lowercase().starts_with("data:") => None,
            (_, "src" | "background" | "cite" | "longdesc") => None,
            _ => Some(value.into()),
        })
        .set_tag_attribute_value("a", "target", "_blank")
        .link_rel(Some("noopener noreferrer"))
        .clean(html)
        .to_string()
}

fn is_picture(value: &str) -> bool {
    ["image/png", "image/jpeg", "image/gif", "image/webp"]
        .iter()
        .any(|kind| value.starts_with(&format!("data:{kind};base64,")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_runs_loads_or_asks_is_left() {
        let evil = r#"<p onclick="x()" style="color:red;position:fixed;background:url(https://e.example/a)">Hi</p>
            <script>alert(1)</script><img src="https://e.example/p.png"><img src="cid:1">
            <img src="data:image/svg+xml;base64,PHN2Zz4="><img src="data:image/png;base64,AA==">
            <form action="https://e.example"><input name="pw"></form><iframe src="https://e.example"></iframe>
            <a href="javascript:alert(1)">a</a><a href="data:text/html,x">b</a><a href="https://ok.example">c</a>
            <style>@import 'https://e.example';</style><svg onload="x()"></svg><base href="https://e.example">
            <meta http-equiv="refresh" content="0;url=https://e.example"><link rel="stylesheet" href="https://e.example">
            <object data="https://e.example"></object><video poster="https://e.example"></video>"#;
        let html = clean(evil);
        for gone in [
            "script",
            "onclick",
            "e.example",
            "javascript",
            "<form",
            "<input",
            "iframe",
            "svg",
            "@import",
            "refresh",
            "position",
            "data:text",
            "cid:",
        ] {
            assert!(!html.contains(gone), "{gone} in {html}");
        }
        assert!(html.contains("data:image/png;base64,AA=="), "{html}");
        assert!(
            html.contains("color:red") || html.contains("color: red"),
            "{html}"
        );
        assert!(
            html.contains("rel=\"noopener noreferrer\"") && html.contains("_blank"),
            "{html}"
        );
    }
}
