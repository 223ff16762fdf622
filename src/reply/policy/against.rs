//! What stands against an automatic mail, whatever the lead wants: age, doubt, brakes.

use std::time::Duration;

use super::facts::Situation;
use crate::config::ReplySettings;
use crate::matcher;
use crate::model::{CaptureSource, Disposition, SenderAuth};
use crate::time::UtcMs;

/// A mail may have come this long before its parent was known here.
const PARENT_GRACE: Duration = Duration::from_secs(10 * 60);
/// Brake: automatic mails to one lead in [`LEAD_GAP`].
const PER_LEAD_IN_GAP: u32 = 1;
/// The gap of that brake.
pub const LEAD_GAP: Duration = Duration::from_secs(10 * 60);
/// Brake: automatic mails in one thread.
const PER_THREAD: u32 = 3;
/// Brake: automatic mails to one lead in [`DAY`].
const PER_LEAD_IN_DAY: u32 = 4;
/// The day of the brakes: 24 hours back from now.
pub const DAY: Duration = Duration::from_secs(24 * 3600);
/// The hour of the cap of sales notices.
pub const HOUR: Duration = Duration::from_secs(3600);
/// Whether what was said then is said now: a word of last week does not end what was asked since.
#[must_use]
pub fn is_of_now(said: UtcMs, now: UtcMs) -> bool {
    now.since(said) <= DAY
}

/// Why a message is too old to be answered automatically; empty: it is not.
#[must_use]
pub fn old_mail_reasons(s: &Situation, max_age: Duration) -> Vec<String> {
    let mut why = Vec::new();
    let mut add = |word: &str| why.push(format!("old mail: {word}"));
    if s.old_mail {
        add("marked at capture");
    }
    if !matches!(s.source, CaptureSource::Live | CaptureSource::CatchUp) {
        add(&format!("captured by {}", s.source));
    }
    // INTERNALDATE has whole seconds: the second of the start itself counts as later.
    if s.internal_date.0
        < s.first_started_at
            .0
            .saturating_sub(s.first_started_at.0 % 1000)
    {
        add("came before the account's first start");
    }
    match s.parent_known_at {
        Some(known) if s.internal_date < known.minus(PARENT_GRACE) => {
            add("came before the mail that it answers was known");
        }
        Some(_) => {}
        None => add("answers no known mail"),
    }
    if s.now.since(s.internal_date) > max_age {
        add("older than answer_max_age");
    }
    why
}

const SPAM: &str = "it lay in the spam folder, and our server does not vouch for its sender";
pub(super) const SUPPRESSED: &str = "the address is suppressed";

/// The same text twice, theirs and ours: two machines may be talking to each other.
const SAME_REPLY: &str = "the same reply came before in the thread";
const SAME_TEXT: &str = "brake: the same text went out in the thread before";

/// Whether the same text twice is what stands against it.
pub(super) fn is_flagged(s: &Situation) -> bool {
    s.equal_reply_before || s.equal_text_before
}

/// Everything that stands against an automatic mail, whatever the intent.
pub(super) fn reasons_against(s: &Situation, settings: &ReplySettings) -> Vec<String> {
    let mut why = old_mail_reasons(s, settings.answer_max_age);
    why.extend(
        s.automation_off
            .iter()
            .map(|off| format!("automation is off {off}")),
    );
    why.extend(
        s.decided_by_person
            .iter()
            .map(|what| format!("a person has decided it: {what}")),
    );
    let mut add = |hit: bool, word: &str| {
        if hit {
            why.push(word.to_owned());
        }
    };
    add(s.suppressed, SUPPRESSED);
    add(s.dead_address, "the lead's address bounced for good");
    add(!s.campaign_active, "the campaign is not active");
    add(
        s.disposition == Disposition::ReplyUnverified || !s.sender_verified,
        "the sender is not verified",
    );
    add(s.from_spam && s.sender_auth != SenderAuth::Pass, SPAM);
    add(
        s.match_confidence < matcher::SURE,
        "the match is not sure: no header names the mail that it answers",
    );
    add(
        s.disposition == Disposition::HumanUncertain,
        "weak signs of a machine",
    );
    add(s.disposition == Disposition::Unreadable, "not readable");
    add(
        !s.visible_sure || !s.has_text,
        "the newly written text is not sure",
    );
    add(s.duplicate_id, "its Message-ID was used for another mail");
    add(!s.language_known, "no template in its language");
    add(s.person_wrote, "a person wrote in the thread");
    add(
        s.newer.decided,
        "the lead wrote again since, and that was decided",
    );
    add(s.equal_reply_before, SAME_REPLY);
    let c = &s.counts;
    if !s.resend {
        add(
            c.for_message > 0,
            "brake: this reply has its automatic mail",
        );
        add(
            c.lead_in_gap >= PER_LEAD_IN_GAP,
            "brake: one automatic mail to a lead in 10 minutes",
        );
        add(s.equal_text_before, SAME_TEXT);
    }
    add(
        c.in_thread >= PER_THREAD,
        "brake: three automatic mails in a thread",
    );
    add(
        c.lead_in_day >= PER_LEAD_IN_DAY,
        "brake: four automatic mails to a lead in a day",
    );
    add(
        c.account_in_day >= settings.automatic_per_day,
        "brake: automatic mails of the account in a day",
    );
    add(
        c.domain_in_day >= settings.automatic_per_domain,
        "brake: automatic mails to the lead's domain in a day",
    );
    why
}
