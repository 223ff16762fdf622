//! From the facts of a reply to what its templates are filled with.

use super::classify::Verdict;
use super::compose;
use super::templates::LeadText;
use crate::config::AccountSettings;
use crate::model::{Address, CampaignLeadId, Citation, GoalType, SenderAuth};
use crate::store::{JobContext, ThreadContext};

/// Characters of a reply that a notice quotes.
const QUOTED_CHARS: usize = 4_000;

/// The words for a step in texts and in titles (A6, A8).
fn goal_words(goal: Option<GoalType>) -> (&'static str, &'static str) {
    match goal {
        Some(GoalType::Viewing) => ("property viewing", "Property Viewing"),
        Some(GoalType::SalesCall) => ("sales call", "Sales Call"),
        Some(GoalType::Other) | None => ("next step", "Next Step"),
    }
}

/// What is known of the reply before the decision.
pub(super) fn lead_text(c: &JobContext, t: &ThreadContext, v: &Verdict) -> LeadText {
    let (goal, goal_title) = goal_words(v.goal_type);
    let label = [&t.lead_name, &t.lead_email]
        .into_iter()
        .find(|s| !s.trim().is_empty());
    LeadText {
        lead_name: t.lead_name.trim().to_owned(),
        lead_label: label.map_or("a lead", |s| s.trim()).to_owned(),
        lead_email: t.lead_email.clone(),
        lead_phone: t.lead_phone.clone(),
        project: if t.project.is_empty() {
            t.campaign.clone()
        } else {
            t.project.clone()
        },
        campaign: t.campaign.clone(),
        sender_name: t.sender_name.clone(),
        channel: t.channel.clone(),
        goal: goal.to_owned(),
        goal_title: goal_title.to_owned(),
        message: c.visible_text.trim().chars().take(QUOTED_CHARS).collect(),
        from_address: c.from_address.clone(),
        subject: c.subject.clone(),
        reply_subject: compose::reply_subject(&c.subject),
        nudge: String::new(),
        intent: v.intent.to_string(),
        confidence: format!("{:.2}", v.confidence),
        reasons: String::new(),
        scheduling: v.scheduling,
        verified: c.sender_verified,
        from_spam: c.from_spam,
        proven: c.sender_auth == SenderAuth::Pass,
        draft: false,
        acknowledged: false,
        answer: String::new(),
        answered: false,
        sources: String::new(),
        conversation_url: String::new(),
        contact: String::new(),
    }
}

/// Characters of a passage that a notice quotes.
const SOURCE_CHARS: usize = 240;

/// What was quoted, or came near: a line each, with its place.
pub(super) fn source_lines(citations: &[Citation], used: bool) -> String {
    let lines: Vec<String> = citations
        .iter()
        .filter(|c| c.used || !used)
        .map(|c| {
            let quote = c.quote.split_whitespace().collect::<Vec<_>>().join(" ");
            let short: String = quote.chars().take(SOURCE_CHARS).collect();
            let more = if short.len() < quote.len() {
                " …"
            } else {
                ""
            };
            format!("- {}: {short}{more}", c.place())
        })
        .collect();
    lines.join("\n")
}

/// The page of a conversation, if the web pages have a public address.
pub(super) fn conversation_url(public: Option<&str>, thread: CampaignLeadId) -> String {
    public.map_or_else(String::new, |base| {
        let base = base.trim_end_matches('/');
        format!("{base}/campaigns/conversations/?campaign_lead_id={thread}")
    })
}

/// Ids for In-Reply-To and References of an answer: the reply's own, and the chain before it.
/// A reply without a Message-ID is threaded by the mail of ours that it answers.
pub(crate) fn threading(c: &JobContext) -> (Option<&str>, Vec<String>) {
    let own = (!c.message_key.starts_with("digest:")).then_some(c.message_key.as_str());
    let ids = |list: &str| -> Vec<String> { list.split_whitespace().map(Into::into).collect() };
    let mut chain = ids(&c.reference_ids);
    if chain.is_empty() {
        chain = ids(&c.in_reply_to);
    }
    if let Some(sent) = c.matched.as_ref().filter(|m| !m.id_key.is_empty())
        && chain.is_empty()
    {
        chain.push(sent.id_key.clone());
    }
    (own, chain)
}

/// Under which name and addresses an account writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ours<'a> {
    /// Display name; empty: the campaign's sender name.
    pub(crate) from_name: &'a str,
    /// Its address.
    pub(crate) address: &'a str,
    /// Further addresses of it.
    pub(crate) aliases: &'a [String],
}

impl<'a> Ours<'a> {
    pub(super) fn of(account: &'a AccountSettings) -> Self {
        Self {
            from_name: &account.from_name,
            address: &account.address,
            aliases: &account.aliases,
        }
    }
}

/// Our side of the thread: the address that the lead wrote to, under the account's name.
pub(crate) fn from_address(c: &JobContext, t: &ThreadContext, ours: Ours<'_>) -> Address {
    let names = [ours.from_name, &t.sender_name];
    let name = names.into_iter().find(|name| !name.is_empty());
    Address {
        name: name.unwrap_or_default().to_owned(),
        addr: compose::answering_address(&c.to_addresses, ours.address, ours.aliases),
    }
}
