//! What a receiver is told: enough that it need not ask back.

use serde_json::{Value, json};

use crate::model::HookKind;
use crate::store::{Event, HookFacts};
use crate::time::UtcMs;

/// Characters of a text; `text_truncated` says that there is more.
pub(super) const MAX_TEXT: u32 = 16_000;

/// The body of a delivery. The same event has the same keys, whatever became of its rows.
pub(super) fn of(kind: HookKind, event: &Event, facts: &HookFacts) -> String {
    let data = |name: &str| event.data.get(name).cloned().unwrap_or(Value::Null);
    // An empty word stands for none.
    let word = |name: &str| match data(name) {
        Value::String(text) if text.is_empty() => Value::Null,
        other => other,
    };
    let is_read = word("intent") != Value::Null;
    let text = |text: &str| {
        let cut = text.chars().count() >= usize::try_from(MAX_TEXT).unwrap_or(usize::MAX);
        (Value::from(text), Value::from(cut))
    };
    let message = facts.message.as_ref().map(|(from, subject, at, new)| {
        let (text, cut) = text(new);
        json!({
            "id": data("message"), "from": from, "subject": subject,
            "received_at": at.rfc3339(), "text": text, "text_truncated": cut,
        })
    });
    let mail = facts.mail.as_ref().map(|(subject, body)| {
        let (text, cut) = text(body);
        json!({
            "id": event.outbox_id, "kind": word("mail"), "state": word("state"),
            "subject": subject, "text": text, "text_truncated": cut,
        })
    });
    let lead = facts.lead.as_ref().map(|(id, lead_id, name, email)| {
        json!({"id": id, "lead_id": lead_id, "name": name, "email": email})
    });
    let campaign = facts.campaign.as_ref().map(
        |(name, project)| json!({"id": event.campaign_id, "name": name, "project_name": project}),
    );
    json!({
        "id": event.id.to_string(),
        "type": kind.as_str(),
        "created_at": event.at.rfc3339(),
        "campaign_lead_id": event.campaign_lead_id,
        "conversation_id": event.conversation_id,
        "draft_id": event.draft_id,
        "campaign": campaign,
        "lead": lead,
        "message": message,
        "mail": mail,
        "intent": word("intent"),
        "confidence": if is_read { data("confidence") } else { Value::Null },
        "goal_type": word("goal_type"),
        "action": word("action"),
        "reason": word("reason"),
        "permanent": data("permanent"),
        "account": word("account"),
        "state": word("state"),
    })
    .to_string()
}

/// As a delivery of this kind looks, for `replyd webhooks test`.
pub(super) fn sample(kind: HookKind, now: UtcMs) -> String {
    json!({
        "id": "test",
        "type": kind.as_str(),
        "test": true,
        "created_at": now.rfc3339(),
        "campaign_lead_id": 1,
        "conversation_id": 1,
        "draft_id": null,
        "campaign": {"id": 1, "name": "Sample", "project_name": "Lakeside"},
        "lead": {"id": 1, "lead_id": "SAMPLE-1", "name": "Ann Sample", "email": "ann@example.com"},
        "message": {
            "id": 1, "from": "ann@example.com", "subject": "Re: Lakeside",
            "received_at": now.rfc3339(), "text": "I would like to visit on Saturday.",
            "text_truncated": false,
        },
        "mail": null,
        "intent": "goal_reached",
        "confidence": 0.97,
        "goal_type": "viewing",
        "action": "acknowledge",
        "reason": null,
        "permanent": null,
        "account": null,
        "state": null,
    })
    .to_string()
}
