//! Figures and the table.

use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::recorder::Sample;

/// What one measurement gave.
pub(crate) struct Figures {
    round_trip: Duration,
    mails: usize,
    /// Each step's times, in the order of mails.
    steps: [(&'static str, Vec<Duration>); 5],
    first: Option<Duration>,
    imap_turns: Vec<u64>,
    smtp_turns: Vec<u64>,
    /// Rows of replies, and mails that came by push.
    pub(crate) pushed: (i64, i64),
}

impl Figures {
    pub(crate) fn new(round_trip: Duration, mails: usize) -> Self {
        Self {
            round_trip,
            mails,
            steps: [
                "EXISTS → row committed",
                "· EXISTS → mail on the wire",
                "· mail on the wire → committed",
                "· of that, COMMIT (fdatasync)",
                "EXISTS → answer accepted",
            ]
            .map(|name| (name, Vec::new())),
            first: None,
            imap_turns: Vec::new(),
            smtp_turns: Vec::new(),
            pushed: (0, 0),
        }
    }

    /// Adds a mail with the round trips that were waited for until both connections rested.
    pub(crate) fn add(&mut self, sample: &Sample, imap_turns: u64, smtp_turns: u64) {
        let between = |a: Option<Instant>, b: Option<Instant>| {
            a.zip(b).map(|(a, b)| b.saturating_duration_since(a))
        };
        let Sample {
            exists,
            fetched,
            committed,
            accepted,
            ..
        } = *sample;
        let times = [
            between(exists, committed),
            between(exists, fetched),
            between(fetched, committed),
            committed.map(|_| sample.commit),
            between(exists, accepted),
        ];
        if self.imap_turns.is_empty() {
            self.first = times[0];
        }
        for ((_, step), time) in self.steps.iter_mut().zip(times) {
            step.extend(time);
        }
        self.imap_turns.push(imap_turns);
        self.smtp_turns.push(smtp_turns);
    }
}

/// The whole report, in Markdown.
pub(crate) fn text(all: &[Figures]) -> String {
    let mut text = machine();
    text.push_str(
        "\n\nMilliseconds:\n\n\
         | round trip | step | n | min | p50 | p90 | p99 | max |\n\
         |---|---|--:|--:|--:|--:|--:|--:|\n",
    );
    // Writing to a String cannot fail.
    let mut line = |line: String| writeln!(text, "{line}").unwrap_or_default();
    for figures in all {
        let rtt = figures.round_trip.as_millis();
        for (name, times) in &figures.steps {
            let mut times = times.clone();
            times.sort_unstable();
            let at = |share| milliseconds(percentile(&times, share));
            line(format!(
                "| {rtt} ms | {name} | {} | {} | {} | {} | {} | {} |",
                times.len(),
                at(0.0),
                at(0.5),
                at(0.9),
                at(0.99),
                at(1.0)
            ));
        }
    }
    line(String::new());
    for figures in all {
        let (stored, pushed) = figures.pushed;
        let lost = i64::try_from(figures.mails).unwrap_or(i64::MAX) - stored;
        line(format!(
            "- {} ms: {} mails, {pushed} captured by push, {lost} lost, {} answered; round trips \
             a mail: {} of IMAP, {} of SMTP for two mails (answer and notice). The first mail \
             after the start: {} ms to its row.",
            figures.round_trip.as_millis(),
            figures.mails,
            figures.steps[4].1.len(),
            spread(&figures.imap_turns),
            spread(&figures.smtp_turns),
            milliseconds(figures.first),
        ));
    }
    text
}

/// Nearest rank.
pub(crate) fn percentile(sorted: &[Duration], share: f64) -> Option<Duration> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank in a short list"
    )]
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

fn milliseconds(time: Option<Duration>) -> String {
    time.map_or_else(
        || "–".to_owned(),
        |t| format!("{:.2}", t.as_secs_f64() * 1e3),
    )
}

/// `1`, or `1 to 3` when it differs.
fn spread(counts: &[u64]) -> String {
    match (counts.iter().min(), counts.iter().max()) {
        (Some(least), Some(most)) if least == most => least.to_string(),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        _ => "–".to_owned(),
    }
}

fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find(|line| line.starts_with("model name"));
    let cpu = cpu.and_then(|line| line.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let date = replyd::time::now().rfc3339();
    format!(
        "{}: {cores} cores ({}), Linux {}, Dovecot {}, Postfix {}, SQLite {}, replyd {}, {} build, \
         load average {}.",
        date.get(..10).unwrap_or(&date),
        cpu.map_or("unknown", |(_, model)| model),
        read("/proc/sys/kernel/osrelease").trim(),
        version_of("dovecot").unwrap_or_else(|| "missing".into()),
        version_of("postconf").unwrap_or_else(|| "missing (the sandbox's SMTP server)".into()),
        rusqlite::version(),
        env!("CARGO_PKG_VERSION"),
        if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        },
        read("/proc/loadavg").split(' ').next().unwrap_or("unknown"),
    )
}

/// What a server's program says of its version; none when it is missing.
pub(crate) fn version_of(program: &str) -> Option<String> {
    let args: &[&str] = match program {
        "postconf" => &["-h", "mail_version"],
        _ => &["--version"],
    };
    let output = ["", "/usr/sbin/"].iter().find_map(|folder| {
        Command::new(format!("{folder}{program}"))
            .args(args)
            .output()
            .ok()
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().next().map(str::to_owned)
}
