//! `--send-test`: a mail from the account to itself, timed on its way in, and what it shows of the
//! provider. The mail passes the outbox by: it goes to ourselves, and doctor works before there is
//! a database.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::account::Patient;
use super::clock::Seen;
use super::report::{Check, Group};
use super::test_mail::{MARK, TestMail, authserv_ids};
use crate::config::{ReplyAddress, SaveSent};
use crate::fault::{self, Fault};
use crate::imap::{ImapError, Mode, News, Session, Watch};
use crate::matcher;
use crate::mime::{self, Mail};
use crate::model::Pipelining;
use crate::msgid;
use crate::smtp::{Explorer, Mailer, Outcome, OutgoingMail};
use crate::store::StoreError;
use crate::time::{self, UtcMs};
use crate::wake::Doorbell;

/// A server that pushes does so within this time; then one looks by oneself.
const LOOK: Duration = Duration::from_secs(10);
/// The further mails take about as long as the first; a server that does not know an address
/// never delivers.
const FURTHER: Duration = Duration::from_secs(30);
/// Entering IDLE before the mail goes out.
const SETTLE: Duration = Duration::from_millis(500);

/// How one mail came in.
#[derive(Clone, Debug)]
struct Arrival {
    mail: Mail,
    internal_date: Option<UtcMs>,
    /// Since it was accepted; none: found by looking.
    announced_in: Option<Duration>,
    fetched_in: Duration,
}

/// What became of a mail that was accepted.
#[derive(Clone, Debug)]
enum Fate {
    /// Not seen in time.
    Missing,
    /// It came back as undeliverable.
    Returned,
    /// It came in.
    Arrived(Box<Arrival>),
}

/// What waits for mails in the open mailbox.
#[derive(Debug)]
struct Lookout<'a> {
    session: &'a mut Session,
    watch: Watch,
    bell: Doorbell,
    stop: CancellationToken,
    /// The next UID to look at.
    next_uid: u32,
}

impl Patient {
    /// Sends, waits, and reports. The session is closed afterwards.
    pub(super) async fn send_test(
        &self,
        mut session: Session,
        explorer: Explorer<'_>,
        group: &mut Group,
        clocks: &mut Vec<Seen>,
    ) {
        let vault = self.vault.clone();
        let mailer = explorer.into_mailer(self.account.name.clone(), vault);
        if let Err(e) = self.test(&mut session, &mailer, group, clocks).await {
            let fault = fault::of_imap(&e);
            group.add(Check::fault(
                "test.delivery",
                fault,
                format!("while waiting: {e}"),
            ));
        }
        mailer.close().await;
        if !session.is_broken() {
            session.logout().await;
        }
    }

    async fn test(
        &self,
        session: &mut Session,
        mailer: &Mailer,
        group: &mut Group,
        clocks: &mut Vec<Seen>,
    ) -> Result<(), ImapError> {
        let address = &self.account.address;
        let Some(first) = self.build(address, group) else {
            return Ok(());
        };
        let began = Instant::now();
        let until = began + self.options.deadline;
        let mut lookout = self.lookout(session).await?;
        lookout.settle().await?;
        self.say(&format!("sending a mail to {address}"));
        let Some(accepted) = self.hand_over(mailer, &first, group).await else {
            return Ok(());
        };
        let accepted_at = time::now();
        self.say("accepted; waiting for it to come in");
        let mut fates = lookout.await_mails(&[&first], accepted, until).await?;
        let arrival = match fates.pop() {
            Some(Fate::Arrived(arrival)) => arrival,
            Some(Fate::Returned) => {
                lookout.leave().await?;
                let detail = "it came back as undeliverable; the report lies in the mailbox";
                group.add(Check::fault("test.delivery", Fault::TestMailLost, detail));
                return Ok(());
            }
            _ => {
                lookout.leave().await?;
                return self.lost(session, &first, group).await;
            }
        };
        if let Some(theirs) = arrival.internal_date {
            clocks.push(Seen::new(
                "INTERNALDATE of the test mail",
                theirs,
                accepted_at,
            ));
        }
        delivery(&arrival, accepted.duration_since(began), &lookout, group);
        message_id(&arrival, &first, group);
        self.authentication(&arrival, group);
        self.further(&mut lookout, mailer, group).await?;
        lookout.leave().await?;
        self.sent_copy(session, &first, group).await
    }

    /// Tells people who wait.
    fn say(&self, what: &str) {
        (self.options.progress)(&format!("{}: {what}", self.account.name));
    }

