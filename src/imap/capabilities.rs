//! What a server says it can do (RFC 3501 §7.2.1).

use async_imap::imap_proto::Capability;

/// More than any server lists; the rest of a longer list is not looked at.
const MAX: usize = 200;

/// One flag for each capability that matters to us, and the whole list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// IDLE (RFC 2177): the server announces news.
    pub idle: bool,
    /// NOTIFY (RFC 5465): it can push them along.
    pub notify: bool,
    /// ID (RFC 2971): 163.com and QQ want to know who we are.
    pub id: bool,
    /// SASL-IR (RFC 4959): AUTHENTICATE in one round trip.
    pub sasl_ir: bool,
    /// UIDPLUS (RFC 4315).
    pub uidplus: bool,
    /// STARTTLS.
    pub starttls: bool,
    /// LOGINDISABLED: LOGIN must not be tried.
    pub login_disabled: bool,
    /// SPECIAL-USE and LIST-EXTENDED (RFC 6154, RFC 5258): which folder is for what.
    pub special_use: bool,
    /// The largest literal that may follow its announcement at once (RFC 7888): LITERAL+ any,
    /// LITERAL- 4096 bytes, else none.
    pub literal_bytes: usize,
    /// SASL mechanisms (AUTH=…), in upper case.
    pub auth: Vec<String>,
    /// All words as the server sent them, IMAP4rev1 included, AUTH= left on.
    pub raw: Vec<String>,
}

impl Capabilities {
    /// From a CAPABILITY response or response code.
    pub(super) fn new(list: &[Capability<'_>]) -> Self {
        let mut caps = Self::default();
        let (mut special, mut extended) = (false, false);
        for item in list.iter().take(MAX) {
            let word = match item {
                Capability::Imap4rev1 => "IMAP4rev1".to_owned(),
                Capability::Auth(mechanism) => {
                    caps.auth.push(mechanism.to_ascii_uppercase());
                    format!("AUTH={mechanism}")
                }
                Capability::Atom(word) => word.to_string(),
            };
            match word.to_ascii_uppercase().as_str() {
                "IDLE" => caps.idle = true,
                "NOTIFY" => caps.notify = true,
                "ID" => caps.id = true,
                "SASL-IR" => caps.sasl_ir = true,
                "UIDPLUS" => caps.uidplus = true,
                "STARTTLS" => caps.starttls = true,
                "LOGINDISABLED" => caps.login_disabled = true,
                "SPECIAL-USE" => special = true,
                "LIST-EXTENDED" => extended = true,
                "LITERAL+" => caps.literal_bytes = usize::MAX,
                "LITERAL-" => caps.literal_bytes = caps.literal_bytes.max(4096),
                _ => {}
            }
            caps.raw.push(word);
        }
        caps.special_use = special && extended;
        caps
    }

    /// Whether a SASL mechanism is offered.
    #[must_use]
    pub fn offers_auth(&self, mechanism: &str) -> bool {
        self.auth.iter().any(|m| m.eq_ignore_ascii_case(mechanism))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_in_any_case() {
        let list = [
            Capability::Imap4rev1,
            Capability::Atom("idle".into()),
            Capability::Atom("Sasl-IR".into()),
            Capability::Auth("xoauth2".into()),
        ];
        let caps = Capabilities::new(&list);
        assert!(caps.idle && caps.sasl_ir && !caps.id);
        assert!(caps.offers_auth("XOAUTH2") && !caps.offers_auth("PLAIN"));
        assert_eq!(caps.raw, ["IMAP4rev1", "idle", "Sasl-IR", "AUTH=xoauth2"]);
    }
}
