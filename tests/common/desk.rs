//! The real binary against the sandbox: a mail server in this process that can be asked what it
//! took, so that a test can count answers whatever became of the process that sent them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use replyd::time::now;
use replyd_sandbox::{Options, Sandbox, Submission};
use tokio::runtime::Runtime;

use super::bin::{Finished, Replyd, Running};
use super::rows::Rows;
use super::scenario::{DESK, Lead, QUESTION, SALES, SUBJECT, WISH, header};

/// A wish to get no more mail.
pub(crate) const OPT_OUT: &str = "Please unsubscribe me and do not write again.";
const PASSWORD: &str = "sandbox";
const DAY: Duration = Duration::from_secs(86_400);

/// What a lead answers; lead `n` answers as `ANSWERS[n % 4]` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Wants a viewing: an acknowledgement and a notice.
    Goal,
    /// Asks: a draft and a notice.
    Question,
    /// Wants no more mail: a notice.
    OptOut,
}

/// Every fourth lead opts out, every fourth asks, the others want a viewing.
pub(crate) const ANSWERS: [Answer; 4] =
    [Answer::Goal, Answer::Question, Answer::OptOut, Answer::Goal];

impl Answer {
    fn text(self) -> &'static str {
        match self {
            Self::Goal => WISH,
            Self::Question => QUESTION,
            Self::OptOut => OPT_OUT,
        }
    }
}

/// Mail server, leads and an installation of replyd.
#[derive(Debug)]
pub(crate) struct Desk {
    /// Where the sandbox lives; before it, so that it is dropped after it.
    pub(crate) sandbox: Sandbox,
    /// Settings and state.
    pub(crate) replyd: Replyd,
    /// The leads, numbered from 0.
    pub(crate) leads: Vec<Lead>,
    runtime: Runtime,
}

impl Desk {
    /// Starts the server and writes the settings; replyd knows nobody yet.
    #[track_caller]
    pub(crate) fn new(leads: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("Start a runtime");
        let sandbox = runtime
            .block_on(Sandbox::start(Options::default()))
            .expect("Start the sandbox");
        let leads: Vec<Lead> = (0..leads).map(Lead::number).collect();
        for address in [DESK, SALES]
            .into_iter()
            .chain(leads.iter().map(|lead| lead.address.as_str()))
        {
            sandbox.add_user(address, PASSWORD);
        }
        let replyd = Replyd::new(&settings(&sandbox));
        replyd.file("ca.pem", sandbox.ca_pem());
        Self {
            sandbox,
            replyd,
            leads,
            runtime,
        }
    }

    /// The same, with the leads and the mails to them imported.
    #[track_caller]
    pub(crate) fn known(leads: usize) -> Self {
        let desk = Self::new(leads);
        desk.import();
        desk
    }

    /// The same, but for the import if `unknown`.
    #[track_caller]
    pub(crate) fn known_unless(unknown: bool, leads: usize) -> Self {
        if unknown {
            Self::new(leads)
        } else {
            Self::known(leads)
        }
    }

