//! What a row of a message is made of, and whose addresses are ours.

use std::collections::HashSet;

use crate::config::Settings;
use crate::mime::Mail;
use crate::model::address_key;
use crate::msgid::MsgId;
use crate::nature::Ours;
use crate::store::Content;
use crate::visible::Visible;

pub(super) fn content(mail: &Mail, visible: Visible) -> Content {
    let addresses = |list: &[crate::model::Address]| {
        list.iter()
            .map(|a| a.addr.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let ids = |list: &[MsgId]| list.iter().map(MsgId::as_str).collect::<Vec<_>>().join(" ");
    Content {
        from_address: mail
            .from
            .as_ref()
            .map(|a| a.addr.clone())
            .unwrap_or_default(),
        from_name: mail
            .from
            .as_ref()
            .map(|a| a.name.clone())
            .unwrap_or_default(),
        to_addresses: addresses(&mail.to),
        subject: mail.subject.clone(),
        sent_date: mail.date,
        in_reply_to: ids(&mail.in_reply_to),
        reference_ids: ids(&mail.references),
        full_text: mail.text.clone(),
        visible_text: visible.new_text,
        visible_sure: visible.sure,
        visible_quoted: visible.nothing_new,
        attachments: serde_json::to_string(&mail.attachments).unwrap_or_default(),
        malformed: serde_json::to_string(&mail.malformed).unwrap_or_default(),
    }
}

/// The addresses that are ours, the sales' and the operator's.
pub(super) fn ours(settings: &Settings) -> Ours {
    let keys = |list: &[String]| -> HashSet<String> {
        list.iter()
            .map(|a| address_key(a))
            .filter(|k| !k.is_empty())
            .collect()
    };
    let mut addresses = HashSet::new();
    for account in &settings.accounts {
        addresses.insert(account.address.clone());
        addresses.insert(account.smtp.envelope_from.clone());
        addresses.extend(account.aliases.iter().cloned());
    }
    let addresses: HashSet<String> = keys(&addresses.into_iter().collect::<Vec<_>>());
    let mut sales = keys(&settings.reply.sales_addresses);
    sales.extend(keys(std::slice::from_ref(&settings.reply.sales_email)));
    Ours {
        addresses,
        sales,
        operators: keys(&settings.reply.operator_addresses),
    }
}
