//! The servers, the leads and a running replyd.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use replyd::app::App;
use replyd::campaign::{self, ImportOptions};
use replyd::config::{Environment, Flags, Need, Settings, Sources};
use replyd::time::now;
use replyd_sandbox::{DelayProxy, Options as SandboxOptions, Sandbox, UnknownRecipients};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::common::dovecot::{Dovecot, Options, PASSWORD};
use crate::common::postfix::Postfix;
use crate::common::rows::Rows;
use crate::common::scenario::{DESK, Lead, SALES, SUBJECT, WISH};
use crate::common::{PATIENCE, is_root, write};
use crate::own::Said;
use crate::plain::{self, Plain};
use crate::recorder::Recorder;

/// Everything that a measurement needs. Dropped in this order.
pub(crate) struct Host {
    leads: Vec<Lead>,
    stop: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
    /// The product has its threads for itself.
    app: Runtime,
    imap: DelayProxy,
    smtp: DelayProxy,
    submission: Submission,
    dovecot: Dovecot,
    network: Runtime,
    folder: TempDir,
}

/// How answers are handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// As in earnest: STARTTLS and AUTH.
    StartTls,
    /// Readable by the proxy; without a user.
    Clear,
}

/// Who takes the answers.
enum Submission {
    Postfix(Postfix),
    /// Where Postfix cannot run.
    Sandbox(Sandbox),
}

impl Submission {
    fn start(dovecot: &Dovecot, network: &Runtime) -> Self {
        if is_root() && super::report::version_of("postconf").is_some() {
            return Self::Postfix(Postfix::start(dovecot));
        }
        let options = SandboxOptions {
            unknown_recipients: UnknownRecipients::Accept,
            ..SandboxOptions::default()
        };
        let sandbox = network.block_on(Sandbox::start(options));
        let sandbox = sandbox.expect("Start the sandbox's SMTP server");
        sandbox.add_user(DESK, PASSWORD);
        Self::Sandbox(sandbox)
    }

    fn address(&self, way: Way) -> SocketAddr {
        match (self, way) {
            (Self::Postfix(postfix), Way::StartTls) => {
                ([127, 0, 0, 1], postfix.submission_port()).into()
            }
            // Where anybody's mail to the local domains comes in.
            (Self::Postfix(postfix), Way::Clear) => ([127, 0, 0, 1], postfix.smtp_port()).into(),
            (Self::Sandbox(sandbox), _) => sandbox.smtp_starttls_addr(),
        }
    }

    fn ca(&self, dovecot: &Dovecot) -> String {
        match self {
            Self::Postfix(_) => std::fs::read_to_string(&dovecot.certs.ca_file)
                .expect("Read the certificate of the servers"),
            Self::Sandbox(sandbox) => sandbox.ca_pem().to_owned(),
        }
    }
}

impl Host {
    /// Starts everything and waits until replyd listens.
    pub(crate) fn start(recorder: &Recorder, round_trip: Duration, mails: usize, way: Way) -> Self {
        let leads: Vec<Lead> = (0..mails).map(Lead::number).collect();
        let users: Vec<&str> = [DESK, SALES]
            .into_iter()
            .chain(leads.iter().map(|lead| lead.address.as_str()))
            .collect();
        let dovecot = Dovecot::start(&Options {
            users: &users,
            idle: true,
            // TLS would hide EXISTS from the proxy; to this machine the product takes it plain.
            plain_port: true,
        });
        let network = Runtime::new().expect("A runtime");
        let submission = Submission::start(&dovecot, &network);
        let proxy = |to| {
            let started = network.block_on(DelayProxy::start(to, round_trip / 2));
            started.expect("Start a proxy")
        };
        let imap = proxy(([127, 0, 0, 1], dovecot.imap_port()).into());
        let smtp = proxy(submission.address(way));
        let tap = recorder.clone();
        imap.watch_client(move |bytes| {
            tap.wire(bytes);
            tap.said(Said::imap_server(bytes));
        });
        let tap = recorder.clone();
        imap.listen_to_client(move |_| tap.said(Said::ImapClient));
        if way == Way::Clear {
            let tap = recorder.clone();
            smtp.watch_client(move |bytes| tap.said(Said::smtp_server(bytes)));
            let tap = recorder.clone();
            smtp.listen_to_client(move |bytes| tap.said(Said::smtp_client(bytes)));
        }

        let folder = TempDir::new().expect("Temporary folder");
        write(&folder.path().join("ca.pem"), submission.ca(&dovecot));
        let settings = settings(&folder, imap.addr().port(), smtp.addr().port(), way);
        let app = Runtime::new().expect("A runtime");
        recorder.begin();
        let stop = CancellationToken::new();
        let parts = app.block_on(async {
            let parts = App::open(settings).await.expect("Open replyd");
            import(&parts, &leads).await;
            parts
        });
        let token = stop.clone();
        let running = app.spawn(async move { parts.run(&token).await });
        assert!(recorder.wait_live(PATIENCE), "The account does not come up");
        Self {
            leads,
            stop,
            running,
            app,
            imap,
            smtp,
            submission,
            dovecot,
            network,
            folder,
        }
    }

