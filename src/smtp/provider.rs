//! The provider's name for an accepted mail, from the text of its 250.
//!
//! Some providers replace our Message-ID; the reply then refers to theirs, which is often told
//! in this text and nowhere else. No two agree on a form, so each one here is from a real reply.

use crate::msgid::MsgId;

/// The provider's name for a mail, and the Message-IDs that may stand for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ProviderName {
    /// A queue id or a Message-ID, for support requests.
    pub(super) id: Option<String>,
    /// Canonical Message-IDs, without brackets.
    pub(super) message_ids: Vec<String>,
}

/// The longest id that is kept (RFC 5322 §2.1.1: a line).
const MAX_ID_BYTES: usize = 998;

/// Reads the text of the 250 to the final dot; `host` is the server that we connected to.
pub(super) fn name_in(text: &str, host: &str) -> ProviderName {
    let mut name = ProviderName::default();
    // "2.0.0 OK <DB7PR05MB…@DB7PR05MB….eurprd05.prod.outlook.com> [Hostname=…]" (Exchange
    // Online), "OK: queued as <2024…@smtp-relay.mailin.fr>" (Brevo)
    for id in text.split('<').skip(1).filter_map(|t| t.split_once('>')) {
        if let Some(id) = message_id(id.0)
            && !name.message_ids.contains(&id)
        {
            name.message_ids.push(id);
        }
    }
    if let Some(id) = name.message_ids.first() {
        name.id = Some(id.clone());
        return name;
    }
    let mut words = text
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
        .map(|w| w.trim_matches(['(', ')', '[', ']', '"', '\'', '.', ':']))
        .filter(|w| !w.is_empty());
    // "Ok 0100018bd2c4a9f1-4c3b2a10-…-000000" (SES; Resend and others pass it on)
    if let Some(id) = words.clone().find(|w| is_ses_id(w)) {
        name.id = Some(id.to_owned());
        // The id on the wire has the region's domain, and email.amazonses.com in us-east-1.
        if let Some(domain) = ses_domain(host) {
            name.message_ids.push(format!("{id}@{domain}"));
        } else {
            name.message_ids.push(format!("{id}@email.amazonses.com"));
        }
        return name;
    }
    // "2.0.0 Ok: queued as 4XyZab12Cd" (Postfix), "OK id=1rAbCd-000123-4F" (Exim),
    // "2.0.0 3BDAbC Message accepted for delivery" (Sendmail),
    // "2.0.0 OK  1701234567 d2e1a72fcca58-6cb… - gsmtp" (Gmail)
    let id = match text.split_once("queued as ") {
        Some((_, rest)) => rest.split_whitespace().next(),
        None => text
            .split_whitespace()
            .find_map(|w| w.strip_prefix("id="))
            .or_else(|| words.find(|w| is_queue_id(w))),
    };
    name.id = id
        .map(|id| id.trim_matches(['(', ')', '"', '.', ',']))
        .filter(|id| !id.is_empty() && id.len() <= MAX_ID_BYTES)
        .map(str::to_owned);
    name
}

/// In canonical form; `None` for what no mail has as its id.
fn message_id(raw: &str) -> Option<String> {
    let raw = raw.trim();
    let (local, domain) = raw.rsplit_once('@')?;
    if local.is_empty() || domain.is_empty() || raw.contains(char::is_whitespace) {
        return None;
    }
    MsgId::parse(raw).map(|id| id.as_str().to_owned())
}

/// 16 hex digits, a UUID and "-000000".
fn is_ses_id(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|p| p.len()).collect();
    lengths == [16, 8, 4, 4, 4, 12, 6] && word.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// The domain of the Message-IDs that this SES host puts on mails.
fn ses_domain(host: &str) -> Option<String> {
    let host = host.trim_end_matches('.').to_lowercase();
    let region = host
        .strip_suffix(".amazonaws.com")?
        .strip_prefix("email-smtp")?
        .trim_start_matches("-fips")
        .strip_prefix('.')?
        .to_owned();
    Some(match region.as_str() {
        "us-east-1" => "email.amazonses.com".to_owned(),
        _ => format!("{region}.amazonses.com"),
    })
}

/// A word that looks like a queue id: long enough, letters and digits, not a status code.
fn is_queue_id(word: &str) -> bool {
    word.len() >= 8
        && word.bytes().any(|b| b.is_ascii_digit())
        && word.bytes().any(|b| b.is_ascii_alphabetic())
        && word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_texts_give_the_providers_name() {
        let table = [
            ("2.0.0 Ok: queued as 4XyZab12Cd", Some("4XyZab12Cd")),
            ("OK id=1rAbCd-000123-4F", Some("1rAbCd-000123-4F")),
            (
                "2.0.0 3BDAbCxx012345 Message accepted for delivery",
                Some("3BDAbCxx012345"),
            ),
            (
                "2.0.0 OK  1701234567 d2e1a72fcca58-6cbafd58b3esm1234567b3a.12 - gsmtp",
                Some("d2e1a72fcca58-6cbafd58b3esm1234567b3a.12"),
            ),
            ("2.0.0 Ok", None),
            ("Great success", None),
            ("", None),
        ];
        for (text, id) in table {
            let name = name_in(text, "mail.example");
            assert_eq!(name.id.as_deref(), id, "{text}");
            assert_eq!(name.message_ids, Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_message_id_in_the_text_is_an_alias() {
        let text = "2.0.0 OK <DB7PR05MB1@DB7PR05MB1.eurprd05.PROD.outlook.com> [Hostname=DB7.x]";
        let id = "DB7PR05MB1@db7pr05mb1.eurprd05.prod.outlook.com";
        let name = name_in(text, "smtp.office365.com");
        assert_eq!(name.message_ids, [id]);
        assert_eq!(name.id.as_deref(), Some(id));
        let name = name_in(
            "OK: queued as <202401011200.12345@smtp-relay.mailin.fr>",
            "x",
        );
        assert_eq!(
            name.message_ids,
            ["202401011200.12345@smtp-relay.mailin.fr"]
        );
    }

    #[test]
    fn a_bare_ses_id_gets_the_domain_of_its_region() {
        let id = "0100018bd2c4a9f1-4c3b2a10-1234-4abc-9def-0123456789ab-000000";
        let table = [
            ("email-smtp.us-east-1.amazonaws.com", "email.amazonses.com"),
            (
                "email-smtp.eu-west-1.amazonaws.com",
                "eu-west-1.amazonses.com",
            ),
            (
                "email-smtp-fips.us-west-2.amazonaws.com",
                "us-west-2.amazonses.com",
            ),
            ("smtp.resend.com", "email.amazonses.com"),
        ];
        for (host, domain) in table {
            let name = name_in(&format!("Ok {id}"), host);
            assert_eq!(name.id.as_deref(), Some(id));
            assert_eq!(name.message_ids, [format!("{id}@{domain}")]);
        }
    }

    #[test]
    fn junk_in_brackets_is_no_id() {
        for text in [
            "ok <>",
            "ok <nobody>",
            "ok <a b@c>",
            "ok <@x>",
            "ok <a@",
            "> <",
        ] {
            assert_eq!(
                name_in(text, "x").message_ids,
                Vec::<String>::new(),
                "{text}"
            );
        }
    }
}
