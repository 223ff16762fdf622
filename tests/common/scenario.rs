//! A sales desk with leads, on a real mail host, and a replyd that watches it.

use std::fmt::Write as _;
use std::time::Duration;

use replyd::time::{UtcMs, now};
use rusqlite::Connection;

use super::bin::Replyd;
use super::dovecot::{Options, PASSWORD};
use super::host::MailHost;
use super::lead::LeadReply;
use super::rows::{OutboxRow, Rows};

/// The watched mailbox.
pub(crate) const DESK: &str = "desk@homes.example";
/// Where sales are told.
pub(crate) const SALES: &str = "sales@homes.example";
/// Subject of the campaign mails.
pub(crate) const SUBJECT: &str = "Homes at the lake";
/// A wish that the rules are sure of.
pub(crate) const WISH: &str = "Yes, I am interested. Please book a viewing for me, I would love to come and see the apartment.";
/// A question that only a person can answer.
pub(crate) const QUESTION: &str = "How high are the service charges for the two-bedroom unit?";

/// A lead: number `n` has mailbox, campaign mail and answer under names with this number.
#[derive(Clone, Debug)]
pub(crate) struct Lead {
    /// Its mailbox.
    pub(crate) address: String,
    /// The operator's key.
    pub(crate) lead_id: String,
    /// Message-ID of the campaign mail that it got.
    pub(crate) campaign_id: String,
    /// Message-ID of its answer.
    pub(crate) answer_id: String,
    /// From of its mails.
    pub(crate) from: String,
}

impl Lead {
    /// Lead number `n`.
    pub(crate) fn number(n: usize) -> Self {
        Self {
            address: format!("lead{n}@people.example"),
            lead_id: format!("L-{n}"),
            campaign_id: format!("campaign-{n}@homes.example"),
            answer_id: format!("answer-{n}@people.example"),
            from: format!("Ann Lee <lead{n}@people.example>"),
        }
    }

    /// Its answer to the campaign mail.
    pub(crate) fn reply<'a>(&'a self, text: &'a str) -> LeadReply<'a> {
        LeadReply {
            from: &self.from,
            to: DESK,
            subject: SUBJECT,
            in_reply_to: &self.campaign_id,
            references: &[],
            text,
            message_id: &self.answer_id,
        }
    }
}

/// Mail host, leads and an installation of replyd.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// Both servers.
    pub(crate) host: MailHost,
    /// Settings and state.
    pub(crate) replyd: Replyd,
    /// The leads, numbered from 0.
    pub(crate) leads: Vec<Lead>,
}

/// What differs from test to test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// How many leads have a mailbox.
    pub(crate) leads: usize,
    /// Whether the server offers IDLE.
    pub(crate) idle: bool,
    /// Period of the fallback poll, as replyd.toml writes it.
    pub(crate) interval: &'static str,
    /// The log filter.
    pub(crate) log: &'static str,
    /// Further lines of the `[[accounts]]` table.
    pub(crate) account: &'static str,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            leads: 1,
            idle: true,
            // Longer than a test waits: what comes in time was announced.
            interval: "9m",
            log: "info,replyd=debug",
            account: "",
        }
    }
}

impl Scenario {
    /// Starts the mail host and writes the settings; replyd knows nobody yet.
    #[track_caller]
    pub(crate) fn new(setting: Setting) -> Self {
        let leads: Vec<Lead> = (0..setting.leads).map(Lead::number).collect();
        let users: Vec<&str> = [DESK, SALES]
            .into_iter()
            .chain(leads.iter().map(|lead| lead.address.as_str()))
            .collect();
        let host = MailHost::with(&Options {
            users: &users,
            idle: setting.idle,
            plain_port: false,
        });
        let replyd = Replyd::new(&settings(&host, setting));
        Self {
            host,
            replyd,
            leads,
        }
    }

    /// The first lead.
    pub(crate) fn lead(&self) -> &Lead {
        self.leads.first().expect("A scenario with leads")
    }

    /// Imports the leads and the campaign mails, sent `ago` before now.
    #[track_caller]
    pub(crate) fn import(&self, ago: Duration) {
        let mut leads = "lead_id,name,email,country_code,phone,project_name,unit_type,\
                         budget_min,budget_max,status\n"
            .to_owned();
        let mut sent = "message_id,lead_id,campaign,date,subject\n".to_owned();
        let date = now().minus(ago).rfc3339();
        for lead in &self.leads {
            writeln!(
                leads,
                "{},Ann Lee,{},+44,2079460000,Lake Homes,apartment,100000,250000,new",
                lead.lead_id, lead.address
            )
            .expect("A string takes it");
            writeln!(
                sent,
                "<{}>,{},Spring,{date},{SUBJECT}",
                lead.campaign_id, lead.lead_id
            )
            .expect("A string takes it");
        }
        let leads = self.replyd.file("leads.csv", &leads);
        self.replyd.ok(&["leads", "import", &leads]);
        let sent = self.replyd.file("sent.csv", &sent);
        self.replyd.ok(&["sent", "import", &sent]);
    }

    /// Moves what happened so far into the past: as if replyd had been started, and the imports
    /// made, `ago` earlier. Only while no replyd runs.
    #[track_caller]
    pub(crate) fn shift_into_the_past(&self, ago: Duration) {
        let ago_ms = i64::try_from(ago.as_millis()).expect("A short time");
        let database = Connection::open(self.replyd.database()).expect("Open the database");
        for change in [
            "UPDATE accounts SET first_started_at = first_started_at - ?1, \
             verified_at = verified_at - ?1, looked_at = looked_at - ?1",
            "UPDATE sent_messages SET known_at = known_at - ?1, sent_at = sent_at - ?1",
        ] {
            database
                .execute(change, [ago_ms])
                .unwrap_or_else(|e| panic!("{change}: {e}"));
        }
    }

