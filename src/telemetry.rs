//! Set-up of the log: text for people, JSON by setting, always on stderr, so that reports on
//! stdout stay clean. Secrets, bodies and addresses are never fields (invariant I7).

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;
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
        .with_writer(std::io::stderr);
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
