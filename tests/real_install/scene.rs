//! A mail host with a sales desk and a lead, and a system that is to listen to it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::common::dovecot::{Dovecot, Options, PASSWORD};
use crate::common::host::MailHost;
use crate::common::lead::LeadReply;
use crate::common::postfix::Postfix;
use crate::common::scenario::{DESK, Lead, SALES, SUBJECT, WISH};
use crate::common::wait_for;
use crate::root::{DebianRoot, Ended, Service};

/// Where the tests put the servers' own authority.
pub(crate) const CA_FILE: &str = "/etc/ssl/certs/test-ca.pem";

/// The operator, whose mail is internal.
pub(crate) const OPERATOR: &str = "admin@homes.example";

/// Host, system and lead.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) host: MailHost,
    pub(crate) root: DebianRoot,
    pub(crate) lead: Lead,
}

impl Scene {
    /// Starts the servers and makes the system; replyd is not on it yet.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let lead = Lead::number(0);
        let host = MailHost::start(&[DESK, SALES, OPERATOR, &lead.address]);
        Self::on(host, lead)
    }

    /// The same with servers that take tokens signed with this key, and no passwords.
    #[track_caller]
    pub(crate) fn with_tokens(key: &[u8]) -> Self {
        let lead = Lead::number(0);
        let options = Options {
            users: &[DESK, SALES, OPERATOR, &lead.address],
            idle: true,
            plain_port: false,
        };
        let dovecot = Dovecot::start_with_tokens(&options, key);
        let postfix = Postfix::start(&dovecot);
        Self::on(MailHost { postfix, dovecot }, lead)
    }

    #[track_caller]
    fn on(host: MailHost, lead: Lead) -> Self {
        let root = DebianRoot::new();
        let ca = std::fs::read(&host.dovecot.certs.ca_file).expect("Read the CA");
        root.put(CA_FILE, ca, 0o644);
        // What only root may read, in root's own folder: so a person keeps it.
        let csv = format!(
            "lead_id,name,email,project_name\nL-0,Ann Lee,{},Lake Homes\n",
            lead.address
        );
        root.put("/root/leads.csv", csv, 0o600);
        let date = replyd::time::now().minus(std::time::Duration::from_secs(60));
        let csv = format!(
            "message_id,lead_id,campaign,date,subject\n<{}>,L-0,Spring,{},{SUBJECT}\n",
            lead.campaign_id,
            date.rfc3339()
        );
        root.put("/root/sent.csv", csv, 0o600);
        Self { host, root, lead }
    }

    /// The flags of `setup` for the desk's mailbox, but for the secret.
    pub(crate) fn flags(&self) -> Vec<String> {
        let flags = [
            ("--address", DESK.to_owned()),
            ("--imap-host", "localhost".to_owned()),
            ("--imap-port", self.host.dovecot.imaps_port().to_string()),
            ("--smtp-host", "localhost".to_owned()),
            (
                "--smtp-port",
                self.host.postfix.submission_port().to_string(),
            ),
            ("--ca-file", CA_FILE.to_owned()),
            ("--sales-email", SALES.to_owned()),
            ("--operator", OPERATOR.to_owned()),
        ];
        flags
            .into_iter()
            .flat_map(|(flag, value)| [flag.to_owned(), value])
            .collect()
    }

    /// `replyd setup` with these flags and more, the password on its standard input.
    #[track_caller]
    pub(crate) fn setup(&self, program: &str, more: &[&str], password: &str) -> Ended {
        let flags = self.flags();
        let mut line = vec![program, "setup", "--password-file", "-"];
        line.extend(flags.iter().map(String::as_str));
        line.extend(more);
        self.root.shell_with(&line, password)
    }

    /// The right password, with the line end that `echo` makes.
    pub(crate) fn password() -> String {
        format!("{PASSWORD}\n")
    }

    /// The lead answers the campaign mail by SMTP.
    #[track_caller]
    pub(crate) fn lead_answers(&self) {
        let reply: LeadReply<'_> = self.lead.reply(WISH);
        reply.send(&self.host.postfix);
    }

    /// Lets replyd sign in as often as it likes: the tests go faster than a person.
    #[track_caller]
    pub(crate) fn lift_the_sign_in_limit(&self) {
        let path = self.root.at("/etc/replyd/replyd.toml");
        let text = std::fs::read_to_string(&path).expect("Read the settings");
        let text = text + "\n[listen]\nlogin_every = \"0s\"\n";
        // In place: owner and mode stay.
        std::fs::write(path, text).expect("Write the settings");
    }

    /// Waits until a root shell is told that the account is live.
    #[track_caller]
    pub(crate) fn wait_until_live(&self, service: &mut Service) {
        wait_for("a live account", || {
            service.assert_runs();
            let said = self.root.replyd(&["status"]).code(0);
            said.contains("live").then_some(())
        });
    }

    /// What /health answers: the status line, and the rest.
    #[track_caller]
    pub(crate) fn health(&self) -> String {
        let mut web = TcpStream::connect(self.root.web()).expect("Somebody answers HTTP");
        web.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .expect("Ask");
        let mut text = String::new();
        web.read_to_string(&mut text).expect("Its answer");
        text
    }

    /// Fails if a file in the state folder is not the service's own, or others may read it.
    #[track_caller]
    pub(crate) fn assert_state_is_the_services(&self) {
        let (uid, gid) = self.root.service_ids();
        let files = self.root.listing("/var/lib/replyd");
        assert!(
            files.iter().any(|f| f.0.ends_with("replyd.db")),
            "{files:?}"
        );
        for (path, mode, user, group) in files {
            assert_eq!((user, group), (uid, gid), "{path}");
            assert_eq!(mode & 0o077, 0, "{path} {mode:o}");
        }
        assert_eq!(self.root.rights("/var/lib/replyd"), (0o700, uid, gid));
    }

    /// Fails if settings and secrets are not root's, for the service's group to read.
    #[track_caller]
    pub(crate) fn assert_settings_are_protected(&self) {
        let (_, gid) = self.root.service_ids();
        assert_eq!(self.root.rights("/etc/replyd"), (0o750, 0, gid));
        for (path, mode, user, group) in self.root.listing("/etc/replyd") {
            assert_eq!((mode, user, group), (0o640, 0, gid), "{path} {mode:o}");
        }
    }
}