    fn build(&self, to: &str, group: &mut Group) -> Option<TestMail> {
        let mut random = [0; 16];
        let made = getrandom::fill(&mut random)
            .map_err(|e| e.to_string())
            .and_then(|()| {
                let (from, keys) = (&self.account.address, self.keys.as_deref());
                TestMail::build(from, to, keys, random, time::now()).map_err(|e| e.to_string())
            });
        made.map_err(|e| group.add(Check::fault("test.delivery", Fault::Unexpected, e)))
            .ok()
    }

    async fn lookout<'s>(&self, session: &'s mut Session) -> Result<Lookout<'s>, ImapError> {
        let name = self
            .account
            .mailboxes
            .first()
            .map_or("INBOX", String::as_str);
        let open = session.examine(name).await?;
        let next_uid = match open.uid_next {
            Some(next) => next,
            // mail.163.com and Winmail say none.
            None => {
                let today = session.search_since(time::now()).await?;
                today
                    .into_iter()
                    .max()
                    .map_or(1, |uid| uid.saturating_add(1))
            }
        };
        let watch = Watch::new(session.capabilities(), Pipelining::No, LOOK * 3);
        Ok(Lookout {
            session,
            watch,
            bell: Doorbell::default(),
            stop: CancellationToken::new(),
            next_uid,
        })
    }

    /// When it was accepted; none: it was not, and that is told.
    async fn hand_over(
        &self,
        mailer: &Mailer,
        mail: &TestMail,
        group: &mut Group,
    ) -> Option<Instant> {
        let outgoing = OutgoingMail {
            envelope_from: &self.account.smtp.envelope_from,
            envelope_to: &mail.to,
            raw: &mail.raw,
        };
        let sent: Result<Outcome, Infallible> = mailer.send(&outgoing, async || Ok(())).await;
        let Ok(outcome) = sent;
        let (why, code, text) = match outcome {
            Outcome::Sent { .. } => return Some(Instant::now()),
            Outcome::Deferred {
                why, code, text, ..
            }
            | Outcome::Rejected { why, code, text } => (why, code, text),
            Outcome::Unknown { why } => (None, None, why),
        };
        let fault = why.map_or(Fault::MailRefused, |why| fault::of_smtp(why, code, &text));
        group.add(Check::fault(
            "test.delivery",
            fault,
            format!("to {}: {text}", mail.to),
        ));
        None
    }

    /// It did not come: perhaps it lies in the spam folder.
    async fn lost(
        &self,
        session: &mut Session,
        mail: &TestMail,
        group: &mut Group,
    ) -> Result<(), ImapError> {
        let check = "test.delivery";
        let seconds = self.options.deadline.as_secs();
        let junk = session.find_folders().await?.junk;
        if let Some(junk) = junk
            && holds(session, &junk, mail).await?
        {
            group.add(Check::fault(
                check,
                Fault::TestMailInSpam,
                format!("folder {junk}"),
            ));
            return Ok(());
        }
        let name = self
            .account
            .mailboxes
            .first()
            .map_or("INBOX", String::as_str);
        let detail = format!("it was accepted and is not in {name} after {seconds} s");
        group.add(Check::fault(check, Fault::TestMailLost, detail));
        Ok(())
    }

    /// By which name the server signs what it found out about senders.
    fn authentication(&self, arrival: &Arrival, group: &mut Group) {
        let check = "test.authserv_id";
        let set = &self.account.folders.authserv_ids;
        let seen = authserv_ids(&arrival.mail);
        let known = |id: &String| {
            set.iter().any(|s| match s.strip_prefix("*.") {
                Some(domain) => id.ends_with(&format!(".{domain}")) || id == domain,
                None => s == id,
            })
        };
        let found = match (seen.first(), set.is_empty()) {
            (None, _) => Check::ok(
                check,
                "the server wrote no Authentication-Results into a mail from itself",
            ),
            (Some(id), _) if known(id) => Check::ok(
                check,
                format!("the server signs as {id}, as the settings say"),
            ),
            (Some(id), true) => Check::ok(
                check,
                format!(
                    "the server signs as {id}: with `authserv_id = \"{id}\"` of the account, \
                     senders of replies are verified by it"
                ),
            ),
            (Some(id), false) => Check::warning(
                check,
                format!(
                    "the server signs as {id}, the settings say {}",
                    set.join(", ")
                ),
                format!("Set `authserv_id = \"{id}\"` of the account, if that is its own server."),
            ),
        };
        group.add(found.with("seen", seen));
    }

    /// Does `user+token@domain` come in, and the envelope sender, where nobody watches it?
    async fn further(
        &self,
        lookout: &mut Lookout<'_>,
        mailer: &Mailer,
        group: &mut Group,
    ) -> Result<(), ImapError> {
        let mut random = [0; 16];
        let fresh = getrandom::fill(&mut random).is_ok();
        // As long as those of real mails: a server may cut or refuse what is longer than it likes.
        let token = msgid::payload_of(&random);
        let plus = matcher::reply_address_with(&self.account.address, &token).filter(|_| fresh);
        if plus.is_none() {
            let text = "the address is too long to carry a token: replies are matched without it";
            group.add(Check::skipped("test.plus_address", text));
        }
        let bounces = (!self.is_watched(&self.account.smtp.envelope_from))
            .then(|| self.account.smtp.envelope_from.clone());
        let mut mails = Vec::new();
        for (check, to) in [("test.plus_address", plus), ("test.bounces", bounces)] {
            let Some(to) = to else { continue };
            self.say(&format!("sending a mail to {to}"));
            let mut refused = Group::new(None);
            let built = self.build(&to, &mut refused);
            if let Some(mail) = built
                && self.hand_over(mailer, &mail, &mut refused).await.is_some()
            {
                mails.push((check, mail));
            } else {
                let why = refused.checks.first().map(|c| c.text.clone());
                self.proven(check, &to, false, why, group).await;
            }
        }
        let accepted = Instant::now();
        let wanted: Vec<&TestMail> = mails.iter().map(|(_, mail)| mail).collect();
        let until = accepted + FURTHER.min(self.options.deadline);
        let fates = lookout.await_mails(&wanted, accepted, until).await?;
        for ((check, mail), fate) in mails.iter().zip(fates) {
            let (arrived, why) = match fate {
                // Where it arrived must still show which mail it answers.
                Fate::Arrived(a) if *check == "test.plus_address" => {
                    let kept = matcher::reply_tokens(&a.mail).contains(&token);
                    (kept, Some("it came in without its token".to_owned()))
                }
                Fate::Arrived(_) => (true, None),
                Fate::Returned => (false, Some("it came back as undeliverable".to_owned())),
                Fate::Missing => (false, None),
            };
            self.proven(check, &mail.to, arrived, why, group).await;
        }
        Ok(())
    }

    async fn proven(
        &self,
        check: &'static str,
        to: &str,
        arrived: bool,
        why: Option<String>,
        group: &mut Group,
    ) {
        let why = why.unwrap_or_else(|| "it was accepted and did not come in".to_owned());
        if check == "test.bounces" {
            group.add(if arrived {
                Check::ok(check, format!("mail to {to} comes into this mailbox"))
            } else {
                Check::fault(check, Fault::SenderNotWatched, format!("{to}: {why}"))
            });
            return;
        }
        let never = self.account.reply_address == ReplyAddress::Never;
        let text = if arrived && never {
            format!(
                "mail to {to} comes in; `reply_address` is never: answers are matched without it"
            )
        } else if arrived {
            format!("mail to {to} comes in: answers are asked for at such addresses from now on")
        } else {
            format!("mail to {to} does not come in ({why}): replies are matched without it")
        };
        group.add(Check::ok(check, text).with("arrives", arrived));
        let (Some(store), Some(row)) = (&self.store, &self.row) else {
            return;
        };
        let (id, address) = (row.id, self.account.address.clone());
        let kept: Result<(), StoreError> = store
            .write(move |tx| tx.note_reply_address(id, &address, arrived, time::now()))
            .await;
        if let Err(e) = kept {
            group.add(Check::fault(check, fault::of_store(&e), e));
        }
    }

    /// Whether the provider files what is sent.
    async fn sent_copy(
        &self,
        session: &mut Session,
        mail: &TestMail,
        group: &mut Group,
    ) -> Result<(), ImapError> {
        let check = "test.sent_copy";
        let Some(folder) = session.find_folders().await?.sent else {
            group.add(Check::skipped(check, "there is no Sent folder"));
            return Ok(());
        };
        let filed = holds(session, &folder, mail).await?;
        let save = self.account.folders.save_sent;
        group.add(match (filed, save) {
            (true, SaveSent::Always) => Check::warning(
                check,
                format!("the provider files sent mails in {folder} by itself"),
                "Set `save_sent` of the account to auto, or each mail lies there twice.",
            ),
            (true, _) => Check::ok(
                check,
                format!("the provider files sent mails in {folder} by itself"),
            ),
            (false, SaveSent::Never) => Check::ok(
                check,
                format!("none in {folder}, and `save_sent` is never: people do not see our mails there"),
            ),
            (false, _) => Check::ok(
                check,
                format!("the provider files none in {folder}: replyd does (`save_sent`)"),
            ),
        }
        .with("filed", filed));
        Ok(())
    }
}

