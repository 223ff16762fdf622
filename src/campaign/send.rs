//! `campaign send`: every lead is looked at and every mail is filled before the first one is
//! queued; then the mails go into the outbox, 500 a transaction. Nothing is sent here: the
//! outbox does that at the account's pace.
//!
//! Killed anywhere, a second run goes on: one lead has one campaign mail, by a unique index.

use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;

use super::recipients::{Choice, Standing, Tally, field};
use super::template::{Filled, Source, TemplateFault, Templates, Values};
use crate::config::{ReplyAddress, SenderSettings};
use crate::faultpoint;
use crate::keys::Keys;
use crate::model::{AccountId, Address, CampaignId, CampaignLeadId, Inserted, MailKind};
use crate::reply::compose::{self, Draftable, FurtherParts};
use crate::store::{
    Campaign, Mailing, RECIPIENT_FIELDS, Recipient, Store, StoreError, Tx, full_phone,
};
use crate::time::UtcMs;
use crate::unsubscribe;

/// A transaction of some hundred milliseconds; a listener's capture waits no longer than that.
const LEADS_A_TRANSACTION: u32 = 500;
/// Leads with a fault that are told by their key; the rest are counted.
const MAX_FAULTS: usize = 50;
/// Mails that a dry run shows.
const SAMPLES: usize = 3;

/// How `campaign send` is to be done.
#[derive(Clone, Default)]
pub struct SendOptions {
    /// Look and report only.
    pub dry_run: bool,
    /// At most this many mails; none: all.
    pub limit: Option<u64>,
    /// Only leads with these keys of the operator's; empty: all.
    pub to: Vec<String>,
    /// Also to leads whose mail was refused or withdrawn before.
    pub retry: bool,
    /// Where people reach the pages (`web.public_url`): with https, mails offer one-click
    /// unsubscribing (RFC 8058).
    pub public_url: Option<String>,
    /// Told (done, of) leads.
    pub progress: Option<Arc<dyn Fn(u64, u64) + Send + Sync>>,
}

impl std::fmt::Debug for SendOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendOptions")
            .field("dry_run", &self.dry_run)
            .field("limit", &self.limit)
            .field("to", &self.to.len())
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// A lead for whom the templates cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeadFault {
    /// The operator's key.
    pub lead_id: String,
    /// What is wrong.
    pub what: String,
}

/// A mail as a dry run shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// The operator's key of its lead.
    pub lead_id: String,
    /// Its recipient.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// Whether it has an HTML part too.
    pub html: bool,
}

/// What `campaign send` found and did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SendReport {
    /// Who gets a mail and who does not. After faults nothing was queued.
    #[serde(flatten)]
    pub tally: Tally,
    /// Leads for whom the templates cannot be filled, the first 50.
    pub faults: Vec<LeadFault>,
    /// How many there are in all.
    pub faulty: u64,
    /// The first mails, in a dry run.
    pub samples: Vec<Sample>,
    /// Mails that were queued now.
    pub newly_queued: u64,
}

impl SendReport {
    fn fault(&mut self, lead_id: &str, what: String) {
        self.faulty = self.faulty.saturating_add(1);
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(LeadFault {
                lead_id: lead_id.to_owned(),
                what,
            });
        }
    }
}

/// A campaign ready to be filled in.
#[derive(Debug)]
struct Letter {
    campaign: Campaign,
    templates: Templates,
    sender: SenderSettings,
    keys: Arc<Keys>,
    redirect_to: Option<String>,
    /// Begins the https URI of List-Unsubscribe; none: it has a mailto URI only.
    public_url: Option<String>,
}

