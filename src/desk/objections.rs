//! What stands against sending an answer now, and what a person should merely know.

use std::fmt;

use serde::Serialize;

use crate::model::{CampaignMode, DraftId, MessageRowId, OutboxId};
use crate::store::{AutomationOff, AutomationScope, JobContext, Standing};
use crate::time::UtcMs;

/// Stands against it; a person may overrule it.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Objection {
    /// The address wants no mail. Overruled by its own flag only.
    Suppressed {
        /// Why: unsubscribe, complaint, …
        reason: String,
    },
    /// The lead's address is dead.
    Bounced {
        /// Since.
        at: UtcMs,
    },
    /// The lead wrote again since.
    NewerReply {
        /// That reply.
        message: MessageRowId,
        /// When it came.
        at: UtcMs,
        /// Its draft, if one waits.
        draft: Option<DraftId>,
    },
    /// A person of ours wrote to the lead since, by a mail program.
    PersonWrote {
        /// When.
        at: UtcMs,
    },
    /// Another mail answers the same reply.
    Answered {
        /// That mail.
        mail: OutboxId,
        /// What it is.
        kind: String,
        /// Its state.
        state: String,
    },
    /// Somebody stopped automation for everything.
    AllOff {
        /// Since when, by whom and why.
        what: String,
    },
}

impl Objection {
    /// Whether the flag for suppressed addresses overrules it; else the general one does.
    #[must_use]
    pub fn is_suppression(&self) -> bool {
        matches!(self, Self::Suppressed { .. })
    }

    /// Its name, as it stands with what a person overruled.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Suppressed { .. } => "the address wants no mail",
            Self::Bounced { .. } => "the address bounced",
            Self::NewerReply { .. } => "the lead wrote again",
            Self::PersonWrote { .. } => "a person wrote",
            Self::Answered { .. } => "answered already",
            Self::AllOff { .. } => "automation is off",
        }
    }
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suppressed { reason } => write!(
                f,
                "the lead wants no more mail ({reason}). --to-suppressed sends this one mail all the same; `replyd suppress remove` lifts it for all"
            ),
            Self::Bounced { at } => write!(
                f,
                "the lead's address bounced for good at {}. --anyway tries it again",
                at.rfc3339()
            ),
            Self::NewerReply { message, at, draft } => {
                write!(
                    f,
                    "the lead wrote again at {}: message {message}",
                    at.rfc3339()
                )?;
                if let Some(draft) = draft {
                    write!(f, ", draft {draft}")?;
                }
                f.write_str(". --anyway sends this answer to the earlier one")
            }
            Self::PersonWrote { at } => write!(
                f,
                "a person has written to the lead by mail since, at {}. --anyway sends this as well",
                at.rfc3339()
            ),
            Self::Answered { mail, kind, state } => write!(
                f,
                "the reply has an answer: mail {mail} ({kind}, {state}). --anyway sends a second one"
            ),
            Self::AllOff { what } => write!(
                f,
                "automation is off {what}. --anyway sends this one mail all the same"
            ),
        }
    }
}

/// Worth knowing; stops nothing.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Remark {
    /// Automation is off for the campaign or the lead.
    Off {
        /// Since when, by whom and why.
        what: String,
    },
    /// The campaign's mode is off.
    ModeOff,
    /// The campaign does not run any more.
    Inactive,
    /// The lead is away.
    Away {
        /// Until then.
        until: UtcMs,
    },
    /// The reply lay in the spam folder.
    FromSpam,
    /// The reply came from another address than the lead's.
    OtherSender {
        /// Which.
        address: String,
    },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off { what } => write!(
                f,
                "automation is off {what}: what a person approves leaves all the same"
            ),
            Self::ModeOff => f.write_str("the campaign's mode is off"),
            Self::Inactive => f.write_str("the campaign is not active any more"),
            Self::Away { until } => write!(f, "the lead is away until {}", until.rfc3339()),
            Self::FromSpam => f.write_str("the reply lay in the spam folder"),
            Self::OtherSender { address } => write!(
                f,
                "the reply came from {address}, which is not the lead's address: --to lead or --to sender"
            ),
        }
    }
}

/// Both, from the facts of this moment.
pub(super) fn judge(
    c: &JobContext,
    s: &Standing,
    off: Option<&AutomationOff>,
    now: UtcMs,
) -> (Vec<Objection>, Vec<Remark>) {
    let mut against = Vec::new();
    let mut remarks = Vec::new();
    if let Some(reason) = &s.suppressed {
        let reason = reason.clone();
        against.push(Objection::Suppressed { reason });
    }
    if let Some(at) = s.bounced_at {
        against.push(Objection::Bounced { at });
    }
    if let Some((message, at, draft)) = s.newer {
        against.push(Objection::NewerReply { message, at, draft });
    }
    if let Some(at) = s.person_wrote_at {
        against.push(Objection::PersonWrote { at });
    }
    if let Some(mail) = &s.answered {
        against.push(Objection::Answered {
            mail: mail.id,
            kind: mail.kind.to_string(),
            state: mail.state.to_string(),
        });
    }
    if let Some(off) = off {
        let what = off.to_string();
        if off.scope == AutomationScope::All {
            against.push(Objection::AllOff { what });
        } else {
            remarks.push(Remark::Off { what });
        }
    }
    if s.mode == CampaignMode::Off {
        remarks.push(Remark::ModeOff);
    }
    if !s.active {
        remarks.push(Remark::Inactive);
    }
    if let Some(until) = s.away_until.filter(|until| *until > now) {
        remarks.push(Remark::Away { until });
    }
    if c.from_spam {
        remarks.push(Remark::FromSpam);
    }
    if !c.sender_verified && !c.from_address.is_empty() {
        let address = c.from_address.clone();
        remarks.push(Remark::OtherSender { address });
    }
    (against, remarks)
}
