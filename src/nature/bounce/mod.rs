//! Delivery reports: by structure (RFC 3464, `X-Failed-Recipients`), else by wording and the
//! marks of a mail system, because half of all real ones have no multipart/report.

mod notification;
mod reason;
mod recipients;
mod returned;

use std::cell::OnceCell;

use serde::Serialize;

use super::fold::fold;
use super::lexicon::{self, Cue, Cues};
use super::subject::Subject;
use crate::mime::{Mail, RecipientStatus};
use crate::msgid::MsgId;

pub(super) use notification::{Notification, read as notification};
pub(super) use returned::original_id;

/// Compiles what this needs.
pub(super) fn warm_up() {
    reason::warm_up();
}

/// What of a report's own text is folded and searched for phrases.
const MAX_WORDS_BYTES: usize = 6 * 1024;
/// Points at which wording makes a bounce.
const ENOUGH: u32 = 4;

/// How far the delivery got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BounceClass {
    /// It failed.
    Failed,
    /// Not yet delivered, still tried.
    Delayed,
    /// It was delivered, relayed or expanded: a success report.
    Delivered,
}

/// What a delivery report says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bounce {
    /// Failed, delayed or delivered.
    pub class: BounceClass,
    /// Enhanced status code (RFC 3463) of the failure, where it is said.
    pub status: Option<String>,
    /// Whether the failure is permanent (5.x.x) or transient (4.x.x), where it says.
    pub permanent: Option<bool>,
    /// Whether an address is gone, so that nothing must be sent to it again. Full, blocked,
    /// temporarily disabled and refused mailboxes are not gone (docs/DECISIONS.md, "Bounces").
    pub address_dead: Option<bool>,
    /// The addresses that failed, as written; of a forwarded one also the original. At most 50.
    pub recipients: Vec<String>,
    /// The Message-ID of the mail that did not arrive.
    pub original_message_id: Option<MsgId>,
}

impl Bounce {
    /// Whether the address that it is about is dead (`Some(true)`: nothing more is sent to it), or
    /// the failure is a soft one that is only counted; `None` for a success report. A failure that
    /// says neither counts as final: the other server gave up.
    #[must_use]
    pub fn marks_dead(&self) -> Option<bool> {
        match self.class {
            BounceClass::Delivered => None,
            BounceClass::Delayed => Some(false),
            BounceClass::Failed => Some(self.address_dead.unwrap_or(self.permanent != Some(false))),
        }
    }
}

/// A mail as a delivery report, each view made when it is first wanted.
pub(super) struct Report<'m> {
    mail: &'m Mail,
    subject: &'m Subject,
    own: OnceCell<&'m str>,
    cues: OnceCell<Vec<Cue>>,
}

impl<'m> Report<'m> {
    pub(super) fn new(mail: &'m Mail, subject: &'m Subject) -> Self {
        Self {
            mail,
            subject,
            own: OnceCell::new(),
            cues: OnceCell::new(),
        }
    }

