//! A mail host, replyds that watch mailboxes of it, and machines at other mailboxes.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use replyd::time::now;
use rusqlite::Connection;

use crate::common::bin::{Replyd, Running};
use crate::common::dovecot::{Options, PASSWORD};
use crate::common::host::MailHost;
use crate::common::lead::hand_over_raw;
use crate::common::rows::{OutboxRow, Rows};
use crate::common::{PATIENCE, make_dir, pause, write};
use crate::letter::Letter;

/// More than any machine answers when everything is well.
const LOOPS: usize = 25;
const DAY: Duration = Duration::from_secs(86_400);

/// Who answers what comes into a mailbox: the mail, and how many came before it.
pub(crate) type Answers = Box<dyn FnMut(&str, usize) -> Vec<Letter>>;

/// A mailbox at which something answers.
pub(crate) struct Machine {
    mailbox: String,
    answers: Answers,
    /// Mails that it has answered.
    seen: usize,
    /// Answers no later mail than this one for the time being.
    until: usize,
}

/// One installation of replyd.
pub(crate) struct Side {
    /// The address that it writes from.
    pub(crate) address: String,
    /// The mailbox that it watches.
    mailbox: String,
    /// Where its sales are told.
    pub(crate) sales: String,
    replyd: Replyd,
    running: Option<Running>,
}

/// What a side knows: a lead and the mails that it got.
pub(crate) struct Known<'a> {
    pub(crate) lead: &'a str,
    pub(crate) message_ids: &'a [&'a str],
}

/// What a test wants of a side.
pub(crate) struct Wanted<'a> {
    pub(crate) address: &'a str,
    /// Where its mail comes in: the address itself, or what stands behind a relay.
    pub(crate) mailbox: &'a str,
    pub(crate) sales: &'a str,
    pub(crate) leads: &'a [Known<'a>],
    /// Its campaign's FAQ; empty: no documents.
    pub(crate) documents: &'a str,
}

impl Side {
    fn start(host: &MailHost, wanted: &Wanted<'_>) -> Self {
        let replyd = Replyd::new(&settings(host, wanted));
        let date = now().minus(DAY).rfc3339();
        let mut leads = "lead_id,name,email,project_name\n".to_owned();
        let mut sent = "message_id,lead_id,campaign,date,subject\n".to_owned();
        for (n, known) in wanted.leads.iter().enumerate() {
            writeln!(leads, "L-{n},Ann Lee,{},Lake Homes", known.lead).expect("A string takes it");
            for id in known.message_ids {
                writeln!(sent, "<{id}>,L-{n},Spring,{date},Homes at the lake")
                    .expect("A string takes it");
            }
        }
        let leads = replyd.file("leads.csv", &leads);
        replyd.ok(&["leads", "import", &leads]);
        let sent = replyd.file("sent.csv", &sent);
        replyd.ok(&["sent", "import", &sent]);
        if !wanted.documents.is_empty() {
            let folder = replyd.dir().join("documents");
            make_dir(&folder);
            write(&folder.join("faq.md"), wanted.documents);
            let folder = folder.display().to_string();
            replyd.ok(&["campaign", "set", "Spring", "--documents", &folder]);
        }
        let mut side = Self {
            address: wanted.address.to_owned(),
            mailbox: wanted.mailbox.to_owned(),
            sales: wanted.sales.to_owned(),
            replyd,
            running: None,
        };
        side.listen();
        side
    }

    fn listen(&mut self) {
        let before = Rows::open(&self.replyd.database()).map_or(0, |rows| {
            rows.count("accounts WHERE verified_at IS NOT NULL")
        });
        let mut running = self.replyd.start(&["run"]);
        if before == 0 {
            running.wait_for_rows("the account to be live", |rows| {
                let live = "accounts WHERE state = 'live' AND verified_at IS NOT NULL";
                (rows.count(live) == 1).then_some(())
            });
        }
        self.running = Some(running);
    }

    /// Whether all that came in was stored and decided, and all that was queued has left.
    fn rests(&self, arrived: usize) -> bool {
        let Some(rows) = Rows::open(&self.replyd.database()) else {
            return false;
        };
        usize::try_from(rows.count("messages")) == Ok(arrived)
            && rows.count("reply_jobs WHERE state = 'pending'") == 0
            && rows.count("outbox WHERE state IN ('queued', 'sending', 'deferred')") == 0
    }

    /// The mails that it queued for others than its sales.
    pub(crate) fn automatic(&self) -> Vec<OutboxRow> {
        let mut rows = self.replyd.rows().outbox();
        rows.retain(|mail| mail.to != self.sales);
        rows
    }

    /// Its database.
    pub(crate) fn rows(&self) -> Rows {
        self.replyd.rows()
    }

    /// What `explain` says of every mail that it stored, in order of capture.
    pub(crate) fn explained(&self) -> Vec<String> {
        let messages = self.replyd.rows().messages();
        let explain = |id: i64| self.replyd.ok(&["explain", &id.to_string()]).stdout();
        messages.iter().map(|m| explain(m.id)).collect()
    }

    /// What `status` prints.
    pub(crate) fn status(&self) -> String {
        self.replyd.run(&["status"]).stdout()
    }
}

/// Everything of one scene. Dropped in this order.
pub(crate) struct World {
    pub(crate) sides: Vec<Side>,
    pub(crate) machines: Vec<Machine>,
    pub(crate) host: MailHost,
}

