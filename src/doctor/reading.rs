//! Reading: the way to the IMAP server, the sign-in, what the server offers, the mailboxes, and
//! IDLE in practice. Opens mailboxes for reading only, and fetches no mail.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::account::Patient;
use super::report::{Check, Group};
use super::way::{self, Stage, Way};
use crate::config::nearest::nearest;
use crate::config::{FolderChoice, ImapSettings};
use crate::credential::SignIn;
use crate::fault::{self, Fault};
use crate::imap::{self, Begun, Capabilities, ImapError, Mode, Session, Step, Watch};
use crate::model::{AccountState, Pipelining};
use crate::reach::Reach;
use crate::store::{LoginPermit, StoreError};
use crate::time;
use crate::tls::TlsRoots;
use crate::wake::Doorbell;

/// How long IDLE is held.
const IDLE_HELD: Duration = Duration::from_secs(3);
/// Folders that are named when one of the settings is not there.
const FOLDERS_NAMED: usize = 12;

/// What a capability is good for, and what its absence costs.
const WORTH: &[(&str, &str)] = &[
    ("IDLE", "replies are noticed at the poll only"),
    ("UIDPLUS", "copies in the Sent folder are found by a search"),
    (
        "SPECIAL-USE",
        "Sent and spam folder are found by their names",
    ),
    ("ID", ""),
    ("SASL-IR", ""),
    ("NOTIFY", ""),
    ("CONDSTORE", ""),
];

impl Patient {
    /// All of it; the session, when there is one, is still open and has the first mailbox open.
    pub(super) async fn read(&self, group: &mut Group) -> Option<Session> {
        let begun = self.reach_imap(group).await?;
        let Some(sign_in) = self.imap_credential(group).await else {
            begun.logout().await;
            return None;
        };
        if !self.may_sign_in(&sign_in, group).await {
            begun.logout().await;
            return None;
        }
        let mut session = self.sign_in(begun, &sign_in, group).await?;
        capabilities(session.capabilities(), group);
        match self.mailboxes(&mut session, group).await {
            Ok(true) => {}
            Ok(false) => return None,
            Err(e) => {
                group.add(self.imap_fault("imap.mailboxes", &e));
                return None;
            }
        }
        match idle(&mut session, group).await {
            Ok(()) => Some(session),
            Err(e) => {
                group.add(Check::fault("imap.idle", idle_fault(&e), &e));
                None
            }
        }
    }

    fn place(&self) -> String {
        let ImapSettings { host, port, .. } = &self.account.imap;
        format!("{host}:{port}")
    }

    fn imap_fault(&self, check: &'static str, e: &ImapError) -> Check {
        Check::fault(check, fault::of_imap(e), format!("{}: {e}", self.place()))
    }

    async fn reach_imap(&self, group: &mut Group) -> Option<Begun> {
        let settings = &self.account.imap;
        let (roots, witness) = TlsRoots::witnessed();
        let mut reach = Reach::default();
        let begun = imap::explore(settings, &roots, &self.budget, &mut reach).await;
        let failed = begun.as_ref().err().map(|e| {
            let stage = match e.step() {
                Some(Step::Resolve) => Stage::Name,
                Some(Step::Connect) => Stage::Connect,
                Some(Step::Tls | Step::StartTls) => Stage::Tls,
                _ => Stage::Greeting,
            };
            (stage, fault::of_imap(e), e.to_string())
        });
        Way {
            words: way::IMAP,
            host: &settings.host,
            port: settings.port,
            security: settings.security,
            reach: &reach,
            chain: &witness.chain(),
            failed,
            now: time::now(),
        }
        .tell(group);
        begun.ok()
    }

    async fn imap_credential(&self, group: &mut Group) -> Option<SignIn> {
        let imap = &self.account.imap;
        let name = &self.account.name;
        match self.vault.sign_in(name, &imap.user, &imap.credential).await {
            Ok(sign_in) => Some(sign_in),
            Err(e) => {
                group.add(Check::fault("imap.sign_in", fault::of_credential(&e), e));
                None
            }
        }
    }

