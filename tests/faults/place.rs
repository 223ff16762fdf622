//! An installation whose settings a test spoils, and looks at what doctor makes of it.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::common::bin::Replyd;
use crate::common::dovecot::{Dovecot, Options, PASSWORD};
use crate::common::host::MailHost;

/// The account's name.
pub(crate) const ACCOUNT: &str = "sales desk";
/// Its address and user.
pub(crate) const DESK: &str = "desk@homes.example";
/// Where leads are announced.
pub(crate) const SALES: &str = "sales@homes.example";

/// One server in the settings.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: &'static str,
    pub(crate) ca_file: Option<String>,
    pub(crate) password: String,
    /// Further lines.
    pub(crate) more: String,
}

impl Server {
    fn table(&self, name: &str) -> String {
        let mut text = format!(
            "[accounts.{name}]\nhost = {:?}\nport = {}\nsecurity = {:?}\npassword = {:?}\n",
            self.host, self.port, self.security, self.password
        );
        if let Some(ca) = &self.ca_file {
            writeln!(text, "ca_file = {ca:?}").unwrap();
        }
        text.push_str(&self.more);
        text.push('\n');
        text
    }
}

/// The settings of one account; right until a test spoils them.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) imap: Server,
    /// None: mails are printed.
    pub(crate) smtp: Option<Server>,
    pub(crate) mailboxes: &'static str,
    /// Further lines of the account.
    pub(crate) account: &'static str,
    /// Further tables.
    pub(crate) more: String,
}

impl Place {
    /// Reads from this Dovecot, and prints its mails.
    pub(crate) fn reading(dovecot: &Dovecot) -> Self {
        Self {
            imap: Server {
                host: "localhost".into(),
                port: dovecot.imaps_port(),
                security: "tls",
                ca_file: Some(dovecot.certs.ca_file.display().to_string()),
                password: PASSWORD.into(),
                more: String::new(),
            },
            smtp: None,
            mailboxes: "[\"INBOX\"]",
            account: "",
            more: String::new(),
        }
    }

    /// Reads and sends on this host.
    pub(crate) fn on(host: &MailHost) -> Self {
        let reading = Self::reading(&host.dovecot);
        let smtp = Server {
            port: host.postfix.submission_port(),
            security: "starttls",
            ..reading.imap.clone()
        };
        Self {
            smtp: Some(smtp),
            ..reading
        }
    }

    pub(crate) fn smtp(&mut self) -> &mut Server {
        self.smtp.as_mut().expect("A place that sends")
    }

    /// replyd.toml.
    pub(crate) fn toml(&self) -> String {
        let smtp = match &self.smtp {
            Some(server) => server.table("smtp"),
            None => "[accounts.smtp]\nconsole = true\n\n".to_owned(),
        };
        format!(
            "[[accounts]]\nname = {ACCOUNT:?}\naddress = {DESK:?}\nuser = {DESK:?}\n\
             mailboxes = {}\n{}\n{}{smtp}\
             [reply]\nsales_email = {SALES:?}\noperator_addresses = [\"op@homes.example\"]\n\n\
             [log]\nformat = \"json\"\n\n{}",
            self.mailboxes,
            self.account,
            self.imap.table("imap"),
            self.more,
        )
    }

    /// An installation with these settings; not started yet.
    pub(crate) fn install(&self) -> Replyd {
        let replyd = Replyd::new(&self.toml());
        // It holds passwords.
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(replyd.dir().join("replyd.toml"), mode).unwrap();
        replyd
    }
}

/// The users of every test's servers.
pub(crate) const USERS: &[&str] = &[DESK, SALES];

/// A Dovecot with both ports.
#[track_caller]
pub(crate) fn dovecot() -> Dovecot {
    Dovecot::start(&Options {
        users: USERS,
        idle: true,
        plain_port: true,
    })
}

/// Dovecot and Postfix.
#[track_caller]
pub(crate) fn host() -> MailHost {
    MailHost::with(&Options {
        users: USERS,
        idle: true,
        plain_port: true,
    })
}

