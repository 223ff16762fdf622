//! The page on which one signs in.

use axum::response::Html;

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
pub(super) fn page(ask: &Ask<'_>) -> Html<String> {
    let (link, next) = (escaped(ask.link), escaped(ask.next));
    let field = if ask.link.is_empty() {
        "<label>Token <input type=\"password\" name=\"token\" autocomplete=\"current-password\" \
         required autofocus></label>"
            .to_owned()
    } else {
        format!("<input type=\"hidden\" name=\"link\" value=\"{link}\">")
    };
    let trouble = if ask.trouble.is_empty() {
        String::new()
    } else {
        format!("<p role=\"alert\">{}</p>", escaped(ask.trouble))
    };
    Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Sign in - replyd</title>\
         </head><body><main><h1>replyd</h1>{trouble}<form method=\"post\" action=\"/sign-in\">\
         <input type=\"hidden\" name=\"next\" value=\"{next}\">{field} \
         <button>Sign in</button></form></main></body></html>"
    ))
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
        let Html(page) = page(&ask);
        assert!(
            !page.contains("<script>") && !page.contains("<b>"),
            "{page}"
        );
    }
}