impl Lookout<'_> {
    /// Enters IDLE, so that the mail finds us waiting.
    async fn settle(&mut self) -> Result<(), ImapError> {
        let until = Instant::now() + SETTLE;
        self.watch
            .wait(self.session, until, &self.bell, &self.stop)
            .await
            .map(|_| ())
    }

    /// Waits until all of `mails` came in, or `until`; an answer for each, in their order.
    async fn await_mails(
        &mut self,
        mails: &[&TestMail],
        accepted: Instant,
        until: Instant,
    ) -> Result<Vec<Fate>, ImapError> {
        let mut fates: Vec<Fate> = mails.iter().map(|_| Fate::Missing).collect();
        let missing = |fates: &[Fate]| fates.iter().any(|f| matches!(f, Fate::Missing));
        while missing(&fates) && Instant::now() < until {
            let look = until.min(Instant::now() + LOOK);
            let news = self
                .watch
                .wait(self.session, look, &self.bell, &self.stop)
                .await?;
            let announced = match news {
                News::Announced { at } => Some(at.saturating_duration_since(accepted)),
                _ => {
                    // Only a command makes a server that does not push tell what is new.
                    self.watch.leave(self.session).await?;
                    self.session.noop().await?;
                    None
                }
            };
            let mut fetch = self.watch.fetch_news(self.session, self.next_uid).await?;
            let mut next_uid = self.next_uid;
            while let Some(message) = fetch.next().await? {
                next_uid = next_uid.max(message.uid.saturating_add(1));
                let came = mime::parse(&message.body.unwrap_or_default());
                for (mail, fate) in mails.iter().zip(fates.iter_mut()) {
                    if mail.is(&came) {
                        *fate = Fate::Arrived(Box::new(Arrival {
                            mail: came.clone(),
                            internal_date: message.internal_date,
                            announced_in: announced,
                            fetched_in: accepted.elapsed(),
                        }));
                    } else if mail.is_returned_by(&came) {
                        *fate = Fate::Returned;
                    }
                }
            }
            self.next_uid = next_uid;
        }
        Ok(fates)
    }

    async fn leave(&mut self) -> Result<(), ImapError> {
        self.watch.leave(self.session).await
    }
}