    /// The same with both protocols in the clear, and every command and reply noted.
    pub(crate) fn start_in_the_clear(recorder: &Recorder, mails: usize) -> Self {
        Self::start(recorder, Duration::ZERO, mails, Way::Clear)
    }

    /// The commands of one mail by a plain client, at the same servers, with the mails of this run.
    pub(crate) fn plain_round_trips(&self, mails: usize) -> Plain {
        let sent = self.leads.first().map(|lead| &lead.address);
        let sent = sent.and_then(|address| self.dovecot.mailbox(address).pop());
        plain::round_trips(
            self.dovecot.imap_port(),
            self.submission.address(Way::Clear).port(),
            &sent.expect("An answer"),
            mails,
        )
    }

    /// Lead number `n` answers.
    pub(crate) fn deliver(&self, n: usize) {
        let lead = self.leads.get(n).expect("A known lead");
        self.dovecot.deliver(DESK, lead.reply(WISH).raw());
    }

    /// How often replyd has waited for a round trip so far: IMAP, SMTP.
    pub(crate) fn turns(&self) -> (u64, u64) {
        (self.imap.stats().turns, self.smtp.stats().turns)
    }

    /// Ends replyd; how many mails it has stored, and had by push.
    pub(crate) fn stop(self) -> (i64, i64) {
        self.stop.cancel();
        let ended = self.app.block_on(self.running).expect("Wait for replyd");
        ended.expect("replyd ends in order");
        let rows = Rows::open(&self.folder.path().join("replyd.db")).expect("Its database");
        let stored = rows.count("messages WHERE disposition = 'reply'");
        let pushed = rows.count("messages WHERE source = 'live' AND announced_at IS NOT NULL");
        self.network.block_on(async {
            self.imap.stop().await;
            self.smtp.stop().await;
        });
        (stored, pushed)
    }
}

fn settings(folder: &TempDir, imap: u16, smtp: u16, way: Way) -> Settings {
    let smtp_way = match way {
        Way::StartTls => "security = \"starttls\"\nca_file = \"ca.pem\"",
        Way::Clear => "security = \"plain\"\nauth = \"none\"",
    };
    let config = folder.path().join("replyd.toml");
    // Without the brakes of a quiet day: hundreds answer within minutes.
    let text = format!(
        "[store]\ndatabase = \"replyd.db\"\n[listen]\ninterval = \"9m\"\n\
         [reply]\nsales_email = \"{SALES}\"\nsales_notices_per_hour = 10000\n\
         automatic_per_day = 10000\nautomatic_per_domain = 10000\n\
         [[accounts]]\nname = \"desk\"\naddress = \"{DESK}\"\npassword = \"{PASSWORD}\"\n\
         [accounts.imap]\nhost = \"localhost\"\nport = {imap}\nsecurity = \"plain\"\n\
         [accounts.smtp]\nhost = \"localhost\"\nport = {smtp}\n{smtp_way}\n"
    );
    write(&config, text);
    let env = Environment {
        cwd: folder.path().to_owned(),
        ..Environment::default()
    };
    let flags = Flags {
        config: Some(config),
        ..Flags::default()
    };
    let loaded = Settings::load(&Sources { env, flags }, Need::Mail);
    loaded.expect("The settings are complete").settings
}

async fn import(app: &App, leads: &[Lead]) {
    let mut known = String::from("lead_id,name,email,project_name\n");
    let mut sent = String::from("message_id,lead_id,campaign,date,subject\n");
    let yesterday = now().minus(Duration::from_secs(86_400)).rfc3339();
    for lead in leads {
        writeln!(
            known,
            "{},Ann Lee,{},Lake Homes",
            lead.lead_id, lead.address
        )
        .and_then(|()| {
            let Lead {
                campaign_id,
                lead_id,
                ..
            } = lead;
            writeln!(
                sent,
                "<{campaign_id}>,{lead_id},Spring,{yesterday},{SUBJECT}"
            )
        })
        .expect("A string takes it");
    }
    let (store, keys) = (app.store(), app.keys());
    let known = std::io::Cursor::new(known);
    let known = campaign::import_leads(store, keys, known, ImportOptions::default()).await;
    let sent = std::io::Cursor::new(sent);
    let sent = campaign::import_sent(store, keys, sent, ImportOptions::default()).await;
    let failed = known.expect("Import the leads").failed + sent.expect("Import the mails").failed;
    assert_eq!(failed, 0, "The leads could not be imported");
}
