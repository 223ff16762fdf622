//! Mails as people and machines write them, and how a relay changes one.

use lettre::Address;
use lettre::address::Envelope;

/// A mail that is handed to Postfix.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    /// Envelope sender; empty: the null sender.
    pub(crate) envelope_from: String,
    /// Envelope recipient.
    pub(crate) to: String,
    /// Header and text.
    pub(crate) raw: String,
}

impl Letter {
    /// A mail with these fields, From first, and this text. Date and MIME fields are added.
    pub(crate) fn new(to: &str, fields: &[(&str, &str)], text: &str) -> Self {
        let mut raw = String::new();
        for (name, value) in fields {
            raw.push_str(&format!("{name}: {value}\r\n"));
        }
        raw.push_str(&format!(
            "To: {to}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        ));
        let from = fields.first().map_or("", |(_, from)| address(from));
        Self {
            envelope_from: from.to_owned(),
            to: to.to_owned(),
            raw,
        }
    }

    /// The same from the null sender (RFC 5321 §4.5.5).
    pub(crate) fn with_null_sender(mut self) -> Self {
        self.envelope_from.clear();
        self
    }

    pub(crate) fn envelope(&self) -> Envelope {
        let parse = |text: &str| text.parse::<Address>().expect("An address");
        let from = (!self.envelope_from.is_empty()).then(|| parse(&self.envelope_from));
        Envelope::new(from, vec![parse(&self.to)]).expect("An envelope")
    }
}

/// The bare address of a From.
fn address(from: &str) -> &str {
    let bare = from.rsplit_once('<').map_or(from, |(_, rest)| rest);
    bare.trim_end_matches('>')
}

/// A header field's value, unfolded; empty when there is none.
pub(crate) fn field(mail: &str, name: &str) -> String {
    fields(mail)
        .into_iter()
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .unwrap_or_default()
}

/// The fields of a mail, unfolded, and after them its body.
fn fields(mail: &str) -> Vec<(String, String)> {
    let mail = mail.replace("\r\n", "\n");
    let head = mail.split_once("\n\n").map_or(&*mail, |(head, _)| head);
    let unfolded = head.replace("\n\t", " ").replace("\n ", " ");
    unfolded
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

/// The text below the header, line ends as they are in the file.
pub(crate) fn body(mail: &str) -> String {
    let mail = mail.replace("\r\n", "\n");
    mail.split_once("\n\n")
        .map(|(_, body)| body.to_owned())
        .unwrap_or_default()
}

/// What a relay in between does to a mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Relay {
    /// Removes every field by which a machine says that it is one.
    pub(crate) strips: bool,
    /// Gives each mail a Message-ID of its own, and lets In-Reply-To and References name a
    /// mail of the campaign, whatever was answered.
    pub(crate) rewrites: bool,
}

impl Relay {
    /// The mail as the relay hands it on; `parent` is the mail that it names when it rewrites.
    pub(crate) fn pass(self, mail: &str, n: &str, parent: &str) -> String {
        const OF_A_MACHINE: &[&str] = &[
            "auto-submitted",
            "precedence",
            "x-auto-response-suppress",
            "feedback-id",
        ];
        let mut raw = String::new();
        for (name, value) in fields(mail) {
            let lower = name.to_ascii_lowercase();
            // Written anew by who delivers it.
            let trace = ["return-path", "received", "delivered-to", "x-original-to"];
            let stripped =
                self.strips && (OF_A_MACHINE.contains(&&*lower) || lower.starts_with("x-replyd"));
            let replaced =
                self.rewrites && ["message-id", "in-reply-to", "references"].contains(&&*lower);
            if trace.contains(&&*lower) || stripped || replaced {
                continue;
            }
            raw.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.rewrites {
            raw.push_str(&format!(
                "Message-ID: <relayed-{n}@relay.example>\r\nIn-Reply-To: <{parent}>\r\n\
                 References: <{parent}>\r\n"
            ));
        }
        raw.push_str("\r\n");
        raw.push_str(&body(mail).replace('\n', "\r\n"));
        raw
    }
}
