//! Templates to pages: everything is escaped but what a template calls safe, and the only pieces
//! that it calls so are made here, in `plot` and by ammonia.

use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use minijinja::value::{Kwargs, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

use super::super::error::ApiError;
use super::assets::VERSION;
use crate::desk::DeskError;
use crate::store::{StoreError, pieces};
use crate::time::UtcMs;

macro_rules! templates {
    ($env:ident: $($name:literal)*) => {
        $($env.add_template($name, include_str!(concat!("templates/", $name)))?;)*
    };
}

static PAGES: LazyLock<Result<Environment<'static>, minijinja::Error>> = LazyLock::new(pages);

fn pages() -> Result<Environment<'static>, minijinja::Error> {
    let mut env = Environment::new();
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    // A field that a template misspells is an error of a test, not an empty place.
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_trim_blocks(true);
    env.add_filter("when", when);
    env.add_filter("words", words);
    env.add_filter("percent", |share: f64| format!("{:.0} %", share * 100.0));
    env.add_filter("plural", |one: &str, n: u64, many: &str| {
        if n == 1 { one } else { many }.to_owned()
    });
    env.add_filter("bytes", bytes);
    env.add_filter("truncated", truncated);
    env.add_filter("pieces", |text: &str| {
        let pieces = pieces(text).into_iter();
        Value::from_iter(pieces.map(|(hit, text)| Value::from(vec![Value::from(hit), text.into()])))
    });
    templates!(env: "layout.html" "macros.html" "inbox.html" "conversation.html" "campaigns.html"
        "campaign.html" "leads.html" "unmatched.html" "suppressions.html" "state.html"
        "sign_in.html" "problem.html" "mail.html");
    Ok(env)
}

/// A time as `<time>`: without the script in UTC, with it in the viewer's zone. `as`: `short`,
/// `full` (date and clock) or `ago`.
#[expect(clippy::needless_pass_by_value, reason = "the shape of a filter")]
fn when(at: Value, how: Option<String>, _: Kwargs) -> Value {
    let Some(text) = at.as_str() else {
        return Value::from("");
    };
    let Some(time) = UtcMs::parse_day_or_time(text) else {
        return Value::from(text.to_owned());
    };
    let exact = time.rfc3339();
    let shown = exact.get(..16).unwrap_or(&exact).replace('T', " ");
    let how = match how.as_deref() {
        Some("full") => "full",
        Some("ago") => "ago",
        _ => "short",
    };
    Value::from_safe_string(format!(
        "<time datetime=\"{exact}\" data-as=\"{how}\">{shown} UTC</time>"
    ))
}

/// Words of the store as people read them.
fn words(word: &str) -> String {
    match word {
        "goal_reached" => "goal reached",
        "not_interested" => "not interested",
        "not_now" => "not now",
        "out_of_office" => "out of office",
        "unsubscribe" => "unsubscribe",
        "reply_unverified" => "reply from another address",
        "human_uncertain" => "perhaps not written by a person",
        "auto_reply" => "automatic reply",
        "opt_out" => "opt-out",
        "own_mail" => "mail of our own",
        "needs_sign_in" => "needs sign-in",
        "in_reply_to" => "by In-Reply-To",
        "references" => "by References",
        "report" => "by the returned mail",
        "token" => "by our token",
        "reply_address" => "by the address it was sent to",
        "thread_index" => "by Thread-Index",
        "subject" => "by subject and sender",
        "recipient" => "by the failed address",
        "attached" => "by a person",
        "document_rag" => "out of the documents",
        "message_generation" => "campaign mail",
        "acknowledgment" => "acknowledgement",
        "text_to_sql" => "out of the database",
        "sales_notice" => "notice to sales",
        "sales_digest" => "digest to sales",
        "optout_confirmation" => "confirmation of the opt-out",
        "catch_up" => "caught up",
        "first_run" => "first look",
        "new_epoch" => "new UIDVALIDITY",
        "late_match" => "matched late",
        "unknown" => "not known",
        "auto-ack" => "acknowledge only",
        "draft" => "drafts only",
        "off" => "off",
        "person" => "left to a person",
        "acknowledge" => "acknowledged",
        "answer" => "answered",
        "suppress" => "no mail from now on",
        "nothing" => "nothing to do",
        "sales_call" => "sales call",
        "deferred" => "waits for another try",
        "queued" => "queued",
        other => return other.replace('_', " "),
    }
    .to_owned()
}

fn bytes(n: u64) -> String {
    match n {
        0..1024 => format!("{n} bytes"),
        1024..1_048_576 => format!("{} KB", n / 1024),
        _ => format!("{} MB", n / 1_048_576),
    }
}

fn truncated(text: &str, chars: usize) -> String {
    let mut cut: String = text.chars().take(chars).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// A page.
pub(in crate::web) fn page(name: &str, values: impl Serialize) -> Result<Html<String>, ApiError> {
    let failed = |e: &minijinja::Error| ApiError::internal(&anyhow::anyhow!("{name}: {e:#}"));
    let env = PAGES.as_ref().map_err(failed)?;
    let template = env.get_template(name).map_err(|e| failed(&e))?;
    template.render(values).map(Html).map_err(|e| failed(&e))
}

/// An error as a page.
#[derive(Debug)]
pub(super) struct Problem(pub(super) ApiError);

impl Problem {
    /// Not there, or somebody else's.
    pub(super) fn not_found(what: &str) -> Self {
        Self(ApiError::not_found(format!("{what} is not here")))
    }
}

impl From<ApiError> for Problem {
    fn from(e: ApiError) -> Self {
        Self(e)
    }
}

impl From<StoreError> for Problem {
    fn from(e: StoreError) -> Self {
        Self(e.into())
    }
}

impl From<DeskError> for Problem {
    fn from(e: DeskError) -> Self {
        Self(e.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = match self.0.status {
            StatusCode::NOT_FOUND => "Not here",
            StatusCode::FORBIDDEN => "Not allowed",
            StatusCode::SERVICE_UNAVAILABLE => "Not now",
            status if status.is_server_error() => "Something failed",
            _ => "Not done",
        };
        let values = minijinja::context! { title, text => self.0.message, version => &*VERSION };
        match page("problem.html", values) {
            Ok(page) => (self.0.status, page).into_response(),
            Err(e) => e.into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_compiles_and_escapes() {
        let env = PAGES.as_ref().unwrap();
        assert!(env.templates().count() >= 13);
        let evil = "<script>alert(1)</script>\"'";
        let values = minijinja::context! { title => evil, text => evil, version => "x" };
        let Html(html) = page("problem.html", values).unwrap();
        assert!(!html.contains("<script>alert"), "{html}");
    }

    #[test]
    fn a_time_is_shown_in_utc_until_the_script_knows_better() {
        let at = Value::from("2026-11-22T23:10:00.123Z");
        let kwargs = || Kwargs::from_iter(Vec::<(&str, Value)>::new());
        let html = when(at, Some("ago".into()), kwargs());
        assert_eq!(
            html.to_string(),
            "<time datetime=\"2026-11-22T23:10:00.123Z\" data-as=\"ago\">2026-11-22 23:10 UTC</time>"
        );
        let evil = when(Value::from("<b>"), None, kwargs());
        assert!(!evil.is_safe());
    }
}