    /// The report's own text: before the returned mail, and bounded.
    fn own_words(&self) -> &'m str {
        self.own
            .get_or_init(|| returned::before_returned(&self.mail.text))
    }

    /// The phrases of its own text, each as often as it stands there.
    fn cues(&self) -> &[Cue] {
        self.cues.get_or_init(|| {
            let folded = fold(self.own_words(), MAX_WORDS_BYTES);
            lexicon::in_report(&folded).iter().map(|h| h.cue).collect()
        })
    }

    fn says(&self, cue: Cue) -> bool {
        self.cues().contains(&cue)
    }

    /// A report by its parts or its header.
    pub(super) fn by_structure(&self) -> Option<(Bounce, Vec<String>)> {
        let mail = self.mail;
        let mut why = Vec::new();
        let status_part = mail
            .report
            .as_ref()
            .is_some_and(|r| !r.recipients.is_empty());
        if status_part {
            why.push("delivery status part".to_owned());
        }
        let is_report = super::report_type_is(mail, "delivery-status");
        if is_report {
            why.push("multipart/report delivery-status".to_owned());
        }
        if mail.header("x-failed-recipients").is_some() {
            why.push("X-Failed-Recipients".to_owned());
        }
        if why.is_empty() {
            return None;
        }
        // A person may forward a report, or answer with its parts attached.
        let forwards = self.subject.forwards;
        let by_person =
            forwards || !is_report && (!mail.in_reply_to.is_empty() || self.subject.answers);
        let top = mail.content_type.starts_with("message/");
        let machine = is_daemon(mail) || null_sender(mail) || top && !forwards;
        let reads_so =
            is_report || self.subject.bounce || self.says(Cue::Failed) || self.says(Cue::Delayed);
        (machine || !by_person && reads_so).then(|| (self.describe(), why))
    }

    /// A reject in the form of a disposition notification (RFC 5429 §2.1.1, as Dovecot sends
    /// it): from a mail system, about a mail that it threw away.
    pub(super) fn by_rejection(&self) -> Option<(Bounce, Vec<String>)> {
        let mail = self.mail;
        let disposition = mail.disposition.as_deref()?.to_ascii_lowercase();
        let by_machine =
            disposition.contains("automatic-action") && disposition.contains("deleted");
        let rejects = is_daemon(mail) || self.subject.bounce;
        (by_machine && rejects).then(|| {
            (
                self.describe(),
                vec!["rejected by the mail system".to_owned()],
            )
        })
    }

    /// A mail that a mailing list does not take (fml says so in a form of its own).
    pub(super) fn by_list(&self) -> Option<(Bounce, Vec<String>)> {
        let server = self.mail.header("x-mlserver")?.to_ascii_lowercase();
        let id = self.mail.message_id.as_ref()?.as_str();
        let by_program = server.contains("fml") && (id.contains(".FML") || id.contains("fml"));
        let said = format!(
            "{} {}",
            self.mail.subject,
            super::prefix(self.own_words(), 400)
        );
        let said = super::fold::fold_phrase(&said);
        let refuses = [
            "not member",
            "not a member",
            "reject",
            "loop alert",
            "loop back",
            "system error",
            "duplicated message",
        ];
        (by_program && refuses.iter().any(|w| said.contains(w))).then(|| {
            let mut bounce = self.describe();
            bounce.address_dead = Some(false);
            (bounce, vec!["refused by a mailing list".to_owned()])
        })
    }

    /// A report by what it says, and who sent it.
    pub(super) fn by_wording(&self) -> Option<(Bounce, Vec<String>)> {
        let (mail, subject) = (self.mail, self.subject);
        let (daemon, null) = (is_daemon(mail), null_sender(mail));
        let automatic = marked_automatic(mail);
        // The text of a person's mail is not looked at.
        let titled = subject.bounce || subject.bounce_at_end;
        let plausible = daemon || null || automatic || titled;
        let answers = subject.answers && !daemon && !subject.bounce_at_end;
        if !plausible || subject.forwards || answers {
            return None;
        }
        // A vacation notice has the null sender too, and may say that nothing is delivered.
        if subject.automatic || subject.away {
            return None;
        }
        let own = self.own_words();
        let technical = reason::has_code(own);
        let returned = returned::is_returned(mail);
        let failed = self.cues().iter().filter(|c| **c == Cue::Failed).count();
        let signs = [
            (2, daemon, "mail system as sender"),
            (1, null, "null sender"),
            (2, titled, "subject of a delivery report"),
            (2, failed > 0, "text of a delivery failure"),
            (1, failed > 2, "several such sentences"),
            (1, returned, "returned mail"),
            (1, technical, "status code"),
            (
                1,
                self.says(Cue::Delayed) || subject.delayed,
                "text of a delay",
            ),
        ];
        let points: u32 = signs.iter().filter(|s| s.1).map(|s| s.0).sum();
        let reports = daemon || titled || returned && failed > 0;
        // Parcels are delivered or not, too: without a mail system as its sender a report shows
        // the mail that it is about, or the code, or the address.
        let names = || titled && failed > 0 && recipients::names_one(self);
        let shows = daemon || returned || technical && null || names();
        // A colleague tells so too, in words of his own, with a greeting or a closing.
        let shows = shows && (daemon || null || automatic || !reads_like_a_letter(own));
        // A person can write about failures under such a subject, and put a report below.
        let by_person = !daemon
            && !null
            && !automatic
            && (!mail.in_reply_to.is_empty()
                || points <= ENOUGH
                || asks(own)
                || self.is_personal());
        if points < ENOUGH || !reports || !shows || by_person {
            return None;
        }
        let why = signs
            .iter()
            .filter(|s| s.1)
            .map(|s| s.2.to_owned())
            .collect();
        Some((self.describe(), why))
    }

    /// A person's words stand before the first words of a failure.
    fn is_personal(&self) -> bool {
        let folded = fold(self.own_words(), MAX_WORDS_BYTES);
        let hits = lexicon::in_report(&folded);
        let first = hits
            .iter()
            .filter(|h| h.cue == Cue::Failed)
            .map(|h| h.start)
            .min();
        let before = folded
            .get(..first.unwrap_or(folded.len()))
            .unwrap_or_default();
        let wants = lexicon::in_reply(before).iter().any(|h| h.cue == Cue::Want);
        wants || before.contains('?')
    }

    fn statuses(&self) -> impl Iterator<Item = &'m RecipientStatus> {
        let own = self
            .mail
            .report
            .as_ref()
            .filter(|r| !r.recipients.is_empty());
        own.or(self.mail.nested_report.as_ref())
            .into_iter()
            .flat_map(|r| &r.recipients)
    }

    fn describe(&self) -> Bounce {
        let class = self.class();
        let failures = recipients::of(self, class);
        let told = reason::tell(&failures, self);
        let (permanent, address_dead) = match class {
            BounceClass::Delivered => (None, Some(false)),
            BounceClass::Delayed => (Some(false), Some(false)),
            BounceClass::Failed => (told.permanent, told.address_dead),
        };
        Bounce {
            class,
            status: told.status,
            permanent,
            address_dead,
            recipients: recipients::addresses(&failures),
            original_message_id: original_id(self.mail).or_else(|| {
                let by_system = is_daemon(self.mail) || null_sender(self.mail);
                let answered = returned::answered_id(self.mail);
                answered.filter(|_| by_system && class != BounceClass::Delivered)
            }),
        }
    }

    fn class(&self) -> BounceClass {
        let actions: Vec<&str> = self
            .statuses()
            .map(|r| r.action.as_str())
            .filter(|a| !a.is_empty())
            .collect();
        if actions.contains(&"failed") {
            return BounceClass::Failed;
        }
        if actions.contains(&"delayed") {
            return BounceClass::Delayed;
        }
        let delivered = |a: &&str| matches!(*a, "delivered" | "relayed" | "expanded");
        if !actions.is_empty() && actions.iter().all(delivered) {
            return BounceClass::Delivered;
        }
        let mut cues = Cues::default();
        for cue in self.cues() {
            cues.add(*cue);
        }
        let delayed = cues.has(Cue::Delayed) || self.subject.delayed;
        let gave_up = cues.has(Cue::GaveUp) || self.subject.gave_up;
        // Of a warning and of a failure the subject says which.
        if self.subject.delayed && !self.subject.gave_up && !self.says_gave_up_outright() {
            return BounceClass::Delayed;
        }
        if delayed && !gave_up {
            BounceClass::Delayed
        } else {
            BounceClass::Failed
        }
    }

    /// More than a mention that it will give up some day.
    fn says_gave_up_outright(&self) -> bool {
        self.cues().iter().filter(|c| **c == Cue::GaveUp).count() > 1 && !self.says(Cue::Delayed)
    }
}

