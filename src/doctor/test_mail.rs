//! The mail that `--send-test` sends to the account itself. It bears our mark, and From is our own
//! address: a running replyd takes it for its own and never answers it.

use chrono::{DateTime, Utc};
use lettre::Message;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};

use crate::keys::Keys;
use crate::mime::Mail;
use crate::msgid;
use crate::time::UtcMs;

/// Carries our Message-ID, so that the mail is known again where a provider replaces that.
pub(super) const MARK: &str = "X-Replyd-Test";

/// A test mail as it goes out.
#[derive(Clone, Debug)]
pub(super) struct TestMail {
    /// Its recipient.
    pub(super) to: String,
    /// Canonical, without brackets.
    pub(super) id: String,
    /// The whole message.
    pub(super) raw: Vec<u8>,
}

/// Why it cannot be built: an address of the settings is not one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotBuilt(String);

impl TestMail {
    /// From `from` to `to`; `random` must be fresh.
    pub(super) fn build(
        from: &str,
        to: &str,
        keys: Option<&Keys>,
        random: [u8; 16],
        now: UtcMs,
    ) -> Result<Self, NotBuilt> {
        let mailbox = |address: &str| -> Result<Mailbox, NotBuilt> {
            let parsed = address.parse();
            parsed.map_err(|e| NotBuilt(format!("{address} is not a mail address: {e}")))
        };
        let domain = from.rsplit_once('@').map_or("localhost", |(_, d)| d);
        let id = match keys {
            Some(keys) => msgid::mint(keys, domain, random).to_string(),
            None => format!("replyd-test.{}@{}", hex(&random), domain.to_lowercase()),
        };
        let raw_header = |name: &'static str, value: String| {
            HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
        };
        let date = DateTime::<Utc>::from_timestamp_millis(now.0).unwrap_or_default();
        let message = Message::builder()
            .from(mailbox(from)?)
            .to(mailbox(to)?)
            .subject("Test mail of replyd, please ignore")
            .raw_header(raw_header("Date", date.to_rfc2822()))
            .message_id(Some(format!("<{id}>")))
            .raw_header(raw_header("Auto-Submitted", "auto-generated".to_owned()))
            .raw_header(raw_header("X-Replyd", "test".to_owned()))
            .raw_header(raw_header(MARK, id.clone()))
            .header(ContentType::TEXT_PLAIN)
            .body(TEXT.to_owned())
            .map_err(|e| NotBuilt(e.to_string()))?;
        Ok(Self {
            to: to.to_owned(),
            id,
            raw: message.formatted(),
        })
    }

    /// Whether `mail` is this one, come in.
    pub(super) fn is(&self, mail: &Mail) -> bool {
        let mark = MARK.to_ascii_lowercase();
        mail.header(&mark).is_some_and(|m| m.trim() == self.id)
    }

    /// Whether `mail` returns this one: it could not be delivered.
    pub(super) fn is_returned_by(&self, mail: &Mail) -> bool {
        let embedded = mail.embedded_ids.iter().any(|id| id.as_str() == self.id);
        embedded && !self.is(mail)
    }
}

const TEXT: &str = "\
This mail was sent by `replyd doctor --send-test` to measure the way of a mail \r\n\
from this account to itself. It can be deleted.\r\n";

/// The names under which Authentication-Results were written (RFC 8601 §2.2), from the top, each
/// once.
pub(super) fn authserv_ids(mail: &Mail) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for value in mail.header_values("authentication-results") {
        let head = value.split(';').next().unwrap_or_default();
        let id = head.split_whitespace().find(|w| !w.starts_with('('));
        if let Some(id) = id.map(str::to_lowercase)
            && !ids.contains(&id)
        {
            ids.push(id);
        }
    }
    ids
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mime;
    use crate::model::Nature;
    use crate::nature::{self, Ours};

    fn mail() -> TestMail {
        let keys = Keys::for_test(1);
        let (from, to) = ("sales@example.org", "sales+x@example.org");
        TestMail::build(from, to, Some(&keys), [7; 16], UtcMs(1_700_000_000_000)).unwrap()
    }

    #[test]
    fn the_test_mail_is_known_again_also_under_another_message_id_and_is_nobodys_reply() {
        let mail = mail();
        let text = String::from_utf8(mail.raw.clone()).unwrap();
        let came = mime::parse(&mail.raw);
        assert!(mail.is(&came) && !mail.is_returned_by(&came));
        assert_eq!(came.message_id.unwrap().as_str(), mail.id);
        let mark = format!("{MARK}: {}", mail.id);
        assert!(text.replace("\r\n ", " ").contains(&mark), "{text}");
        let rewritten = text.replace("Message-ID: <", "Message-ID: <other-");
        let came = mime::parse(rewritten.as_bytes());
        assert!(mail.is(&came));
        assert_ne!(came.message_id.as_ref().unwrap().as_str(), mail.id);
        let other = TestMail::build("a@x.example", "a@x.example", None, [8; 16], UtcMs(0)).unwrap();
        assert!(!other.is(&came));
        assert!(other.id.ends_with("@x.example"), "{}", other.id);
        let judged = nature::judge(&came, &Ours::default(), &Keys::for_test(2));
        assert_eq!(
            judged.nature,
            Nature::Automatic,
            "another installation's test mail is a machine's"
        );
    }

    #[test]
    fn the_names_of_authentication_results_are_read_from_the_top() {
        let raw = b"Authentication-Results: mx.google.com;\r\n dkim=pass\r\n\
            Authentication-Results: MX.example.net 1; spf=pass\r\n\
            Authentication-Results: mx.google.com; none\r\nFrom: a@x.example\r\n\r\n";
        assert_eq!(
            authserv_ids(&mime::parse(raw)),
            ["mx.google.com", "mx.example.net"]
        );
    }
}
