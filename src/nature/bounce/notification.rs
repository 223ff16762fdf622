//! Amazon SES by way of SNS: the report is a JSON text (`notificationType` or `eventType`).

use serde_json::Value;

use super::{Bounce, BounceClass};
use crate::mime::Mail;
use crate::msgid::MsgId;

/// What is parsed; notifications with all headers of the original are some 10 KB.
const MAX_JSON_BYTES: usize = 256 * 1024;
/// Addresses that are kept.
const MAX_ADDRESSES: usize = 50;

/// What a notification says.
#[derive(Debug)]
pub(in crate::nature) enum Notification {
    /// A bounce, a delay or a delivery.
    Report(Bounce),
    /// A complaint: the addresses that complain, and the original's Message-ID.
    Complaint(Vec<String>, Option<MsgId>),
}

/// Reads the notification in a mail's text, if it is one.
pub(in crate::nature) fn read(mail: &Mail) -> Option<Notification> {
    let text = mail.text.trim_start();
    if !text.starts_with('{') {
        return None;
    }
    let head = crate::nature::prefix(text, 4096);
    if !["notificationType", "eventType", "\"Message\""]
        .iter()
        .any(|w| head.contains(w))
    {
        return None;
    }
    let value = parse(crate::nature::prefix(text, MAX_JSON_BYTES))?;
    // Over HTTP the notification is a string within SNS's own envelope.
    let value = match value.get("Message").and_then(Value::as_str) {
        Some(inner) => parse(inner)?,
        None => value,
    };
    of_value(&value)
}

/// The first JSON value of a text; after it SNS writes how to unsubscribe. Lines that were
/// wrapped on the way are joined.
fn parse(text: &str) -> Option<Value> {
    let first = |text: &str| {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        values.next().and_then(Result::ok)
    };
    first(text).or_else(|| first(&text.replace(['\r', '\n'], "")))
}

fn of_value(value: &Value) -> Option<Notification> {
    let kind = value
        .get("notificationType")
        .or_else(|| value.get("eventType"))?
        .as_str()?;
    let original_message_id = original_id(value.get("mail")?);
    match kind {
        "Bounce" => {
            let bounce = value.get("bounce")?;
            let listed = bounce.get("bouncedRecipients");
            let recipients = addresses(listed);
            let one = listed.and_then(Value::as_array).and_then(|l| l.first());
            let text = |name: &str| {
                let found = one.and_then(|o| o.get(name)).and_then(Value::as_str);
                found.map(str::to_owned)
            };
            let permanent = bounce
                .get("bounceType")
                .and_then(Value::as_str)
                .map(|t| t == "Permanent");
            let said = text("diagnosticCode").unwrap_or_default();
            let told = super::reason::of_words(&text("status").unwrap_or_default(), &said);
            let delayed = text("action").as_deref() == Some("delayed");
            let no_email = bounce.get("bounceSubType").and_then(Value::as_str) == Some("NoEmail");
            Some(Notification::Report(Bounce {
                class: if delayed {
                    BounceClass::Delayed
                } else {
                    BounceClass::Failed
                },
                status: told.status,
                permanent: told.permanent.or(permanent),
                address_dead: if no_email {
                    Some(true)
                } else {
                    told.address_dead.or(Some(false))
                },
                recipients,
                original_message_id,
            }))
        }
        "DeliveryDelay" | "Delivery" => {
            let delayed = kind == "DeliveryDelay";
            let listed = if delayed {
                value
                    .get("deliveryDelay")
                    .and_then(|d| d.get("delayedRecipients"))
            } else {
                value.get("delivery").and_then(|d| d.get("recipients"))
            };
            Some(Notification::Report(Bounce {
                class: if delayed {
                    BounceClass::Delayed
                } else {
                    BounceClass::Delivered
                },
                status: None,
                permanent: delayed.then_some(false),
                address_dead: Some(false),
                recipients: addresses(listed),
                original_message_id,
            }))
        }
        "Complaint" => {
            let listed = value
                .get("complaint")
                .and_then(|c| c.get("complainedRecipients"));
            Some(Notification::Complaint(
                addresses(listed),
                original_message_id,
            ))
        }
        _ => None,
    }
}

/// `[{"emailAddress": ".."}]` or `[".."]`.
fn addresses(listed: Option<&Value>) -> Vec<String> {
    let all = listed.and_then(Value::as_array).map(Vec::as_slice);
    all.unwrap_or_default()
        .iter()
        .filter_map(|v| v.as_str().or_else(|| v.get("emailAddress")?.as_str()))
        .filter_map(crate::mime::bare_address)
        .take(MAX_ADDRESSES)
        .collect()
}

/// The Message-ID of the original, as its header said.
fn original_id(mail: &Value) -> Option<MsgId> {
    let common = mail.get("commonHeaders").and_then(|h| h.get("messageId"));
    let listed = mail
        .get("headers")
        .and_then(Value::as_array)
        .and_then(|headers| {
            headers.iter().find_map(|h| {
                let name = h.get("name")?.as_str()?;
                name.eq_ignore_ascii_case("message-id")
                    .then(|| h.get("value"))?
            })
        });
    [listed, common]
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        // SES's own id is not the Message-ID; that has SES's domain.
        .filter(|id| id.contains('@'))
        .find_map(MsgId::parse)
}