impl World {
    /// Starts the servers with these mailboxes, and the sides.
    pub(crate) fn start(mailboxes: &[&str], sides: &[Wanted<'_>]) -> Self {
        let host = MailHost::with(&Options {
            users: mailboxes,
            idle: true,
            plain_port: false,
        });
        let sides = sides.iter().map(|side| Side::start(&host, side)).collect();
        Self {
            sides,
            machines: Vec::new(),
            host,
        }
    }

    /// Puts a machine at a mailbox.
    pub(crate) fn put(&mut self, mailbox: &str, answers: Answers) {
        self.machines.push(Machine {
            mailbox: mailbox.to_owned(),
            answers,
            seen: 0,
            until: usize::MAX,
        });
    }

    /// The only side.
    pub(crate) fn side(&self) -> &Side {
        self.sides.first().expect("One side")
    }

    /// Hands a mail to Postfix.
    pub(crate) fn hand_over(&self, letter: &Letter) {
        hand_over_raw(
            &self.host.postfix,
            &letter.envelope(),
            letter.raw.as_bytes(),
        );
    }

    /// Mails in a mailbox.
    pub(crate) fn mails(&self, mailbox: &str) -> Vec<String> {
        let mails = self.host.dovecot.mailbox(mailbox);
        let text = |raw: &Vec<u8>| String::from_utf8_lossy(raw).into_owned();
        mails.iter().map(text).collect()
    }

    /// How many mails of this sender lie in a mailbox.
    pub(crate) fn mails_from(&self, mailbox: &str, sender: &str) -> usize {
        let from = |mail: &String| crate::letter::field(mail, "From").contains(sender);
        self.mails(mailbox).iter().filter(|mail| from(mail)).count()
    }

    /// Waits until nothing moves any more.
    #[track_caller]
    pub(crate) fn settle(&mut self) {
        for machine in &mut self.machines {
            machine.until = usize::MAX;
        }
        self.come_to_rest();
    }

    /// The machines answer what they have now, and what comes of it lies there unanswered.
    #[track_caller]
    pub(crate) fn settle_one_round(&mut self) {
        for machine in &mut self.machines {
            machine.until = self.host.dovecot.mailbox(&machine.mailbox).len();
        }
        self.come_to_rest();
    }

    #[track_caller]
    fn come_to_rest(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.let_machines_answer();
            let before = self.mailboxes();
            // What moved during the first look is seen by the second.
            if self.rests() && self.rests() && self.mailboxes() == before {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "It does not come to rest:\n{}",
                self.told()
            );
            pause();
        }
    }

    /// As if all that happened so far were this much older. Nothing may move.
    pub(crate) fn age(&mut self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).expect("A short time");
        for side in &mut self.sides {
            if let Some(running) = side.running.take() {
                running.terminate().assert_code(0);
            }
            let database = Connection::open(side.replyd.database()).expect("Open the database");
            database
                .execute("UPDATE outbox SET created_at = created_at - ?1", [ms])
                .expect("Change the times");
            drop(database);
            side.listen();
        }
    }

    /// The state of everything, for a failure.
    pub(crate) fn told(&self) -> String {
        let mut text = String::new();
        for side in &self.sides {
            writeln!(text, "{}: {:#?}", side.address, side.replyd.rows().outbox())
                .expect("A string takes it");
            for told in side.explained() {
                writeln!(text, "{told}").expect("A string takes it");
            }
        }
        writeln!(text, "{:?}", self.mailboxes()).expect("A string takes it");
        text
    }

    fn let_machines_answer(&mut self) {
        for machine in &mut self.machines {
            let mails = self.host.dovecot.mailbox(&machine.mailbox);
            for raw in mails.iter().take(machine.until).skip(machine.seen) {
                assert!(machine.seen < LOOPS, "{} loops", machine.mailbox);
                let mail = String::from_utf8_lossy(raw);
                for letter in (machine.answers)(&mail, machine.seen) {
                    let envelope = letter.envelope();
                    hand_over_raw(&self.host.postfix, &envelope, letter.raw.as_bytes());
                }
                machine.seen += 1;
            }
        }
    }

    fn mailboxes(&self) -> Vec<usize> {
        let dovecot = &self.host.dovecot;
        let count = |user: &String| dovecot.mailbox(user).len();
        dovecot.users().iter().map(count).collect()
    }

    fn rests(&self) -> bool {
        let of = |mailbox: &str| self.host.dovecot.mailbox(mailbox).len();
        let sides = || self.sides.iter().all(|side| side.rests(of(&side.mailbox)));
        let mut machines = self.machines.iter();
        self.host.postfix.queue_is_empty()
            && machines.all(|m| m.seen >= of(&m.mailbox).min(m.until))
            && sides()
    }
}

fn settings(host: &MailHost, wanted: &Wanted<'_>) -> String {
    let ca = host.dovecot.certs.ca_file.display();
    let Wanted {
        address,
        mailbox,
        sales,
        ..
    } = wanted;
    format!(
        "[[accounts]]
name = \"desk\"
address = \"{address}\"
user = \"{mailbox}\"
password = \"{PASSWORD}\"

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
interval = \"9m\"
login_every = \"0s\"

[reply]
sales_email = \"{sales}\"

[log]
format = \"json\"
filter = \"info,replyd=debug\"
",
        imap = host.dovecot.imaps_port(),
        smtp = host.postfix.submission_port(),
    )
}
