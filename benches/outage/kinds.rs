//! The four outages: how each begins, and how it is mended.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use replyd_sandbox::DelayProxy;
use serde_json::Value;

use crate::common::bin::Running;
use crate::common::dovecot::{Dovecot, Options};
use crate::common::host::MailHost;
use crate::common::postfix::Postfix;
use crate::common::token_server::{TokenServer, browse};
use crate::course::{Course, Since};
use crate::world::{BACKUP, DESK, OPS, Settings, World};

/// A mail comes this often.
const MAIL_EVERY: Duration = Duration::from_secs(30);
/// Looks at store, /health and mailboxes.
const LOOK: Duration = Duration::from_millis(250);
/// After the mending: the backoff alone may be five minutes.
const RECOVERY: Duration = Duration::from_secs(15 * 60);
/// Life of the access tokens: short, so that the refusal of their renewal is seen.
const TOKEN_LIFE_S: i64 = 240;
const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Stopped,
    Password,
    Revoked,
    Network,
}

impl Kind {
    pub(crate) const ALL: &[Self] = &[Self::Stopped, Self::Password, Self::Revoked, Self::Network];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Stopped => "Dovecot stopped",
            Self::Password => "password changed",
            Self::Revoked => "token revoked",
            Self::Network => "network swallows all",
        }
    }
}

/// The hosts, and what mends the fault.
struct Stage {
    world: World,
    proxy: Option<(tokio::runtime::Runtime, DelayProxy)>,
    tokens: Option<TokenServer>,
}

impl Stage {
    fn build(kind: Kind) -> Self {
        let options = |users| Options {
            users,
            idle: true,
            plain_port: false,
        };
        let users = [DESK, OPS];
        let dovecot = match kind {
            Kind::Revoked => Dovecot::start_with_tokens(&options(&users), KEY),
            _ => Dovecot::start(&options(&users)),
        };
        let postfix = Postfix::start(&dovecot);
        let host = MailHost { postfix, dovecot };
        let beside = MailHost::with(&options(&[BACKUP, OPS]));
        let mut settings = Settings {
            interval: "60s",
            login_every: "60s",
            ..Settings::default()
        };
        let proxy = (kind == Kind::Network).then(|| {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let server = SocketAddr::from((Ipv4Addr::LOCALHOST, host.dovecot.imaps_port()));
            let proxy = runtime
                .block_on(DelayProxy::start(server, Duration::ZERO))
                .unwrap();
            settings.imap_port = Some(proxy.addr().port());
            (runtime, proxy)
        });
        let tokens = (kind == Kind::Revoked).then(|| {
            let tokens = TokenServer::start(DESK, KEY);
            tokens.desk().life_s = TOKEN_LIFE_S;
            settings.oauth = tokens.settings();
            tokens
        });
        let world = World::on(host, beside, settings);
        let stage = Self {
            world,
            proxy,
            tokens,
        };
        if kind == Kind::Revoked {
            stage.sign_in();
        }
        stage
    }

    /// `replyd auth login`, with a browser on this machine.
    fn sign_in(&self) {
        let mut login = self.world.replyd.start(&["auth", "login", "desk"]);
        let address = login.wait_for_line("the consent page", |line| line.starts_with("http://"));
        let (_, location, _) = browse(&address);
        browse(&location.expect("The page sends the browser back"));
        login.finish().assert_code(0);
    }

    fn break_it(&mut self, kind: Kind) {
        match kind {
            Kind::Stopped => self.world.host.dovecot.stop(),
            Kind::Password => {
                self.world.host.dovecot.set_password(DESK, "another one");
                self.world.host.dovecot.kick(DESK);
            }
            Kind::Revoked => self.tokens.as_ref().unwrap().revoke(),
            Kind::Network => self.proxy.as_ref().unwrap().1.set_black_hole(true),
        }
    }

