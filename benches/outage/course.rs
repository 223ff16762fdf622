//! The course of one outage, as it was seen from outside, and the table of all.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// What was seen, and when. Times count from the beginning of the fault, or from its mending.
#[derive(Debug, Default)]
pub(crate) struct Course {
    pub(crate) title: &'static str,
    /// From the fault on: the state was not `live` any more.
    pub(crate) not_live: Option<Duration>,
    /// The word of the state when the alert was raised.
    pub(crate) state: String,
    /// /health was 503.
    pub(crate) unhealthy: Option<Duration>,
    /// The webhook was called.
    pub(crate) hook: Option<Duration>,
    /// The mail lay in the operator's mailbox.
    pub(crate) mail: Option<Duration>,
    /// From the mending on: the account was live, or heard with a defect.
    pub(crate) live: Option<Duration>,
    /// /health was 200.
    pub(crate) healthy: Option<Duration>,
    /// The end was told.
    pub(crate) ended: Option<Duration>,
    /// Alerts that began, and ends that were told, by webhook; mails to the operator.
    pub(crate) told: (usize, usize, usize),
    /// Mails delivered during the outage, and rows of them.
    pub(crate) mails: (usize, i64),
    /// Of the end's own words.
    pub(crate) caught_up: u64,
    /// Connections or sign-ins that were tried during the outage.
    pub(crate) tries: usize,
    /// Sign-ins at the server from the fault to the end: good and refused.
    pub(crate) logins: (usize, usize),
    /// What the budget would have allowed.
    pub(crate) allowed: u64,
}

impl Course {
    /// What went wrong; none: nothing.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut check = |ok: bool, what: String| {
            if !ok {
                wrong.push(what);
            }
        };
        let delivered = i64::try_from(self.mails.0).unwrap_or(i64::MAX);
        check(
            self.mails.1 == delivered,
            format!("{} of {delivered} mails captured", self.mails.1),
        );
        let (began, ended, mails) = self.told;
        check(
            (began, ended, mails) == (1, 1, 2),
            format!("told {began} and {ended} times, {mails} mails"),
        );
        let logins = u64::try_from(self.logins.0 + self.logins.1).unwrap_or(u64::MAX);
        check(
            logins <= self.allowed,
            format!("{logins} sign-ins, allowed {}", self.allowed),
        );
        wrong
    }
}

/// The moment since `from`, or a dash.
fn shown(at: Option<Duration>) -> String {
    at.map_or_else(
        || "–".to_owned(),
        |at| {
            let tenths = at.as_millis() / 100;
            format!("{}.{} s", tenths / 10, tenths % 10)
        },
    )
}

/// A row's name, and what it shows of a course.
type Line<'a> = (&'a str, &'a dyn Fn(&Course) -> String);

/// The table in Markdown.
pub(crate) fn table(courses: &[Course]) -> String {
    let mut text = String::from("| |");
    let mut row = |name: &str, cell: &dyn Fn(&Course) -> String| {
        write!(text, "\n| {name} |").unwrap();
        for course in courses {
            write!(text, " {} |", cell(course)).unwrap();
        }
    };
    let title = |c: &Course| c.title.to_owned();
    let lines: &[Line<'_>] = &[
        ("state no longer live", &|c| shown(c.not_live)),
        ("state when it was told", &|c| c.state.clone()),
        ("/health 503", &|c| shown(c.unhealthy)),
        ("alert by webhook", &|c| shown(c.hook)),
        ("alert in the operator's mailbox", &|c| shown(c.mail)),
        ("connections tried meanwhile", &|c| c.tries.to_string()),
        ("hears again, after the mending", &|c| shown(c.live)),
        ("/health 200, after the mending", &|c| shown(c.healthy)),
        ("end told, after the mending", &|c| shown(c.ended)),
        ("told: beginnings / ends / mails", &|c| {
            let (a, b, m) = c.told;
            format!("{a} / {b} / {m}")
        }),
        ("mails delivered / captured / caught up as told", &|c| {
            format!("{} / {} / {}", c.mails.0, c.mails.1, c.caught_up)
        }),
        ("sign-ins taken / refused / allowed", &|c| {
            format!("{} / {} / {}", c.logins.0, c.logins.1, c.allowed)
        }),
        ("wrong", &|c| {
            let wrong = c.wrong();
            if wrong.is_empty() {
                "nothing".to_owned()
            } else {
                wrong.join("; ")
            }
        }),
    ];
    row("outage", &title);
    row("---", &|_| "---".to_owned());
    for (name, cell) in lines {
        row(name, *cell);
    }
    text.trim_start_matches("| |\n").to_owned() + "\n"
}

/// Notes when each of several things is first seen.
#[derive(Debug)]
pub(crate) struct Since(pub(crate) Instant);

impl Since {
    /// Keeps the first moment at which `seen` holds.
    pub(crate) fn note(&self, at: &mut Option<Duration>, seen: impl FnOnce() -> bool) {
        if at.is_none() && seen() {
            *at = Some(self.0.elapsed());
        }
    }
}