/// Why a mail to one lead cannot be made. Names no address.
#[derive(Debug, thiserror::Error)]
enum LetterFault {
    #[error(transparent)]
    Template(#[from] TemplateFault),
    #[error(transparent)]
    Compose(#[from] compose::ComposeError),
    #[error("No random numbers: {0}")]
    Random(String),
}

/// The templates of a mailing, compiled: for `campaign create` and before each send.
///
/// # Errors
/// [`TemplateFault`] names the part and what is wrong.
pub fn compile(mailing: &Mailing) -> Result<Templates, TemplateFault> {
    Templates::new(&Source {
        subject: mailing.subject.clone(),
        text: mailing.text.clone(),
        html: mailing.html.clone(),
    })
}

/// Queues the mails of a campaign, or in a dry run says what would be. With faults in the
/// report nothing was queued.
///
/// # Errors
/// What is wrong with the campaign as a whole, or what the store says.
pub async fn send(
    store: &Store,
    keys: &Arc<Keys>,
    campaign: Campaign,
    sender: SenderSettings,
    redirect_to: Option<String>,
    options: SendOptions,
    now: UtcMs,
) -> anyhow::Result<SendReport> {
    let mailing = campaign
        .mailing
        .as_ref()
        .context("The campaign has no template: `replyd campaign create` gives it one")?;
    let templates = compile(mailing).context("The campaign's template")?;
    let letter = Arc::new(Letter {
        campaign,
        templates,
        sender,
        keys: Arc::clone(keys),
        redirect_to,
        // RFC 8058 §3.1: the URI must be https.
        public_url: options
            .public_url
            .as_deref()
            .filter(|url| url.starts_with("https://"))
            .map(|url| url.trim_end_matches('/').to_owned()),
    });
    let mut report = check(store, &letter, &options).await?;
    if report.faulty > 0 || options.dry_run {
        return Ok(report);
    }
    queue_all(store, &letter, &options, &mut report, now).await?;
    Ok(report)
}

/// Looks at every lead and fills every mail; writes nothing.
async fn check(
    store: &Store,
    letter: &Arc<Letter>,
    options: &SendOptions,
) -> anyhow::Result<SendReport> {
    let mut report = SendReport::default();
    let mut choice = Choice::new(options.retry);
    let mut after = CampaignLeadId(0);
    loop {
        let (shared, to) = (Arc::clone(letter), options.to.clone());
        // Filling takes some ten microseconds a mail: on a blocking thread.
        let (batch, filled) = store
            .read(move |r| {
                let batch = if to.is_empty() {
                    r.recipients(shared.campaign.id, after, LEADS_A_TRANSACTION)?
                } else {
                    r.recipients_named(shared.campaign.id, &to)?
                };
                let filled: Vec<Result<Filled, String>> = batch
                    .iter()
                    .map(|r| shared.fill(r).map_err(|e| e.to_string()))
                    .collect();
                Ok::<_, StoreError>((batch, filled))
            })
            .await
            .context("Read the campaign's leads")?;
        let end = batch.len() < LEADS_A_TRANSACTION as usize || !options.to.is_empty();
        for (lead, filled) in batch.iter().zip(filled) {
            after = lead.campaign_lead_id;
            let standing = choice.look_at(lead);
            report.tally.add(standing);
            if standing != Standing::Ready {
                continue;
            }
            match filled {
                Ok(filled) if options.dry_run && report.samples.len() < SAMPLES => {
                    report.samples.push(Sample {
                        lead_id: lead.lead_id.clone(),
                        to: field(lead, "email").to_owned(),
                        subject: filled.subject,
                        text: filled.text,
                        html: filled.html.is_some(),
                    });
                }
                Ok(_) => {}
                Err(what) => report.fault(&lead.lead_id, what),
            }
        }
        if end {
            return Ok(report);
        }
    }
}

async fn queue_all(
    store: &Store,
    letter: &Arc<Letter>,
    options: &SendOptions,
    report: &mut SendReport,
    now: UtcMs,
) -> anyhow::Result<()> {
    let total = report.tally.leads;
    let mut left = options.limit.unwrap_or(u64::MAX);
    let mut after = CampaignLeadId(0);
    let mut done = 0_u64;
    while left > 0 {
        let (shared, to, retry) = (Arc::clone(letter), options.to.clone(), options.retry);
        let batch = store
            .write(move |tx| {
                let queued = shared.queue_batch(tx, after, &to, retry, left, now)?;
                faultpoint::hit("campaign.queue_before_commit");
                Ok::<_, StoreError>(queued)
            })
            .await
            .context("Queue the campaign's mails")?;
        faultpoint::hit("campaign.queued");
        left = left.saturating_sub(batch.queued);
        report.newly_queued = report.newly_queued.saturating_add(batch.queued);
        for (lead_id, what) in batch.faults {
            report.fault(&lead_id, what);
        }
        done = done.saturating_add(batch.leads);
        if let Some(progress) = &options.progress {
            progress(done, total);
        }
        match batch.last {
            Some(last) if options.to.is_empty() => after = last,
            _ => break,
        }
    }
    Ok(())
}

/// What one transaction did.
#[derive(Debug, Default)]
struct Batch {
    leads: u64,
    queued: u64,
    last: Option<CampaignLeadId>,
    /// A lead that changed since the check.
    faults: Vec<(String, String)>,
}

impl Letter {
    fn queue_batch(
        &self,
        tx: &Tx<'_>,
        after: CampaignLeadId,
        to: &[String],
        retry: bool,
        limit: u64,
        now: UtcMs,
    ) -> Result<Batch, StoreError> {
        let account = tx.ensure_account(&self.sender.account, now)?.id;
        let reply_token = self.sender.reply_address == ReplyAddress::Auto
            && tx.reply_address_proven(account, &self.sender.address)?;
        let recipients = if to.is_empty() {
            tx.recipients(self.campaign.id, after, LEADS_A_TRANSACTION)?
        } else {
            tx.recipients_named(self.campaign.id, to)?
        };
        let mut batch = Batch::default();
        let mut choice = Choice::new(retry);
        for lead in &recipients {
            batch.last = Some(lead.campaign_lead_id);
            batch.leads = batch.leads.saturating_add(1);
            if choice.look_at(lead) != Standing::Ready {
                continue;
            }
            match self.compose(lead, account, reply_token, now) {
                Ok(mail) => {
                    if let Inserted::New(_) = tx.enqueue(&mail, now)? {
                        batch.queued = batch.queued.saturating_add(1);
                    }
                }
                Err(e) => batch.faults.push((lead.lead_id.clone(), e.to_string())),
            }
            if batch.queued >= limit {
                break;
            }
        }
        Ok(batch)
    }

    fn compose(
        &self,
        lead: &Recipient,
        account_id: AccountId,
        reply_token: bool,
        now: UtcMs,
    ) -> Result<crate::model::NewMail, LetterFault> {
        let filled = self.fill(lead)?;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|e| LetterFault::Random(e.to_string()))?;
        let page = self.unsubscribe_page(lead);
        let unsubscribe: Vec<String> = page
            .into_iter()
            .chain([self.unsubscribe_uri(lead)])
            .collect();
        let mail = compose::compose_with(
            &Draftable {
                kind: MailKind::Campaign,
                job_id: None,
                round: 0,
                account_id,
                campaign_lead_id: Some(lead.campaign_lead_id),
                // A person sends it and a person is to answer: no Auto-Submitted, or machines
                // would treat it as one machine's word to another (RFC 3834 §5.2).
                by_person: true,
                from: Address {
                    name: self.display_name().to_owned(),
                    addr: self.sender.address.clone(),
                },
                to: Address {
                    name: field(lead, "name").to_owned(),
                    addr: field(lead, "email").to_owned(),
                },
                reply_to: None,
                subject: &filled.subject,
                body: &filled.text,
                in_reply_to: None,
                references: &[],
                envelope_from: &self.sender.envelope_from,
                redirect_to: self.redirect_to.as_deref(),
            },
            FurtherParts {
                html: filled.html.as_deref(),
                unsubscribe: &unsubscribe,
                reply_token,
            },
            &self.keys,
            random,
            now,
        )?;
        Ok(mail)
    }

    fn fill(&self, lead: &Recipient) -> Result<Filled, TemplateFault> {
        self.templates.fill(&self.values(lead))
    }

    fn values(&self, lead: &Recipient) -> Values {
        let campaign = &self.campaign;
        let first_of = |a: &str, b: &str| {
            if a.is_empty() {
                b.to_owned()
            } else {
                a.to_owned()
            }
        };
        let mut values = Values::new();
        let mut put = |name: &'static str, value: String| {
            if !value.trim().is_empty() {
                values.insert(name, value);
            }
        };
        put("lead_id", lead.lead_id.clone());
        for column in RECIPIENT_FIELDS {
            put(column, field(lead, column).to_owned());
        }
        let phone = full_phone(field(lead, "country_code"), field(lead, "phone"));
        put("phone", phone.clone());
        put("lead_phone", phone);
        put("lead_name", field(lead, "name").to_owned());
        put("lead_email", field(lead, "email").to_owned());
        put(
            "project",
            first_of(&campaign.project_name, field(lead, "project_name")),
        );
        put("campaign", campaign.name.clone());
        put(
            "sender_name",
            first_of(&campaign.sender_name, &campaign.name),
        );
        put("offer_details", campaign.offer_details.clone());
        put("sender_address", self.sender.address.clone());
        let page = self.unsubscribe_page(lead);
        put(
            "unsubscribe_url",
            page.unwrap_or_else(|| self.unsubscribe_uri(lead)),
        );
        values
    }

