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

words! {
    /// What a webhook may be told.
    HookKind, "webhook event" {
        /// A reply was captured and read: with its intent.
        Reply => "reply",
        /// A reply was captured; its intent is not known yet.
        NewReply => "new_reply",
        /// A lead wants the next step.
        GoalReached => "goal_reached",
        /// An address gets no more mail.
        OptOut => "opt_out",
        /// A delivery report of a mail to a lead.
        Bounce => "bounce",
        /// An answer waits in the outbox.
        Queued => "queued",
        /// A mail to a lead left.
        Sent => "sent",
        /// A mail was refused, or its fate is not known.
        Failed => "failed",
        /// An answer waits for a person, or no longer does.
        Draft => "draft",
        /// A mailbox account changed its state.
        AccountState => "account_state",
        /// A person did something.
        Changed => "changed",
    }
}

impl HookKind {
    /// What this event is to a webhook. `of_reply`: it is about the reading of a reply.
    #[must_use]
    pub fn of(kind: EventKind, of_reply: bool) -> Self {
        match kind {
            EventKind::Classified => Self::Reply,
            // One that could not be read is a reply all the same.
            EventKind::Failed if of_reply => Self::Reply,
            EventKind::NewReply => Self::NewReply,
            EventKind::GoalReached => Self::GoalReached,
            EventKind::OptOut => Self::OptOut,
            EventKind::Bounce => Self::Bounce,
            EventKind::Queued => Self::Queued,
            EventKind::Sent => Self::Sent,
            EventKind::Failed => Self::Failed,
            EventKind::Draft => Self::Draft,
            EventKind::AccountState => Self::AccountState,
            EventKind::Changed => Self::Changed,
        }
    }
}