/// It greets the reader at its beginning, or closes with a person's regards.
fn reads_like_a_letter(own_words: &str) -> bool {
    let folded = fold(own_words, MAX_WORDS_BYTES);
    let hits = lexicon::in_reply(&folded);
    hits.iter()
        .any(|h| h.cue == Cue::Close || h.cue == Cue::Greet && h.start == 0)
}

/// A question of the person who sends a report on.
fn asks(own_words: &str) -> bool {
    let head = super::prefix(own_words, 600);
    head.contains('?') && !head.contains("?=")
}

fn marked_automatic(mail: &Mail) -> bool {
    mail.header("auto-submitted").is_some_and(|v| {
        let v = v.trim().to_ascii_lowercase();
        !v.is_empty() && !v.starts_with("no")
    })
}

pub(super) fn null_sender(mail: &Mail) -> bool {
    let path = mail.return_path.as_deref();
    let mbox_daemon = path.is_some_and(|p| {
        let local = p.rsplit_once('@').map_or(p, |(local, _)| local);
        local.eq_ignore_ascii_case("mailer-daemon")
    });
    path == Some("") || mbox_daemon
}

/// From a mail system, by address or by name.
pub(super) fn is_daemon(mail: &Mail) -> bool {
    let Some(from) = &mail.from else {
        // `From: MAILER-DAEMON` and `From: <>` are no addresses.
        let raw = mail.header("from").unwrap_or_default().to_ascii_lowercase();
        let empty = raw.trim().ends_with("<>");
        return raw.contains("daemon") || raw.contains("postmaster") || empty;
    };
    let local = from
        .addr
        .rsplit_once('@')
        .map_or(from.addr.as_str(), |(local, _)| local);
    is_daemon_local(local) || is_daemon_name(&from.name)
}