    /// Mends it; an operator restarts the service where the settings changed.
    fn mend(&mut self, kind: Kind, running: Running) -> Running {
        match kind {
            Kind::Stopped => self.world.host.dovecot.start_again(),
            Kind::Password => {
                self.world.mend_password("another one");
                running.terminate().assert_code(0);
                return self.world.start();
            }
            Kind::Revoked => self.sign_in(),
            Kind::Network => self.proxy.as_ref().unwrap().1.set_black_hole(false),
        }
        running
    }

    fn state(&self) -> String {
        self.world
            .rows()
            .value("SELECT state FROM accounts WHERE name = 'desk'", [])
    }

    /// Sign-ins of the desk over IMAP: taken and refused.
    fn logins(&self) -> (usize, usize) {
        let log = self.world.host.dovecot.log();
        let refused = log
            .lines()
            .filter(|l| l.contains("imap-login") && l.contains("auth failed, "))
            .count();
        (self.world.host.dovecot.logins(DESK), refused)
    }

    fn told(&self, event: &str) -> Vec<Value> {
        let told = self.world.hook.told();
        told.into_iter().filter(|v| v["event"] == event).collect()
    }
}

/// One outage from its beginning to the word that it is over.
pub(crate) fn run(kind: Kind, outage: Duration) -> Course {
    let mut stage = Stage::build(kind);
    let mut course = Course {
        title: kind.title(),
        ..Course::default()
    };
    let mut running = stage.world.run();
    stage.world.wait_for_health(200);
    let before = stage.logins();

    let fault = Since(Instant::now());
    stage.break_it(kind);
    if kind == Kind::Stopped {
        // Its last session may outlive it by a moment.
        while stage.state() == "live" {
            std::thread::park_timeout(LOOK);
        }
    }
    while fault.0.elapsed() < outage {
        let due = usize::try_from(fault.0.elapsed().as_secs() / MAIL_EVERY.as_secs()).unwrap() + 1;
        while course.mails.0 < due {
            stage.world.stranger_wrote(course.mails.0);
            course.mails.0 += 1;
        }
        let state = stage.state();
        fault.note(&mut course.not_live, || state != "live");
        fault.note(&mut course.unhealthy, || stage.world.health().0 == 503);
        if course.hook.is_none() && !stage.told("raised").is_empty() {
            course.state.clone_from(&state);
        }
        fault.note(&mut course.hook, || !stage.told("raised").is_empty());
        fault.note(&mut course.mail, || !stage.world.ops_got().is_empty());
        std::thread::park_timeout(LOOK);
    }
    course.tries = running
        .drain_output()
        .lines()
        .filter(|l| l.contains("\"connection ended") && l.contains("\"desk\""))
        .count();

    let mended = Since(Instant::now());
    running = stage.mend(kind, running);
    while mended.0.elapsed() < RECOVERY && course.ended.is_none() {
        let hears = |s: &str| s == "live" || s == "degraded";
        mended.note(&mut course.live, || hears(&stage.state()));
        // A service that starts does not listen at once.
        if course.live.is_some() {
            mended.note(&mut course.healthy, || stage.world.health().0 == 200);
        }
        mended.note(&mut course.ended, || !stage.told("ended").is_empty());
        std::thread::park_timeout(LOOK);
    }
    if course.ended.is_some() {
        stage.world.wait_for_ops(2);
    }
    let ended = stage.told("ended");
    course.caught_up = ended
        .first()
        .and_then(|v| v["caught_up"].as_u64())
        .unwrap_or(0);
    course.told = (
        stage.told("raised").len(),
        ended.len(),
        stage.world.ops_got().len(),
    );
    course.mails.1 = stage.world.rows().value(
        "SELECT count(*) FROM messages m JOIN accounts a ON a.id = m.account_id
         WHERE a.name = 'desk' AND m.message_key LIKE 'other-%'",
        [],
    );
    let after = stage.logins();
    course.logins = (after.0 - before.0, after.1 - before.1);
    course.allowed = 2 + fault.0.elapsed().as_secs() / 60;
    println!(
        "{}: done after {} s",
        course.title,
        fault.0.elapsed().as_secs()
    );
    running.terminate();
    course
}
