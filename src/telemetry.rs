//! Set-up of the log: text for people, JSON by setting, always on stderr, so that reports on
//! stdout stay clean. Secrets, bodies and addresses are never fields (invariant I7).
//!
//! When stderr is the journal (systemd says so in JOURNAL_STREAM), each line begins with its
//! priority (sd-daemon(3)), so that `journalctl -p err` shows the alerts.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use anyhow::Context;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, LogSettings};

/// Libraries that log what they read or write are held to warnings, whatever the filter says:
/// their debug output holds mail and credentials.
const QUIET: &[&str] = &[
    "async_imap",
    "imap_proto",
    "lettre",
    "rustls",
    "mail_parser",
    "html5ever",
];

/// Panics say where, not what: a message may quote the mail that caused it (invariant I7). What
/// panics on input is isolated by its caller, who reports it with its own context.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info
            .location()
            .map_or_else(String::new, ToString::to_string);
        tracing::error!(place, "a panic was caught or ends its task");
    }));
}

/// Standard error, with priorities where the journal reads it.
#[derive(Clone, Copy, Debug)]
struct Out {
    journal: bool,
}

impl<'a> MakeWriter<'a> for Out {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        self.line(Level::INFO)
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line {
        self.line(*meta.level())
    }
}

impl Out {
    fn line(self, level: Level) -> Line {
        Line(self.journal.then(|| priority(level)))
    }
}

/// One event on its way to stderr; holds its priority.
#[derive(Debug)]
struct Line(Option<&'static str>);

impl Write for Line {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        match self.0 {
            None => io::stderr().write_all(event),
            Some(priority) => io::stderr().write_all(&prefixed(event, priority)),
        }?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The journal's priorities: 3 error, 4 warning, 6 informational, 7 debug.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

/// Each line with its priority: the journal looks at lines, not at events.
fn prefixed(event: &[u8], priority: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(event.len().saturating_add(8));
    for line in event.split_inclusive(|b| *b == b'\n') {
        out.extend_from_slice(priority.as_bytes());
        out.extend_from_slice(line);
    }
    out
}

/// Whether stderr is the stream that systemd connected to the journal: `device:inode`.
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let Ok(fd) = io::stderr().as_fd().try_clone_to_owned() else {
        return false;
    };
    File::from(fd)
        .metadata()
        .is_ok_and(|m| stream == format!("{}:{}", m.dev(), m.ino()))
}

/// Starts logging. Call once.
///
/// # Errors
/// A filter that cannot be read, or a second call.
pub fn init(settings: &LogSettings) -> anyhow::Result<()> {
    let mut filter = EnvFilter::try_new(&settings.filter).with_context(|| {
        format!(
            "Read log filter {:?}: use e.g. info or replyd=debug",
            settings.filter
        )
    })?;
    for target in QUIET {
        filter = filter.add_directive(format!("{target}=warn").parse()?);
    }
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Out {
            journal: is_journal(),
        });
    match settings.format {
        LogFormat::Text => {
            let ansi = std::io::stderr().is_terminal();
            builder
                .with_ansi(ansi)
                .with_target(false)
                .finish()
                .try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    }
    .context("Start the log")?;
    quiet_panics();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_an_event_carries_its_priority() {
        let event = b"ALERT: it does\nnot hear\n";
        assert_eq!(
            prefixed(event, priority(Level::ERROR)),
            b"<3>ALERT: it does\n<3>not hear\n"
        );
        for (level, number) in [
            (Level::WARN, "<4>"),
            (Level::INFO, "<6>"),
            (Level::DEBUG, "<7>"),
            (Level::TRACE, "<7>"),
        ] {
            assert_eq!(priority(level), number);
        }
    }
}