    /// Delivers a lead's answer straight into the desk's mailbox, with this time of arrival.
    #[track_caller]
    pub(crate) fn arrived(&self, lead: &Lead, text: &str, at: UtcMs) {
        self.host
            .dovecot
            .deliver_at(DESK, lead.reply(text).raw(), at);
    }

    /// Delivers a stranger's mail, with this time of arrival.
    #[track_caller]
    pub(crate) fn stranger_wrote(&self, n: usize, at: UtcMs) {
        let mail = format!(
            "From: Someone <someone{n}@elsewhere.example>\r\nTo: {DESK}\r\n\
             Message-ID: <other-{n}@elsewhere.example>\r\nSubject: Lunch\r\n\r\nShall we?\r\n"
        );
        self.host.dovecot.deliver_at(DESK, mail, at);
    }

    /// Fails unless the lead's mailbox holds exactly one answer of ours, rightly threaded, and
    /// the outbox says the same. Waits for it.
    #[track_caller]
    pub(crate) fn assert_acknowledged(&self, lead: &Lead) {
        let mails = self.host.wait_for_mails(&lead.address, 1);
        assert_eq!(mails.len(), 1, "{mails:#?}");
        let mail = mails.first().expect("One mail");
        let header = |name: &str| header(mail, name);
        let outbox: Vec<OutboxRow> = self
            .replyd
            .rows()
            .outbox()
            .into_iter()
            .filter(|row| row.to == lead.address)
            .collect();
        assert_eq!(outbox.len(), 1, "{outbox:#?}");
        let row = outbox.first().expect("One row");
        assert_eq!(row.kind, "acknowledgment");
        assert_eq!(header("Message-ID"), format!("<{}>", row.message_id));
        assert_eq!(header("In-Reply-To"), format!("<{}>", lead.answer_id));
        assert_eq!(
            header("References"),
            format!("<{}> <{}>", lead.campaign_id, lead.answer_id)
        );
        assert_eq!(header("Auto-Submitted"), "auto-replied");
        assert_eq!(
            header("Subject"),
            "Thank you for your interest in Lake Homes"
        );
        assert!(header("From").contains(DESK), "{mail}");
        assert!(header("To").contains(&lead.address), "{mail}");
        assert_eq!(header("Return-Path"), format!("<{DESK}>"));
        // By submission with TLS and AUTH: Postfix says so in its trace field and its log.
        assert!(header("Received").contains("ESMTPSA"), "{mail}");
        assert!(
            self.host
                .postfix
                .log()
                .contains(&format!("sasl_username={DESK}")),
            "{}",
            self.host.postfix.log()
        );
    }

    /// Fails if any lead got a mail, or has one in the outbox whose state is none of these.
    #[track_caller]
    pub(crate) fn assert_no_lead_got_mail_but(&self, states: &[&str]) {
        for lead in &self.leads {
            let mails = self.host.dovecot.mailbox(&lead.address);
            assert!(mails.is_empty(), "{} got {mails:?}", lead.address);
        }
        let rows = self.replyd.rows().outbox();
        let moving = |row: &OutboxRow| row.to != SALES && !states.contains(&row.state.as_str());
        let moving: Vec<OutboxRow> = rows.into_iter().filter(moving).collect();
        assert_eq!(moving, [], "Mails wait for leads");
    }

    /// Fails if any lead got a mail, or is about to.
    #[track_caller]
    pub(crate) fn assert_no_lead_got_mail(&self, rows: &Rows) {
        for lead in &self.leads {
            let mails = self.host.dovecot.mailbox(&lead.address);
            assert!(mails.is_empty(), "{} got {mails:?}", lead.address);
        }
        let to_leads: Vec<OutboxRow> = rows
            .outbox()
            .into_iter()
            .filter(|row| row.to != SALES)
            .collect();
        assert_eq!(to_leads, [], "Mails wait for leads");
    }
}

/// A header field's value, unfolded, of the first field with this name.
#[track_caller]
pub(crate) fn header(mail: &str, name: &str) -> String {
    let head = mail
        .split_once("\r\n\r\n")
        .or_else(|| mail.split_once("\n\n"))
        .map_or(mail, |(head, _)| head)
        .replace("\r\n", "\n");
    let unfolded = head.replace("\n\t", " ").replace("\n ", " ");
    unfolded
        .lines()
        .find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
        .unwrap_or_else(|| panic!("No {name} in\n{mail}"))
}

fn settings(host: &MailHost, setting: Setting) -> String {
    let ca = host.dovecot.certs.ca_file.display();
    format!(
        "[[accounts]]
name = \"desk\"
address = \"{DESK}\"
user = \"{DESK}\"
password = \"{PASSWORD}\"
{account}

[accounts.imap]
host = \"localhost\"
port = {imap}
ca_file = \"{ca}\"

[accounts.smtp]
host = \"localhost\"
port = {smtp}
security = \"starttls\"
ca_file = \"{ca}\"

[listen]
interval = \"{interval}\"

[reply]
sales_email = \"{SALES}\"

[log]
format = \"json\"
filter = \"{log}\"
",
        imap = host.dovecot.imaps_port(),
        smtp = host.postfix.submission_port(),
        interval = setting.interval,
        log = setting.log,
        account = setting.account,
    )
}
