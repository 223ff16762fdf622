//! The words of events: what open pages, `/api/events` and webhooks are told.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::UnknownWord;

words! {
    /// What happened.
    EventKind, "event" {
        /// A reply was captured: a line of a conversation.
        NewReply => "new_reply",
        /// A reply was read and decided.
        Classified => "classified",
        /// An answer waits in the outbox.
        Queued => "queued",
        /// A mail to a lead left.
        Sent => "sent",
        /// A mail was refused or its fate is not known, or a reply could not be decided.
        Failed => "failed",
        /// An answer waits for a person, or no longer does.
        Draft => "draft",
        /// A lead wants the next step.
        GoalReached => "goal_reached",
        /// An address gets no more mail.
        OptOut => "opt_out",
        /// A delivery report of a mail to a lead.
        Bounce => "bounce",
        /// A mailbox account is live, degraded, down, or waits for a sign-in.
        AccountState => "account_state",
        /// A person did something: what is shown may be old.
        Changed => "changed",
    }
}
