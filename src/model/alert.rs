//! The words of alerts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::UnknownWord;

words! {
    /// What an alert is about.
    AlertTopic, "alert topic" {
        /// The account's mailboxes are not heard.
        Hearing => "hearing",
        /// The account's mails do not leave.
        Sending => "sending",
    }
}

words! {
    /// What the operator is told.
    AlertEvent, "alert event" {
        /// It began.
        Raised => "raised",
        /// It became graver: a person must sign in.
        Worse => "worse",
        /// It is over.
        Ended => "ended",
    }
}

words! {
    /// By which way the operator is told, besides the log.
    AlertWay, "alert way" {
        /// A mail through the outbox.
        Mail => "mail",
        /// A POST to the webhook.
        Webhook => "webhook",
        /// The command.
        Command => "command",
    }
}
