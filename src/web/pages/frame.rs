//! What stands around every page: navigation, the banner, who is signed in.

use serde::Serialize;

use super::super::access::Viewer;
use super::super::error::ApiError;
use super::super::freshness::Mailbox;
use super::super::state::Shared;
use super::assets::VERSION;
use crate::model::{Access, AccountState, Scope};
use crate::store::{AutomationOff, AutomationScope, InboxCounts, StoreError};

/// See the file.
#[derive(Debug, Serialize)]
pub(super) struct Frame {
    title: String,
    nav: &'static str,
    version: &'static str,
    release: &'static str,
    who: String,
    csrf: String,
    signed_in: bool,
    may_write: bool,
    may_admin: bool,
    unread: String,
    health: &'static str,
    stopped: Option<AutomationOff>,
    redirect_to: Option<String>,
    /// What was done.
    flash: &'static str,
    /// Why something was not done.
    pub(super) trouble: String,
    /// The conversation whose events concern the page; 0: all.
    pub(super) conversation: i64,
    pub(super) mailbox: Option<Mailbox>,
    #[serde(skip)]
    pub(super) counts: InboxCounts,
}

impl Frame {
    /// Reads it. `did`: a word of [`said`], out of the address.
    pub(super) async fn read(
        shared: &Shared,
        viewer: &Viewer,
        nav: &'static str,
        title: &str,
        did: &str,
    ) -> Result<Self, ApiError> {
        let (who, access) = (viewer.who.clone(), viewer.access.clone());
        let names = shared.settings.account_names.clone();
        let (counts, stopped, health) = shared
            .read(move |r| {
                let off = r.automation_off()?.into_iter();
                let stopped = off
                    .into_iter()
                    .find(|off| off.scope == AutomationScope::All);
                let states = r.accounts()?.into_iter();
                let worst = states
                    .filter(|a| names.is_empty() || names.contains(&a.name))
                    .map(|a| a.state)
                    .max_by_key(|state| rank(*state));
                Ok::<_, StoreError>((r.inbox_counts(&who, &access)?, stopped, worst))
            })
            .await?;
        Ok(Self {
            title: title.to_owned(),
            nav,
            version: &VERSION,
            release: env!("CARGO_PKG_VERSION"),
            who: viewer.who.clone(),
            csrf: viewer.csrf.clone().unwrap_or_default(),
            signed_in: viewer.csrf.is_some(),
            may_write: viewer.scope.includes(Scope::Write),
            may_admin: viewer.scope.includes(Scope::Admin) && viewer.access == Access::All,
            unread: at_most(counts.unread),
            health: health.map_or("none", AccountState::as_str),
            stopped,
            redirect_to: shared.settings.redirect_to.clone(),
            flash: said(did),
            trouble: String::new(),
            conversation: 0,
            mailbox: None,
            counts,
        })
    }
}

/// A count as people read it; empty: none.
pub(super) fn at_most(n: u32) -> String {
    match n {
        0 => String::new(),
        1..100 => n.to_string(),
        _ => "99+".to_owned(),
    }
}

fn rank(state: AccountState) -> u8 {
    match state {
        AccountState::Live => 0,
        AccountState::Degraded => 1,
        AccountState::Down => 2,
        AccountState::NeedsSignIn => 3,
    }
}

/// What a form did, by the word that it leaves in the address: nobody can make a link that says
/// something else.
fn said(word: &str) -> &'static str {
    match word {
        "approved" => "Approved: the mail is on its way.",
        "saved" => "The draft is saved.",
        "rejected" => "The draft is rejected; nothing was sent.",
        "answered" => "Your answer is on its way.",
        "labelled" => "The label is saved.",
        "moved" => "The mail was moved here.",
        "detached" => "The mail belongs to no lead now.",
        "handled" => "Handled.",
        "snoozed" => "Snoozed.",
        "handed-over" => "Handed over: replyd sends this lead nothing by itself.",
        "taken-back" => "replyd answers this lead again.",
        "pasted" => "The reply stands in the conversation.",
        "attached" => "Attached. replyd has learned whose mails these are.",
        "ignored" => "Ignored; its text was dropped.",
        "suppressed" => "The address gets no mail from now on.",
        "allowed" => "The address may have mail again.",
        "stopped" => "All automatic mail is stopped.",
        "started" => "Automatic mail is on again.",
        "read" => "All conversations are marked as read.",
        _ => "",
    }
}