    fn display_name(&self) -> &str {
        let campaign = &self.campaign;
        [
            &self.sender.from_name,
            &campaign.sender_name,
            &campaign.name,
        ]
        .into_iter()
        .find(|name| !name.is_empty())
        .map_or("", String::as_str)
    }

    /// The page that opts this lead out; none: nobody outside reaches one.
    fn unsubscribe_page(&self, lead: &Recipient) -> Option<String> {
        let base = self.public_url.as_deref()?;
        let word = unsubscribe::mint(&self.keys, lead.campaign_lead_id, &lead.lead_id);
        Some(format!("{base}/u/{word}"))
    }

    fn unsubscribe_uri(&self, lead: &Recipient) -> String {
        let word = unsubscribe::mint(&self.keys, lead.campaign_lead_id, &lead.lead_id);
        let address = percent_encoded(&self.sender.address);
        format!("mailto:{address}?subject=unsubscribe%20{word}")
    }
}

/// RFC 6068 §2: what may stand in the address of a mailto URI as it is.
fn percent_encoded(address: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(address.len());
    for byte in address.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@+!$'*".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            write!(out, "%{byte:02X}").unwrap_or_default();
        }
    }
    out
}

/// How many leads a campaign has, for people who forgot to import them.
///
/// # Errors
/// What the store says.
pub async fn lead_count(store: &Store, campaign: CampaignId) -> Result<u64, StoreError> {
    store
        .read(move |r| r.campaign_counts(campaign))
        .await
        .map(|counts| counts.leads)
}