fn is_daemon_name(name: &str) -> bool {
    let name = super::fold::fold_phrase(super::prefix(name, 200));
    [
        "mail delivery s",
        "mail delivery agent",
        "mail deliver s",
        "mailer daemon",
        "mailerdaemon",
        "maildaemon",
        "mail daemon",
        "delivery subsystem",
        "delivery system",
        "delivery notification",
        "postmaster",
        "ndr administrator",
        "mail administrator",
        "microsoft outlook postmaster",
        "internet mail delivery",
        "bounce administrator",
        "systeme de distribution",
        "mail transfer",
    ]
    .iter()
    .any(|w| name.contains(w))
        || matches!(
            name.as_str(),
            "system administrator"
                | "systemadministrator"
                | "mail system"
                | "email system"
                | "administrador del sistema"
                | "administrateur systeme"
                | "amministratore sistema"
                | "administrador de sistema"
                | "systeembeheerder"
                | "systemadministratoren"
                | "システム管理者"
                | "系统管理员"
                | "microsoft outlook"
        )
}

/// Local parts of mail systems.
pub(super) fn is_daemon_local(local: &str) -> bool {
    let plain: String = local
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    matches!(
        plain.as_str(),
        "maildaemon"
            | "mdaemon"
            | "daemon"
            | "systemadministrator"
            | "ndr"
            | "maildeliverysystem"
            | "mailsystem"
            | "maildelivery"
            | "deliverysubsystem"
            | "imss"
            | "nondelivery"
            | "undeliverable"
            | "microsoftexchange329e71ec88ae4615bbc36ab6ce41109e"
    ) || plain.starts_with("mailerdaemon")
        || plain.starts_with("postmaster")
        || plain.starts_with("microsoftexchange329")
        || plain.ends_with("mailerdaemon")
        || plain.ends_with("postmaster")
}

#[cfg(test)]
mod address_tests;
#[cfg(test)]
mod tests;