    /// Books the sign-in where there is a store; says why it is too early.
    async fn may_sign_in(&self, sign_in: &SignIn, group: &mut Group) -> bool {
        let (Some(store), Some(row)) = (&self.store, &self.row) else {
            return true;
        };
        let (id, every) = (row.id, self.settings.listen.login_every);
        let hash = self.keys.as_ref().map(|k| k.hash(&sign_in.identity()));
        let booked: Result<LoginPermit, StoreError> = store
            .write(move |tx| {
                // Mended credentials are tried at once, as the listener does.
                if let Some(hash) = hash {
                    tx.note_credentials(id, &hash)?;
                }
                tx.book_login(id, time::now(), every)
            })
            .await;
        let check = "imap.sign_in";
        let at = match booked {
            Ok(LoginPermit::Granted) => return true,
            Ok(LoginPermit::NotBefore(at)) => at.rfc3339(),
            Err(e) => {
                group.add(Check::fault(check, fault::of_store(&e), e));
                return false;
            }
        };
        let reason = &row.state_reason;
        group.add(match row.state {
            AccountState::Live | AccountState::Degraded => Check::skipped(
                check,
                format!(
                    "not tried before {at}, so that the account is not locked; replyd itself \
                     is signed in ({reason})"
                ),
            ),
            AccountState::NeedsSignIn | AccountState::Down => Check::fault(
                check,
                self.recorded_fault(),
                format!("not tried again before {at}, so that the account is not locked: {reason}"),
            ),
        });
        false
    }

    async fn sign_in(&self, begun: Begun, who: &SignIn, group: &mut Group) -> Option<Session> {
        let check = "imap.sign_in";
        let began = Instant::now();
        let offered = begun.capabilities().auth.join(", ");
        match begun.sign_in(&self.account.imap, who).await {
            Ok(session) => {
                let kind = if who.secret.is_token() {
                    "token"
                } else {
                    "password"
                };
                let text = format!("signed in as {} with a {kind}", who.user);
                group.add(Check::ok(check, text).took(Some(began.elapsed())));
                Some(session)
            }
            Err(e) => {
                let ways = offered.split(", ").filter(|w| !w.is_empty());
                let ways: Vec<String> = ways.map(str::to_owned).collect();
                group.add(self.imap_fault(check, &e).with("offered", ways));
                None
            }
        }
    }

    /// Opens each mailbox of the settings, the first one last: it stays open. Whether that one
    /// can be opened.
    async fn mailboxes(&self, session: &mut Session, group: &mut Group) -> Result<bool, ImapError> {
        let found = session.find_folders().await?;
        let mut first_opens = false;
        for (n, name) in self.account.mailboxes.iter().enumerate().rev() {
            let check = "imap.mailboxes";
            let began = Instant::now();
            match session.examine(name).await {
                Ok(open) => {
                    first_opens = n == 0;
                    let text = format!("{name}: {} messages", open.exists);
                    let check = Check::ok(check, text).took(Some(began.elapsed()));
                    group.add(
                        check
                            .with("mailbox", name.as_str())
                            .with("messages", open.exists),
                    );
                }
                Err(e @ ImapError::NoUidValidity) => group.add(self.imap_fault(check, &e)),
                Err(e) if e.leaves_session_usable() => {
                    let names = found.names.iter().map(String::as_str);
                    let guess = match nearest(name, names) {
                        Some(guess) => format!("; did you mean {guess}?"),
                        None => String::new(),
                    };
                    let some: Vec<&str> = found
                        .names
                        .iter()
                        .map(String::as_str)
                        .take(FOLDERS_NAMED)
                        .collect();
                    let detail = format!("{name}: {e}{guess} There are: {}", some.join(", "));
                    let check = Check::fault(check, Fault::MailboxMissing, detail);
                    group.add(check.with("mailbox", name.as_str()).with("there_are", some));
                }
                Err(e) => return Err(e),
            }
        }
        self.folders(&found, group);
        Ok(first_opens)
    }

