//! What becomes of a captured message: the decision table of docs/DECISIONS.md, first hit wins.
//! Pure. An opt-out by its text is set later, by the reply actor that reads it.

use crate::matcher::Search;
use crate::mime::Mail;
use crate::model::{Address, Disposition, MatchMethod, Nature};
use crate::nature::{BounceClass, Judged, Ours};

/// Decides, with the reasons. `sender_is_lead`: some lead has the sender's address.
#[must_use]
pub fn decide(
    mail: &Mail,
    judged: &Judged,
    search: &Search,
    sender_is_lead: bool,
    ours: &Ours,
) -> (Disposition, Vec<String>) {
    let (disposition, reason) = first_hit(mail, judged, search, sender_is_lead, ours);
    let mut reasons = vec![reason.to_owned()];
    reasons.extend(
        judged
            .evidence
            .iter()
            .map(|e| format!("{}: {e}", judged.nature)),
    );
    if let Some(found) = &search.found {
        reasons.push(format!(
            "matched by {} with confidence {:.2}",
            found.method, found.confidence
        ));
    }
    (disposition, reasons)
}

/// Whether this delivery report says that one of our notices to sales did not arrive: the
/// account's state is degraded, and a person has to look. A report of a delay is none yet.
#[must_use]
pub fn notice_bounced(disposition: Disposition, judged: &Judged, search: &Search) -> bool {
    let failed = |class| class == BounceClass::Failed;
    disposition == Disposition::Bounce
        && search.answers_notice
        && judged.bounce.as_ref().is_none_or(|b| failed(b.class))
}

fn first_hit(
    mail: &Mail,
    judged: &Judged,
    search: &Search,
    sender_is_lead: bool,
    ours: &Ours,
) -> (Disposition, &'static str) {
    if judged.nature == Nature::Own {
        return (Disposition::OwnMail, "our own mail");
    }
    // Whatever the mail program made of it: without a text, marked as automatic, forwarded.
    if search
        .found
        .as_ref()
        .is_some_and(|m| m.method == MatchMethod::Unsubscribe)
    {
        return (
            Disposition::OptOut,
            "our List-Unsubscribe word is in its subject",
        );
    }
    if let Some(reason) = internal(mail, judged, search, ours) {
        return (Disposition::Internal, reason);
    }
    match judged.nature {
        Nature::Bounce => return (Disposition::Bounce, "a delivery report"),
        Nature::Receipt => return (Disposition::Receipt, "a read receipt"),
        Nature::Complaint => return (Disposition::Complaint, "an abuse report"),
        Nature::Automatic => return (Disposition::AutoReply, "an automatic answer"),
        _ => {}
    }
    let matched = search.found.as_ref();
    if judged.nature == Nature::Unreadable {
        // Encrypted mail of strangers concerns nobody here.
        return if matched.is_some() || sender_is_lead {
            (Disposition::Unreadable, "content that cannot be read")
        } else {
            (Disposition::Ignored, "unreadable, and concerns nobody")
        };
    }
    match matched {
        Some(_) if judged.weak_signs => (
            Disposition::HumanUncertain,
            "matched, with weak signs of a machine",
        ),
        Some(m) if m.sender_verified() => {
            (Disposition::Reply, "matched, and the sender is the lead")
        }
        Some(_) => (
            Disposition::ReplyUnverified,
            "matched, but the sender is not the lead",
        ),
        // Also with weak signs: they stop an answer, never the capture.
        None if sender_is_lead => (
            Disposition::Unmatched,
            "from a lead, but answers nothing known",
        ),
        None => (Disposition::Ignored, "concerns nobody"),
    }
}

/// From sales or the operator, or answering one of our notices. A delivery report is a report
/// all the same, also from an operator's postmaster address: one about a notice degrades the
/// account's state.
fn internal(mail: &Mail, judged: &Judged, search: &Search, ours: &Ours) -> Option<&'static str> {
    if judged.nature == Nature::Bounce {
        return None;
    }
    let key = mail.from.as_ref().map(Address::key).unwrap_or_default();
    if !key.is_empty() {
        if ours.sales.contains(&key) {
            return Some("from sales");
        }
        if ours.operators.contains(&key) {
            return Some("from an operator");
        }
        if ours.addresses.contains(&key) {
            return Some("from one of our addresses");
        }
    }
    search
        .answers_notice
        .then_some("answers one of our notices")
}

#[cfg(test)]
mod tests;
