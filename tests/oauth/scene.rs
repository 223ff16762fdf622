//! A desk that signs in by OAuth2.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use crate::common::PATIENCE;
use crate::common::bin::{Finished, Replyd, Running};
use crate::common::dovecot::{Dovecot, Options};
use crate::common::host::MailHost;
use crate::common::postfix::Postfix;
use crate::common::scenario::{DESK, Lead, SALES, Scenario};
use crate::common::token_server::{TokenServer, browse};

/// Signs access tokens.
const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

/// Mail host, token server and an installation of replyd; nobody has signed in.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) tokens: TokenServer,
    pub(crate) desk: Scenario,
}

/// What differs from test to test.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// The mechanism, on both servers.
    pub(crate) auth: &'static str,
    /// Further lines of its oauth table.
    pub(crate) oauth: String,
    /// Further lines of its smtp table.
    pub(crate) smtp: &'static str,
    /// Period of the fallback poll.
    pub(crate) interval: &'static str,
    /// The log filter.
    pub(crate) log: &'static str,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            auth: "auto",
            oauth: String::new(),
            smtp: "",
            interval: "9m",
            log: "info,replyd=debug",
        }
    }
}

/// How much of a token's life has passed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Share {
    /// Over three quarters: due, and still good.
    Due,
    /// All of it.
    Over,
}

impl Scene {
    #[track_caller]
    pub(crate) fn new() -> Self {
        Self::with(&Wish::default())
    }

    #[track_caller]
    pub(crate) fn with(wish: &Wish) -> Self {
        Self::with_settings(|_| wish.clone())
    }

    /// With settings that need the token server's addresses.
    #[track_caller]
    pub(crate) fn with_settings(wish: impl FnOnce(&TokenServer) -> Wish) -> Self {
        let leads = vec![Lead::number(0), Lead::number(1)];
        let mut users = vec![DESK, SALES];
        users.extend(leads.iter().map(|lead| lead.address.as_str()));
        let options = Options {
            users: &users,
            idle: true,
            plain_port: false,
        };
        let dovecot = Dovecot::start_with_tokens(&options, KEY);
        let postfix = Postfix::start(&dovecot);
        let host = MailHost { postfix, dovecot };
        let tokens = TokenServer::start(DESK, KEY);
        let replyd = Replyd::new(&settings(&host, &tokens, &wish(&tokens)));
        Self {
            tokens,
            desk: Scenario {
                host,
                replyd,
                leads,
            },
        }
    }

    pub(crate) fn replyd(&self) -> &Replyd {
        &self.desk.replyd
    }

    /// Moves the stored tokens (that live an hour) into the past.
    #[track_caller]
    pub(crate) fn age(&self, share: Share) {
        let past_ms = match share {
            Share::Due => 3_000_000,
            Share::Over => 3_601_000,
        };
        self.sql(
            "UPDATE oauth_tokens SET refreshed_at = refreshed_at - ?1, \
             expires_at = expires_at - ?1, obtained_at = obtained_at - ?1",
            past_ms,
        );
    }

    /// Forgets every pause: as if it had passed.
    #[track_caller]
    pub(crate) fn pauses_pass(&self) {
        self.sql("UPDATE oauth_tokens SET next_attempt_at = ?1", 0);
        self.sql(
            "UPDATE accounts SET next_attempt_at = ?1, login_tokens_ms = 120000",
            0,
        );
    }

    #[track_caller]
    pub(crate) fn sql(&self, change: &str, value: i64) {
        let database = Connection::open(self.replyd().database()).expect("Open the database");
        database.busy_timeout(PATIENCE).expect("A time-out");
        database
            .execute(change, [value])
            .unwrap_or_else(|e| panic!("{change}: {e}"));
    }

    /// How the account's sign-in stands.
    #[track_caller]
    pub(crate) fn standing(&self) -> Value {
        let text = self.replyd().run(&["auth", "status", "--json"]).stdout();
        let json: Value = serde_json::from_str(&text).expect("JSON");
        json["accounts"][0].clone()
    }

    /// State and reason of the account in `status`.
    #[track_caller]
    pub(crate) fn state(&self) -> (String, String) {
        let rows = self.replyd().rows();
        (
            rows.value("SELECT state FROM accounts", []),
            rows.value("SELECT state_reason FROM accounts", []),
        )
    }

    /// Sign-ins to the IMAP server, good and bad.
    pub(crate) fn imap_logins(&self) -> (usize, usize) {
        let log = self.desk.host.dovecot.log();
        let lines = |part: &str| log.lines().filter(|l| l.contains(part)).count();
        (
            lines("imap-login: Info: Login: user="),
            lines("(auth failed, "),
        )
    }

    /// Signs in by a browser on this machine.
    #[track_caller]
    pub(crate) fn login(&self) -> Finished {
        self.login_with(&[])
    }

    #[track_caller]
    pub(crate) fn login_with(&self, flags: &[&str]) -> Finished {
        let args: Vec<&str> = ["auth", "login", "desk"]
            .iter()
            .chain(flags)
            .copied()
            .collect();
        let mut running = self.replyd().start(&args);
        consent(&mut running);
        running.finish()
    }

    /// Signed in, with leads: all that a service needs.
    #[track_caller]
    pub(crate) fn ready(wish: &Wish, prepare: impl FnOnce(&TokenServer)) -> Self {
        let scene = Self::with(wish);
        prepare(&scene.tokens);
        scene.login().assert_code(0);
        scene.desk.import(Duration::from_secs(86_400));
        scene
    }
}

/// The address that the command shows.
#[track_caller]
pub(crate) fn shown_address(running: &mut Running) -> String {
    running.wait_for_line("the address of the consent page", |line| {
        line.starts_with("http://")
    })
}

/// Consents in a browser on this machine; its last page.
#[track_caller]
pub(crate) fn consent(running: &mut Running) -> String {
    let address = shown_address(running);
    let (_, location, _) = browse(&address);
    let (status, _, page) = browse(&location.expect("The page sends the browser back"));
    assert!(status.contains(" 200 "), "{status}");
    page
}

fn settings(host: &MailHost, tokens: &TokenServer, wish: &Wish) -> String {
    let ca = host.dovecot.certs.ca_file.display();
    format!(
        "[[accounts]]
name = \"desk\"
address = \"{DESK}\"

[accounts.imap]
auth = \"{auth}\"
host = \"localhost\"
port = {imap}
ca_file = \"{ca}\"

[accounts.smtp]
auth = \"{auth}\"
host = \"localhost\"
port = {smtp}
security = \"starttls\"
ca_file = \"{ca}\"
{sending}
{oauth}{more}
[listen]
interval = \"{interval}\"

[reply]
sales_email = \"{SALES}\"

[log]
format = \"json\"
filter = \"{log}\"
",
        auth = wish.auth,
        imap = host.dovecot.imaps_port(),
        smtp = host.postfix.submission_port(),
        sending = wish.smtp,
        oauth = tokens.settings(),
        more = wish.oauth,
        interval = wish.interval,
        log = wish.log,
    )
}
