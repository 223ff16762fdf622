//! The page on which one signs in.

use axum::response::{Html, IntoResponse, Response};
use minijinja::context;

use super::error::ApiError;
use super::pages;

/// What it shows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ask<'a> {
    /// A link to be used up; empty: a token is asked for.
    pub(super) link: &'a str,
    /// Where to go on to.
    pub(super) next: &'a str,
    /// Why the last try was refused; empty: there was none.
    pub(super) trouble: &'a str,
}

/// The page.
pub(super) fn page(ask: &Ask<'_>) -> Response {
    html(ask).into_response()
}

fn html(ask: &Ask<'_>) -> Result<Html<String>, ApiError> {
    let values = context! {
        link => ask.link, next => ask.next, trouble => ask.trouble, version => pages::version(),
    };
    pages::page("sign_in.html", values)
}

/// Text inside HTML, also inside quotation marks.
pub(super) fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut html, c| {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
        html
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_request_becomes_markup() {
        let ask = Ask {
            link: "\"><script>alert(1)</script>",
            next: "/'\"<b>",
            trouble: "",
        };
        let Html(page) = html(&ask).unwrap();
        assert!(
            !page.contains("<script>") && !page.contains("<b>"),
            "{page}"
        );
    }
}