    /// Sent and spam folder, as settings and server have them.
    fn folders(&self, found: &imap::Folders, group: &mut Group) {
        let name = |choice: &FolderChoice, found: &Option<String>| match choice {
            FolderChoice::Off => "off".to_owned(),
            FolderChoice::Named(name) => name.clone(),
            FolderChoice::Auto => found.clone().unwrap_or_else(|| "none found".to_owned()),
        };
        let folders = &self.account.folders;
        let sent = name(&folders.sent, &found.sent);
        let junk = name(&folders.junk, &found.junk);
        let text = format!("Sent: {sent}, spam: {junk}");
        let missing = |choice: &FolderChoice, found: &Option<String>| {
            *choice == FolderChoice::Auto && found.is_none()
        };
        let check = if missing(&folders.sent, &found.sent) || missing(&folders.junk, &found.junk) {
            let remedy = "What a person answers by hand is seen in the Sent folder, and replies \
                          may land in spam: name the folders with `sent_folder` and `junk` \
                          of the account, or set them to off.";
            Check::warning("imap.folders", text, remedy)
        } else {
            Check::ok("imap.folders", text)
        };
        group.add(check.with("sent", sent).with("junk", junk));
    }
}

fn capabilities(caps: &Capabilities, group: &mut Group) {
    let check = "imap.capabilities";
    let has = |word: &str| caps.raw.iter().any(|c| c.eq_ignore_ascii_case(word));
    let (there, absent): (Vec<_>, Vec<_>) = WORTH.iter().partition(|(word, _)| has(word));
    let there: Vec<&str> = there.iter().map(|(word, _)| *word).collect();
    let mut text = there.join(", ");
    for (word, cost) in absent.iter().filter(|(_, cost)| !cost.is_empty()) {
        text.push_str(&format!("; no {word}: {cost}"));
    }
    let found = if has("IDLE") {
        Check::ok(check, text)
    } else {
        Check::fault(check, Fault::IdleMissing, text)
    };
    let absent: Vec<&str> = absent.iter().map(|(word, _)| *word).collect();
    group.add(
        found
            .with("offered", caps.raw.clone())
            .with("missing", absent),
    );
}

/// Enters IDLE, holds it for three seconds, and leaves it.
async fn idle(session: &mut Session, group: &mut Group) -> Result<(), ImapError> {
    let check = "imap.idle";
    if !session.capabilities().idle {
        group.add(Check::skipped(
            check,
            "the server has no IDLE: replyd polls",
        ));
        return Ok(());
    }
    let caps = session.capabilities().clone();
    let mut watch = Watch::new(&caps, Pipelining::No, IDLE_HELD * 2);
    let (bell, stop) = (Doorbell::default(), CancellationToken::new());
    let began = Instant::now();
    let until = began + IDLE_HELD;
    // News of other mails end a wait; IDLE goes on.
    while Instant::now() < until && watch.mode() == Mode::Idle {
        watch.wait(session, until, &bell, &stop).await?;
    }
    let held = began.elapsed();
    if watch.mode() == Mode::Poll {
        group.add(Check::fault(
            check,
            Fault::IdleBroken,
            "the server refuses or ends it",
        ));
        return Ok(());
    }
    let leaving = Instant::now();
    watch.leave(session).await?;
    let answered = leaving.elapsed();
    let text = format!(
        "entered, kept for {} s, DONE answered in {} ms",
        held.as_secs(),
        answered.as_millis()
    );
    group.add(Check::ok(check, text).took(Some(began.elapsed())));
    Ok(())
}

fn idle_fault(e: &ImapError) -> Fault {
    match e {
        ImapError::Timeout {
            step: Step::Idle | Step::Done | Step::Wait,
        } => Fault::IdleBroken,
        other => fault::of_imap(other),
    }
}