    /// Waits for something that happens in the sandbox.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Imports the leads and the campaign mails to them.
    #[track_caller]
    pub(crate) fn import(&self) {
        let mut leads = "lead_id,name,email,project_name\n".to_owned();
        let mut sent = "message_id,lead_id,campaign,date,subject\n".to_owned();
        let date = now().minus(DAY).rfc3339();
        for lead in &self.leads {
            writeln!(
                leads,
                "{},Ann Lee,{},Lake Homes",
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

    /// What lead `n` answers.
    pub(crate) fn answer(n: usize) -> Answer {
        ANSWERS
            .get(n % ANSWERS.len())
            .copied()
            .expect("Four answers")
    }

    /// Lets lead `n` answer; `ago` is how long ago that arrived.
    #[track_caller]
    pub(crate) fn deliver(&self, n: usize, ago: Duration) {
        let lead = self.leads.get(n).expect("A lead of this number");
        let raw = lead.reply(Self::answer(n).text()).raw();
        self.sandbox
            .deliver(DESK, "INBOX", &raw, Some(now().minus(ago).0))
            .expect("Deliver a reply");
    }

    /// Lets these leads answer now.
    #[track_caller]
    pub(crate) fn deliver_all(&self, leads: std::ops::Range<usize>) {
        for n in leads {
            self.deliver(n, Duration::ZERO);
        }
    }

    /// Starts `replyd run` and waits until it listens.
    #[track_caller]
    pub(crate) fn listen(&self, running: &mut Running) {
        self.block_on(self.sandbox.wait_for_idle(DESK, 1, super::PATIENCE))
            .unwrap_or_else(|e| panic!("{e}\n{}", running.drain_output()));
    }

    /// How many mails the server took, alerts aside: with intervals of a second a busy machine alone
    /// makes an account silent for three of them.
    #[track_caller]
    pub(crate) fn mails_sent(&self) -> usize {
        let mails = self.sandbox.submissions();
        let is_alert = |mail| header(&text(mail), "Subject").starts_with("replyd: account");
        mails.iter().filter(|mail| !is_alert(mail)).count()
    }

    /// The acknowledgements that the server took, by the Message-ID that they answer.
    #[track_caller]
    pub(crate) fn acknowledgements(&self) -> BTreeMap<String, usize> {
        let mut count = BTreeMap::new();
        for mail in self.sandbox.submissions() {
            if mail.to.iter().all(|to| to == SALES) {
                continue;
            }
            let id = header(&text(&mail), "In-Reply-To");
            *count.entry(id).or_insert(0) += 1;
        }
        count
    }

    /// How often each mail was taken, by its Message-ID.
    #[track_caller]
    pub(crate) fn taken(&self) -> BTreeMap<String, usize> {
        let mut count = BTreeMap::new();
        for mail in self.sandbox.submissions() {
            let id = header(&text(&mail), "Message-ID");
            let id = id.trim_matches(['<', '>']).to_owned();
            *count.entry(id).or_insert(0) += 1;
        }
        count
    }

    /// A Sent folder with a mail of a person in it, in which replyd files what it sends.
    #[track_caller]
    pub(crate) fn with_a_sent_folder(&self) {
        self.file_a_lunch(1);
        self.save_sent("name = \"desk\"\n", "always");
    }

    /// Says `never` in the place of `always` or the other way round, for the next start.
    #[track_caller]
    pub(crate) fn saves_sent_now(&self, saves: bool) {
        let (was, is) = if saves {
            ("never", "always")
        } else {
            ("always", "never")
        };
        self.save_sent(&format!("name = \"desk\"\nsave_sent = \"{was}\"\n"), is);
    }

    #[track_caller]
    fn save_sent(&self, line: &str, value: &str) {
        let path = self.replyd.dir().join("replyd.toml");
        let settings = std::fs::read_to_string(path).expect("The settings");
        assert_eq!(settings.matches(line).count(), 1, "{settings}");
        let account = format!("name = \"desk\"\nsave_sent = \"{value}\"\n");
        self.replyd
            .file("replyd.toml", &settings.replacen(line, &account, 1));
    }

    /// A person's mail to nobody that replyd knows.
    #[track_caller]
    pub(crate) fn file_a_lunch(&self, n: u32) {
        let lunch = format!(
            "From: {DESK}\r\nTo: else@where.example\r\nMessage-ID: <lunch-{n}@homes.example>\r\n\
             Subject: Lunch\r\n\r\nAt one?\r\n"
        );
        self.sandbox
            .deliver(DESK, "Sent", lunch.as_bytes(), None)
            .expect("File a mail");
    }

    /// Each answer has one copy in the Sent folder.
    #[track_caller]
    pub(crate) fn assert_filed_once(&self) {
        let filed = self.sandbox.messages(DESK, "Sent");
        let filed: Vec<String> = filed
            .iter()
            .map(|m| String::from_utf8_lossy(&m.raw).into_owned())
            .collect();
        for mail in self.replyd.rows().outbox() {
            let id = format!("Message-ID: <{}>", mail.message_id);
            let copies = filed.iter().filter(|m| m.contains(&id)).count();
            let due = usize::from(mail.kind == "acknowledgment" && mail.state == "sent");
            assert_eq!(copies, due, "{mail:?}");
        }
    }
}

fn text(mail: &Submission) -> String {
    String::from_utf8_lossy(&mail.raw).into_owned()
}

/// Whether every one of `replies` messages was stored, decided, and its mails have an outcome.
pub(crate) fn settled(rows: &Rows, replies: usize) -> Option<()> {
    let stored = usize::try_from(rows.count("messages")).unwrap_or(0);
    let decided = usize::try_from(rows.count("reply_jobs WHERE state = 'done'")).unwrap_or(0);
    let moving = rows.count("outbox WHERE state IN ('queued', 'sending', 'deferred')");
    (stored >= replies && decided >= replies && moving == 0).then_some(())
}

/// What is in the store of `replies` answers after all is settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Replies without a row.
    pub(crate) lost: usize,
    /// Rows of the store that stand there once more than they should.
    pub(crate) doubled_rows: usize,
    /// Answers that a lead got once more than it should.
    pub(crate) doubled_answers: usize,
    /// Acknowledgements that should have gone out and did not, and are not `unknown` either.
    pub(crate) unanswered: usize,
    /// Mails of which nobody knows whether they arrived.
    pub(crate) unknown: usize,
}

/// Counts what became of the answers of leads `0..replies`. `answered`: whether goals are
/// acknowledged (old mail never is).
#[track_caller]
pub(crate) fn count(desk: &Desk, replies: usize, answered: bool) -> Count {
    let rows = desk.replyd.rows();
    let mut found = Count {
        unknown: rows
            .outbox()
            .iter()
            .filter(|mail| mail.state == "unknown")
            .count(),
        ..Count::default()
    };
    let acknowledged = desk.acknowledgements();
    for (n, lead) in desk.leads.iter().enumerate().take(replies) {
        let key = &lead.answer_id;
        let times = |from: &str| -> usize {
            let n: i64 = rows.value(&format!("SELECT count(*) FROM {from}"), [key]);
            usize::try_from(n).unwrap_or(0)
        };
        let stored = times("messages WHERE message_key = ?1");
        found.lost += usize::from(stored == 0);
        found.doubled_rows += stored.saturating_sub(1);
        for each in [
            "conversations c JOIN messages m ON m.id = c.message_ref WHERE m.message_key = ?1",
            "reply_jobs j JOIN messages m ON m.id = j.message_id WHERE m.message_key = ?1 AND j.state = 'done'",
        ] {
            let n = times(each);
            found.lost += usize::from(n == 0 && stored > 0);
            found.doubled_rows += n.saturating_sub(1);
        }
        let queued = times(
            "outbox o JOIN reply_jobs j ON j.id = o.job_id JOIN messages m ON m.id = j.message_id
             WHERE m.message_key = ?1 AND o.kind = 'acknowledgment'",
        );
        let unknown = times(
            "outbox o JOIN reply_jobs j ON j.id = o.job_id JOIN messages m ON m.id = j.message_id
             WHERE m.message_key = ?1 AND o.kind = 'acknowledgment' AND o.state = 'unknown'",
        );
        let due = usize::from(answered && Desk::answer(n) == Answer::Goal);
        let got = acknowledged.get(&format!("<{key}>")).copied().unwrap_or(0);
        found.doubled_rows += queued.saturating_sub(due);
        found.doubled_answers += got.saturating_sub(due);
        found.unanswered += due.saturating_sub(got).saturating_sub(unknown);
    }
    // The same mail twice is a double whoever gets it, sales too.
    found.doubled_answers += desk
        .taken()
        .values()
        .map(|times| times.saturating_sub(1))
        .sum::<usize>();
    found
}

/// Stops a `run` in order.
#[track_caller]
pub(crate) fn stop(running: Running) -> Finished {
    let finished = running.terminate();
    finished.assert_code(0);
    finished
}

fn settings(sandbox: &Sandbox) -> String {
    format!(
        "[[accounts]]
name = \"desk\"
address = \"{DESK}\"
password = \"{PASSWORD}\"

[imap]
host = \"localhost\"
port = {imap}
ca_file = \"ca.pem\"

[smtp]
host = \"localhost\"
port = {smtp}
security = \"tls\"
ca_file = \"ca.pem\"

[listen]
interval = \"1s\"
login_every = \"0s\"

[reply]
sales_email = \"{SALES}\"
automatic_per_day = 100000
automatic_per_domain = 100000
sales_notices_per_hour = 10000

[log]
format = \"json\"
",
        imap = sandbox.imap_addr().port(),
        smtp = sandbox.smtp_addr().port(),
    )
}
