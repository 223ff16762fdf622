//! What an alert says: the facts as JSON for webhook and command, the text of the mail, the line
//! of the log. No address but the account's own name, no secret, no text of a mail.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::model::{AccountState, AlertEvent, AlertTopic};
use crate::status::remedy;
use crate::time::UtcMs;

/// The facts of one event.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Facts {
    /// The incident's number, the same for its beginning and its end.
    pub alert: i64,
    /// `raised`, `worse` or `ended`.
    pub event: AlertEvent,
    /// Whether it is about hearing or sending.
    pub topic: AlertTopic,
    /// The account's name in the settings.
    pub account: String,
    /// `down` or `needs_sign_in`; `live` at the end.
    pub state: AccountState,
    /// Why.
    pub reason: String,
    /// What to do.
    pub remedy: String,
    /// Since when it did not hear or send.
    pub since: UtcMs,
    /// When this was told.
    pub at: UtcMs,
    /// How long it lasted, in seconds; at the end.
    pub lasted_s: Option<u64>,
    /// Mails that came meanwhile and are stored now; at the end of an incident of hearing.
    pub caught_up: Option<u64>,
    /// The machine's name.
    pub host: String,
}

impl Facts {
    /// What to do about a state. `fault` is the code of what is behind it, on the server of this
    /// topic; empty: unknown.
    pub(super) fn remedy_of(topic: AlertTopic, state: AccountState, fault: &str) -> &'static str {
        if let (AlertTopic::Sending, Ok(known)) = (topic, fault.parse::<Fault>()) {
            return known.remedy();
        }
        match (topic, state) {
            (AlertTopic::Sending, AccountState::NeedsSignIn) => {
                "mend user and password of SMTP in the settings, then restart replyd"
            }
            (AlertTopic::Sending, _) => {
                "look at the outbox (replyd outbox list) and at the SMTP server; it is tried again by itself"
            }
            (AlertTopic::Hearing, state) => remedy::of(state, fault),
        }
    }

    /// The subject of the mail, and the first words of the log line.
    #[must_use]
    pub fn headline(&self) -> String {
        let account = &self.account;
        match (self.event, self.topic, self.state) {
            (AlertEvent::Ended, AlertTopic::Hearing, _) => {
                format!("replyd: account {account} hears again")
            }
            (AlertEvent::Ended, AlertTopic::Sending, _) => {
                format!("replyd: mails of account {account} leave again")
            }
            (_, AlertTopic::Hearing, AccountState::NeedsSignIn) => {
                format!("replyd: account {account} needs sign-in")
            }
            (_, AlertTopic::Hearing, _) => format!("replyd: account {account} does not hear"),
            (_, AlertTopic::Sending, AccountState::NeedsSignIn) => {
                format!("replyd: account {account} needs sign-in for sending")
            }
            (_, AlertTopic::Sending, _) => {
                format!("replyd: mails of account {account} do not leave")
            }
        }
    }

    /// The text of the mail.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let mut line = |s: String| writeln!(text, "{s}").unwrap_or_default();
        line(format!("{}.\n", self.headline()));
        match (self.event, self.topic) {
            (AlertEvent::Ended, _) => {
                let lasted = self.lasted_s.map(duration).unwrap_or_default();
                line(format!(
                    "It lasted {lasted}, from {} on.",
                    self.since.rfc3339()
                ));
                match self.caught_up {
                    Some(0) => line("No mail had come meanwhile.".into()),
                    Some(1) => line("One mail had come meanwhile, and is stored now.".into()),
                    Some(n) => line(format!("{n} mails had come meanwhile, and are stored now.")),
                    None => {}
                }
                line(format!("The reason was: {}", self.reason));
            }
            (_, topic) => {
                line(format!("Since:  {}", self.since.rfc3339()));
                line(format!("Reason: {}", self.reason));
                line(format!("Do:     {}", self.remedy));
                line(String::new());
                line(match topic {
                    AlertTopic::Hearing => {
                        "Mail that comes meanwhile stays in the mailbox; it is taken in when the \
                         account hears again."
                            .into()
                    }
                    AlertTopic::Sending => {
                        "Mails that wait are kept, and leave when the server takes them.".into()
                    }
                });
                line(
                    "You are told once, and again when it is over. See also: replyd status".into(),
                );
            }
        }
        line(format!("\nAlert {} on {}.", self.alert, self.host));
        text
    }
}

/// Seconds in words: `3 min 20 s`.
#[must_use]
pub fn duration(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        (0, m) => format!("{m} min {rest} s"),
        (h, m) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(event: AlertEvent, topic: AlertTopic) -> Facts {
        Facts {
            alert: 7,
            event,
            topic,
            account: "sales".into(),
            state: AccountState::Down,
            reason: "imap.example.com:993: Connection closed".into(),
            remedy: "look at the server".into(),
            since: UtcMs(1_700_000_000_000),
            at: UtcMs(1_700_000_200_000),
            lasted_s: Some(7_260),
            caught_up: Some(3),
            host: "mx1".into(),
        }
    }

    #[test]
    fn the_beginning_names_account_reason_and_remedy() {
        let raised = facts(AlertEvent::Raised, AlertTopic::Hearing);
        assert_eq!(raised.headline(), "replyd: account sales does not hear");
        for part in [
            "2023-11-14T22:13:20",
            "Connection closed",
            "look at the server",
            "Alert 7 on mx1",
        ] {
            assert!(raised.text().contains(part), "{}", raised.text());
        }
        assert!(!raised.text().contains("lasted"), "{}", raised.text());
    }

    #[test]
    fn the_end_says_how_long_it_lasted_and_what_was_caught_up() {
        let ended = facts(AlertEvent::Ended, AlertTopic::Hearing);
        assert_eq!(ended.headline(), "replyd: account sales hears again");
        for part in ["2 h 1 min", "3 mails had come meanwhile"] {
            assert!(ended.text().contains(part), "{}", ended.text());
        }
    }

    #[test]
    fn durations_are_short_words() {
        assert_eq!(duration(59), "59 s");
        assert_eq!(duration(200), "3 min 20 s");
        assert_eq!(duration(3600), "1 h 0 min");
    }
}
