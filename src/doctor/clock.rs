//! This machine's clock against those of the mail servers: no time server is asked, only clocks
//! that are seen anyway.

use std::time::Duration;

use chrono::DateTime;

use super::report::{Check, Group};
use crate::fault::Fault;
use crate::time::UtcMs;

/// A difference that matters: mails are announced within seconds, banners are made at once.
const WRONG: Duration = Duration::from_secs(120);
/// Fewer arrivals prove nothing: one mail may have waited somewhere.
const FEWEST_ARRIVALS: usize = 3;

/// A server's clock, seen once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Where.
    pub(super) source: &'static str,
    /// By how many milliseconds ours is ahead of it.
    pub(super) ahead_ms: i64,
}

impl Seen {
    pub(super) fn new(source: &'static str, theirs: UtcMs, ours: UtcMs) -> Self {
        Self {
            source,
            ahead_ms: ours.0.saturating_sub(theirs.0),
        }
    }
}

/// The time in an SMTP greeting, where the server tells it: Exchange and Sendmail do.
pub(super) fn in_banner(banner: &str) -> Option<UtcMs> {
    let words: Vec<&str> = banner.split_whitespace().collect();
    [6, 5].iter().find_map(|n| {
        words.windows(*n).find_map(|w| {
            let at = DateTime::parse_from_rfc2822(&w.join(" ")).ok()?;
            Some(UtcMs(at.timestamp_millis()))
        })
    })
}

/// The middle of the lags of live arrivals.
pub(super) fn of_arrivals(mut lags: Vec<i64>) -> Option<Seen> {
    if lags.len() < FEWEST_ARRIVALS {
        return None;
    }
    lags.sort_unstable();
    lags.get(lags.len() / 2).map(|ahead_ms| Seen {
        source: "mails that arrived while replyd listened",
        ahead_ms: *ahead_ms,
    })
}

/// The verdict over all that was seen.
pub(super) fn judge(seen: &[Seen], group: &mut Group) {
    let check = "clock";
    let worst = seen.iter().max_by_key(|s| s.ahead_ms.unsigned_abs());
    let Some(worst) = worst else {
        let why = "not measured: this server's clock was not seen; `--send-test` measures it";
        group.add(Check::skipped(check, why));
        return;
    };
    let apart = Duration::from_millis(worst.ahead_ms.unsigned_abs());
    let text = format!("{} s apart, by {}", apart.as_secs(), worst.source);
    let found = if apart >= WRONG {
        let way = if worst.ahead_ms > 0 {
            "ahead"
        } else {
            "behind"
        };
        let seconds = apart.as_secs();
        let detail = format!("this one is {seconds} s {way}, by {}", worst.source);
        Check::fault(check, Fault::ClockWrong, detail)
    } else {
        Check::ok(check, text)
    };
    group.add(found.with("ahead_ms", worst.ahead_ms));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_in_a_greeting_is_found() {
        let exchange = "220 mail.blah.com Microsoft ESMTP MAIL Service ready at Wed, 6 Mar 2013 \
                        10:51:10 -0800";
        assert_eq!(in_banner(exchange), Some(UtcMs(1_362_595_870_000)));
        let sendmail = "220 mx ESMTP Sendmail 8.15.2/8.15.2; Wed, 6 Mar 2013 18:51:10 GMT";
        assert_eq!(in_banner(sendmail), Some(UtcMs(1_362_595_870_000)));
        assert_eq!(in_banner("220 mx.example ESMTP Postfix (Debian/GNU)"), None);
    }

    #[test]
    fn a_clock_that_differs_is_a_warning_and_an_unseen_one_is_said_to_be() {
        let verdict = |seen: &[Seen]| {
            let mut group = Group::new(None);
            judge(seen, &mut group);
            group.checks.remove(0)
        };
        let at = |theirs| Seen::new("a greeting", UtcMs(theirs), UtcMs(1_000_000));
        assert_eq!(verdict(&[at(999_000)]).fault, None);
        let wrong = verdict(&[at(999_000), at(1_200_000)]);
        assert_eq!(wrong.fault, Some(Fault::ClockWrong));
        assert!(wrong.text.contains("200 s behind"), "{}", wrong.text);
        assert!(verdict(&[]).text.contains("not measured"));
    }

    #[test]
    fn single_late_mails_do_not_make_a_wrong_clock() {
        assert_eq!(of_arrivals(vec![500, 900_000]), None);
        let seen = of_arrivals(vec![900_000, 400, 700, 300, 600]).unwrap();
        assert_eq!(seen.ahead_ms, 600);
    }
}