/// What doctor said.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) json: Value,
}

impl Told {
    /// Runs `doctor --json` with further flags; its exit code must be this one, also in the JSON.
    #[track_caller]
    pub(crate) fn by(replyd: &Replyd, flags: &[&str], code: i32) -> Self {
        let mut args = vec!["doctor", "--json"];
        args.extend(flags);
        let finished = replyd.run(&args);
        finished.assert_code(code);
        let json: Value = serde_json::from_str(&finished.stdout())
            .unwrap_or_else(|e| panic!("{e}\n{}", finished.output()));
        assert_eq!(json["exit"], code, "{json:#}");
        Self { json }
    }

    /// Every check of the account (none: of the installation).
    #[track_caller]
    pub(crate) fn checks(&self, account: Option<&str>) -> Vec<Value> {
        let groups = self.json["groups"].as_array().expect("groups");
        let group = groups
            .iter()
            .find(|g| g["account"].as_str() == account)
            .unwrap_or_else(|| panic!("no group {account:?} in {:#}", self.json));
        group["checks"].as_array().expect("checks").clone()
    }

    /// The account's check with this word.
    #[track_caller]
    pub(crate) fn check(&self, word: &str) -> Value {
        self.find(Some(ACCOUNT), word)
    }

    /// The installation's check with this word.
    #[track_caller]
    pub(crate) fn installation(&self, word: &str) -> Value {
        self.find(None, word)
    }

    #[track_caller]
    fn find(&self, account: Option<&str>, word: &str) -> Value {
        let found = self
            .checks(account)
            .into_iter()
            .find(|c| c["check"] == word);
        found.unwrap_or_else(|| panic!("no check {word} of {account:?} in {:#}", self.json))
    }

    /// That this check failed with this fault, says its remedy, and holds `detail`.
    #[track_caller]
    pub(crate) fn assert_fault(&self, word: &str, fault: &str, detail: &str) {
        self.assert_in(Some(ACCOUNT), word, fault, detail);
    }

    #[track_caller]
    pub(crate) fn assert_in(&self, account: Option<&str>, word: &str, fault: &str, detail: &str) {
        let checks = self.checks(account);
        let hit = checks
            .iter()
            .find(|c| c["check"] == word && c["fault"] == fault);
        let hit = hit.unwrap_or_else(|| panic!("no {word} with {fault} in {checks:#?}"));
        let catalogue: replyd::fault::Fault = fault.parse().unwrap();
        let text = hit["text"].as_str().unwrap();
        assert!(text.starts_with(catalogue.title()), "{text}");
        assert!(text.contains(detail), "{detail:?} is not in {text:?}");
        assert_eq!(hit["remedy"], catalogue.remedy());
    }
}

/// Fails unless a single pass ends with `code`, and its report, its log and `status` afterwards
/// name account, fault and remedy.
#[track_caller]
pub(crate) fn assert_named_everywhere(replyd: &Replyd, code: i32, fault: &str) {
    assert_named(replyd, ACCOUNT, code, fault);
}

/// The same for another account's name.
#[track_caller]
pub(crate) fn assert_named(replyd: &Replyd, account: &str, code: i32, fault: &str) {
    let known: replyd::fault::Fault = fault.parse().unwrap();
    assert_eq!(
        i32::from(known.exit().code()),
        code,
        "the table says otherwise"
    );
    let finished = replyd.run(&["run", "--once"]);
    finished.assert_code(code);
    let report = finished.stdout();
    for part in [account, known.title(), known.remedy()] {
        assert!(report.contains(part), "{part:?} is not in\n{report}");
    }
    let told = finished.events().into_iter().find(|e| e["fault"] == fault);
    let told = told.unwrap_or_else(|| panic!("no event with {fault} in\n{}", finished.output()));
    assert_eq!(told["account"], account, "{told}");
    assert!(told.to_string().contains(known.remedy()), "{told}");
    let status = replyd.run(&["status"]).stdout();
    for part in [account, fault, known.title(), known.remedy()] {
        assert!(status.contains(part), "{part:?} is not in\n{status}");
    }
}
