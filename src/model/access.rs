//! How far somebody may look: what a token, a session or the owner of a campaign limits.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{CampaignId, UnknownWord};

words! {
    /// What somebody may do; each one may do what those before it may.
    Scope, "scope" {
        /// Look.
        Read => "read",
        /// Work: drafts, answers, labels, leads.
        Write => "write",
        /// Stop and start automatic mail, and change campaigns.
        Admin => "admin",
    }
}

impl Scope {
    /// Whether it may do what needs `wanted`.
    #[must_use]
    pub fn includes(self, wanted: Self) -> bool {
        let rank = |scope| match scope {
            Self::Read => 0,
            Self::Write => 1,
            Self::Admin => 2,
        };
        rank(self) >= rank(wanted)
    }
}

/// The campaigns whose rows somebody may see and change. Every question of a viewer to the store
/// takes one, so that a row of somebody else is never read by mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// No limit: the operator, and tokens made without one.
    All,
    /// These alone; an empty list sees nothing.
    Campaigns(Arc<[CampaignId]>),
}

impl Access {
    /// The campaigns as a JSON list, none = no limit: for
    /// `(?1 IS NULL OR campaign_id IN (SELECT value FROM json_each(?1)))`.
    #[must_use]
    pub fn list(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::Campaigns(ids) => {
                let ids: Vec<String> = ids.iter().map(|id| id.0.to_string()).collect();
                Some(format!("[{}]", ids.join(",")))
            }
        }
    }

    /// Whether rows of this campaign are within it.
    #[must_use]
    pub fn allows(&self, campaign: CampaignId) -> bool {
        match self {
            Self::All => true,
            Self::Campaigns(ids) => ids.contains(&campaign),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_includes_those_before_it() {
        for (n, scope) in Scope::ALL.iter().enumerate() {
            for (m, wanted) in Scope::ALL.iter().enumerate() {
                assert_eq!(scope.includes(*wanted), m <= n, "{scope} for {wanted}");
            }
        }
    }

    #[test]
    fn an_empty_list_sees_nothing_and_no_list_sees_all() {
        let some = Access::Campaigns(Arc::from([CampaignId(3), CampaignId(7)]));
        assert_eq!(some.list().as_deref(), Some("[3,7]"));
        assert!(some.allows(CampaignId(7)) && !some.allows(CampaignId(4)));
        let none = Access::Campaigns(Arc::from([]));
        assert_eq!(none.list().as_deref(), Some("[]"));
        assert!(!none.allows(CampaignId(3)));
        assert_eq!(Access::All.list(), None);
        assert!(Access::All.allows(CampaignId(4)));
    }
}