/// Whether this folder holds the mail; one that cannot be opened or searched does not.
async fn holds(session: &mut Session, folder: &str, mail: &TestMail) -> Result<bool, ImapError> {
    let searched = match session.examine(folder).await {
        Ok(_) => session.search_id(time::now(), MARK, &mail.id).await,
        Err(e) => Err(e),
    };
    match searched {
        Ok(uids) => Ok(uids.is_some_and(|u| !u.is_empty())),
        Err(e) if e.leaves_session_usable() => Ok(false),
        Err(e) => Err(e),
    }
}

fn delivery(arrival: &Arrival, accepted_in: Duration, lookout: &Lookout<'_>, group: &mut Group) {
    let check = "test.delivery";
    let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    let (accepted, fetched) = (ms(accepted_in), ms(arrival.fetched_in));
    let found = match (arrival.announced_in, lookout.watch.mode()) {
        (Some(announced), _) => {
            let pushed = ms(announced);
            let text = format!(
                "accepted in {accepted} ms, announced {pushed} ms later, fetched {fetched} ms after \
                 it was accepted"
            );
            Check::ok(check, text).with("announced_ms", pushed)
        }
        (None, Mode::Poll) => Check::ok(
            check,
            format!("accepted in {accepted} ms, found by the poll {fetched} ms later"),
        ),
        (None, Mode::Idle) => {
            let detail = format!("the test mail was found {fetched} ms later, and no push came");
            Check::fault(check, Fault::IdleBroken, detail)
        }
    };
    group.add(
        found
            .with("accepted_ms", accepted)
            .with("fetched_ms", fetched),
    );
}

fn message_id(arrival: &Arrival, sent: &TestMail, group: &mut Group) {
    let check = "test.message_id";
    let now = arrival
        .mail
        .message_id
        .as_ref()
        .map(|id| id.as_str().to_owned());
    let kept = now.as_deref() == Some(sent.id.as_str());
    let found = if kept {
        Check::ok(check, "the provider keeps our Message-IDs")
    } else {
        let remedy = "Replies will name the provider's ids: replyd learns them from the answer to \
                      each mail and from the Sent folder; keep `sent_folder` on.";
        Check::warning(check, "the provider replaces our Message-IDs", remedy)
    };
    group.add(found.with("kept", kept).with("became", now));
}
