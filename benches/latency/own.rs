//! Whose time it is: between two things that were said, the one who speaks next has had the word.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::plain::Plain;
use crate::recorder::Trail;

/// What the proxy saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The IMAP server announced, and whether the mail is here as well.
    ImapServer { exists: bool, fetched: bool },
    /// replyd said something to it.
    ImapClient,
    /// The SMTP server answered with this code.
    SmtpServer { code: u16 },
    /// replyd said something to it; whether that ends a mail.
    SmtpClient { end: bool },
}

impl Said {
    pub(crate) fn imap_server(bytes: &[u8]) -> Self {
        let has = |words: &[u8]| bytes.windows(words.len()).any(|w| w == words);
        Self::ImapServer {
            exists: has(b" EXISTS\r\n"),
            fetched: has(b" OK Fetch completed"),
        }
    }

    pub(crate) fn smtp_server(bytes: &[u8]) -> Self {
        let code = bytes.get(..3).and_then(|c| std::str::from_utf8(c).ok());
        Self::SmtpServer {
            code: code.and_then(|c| c.parse().ok()).unwrap_or(0),
        }
    }

    pub(crate) fn smtp_client(bytes: &[u8]) -> Self {
        Self::SmtpClient {
            end: bytes.ends_with(b"\r\n.\r\n"),
        }
    }
}

/// One mail that was accepted.
#[derive(Clone, Copy, Debug)]
struct Accepted {
    /// From EXISTS to the 250 after the final dot.
    whole: Duration,
    /// Of that, what passed while replyd had the word.
    own: Duration,
    /// Commits until then.
    commits: usize,
}

/// The measurement.
#[derive(Debug, Default)]
pub(crate) struct Own {
    /// The first mail to the lead and the second, to sales, of each reply.
    first: Vec<Accepted>,
    second: Vec<Accepted>,
    commits: Vec<Duration>,
    /// A plain client's round trips.
    pub(crate) plain: Plain,
    /// The first reply after the start: with connection, greeting and EHLO.
    cold: Option<Accepted>,
}

impl Own {
    pub(crate) fn add(&mut self, trail: &Trail) {
        self.commits
            .extend(trail.commits.iter().map(|(_, took)| took));
        let accepted = accepted(trail);
        if self.cold.is_none() {
            self.cold = accepted.first().copied();
            return;
        }
        self.first.extend(accepted.first());
        self.second.extend(accepted.get(1));
    }

    pub(crate) fn text(&self) -> String {
        let commit = at(&self.commits, 0.5);
        let goal = commit * 5 + Duration::from_millis(3);
        let mut text = format!(
            "Own time of replyd in the clear; median COMMIT {} ms (p95 {} ms, {} of them), goal \
             5 × that + 3 ms = {} ms. Milliseconds:\n\n\
             | EXISTS → accepted | n | whole p50 | whole p95 | own p50 | own p95 | own p50 : goal | \
             commits on the way | whole p50 − plain client |\n\
             |---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
            ms(commit),
            ms(at(&self.commits, 0.95)),
            self.commits.len(),
            ms(goal),
        );
        for (name, mails, trips) in [
            ("acknowledgement", &self.first, 1_u32),
            ("sales notice (the second mail)", &self.second, 2),
        ] {
            let whole: Vec<Duration> = mails.iter().map(|m| m.whole).collect();
            let own: Vec<Duration> = mails.iter().map(|m| m.own).collect();
            let mut commits: Vec<usize> = mails.iter().map(|m| m.commits).collect();
            commits.sort_unstable();
            let plain = self.plain.imap + self.plain.smtp * trips;
            // Writing to a String cannot fail.
            writeln!(
                text,
                "| {name} | {} | {} | {} | {} | {} | {:.2} | {} | {} |",
                mails.len(),
                ms(at(&whole, 0.5)),
                ms(at(&whole, 0.95)),
                ms(at(&own, 0.5)),
                ms(at(&own, 0.95)),
                at(&own, 0.5).as_secs_f64() / goal.as_secs_f64(),
                commits.get(commits.len() / 2).copied().unwrap_or(0),
                ms(at(&whole, 0.5).saturating_sub(plain)),
            )
            .unwrap_or_default();
        }
        let cold = self.cold.map_or_else(String::new, |cold| {
            format!(
                " The first reply after the start, which also connects: {} ms, {} of them own.",
                ms(cold.whole),
                ms(cold.own)
            )
        });
        writeln!(
            text,
            "\nA plain client: IMAP (DONE, UID FETCH, IDLE in one write) {} ms; SMTP (MAIL, RCPT, \
             DATA, body) {} ms.{cold}",
            ms(self.plain.imap),
            ms(self.plain.smtp),
        )
        .unwrap_or_default();
        text
    }
}

/// Goes along the trail.
fn accepted(trail: &Trail) -> Vec<Accepted> {
    let mut found = Vec::new();
    let is_news = |said: &Said| matches!(said, Said::ImapServer { exists: true, .. });
    let Some(from) = trail.said.iter().position(|(_, said)| is_news(said)) else {
        return found;
    };
    let Some((began, _)) = trail.said.get(from).copied() else {
        return found;
    };
    let mut own = Duration::ZERO;
    // Since when replyd has the word; it loses it by speaking, and has it while it goes on.
    let mut since: Option<Instant> = Some(began);
    let (mut last_spoke, mut ended, mut mail_is_here) = (began, false, false);
    for (at, said) in trail.said.iter().skip(from.saturating_add(1)).copied() {
        let spoke =
            matches!(said, Said::SmtpClient { .. }) || said == Said::ImapClient && !mail_is_here;
        if spoke {
            own += at.saturating_duration_since(since.take().unwrap_or(last_spoke));
            last_spoke = at;
        }
        match said {
            Said::ImapServer { fetched, .. } => {
                if fetched && !mail_is_here {
                    mail_is_here = true;
                    since = Some(at);
                }
            }
            Said::ImapClient => {}
            Said::SmtpClient { end } => ended = end,
            Said::SmtpServer { code } => {
                since = Some(at);
                if std::mem::take(&mut ended) && code == 250 {
                    found.push(Accepted {
                        whole: at.saturating_duration_since(began),
                        own,
                        commits: trail.commits.iter().filter(|(when, _)| *when <= at).count(),
                    });
                }
            }
        }
    }
    found
}

/// Nearest rank.
fn at(times: &[Duration], share: f64) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    crate::report::percentile(&times, share).unwrap_or_default()
}

fn ms(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}
