//! Faults of SMTP servers: what becomes of a mail, of its connection, and of its outbox row.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy's allowance for tests does not reach helper functions"
)]

mod bodies;
mod connections;
mod recovery;
mod server;
mod steps;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use replyd::config::SmtpSettings;
use replyd::credential::Vault;
use replyd::smtp::{Console, Mailer, Outcome, OutgoingMail};
use replyd::tls::TlsRoots;
use tokio::time::Instant;

const RAW: &[u8] = b"From: ann@example.com\r\nSubject: Re: offer\r\n\r\nThank you.\r\n";

fn mailer(settings: &SmtpSettings) -> Mailer {
    let console = Console::new(Box::new(std::io::sink()));
    let roots = TlsRoots::default();
    let vault = Vault::detached();
    Mailer::new("main", settings, &vault, &roots, &console)
}

fn mail(raw: &[u8]) -> OutgoingMail<'_> {
    OutgoingMail {
        envelope_from: "ann@example.com",
        envelope_to: "bob@example.org",
        raw,
    }
}

/// Sends, and counts the handovers.
async fn send(mailer: &Mailer, mail: OutgoingMail<'_>) -> (Outcome, usize) {
    let handovers = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&handovers);
    let outcome = mailer
        .send(&mail, || async move {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok::<_, std::convert::Infallible>(())
        })
        .await;
    let Ok(outcome) = outcome;
    (outcome, handovers.load(Ordering::SeqCst))
}

/// Sends to a server that falls silent at `step`, where time then runs as fast as it can.
async fn send_into_silence(
    server: &server::Server,
    step: server::Step,
    raw: &'static [u8],
) -> (Outcome, usize, Duration) {
    let mailer = mailer(&server.settings());
    let began = Instant::now();
    let sending = tokio::spawn(async move { send(&mailer, mail(raw)).await });
    server.reached(1, step, 1).await;
    tokio::time::pause();
    let (outcome, handovers) = sending.await.unwrap();
    (outcome, handovers, began.elapsed())
}

/// An outcome in short: what it is, its code, and whose trouble.
fn short(outcome: &Outcome) -> String {
    let code = |c: &Option<u16>| c.map_or("-".to_owned(), |c| c.to_string());
    match outcome {
        Outcome::Sent { code, .. } => format!("sent {code}"),
        Outcome::Deferred {
            code: c, trouble, ..
        } => format!(
            "deferred {} {}",
            code(c),
            trouble.map_or("mail", |t| t.as_str())
        ),
        Outcome::Rejected { code: c, .. } => format!("rejected {}", code(c)),
        Outcome::Unknown { .. } => "unknown".to_owned(),
    }
}

fn text(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Sent { text, .. }
        | Outcome::Deferred { text, .. }
        | Outcome::Rejected { text, .. } => text,
        Outcome::Unknown { why } => why,
    }
}
