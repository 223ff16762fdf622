//! The digest to sales: one mail for replies that got no notice of their own.
//!
//! When it is due:
//! * **Old mail** (a first run, `check`, a long catch-up): when its burst is over. The caller
//!   says so (`flush`, after a first run or at the end of `--once`), else when no item came for
//!   60 seconds, and in any case after 30 minutes. It waits while jobs of old mail are pending,
//!   so a first start makes one digest, not one a batch.
//! * **Overflow** of the hourly notices: an hour after the first item, so one an hour.
//! * **Unmatched** mail of leads: a day after the first item, so one a day; `flush` does not
//!   hurry it, or cron would send one a minute.
//!
//! A digest that cannot be built (a broken address or template of the settings) is tried again
//! once an hour, by all processes together; until then the reason stands in the store.
//!
//! Whatever makes it due, it tells everything that is open, as far as one mail has room; what it
//! does not list stays open, and is due at once: sales are told of every reply by its line.

use std::time::Duration;

use super::Parts;
use super::compose::{self, Draftable};
use super::policy::{DAY, DigestReason, HOUR};
use super::step::StepError;
use super::templates::{DigestLine, DigestText};
use crate::model::{Address, Inserted, MailKind, MessageRowId};
use crate::store::{DigestItem, Reader, StoreError, Tx};
use crate::time::UtcMs;

/// A burst is over when nothing came for this long.
const QUIET: Duration = Duration::from_secs(60);
/// A burst that does not end is told of after this.
const LONGEST_BURST: Duration = Duration::from_secs(30 * 60);
/// Lines that are shown; the rest is counted, and stands in the next digest.
const SHOWN: u32 = 200;
/// Between two tries of a digest that cannot be built.
pub(super) const RETRY: Duration = Duration::from_secs(3600);
/// Characters of a reply in its line.
const LINE_CHARS: usize = 200;

/// Whether a digest is due.
pub(super) fn is_due(r: &Reader<'_>, now: UtcMs, flush: bool) -> Result<bool, StoreError> {
    // Also after a clock that ran ahead once.
    if let Some(failed) = r.digest_failure()?
        && failed.at <= now
        && now.since(failed.at) < RETRY
    {
        return Ok(false);
    }
    let waiting = |reason: DigestReason| r.digest_waiting(reason.as_str());
    if let Some(unmatched) = waiting(DigestReason::Unmatched)?
        && now.since(unmatched.oldest) >= DAY
    {
        return Ok(true);
    }
    for reason in [DigestReason::Overflow, DigestReason::Refused] {
        if waiting(reason)?.is_some_and(|w| now.since(w.oldest) >= HOUR) {
            return Ok(true);
        }
    }
    let Some(old) = waiting(DigestReason::OldMail)? else {
        return Ok(false);
    };
    if now.since(old.oldest) >= LONGEST_BURST {
        return Ok(true);
    }
    Ok((flush || now.since(old.newest) >= QUIET) && !r.old_mail_pending()?)
}

/// Queues one digest of what is open and marks what it lists as told. Whether there was one.
pub(super) fn queue(
    tx: &Tx<'_>,
    parts: &Parts,
    random: [u8; 16],
    now: UtcMs,
) -> Result<bool, StepError> {
    let (items, total) = tx.open_digest_items(SHOWN)?;
    let Some(first) = items.first() else {
        return Ok(false);
    };
    let accounts = &parts.settings.accounts;
    // The account of the first line may be gone from the settings: the digest concerns sales,
    // so any of ours may send it.
    let (account, account_id) = match accounts.iter().find(|a| a.name == first.account.1) {
        Some(account) => (account, first.account.0),
        None => {
            let account = accounts
                .first()
                .ok_or_else(|| StepError::NoAccount(first.account.1.clone()))?;
            (account, tx.ensure_account(&account.name, now)?.id)
        }
    };
    let lines: Vec<DigestLine> = items.iter().map(line).collect();
    let total = usize::try_from(total).unwrap_or(usize::MAX);
    let filled = parts.templates.digest(&DigestText {
        more: total.saturating_sub(lines.len()),
        items: lines,
        total,
        drafts_open: tx.reply_counts()?.drafts_open,
    })?;
    let mail = compose::compose(
        &Draftable {
            kind: MailKind::SalesDigest,
            job_id: None,
            round: 0,
            account_id,
            campaign_lead_id: None,
            by_person: false,
            from: Address {
                name: account.from_name.clone(),
                addr: account.address.clone(),
            },
            to: Address {
                name: String::new(),
                addr: parts.settings.reply.sales_email.clone(),
            },
            reply_to: None,
            subject: &filled.subject,
            body: &filled.body,
            in_reply_to: None,
            references: &[],
            envelope_from: &account.smtp.envelope_from,
            redirect_to: parts.settings.redirect_to.as_deref(),
        },
        &parts.keys,
        random,
        now,
    )?;
    let (Inserted::New(id) | Inserted::Duplicate(id)) = tx.enqueue(&mail, now)?;
    let told: Vec<MessageRowId> = items.iter().map(|item| item.message_id).collect();
    tx.close_digest_items(&told, id)?;
    Ok(true)
}

fn line(item: &DigestItem) -> DigestLine {
    let text = item.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut message: String = text.chars().take(LINE_CHARS).collect();
    if message.len() < text.len() {
        message.push('…');
    }
    DigestLine {
        name: item.lead_name.clone(),
        email: item.from_address.clone(),
        project: item.project.clone(),
        received: item.received.rfc3339(),
        why: why(item),
        intent: item.intent.clone(),
        message,
    }
}
/// Why a reply stands in a digest, in words.
fn why(item: &DigestItem) -> String {
    let why = match item.reason.as_str() {
        "old_mail" => "too old for an automatic answer",
        "unmatched" => "answers no mail that is known here",
        "overflow" => "too many notices in that hour",
        "refused" => "the server refused our answer, and the lead has got nothing",
        other => other,
    };
    let spam = if item.from_spam {
        ", it lay in the spam folder"
    } else {
        ""
    };
    format!("{why}{spam}")
}
